//! What games need of the store: their numbers, and decks that are stored there (spec: cockatrice-behaviour 5.2, 6.1).

use std::collections::BTreeSet;

use bytes::Bytes;
use cockatrice::messages::ResponseCode;

use crate::{
    ConnId,
    cockatrice::{
        Cockatrice, CockatriceTurn,
        mail::NewGameAt,
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
        lobby.deck_fetched(turn, self.conn, self.id, deck.ok().flatten());
    }
}

impl Cockatrice {
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
            // No deck has a number that is not positive.
            let question = DeckForGame {
                owner,
                id: u32::try_from(id).unwrap_or(0),
            };
            self.pending.ask(turn, question, Fetching { conn, id });
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
