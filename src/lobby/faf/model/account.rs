//! What is known of an account, and what one player is to another.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

/// A ban in force (spec: faf-lifecycle 3.7).
#[derive(Clone, Debug, PartialEq)]
pub struct Ban {
    /// Shown to the player.
    pub reason: String,
    /// Unix seconds, with fraction.
    pub expires_at: f64,
}

/// Everything that is loaded about a player at login. Kept for as long as they are there: nothing of it has room to spare,
/// what few have is behind a pointer, and so are lists, which are empty for many.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// `login.id`.
    pub id: u32,
    /// `login.login`, in its stored spelling.
    pub login: Box<str>,
    /// Technical names of the player's groups.
    pub groups: ThinVec<String>,
    /// What they show.
    pub avatar: Option<Box<Avatar>>,
    /// Clan tag.
    pub clan: Option<Box<str>>,
    /// Where they are, as far as their address tells.
    pub country: Country,
    /// Stored ratings.
    pub ratings: ThinVec<StoredRating>,
    /// Technical names of other leaderboards that were looked at in this session: they are shown, too.
    pub opened: ThinVec<Box<str>>,
    /// In table order.
    pub friends: ThinVec<u32>,
    /// In table order.
    pub foes: ThinVec<u32>,
}

impl Account {
    /// Notes that a leaderboard is looked at from now on; false if it was before.
    pub fn open_rating(&mut self, leaderboard: &str) -> bool {
        let known = self.ratings.iter().any(|r| r.leaderboard == leaderboard)
            || self.opened.iter().any(|name| **name == *leaderboard);
        if !known {
            self.opened.push(leaderboard.into());
        }
        !known
    }
}

/// A country's two-letter code (ISO 3166), or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Cow<str>", into = "String")]
pub struct Country(Option<[u8; 2]>);

impl Country {
    /// The code; empty: it is not known.
    pub fn code(&self) -> &str {
        let code = self.0.as_ref().map(|code| str::from_utf8(code));
        code.and_then(Result::ok).unwrap_or_default()
    }
}

impl From<&str> for Country {
    /// What is no code of two letters is none.
    fn from(code: &str) -> Country {
        let code = <[u8; 2]>::try_from(code.as_bytes()).ok();
        Country(code.filter(|code| code.is_ascii()))
    }
}

impl From<Cow<'_, str>> for Country {
    fn from(code: Cow<'_, str>) -> Country {
        Country::from(&*code)
    }
}

impl From<Country> for String {
    fn from(country: Country) -> String {
        country.code().to_owned()
    }
}

/// A row of `leaderboard_rating`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// One player's word about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Relation {
    /// Sees friends-only games.
    Friend,
    /// Does not see nor join games.
    Foe,
}

/// Puts a subject on one of two lists, or on none.
pub(in crate::faf) fn relate(
    friends: &mut ThinVec<u32>,
    foes: &mut ThinVec<u32>,
    subject: u32,
    relation: Option<Relation>,
) {
    friends.retain(|&id| id != subject);
    foes.retain(|&id| id != subject);
    match relation {
        Some(Relation::Friend) => friends.push(subject),
        Some(Relation::Foe) => foes.push(subject),
        None => {}
    }
}
