//! What is asked for somebody who signs in.

use std::net::IpAddr;

use super::super::rows::{Found, Identity};
use super::groups::Question;

/// Who claims to be there.
#[derive(Clone, Debug)]
pub enum Who {
    /// The account of that name, compared without case.
    Name(String),
    /// The account with that id.
    Id(u32),
}

impl Question for Who {
    type Answer = Option<Found>;
    const WHAT: &'static str = "find accounts";
}

/// A name that nobody has, and the password it comes with. Not for logs, hence no `Debug`.
pub(super) struct Newcomer {
    pub(super) login: String,
    pub(super) password: String,
}

/// Somebody who may come in.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The account that signed in.
    pub who: Identity,
    /// The client's address.
    pub from: IpAddr,
    /// The client's user agent, if it named one.
    pub user_agent: Option<String>,
}

/// A column that must be filled, and differ from all others.
pub(super) fn email(login: &str) -> String {
    format!("{}@accounts.invalid", login.to_ascii_lowercase())
}
