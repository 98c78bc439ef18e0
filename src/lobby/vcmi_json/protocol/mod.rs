//! What comes in and what goes out (spec: vcmi-lobby2 2, 4): text, and nothing of what it causes.
//!
//! | file | what it is |
//! |---|---|
//! | `reader` | strict JSON, as the reference's reader takes it |
//! | `incoming` | the messages of clients and match servers, checked against the description of their type |
//! | `outgoing` | the messages of the lobby |

pub(super) mod incoming;
pub(super) mod outgoing;
pub(super) mod reader;

use serde::{Deserialize, Serialize};

/// What kind of channel a line of chat belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChannelType {
    /// One language's channel, which everybody hears.
    Global,
    /// A room's.
    Match,
    /// Two players'.
    Player,
}

impl ChannelType {
    /// Its name on the wire and in the store.
    pub const fn word(self) -> &'static str {
        match self {
            ChannelType::Global => "global",
            ChannelType::Match => "match",
            ChannelType::Player => "player",
        }
    }

    fn named(word: &str) -> Option<Self> {
        let all = [ChannelType::Global, ChannelType::Match, ChannelType::Player];
        all.into_iter().find(|kind| kind.word() == word)
    }
}

/// A mod of a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mod {
    /// What it is known by.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Of the mod.
    pub version: String,
    /// The mod that it is a part of, if that was said.
    pub parent: Option<String>,
}
