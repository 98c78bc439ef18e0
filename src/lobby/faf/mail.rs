//! What shards say to each other.
//!
//! A [`Seat`] names one player's relation to one game for ever, so that mail about a relation that has ended since
//! finds nothing and does no harm.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    asks::Relation,
    coordinator::{CoordinatorRefusal, CoordinatorRequest, LoginId},
    games::Launch,
    matchmaking::{CoordinatorEvent, MatchOutcome, MatchSpec},
    options::OptionValue,
    rated_game::RatingChange,
    visibility::Rule,
};
use crate::{ConnId, ShardId};

/// One player's relation to one game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// The game.
    pub uid: u32,
    /// The player.
    pub player_id: u32,
    /// Where he is.
    pub conn: ConnId,
    /// Tells apart the relations one connection has had.
    pub serial: u32,
}

/// From one shard to another.
#[derive(Debug, Serialize, Deserialize)]
pub enum Mail {
    /// To a player's home shard: this connection has proved to be him.
    Claim {
        /// Player.
        player_id: u32,
        /// His connection.
        conn: ConnId,
    },
    /// To a player's home shard: that connection is no longer him.
    Unclaim {
        /// Player.
        player_id: u32,
        /// His former connection.
        conn: ConnId,
    },
    /// From the home shard: the connection is the player now.
    Granted {
        /// Player.
        player_id: u32,
        /// His connection.
        conn: ConnId,
        /// Grows with every grant of this player.
        epoch: u64,
    },
    /// From the home shard: somebody else is the player now.
    Evict {
        /// Player.
        player_id: u32,
        /// The connection to end.
        conn: ConnId,
    },
    /// A player can be reached.
    PlayerHere {
        /// Player.
        id: u32,
        /// His connection.
        conn: ConnId,
        /// Of his claim.
        epoch: u64,
        /// His object: who signs in elsewhere before the next tick is told of him too.
        text: Bytes,
    },
    /// A player can't be reached any more.
    PlayerGone {
        /// Player.
        id: u32,
        /// Of his claim.
        epoch: u64,
    },
    /// The sender owns a new game.
    GameHere {
        /// The game.
        uid: u32,
    },
    /// What has changed at the sender since its last tick.
    Dirty(Box<Changes>),
    /// To a game's owner: a player wants in (spec: faf-messages 3.8).
    Join {
        /// His place if he is let in.
        seat: Seat,
        /// What he gave.
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
        /// His place if he is let in.
        seat: Seat,
        /// His name.
        login: Box<str>,
    },
    /// The owner's verdict: whether he is the host, or why not.
    RestoreAnswer {
        /// The place.
        seat: Seat,
        /// Verdict.
        verdict: Result<bool, RestoreRefusal>,
    },
    /// To a game's owner: what a player's game reported.
    FromGame {
        /// Whose.
        seat: Seat,
        /// What.
        event: Event,
    },
    /// From a game's owner: the player is in the mesh.
    Connected(Seat),
    /// From a game's owner: the relation is over.
    LinkEnded(Seat),
    /// From a game's owner: the game was launched with him.
    SetPlaying(Seat),
    /// To every shard: ratings have changed.
    Rated(Vec<RatingChange>),
    /// A relayed message for a player's game, in encoded form.
    Ice {
        /// Receiver.
        to: ConnId,
        /// Whole message.
        body: Bytes,
    },
    /// A game's visibility for one player has changed (spec: faf-messages 3.13, N#1029).
    Reveal {
        /// Receiver.
        to: ConnId,
        /// He must still be this player.
        player_id: u32,
        /// Whole message.
        body: Bytes,
        /// Decides who sees it for other reasons.
        rule: Box<Rule>,
    },
    /// To the shard of a player who is about to be invited to a party: would he hear of it?
    MayInvite {
        /// Who invites.
        login_id: LoginId,
        /// Whom.
        recipient_id: u32,
        /// Where he is.
        recipient: ConnId,
    },
    /// His shard's word.
    MayInviteAnswer {
        /// Who invites.
        login_id: LoginId,
        /// Whom.
        recipient_id: u32,
        /// Where he is.
        recipient: ConnId,
        /// Whether he may be invited; `None`: he is not there.
        welcome: Option<bool>,
    },
    /// To the coordinator: what a player wants there, or has done elsewhere.
    ToHall {
        /// Who.
        login_id: LoginId,
        /// What.
        request: CoordinatorRequest,
    },
    /// From the coordinator: a request is done, and its sender is heard again.
    HallAnswer {
        /// Who.
        login_id: LoginId,
        /// Or why it was not done.
        verdict: Result<(), CoordinatorRefusal>,
    },
    /// From the coordinator: about a player's searches and matches.
    FromHall {
        /// Who.
        login_id: LoginId,
        /// What.
        word: CoordinatorEvent,
    },
    /// From the coordinator to a host's shard: a match is to become a game.
    OpenMatch(Box<MatchSpec>),
    /// From a match's owner to a login_id's shard: he is to join.
    CallToGame {
        /// Who.
        login_id: LoginId,
        /// The game.
        uid: u32,
        /// The shard that has it.
        owner: ShardId,
        /// How to launch it.
        launch: Launch,
    },
    /// His shard's answer.
    Summoned {
        /// The game.
        uid: u32,
        /// Who.
        player_id: u32,
        /// His place; `None`: he is not there.
        seat: Option<Seat>,
    },
    /// To the coordinator: how a match went.
    MatchOver {
        /// The coordinator's name for it.
        match_id: u64,
        /// How.
        outcome: MatchOutcome,
    },
    /// A message for a player, as long as that connection is still him.
    Tell {
        /// Receiver.
        conn: ConnId,
        /// Who he must be.
        player_id: u32,
        /// Whole message.
        body: Bytes,
    },
    /// A message for everybody who is logged in at the receiving shard.
    TellAll(Bytes),
    /// To a player's shard: his connection is to end.
    Dismiss {
        /// Which.
        conn: ConnId,
        /// Who he must be.
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
    /// Player.
    pub id: u32,
    /// Of his claim.
    pub epoch: u64,
    /// Whether he is still there.
    pub online: bool,
    /// His object in `player_info`.
    pub text: Bytes,
}

/// A game's newest entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GameUpdate {
    /// The game.
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
    /// The host does not want him.
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
    /// He did not take part.
    NotPart,
}

/// How a player leaves (spec: faf-lifecycle 10.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leaving {
    /// His game closed.
    Ended,
    /// His lobby connection is gone.
    Lost,
    /// The server decided.
    Aborted,
}

/// Kinds of result that count (spec: faf-messages 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Won.
    Victory,
    /// Lost.
    Defeat,
    /// Nobody won.
    Draw,
    /// Agreed on.
    MutualDraw,
}

/// One army's result in one player's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmyResult {
    /// Who says so.
    pub reporter: u32,
    /// About whom.
    pub army: i64,
    /// What.
    pub outcome: Outcome,
    /// Points.
    pub score: i64,
    /// Tags in front of the outcome.
    pub metadata: Vec<String>,
}

/// What a player's game reported, typed and checked as far as the player's own shard can.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// The host's game is there.
    HostIdle {
        /// His name.
        login: Box<str>,
    },
    /// The host's game takes connections.
    HostLobby,
    /// A login_id's game wants to be connected.
    Connect {
        /// His name.
        login: Box<str>,
    },
    /// The host starts the game.
    Launching,
    /// No meaning beyond making the game dirty.
    Touch,
    /// He leaves.
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
