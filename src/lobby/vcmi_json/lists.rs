//! The lists that everybody is told of: who is there, and which rooms there are.
//!
//! Each change is told at once, as clients are used to, as long as that costs little. A list costs its bytes for every
//! client, so it grows with the square of what is in it: beyond [`LISTS`] a changed list waits for the next interval, and
//! goes out once for all that has changed until then. A list that has not changed is not told again.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    JsonTurn, Timer,
    journal::Out,
    lobby::{ACCOUNTS, Lobby},
    protocol::outgoing::{self, Person},
    questions::Match,
    room::{self, Room, RoomNumber},
    settings::LISTS,
};
use crate::{ConnId, rate::Meter};

/// How much was told of late, and what is still to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Lists {
    spent: Meter,
    /// The accounts have changed since everybody was told.
    accounts: bool,
    /// The rooms have.
    rooms: bool,
    /// A timer is set.
    armed: bool,
    /// The accounts as text, until they change.
    #[serde(skip)]
    accounts_text: Option<Bytes>,
    /// The rooms as text, until they change or are a second older.
    #[serde(skip)]
    rooms_text: Option<(u64, Bytes)>,
}

impl Lobby {
    /// The list of accounts.
    pub(super) fn accounts_text(&mut self) -> Bytes {
        if let Some(text) = &self.lists.accounts_text {
            return text.clone();
        }
        let accounts = self.accounts.values().map(|online| Person {
            id: &online.id,
            name: &online.name,
        });
        let text = outgoing::active_accounts(accounts);
        self.lists.accounts_text = Some(text.clone());
        text
    }

    /// The list of rooms, the youngest first.
    pub(super) fn rooms_text(&mut self) -> Bytes {
        let now = self.unix_s();
        if let Some((at, text)) = &self.lists.rooms_text
            && *at == now
        {
            return text.clone();
        }
        let listed = |room: &&Room| room.status.is_listed();
        let rooms = self.rooms.values().rev().filter(listed);
        let text = outgoing::active_game_rooms(rooms, |out, room| room.write(out, now));
        self.lists.rooms_text = Some((now, text.clone()));
        text
    }

    pub(super) fn matches_text(&self, matches: &[Match]) -> Bytes {
        let now = self.unix_s();
        outgoing::matches_history(matches, |out, one| room::write_match(out, one, now))
    }

    /// Who is there has changed.
    pub(super) fn spread_accounts(&mut self) {
        self.lists.accounts = true;
        self.lists.accounts_text = None;
        self.show_counts();
        self.tell_lists_if_cheap();
    }

    /// The rooms have changed.
    pub(super) fn spread_rooms(&mut self) {
        self.lists.rooms = true;
        self.lists.rooms_text = None;
        self.show_counts();
        self.tell_lists_if_cheap();
    }

    /// The same; this client in any case hears of it now.
    pub(super) fn spread_rooms_also_to(&mut self, conn: ConnId) {
        self.spread_rooms();
        if self.lists.rooms {
            let text = self.rooms_text();
            self.send(conn, text);
        }
    }

    /// Only what this room says of itself has changed.
    pub(super) fn spread_room(&mut self, number: RoomNumber) {
        self.lists.rooms_text = None;
        if self.lists.rooms || self.lists.spent.wait(self.now.mono, LISTS).is_some() {
            return self.spread_rooms();
        }
        let now = self.unix_s();
        if let Some(room) = self.rooms.get(&number) {
            let text = outgoing::update_game_room(|out| room.write(out, now));
            self.tell_list(text);
        }
    }

    fn tell_lists_if_cheap(&mut self) {
        if self.lists.spent.wait(self.now.mono, LISTS).is_some() {
            self.metrics.lists_deferred.up();
        } else {
            self.tell_lists();
        }
    }

    /// Everybody is told what has changed.
    fn tell_lists(&mut self) {
        if std::mem::take(&mut self.lists.accounts) {
            let text = self.accounts_text();
            self.tell_list(text);
        }
        if std::mem::take(&mut self.lists.rooms) {
            let text = self.rooms_text();
            self.tell_list(text);
        }
    }

    fn tell_list(&mut self, text: Bytes) {
        let bytes = text.len() * self.accounts.len();
        self.lists.spent.charge(self.now.mono, bytes as u64, LISTS);
        self.outs.push(Out::List(ACCOUNTS, text));
    }

    /// Sees to it that what is still to be told is told.
    pub(super) fn arm_lists(&mut self, turn: &mut JsonTurn<'_>) {
        let is_due = self.lists.accounts || self.lists.rooms;
        if is_due && !std::mem::replace(&mut self.lists.armed, true) {
            turn.wake_at(turn.now.mono + self.settings.list_interval, Timer::Lists);
        }
    }

    /// The interval is over.
    pub(super) fn lists_due(&mut self) {
        self.lists.armed = false;
        self.tell_lists();
    }
}
