//! What the roles of the lobby tell each other, on one shard or on several.
//!
//! All that an input causes for another shard is one letter, in the order in which it was caused; what it causes for its own
//! shard is done right after it, in the same order.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use cockatrice::messages::CloseReason;
use serde::{Deserialize, Serialize};

use super::{
    questions::{ListChange, LogLine},
    state::{directory::Listed, lists::Lists, session::Taking, visitor::Visitor, work::Reply},
};
use crate::{ConnId, ShardId, Topic};

/// What one shard tells another.
pub type Mail = Vec<Item>;

/// One thing that a role is told, or that is done for a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Item {
    /// Who may come in; on the first shard.
    Desk(ToDesk),
    /// Who has which name; at a name's home.
    Registry(ToRegistry),
    /// Who is there, and how many are in each room; everywhere.
    Directory(ToDirectory),
    /// What that shard is to tell everywhere, as soon as what was told before has been done here; on a room's shard.
    Echo(ShardId, ToDirectory),
    /// What is told everywhere from here.
    Everywhere(ToDirectory),
    /// A room; where it lives.
    Room(u32, ToRoom),
    /// A game; where its room lives.
    Game(u32, ToGame),
    /// A connection; where it is.
    Session(ConnId, ToSession),
    /// An administrator ends the server in so many minutes, at this monotonic time; everywhere.
    Shutdown {
        reason: Box<str>,
        minutes: u32,
        ends: Duration,
    },
    /// What was said is to be in the store: this connection waits for that; everywhere.
    WriteLog(ConnId),
    /// Sessions of somebody who is no longer welcome; everywhere.
    Eject(Box<Eject>),
    /// Something for clients; where they are.
    Show(Delivery),
}

/// For the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToDesk {
    /// A connection has come.
    Enter(ConnId, Visitor),
    /// A connection that was let in has gone.
    Leave(Visitor),
}

/// For a name's home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToRegistry {
    /// The connection wants to be this user. `replaces`: an older session of the name is to end; otherwise the name gets a
    /// number if it is taken.
    Claim {
        name: Box<str>,
        conn: ConnId,
        replaces: bool,
        /// Numbers that the name does not get: there are accounts of those names.
        taken: Vec<u32>,
    },
    /// The connection is no longer this user, or no longer wants to be. `games`, with their rooms, are those in which they keep
    /// a place.
    Release {
        name: Box<str>,
        conn: ConnId,
        games: BTreeMap<u32, u32>,
    },
    /// In that game they have no place any more.
    Forget { name: Box<str>, game: u32 },
}

/// For everybody's picture of the lobby.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToDirectory {
    /// Somebody has signed in.
    Joined(Listed),
    /// Somebody's record is another one. `told`: those who list users are told of it.
    Changed { user: Listed, told: bool },
    /// Somebody has changed one of their lists, which counts for games that they have created.
    Lists { owner: Box<str>, change: ListChange },
    /// Somebody has gone, from this connection.
    Left { name: Box<str>, conn: ConnId },
    /// A room has so many members and games.
    Room { room: u32, players: u32, games: u32 },
}

/// For a room, about somebody on this connection who waits for the answer, where it is a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToRoom {
    /// They enter it.
    Join(Listed),
    /// Their record is another one.
    Changed(Listed),
    /// A moderator takes back what somebody has said last.
    Purge {
        conn: ConnId,
        name: Box<str>,
        lines: u32,
    },
    /// They leave it by command.
    Leave(ConnId),
    /// They are gone.
    Gone(ConnId),
    /// They say something.
    Say { conn: ConnId, text: String },
    /// They create a game: the container's command as it came.
    Create {
        who: Entrant,
        lists: Box<Lists>,
        command: Bytes,
    },
    /// They join one of its games.
    Enter { who: Entrant, command: Bytes },
    /// Somebody asks which of its games this user is in.
    GamesOf { conn: ConnId, name: Box<str> },
}

/// For a game.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToGame {
    /// A participant's container.
    Commands(GameCommands),
    /// A participant's connection is lost.
    Lost(ConnId),
    /// Somebody who has gone is said to keep a place: their name's home forgets it if there is none any more.
    Awaits(Box<str>),
    /// A participant is back, and waits to be told of the game.
    Returned(Entrant),
    /// It is so many ticks since something came from a participant.
    Ping(ConnId, i32),
}

/// Somebody who enters a game.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entrant {
    pub(super) listed: Listed,
    /// The record in profile form.
    pub(super) profile: Bytes,
}

/// What a participant does with one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameCommands {
    pub(super) conn: ConnId,
    /// The container as it came.
    pub(super) container: Bytes,
    /// Whether what is said may be, in the order in which it would be.
    pub(super) may_say: VecDeque<bool>,
    /// The stored decks that they ask for, as far as there are such.
    pub(super) decks: BTreeMap<i32, Bytes>,
    /// Who it is, if what is said in games is written down.
    pub(super) speaker: Option<Box<LogLine>>,
}

/// For a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToSession {
    /// It may stay, or why not.
    Admitted(Option<CloseReason>),
    /// It has this name from now on, and a place in these games, which are in these rooms; or too many have the name.
    Granted(Option<Box<str>>, BTreeMap<u32, u32>),
    /// A newer session of its name ends it.
    Evicted,
    /// What came of its command.
    Reply(Reply),
    /// These games, as entries of an answer, are one room's of the user that it asked for.
    GamesOf(u32, Bytes),
    /// Somebody wants to see its user's record, with what staff may see.
    Look {
        asker: ConnId,
        name: Box<str>,
        staff: bool,
    },
    /// Somebody wants to do something that its user may not want of them.
    May {
        asker: ConnId,
        name: Box<str>,
        /// Staff may do it whatever the user wants.
        exempt: bool,
    },
    /// The user whom it concerns, who has this account (0: none), has no objection.
    Agreed(u32),
    /// It is in this game.
    Entered(u32, Taking),
    /// It is no longer in it.
    Removed(u32),
    /// A judge has made its user say so many bytes.
    MadeToSay(u32),
}

/// Whose sessions end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eject {
    /// Users of these names.
    pub(super) names: Vec<Box<str>>,
    /// Everybody at this address; empty: nobody because of it.
    pub(super) address: Box<str>,
    /// What they are told.
    pub(super) last: Bytes,
}

/// What is done for the clients of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// A message to one.
    Send(ConnId, Bytes),
    /// One to several.
    SendEach(Vec<ConnId>, Bytes),
    /// One to everybody who has signed in.
    SendAll(Bytes),
    /// One to all in a topic.
    Spread(Topic, Bytes),
    /// From now on it is in that topic.
    Enter(ConnId, Topic),
    /// From now on it is not.
    Leave(ConnId, Topic),
}
