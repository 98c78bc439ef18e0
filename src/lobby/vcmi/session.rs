//! Started games and their connections as the lobby keeps them.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::handshake::Role;
use crate::{ConnId, map::KeyedMap};

/// A started game.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) uuids: Vec<String>,
    /// Who has begun it, and what their room was called.
    #[serde(default)]
    pub(super) host: String,
    #[serde(default)]
    pub(super) title: String,
    /// Pairs that lack a side, the oldest first. All lack the same one, or the pair would be complete; unless sides survive each
    /// other.
    pub(super) waiting: BTreeSet<(Duration, ConnId)>,
    /// Connections of its games.
    #[serde(skip)]
    pub(super) pipes: usize,
    /// When nobody was connected any more, or yet.
    pub(super) idle_since: Duration,
    /// A look at that is due already.
    pub(super) watched: bool,
    /// Its games are still to come: an orderly end of the process waits for them.
    pub(super) awaited: bool,
}

impl Default for Session {
    fn default() -> Self {
        Session {
            uuids: Vec::new(),
            host: String::new(),
            title: String::new(),
            waiting: BTreeSet::new(),
            pipes: 0,
            idle_since: Duration::ZERO,
            watched: false,
            awaited: true,
        }
    }
}

impl Session {
    /// One more connection of its games.
    pub(super) fn count_in(&mut self) {
        self.pipes += 1;
    }

    /// Connections that wait for their other side.
    pub(super) fn waiting(&self) -> impl Iterator<Item = ConnId> {
        self.waiting.iter().map(|(_, conn)| *conn)
    }
}

/// A game's connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Pipe {
    /// It has not said what it is.
    Greeting,
    /// It waits for the other side.
    Waiting {
        session: u64,
        role: Role,
        greeting: Bytes,
    },
    /// It is relayed.
    Joined {
        session: u64,
        /// The shard that relays the pair, at that one of the two that it is counted at.
        on: Option<usize>,
        /// It waits again when the other side ends.
        #[serde(default)]
        place: Option<Box<Place>>,
    },
}

/// A game's place in a pair, which it keeps when the other side has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The other side.
    pub(super) partner: ConnId,
    /// Since when there is the pair.
    pub(super) since: Duration,
    pub(super) role: Role,
    pub(super) greeting: Bytes,
}

impl Pipe {
    /// The other side, which is outlived.
    pub(super) fn partner(&self) -> Option<ConnId> {
        match self {
            Pipe::Joined { place, .. } => place.as_ref().map(|place| place.partner),
            _ => None,
        }
    }

    /// Its session, and the shard that its pair is counted on.
    pub(super) fn session(&self) -> Option<(u64, Option<usize>)> {
        match *self {
            Pipe::Greeting => None,
            Pipe::Waiting { session, .. } => Some((session, None)),
            Pipe::Joined { session, on, .. } => Some((session, on)),
        }
    }
}

/// Which session a uuid belongs to, and to whom.
pub(super) type Uuids = KeyedMap<String, (u64, Role)>;
