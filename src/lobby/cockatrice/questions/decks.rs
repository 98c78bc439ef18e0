//! Decks that are stored (spec: cockatrice-behaviour 11).

use bytes::Bytes;

use super::outcome::Outcome;
use crate::question::{Lane, Question, StoreFailure};

/// Something about somebody's decks.
#[derive(Clone, Debug)]
pub struct AskDecks {
    /// Account id of the owner.
    pub owner: u32,
    /// What.
    pub request: DeckRequest,
}

impl Question for AskDecks {
    type Answer = Outcome;
    const LANE: Lane = Lane::Other;
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeckRequest {
    /// All folders and decks.
    List,
    /// A new folder.
    NewFolder {
        /// In which.
        path: Box<str>,
        /// Its name.
        name: Box<str>,
    },
    /// A folder goes, with all that is in it.
    DeleteFolder(Box<str>),
    /// A deck is stored.
    Upload {
        /// In which folder; or
        path: Option<Box<str>>,
        /// in place of which deck.
        id: Option<u32>,
        /// The deck.
        deck: Bytes,
    },
    /// A deck's text.
    Download(i32),
    /// A deck goes.
    Delete(i32),
}

/// A deck for a game, by its id.
#[derive(Clone, Copy, Debug)]
pub struct DeckForGame {
    /// Account id of the owner.
    pub owner: u32,
    /// Which.
    pub id: u32,
}

impl Question for DeckForGame {
    /// Its text as it was stored; `None`: they have no such deck.
    type Answer = Result<Option<Bytes>, StoreFailure>;
}
