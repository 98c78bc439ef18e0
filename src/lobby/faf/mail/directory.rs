//! What changed of what everybody may see.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{ConnId, faf::rules::visibility::Rule};

/// To a shard's replica of what everybody may see.
#[derive(Debug, Serialize, Deserialize)]
pub enum DirectoryMail {
    /// A player can be reached.
    PlayerHere {
        /// Account id of the player (`login.id`).
        id: u32,
        /// Their connection.
        conn: ConnId,
        /// Of their claim.
        epoch: u64,
        /// Their object: who signs in elsewhere before the next tick is told of them too.
        text: Bytes,
    },
    /// What is told of a player has changed. Newcomers on the receiving shard see it at once; everybody else with the tick,
    /// if the player is among its changes.
    PlayerText {
        /// Account id of the player (`login.id`).
        id: u32,
        /// Of their claim.
        epoch: u64,
        /// Their object.
        text: Bytes,
    },
    /// A player can't be reached any more.
    PlayerGone {
        /// Account id of the player (`login.id`).
        id: u32,
        /// Of their claim.
        epoch: u64,
    },
    /// The sender owns a new game.
    GameHere {
        /// Uid of the game (`game_stats.id`).
        uid: u32,
    },
    /// A game as it is now. Newcomers here see it at once, everybody else with the tick, if it is among its changes.
    GameText(GameUpdate),
    /// What has changed at the sender since its last tick.
    Dirty(Box<Changes>),
    /// To the sender's other shards of its node: players of its as they stand one after the other. Whose objects are the same
    /// there is what all of them keep.
    Block(PlayerBlock),
    /// To a node's every shard: the sender's players in a range of ids, of which it has no others.
    Players {
        /// Account id, the first of the range.
        from: u32,
        /// Account id, the last of the range.
        to: u32,
        /// Everybody in it.
        players: Vec<PlayerShown>,
    },
    /// To a node's every shard: the sender's games in a range of uids, of which it has no others.
    Games {
        /// Uid, the first of the range.
        from: u32,
        /// Uid, the last of the range.
        to: u32,
        /// All that are in it.
        games: Vec<GameUpdate>,
    },
    /// From one shard of that node: the next range may come.
    Got(Shown),
    /// To all other nodes: what the sender has shown them so far, in short.
    Digest(Digest),
    /// What the receiver has shown is not what the sender knows: it is to be shown again.
    ShowAgain,
}

/// A block of a shard's players, and their objects with commas between them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlayerBlock {
    /// Which of the shard's blocks.
    pub number: u32,
    /// Account ids, in the order in which they stand.
    pub players: Vec<u32>,
    /// Their objects.
    pub whole: Bytes,
    /// Where each object ends.
    pub ends: Arc<[u32]>,
}

impl PlayerBlock {
    /// Whether it has an object of each.
    pub(in crate::faf) fn is_sound(&self) -> bool {
        let is_whole = self.ends.last().map(|&end| end as usize) == Some(self.whole.len());
        is_whole && self.ends.is_sorted_by(|a, b| a < b) && self.ends.len() == self.players.len()
    }

    /// One of the objects.
    pub(in crate::faf) fn object(&self, at: usize) -> &[u8] {
        &self.whole[object(&self.ends, at)]
    }
}

/// Where one of the objects is that end there and have commas between them.
pub(in crate::faf) fn object(ends: &[u32], at: usize) -> Range<usize> {
    let before = at.checked_sub(1).map(|before| ends[before] as usize + 1);
    before.unwrap_or(0)..ends[at] as usize
}

/// The end of a range that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shown {
    /// Players up to this id.
    Players(u32),
    /// Games up to this uid.
    Games(u32),
}

/// A player as their owner shows them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlayerShown {
    /// Account id of the player (`login.id`).
    pub id: u32,
    /// Their connection.
    pub conn: ConnId,
    /// Of their claim.
    pub epoch: u64,
    /// Their object.
    pub text: Bytes,
}

/// What one shard has shown to all others: how many, and a sum over them.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Its players.
    pub players: (u32, u64),
    /// Its games without those that are told later.
    pub games: (u32, u64),
    /// Uids of games whose newest state is told later.
    pub later: Vec<u32>,
}

/// What changed at one shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Changes {
    /// Number of the tick: the same moment on all shards.
    pub tick: u64,
    /// Players that came, went or changed.
    pub players: Vec<PlayerUpdate>,
    /// Games that came, went or changed.
    pub games: Vec<GameUpdate>,
    /// From the coordinator: `matchmaker_info` with the queues that changed.
    pub queues: Option<Bytes>,
    /// More of the same tick follows.
    #[serde(default)]
    pub continues: bool,
}

/// A player's newest entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlayerUpdate {
    /// Account id of the player (`login.id`).
    pub id: u32,
    /// Of their claim.
    pub epoch: u64,
    /// Whether they are still there.
    pub online: bool,
    /// Their object in `player_info`.
    pub text: Bytes,
}

/// A game's newest entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GameUpdate {
    /// Uid of the game (`game_stats.id`).
    pub uid: u32,
    /// Whether it belongs in the list a newcomer gets.
    pub listed: bool,
    /// Whether this is its last entry.
    pub ended: bool,
    /// Who sees it.
    pub rule: Rule,
    /// The single form of `game_info`.
    pub body: Bytes,
}
