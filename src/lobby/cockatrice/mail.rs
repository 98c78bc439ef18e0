//! What the roles of the lobby tell each other, on one shard or on several.
//!
//! All that an input causes for another shard is one letter, in the order in which it was caused; what it causes for its own
//! shard is done right after it, in the same order.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use cockatrice::{
    game::{ParticipantId, Role, Rules},
    messages::CloseReason,
    rooms::History,
};
use serde::{Deserialize, Serialize};

use super::{
    questions::{ListChange, LogLine},
    state::{
        directory::{Listed, Place},
        lists::Lists,
        room::GameNews,
        session::Taking,
        visitor::Visitor,
        work::Reply,
    },
};
use crate::{ConnId, ShardId, Topic, homes::Era, operator::Farewell};

/// What one shard tells another.
pub type Mail = Vec<Caused>;

/// One thing, and what has caused it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Caused {
    /// The step of a connection's shard that somebody waits with, and that answers name; 0: nobody does.
    pub(super) step: u64,
    /// What it is.
    pub(super) item: Item,
}

/// One thing that a role is told, or that is done for a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Item {
    /// Who may come in; on the first shard.
    Desk(ToDesk),
    /// Who has which name; at a name's home.
    Registry(ToRegistry),
    /// Who is there, and how many are in each room; everywhere.
    Directory(ToDirectory),
    /// Somebody has gone, and comes by these shards yet, the last one first; on each what was told it before has been done. The one
    /// behind them all, where they were, tells everybody.
    Departed(Vec<ShardId>, Box<Departure>),
    /// A room; where it lives, as was known in this era.
    Room(u32, Era, ToRoom),
    /// A game; where it is.
    Game(u32, ToGame),
    /// Somebody asks which room a game is of; everywhere.
    Where(ConnId, u32),
    /// A game that is to begin; where it is to be.
    Begin(Box<NewGameAt>),
    /// A connection; where it is.
    Session(ConnId, ToSession),
    /// An administrator ends the server in so many minutes, of which this is left; everywhere.
    Shutdown {
        reason: Box<str>,
        minutes: u32,
        left: Duration,
    },
    /// Something was said that is written down; where its node's log is.
    Log(Box<LogLine>),
    /// What was said is to be in the store: this connection waits for that; where logs are.
    WriteLog(ConnId),
    /// Sessions of somebody who is no longer welcome; everywhere.
    Eject(Box<Eject>),
    /// Something for clients; where they are.
    Show(Delivery),
    /// A part of a letter that is too long for one; with the last it is whole.
    Piece { bytes: Bytes, is_last: bool },
}

/// Whoever has gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Departure {
    pub(super) name: Box<str>,
    pub(super) conn: ConnId,
    /// In which they keep a place.
    pub(super) games: BTreeMap<u32, Place>,
}

/// For the desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ToDesk {
    /// A connection has come.
    Enter(ConnId, Visitor),
    /// A connection is here already, and counts from now on.
    Stays(Visitor),
    /// A connection that was let in has gone, or counts no more.
    Leave(Visitor),
}

/// For a name's home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ToRegistry {
    /// The connection wants to be this user. `replaces`: an older session of the name is to end; otherwise the name gets a
    /// number if it is taken.
    Claim {
        name: Box<str>,
        conn: ConnId,
        replaces: bool,
        /// Numbers that the name does not get: there are accounts of those names.
        taken: Vec<u32>,
        /// Under which its home was found.
        era: Era,
    },
    /// The connection is no longer this user, or no longer wants to be. `games` are those in which they keep a place.
    Release {
        name: Box<str>,
        conn: ConnId,
        games: BTreeMap<u32, Place>,
    },
    /// In that game they have no place any more.
    Forget { name: Box<str>, game: u32 },
    /// In that game they keep a place, without a connection.
    Behind {
        name: Box<str>,
        game: u32,
        place: Place,
    },
    /// All users of this shard whose home it is, with the epochs of their grants.
    Claims {
        era: Era,
        from: ShardId,
        claims: Vec<(Box<str>, ConnId, u64)>,
    },
}

/// For everybody's picture of the lobby.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ToDirectory {
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
    /// All users of the shard that says so.
    Shown(Vec<Listed>),
    /// Somebody is in a room now; the room's shard says so to all others, which tell their members, unless it is only their
    /// record that is another one.
    Entered {
        room: u32,
        member: Listed,
        told: bool,
    },
    /// Somebody is in it no more.
    Exited { room: u32, name: Box<str> },
    /// A game of a room has this record now; none: it is over. What members are told of it.
    Game {
        room: u32,
        game: u32,
        record: Option<Bytes>,
        list: Option<Bytes>,
    },
    /// Everything in a room.
    Contents {
        room: u32,
        members: Vec<Listed>,
        games: BTreeMap<u32, Bytes>,
    },
}

