//! What a player's home shard is told.

use serde::{Deserialize, Serialize};

use crate::{ConnId, faf::topology::Era};

/// To the shard that keeps a player's claim.
#[derive(Debug, Serialize, Deserialize)]
pub enum RegistryMail {
    /// This connection has signed in as the player.
    Claim {
        /// Account id of the player (`login.id`).
        player_id: u32,
        /// Their connection.
        conn: ConnId,
        /// Under which that shard is their home.
        #[serde(default)]
        era: Era,
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
    /// Homes have moved, or something was lost on the way: which of the sender's players have theirs at the receiver.
    Claims(Claims),
}

/// Players of one shard whose home is another one.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Under which that is their home.
    pub era: Era,
    /// Account id, connection, and epoch of each claim; zero: it is not answered yet.
    pub claims: Vec<(u32, ConnId, u64)>,
    /// These are the last: the sender has no others there.
    pub is_last: bool,
}
