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

settings::settings! {
    /// What an operator may choose about matchmaking (spec: faf-lifecycle 16).
    #[derive(Clone, Debug, PartialEq)]
    pub struct MatchmakingSettings {
        /// When queues pop.
        pop: PopRules;
        /// The matcher's numbers.
        tuning: Tuning;
        /// Which displayed rating of a match decides about its map pool.
        map_pool_rating_selection: RatingSelection
            = "matchmaking.map_pool_rating_selection", word(RatingSelection::WORDS), "mean", live;
        /// How maps that were played lately are avoided.
        anti_repetition: AntiRepetition;
        /// Who may not search for a while.
        violations: ViolationRules;
        /// Time for the host of a match to open its game, and for any of its players' games to come up.
        setup: Duration = "matchmaking.setup_s", decimal(1, 3600), "60", unit("s"), live;
        /// Added to it for each guest, it is the time from then until the launch.
        setup_per_guest: Duration = "matchmaking.setup_per_guest_s", decimal(0, 3600), "10", unit("s"), live;
    }
}
