//! Accounts of people who are not signed in: new ones, and forgotten passwords (spec: cockatrice-wire 11; behaviour 3.3).

use std::net::IpAddr;

use super::{outcome::Outcome, sign_in::Password};
use crate::question::{Lane, Question};

/// Something about an account, by whoever says that it is theirs.
#[derive(Clone, Debug)]
pub struct Register {
    /// What.
    pub what: Registration,
    /// The name of the account.
    pub name: Box<str>,
    /// Which installation it is.
    pub client_id: Box<str>,
    /// The client's address.
    pub address: IpAddr,
    /// What limits per address count it under.
    pub counted: Option<IpAddr>,
}

impl Question for Register {
    type Answer = Outcome;
    const LANE: Lane = Lane::SignIn;
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// A new account.
    New {
        /// Its password; `None`: it is longer than it may be.
        password: Option<Password>,
        /// E-mail address as it was typed.
        email: Box<str>,
        /// Country.
        country: Box<str>,
        /// Real name.
        real_name: Box<str>,
    },
    /// The account becomes active.
    Activate {
        /// What was sent by mail.
        token: Box<str>,
    },
    /// The password is forgotten.
    Forgotten,
    /// The same, with the account's e-mail address.
    Challenge {
        /// As it was typed.
        email: Box<str>,
    },
    /// A new password for a forgotten one.
    Reset {
        /// What was sent by mail.
        token: Box<str>,
        /// The new one; `None`: it is longer than it may be.
        password: Option<Password>,
    },
}
