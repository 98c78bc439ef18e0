//! What a player is doing.

use serde::{Deserialize, Serialize};

/// What a player is doing (spec: faf-lifecycle 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlayerState {
    /// In no game and no queue.
    #[default]
    Idle,
    /// In a game that was launched.
    Playing,
    /// In the lobby of their own game.
    Hosting,
    /// In somebody's lobby.
    Joining,
    /// In a queue.
    SearchingLadder,
    /// A match was found for them.
    StartingAutomatch,
    /// Their game is being started.
    StartingGame,
}

impl PlayerState {
    /// The name players are told.
    pub(in crate::faf) fn name(self) -> &'static str {
        match self {
            PlayerState::Idle => "IDLE",
            PlayerState::Playing => "PLAYING",
            PlayerState::Hosting => "HOSTING",
            PlayerState::Joining => "JOINING",
            PlayerState::SearchingLadder => "SEARCHING_LADDER",
            PlayerState::StartingAutomatch => "STARTING_AUTOMATCH",
            PlayerState::StartingGame => "STARTING_GAME",
        }
    }
}
