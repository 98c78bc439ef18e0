//! What shards say to each other.
//!
//! A [`Seat`] names one player's relation to one game for ever, so that mail about a relation that has ended since
//! finds nothing and does no harm.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    coordinator::{CoordinatorRefusal, CoordinatorRequest, LoginId},
    games::Launch,
    matchmaking::{CoordinatorEvent, MatchOutcome, MatchSpec},
    options::OptionValue,
    questions::Relation,
    rated_game::RatingChange,
    visibility::Rule,
};
use crate::{ConnId, ShardId};

/// One player's relation to one game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Uid of the game (`game_stats.id`).
    pub uid: u32,
    /// The player.
    pub player_id: u32,
    /// Where they are.
    pub conn: ConnId,
    /// Tells apart the relations one connection has had.
    pub serial: u32,
}

/// From one shard to another.
#[derive(Debug, Serialize, Deserialize)]
pub enum Mail {
    /// To a player's home shard: this connection has signed in as the player.
    Claim {
        /// Account id of the player (`login.id`).
        player_id: u32,
        /// Their connection.
        conn: ConnId,
    },
    /// To a player's home shard: that connection is no longer the player's.
    Unclaim {
        /// Account id of the player (`login.id`).
        player_id: u32,
        /// Their former connection.
        conn: ConnId,
    },
    /// From the home shard: the connection is the player now.
    Granted {
        /// Account id of the player (`login.id`).
        player_id: u32,
        /// Their connection.
        conn: ConnId,
        /// Grows with every grant of this player.
        epoch: u64,
    },
    /// From the home shard: somebody else is the player now.
    Evict {
        /// Account id of the player (`login.id`).
        player_id: u32,
        /// The connection to end.
        conn: ConnId,
    },
    /// A player can be reached.
    PlayerHere {
        /// Account id of the player (`login.id`).
        id: u32,
        /// Their connection.
        conn: ConnId,
        /// Of their claim.
        epoch: u64,
        /// Their object: who signs in elsewhere before the next tick is told of them too.
        text: Bytes,
    },
    /// A player can't be reached any more.
    PlayerGone {
        /// Account id of the player (`login.id`).
        id: u32,
        /// Of their claim.
        epoch: u64,
    },
    /// The sender owns a new game.
    GameHere {
        /// Uid of the game (`game_stats.id`).
        uid: u32,
    },
    /// What has changed at the sender since its last tick.
    Dirty(Box<Changes>),
    /// To a game's owner: a player wants in (spec: faf-messages 3.8).
    Join {
        /// Their place if they are let in.
        seat: Seat,
        /// What they gave.
        password: Option<String>,
    },
    /// The owner's verdict.
    JoinAnswer {
        /// The place.
        seat: Seat,
        /// How to launch, or why not.
        verdict: Result<Launch, JoinRefusal>,
    },
    /// To a game's owner: a player wants back in (spec: faf-messages 3.9).
    Restore {
        /// Their place if they are let in.
        seat: Seat,
        /// Their name.
        login: Box<str>,
    },
    /// The owner's verdict: whether they are the host, or why not.
    RestoreAnswer {
        /// The place.
        seat: Seat,
        /// Whether the player is the host, or why the game can't be returned to.
        verdict: Result<bool, RestoreRefusal>,
    },
    /// To a game's owner: what a player's game reported.
    FromGame {
        /// The player's relation to the game that it is about.
        seat: Seat,
        /// What the game process reported.
        event: Event,
    },
    /// From a game's owner: the player is in the mesh.
    Connected(Seat),
    /// From a game's owner: the relation is over.
    LinkEnded(Seat),
    /// From a game's owner: the game was launched with them.
    SetPlaying(Seat),
    /// To every shard: ratings have changed.
    Rated(Vec<RatingChange>),
    /// A relayed message for a player's game, in encoded form.
    Ice {
        /// The connection that is told.
        to: ConnId,
        /// The message as it is sent, without framing.
        body: Bytes,
    },
    /// A game's visibility for one player has changed (spec: faf-messages 3.13, N#1029).
    Reveal {
        /// The connection that is told.
        to: ConnId,
        /// They must still be this player.
        player_id: u32,
        /// The message as it is sent, without framing.
        body: Bytes,
        /// Decides who sees it for other reasons.
        rule: Box<Rule>,
    },
    /// To the shard of a player who is about to be invited to a party: would they hear of it?
    MayInvite {
        /// Who invites.
        login_id: LoginId,
        /// Account id of who is invited.
        recipient_id: u32,
        /// Where they are.
        recipient: ConnId,
    },
    /// Their shard's word.
    MayInviteAnswer {
        /// Who invites.
        login_id: LoginId,
        /// Account id of who is invited.
        recipient_id: u32,
        /// Where they are.
        recipient: ConnId,
        /// Whether they may be invited; `None`: they are not there.
        welcome: Option<bool>,
    },
    /// To the coordinator: what a player wants there, or has done elsewhere.
    ToHall {
        /// The login this is about: player, connection and claim.
        login_id: LoginId,
        /// What they want done.
        request: CoordinatorRequest,
    },
    /// From the coordinator: a request is done, and its sender is heard again.
    HallAnswer {
        /// The login this is about: player, connection and claim.
        login_id: LoginId,
        /// Or why it was not done.
        verdict: Result<(), CoordinatorRefusal>,
    },
    /// From the coordinator: about a player's searches and matches.
    FromHall {
        /// The login this is about: player, connection and claim.
        login_id: LoginId,
        /// What the coordinator tells the shard of that login.
        word: CoordinatorEvent,
    },
    /// From the coordinator to a host's shard: a match is to become a game.
    OpenMatch(Box<MatchSpec>),
    /// From a match's owner to the shard of a guest: they are to join.
    CallToGame {
        /// The login this is about: player, connection and claim.
        login_id: LoginId,
        /// Uid of the game (`game_stats.id`).
        uid: u32,
        /// The shard that has it.
        owner: ShardId,
        /// How to launch it.
        launch: Launch,
    },
    /// Their shard's answer.
    Summoned {
        /// Uid of the game (`game_stats.id`).
        uid: u32,
        /// Account id of the player this is about.
        player_id: u32,
        /// Their place; `None`: they are not there.
        seat: Option<Seat>,
    },
    /// To the coordinator: how a match went.
    MatchOver {
        /// The coordinator's name for it.
        match_id: u64,
        /// How the match went.
        outcome: MatchOutcome,
    },
    /// A message for a player, as long as that connection is still theirs.
    Tell {
        /// The connection that is told.
        conn: ConnId,
        /// The player whose connection it must still be.
        player_id: u32,
        /// The message as it is sent, without framing.
        body: Bytes,
    },
    /// A message for everybody who is logged in at the receiving shard.
    TellAll(Bytes),
    /// To a player's shard: their connection is to end.
    Dismiss {
        /// The connection to end, if it is still that player's.
        conn: ConnId,
        /// The player whose connection it must still be.
        player_id: u32,
    },
}

