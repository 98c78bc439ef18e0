//! What the lobby speaks of: plain data that more than one role names. Nothing here belongs to a role or does anything.

pub(in crate::faf) mod account;
pub(in crate::faf) mod factions;
pub(in crate::faf) mod game;
pub(in crate::faf) mod limits;
pub(in crate::faf) mod options;
pub(in crate::faf) mod pace;
pub(in crate::faf) mod player_state;
pub(in crate::faf) mod pools;
pub mod ratings;
pub mod reference;
pub(in crate::faf) mod seat;
pub(in crate::faf) mod time;
