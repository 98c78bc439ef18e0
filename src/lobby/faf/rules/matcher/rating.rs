//! Ratings in matchmaking: newbies, the quality of a match, and what a search accepts (spec: faf-matchmaking 3).

use serde::{Deserialize, Serialize};

use super::Search;
use crate::faf::model::ratings;

/// How much a player's performance varies around their skill, for the quality of a match (spec: faf-matchmaking 3.5).
const BETA: f64 = 240.0;

/// Share of its quality against itself that a search asks for at first (spec: faf-matchmaking 3.6).
const FIRST_THRESHOLD: f64 = 0.8;

/// A player's rating of one kind, as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// Mean of the skill, as TrueSkill has it.
    pub mean: f64,
    /// How uncertain the mean is, as a standard deviation.
    pub deviation: f64,
    /// Games of this kind.
    pub games: u32,
}

settings::settings! {
    /// The matchmaker's numbers (spec: faf-lifecycle 16).
    #[derive(Clone, Debug, PartialEq)]
    pub struct Tuning {
        /// Mean that a player without games is treated as having in matches of two. It becomes their own game by game.
        newbie_base_mean: f64 = "matchmaking.newbie_base_mean", decimal(-10_000, 10_000), "500", live;
        /// Up to so many games a player is a newbie.
        newbie_min_games: u32 = "matchmaking.newbie_min_games", number(0, 1_000_000), "10", unit("games"), live;
        /// Displayed rating from which a player is high rated: newbies get no bonus in their team games.
        high_rated_min_rating: f64 = "matchmaking.high_rated_min_rating", decimal(-10_000, 10_000), "1400", live;
        /// Displayed rating from which a search widens like that of a top player.
        top_player_min_rating: f64 = "matchmaking.top_player_min_rating", decimal(-10_000, 10_000), "2000", live;
        /// By how much a search accepts less good matches of two after each pop without a match.
        expansion_step: f64 = "matchmaking.expansion_step", decimal(0, 1), "0.05", live;
        /// At most so much less.
        expansion_max: f64 = "matchmaking.expansion_max", decimal(0, 1), "0.25", live;
        /// The same for searches with a newbie.
        newbie_expansion_step: f64 = "matchmaking.newbie_expansion_step", decimal(0, 1), "0.1", live;
        /// At most so much less.
        newbie_expansion_max: f64 = "matchmaking.newbie_expansion_max", decimal(0, 1), "0.6", live;
        /// The same for searches with a top player.
        top_player_expansion_step: f64 = "matchmaking.top_player_expansion_step", decimal(0, 1), "0.15", live;
        /// At most so much less.
        top_player_expansion_max: f64 = "matchmaking.top_player_expansion_max", decimal(0, 1), "0.3", live;
        /// Team games below this quality are not made.
        minimum_game_quality: f64 = "matchmaking.minimum_game_quality", decimal(-1000, 1000), "0.4", live;
        /// Difference of the teams' summed ratings that costs a whole point of a team game's quality.
        maximum_rating_imbalance: f64 = "matchmaking.maximum_rating_imbalance", decimal(1, 100_000), "250", live;
        /// Deviation among the ratings of a team game that costs a whole point of its quality.
        maximum_rating_deviation: f64 = "matchmaking.maximum_rating_deviation", decimal(1, 100_000), "250", live;
        /// Bonus to the quality of a team game for each pop a search has waited, if it would fill a team.
        time_bonus: f64 = "matchmaking.time_bonus", decimal(0, 1000), "0.01", live;
        /// At most so much.
        maximum_time_bonus: f64 = "matchmaking.maximum_time_bonus", decimal(0, 1000), "0.2", live;
        /// The same bonus for newbies, in games without a high rated player.
        newbie_time_bonus: f64 = "matchmaking.newbie_time_bonus", decimal(0, 1000), "0.25", live;
        /// At most so much.
        maximum_newbie_time_bonus: f64 = "matchmaking.maximum_newbie_time_bonus", decimal(0, 1000), "3", live;
        /// Bonus to the quality of a team game of players far from most others' ratings.
        minority_bonus: f64 = "matchmaking.minority_bonus", decimal(0, 1000), "1", live;
        /// How far that is.
        minority_bonus_rating_range: f64 = "matchmaking.minority_bonus_rating_range", decimal(1, 100_000), "1250", live;
    }
}

impl Rating {
    /// What players are shown of it.
    pub fn displayed(&self) -> f64 {
        let Rating {
            mean, deviation, ..
        } = *self;
        ratings::Rating { mean, deviation }.displayed()
    }

    /// Whether the player has so few games that their mean is not yet believed.
    pub fn is_newbie(&self, tuning: &Tuning) -> bool {
        self.games <= tuning.newbie_min_games
    }

    /// The rating used for pairs: a newbie's mean starts low and becomes their own game by game.
    pub fn matching(&self, tuning: &Tuning) -> Rating {
        let all = f64::from(tuning.newbie_min_games);
        if !self.is_newbie(tuning) || all == 0.0 {
            return *self;
        }
        let games = f64::from(self.games);
        let mean = ((all - games) * tuning.newbie_base_mean + games * self.mean) / all;
        Rating { mean, ..*self }
    }
}

/// One team of a match, as far as its quality goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Side {
    players: f64,
    mean: f64,
    variance: f64,
}

impl Side {
    /// Of these matching ratings.
    pub fn of(ratings: impl IntoIterator<Item = Rating>) -> Self {
        let none = Side {
            players: 0.0,
            mean: 0.0,
            variance: 0.0,
        };
        ratings.into_iter().fold(none, |sum, rating| Side {
            players: sum.players + 1.0,
            mean: sum.mean + rating.mean,
            variance: sum.variance + rating.deviation * rating.deviation,
        })
    }
}

/// TrueSkill quality of a match between two teams with these matching ratings: the chance of a draw, relative to the
/// best there can be (Herbrich, Minka, Graepel: TrueSkill, NIPS 2006; spec: faf-matchmaking 3.5).
pub fn quality(one: Side, other: Side) -> f64 {
    let noise = (one.players + other.players) * (BETA * BETA);
    let all = noise + (one.variance + other.variance);
    let difference = one.mean - other.mean;
    (noise / all).sqrt() * (-(difference * difference) / (2.0 * all)).exp()
}

impl Search {
    /// Its matching ratings as one side of a match.
    pub fn side(&self, tuning: &Tuning) -> Side {
        Side::of(self.players.iter().map(|player| player.matching(tuning)))
    }

    /// How many of its players are newbies.
    pub fn newbies(&self, tuning: &Tuning) -> usize {
        self.players.iter().filter(|p| p.is_newbie(tuning)).count()
    }

    /// Its best displayed rating.
    pub fn best_displayed(&self) -> f64 {
        let displayed = self.players.iter().map(Rating::displayed);
        displayed.fold(f64::NEG_INFINITY, f64::max)
    }

    /// The least quality it accepts now (spec: faf-matchmaking 3.6).
    pub fn threshold(&self, tuning: &Tuning) -> f64 {
        let side = self.side(tuning);
        let (step, max) = if self.best_displayed() >= tuning.top_player_min_rating {
            (
                tuning.top_player_expansion_step,
                tuning.top_player_expansion_max,
            )
        } else if self.newbies(tuning) > 0 {
            (tuning.newbie_expansion_step, tuning.newbie_expansion_max)
        } else {
            (tuning.expansion_step, tuning.expansion_max)
        };
        let expanded = (step * f64::from(self.failed_attempts)).min(max);
        (FIRST_THRESHOLD * quality(side, side) - expanded).max(0.0)
    }
}
