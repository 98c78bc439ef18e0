//! Names of relations, never used again: one login of one player, and one player's place in one game. What is said in
//! the name of one that has ended finds nothing and does no harm.

use serde::{Deserialize, Serialize};

use crate::{ConnId, ShardId};

/// One login of one player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginId {
    /// Account id of the player (`login.id`).
    pub player_id: u32,
    /// Where they are.
    pub conn: ConnId,
    /// Of their claim.
    pub epoch: u64,
}

/// Which shard has a launched game. The largest one holds: two nodes that knew different others may have gone on with a game of
/// a lost one, and then one of them gives it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::faf) struct Ownership {
    /// Grows with each shard that goes on with the game.
    pub epoch: u32,
    /// The shard.
    pub owner: ShardId,
}

/// One player's relation to one game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seat {
    /// Uid of the game (`game_stats.id`).
    pub uid: u32,
    /// The player.
    pub player_id: u32,
    /// Where they are.
    pub conn: ConnId,
    /// Tells apart the relations one connection has had.
    pub serial: u32,
}
