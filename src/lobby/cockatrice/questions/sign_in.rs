//! Signing in, and what a session leaves in the store (spec: cockatrice-wire 10; behaviour 16).

use std::net::IpAddr;

use bytes::Bytes;

use crate::{
    cockatrice::account::Account,
    question::{Lane, Question, StoreFailure},
};

/// The salt of a name's password (spec: cockatrice-wire 10.1).
#[derive(Clone, Debug)]
pub struct PasswordSalt {
    /// Whose.
    pub name: Box<str>,
}

impl Question for PasswordSalt {
    /// `None`: nobody has that name.
    type Answer = Result<Option<Box<str>>, StoreFailure>;
    const LANE: Lane = Lane::SignIn;
}

/// How somebody proves who they are.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// In clear.
    Plain(Box<str>),
    /// Hashed with the salt.
    Hashed(Box<str>),
    /// Not at all.
    Missing,
}

impl std::fmt::Debug for Password {
    /// Not for logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Password::Plain(_) => "Plain",
            Password::Hashed(_) => "Hashed",
            Password::Missing => "Missing",
        })
    }
}

/// Who is it, and may they in? Changes nothing.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The name, cleaned and cut.
    pub name: Box<str>,
    /// The proof.
    pub password: Password,
    /// Which installation it is.
    pub client_id: Box<str>,
    /// The client's address.
    pub address: IpAddr,
    /// What limits per address count it under; none: they do not apply to it.
    pub counted: Option<IpAddr>,
}

impl Question for SignIn {
    type Answer = Result<SignedIn, Refusal>;
    const LANE: Lane = Lane::SignIn;
}

/// Who somebody is.
#[derive(Clone, Debug, PartialEq)]
pub enum SignedIn {
    /// Whoever has this account.
    Registered(Box<Account>),
    /// Nobody known. Names that are this one with `_` and a number may be accounts, or be there: these numbers. 0 is the name
    /// itself.
    Unknown {
        /// The numbers.
        taken: Vec<u32>,
    },
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The name breaks the rules, which are these (spec: cockatrice-wire 10.6).
    BadName(Box<str>),
    /// A ban is in force.
    Banned {
        /// What they may read of it.
        reason: Box<str>,
        /// Unix seconds; `None` is forever.
        until: Option<u64>,
    },
    /// The account was never activated.
    Inactive,
    /// Wrong password, or none.
    WrongPassword,
    /// The password was reset and has to be changed.
    MustChangePassword,
    /// The address or the account has had too many failures; nothing was looked at.
    TooMany,
    /// The store could not be asked, or did not answer.
    Store(StoreFailure),
}

impl From<StoreFailure> for Refusal {
    fn from(failure: StoreFailure) -> Self {
        Refusal::Store(failure)
    }
}

/// Somebody is in under this name: notes the session, and with an account also when, with what and from which installation.
#[derive(Clone, Debug)]
pub struct OpenSession {
    /// Who.
    pub who: super::who::Who,
    /// Over a WebSocket.
    pub websocket: bool,
    /// The client's version.
    pub client_version: Box<str>,
}

impl Question for OpenSession {
    type Answer = Result<Opened, StoreFailure>;
    const LANE: Lane = Lane::SignIn;
}

/// A session that is noted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// `sessions.id`
    pub session: u64,
    /// Encoded `SessionEvent`s that could not be delivered before, oldest first; they count as delivered now.
    pub missed: Vec<Bytes>,
    /// The newest message of this server to everybody.
    pub message: Option<Box<str>>,
}

/// A session is over.
#[derive(Clone, Copy, Debug)]
pub struct CloseSession(pub u64);

impl Question for CloseSession {
    type Answer = ();
    const LANE: Lane = Lane::Records;
}

/// What everybody is told after signing in: the newest message of this server.
#[derive(Clone, Copy, Debug)]
pub struct ServerMessage;

impl Question for ServerMessage {
    /// `None`: there is none.
    type Answer = Result<Option<Box<str>>, StoreFailure>;
    const LANE: Lane = Lane::Other;
}