/// For a room, about somebody on this connection who waits for the answer, where it is a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ToRoom {
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
    /// All members that are on this shard, and all games of the room that it has.
    Enrol {
        from: ShardId,
        members: Vec<Listed>,
        games: Vec<GameNews>,
    },
    /// A game that another shard has; what the members are told of it.
    News(Box<GameNews>, Bytes),
    /// It is over.
    NoGame(u32),
    /// What was said in it, from where it lived before.
    History(History),
}

impl ToRoom {
    /// Whether somebody waits for an answer to it.
    pub(super) fn is_awaited(&self) -> bool {
        match self {
            ToRoom::Join(_)
            | ToRoom::Purge { .. }
            | ToRoom::Leave(_)
            | ToRoom::Say { .. }
            | ToRoom::Create { .. }
            | ToRoom::Enter { .. }
            | ToRoom::GamesOf { .. } => true,
            ToRoom::Changed(_)
            | ToRoom::Gone(_)
            | ToRoom::Enrol { .. }
            | ToRoom::News(..)
            | ToRoom::NoGame(_)
            | ToRoom::History(_) => false,
        }
    }
}

/// For a game.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ToGame {
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
    /// Somebody joins it: the room has looked it up.
    Enter {
        room: u32,
        who: Entrant,
        command: Bytes,
    },
    /// A connection takes itself for a participant, after something between them was lost.
    Still(ConnId),
}

/// Somebody who enters a game.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entrant {
    pub(super) listed: Listed,
    /// The record in profile form.
    pub(super) profile: Bytes,
}

/// A game that is about to begin in a room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct NewGameAt {
    pub(super) room: u32,
    pub(super) rules: Rules,
    pub(super) role: Role,
    pub(super) lists: Box<Lists>,
    pub(super) now_s: u64,
    pub(super) entrant: Entrant,
}

/// What a participant does with one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GameCommands {
    pub(super) conn: ConnId,
    /// The container as it came.
    pub(super) container: Bytes,
    /// Whether what is said may be, in the order in which it would be.
    pub(super) may_say: VecDeque<bool>,
    /// The stored decks of their own that they ask for, as far as there are such.
    pub(super) decks: BTreeMap<i32, Bytes>,
    /// Who it is, if what is said in games is written down.
    pub(super) speaker: Option<Box<LogLine>>,
    /// What players have let go of whom a judge makes do something, as far as they were asked.
    #[serde(default)]
    pub(super) forced: BTreeMap<ParticipantId, Forced>,
}

/// What of a player's own goes into what a judge makes them do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Forced {
    /// Whether what they are made to say may be said, one after the other.
    pub(super) may_say: VecDeque<bool>,
    /// The stored decks of theirs that they are to select, as far as there are such.
    #[serde(default)]
    pub(super) decks: BTreeMap<i32, Bytes>,
}

/// What a judge's container wants of a player.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wanted {
    /// Who that is in the game.
    pub(super) of: ParticipantId,
    /// Bytes of each text that they are to say.
    pub(super) texts: Vec<u32>,
    /// Stored decks that they are to select.
    #[serde(default)]
    pub(super) decks: BTreeSet<i32>,
}

/// A judge's container on its way to somebody of whom it wants something; then it goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AskForced {
    pub(super) game: u32,
    /// The shard that has it.
    pub(super) shard: ShardId,
    pub(super) wanted: Wanted,
    pub(super) commands: GameCommands,
}

/// For a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum ToSession {
    /// It may stay, or why not.
    Admitted(Option<CloseReason>),
    /// It has this name from now on, by a grant of this epoch in this era, and a place in these games; or too many have it.
    Granted(Option<Box<str>>, BTreeMap<u32, Place>, u64, Era),
    /// Its claim can't be answered yet.
    ClaimLater(Era),
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
    /// The game that it asks for is of this room; none: it is not on that shard.
    GameIn(Option<u32>),
    /// It is in this game.
    Entered(u32, Taking),
    /// It is no longer in it.
    Removed(u32),
    /// A judge makes its user do something.
    Forced(Box<AskForced>),
    /// An operator of another node ends it.
    Dismissed(Box<Farewell>),
    /// A game of this shard takes it for a participant, after something between them was lost.
    StillIn(u32, ShardId),
}

/// Whose sessions end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Eject {
    /// Users of these names.
    pub(super) names: Vec<Box<str>>,
    /// Everybody at this address; empty: nobody because of it.
    pub(super) address: Box<str>,
    /// What they are told.
    pub(super) last: Bytes,
}

/// What is done for the clients of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Delivery {
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
