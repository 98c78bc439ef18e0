//! What games leave in the store: numbers, replays, what was said (spec: cockatrice-behaviour 5, 12, 16).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::question::{Lane, Question, StoreFailure};

/// A number for a new game.
#[derive(Clone, Debug)]
pub struct NewGame {
    /// The room's name.
    pub room: Box<str>,
    /// What the game is called.
    pub description: Box<str>,
    /// Who creates it.
    pub creator: Box<str>,
}

impl Question for NewGame {
    /// One more than the last.
    type Answer = Result<u32, StoreFailure>;
}

/// A game that is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayedGame {
    /// Its number.
    pub game: u32,
    /// The room's name.
    pub room: Box<str>,
    /// What it was called.
    pub description: Box<str>,
    /// Who created it.
    pub creator: Box<str>,
    /// It had a password.
    pub with_password: bool,
    /// Names of its game types.
    pub types: Vec<Box<str>>,
    /// Places for players.
    pub max_players: u32,
    /// When it was created, Unix seconds.
    pub started_s: u64,
    /// When it was over, Unix seconds.
    pub finished_s: u64,
    /// Everybody who ever was a player.
    pub players: Vec<Box<str>>,
    /// Everybody with an account who ever took part; they may see its replays.
    pub audience: Vec<Box<str>>,
    /// Its replays, oldest first.
    pub replays: Vec<Recorded>,
}

/// A replay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// An encoded `GameReplay`, without its id.
    pub encoded: Bytes,
    /// Seconds that it lasts.
    pub duration_s: u32,
}

/// Keeps a game that is over on disk until it is in the store: before anybody is told that it is over.
#[derive(Clone, Debug)]
pub struct KeepGame(pub Box<PlayedGame>);

impl Question for KeepGame {
    type Answer = Result<(), StoreFailure>;
    const LANE: Lane = Lane::Disk;
}

/// Puts a game that is over into the store. Twice does no harm.
#[derive(Clone, Debug)]
pub struct StoreGame(pub Box<PlayedGame>);

impl Question for StoreGame {
    /// The ids of its replays, in their order.
    type Answer = Result<Vec<u32>, StoreFailure>;
    const LANE: Lane = Lane::Records;
}

/// Lines that were said somewhere.
#[derive(Clone, Debug)]
pub struct WriteLog(pub Vec<LogLine>);

impl Question for WriteLog {
    type Answer = ();
    const LANE: Lane = Lane::Records;
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When, Unix seconds.
    pub at_s: u64,
    /// Account id; 0: none.
    pub sender_id: u32,
    /// Name.
    pub sender: Box<str>,
    /// Address.
    pub address: Box<str>,
    /// What.
    pub text: Box<str>,
    /// `room`, `game` or `chat`.
    pub place: &'static str,
    /// Number of the room, the game, or the account that was spoken to.
    pub target_id: u32,
    /// Name of it.
    pub target: Box<str>,
}
