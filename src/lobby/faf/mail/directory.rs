//! What changed of what everybody may see.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::faf::rules::visibility::Rule;

/// What changed at one shard.
#[derive(Debug, Serialize, Deserialize)]
pub struct Changes {
    /// Number of the tick: the same moment on all shards.
    pub tick: u64,
    /// Players that came, went or changed.
    pub players: Vec<PlayerUpdate>,
    /// Games that came, went or changed.
    pub games: Vec<GameUpdate>,
    /// From the coordinator: `matchmaker_info` with the queues that changed.
    pub queues: Option<Bytes>,
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
