//! What the FAF dialect asks the back office, and what comes back.
//!
//! Plain data: the dialect says what it needs to know, not how it is found. SQL, keys and HTTP are `backoffice`'s.

use std::net::IpAddr;

use super::ledger::{Batch, Written};
use super::matcher::{Proposal, Snapshot, Tuning};

/// How somebody proves who they are.
#[derive(Clone, Debug, PartialEq)]
pub enum Credentials {
    /// `hello` (spec: faf-messages 3.3). The name is trimmed already.
    Password {
        /// Login name, compared without case.
        login: String,
        /// Lower-case hex SHA-256, compared literally.
        password: String,
    },
    /// `auth` (spec: faf-lifecycle 3.2).
    Token(String),
}

/// A question to the back office.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Verify, check bans, record the login, load everything about the player (spec: faf-lifecycle 3.2–3.4, 6).
    Login {
        /// The proof.
        credentials: Credentials,
        /// Opaque hardware hash for the policy server.
        unique_id: String,
        /// The connection's session number.
        session: u32,
        /// Stored in `login.ip`.
        address: IpAddr,
        /// Stored in `login.user_agent`, cut to the column's 50 characters.
        user_agent: Option<String>,
    },
    /// May this player host, and if `create` is given, the next game id and the map (spec: faf-messages 3.7).
    Host {
        /// Account id of the player this is about.
        player_id: u32,
        /// Map folder name, lower-case; `None` if the request is refused for another reason than a ban.
        create: Option<String>,
    },
    /// May this player join; the attempt is logged if the game exists (spec: faf-messages 3.8, N#1048).
    Join {
        /// Account id of the player this is about.
        player_id: u32,
        /// The game, if there is one with that id.
        game_id: Option<u32>,
        /// The joiner's address.
        address: IpAddr,
    },
    /// Sets or replaces a friend or foe (spec: faf-messages 3.13). Unknown subjects are ignored.
    SetRelation {
        /// Account id of the player whose list it is.
        player_id: u32,
        /// Who is on it.
        subject_id: u32,
        /// Whether as friend or foe.
        relation: Relation,
    },
    /// Removes a subject from the list, whatever they were.
    ClearRelation {
        /// Account id of the player whose list it is.
        player_id: u32,
        /// Who leaves it.
        subject_id: u32,
    },
    /// Display names of sim mods (spec: faf-messages 4.3); unknown uids are left out of the answer.
    ModNames(Vec<String>),
    /// Who should play against whom (spec: faf-matchmaking 6, 7). No database: only work that takes its time.
    Match {
        /// The queue as it popped.
        snapshot: Box<Snapshot>,
        /// The matchmaker's numbers.
        tuning: Box<Tuning>,
    },
    /// A number for a match's game, and what its players have played lately (spec: faf-matchmaking 8.2, 9.3).
    NewMatch {
        /// `matchmaker_queue.id`.
        queue_id: u32,
        /// Account ids of the players.
        players: Vec<u32>,
        /// So many games of each player count.
        history: u32,
    },
    /// Write down what happened in a game.
    Ledger(Box<Batch>),
    /// The process ends: keep this for the next start.
    Keep(Box<Batch>),
    /// All avatars of a player (spec: faf-messages 3.14).
    Avatars(u32),
    /// Has a player show one of their avatars, or none.
    SelectAvatar {
        /// Account id of the player this is about.
        player_id: u32,
        /// Which; `None`: none.
        url: Option<String>,
    },
    /// What a player shows, after somebody else has changed it in the database (spec: faf-lifecycle 12.4).
    ChangedAvatar(u32),
    /// Whether a player may do something that not everybody may (spec: faf-messages 3.15).
    Permission {
        /// Account id of the player this is about.
        player_id: u32,
        /// Technical name of the permission.
        permission: &'static str,
    },
    /// All coop missions (spec: faf-messages 3.16).
    Missions,
    /// The mods that are liked best (spec: faf-messages 3.17).
    VaultMods,
    /// A player likes a mod.
    LikeMod {
        /// Account id of the player this is about.
        player_id: u32,
        /// Uid of the mod.
        uid: String,
    },
    /// A mod was downloaded.
    DownloadMod(String),
}

