//! What games need of the store: their numbers, and decks that are stored there (spec: cockatrice-behaviour 5.2, 6.1).

use std::collections::BTreeSet;

use bytes::Bytes;
use cockatrice::messages::ResponseCode;

use crate::{
    ConnId,
    cockatrice::{
        Cockatrice, CockatriceTurn,
        mail::{AskForced, NewGameAt},
        questions::{DeckForGame, NewGame},
        state::work::Reply,
        waiting::{Fetching, Numbering},
    },
    question::{Continuation, StoreFailure},
};

impl Continuation for Numbering {
    type Asker = Cockatrice;
    type Question = NewGame;
    fn resume(
        self,
        lobby: &mut Cockatrice,
        _: &mut CockatriceTurn<'_>,
        number: Result<u32, StoreFailure>,
    ) {
        lobby.post.begin(self.1);
        match number {
            Ok(number) => lobby.begin_game(number, self.0),
            Err(_) => {
                let refused = Reply::code(ResponseCode::RespInternalError);
                lobby.reply_to(self.0.entrant.listed.conn, refused);
            }
        }
    }
}

impl Continuation for Fetching {
    type Asker = Cockatrice;
    type Question = DeckForGame;
    fn resume(
        self,
        lobby: &mut Cockatrice,
        turn: &mut CockatriceTurn<'_>,
        deck: Result<Option<Bytes>, StoreFailure>,
    ) {
        // One that can't be had now is as good as none.
        let deck = deck.ok().flatten();
        match self {
            Fetching::Own { conn, id } => lobby.deck_fetched(turn, conn, id, deck),
            Fetching::Forced {
                owner,
                id,
                mut asked,
                step,
            } => {
                lobby.post.begin(step);
                let forced = asked.commands.forced.entry(asked.wanted.of).or_default();
                forced.decks.extend(deck.map(|deck| (id, deck)));
                lobby.fetch_forced(Some(owner), asked);
            }
        }
    }
}

impl Cockatrice {
    /// Has a stored deck fetched that a judge has its owner select.
    pub(in crate::cockatrice) fn ask_forced_deck(
        &mut self,
        owner: u32,
        id: i32,
        asked: Box<AskForced>,
    ) {
        let step = self.post.step();
        let waiting = Fetching::Forced {
            owner,
            id,
            asked,
            step,
        };
        self.post.ask_for(deck_of(owner, id), waiting);
    }

    /// Has a game get its number.
    pub(in crate::cockatrice) fn ask_number(&mut self, new: NewGameAt) {
        let room = self.room_settings.get(new.room as usize);
        let question = NewGame {
            room: room.map_or("", |room| &room.name).into(),
            description: new.rules.description.clone(),
            creator: new.entrant.listed.name.clone(),
        };
        let step = self.post.step();
        self.post.ask_for(question, Numbering(new, step));
    }

    /// Has stored decks of the user of a connection fetched.
    pub(in crate::cockatrice) fn fetch_decks(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        decks: BTreeSet<i32>,
    ) {
        let user = self.user(conn);
        let account = user.and_then(|user| user.account.as_ref());
        let owner = account.map_or(0, |account| account.id);
        for id in decks {
            let question = deck_of(owner, id);
            self.pending.ask(turn, question, Fetching::Own { conn, id });
        }
    }

    /// A deck is there, or there is none; with the last one its container goes on.
    fn deck_fetched(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        id: i32,
        deck: Option<Bytes>,
    ) {
        let session = self.sessions.get_mut(&conn);
        let Some(work) = session.and_then(|session| session.work.as_mut()) else {
            return;
        };
        work.decks.extend(deck.map(|deck| (id, deck)));
        if work.waits > 1 {
            work.waits -= 1;
            return;
        }
        let (decks, container) = (
            std::mem::take(&mut work.decks),
            std::mem::take(&mut work.container),
        );
        self.decks_fetched(turn, conn, &container, decks);
    }
}

/// Asks for somebody's stored deck. None has a number that is not positive.
fn deck_of(owner: u32, id: i32) -> DeckForGame {
    DeckForGame {
        owner,
        id: u32::try_from(id).unwrap_or(0),
    }
}
