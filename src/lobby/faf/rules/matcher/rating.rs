//! Ratings in matchmaking: newbies, the quality of a match, and what a search accepts (spec: faf-matchmaking 3).

use serde::{Deserialize, Serialize};

use super::Search;

/// How much a player's performance varies around their skill, for the quality of a match (spec: faf-matchmaking 3.5).
const BETA: f64 = 240.0;

/// Share of its quality against itself that a search asks for at first (spec: faf-matchmaking 3.6).
const FIRST_THRESHOLD: f64 = 0.8;

/// A player's rating of one kind, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// Mean of the skill, as TrueSkill has it.
    pub mean: f64,
    /// How uncertain the mean is, as a standard deviation.
    pub deviation: f64,
    /// Games of this kind.
    pub games: u32,
}

/// How quickly a search takes less good matches: per failed attempt, and at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expansion {
    /// Per failed attempt.
    pub step: f64,
    /// In all.
    pub max: f64,
}

/// The matchmaker's numbers (spec: faf-lifecycle 16).
#[derive(Clone, Debug, PartialEq)]
pub struct Tuning {
    /// Mean a player without games is treated as having.
    pub newbie_base_mean: f64,
    /// Up to this many games a player is a newbie.
    pub newbie_min_games: u32,
    /// Displayed rating from which a player is high rated.
    pub high_rated_min_rating: f64,
    /// Displayed rating from which a player is a top player.
    pub top_player_min_rating: f64,
    /// Of ordinary searches.
    pub expansion: Expansion,
    /// Of searches with a newbie.
    pub newbie_expansion: Expansion,
    /// Of searches with a top player.
    pub top_player_expansion: Expansion,
    /// Team games below this are not made.
    pub minimum_game_quality: f64,
    /// Difference of the teams' summed ratings that costs a whole point of quality.
    pub maximum_rating_imbalance: f64,
    /// Deviation among the ratings of a game that costs a whole point of quality.
    pub maximum_rating_deviation: f64,
    /// Per failed attempt of a search that would fill a team.
    pub time_bonus: f64,
    /// At most.
    pub maximum_time_bonus: f64,
    /// The same for its newbies.
    pub newbie_time_bonus: f64,
    /// At most.
    pub maximum_newbie_time_bonus: f64,
    /// For players far from the queue's rating peak.
    pub minority_bonus: f64,
    /// How far is far.
    pub minority_bonus_rating_range: f64,
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            newbie_base_mean: 500.0,
            newbie_min_games: 10,
            high_rated_min_rating: 1400.0,
            top_player_min_rating: 2000.0,
            expansion: Expansion {
                step: 0.05,
                max: 0.25,
            },
            newbie_expansion: Expansion {
                step: 0.10,
                max: 0.60,
            },
            top_player_expansion: Expansion {
                step: 0.15,
                max: 0.30,
            },
            minimum_game_quality: 0.4,
            maximum_rating_imbalance: 250.0,
            maximum_rating_deviation: 250.0,
            time_bonus: 0.01,
            maximum_time_bonus: 0.2,
            newbie_time_bonus: 0.25,
            maximum_newbie_time_bonus: 3.0,
            minority_bonus: 1.0,
            minority_bonus_rating_range: 1250.0,
        }
    }
}

impl Rating {
    /// Mean less three deviations.
    pub fn displayed(&self) -> f64 {
        self.mean - 3.0 * self.deviation
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
        let expansion = if self.best_displayed() >= tuning.top_player_min_rating {
            tuning.top_player_expansion
        } else if self.newbies(tuning) > 0 {
            tuning.newbie_expansion
        } else {
            tuning.expansion
        };
        let expanded = (expansion.step * f64::from(self.failed_attempts)).min(expansion.max);
        (FIRST_THRESHOLD * quality(side, side) - expanded).max(0.0)
    }
}
