//! What shards say to each other.
//!
//! A [`Seat`] names one player's relation to one game for ever, so that mail about a relation that has ended since
//! finds nothing and does no harm.

use crate::{
    ConnId, ShardId,
    faf::{
        mail::{
            coordinator::{CoordinatorRefusal, CoordinatorRequest, MatchOutcome},
            directory::Changes,
            game::{GameReport, MatchSpec},
            session::{CoordinatorEvent, JoinRefusal, RestoreRefusal},
        },
        model::{
            game::Launch,
            seat::{LoginId, Seat},
        },
        rules::{rated_game::RatingChange, visibility::Rule},
    },
};
pub(in crate::faf) mod coordinator;
pub(in crate::faf) mod directory;
pub(in crate::faf) mod game;
pub(in crate::faf) mod session;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

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
        event: GameReport,
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
