//! Names, and who has them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::directory::Place;
use crate::{ConnId, ShardId};

/// The names whose home is here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registry {
    /// Those that somebody has.
    pub(crate) claims: BTreeMap<Box<str>, Claim>,
    /// How many of those are the same but for the case of letters, which are small here: of sessions that are written down the
    /// store compares names without it (spec: cockatrice-behaviour 1).
    #[serde(skip)]
    spellings: BTreeMap<Box<str>, u32>,
    /// The name that a connection has or waits for.
    #[serde(default)]
    pub(crate) names: BTreeMap<ConnId, Box<str>>,
    /// The games in which somebody who has gone has a place.
    pub(crate) left_behind: BTreeMap<Box<str>, BTreeMap<u32, Place>>,
}

impl Registry {
    /// Somebody has a name from now on.
    pub(crate) fn put_claim(&mut self, name: Box<str>, claim: Claim) {
        let folded = folded(&name);
        if self.claims.insert(name, claim).is_none() {
            *self.spellings.entry(folded).or_default() += 1;
        }
    }

    /// Nobody has it any more.
    pub(crate) fn take_claim(&mut self, name: &str) -> Option<Claim> {
        let claim = self.claims.remove(name)?;
        let folded = folded(name);
        if let Some(count) = self.spellings.get_mut(&folded) {
            *count -= 1;
            if *count == 0 {
                self.spellings.remove(&folded);
            }
        }
        Some(claim)
    }

    /// Whether somebody has a name in any spelling.
    pub(crate) fn has_spelling(&self, name: &str) -> bool {
        self.spellings.contains_key(&folded(name))
    }

    /// Counts spellings anew.
    pub(crate) fn count_spellings(&mut self) {
        self.spellings.clear();
        for name in self.claims.keys() {
            *self.spellings.entry(folded(name)).or_default() += 1;
        }
    }
}

/// A name whose letters are all small. Names of sessions that are written down are ASCII.
fn folded(name: &str) -> Box<str> {
    name.to_ascii_lowercase().into()
}

/// Homes of names have moved here, and not everybody has said who is there.
#[derive(Clone, Debug)]
pub(crate) struct Moving {
    /// The parts of all names that have.
    pub(crate) parts: BTreeSet<usize>,
    /// Shards that have not said so.
    pub(crate) missing: BTreeSet<ShardId>,
    /// How long that is waited for, of the monotonic clock.
    pub(crate) until: Duration,
}

/// Who has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) holder: ConnId,
    /// Of its grant: a later one is larger.
    #[serde(default)]
    pub(crate) epoch: u64,
    /// Who gets it when the holder has gone. The first one is next.
    pub(crate) waiting: VecDeque<ConnId>,
}

impl Claim {
    pub(crate) fn of(holder: ConnId, epoch: u64) -> Self {
        Claim {
            holder,
            epoch,
            waiting: VecDeque::new(),
        }
    }
}
