//! What the matchmaker leaves to the back office.

use crate::{
    faf::rules::matcher::{Proposal, Snapshot, Tuning},
    question::{Question, StoreFailure},
};

/// Who should play against whom (spec: faf-matchmaking 6, 7). No database: only work that takes its time.
#[derive(Clone, Debug)]
pub struct FindMatches {
    /// The queue as it popped.
    pub snapshot: Box<Snapshot>,
    /// The matchmaker's numbers.
    pub tuning: Box<Tuning>,
}

impl Question for FindMatches {
    /// `None`: it could not be worked out.
    type Answer = Option<Vec<Proposal>>;
}

/// A number for a match's game, and what its players have played lately (spec: faf-matchmaking 8.2, 9.3).
#[derive(Clone, Debug)]
pub struct PrepareMatch {
    /// `matchmaker_queue.id`.
    pub queue_id: u32,
    /// Account ids of the players.
    pub players: Vec<u32>,
    /// So many games of each player count.
    pub history: u32,
}

impl Question for PrepareMatch {
    type Answer = Result<MatchGrant, StoreFailure>;
}

/// What a match needs before it is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchGrant {
    /// The number for the new game.
    pub game_id: u32,
    /// Rows of `map_version`: each player's last games, newest first, one player after the other.
    pub history: Vec<u32>,
}
