//! What a game's owner is told.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::{
    ConnId, Now, ShardId,
    faf::{
        model::{
            account::Relation,
            game::Creation,
            options::OptionValue,
            seat::{LoginId, Seat},
        },
        rules::results::ArmyResult,
    },
};

/// To the games of a shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum GameMail {
    /// From the same shard: a player hosts a game (spec: faf-messages 3.7).
    Host {
        /// The host's place; its uid is the game's.
        seat: Seat,
        /// The host.
        host: Host,
        /// What they want.
        creation: Box<Creation>,
    },
    /// From the same shard: a match is to become a game, of a host who is here.
    OpenMatch {
        /// The match.
        spec: Box<MatchSpec>,
        /// The host.
        host: Host,
        /// Their place; `None`: they are not there any more, or do something else.
        seat: Option<Seat>,
    },
    /// A player wants in (spec: faf-messages 3.8).
    Join {
        /// Their place if they are let in.
        seat: Seat,
        /// What they gave.
        password: Option<String>,
    },
    /// A player wants back in (spec: faf-messages 3.9).
    Restore {
        /// Their place if they are let in.
        seat: Seat,
        /// Their name.
        login: Box<str>,
    },
    /// What a player's game reported.
    Report {
        /// The player's relation to the game that it is about.
        seat: Seat,
        /// What the game process reported.
        report: GameReport,
        /// Its number, from 1 on, among those from this place; zero: it is not told again.
        #[serde(default)]
        number: u32,
        /// The number of the one before it that may have to be told again; zero: none may.
        #[serde(default)]
        before: u32,
    },
    /// From the shard of a guest who was called to a match's game.
    Called {
        /// Uid of the game (`game_stats.id`).
        uid: u32,
        /// Account id of the player this is about.
        player_id: u32,
        /// Their place; `None`: they are not there.
        seat: Option<Seat>,
    },
    /// From the same shard: the directories of this node are to show this shard's games as they are now.
    Show,
    /// The same, before somebody signs in; then the next shard of this node does so, and at last theirs goes on.
    ShowBefore {
        /// Who signs in.
        conn: ConnId,
    },
    /// From the first shard of this node, as the node is to end: games that have not begun end.
    CloseLobbies,
    /// From the coordinator: which matches' games are here?
    TellMatches {
        /// Goes back with the answer.
        round: u64,
        /// Of the coordinator.
        term: u64,
    },
    /// From a shard of another node to which the lane is new: its players' places in the games of this shard, all of them.
    Seats {
        /// Some of them.
        seats: Vec<Seated>,
        /// These are the last.
        is_last: bool,
    },
    /// From a launched game's owner: how it is, for whoever goes on with it if the owner is lost.
    Shadow(GamePart),
    /// From a launched game's owner: all that is to be written down of it is, or another node goes on with it.
    ShadowOver {
        /// Uid of the game (`game_stats.id`).
        uid: u32,
    },
    /// From a launched game's owner: what a player of its own node has reported since it told how the game is, about to be heard.
    OwnReport {
        /// The player's relation to the game.
        seat: Seat,
        /// What the game process reported.
        report: GameReport,
    },
    /// From the same shard: another one goes on with a launched game.
    Moved {
        /// Uid of the game (`game_stats.id`).
        uid: u32,
        /// Of that one.
        epoch: u32,
        /// Which it is.
        owner: ShardId,
    },
    /// From a shard that has had a launched game while another one went on with it: what it has heard.
    Heard(GamePart),
    /// To a shard that goes on with a launched game: the places in it of the sender's players, all of them.
    SeatsIn {
        /// Uid of the game (`game_stats.id`).
        uid: u32,
        /// The places.
        seats: Vec<Seated>,
    },
}

impl GameMail {
    /// A report that is told once.
    pub(in crate::faf) fn report(seat: Seat, report: GameReport) -> GameMail {
        GameMail::Report {
            seat,
            report,
            number: 0,
            before: 0,
        }
    }
}

/// A launched game as its owner has it, in parts of which each fits into a letter between nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GamePart {
    /// Uid of the game (`game_stats.id`).
    pub uid: u32,
    /// Of its owner: grows with each shard that goes on with it.
    pub epoch: u32,
    /// Grows with what its owner tells.
    pub number: u64,
    /// When its owner told it, by its own clocks.
    pub at: Now,
    /// How many parts came before.
    pub index: u32,
    /// It is the last.
    pub is_last: bool,
    /// Of the game in its written form (`game::shadows`).
    pub bytes: Bytes,
    /// With the last: up to which number what was reported from each place is in it.
    #[serde(default)]
    pub heard: Vec<(Seat, u32)>,
}

/// Somebody's place in a game, as their own shard knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seated {
    /// The place.
    pub seat: Seat,
    /// Their name.
    pub login: Box<str>,
    /// The node that had the game was lost: it need not be on this one any more.
    pub is_orphan: bool,
}

/// A game's host.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Host {
    /// Their name.
    pub login: Box<str>,
    /// Account ids of their friends.
    pub friends: ThinVec<u32>,
    /// Account ids of their foes.
    pub foes: ThinVec<u32>,
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

/// What a player's game reported, typed and checked as far as the player's own shard can.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum GameReport {
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

/// What a report takes besides its text, in bytes, about.
const REPORT_BYTES: usize = 160;

impl GameReport {
    /// Bytes of memory that it takes, about.
    pub(in crate::faf) fn bytes(&self) -> usize {
        let text = match self {
            GameReport::Stats(text) => text.len(),
            _ => 0,
        };
        text + REPORT_BYTES
    }
}

/// A player of a match.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatchPlayer {
    /// Who, and where they were when the match was found.
    pub login_id: LoginId,
    /// Their name.
    pub login: Box<str>,
    /// 2 or 3.
    pub team: u32,
    /// Start spot, army and color, from 1.
    pub position: u32,
    /// What they play, 1 to 5.
    pub faction: u8,
}

/// A match that is to become a game.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MatchSpec {
    /// The coordinator's name for it.
    pub match_id: u64,
    /// The game's number.
    pub uid: u32,
    /// Row of the queue.
    pub queue_id: u32,
    /// What is played.
    pub featured_mod: Box<str>,
    /// Technical name of the leaderboard that the game is rated in.
    pub rating_type: Box<str>,
    /// The game's name.
    pub title: Box<str>,
    /// Folder of the map, which is its name in the vault.
    pub folder: Box<str>,
    /// The map's entry in its pool.
    pub map_pool_map_version_id: u32,
    /// Options the queue gives every game.
    pub game_options: Vec<(Box<str>, OptionValue)>,
    /// Host first, team 1, then team 2.
    pub players: Vec<MatchPlayer>,
}
