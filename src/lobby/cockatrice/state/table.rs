//! A game, and who sits at its table.

use std::collections::BTreeMap;

use bytes::Bytes;
use cockatrice::game::{Game, ParticipantId};
use serde::{Deserialize, Serialize};

use super::{lists::Lists, session::Taking};
use crate::{ConnId, ShardId, cockatrice::questions::Recorded};

/// A game and the connections of those who are in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) room: u32,
    pub(crate) game: Game,
    pub(crate) seats: BTreeMap<ParticipantId, Seat>,
    /// Whom its creator has on their lists.
    pub(crate) lists: Lists,
    /// Replays of the rounds that are over.
    pub(crate) replays: Vec<Recorded>,
    /// What is on disk of the round that goes on.
    pub(crate) spilled: Spilled,
    /// It is over, and goes as soon as what is left of it is on disk: nobody can do anything in it any more.
    pub(crate) closing: bool,
}

/// What is on disk of a replay that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spilled {
    /// Bytes that are there.
    pub(crate) bytes: u64,
    /// What comes next, and is kept until it is there.
    pub(crate) next: Bytes,
    /// It is on its way.
    pub(crate) under_way: bool,
}

/// A participant's connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    pub(crate) conn: ConnId,
    /// Ticks since something came from it.
    pub(crate) silent: i32,
}

impl Seat {
    pub(crate) fn of(conn: ConnId) -> Seat {
        Seat { conn, silent: 0 }
    }
}

impl Table {
    /// What the connection of a participant is told of being one, of a game that this shard has.
    pub(crate) fn taking(&self, id: ParticipantId, shard: ShardId) -> Taking {
        Taking {
            room: self.room,
            shard,
            talks: self.game.may_talk(id),
            silence: 0,
        }
    }

    /// Which participant a connection is.
    pub(crate) fn participant(&self, conn: ConnId) -> Option<ParticipantId> {
        let seat = self.seats.iter().find(|(_, seat)| seat.conn == conn);
        seat.map(|(&id, _)| id)
    }
}
