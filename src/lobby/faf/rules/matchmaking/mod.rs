//! The rules of matchmaking (spec: faf-matchmaking). Who plays against whom is next door, in `matcher`.
//!
//! | file | concept |
//! |---|---|
//! | `maps`, `vetoes` | which map a match plays; what players don't want to play |
//! | `pop_timer`, `lineup`, `violations` | when a queue pops; a match's name, and who stands where; who let matches fail |

pub(in crate::faf) mod lineup;
pub(in crate::faf) mod maps;
pub(in crate::faf) mod pop_timer;
pub(in crate::faf) mod vetoes;
pub(in crate::faf) mod violations;

use std::time::Duration;

use crate::faf::rules::matcher::Tuning;

pub use self::{
    maps::AntiRepetition, pop_timer::PopRules, vetoes::Veto, violations::ViolationRules,
};

pub use crate::faf::model::pools::{
    Bracket, Generated, MapPool, PoolEntry, PoolMap, QueueSetup, RatingSelection, VetoRules,
};

/// What an operator may choose about matchmaking (spec: faf-lifecycle 16).
#[derive(Clone, Debug, PartialEq)]
pub struct MatchmakingSettings {
    /// The matcher's numbers.
    pub tuning: Tuning,
    /// When queues pop.
    pub pop: PopRules,
    /// Who may not search for a while.
    pub violations: ViolationRules,
    /// How maps that were played lately are avoided.
    pub anti_repetition: AntiRepetition,
    /// Which rating of a match decides about its map pool (`MAP_POOL_RATING_SELECTION`).
    pub map_pool_rating_selection: RatingSelection,
    /// Time for the host of a match to open its game, and for any player's game to come up.
    pub setup: Duration,
    /// Added to it for each guest, it is the time from then until the launch.
    pub setup_per_guest: Duration,
}

impl Default for MatchmakingSettings {
    fn default() -> Self {
        MatchmakingSettings {
            tuning: Tuning::default(),
            pop: PopRules::default(),
            violations: ViolationRules::default(),
            anti_repetition: AntiRepetition::default(),
            map_pool_rating_selection: RatingSelection::default(),
            setup: Duration::from_secs(60),
            setup_per_guest: Duration::from_secs(10),
        }
    }
}
