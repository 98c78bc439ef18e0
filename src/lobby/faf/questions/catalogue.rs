//! What players look up: coop missions and the mod vault (spec: faf-messages 3.16 and 3.17).

use crate::question::{Lane, Question, StoreFailure};

/// All coop missions.
#[derive(Clone, Debug)]
pub struct Missions;

impl Question for Missions {
    /// In the order of the table.
    type Answer = Result<Vec<Mission>, StoreFailure>;
    const LANE: Lane = Lane::Other;
}

/// A row of `coop_map`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mission {
    /// `coop_map.id`.
    pub id: u32,
    /// Which campaign it is of: 0 to 4 (spec: faf-messages 5.16).
    pub campaign: u8,
    /// Name, as players read it.
    pub name: String,
    /// Description, as players read it.
    pub description: String,
    /// `maps/….zip`; not every row has one.
    pub filename: Option<String>,
}

/// The mods that are liked best.
#[derive(Clone, Debug)]
pub struct VaultMods;

impl Question for VaultMods {
    /// Best liked first.
    type Answer = Result<Vec<VaultMod>, StoreFailure>;
    const LANE: Lane = Lane::Other;
}

/// A row of `table_mod`.
#[derive(Clone, Debug, PartialEq)]
pub struct VaultMod {
    /// Its name for programs.
    pub uid: String,
    /// Its name for people.
    pub name: String,
    /// Number of the version; a newer one has a higher number.
    pub version: i64,
    /// Who has made it.
    pub author: String,
    /// 1 if it changes the interface only.
    pub ui: i64,
    /// When it was uploaded, in Unix seconds.
    pub created_unix_s: i64,
    /// How often it was downloaded.
    pub downloads: i64,
    /// How many like it.
    pub likes: f64,
    /// How often it was played.
    pub played: i64,
    /// Description, as players read it.
    pub description: String,
    /// In the vault.
    pub filename: String,
    /// File name of its picture.
    pub icon: Option<String>,
}

/// A player likes a mod.
#[derive(Clone, Debug)]
pub struct LikeMod {
    /// Account id of the player this is about.
    pub player_id: u32,
    /// Uid of the mod.
    pub uid: String,
}

impl Question for LikeMod {
    type Answer = Result<Like, StoreFailure>;
    const LANE: Lane = Lane::Other;
}

/// What came of liking a mod.
#[derive(Clone, Debug, PartialEq)]
pub enum Like {
    /// There is no such mod.
    Unknown,
    /// They have liked it before.
    Again,
    /// It counts; the mod with its new number of likes.
    Counted(Box<VaultMod>),
}

/// A mod was downloaded: its uid.
#[derive(Clone, Debug)]
pub struct DownloadMod(pub String);

impl Question for DownloadMod {
    type Answer = Result<(), StoreFailure>;
    const LANE: Lane = Lane::Other;
}
