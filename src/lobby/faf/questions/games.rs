//! What a game needs before somebody gets into it.

use std::net::IpAddr;

use crate::{
    faf::model::account::Ban,
    question::{Question, StoreFailure},
};

/// May this player host, and if `create` is given, the next game id and the map (spec: faf-messages 3.7).
#[derive(Clone, Debug)]
pub struct Host {
    /// Account id of the player this is about.
    pub player_id: u32,
    /// Map folder name, lower-case; `None` if the request is refused for another reason than a ban.
    pub create: Option<String>,
}

impl Question for Host {
    type Answer = Result<HostGrant, StoreFailure>;
}

/// May host.
#[derive(Clone, Debug, Default)]
pub struct HostGrant {
    /// If set, nothing else is.
    pub ban: Option<Ban>,
    /// The number for the new game, if one was asked for: one more than the last (spec: faf-lifecycle 11).
    pub game_id: Option<u32>,
    /// The map's row, if it is in the vault.
    pub map: Option<Map>,
}

/// A row of `map_version`.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// `map_version.id`.
    pub id: u32,
    /// Whether games on it count.
    pub ranked: bool,
}

/// May this player join; the attempt is logged, whether or not there is such a game (spec: faf-messages 3.8, N#1048;
/// faf-newer R7).
#[derive(Clone, Debug)]
pub struct Join {
    /// Account id of the player this is about.
    pub player_id: u32,
    /// The game they name, if its number is one that a game may have.
    pub game_id: Option<u32>,
    /// The joiner's address.
    pub address: IpAddr,
}

impl Question for Join {
    type Answer = Result<Option<Ban>, StoreFailure>;
}

/// Display names of sim mods (spec: faf-messages 4.3), by their uids.
#[derive(Clone, Debug)]
pub struct ModNames(pub Vec<String>);

impl Question for ModNames {
    /// (uid, name) of those that exist.
    type Answer = Result<Vec<(String, String)>, StoreFailure>;
}
