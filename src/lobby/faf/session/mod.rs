//! A player's side of everything, on the shard of their connection.

pub(in crate::faf) mod admin;
pub(in crate::faf) mod avatars;
pub(in crate::faf) mod catalogue;
pub(in crate::faf) mod dispatch;
pub(in crate::faf) mod gpgnet;
pub(in crate::faf) mod hosting;
pub(in crate::faf) mod joining;
pub(in crate::faf) mod login;
pub(in crate::faf) mod parties;
pub(in crate::faf) mod player;
pub(in crate::faf) mod searching;
pub(in crate::faf) mod social;
pub(in crate::faf) mod table;
