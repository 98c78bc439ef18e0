//! Who somebody is, and everything about them that is kept while they are there.

use std::net::IpAddr;

use crate::{
    faf::model::account::{Account, Ban},
    question::{Lane, Question, StoreFailure},
};

/// Verify, check bans, record the login, load everything about the player (spec: faf-lifecycle 3.2–3.4, 6).
#[derive(Clone, Debug)]
pub struct Login {
    /// The proof.
    pub credentials: Credentials,
    /// Opaque hardware hash for the policy server.
    pub unique_id: Box<str>,
    /// The connection's session number.
    pub session: u32,
    /// Stored in `login.ip`.
    pub address: IpAddr,
    /// What limits per address count it under; none: they do not apply to it.
    pub counted: Option<IpAddr>,
    /// Stored in `login.user_agent`, cut to the column's 50 characters.
    pub user_agent: Option<Box<str>>,
}

impl Login {
    /// Bytes of what the client has said.
    pub fn bytes(&self) -> usize {
        let credentials = match &self.credentials {
            Credentials::Password { login, password } => login.len() + password.len(),
            Credentials::Token(token) => token.len(),
        };
        credentials + self.unique_id.len()
    }
}

impl Question for Login {
    type Answer = Result<Box<Account>, LoginRefusal>;
    const LANE: Lane = Lane::SignIn;
}

/// How somebody proves who they are.
#[derive(Clone, Debug, PartialEq)]
pub enum Credentials {
    /// `hello` (spec: faf-messages 3.3). The name is trimmed already.
    Password {
        /// Login name, compared without case.
        login: String,
        /// Lower-case hex SHA-256, compared literally.
        password: String,
    },
    /// `auth` (spec: faf-lifecycle 3.2).
    Token(String),
}

impl Credentials {
    /// The account they are for, as far as that is known before they are looked at.
    pub fn account(&self) -> Option<&str> {
        match self {
            Credentials::Password { login, .. } => Some(login),
            Credentials::Token(_) => None,
        }
    }
}

/// Why a login came to nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum LoginRefusal {
    /// Name or password wrong (spec: faf-messages 3.3).
    BadPassword,
    /// Signature, key id, expiry, claims (spec: faf-messages 3.2).
    BadToken,
    /// Scope `lobby` missing.
    NoPermission,
    /// No account with the token's id.
    UnknownId,
    /// The address or the account has had too many failures; nothing was looked at.
    TooMany,
    /// A ban is in force.
    Banned(Ban),
    /// Keys or policy server unreachable: `invalid`, then close.
    Internal,
    /// The store could not be asked, or did not answer.
    Store(StoreFailure),
}

impl From<StoreFailure> for LoginRefusal {
    fn from(failure: StoreFailure) -> Self {
        LoginRefusal::Store(failure)
    }
}
