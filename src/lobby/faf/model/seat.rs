//! Names of relations, never used again: one login of one player, and one player's place in one game. What is said in
//! the name of one that has ended finds nothing and does no harm.

use serde::{Deserialize, Serialize};

use crate::ConnId;

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
