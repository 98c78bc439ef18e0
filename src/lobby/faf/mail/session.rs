//! What a player's shard is told of them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    ConnId, ShardId,
    faf::{
        mail::{
            coordinator::CoordinatorRefusal,
            directory::{GameUpdate, PlayerUpdate},
            game::MatchSpec,
        },
        model::{
            game::Launch,
            seat::{LoginId, Seat},
        },
        rules::{rated_game::RatingChange, visibility::Rule},
        topology::Era,
    },
    operator::Farewell,
};

/// To the sessions of a shard, mostly to one of them.
#[derive(Debug, Serialize, Deserialize)]
pub enum SessionMail {
    /// From a player's home shard: whose the account is.
    Home(HomeMail),
    /// The directory shows the games of this node's other shards as they were after somebody had asked to sign in: they may
    /// come in.
    Shown {
        /// Who.
        conn: ConnId,
    },
    /// From the same shard: the directory shows this shard as it is, and somebody is to be sent what it shows.
    SendLists {
        /// Who.
        conn: ConnId,
        /// Their friends and foes, which they are told of between players and games. `None`: they are no newcomer, but have
        /// missed something.
        social: Option<Bytes>,
    },
    /// From the same shard: games and coordinator have heard that a player leaves.
    SignOut {
        /// Their connection.
        conn: ConnId,
        /// What follows.
        then: AfterSignOut,
        /// Their connection was lost while they were playing.
        was_playing: bool,
    },
    /// The owner's verdict about a join.
    JoinAnswer {
        /// The place.
        seat: Seat,
        /// How to launch, or why not.
        verdict: Result<Launch, JoinRefusal>,
    },
    /// The owner's verdict about a return: whether they are the host, or why not.
    RestoreAnswer(RestoreAnswer),
    /// From a game's owner on the host's shard: their client is to launch the game.
    StartHosting {
        /// The host's place.
        seat: Seat,
        /// How to launch it.
        launch: Launch,
    },
    /// From a game's owner: the player is in the mesh.
    Connected(Seat),
    /// From a game's owner: the relation is over.
    LinkEnded(Seat),
    /// From a game's owner, which may be another shard than before: they are in it.
    SeatKept(SeatKept),
    /// To every shard: the sender goes on with a launched game.
    GameMoved {
        /// Uid of the game (`game_stats.id`).
        uid: u32,
        /// Grows with each shard that goes on with it.
        epoch: u32,
    },
    /// From the node that would go on with a game: it has what was reported from this place.
    ReportsSafe {
        /// The place.
        seat: Seat,
        /// Up to this number.
        number: u32,
    },
    /// From a game's owner: the game was launched with them.
    SetPlaying(Seat),
    /// From a game's owner: what they have reported is written down, or could not be; they are heard again.
    Reported(Seat),
    /// To every shard: ratings have changed.
    Rated(Vec<RatingChange>),
    /// A relayed message for a player's game, in encoded form.
    Ice {
        /// The connection that is told, if it is in this game.
        to: ConnId,
        /// Uid of the sender's game.
        uid: u32,
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
    AskWelcome {
        /// Who invites.
        login_id: LoginId,
        /// Account id of who is invited.
        recipient_id: u32,
        /// Where they are.
        recipient: ConnId,
    },
    /// Their shard's word.
    WelcomeAnswer {
        /// Who invites.
        login_id: LoginId,
        /// Account id of who is invited.
        recipient_id: u32,
        /// Where they are.
        recipient: ConnId,
        /// Whether they may be invited; `None`: they are not there.
        welcome: Option<bool>,
    },
    /// From the coordinator: a request is done, and its sender is heard again.
    CoordinatorAnswer {
        /// The login this is about: player, connection and claim.
        login_id: LoginId,
        /// Or why it was not done.
        verdict: Result<(), CoordinatorRefusal>,
    },
    /// From the coordinator: about a player's searches and matches.
    FromCoordinator {
        /// The login this is about: player, connection and claim.
        login_id: LoginId,
        /// What the coordinator tells the shard of that login.
        event: CoordinatorEvent,
    },
    /// From the coordinator, to a shard that it hears for the first time, or hears again: who of its players has been
    /// introduced before?
    Introduce {
        /// Goes back with the answer.
        round: u64,
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
    /// From the same shard: what has gathered for a tick, for everybody who may see it.
    Broadcast(Box<Gathered>),
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
    /// From the coordinator, as the node is to end, after all its news of searches: none of its players searches any more.
    SearchesOver,
    /// From a shard of another node: an operator there ends a connection of this one.
    Evicted {
        /// Which.
        conn: ConnId,
        /// The player whose connection it must still be.
        player_id: u32,
        /// What they are told.
        farewell: Farewell,
    },
    /// To a player's shard: their connection is to end.
    Dismiss {
        /// The connection to end, if it is still that player's.
        conn: ConnId,
        /// The player whose connection it must still be.
        player_id: u32,
    },
}

/// A verdict about a return.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RestoreAnswer {
    /// The place.
    pub seat: Seat,
    /// Whether the player is the host, or why the game can't be returned to.
    pub verdict: Result<bool, RestoreRefusal>,
    /// Of the owner: grows with each shard that goes on with the game.
    #[serde(default)]
    pub epoch: u32,
}

/// A place in a game that a player has.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct SeatKept {
    /// The place.
    pub seat: Seat,
    /// The game was launched with them.
    pub is_playing: bool,
    /// Of the owner: grows with each shard that goes on with the game.
    #[serde(default)]
    pub epoch: u32,
}

