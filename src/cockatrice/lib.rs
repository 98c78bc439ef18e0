//! Cockatrice's messages, and its card table as pure rules.
//!
//! Nothing here knows a connection, a room, a clock or a shard: `lobby::cockatrice` does.

pub mod accounts;
mod art;
pub mod deck;
pub mod flood;
pub mod game;
pub mod messages;
pub mod rooms;
pub mod settings_ini;
pub mod text;
