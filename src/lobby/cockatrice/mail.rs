//! What the roles of the lobby tell each other, on one shard or on several.
//!
//! All that an input causes for another shard is one letter, in the order in which it was caused; what it causes for its own
//! shard is done right after it, in the same order.

use std::collections::VecDeque;

use bytes::Bytes;
use cockatrice::messages::CloseReason;
use serde::{Deserialize, Serialize};

use super::state::{directory::Listed, visitor::Visitor, work::Reply};
use crate::{ConnId, Topic};

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
    /// A room; where it lives.
    Room(u32, ToRoom),
    /// A game; where its room lives.
    Game(u32, ToGame),
    /// A connection; where it is.
    Session(ConnId, ToSession),
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
    },
    /// The connection is no longer this user, or no longer wants to be.
    Release { name: Box<str>, conn: ConnId },
}

/// For everybody's picture of the lobby.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToDirectory {
    /// Somebody has signed in.
    Joined(Listed),
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
    /// They leave it by command.
    Leave(ConnId),
    /// They are gone.
    Gone(ConnId),
    /// They say something.
    Say { conn: ConnId, text: String },
    /// They create a game: the container's command as it came.
    Create { who: Listed, command: Bytes },
    /// They join one of its games.
    Enter { who: Listed, command: Bytes },
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
    /// It is so many ticks since something came from a participant.
    Ping(ConnId, i32),
}

/// What a participant does with one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameCommands {
    pub(super) conn: ConnId,
    /// The container as it came.
    pub(super) container: Bytes,
    /// The first of its commands that is obeyed: those in front of it, which would come later, are too many.
    pub(super) from: usize,
    /// Whether what is said may be, in the order in which it would be.
    pub(super) may_say: VecDeque<bool>,
}

/// For a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToSession {
    /// It may stay, or why not.
    Admitted(Option<CloseReason>),
    /// It is this user from now on.
    Granted(Box<str>),
    /// A newer session of its name ends it.
    Evicted,
    /// What came of its command.
    Reply(Reply),
    /// These games, as entries of an answer, are one room's of the user that it asked for.
    GamesOf(u32, Bytes),
    /// It is in this game, as the participant of a command.
    Entered(u32),
    /// It is no longer in it.
    Removed(u32),
}

/// What is done for the clients of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// A message to one.
    Send(ConnId, Bytes),
    /// One to several.
    SendEach(Vec<ConnId>, Bytes),
    /// One to all in a topic.
    Spread(Topic, Bytes),
    /// From now on it is in that topic.
    Enter(ConnId, Topic),
    /// From now on it is not.
    Leave(ConnId, Topic),
}
