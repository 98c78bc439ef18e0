//! Who somebody is, and everything about them that is kept while they are there.

use std::net::IpAddr;

use super::avatars::Avatar;
use crate::question::{Question, StoreFailure};

/// Verify, check bans, record the login, load everything about the player (spec: faf-lifecycle 3.2–3.4, 6).
#[derive(Clone, Debug)]
pub struct Login {
    /// The proof.
    pub credentials: Credentials,
    /// Opaque hardware hash for the policy server.
    pub unique_id: String,
    /// The connection's session number.
    pub session: u32,
    /// Stored in `login.ip`.
    pub address: IpAddr,
    /// Stored in `login.user_agent`, cut to the column's 50 characters.
    pub user_agent: Option<String>,
}

impl Question for Login {
    type Answer = Result<Box<Account>, LoginRefusal>;
    const CROWD: bool = true;
}

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
    Store(StoreFailure),
}

impl From<StoreFailure> for LoginRefusal {
    fn from(failure: StoreFailure) -> Self {
        LoginRefusal::Store(failure)
    }
}

/// A ban in force (spec: faf-lifecycle 3.7).
#[derive(Clone, Debug, PartialEq)]
pub struct Ban {
    /// Shown to the player.
    pub reason: String,
    /// Unix seconds, with fraction.
    pub expires_at: f64,
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
