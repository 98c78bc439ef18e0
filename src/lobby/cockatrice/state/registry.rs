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
    /// The name that a connection has or waits for.
    #[serde(default)]
    pub(crate) names: BTreeMap<ConnId, Box<str>>,
    /// The games in which somebody who has gone has a place.
    pub(crate) left_behind: BTreeMap<Box<str>, BTreeMap<u32, Place>>,
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