/// What a player's home shard says of whose their account is.
#[derive(Debug, Serialize, Deserialize)]
pub enum HomeMail {
    /// The connection is the player now.
    Granted {
        /// Account id of the player (`login.id`).
        player_id: u32,
        /// Their connection.
        conn: ConnId,
        /// Grows with every grant of this player.
        epoch: u64,
        /// Under which that shard is their home; whoever knows another one claims again.
        #[serde(default)]
        era: Era,
    },
    /// The home shard knows another era, or does not know all of its players yet: the claim is to be made again.
    ClaimLater {
        /// Account id of the player (`login.id`).
        player_id: u32,
        /// The connection that has claimed to be them.
        conn: ConnId,
        /// Under which it did.
        era: Era,
    },
    /// Under this era it has not been told which players are there.
    SendClaims {
        /// Under which the receiver is to tell them.
        era: Era,
    },
    /// The process is about to end, and the connection does not become the player any more.
    NobodyNew {
        /// Account id of the player (`login.id`).
        player_id: u32,
        /// The connection that has claimed to be them.
        conn: ConnId,
    },
    /// Somebody else is the player now.
    Evict {
        /// Account id of the player (`login.id`).
        player_id: u32,
        /// The connection to end.
        conn: ConnId,
        /// Of its claim; one that was granted later stays.
        #[serde(default = "any_epoch")]
        epoch: u64,
    },
}

fn any_epoch() -> u64 {
    u64::MAX
}

/// What follows when a player has left everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterSignOut {
    /// Nothing: the connection is gone.
    Forget,
    /// Nothing more: the connection has had its last words, because the player is on another one now.
    AwaitEnd,
    /// The connection claims to be another player.
    Claim,
}

/// What all shards have said of a tick.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Gathered {
    /// `matchmaker_info` with the queues that changed.
    pub queues: Vec<Bytes>,
    /// Players that came, went or changed, by their ids.
    pub players: Vec<PlayerUpdate>,
    /// Games that came, went or changed, by their ids.
    pub games: Vec<GameUpdate>,
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

/// What the coordinator tells a player's shard.
#[derive(Debug, Serialize, Deserialize)]
pub enum CoordinatorEvent {
    /// May they search? If so they do from now on.
    Reserve {
        /// Goes back with the answer.
        entry: u64,
        /// The queue's leaderboard, if there is such a queue.
        rating_type: Option<Box<str>>,
    },
    /// They search no more.
    Release,
    /// A match was found for them.
    Matched {
        /// Goes back with the answer.
        match_id: u64,
        /// The queue's name.
        queue: Box<str>,
        /// The queue's leaderboard.
        rating_type: Box<str>,
    },
    /// Their match came to nothing.
    MatchCancelled {
        /// Number of the match, at the coordinator.
        match_id: u64,
        /// Its game, if there was one.
        game_id: Option<u32>,
    },
    /// They do not search, whatever they believe: what has begun their search was lost.
    NotSearching,
    /// Nobody knows of a match that they believe they are in, unless its game has begun.
    MatchLost {
        /// Number of the match, at the coordinator.
        match_id: u64,
    },
}
