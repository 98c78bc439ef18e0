//! A room: who is in it, and what was said.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use cockatrice::rooms::History;
use serde::{Deserialize, Serialize};

use super::directory::Listed;
use crate::{ConnId, ShardId};

/// What a room has to know of a game that another shard has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GameNews {
    pub(crate) game: u32,
    /// Which has it.
    pub(crate) shard: ShardId,
    /// Who has created it.
    pub(crate) creator: Box<str>,
    /// Who is in it.
    pub(crate) names: Vec<Box<str>>,
    /// Its full record.
    pub(crate) record: Bytes,
    /// It is over, and counts as nobody's.
    pub(crate) closing: bool,
}

/// A room of which not everybody has said who is in it, since the view has changed.
#[derive(Clone, Debug)]
pub(crate) struct Gathering {
    /// Who has not.
    pub(crate) missing: BTreeSet<ShardId>,
    /// It is new here: nobody in it is heard until it is whole.
    pub(crate) is_new: bool,
    /// How long that is waited for, of the monotonic clock.
    pub(crate) until: Duration,
}

/// A room's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Room {
    /// By name, the order in which lists show them.
    pub(crate) members: BTreeMap<Box<str>, Listed>,
    /// Which member a connection is.
    pub(crate) names: BTreeMap<ConnId, Box<str>>,
    /// How many members each shard has.
    pub(crate) shards: BTreeMap<ShardId, u32>,
    /// What was said, the oldest first.
    pub(crate) history: History,
    /// Its games.
    pub(crate) games: BTreeSet<u32>,
    /// Those of them that another shard has.
    #[serde(default)]
    pub(crate) foreign: BTreeMap<u32, GameNews>,
    /// The tick in which everybody was told last how many are in it.
    pub(crate) told_in: Option<u64>,
    /// How often in that tick.
    pub(crate) told: u32,
    /// They are more or fewer since.
    pub(crate) changed: bool,
}

impl Room {
    /// Nobody is in it, and it keeps so many lines.
    pub(crate) fn new(lines: usize) -> Self {
        Room {
            history: History::new(lines),
            ..Room::default()
        }
    }

    pub(crate) fn enter(&mut self, member: Listed) {
        *self.shards.entry(member.conn.shard).or_default() += 1;
        self.names.insert(member.conn, member.name.clone());
        self.members.insert(member.name.clone(), member);
    }

    /// Whoever the connection was in it.
    pub(crate) fn leave(&mut self, conn: ConnId) -> Option<Box<str>> {
        let name = self.names.remove(&conn)?;
        self.members.remove(&name);
        if let Some(count) = self.shards.get_mut(&conn.shard) {
            *count -= 1;
            if *count == 0 {
                self.shards.remove(&conn.shard);
            }
        }
        Some(name)
    }

    /// Members and games.
    pub(crate) fn counts(&self) -> (u32, u32) {
        (self.members.len() as u32, self.games.len() as u32)
    }
}
