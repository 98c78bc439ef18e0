//! What comes in from clients and how it is read (`incoming`); what goes out to them and to the broker, with its names on the wire.

pub mod events;
pub(in crate::faf) mod game_info;
pub(in crate::faf) mod incoming;
pub(in crate::faf) mod lists;
pub(in crate::faf) mod matchmaking;
pub(in crate::faf) mod message;
pub(in crate::faf) mod player_info;
pub(in crate::faf) mod request;
pub(in crate::faf) mod size;
pub(in crate::faf) mod text;
