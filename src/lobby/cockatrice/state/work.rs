//! What a connection waits with: a container that is being handled, as far as it is.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use cockatrice::messages::ResponseCode;
use serde::{Deserialize, Serialize};

use super::directory::Place;
use crate::{ConnId, ShardId, cockatrice::account::Account};

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reply {
    pub(crate) code: ResponseCode,
    /// What extends the answer, as it is written.
    pub(crate) body: Option<Bytes>,
    /// What is sent in front of the answer, and behind it.
    pub(crate) before: Vec<Bytes>,
    pub(crate) after: Vec<Bytes>,
}

impl Reply {
    /// Nothing but a code.
    pub(crate) fn code(code: ResponseCode) -> Reply {
        Reply {
            code,
            body: None,
            before: Vec::new(),
            after: Vec::new(),
        }
    }
}

/// What has come of a command so far.
pub(crate) enum Flow {
    /// It is done.
    Done(Reply),
    /// A role on this shard answers later.
    Wait(ShardId),
    /// The answer comes later: of the back office, or when others have done something.
    Asked,
}

impl Flow {
    /// It is done, with nothing but a code.
    pub(crate) fn code(code: ResponseCode) -> Flow {
        Flow::Done(Reply::code(code))
    }
}

/// Which commands of a container are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Group {
    Session,
    Room,
    Game,
    Moderator,
    Admin,
    /// None: the connection waits to be let in.
    Admission,
}

/// A container that is being handled, as far as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) group: Group,
    pub(crate) cmd_id: u64,
    /// The container, if more of its commands are to be done.
    pub(crate) container: Bytes,
    /// How many of its commands are still to be done: the last of these is next.
    pub(crate) left: usize,
    pub(crate) answer: Reply,
    /// The connection is held.
    pub(crate) held: bool,
    /// How many answers are waited for before it goes on.
    pub(crate) waits: usize,
    /// Of whom they are waited for.
    #[serde(default)]
    pub(crate) wait: Wait,
    /// The room that is being entered.
    #[serde(default)]
    pub(crate) joining: Option<u32>,
    /// Its user is in already, and takes up games again.
    #[serde(default)]
    pub(crate) resumes: bool,
    /// What the command that comes next wants done before it is done.
    pub(crate) prepared: bool,
    /// The room of the game that it is about, if that has been found.
    #[serde(default)]
    pub(crate) game_room: Option<u32>,
    /// What is done as soon as the user whom it concerns has agreed.
    pub(crate) then: Option<Then>,
    /// Rooms that are asked for a user's games, and what they have answered.
    pub(crate) gather: Option<Gather>,
    /// The stored decks that its commands ask for, as far as they have come.
    pub(crate) decks: BTreeMap<i32, Bytes>,
    /// Who it is that signs in.
    pub(crate) newcomer: Option<Newcomer>,
}

impl Work {
    pub(crate) fn new(group: Group, cmd_id: u64, left: usize) -> Self {
        Work {
            group,
            cmd_id,
            container: Bytes::new(),
            left,
            answer: Reply::code(ResponseCode::RespOk),
            held: false,
            waits: 1,
            wait: Wait::default(),
            joining: None,
            resumes: false,
            prepared: false,
            game_room: None,
            then: None,
            gather: None,
            decks: BTreeMap::new(),
            newcomer: None,
        }
    }

    /// Waiting to be let in.
    pub(crate) fn admission() -> Self {
        Work::new(Group::Admission, 0, 0)
    }

    /// A command's result becomes part of the answer: the code of a failure, and whatever is to be sent.
    pub(crate) fn add(&mut self, reply: Reply) {
        if reply.code != ResponseCode::RespOk {
            self.answer.code = reply.code;
        }
        if reply.body.is_some() {
            self.answer.body = reply.body;
        }
        self.answer.before.extend(reply.before);
        self.answer.after.extend(reply.after);
    }
}

/// Of whom an answer is waited for. One to an earlier step comes too late and counts for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wait {
    /// What was asked is of this step of the shard.
    pub(crate) step: u64,
    /// The other nodes that were asked: a bit for each.
    pub(crate) nodes: u64,
    /// How long, of the monotonic clock. None: whoever was asked answers in any case.
    pub(crate) until: Option<Duration>,
}

/// A claim to a name that is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claiming {
    pub(crate) name: Box<str>,
    /// See `ToRegistry::Claim`.
    pub(crate) replaces: bool,
    pub(crate) taken: Vec<u32>,
    /// It is to be made again.
    pub(crate) later: bool,
}

impl Newcomer {
    /// Whether the name is the one that they come under; of one that was only asked for, letters may be of either case.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        match &self.account {
            Some(account) => *account.name == *name,
            None => self.name.eq_ignore_ascii_case(name),
        }
    }
}

/// What rooms say of a user's games.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gather {
    /// Rooms that have not answered.
    pub(crate) left: usize,
    /// Games of each room, as entries of the answer.
    pub(crate) games: BTreeMap<u32, Bytes>,
}

/// What needs the leave of the user whom it concerns: they may not want to hear of whoever does it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Then {
    /// Tells them something.
    Tell {
        to: ConnId,
        receiver: Box<str>,
        text: Bytes,
    },
    /// Looks at the games they are in.
    Games(Box<str>),
}

/// Somebody whose name is being found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Newcomer {
    /// The name that was asked for.
    pub(crate) name: Box<str>,
    pub(crate) password_right: bool,
    pub(crate) client_id: Box<str>,
    pub(crate) client_version: Box<str>,
    pub(crate) missing: Vec<Box<str>>,
    /// Its account, if it has one.
    pub(crate) account: Option<Box<Account>>,
    /// The games in which they have a place.
    pub(crate) games: BTreeMap<u32, Place>,
    /// The name that is claimed for them.
    #[serde(default)]
    pub(crate) claiming: Option<Claiming>,
    /// The name that they have, and the epoch of its grant.
    #[serde(default)]
    pub(crate) granted: Option<(Box<str>, u64)>,
}
