//! The rules: pure functions of what they are given, with the vectors of the specification.

pub mod achievements;
pub mod matcher;
pub mod matchmaking;
pub mod rated_game;
pub mod results;
pub(in crate::faf) mod trueskill;
pub mod validity;
pub(in crate::faf) mod visibility;
pub(in crate::faf) mod votes;
