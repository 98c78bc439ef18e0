//! A room as the lobby keeps it.

use serde::{Deserialize, Serialize};

use super::{message::RoomLine, mod_list::Mods};
use crate::ConnId;

/// Names a room; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct RoomId(pub(super) u64);

/// Somebody who has a seat.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Player {
    pub(super) conn: ConnId,
    pub(super) ready: bool,
}

/// A room.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Room {
    pub(super) name: String,
    pub(super) host: ConnId,
    /// In the order in which they came, the host first.
    pub(super) players: Vec<Player>,
    /// One until the host has said how many.
    pub(super) seats: usize,
    /// Empty: anybody may come in.
    pub(super) password: String,
    pub(super) mods: Mods,
    /// 0: a new game, 1: a loaded one.
    pub(super) mode: i64,
}

impl Room {
    pub(super) fn is_full(&self) -> bool {
        self.players.len() >= self.seats
    }

    pub(super) fn line(&self) -> RoomLine<'_> {
        RoomLine {
            name: &self.name,
            players: self.players.len(),
            seats: self.seats,
            protected: !self.password.is_empty(),
        }
    }
}
