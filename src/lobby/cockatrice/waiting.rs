//! What answers of the back office are waited for with: plain data. What is done with an answer stands with the role whose it is.

use std::marker::PhantomData;

use cockatrice::game::Out;

use super::{
    Cockatrice, CockatriceTurn,
    mail::{AskForced, NewGameAt},
    questions::{
        Answer, AskDecks, AskReplays, AskReports, ChangeAccount, Moderate, PlayedGame, Register,
    },
};
use crate::{ConnId, question::Asker};

crate::continuations! {
    Waiting of Cockatrice:
    PasswordSalt => Salting,
    SignIn => Identifying,
    OpenSession => Opening,
    Register => Replying<Register>,
    ChangeAccount => Replying<ChangeAccount>,
    AskDecks => Replying<AskDecks>,
    AskReplays => Replying<AskReplays>,
    AskReports => Replying<AskReports>,
    Moderate => Replying<Moderate>,
    ServerMessage => Announcing,
    NewGame => Numbering,
    DeckForGame => Fetching,
    KeepPiece => Spilling,
    KeepGame => Keeping,
    StoreGame => Storing,
    WriteLog => Writing,
}

impl Asker for Cockatrice {
    type Context<'a> = CockatriceTurn<'a>;
}

/// A command that the store answers, with whoever sent it.
#[derive(Debug)]
pub(super) struct Replying<Q> {
    pub(super) conn: ConnId,
    pub(super) of: PhantomData<Q>,
}

/// An administrator who has everybody told the server's message.
#[derive(Debug)]
pub(super) struct Announcing(pub(super) ConnId);

/// Somebody who wants to know the salt of a name's password.
#[derive(Debug)]
pub(super) struct Salting(pub(super) ConnId);

/// Somebody who signs in under this name.
#[derive(Debug)]
pub(super) struct Identifying {
    pub(super) conn: ConnId,
    pub(super) name: Box<str>,
}

/// Somebody who has this name, and whose session is being written down.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) conn: ConnId,
    pub(super) name: Box<str>,
}

/// A game that waits for its number; the step that its creator waits with.
#[derive(Debug)]
pub(super) struct Numbering(pub(super) NewGameAt, pub(super) u64);

/// A stored deck that is to be played.
#[derive(Debug)]
pub(super) enum Fetching {
    /// By a participant who waits for it.
    Own { conn: ConnId, id: i32 },
    /// By its owner, whom a judge has select it; the step that the judge waits with.
    Forced {
        owner: u32,
        id: i32,
        asked: Box<AskForced>,
        step: u64,
    },
}

/// A piece of a replay that is being put on disk.
#[derive(Debug)]
pub(super) struct Spilling {
    pub(super) game: u32,
    pub(super) round: u32,
}

/// A game that is over, and is being put on disk; then this is done.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) out: Out,
    pub(super) played: Box<PlayedGame>,
}

/// A game that is over, and is being put into the store.
#[derive(Debug)]
pub(super) struct Storing(pub(super) Box<PlayedGame>);

/// Somebody who wants to read what was said, of which lines are being written; the step that they wait with.
#[derive(Debug)]
pub(super) struct Writing(pub(super) ConnId, pub(super) u64);
