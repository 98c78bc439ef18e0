//! Matchmaking: from a search in a queue to a game (spec: faf-matchmaking).
//!
//! | file | concept |
//! |---|---|
//! | `pools`, `maps`, `vetoes` | queues and map pools as the database has them; which map a match plays; what players don't want to play |
//! | `pop_timer` | when a queue pops |
//! | `lineup` | a match's name, and who stands where |
//! | `violations` | who let matches fail, and may not search for a while |
//!
//! Who plays against whom is next door, in `matcher`.

#![cfg_attr(not(test), expect(dead_code, reason = "until queues pop"))]

mod lineup;
mod maps;
mod pools;
mod pop_timer;
mod vetoes;
mod violations;

pub use maps::AntiRepetition;
pub use pools::{
    Bracket, Generated, MapPool, PoolEntry, PoolMap, QueueSetup, RatingSelection, VetoRules,
};
pub use pop_timer::PopRules;
pub use vetoes::Veto;
pub use violations::ViolationRules;
