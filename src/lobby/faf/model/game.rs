//! What is said about a game when it is made, and how it is launched.

use serde::{Deserialize, Serialize};

use crate::faf::model::options::OptionValue;

/// Kind of a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GameType {
    /// Hosted by hand.
    Custom,
    /// A campaign mission.
    Coop,
    /// Made by the matchmaker.
    Matchmaker,
}

impl GameType {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            GameType::Custom => "custom",
            GameType::Coop => "coop",
            GameType::Matchmaker => "matchmaker",
        }
    }
}

/// What is said about a game at its creation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Creation {
    /// Title, already trimmed and cut.
    pub title: Box<str>,
    /// Featured mod.
    pub featured_mod: Box<str>,
    /// Folder of the map, which is its name in the vault.
    pub folder: Box<str>,
    /// Only for friends.
    pub friends_only: bool,
    /// Password.
    pub password: Option<String>,
    /// Displayed rating, from.
    pub rating_min: Option<f64>,
    /// Displayed rating, to.
    pub rating_max: Option<f64>,
    /// Whether others don't see it.
    pub enforce_rating_range: bool,
}

/// How to launch a game that was joined.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Launch {
    /// Featured mod.
    pub featured_mod: Box<str>,
    /// Title that the host has chosen.
    pub title: Box<str>,
    /// Custom, coop or matchmaker: rules about the end differ.
    pub game_type: GameType,
    /// Technical name of the leaderboard that the game is rated in.
    pub rating_type: Box<str>,
    /// What a match adds.
    pub matched: Option<Box<MatchLaunch>>,
}

/// What a match adds to the order to launch a game (spec: faf-messages 5.7).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatchLaunch {
    /// Folder of the map, which is its name in the vault.
    pub mapname: Box<str>,
    /// 2 or 3.
    pub team: u32,
    /// 1 to 5.
    pub faction: u8,
    /// How many play.
    pub expected_players: usize,
    /// Start spot, from 1.
    pub map_position: u32,
    /// The map's entry in its pool.
    pub map_pool_map_version_id: u32,
    /// Options the queue gives every game.
    pub game_options: Vec<(Box<str>, OptionValue)>,
}
