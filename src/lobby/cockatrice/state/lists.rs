//! Whom somebody has on their lists.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cockatrice::{
    account::Account,
    questions::{List, ListChange},
};

/// Names of friends, and of those who are not heard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lists {
    buddies: BTreeSet<Box<str>>,
    ignored: BTreeSet<Box<str>>,
}

impl Lists {
    /// Those of an account.
    pub(crate) fn of(account: &Account) -> Self {
        let names = |list: &[Account]| list.iter().map(|account| account.name.clone()).collect();
        Lists {
            buddies: names(&account.buddies),
            ignored: names(&account.ignored),
        }
    }

    /// Whether somebody is a friend.
    pub(crate) fn has_buddy(&self, name: &str) -> bool {
        self.buddies.contains(name)
    }

    /// Whether somebody is not heard.
    pub(crate) fn ignores(&self, name: &str) -> bool {
        self.ignored.contains(name)
    }

    /// Puts somebody on a list, or takes them off it.
    pub(crate) fn change(&mut self, change: &ListChange) {
        let list = match change.list {
            List::Buddy => &mut self.buddies,
            List::Ignore => &mut self.ignored,
        };
        match change.on {
            true => list.insert(change.name.clone()),
            false => list.remove(&change.name),
        };
    }
}
