//! What somebody with an account changes about it (spec: cockatrice-behaviour 3.2, 3.3).

use bytes::Bytes;
use cockatrice::accounts::CardArt;
use serde::{Deserialize, Serialize};

use super::{outcome::Outcome, sign_in::Password, who::Who};
use crate::question::{Lane, Question};

/// A change, or a look at another account.
#[derive(Clone, Debug)]
pub struct ChangeAccount {
    /// Whose account.
    pub who: Who,
    /// What.
    pub change: AccountChange,
}

impl Question for ChangeAccount {
    type Answer = Outcome;
    const LANE: Lane = Lane::Other;
}

/// What changes. Texts that are `None` stay as they are.
#[derive(Clone, Debug, PartialEq)]
pub enum AccountChange {
    /// Real name, e-mail address, country.
    Edit {
        /// Real name.
        real_name: Option<Box<str>>,
        /// E-mail address as it was typed.
        email: Option<Box<str>>,
        /// Country.
        country: Option<Box<str>>,
        /// The account's password, in clear, if it was sent; a longer one than the protocol allows is none.
        password_check: Option<Box<str>>,
    },
    /// The password.
    Password {
        /// The one until now, in clear.
        old: Box<str>,
        /// The new one.
        new: Password,
    },
    /// The picture; an empty one: none.
    Image(Bytes),
    /// Card art; `None`: none.
    CardArt(Option<CardArt>),
    /// Somebody comes to a list.
    Add(ListChange),
    /// Somebody leaves a list.
    Remove(ListChange),
    /// The profile of somebody who is not there.
    Look(Box<str>),
}

/// Somebody on a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListChange {
    /// Which list.
    pub list: List,
    /// Whom.
    pub name: Box<str>,
    /// They are on it afterwards.
    pub on: bool,
}

/// A list of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum List {
    /// Friends.
    Buddy,
    /// Those who are not heard.
    Ignore,
}

impl List {
    /// The list of that name.
    pub fn of(name: &str) -> Option<List> {
        match name {
            "buddy" => Some(List::Buddy),
            "ignore" => Some(List::Ignore),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            List::Buddy => "buddy",
            List::Ignore => "ignore",
        }
    }
}
