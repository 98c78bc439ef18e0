//! What comes of a command that the store answers.

use bytes::Bytes;
use cockatrice::messages::{
    EventNotifyUser, NotificationType, ResponseBody, ResponseCode, SessionEvent, SessionEventBody,
    encode,
};

use crate::{
    cockatrice::protocol,
    question::{MayFail, StoreFailure},
};

/// What comes of a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Code of the response.
    pub code: ResponseCode,
    /// What extends the response, as it is written there.
    pub body: Option<Bytes>,
    /// Encoded `SessionEvent`s for whoever asked, in front of the response.
    pub before: Vec<Bytes>,
    /// For others, if they are there.
    pub notices: Vec<Notice>,
    /// What changes at once, beside the store.
    pub change: Option<Change>,
    /// What moderators and administrators who are there are told, whoever asked too.
    pub staff: Option<Box<str>>,
}

/// What changes for those who are there.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The record of whoever asked. `told`: everybody who lists users is told of it.
    Record {
        /// Their account as it is now.
        account: Box<crate::cockatrice::account::Account>,
        /// Whether as an update of the user list (spec: cockatrice-behaviour 3.2).
        told: bool,
    },
    /// Whom whoever asked has on that list now.
    List(super::account::ListChange),
    /// Somebody is banned: sessions end.
    Banned(Box<Banned>),
    /// The user's rights are other ones now, by one step after the other: `true`, they have more and are told so; `false`, they
    /// have fewer and their session ends.
    Rights(Box<str>, Vec<bool>),
}

/// Whose sessions end because of a ban.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Banned {
    /// Users of these names.
    pub users: Vec<Box<str>>,
    /// Everybody at this address; empty: nobody because of it.
    pub address: Box<str>,
    /// What they are told of it; empty: nothing.
    pub reason: Box<str>,
    /// Until when, Unix seconds; `None`: for good.
    pub until_s: Option<u64>,
}

/// Something for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// To whom.
    pub to: Box<str>,
    /// An encoded `SessionEvent`.
    pub event: Bytes,
    /// What is to be noted when it has been delivered; otherwise it is delivered when they sign in.
    pub pending: Option<Pending>,
}

/// Which notice it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// That a report was resolved: its id.
    Resolved(u32),
    /// That a report was commented, to its reporter: the comment's id.
    ToReporter(u32),
    /// That a report was commented, to whom it is assigned: the comment's id.
    ToAssignee(u32),
}

impl Outcome {
    /// Nothing but a code.
    pub fn code(code: ResponseCode) -> Self {
        Outcome {
            code,
            body: None,
            before: Vec::new(),
            notices: Vec::new(),
            change: None,
            staff: None,
        }
    }

    /// `RespOk`.
    pub fn ok() -> Self {
        Outcome::code(ResponseCode::RespOk)
    }

    /// `RespOk` with content.
    pub fn with(body: ResponseBody<'_>) -> Self {
        Outcome::ok().and(body)
    }

    /// The same, with that content.
    #[must_use]
    pub fn and(mut self, body: ResponseBody<'_>) -> Self {
        self.body = Some(protocol::extension(body));
        self
    }
}

impl MayFail for Outcome {
    /// Neither an unreachable store nor one that refuses is the client's fault (spec: cockatrice-wire 6.3).
    fn failed(_: StoreFailure) -> Self {
        Outcome::code(ResponseCode::RespInternalError)
    }
}

/// An encoded event.
pub fn event(body: SessionEventBody<'_>) -> Bytes {
    encode(&SessionEvent { body: Some(body) }).into()
}

/// A notification for a user, as an event.
pub fn notification(kind: NotificationType, title: &str, content: &str) -> Bytes {
    event(SessionEventBody::NotifyUser(EventNotifyUser {
        r#type: Some(kind),
        warning_reason: None,
        custom_title: Some(title.into()),
        custom_content: Some(content.into()),
    }))
}