/// What changed at one shard.
#[derive(Debug, Serialize, Deserialize)]
pub struct Changes {
    /// Number of the tick: the same moment on all shards.
    pub tick: u64,
    /// Players that came, went or changed.
    pub players: Vec<PlayerUpdate>,
    /// Games that came, went or changed.
    pub games: Vec<GameUpdate>,
    /// From the coordinator: `matchmaker_info` with the queues that changed.
    pub queues: Option<Bytes>,
}

/// A player's newest entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlayerUpdate {
    /// Account id of the player (`login.id`).
    pub id: u32,
    /// Of their claim.
    pub epoch: u64,
    /// Whether they are still there.
    pub online: bool,
    /// Their object in `player_info`.
    pub text: Bytes,
}

/// A game's newest entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GameUpdate {
    /// Uid of the game (`game_stats.id`).
    pub uid: u32,
    /// Whether it belongs in the list a newcomer gets.
    pub listed: bool,
    /// Whether this is its last entry.
    pub ended: bool,
    /// Who sees it.
    pub rule: Rule,
    /// The single form of `game_info`.
    pub body: Bytes,
}

/// Why a join came to nothing (spec: faf-messages 3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinRefusal {
    /// No such game.
    HostLeft,
    /// The host does not want them.
    Foe,
    /// Not in the lobby.
    NotReady,
    /// Made by the matchmaker.
    Matchmaker,
    /// Wrong password.
    BadPassword,
}

/// Why a restore came to nothing (spec: faf-messages 3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestoreRefusal {
    /// No such game.
    Gone,
    /// It is over.
    NotAvailable,
    /// They did not take part.
    NotPart,
}

/// How a player leaves (spec: faf-lifecycle 10.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leaving {
    /// Their game closed.
    Ended,
    /// Their lobby connection is gone.
    Lost,
    /// The server decided.
    Aborted,
}

/// Kinds of result that count (spec: faf-messages 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The army, or the team, has won.
    Victory,
    /// The army, or the team, has lost.
    Defeat,
    /// A draw, without having been agreed on.
    Draw,
    /// All agreed on a draw.
    MutualDraw,
}

/// One army's result in one player's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmyResult {
    /// Who says so.
    pub reporter: u32,
    /// Number of the army that it is about.
    pub army: i64,
    /// The outcome that was reported.
    pub outcome: Outcome,
    /// Score that was reported with it.
    pub score: i64,
    /// Tags in front of the outcome.
    pub metadata: Vec<String>,
}

/// What a player's game reported, typed and checked as far as the player's own shard can.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The host's game is there.
    HostIdle {
        /// Their name.
        login: Box<str>,
    },
    /// The host's game takes connections.
    HostLobby,
    /// A guest's game wants to be connected.
    Connect {
        /// Their name.
        login: Box<str>,
    },
    /// The host starts the game.
    Launching,
    /// No meaning beyond making the game dirty.
    Touch,
    /// The player leaves the game, and how.
    Leave(Leaving),
    /// An option of the game.
    GameOption(Box<str>, OptionValue),
    /// The sim mods by uid and name.
    Mods(Vec<(String, String)>),
    /// An option of a player.
    PlayerOption(u32, Box<str>, OptionValue),
    /// An option of an AI.
    AiOption(Box<str>, Box<str>, OptionValue),
    /// A slot was emptied.
    ClearSlot(OptionValue),
    /// A result.
    Result(ArmyResult),
    /// A coop mission was completed: with its secondary goals, in this time.
    OperationComplete(bool, Box<str>),
    /// Army statistics as JSON text.
    Stats(String),
    /// Short games count too.
    EnforceRating,
    /// At this game time, this victim, this killer.
    Teamkill(i64, u32, u32),
    /// The simulation has finished.
    GameEnded,
    /// The simulations differ.
    Desync,
    /// The host's lists changed.
    HostRelation(u32, Option<Relation>),
}
