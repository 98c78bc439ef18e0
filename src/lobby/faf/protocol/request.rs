//! How a request comes out: done, or refused for one of these reasons (spec: faf-messages 2).

use std::borrow::Cow;

use crate::{faf::model::account::Ban, question::StoreFailure};

/// Why a request was not done, and with it what happens to the connection (spec: faf-messages 2).
#[derive(Clone, Debug, PartialEq)]
pub(in crate::faf) enum Refusal {
    /// Wrong in the player's eyes: an error notice; the connection stays.
    Client(Cow<'static, str>),
    /// The same, but the connection ends.
    Fatal(&'static str),
    /// A missing key or a bad value: the connection ends without a word.
    Garbage,
    /// A wrong type, an unknown command: `invalid`, then the end.
    Invalid,
    /// Not while the server is going down.
    Disabled(&'static str),
    /// Who they are was not proved.
    Authentication(&'static str),
    /// They are banned.
    Banned(Ban),
    /// The store could not be asked, or did not answer.
    Store(StoreFailure),
}

impl Refusal {
    /// A client error with a fixed text.
    pub(in crate::faf) const fn client(text: &'static str) -> Self {
        Refusal::Client(Cow::Borrowed(text))
    }

    /// For the log: what the player was told, or why they were told nothing.
    pub(in crate::faf) fn in_short(&self) -> Cow<'static, str> {
        match self {
            Refusal::Client(text) => text.clone(),
            Refusal::Fatal(text) | Refusal::Authentication(text) => (*text).into(),
            Refusal::Garbage => "a message without what belongs to it".into(),
            Refusal::Invalid => "a message that makes no sense".into(),
            Refusal::Disabled(_) => "the server waits for its end".into(),
            Refusal::Banned(ban) => format!("banned: {}", ban.reason).into(),
            Refusal::Store(_) => "the store could not be asked".into(),
        }
    }
}

impl From<StoreFailure> for Refusal {
    fn from(failure: StoreFailure) -> Self {
        Refusal::Store(failure)
    }
}

/// Outcome of a request that may be refused.
pub(in crate::faf) type Outcome<T = ()> = Result<T, Refusal>;
