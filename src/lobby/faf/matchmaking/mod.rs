//! Matchmaking: from a search in a queue to a game (spec: faf-matchmaking).
//!
//! | file | concept |
//! |---|---|
//! | `searching` | a player's side: what they ask for, and what their shard does at the coordinator's word |
//! | `queues` | the coordinator's queues and searches, as plain bookkeeping |
//! | `entering` | a party gets into a queue and out of it; who may not for a while |
//! | `popping` | queues come and go, pop, and are matched |
//! | `matches` | a match from being found to the opening of its game, and its end |
//! | `launching` | at the host's shard: a match's game until it is launched or has failed |
//! | `pools`, `maps`, `vetoes` | queues and map pools as the database has them; which map a match plays; what players don't want to play |
//! | `pop_timer`, `lineup`, `violations` | when a queue pops; a match's name, and who stands where; who let matches fail |
//! | `messages`, `metering` | what players are told; what is counted |
//!
//! Who plays against whom is next door, in `matcher`. Queues, searches, matches and violations are the coordinator's, on one
//! shard; a player's state is their shard's, a game its host's.

mod entering;
mod launching;
mod lineup;
mod maps;
mod matches;
mod messages;
mod metrics;
mod pools;
mod pop_timer;
mod popping;
mod queues;
mod searching;
mod vetoes;
mod violations;

use std::time::Duration;

pub(super) use launching::Launching;
pub use launching::{MatchLaunch, MatchPlayer, MatchSpec};
pub use maps::AntiRepetition;
pub(super) use matches::Preparing;
pub use matches::{Failure, MatchOutcome};
pub(super) use messages::matchmaker_event;
pub use pools::{
    Bracket, Generated, MapPool, PoolEntry, PoolMap, QueueSetup, RatingSelection, VetoRules,
};
pub use pop_timer::PopRules;
pub(super) use popping::Finding;
pub(super) use queues::Matchmaker;
pub use searching::{CannotSearch, CoordinatorEvent, Profile, SearchWanted};
pub use vetoes::Veto;
pub use violations::ViolationRules;

use super::matcher::Tuning;

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
