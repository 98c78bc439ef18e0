//! A rating: what is believed of a player's skill, and how sure that is.

use serde::{Deserialize, Serialize};

/// Leaderboard that everybody has.
pub(in crate::faf) const GLOBAL: &str = "global";
/// The other one.
pub(in crate::faf) const LADDER: &str = "ladder_1v1";

/// Deviations a displayed rating lies below the mean.
const CAUTION: f64 = 3.0;
/// A rating that is carried over to another leaderboard is less sure by this much (spec: faf-ratings-results 6) …
const CARRIED_DOUBT: f64 = 150.0;
/// … but not less sure than this.
const CARRIED_DEVIATION_MAX: f64 = 250.0;

/// Mean and deviation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// The most likely skill.
    pub mean: f64,
    /// How far off that may be.
    pub deviation: f64,
}

impl Rating {
    /// Of somebody of whom nothing is known, unless the operator says otherwise (`START_RATING_MEAN`, `_DEV`).
    pub const START: Rating = Rating {
        mean: 1500.0,
        deviation: 500.0,
    };

    /// What players are shown: very likely not too high.
    pub fn displayed(self) -> f64 {
        self.mean - CAUTION * self.deviation
    }

    /// Where its owner begins in a leaderboard that takes its newcomers' ratings from this one's.
    pub(in crate::faf) fn carried_over(self) -> Rating {
        if self.deviation > CARRIED_DEVIATION_MAX {
            return self;
        }
        Rating {
            mean: self.mean,
            deviation: (self.deviation + CARRIED_DOUBT).min(CARRIED_DEVIATION_MAX),
        }
    }
}