/// An answer of the back office. Each [`Ask`] has one kind of answer, named alike.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`Ask::Login`].
    Login(Result<Box<Account>, LoginRefusal>),
    /// To [`Ask::Host`].
    Host(Result<HostGrant, StoreError>),
    /// To [`Ask::Join`].
    Join(Result<Option<Ban>, StoreError>),
    /// To [`Ask::SetRelation`]: whether the row is there now (false: unknown subject).
    SetRelation(Result<bool, StoreError>),
    /// To [`Ask::ClearRelation`].
    ClearRelation(Result<(), StoreError>),
    /// To [`Ask::ModNames`]: (uid, name) of those that exist.
    ModNames(Result<Vec<(String, String)>, StoreError>),
    /// To [`Ask::Match`]; `None`: it could not be worked out.
    Match(Option<Vec<Proposal>>),
    /// To [`Ask::NewMatch`].
    NewMatch(Result<MatchGrant, StoreError>),
    /// To [`Ask::Ledger`]: how far it got.
    Ledger(Written),
    /// To [`Ask::Keep`]; nobody listens any more.
    Keep,
    /// To [`Ask::Avatars`].
    Avatars(Result<Vec<Avatar>, StoreError>),
    /// To [`Ask::SelectAvatar`]: what they show now; `None`: they have no such avatar, and nothing has changed.
    SelectAvatar(Result<Option<Option<Avatar>>, StoreError>),
    /// To [`Ask::ChangedAvatar`].
    ChangedAvatar(Result<Option<Avatar>, StoreError>),
    /// To [`Ask::Permission`].
    Permission(Result<bool, StoreError>),
    /// To [`Ask::Missions`], in the order of the table.
    Missions(Result<Vec<Mission>, StoreError>),
    /// To [`Ask::VaultMods`], best liked first.
    VaultMods(Result<Vec<VaultMod>, StoreError>),
    /// To [`Ask::LikeMod`].
    LikeMod(Result<Like, StoreError>),
    /// To [`Ask::DownloadMod`].
    DownloadMod(Result<(), StoreError>),
}

/// The outside failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached or timed out: notice, then close (spec: faf-messages 2, N#1009).
    #[error("database unavailable")]
    Unavailable,
    /// A statement failed for another reason: `invalid`, then close.
    #[error("database refused the statement")]
    Failed,
}

/// Why a login came to nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum LoginRefusal {
    /// Name or password wrong (spec: faf-messages 3.3).
    BadPassword,
    /// Signature, key id, expiry, claims (spec: faf-messages 3.2).
    BadToken,
    /// Scope `lobby` missing.
    NoPermission,
    /// No account with the token's id.
    UnknownId,
    /// A ban is in force.
    Banned(Ban),
    /// Keys or policy server unreachable: `invalid`, then close.
    Internal,
    /// The store could not be asked, or did not answer.
    Store(StoreError),
}

/// A ban in force (spec: faf-lifecycle 3.7).
#[derive(Clone, Debug, PartialEq)]
pub struct Ban {
    /// Shown to the player.
    pub reason: String,
    /// Unix seconds, with fraction.
    pub expires_at: f64,
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

/// What a match needs before it is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchGrant {
    /// The number for the new game.
    pub game_id: u32,
    /// Rows of `map_version`: each player's last games, newest first, one player after the other.
    pub history: Vec<u32>,
}

/// A row of `map_version`.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// `map_version.id`.
    pub id: u32,
    /// Whether games on it count.
    pub ranked: bool,
}

/// One player's word about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Relation {
    /// Sees friends-only games.
    Friend,
    /// Does not see nor join games.
    Foe,
}

/// Everything that is loaded about a player at login. Kept for as long as they are there: nothing of it has room to spare,
/// and what few have is behind a pointer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// `login.id`.
    pub id: u32,
    /// `login.login`, in its stored spelling.
    pub login: Box<str>,
    /// Technical names of the player's groups.
    pub groups: Vec<String>,
    /// What they show.
    pub avatar: Option<Box<Avatar>>,
    /// Clan tag.
    pub clan: Option<Box<str>>,
    /// Two-letter code, or empty.
    pub country: Box<str>,
    /// Stored ratings.
    pub ratings: Vec<StoredRating>,
    /// Technical names of other leaderboards that were looked at in this session: they are shown, too.
    pub opened: Vec<String>,
    /// In table order.
    pub friends: Vec<u32>,
    /// In table order.
    pub foes: Vec<u32>,
}

impl Account {
    /// Notes that a leaderboard is looked at from now on; false if it was before.
    pub fn open_rating(&mut self, leaderboard: &str) -> bool {
        let known = self.ratings.iter().any(|r| r.leaderboard == leaderboard)
            || self.opened.iter().any(|name| name == leaderboard);
        if !known {
            self.opened.push(leaderboard.to_owned());
        }
        !known
    }
}

/// A row of `leaderboard_rating`.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRating {
    /// Technical name of the leaderboard.
    pub leaderboard: String,
    /// Mean, as read: six significant digits (spec: faf-observed, Login).
    pub mean: f64,
    /// Deviation, likewise.
    pub deviation: f64,
    /// Games rated.
    pub games: u32,
}

/// A picture that a player may show beside their name.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Avatar {
    /// Where it is.
    pub url: String,
    /// What it says.
    pub tooltip: String,
}

impl Avatar {
    /// One without an address or without words is not shown (spec: faf-lifecycle 6).
    pub fn shown(self) -> Option<Self> {
        (!self.url.is_empty() && !self.tooltip.is_empty()).then_some(self)
    }
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
    /// `maps/….zip`.
    pub filename: String,
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
