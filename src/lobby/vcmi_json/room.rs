//! A room as the lobby keeps it, from the sign-in of its match server to the end of that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    protocol::{
        Mod,
        outgoing::{self, RoomView},
    },
    questions::{Match, Status},
};
use crate::ConnId;

/// Which room, in order of creation. Never reused.
pub(super) type RoomNumber = u64;

/// An account, there or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) name: String,
}

impl Person {
    fn shown(&self) -> outgoing::Person<'_> {
        outgoing::Person {
            id: &self.id,
            name: &self.name,
        }
    }
}

/// A match server's connection for a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) conn: ConnId,
    /// Heartbeats count from then.
    pub(super) accepted: Duration,
    pub(super) guest: String,
}

/// A room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Room {
    pub(super) id: String,
    pub(super) host: Person,
    /// Its match server's connection.
    pub(super) control: ConnId,
    pub(super) version: String,
    pub(super) mods: Vec<Mod>,
    pub(super) description: String,
    pub(super) status: Status,
    pub(super) player_limit: u32,
    /// When it was made, in Unix seconds.
    pub(super) made_s: u64,
    pub(super) participants: Vec<Person>,
    pub(super) invited: Vec<Person>,
    /// In the order in which they came.
    pub(super) waiting: Vec<Waiting>,
}

impl Room {
    pub(super) fn is_participant(&self, account: &str) -> bool {
        self.participants.iter().any(|one| one.id == account)
    }

    pub(super) fn is_invited(&self, account: &str) -> bool {
        self.invited.iter().any(|one| one.id == account)
    }

    /// As a member of lists.
    pub(super) fn write(&self, out: &mut String, now_s: u64) {
        let view = RoomView {
            id: &self.id,
            host: self.host.shown(),
            description: &self.description,
            version: &self.version,
            status: self.status.word(),
            player_limit: self.player_limit,
            age_s: now_s.saturating_sub(self.made_s),
            participants: self.participants.iter().map(Person::shown),
            invited: self.invited.iter().map(Person::shown),
            mods: &self.mods,
        };
        outgoing::room(out, view);
    }
}

/// A finished match as a member of a history: version, invitations and mods are not told (spec: vcmi-lobby2 5.11).
pub(super) fn write_match(out: &mut String, one: &Match, now_s: u64) {
    let view = RoomView {
        id: &one.room,
        host: outgoing::Person {
            id: &one.host.0,
            name: &one.host.1,
        },
        description: &one.description,
        version: "",
        status: Status::Closed.word(),
        player_limit: one.player_limit,
        age_s: now_s.saturating_sub(one.at),
        participants: (one.participants.iter()).map(|(id, name)| outgoing::Person { id, name }),
        invited: [],
        mods: &[],
    };
    outgoing::room(out, view);
}
