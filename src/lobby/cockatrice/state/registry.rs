//! Names, and who has them.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::ConnId;

/// The names whose home is here.
pub(crate) type Registry = BTreeMap<Box<str>, Claim>;

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
