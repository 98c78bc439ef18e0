//! What a player's shard is told of them.

use serde::{Deserialize, Serialize};

/// Why a join came to nothing (spec: faf-messages 3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinRefusal {
    /// No such game.
    HostLeft,
    /// The host does not want them.
    Foe,
    /// Not in the lobby.
    NotReady,
    /// Made by the matchmaker.
    Matchmaker,
    /// Wrong password.
    BadPassword,
}

/// Why a restore came to nothing (spec: faf-messages 3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestoreRefusal {
    /// No such game.
    Gone,
    /// It is over.
    NotAvailable,
    /// They did not take part.
    NotPart,
}

/// What the coordinator tells a player's shard.
#[derive(Debug, Serialize, Deserialize)]
pub enum CoordinatorEvent {
    /// May they search? If so they do from now on.
    Reserve {
        /// Goes back with the answer.
        entry: u64,
        /// The queue's leaderboard, if there is such a queue.
        rating_type: Option<Box<str>>,
    },
    /// They search no more.
    Release,
    /// A match was found for them.
    Matched {
        /// Goes back with the answer.
        match_id: u64,
        /// The queue's name.
        queue: Box<str>,
        /// The queue's leaderboard.
        rating_type: Box<str>,
    },
    /// Their match came to nothing.
    MatchCancelled {
        /// Number of the match, at the coordinator.
        match_id: u64,
        /// Its game, if there was one.
        game_id: Option<u32>,
    },
}
