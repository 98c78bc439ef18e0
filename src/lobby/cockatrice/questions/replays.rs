//! Replays of games (spec: cockatrice-behaviour 12).

use super::{outcome::Outcome, who::Who};
use crate::question::{Lane, Question};

/// Something about replays.
#[derive(Clone, Debug)]
pub struct AskReplays {
    /// Who asks.
    pub who: Who,
    /// What.
    pub request: ReplayRequest,
}

impl Question for AskReplays {
    type Answer = Outcome;
    const LANE: Lane = Lane::Other;
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayRequest {
    /// The games they may see.
    List,
    /// A replay, by its id.
    Download(i32),
    /// Whether a game is never hidden.
    Modify {
        /// Which game.
        game: i32,
        /// Whether.
        do_not_hide: bool,
    },
    /// They no longer want to see a game.
    Delete(i32),
    /// The code by which others may see a game.
    GetCode(i32),
    /// They may see a game whose code they know.
    SubmitCode(Box<str>),
    /// A moderator may see a game.
    Grant {
        /// Which game.
        game: u32,
        /// The moderator's name.
        moderator: Box<str>,
    },
    /// The newest replay of a game, for a moderator.
    DownloadByGame(i32),
}
