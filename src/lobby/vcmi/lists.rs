//! The lists that everybody is told of: who is there, and which rooms there are.
//!
//! Each change is told at once, as launchers are used to, as long as that costs little. A list costs its bytes for every
//! launcher, so it grows with the square of what is in it: beyond [`LISTS`] a changed list waits for the next interval, and
//! goes out once for all that has changed until then.

use serde::{Deserialize, Serialize};

use super::{
    Timer, VcmiTurn,
    lobby::Lobby,
    message,
    room::Room,
    settings::LISTS,
    users::{EVERYBODY, MODERN, MODERN_USERS},
};
use crate::{Topic, rate::Meter};

/// How much was told of late, and what is still to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Lists {
    spent: Meter,
    /// The rooms have changed since everybody was told.
    rooms: bool,
    /// The users have changed since all who hear of it were told: those of version 4 and up, also before they have signed
    /// in if somebody has come.
    users: Option<Topic>,
    /// A timer is set.
    armed: bool,
}

impl Lists {
    fn is_due(&self) -> bool {
        self.rooms || self.users.is_some()
    }
}

impl Lobby {
    /// The list of users.
    pub(super) fn users_text(&self) -> String {
        let names: Vec<&str> = self.signed_in().map(|user| user.name.as_str()).collect();
        message::users(names.into_iter())
    }

    /// The list of rooms.
    pub(super) fn sessions_text(&self) -> String {
        message::sessions(self.rooms.values().map(Room::line))
    }

    /// The rooms have changed: everybody is told.
    pub(super) fn spread_sessions(&mut self) {
        self.lists.rooms = true;
        self.tell_lists_if_cheap();
    }

    /// Somebody has gone: users of today's launchers are told who is there.
    pub(super) fn spread_users(&mut self) {
        self.lists.users.get_or_insert(MODERN_USERS);
        self.tell_lists_if_cheap();
    }

    /// Somebody has come: the same, and those who have not signed in are told as well.
    pub(super) fn spread_newcomer(&mut self) {
        self.lists.users = Some(MODERN);
        self.tell_lists_if_cheap();
    }

    fn tell_lists_if_cheap(&mut self) {
        if self.lists.spent.wait(self.now, LISTS).is_some() {
            self.metrics.lists_deferred.up();
        } else {
            self.tell_lists();
        }
    }

    /// Everybody is told what has changed.
    fn tell_lists(&mut self) {
        if std::mem::take(&mut self.lists.rooms) {
            let text = self.sessions_text();
            self.tell_list(EVERYBODY, text);
        }
        if let Some(topic) = self.lists.users.take() {
            let text = self.users_text();
            self.tell_list(topic, text);
        }
    }

    fn tell_list(&mut self, topic: Topic, text: String) {
        let bytes = text.len() * self.users.len();
        self.lists.spent.charge(self.now, bytes as u64, LISTS);
        self.spread(topic, text);
    }

    /// Sees to it that what is still to be told is told.
    pub(super) fn arm_lists(&mut self, turn: &mut VcmiTurn<'_>) {
        if self.lists.is_due() && !std::mem::replace(&mut self.lists.armed, true) {
            turn.wake_at(turn.now.mono + self.settings.list_interval, Timer::Lists);
        }
    }

    /// The interval is over.
    pub(super) fn lists_due(&mut self) {
        self.lists.armed = false;
        self.tell_lists();
    }
}
