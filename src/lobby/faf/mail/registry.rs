//! What a player's home shard is told.

use serde::{Deserialize, Serialize};

use crate::ConnId;

/// To the shard that keeps a player's claim.
#[derive(Debug, Serialize, Deserialize)]
pub enum RegistryMail {
    /// This connection has signed in as the player.
    Claim {
        /// Account id of the player (`login.id`).
        player_id: u32,
        /// Their connection.
        conn: ConnId,
    },
    /// That connection is no longer the player's.
    Unclaim {
        /// Account id of the player (`login.id`).
        player_id: u32,
        /// Their former connection.
        conn: ConnId,
        /// It was lost while they were playing: they may want to come back.
        was_playing: bool,
    },
}
