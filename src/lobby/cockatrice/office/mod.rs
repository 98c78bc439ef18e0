//! What the back office answers: signing in with an account, and the commands of which only the store knows the answer.
//!
//! Whoever waits for an answer is held. What an answer changes of whoever asked is changed before they hear of it.
//!
//! | file | concept |
//! |---|---|
//! | `sign_in` | who it is that signs in, and that their session is written down |
//! | `commands` | commands of people, moderators and administrators, as questions |
//! | `games` | numbers of games, and stored decks |
//! | `changes` | what an answer changes for those who are there |

mod changes;
mod commands;
mod games;
mod sign_in;

use std::marker::PhantomData;

use cockatrice::messages::ResponseCode;

use super::{
    Cockatrice, CockatriceTurn,
    questions::{Ask, Asked, Outcome, ServerMessage},
    settings::Method,
    state::work::Flow,
    waiting::{Announcing, Replying, Salting},
};
use crate::{
    ConnId,
    question::{Continuation, Question, StoreFailure},
};

impl<Q: Question<Answer = Outcome>> Continuation for Replying<Q> {
    type Asker = Cockatrice;
    type Question = Q;
    fn resume(self, lobby: &mut Cockatrice, turn: &mut CockatriceTurn<'_>, outcome: Outcome) {
        lobby.settled(turn, self.conn, outcome);
    }
}

impl Continuation for Announcing {
    type Asker = Cockatrice;
    type Question = ServerMessage;
    fn resume(
        self,
        lobby: &mut Cockatrice,
        _: &mut CockatriceTurn<'_>,
        message: Result<Option<Box<str>>, StoreFailure>,
    ) {
        lobby.announce(self.0, message);
    }
}

impl Cockatrice {
    /// Whether people have accounts.
    pub(super) fn has_accounts(&self) -> bool {
        self.settings.method == Method::Accounts
    }

    /// A question whose answer becomes the answer to a command.
    fn ask(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, asked: Asked) -> Flow {
        let pending = &mut self.pending;
        match asked {
            Err(code) => return Flow::code(code),
            Ok(Ask::PasswordSalt(question)) => pending.ask(turn, question, Salting(conn)),
            Ok(Ask::Register(question)) => pending.ask(turn, question, replying(conn)),
            Ok(Ask::ChangeAccount(question)) => pending.ask(turn, question, replying(conn)),
            Ok(Ask::AskDecks(question)) => pending.ask(turn, question, replying(conn)),
            Ok(Ask::AskReplays(question)) => pending.ask(turn, question, replying(conn)),
            Ok(Ask::AskReports(question)) => pending.ask(turn, question, replying(conn)),
            Ok(Ask::Moderate(question)) => pending.ask(turn, question, replying(conn)),
            Ok(
                Ask::SignIn(_)
                | Ask::OpenSession(_)
                | Ask::CloseSession(_)
                | Ask::ServerMessage(_)
                | Ask::DeckForGame(_)
                | Ask::NewGame(_)
                | Ask::KeepPiece(_)
                | Ask::KeepGame(_)
                | Ask::StoreGame(_)
                | Ask::WriteLog(_)
                | Ask::NoteStatus(_),
            ) => return Flow::code(ResponseCode::RespInternalError), // no command is one of these
        }
        Flow::Asked
    }
}

fn replying<Q>(conn: ConnId) -> Replying<Q> {
    Replying {
        conn,
        of: PhantomData,
    }
}
