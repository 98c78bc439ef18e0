//! Who sees which game (spec: faf-lifecycle 9).
//!
//! A game's owner sends its [`Rule`] along with its entry; every shard applies it to its own sessions at the moment of
//! a broadcast. A rule without exceptions costs nothing.

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

/// What decides about seeing one game.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The host's id.
    pub host_id: u32,
    /// Only the host's friends.
    pub friends_only: bool,
    /// The host's friends, if they matter.
    pub friends: ThinVec<u32>,
    /// The host's foes, if they matter.
    pub foes: ThinVec<u32>,
    /// Players connected in the game, in case of an exception.
    pub members: Vec<u32>,
    /// Displayed rating that is needed, if it is enforced.
    pub range: Option<RatingRange>,
}

/// Bounds of a displayed rating, inclusive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatingRange {
    /// Of which leaderboard.
    pub rating_type: Box<str>,
    /// Lowest rating that is let in; `None`: any.
    pub min: Option<f64>,
    /// Highest rating that is let in; `None`: any.
    pub max: Option<f64>,
}

impl RatingRange {
    /// Whether a displayed rating is inside.
    pub fn contains(&self, displayed: f64) -> bool {
        self.min.is_none_or(|min| displayed >= min) && self.max.is_none_or(|max| displayed <= max)
    }
}

impl Rule {
    /// Whether everybody sees the game.
    pub fn is_open(&self) -> bool {
        !self.friends_only && self.foes.is_empty() && self.range.is_none()
    }

    /// Whether a player sees the game; `displayed` gives their rating of a type.
    pub fn admits(&self, player_id: u32, displayed: impl Fn(&str) -> f64) -> bool {
        if player_id == self.host_id || self.members.contains(&player_id) {
            return true;
        }
        if self
            .range
            .as_ref()
            .is_some_and(|range| !range.contains(displayed(&range.rating_type)))
        {
            return false;
        }
        if self.friends_only {
            self.friends.contains(&player_id)
        } else {
            !self.foes.contains(&player_id)
        }
    }
}
