//! A game, and who sits at its table.

use std::collections::BTreeMap;

use cockatrice::game::{Game, ParticipantId};
use serde::{Deserialize, Serialize};

use super::lists::Lists;
use crate::ConnId;

/// A game and the connections of those who are in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) room: u32,
    pub(crate) game: Game,
    pub(crate) seats: BTreeMap<ParticipantId, Seat>,
    /// Whom its creator has on their lists.
    pub(crate) lists: Lists,
    /// Seconds that its rounds lasted, of which there are replays.
    pub(crate) replays: Vec<u32>,
}

/// A participant's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) conn: ConnId,
    /// Ticks since something came from it.
    pub(crate) silent: i32,
}

impl Table {
    /// Which participant a connection is.
    pub(crate) fn participant(&self, conn: ConnId) -> Option<ParticipantId> {
        let seat = self.seats.iter().find(|(_, seat)| seat.conn == conn);
        seat.map(|(&id, _)| id)
    }
}
