//! Names, and who has them.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::ConnId;

/// The names whose home is here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registry {
    /// Those that somebody has.
    pub(crate) claims: BTreeMap<Box<str>, Claim>,
    /// The games, with their rooms, in which somebody who has gone has a place.
    pub(crate) left_behind: BTreeMap<Box<str>, BTreeMap<u32, u32>>,
}

/// Who has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) holder: ConnId,
    /// Who gets it when the holder has gone. The first one is next.
    pub(crate) waiting: VecDeque<ConnId>,
}

impl Claim {
    pub(crate) fn of(holder: ConnId) -> Self {
        Claim {
            holder,
            waiting: VecDeque::new(),
        }
    }
}
