//! A game, on the shard that owns it: its host's.

pub(in crate::faf) mod info;
pub(in crate::faf) mod launching;
pub(in crate::faf) mod reports;
pub(in crate::faf) mod state;
