//! What the lobby asks the back office: one list of steps at a time, done in order and together, so that what many clients
//! cause waits for the disk once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::protocol::{ChannelType, Mod, incoming::Cookie};
use crate::question::{Lane, Question, StoreFailure};

/// An account, as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// In order of registration.
    pub number: i64,
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// State of a room (spec: vcmi-lobby2 5.5), numbered as the store does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Its host is not in it yet.
    Idle = 0,
    /// Everybody may join.
    Public = 1,
    /// Who was invited may join.
    Private = 2,
    /// The match goes on.
    Busy = 3,
    /// It ended without a match.
    Cancelled = 4,
    /// Its match is over.
    Closed = 5,
}

impl Status {
    /// All of them, by number.
    pub const ALL: [Status; 6] = [
        Status::Idle,
        Status::Public,
        Status::Private,
        Status::Busy,
        Status::Cancelled,
        Status::Closed,
    ];

    /// Its name on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Status::Idle => "idle",
            Status::Public => "public",
            Status::Private => "private",
            Status::Busy => "busy",
            Status::Cancelled => "cancelled",
            Status::Closed => "closed",
        }
    }

    /// Whether players are in it, and it is in the list.
    pub const fn is_listed(self) -> bool {
        matches!(self, Status::Public | Status::Private | Status::Busy)
    }
}

/// A line of chat that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Of whoever said it.
    pub account: String,
    /// What they are called.
    pub name: String,
    /// What they said.
    pub text: String,
    /// When, in Unix seconds.
    pub at: u64,
}

/// A finished match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The room's id.
    pub room: String,
    /// Account and name.
    pub host: (String, String),
    /// What the room said of itself.
    pub description: String,
    /// Seats.
    pub player_limit: u32,
    /// When the room was made, in Unix seconds.
    pub at: u64,
    /// Accounts and names.
    pub participants: Vec<(String, String)>,
}

/// A room that is not live, or may not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastRoom {
    /// How it ended.
    pub status: Status,
    /// The host's account.
    pub host: String,
    /// Their accounts.
    pub participants: Vec<String>,
}

/// One thing that the store does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "each is named after what it does, with what it needs"
)]
pub enum Step {
    /// [`Outcome::Account`]
    FindAccount {
        id: String,
    },
    /// [`Outcome::SignIn`]
    SignIn {
        id: String,
        cookie: Cookie,
    },
    /// [`Outcome::Room`]
    FindRoom {
        id: String,
    },
    /// [`Outcome::Matches`]: the newest of an account.
    FindMatches {
        account: String,
        most: u32,
    },
    /// [`Outcome::Lines`]: the newest of a channel, the oldest first.
    FindLines {
        kind: ChannelType,
        channel: String,
        most: u32,
    },
    /// [`Outcome::Registered`]: false, if the name is taken.
    Register {
        id: String,
        cookie: Cookie,
        name: String,
        at: u64,
    },
    CameOnline {
        id: String,
        at: u64,
    },
    WentOffline {
        id: String,
    },
    Say {
        account: String,
        kind: ChannelType,
        channel: String,
        text: String,
        at: u64,
    },
    /// A room of this id that has ended without a match is begun anew.
    MakeRoom {
        id: String,
        version: String,
        host: String,
        at: u64,
        mods: Vec<Mod>,
    },
    SetStatus {
        room: String,
        status: Status,
    },
    OpenRoom {
        room: String,
        status: Status,
        player_limit: u32,
    },
    Describe {
        room: String,
        description: String,
    },
    Join {
        room: String,
        account: String,
    },
    Leave {
        room: String,
        account: String,
    },
    Invite {
        room: String,
        account: String,
    },
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// The store refused it; the others are done.
    Refused,
    /// Whom an id means.
    Account(Option<Account>),
    /// Whom an id means, and whether the cookie is one of theirs.
    SignIn(Option<(Account, bool)>),
    /// The room of an id.
    Room(Option<PastRoom>),
    /// The youngest first.
    Matches(Vec<Match>),
    /// The oldest first.
    Lines(Vec<Line>),
    /// Whether the account was made.
    Registered(bool),
}

/// Steps that are done in order; an outcome for each.
#[derive(Clone, Debug)]
pub struct Work(pub Vec<Step>);

impl Question for Work {
    type Answer = Result<Vec<Outcome>, StoreFailure>;
    const LANE: Lane = Lane::Records;
}

/// What a start does (spec: vcmi-lobby2 5.12); the answer are the lines of each global channel, the oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    /// Lines of each channel, at the most.
    pub lines: usize,
    /// None that are older.
    pub age: Duration,
}

impl Question for Begin {
    type Answer = Result<Vec<(String, Vec<Line>)>, StoreFailure>;
    const LANE: Lane = Lane::Records;
}

crate::questions! {
    Begin,
    Work,
}
