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

/// A replay. What was put on disk while it was recorded stands in front of the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Bytes of it that are on disk ([`KeepPiece`]).
    pub on_disk: u64,
    /// The rest of an encoded `GameReplay`, without its id.
    pub encoded: Bytes,
    /// Seconds that it lasts.
    pub duration_s: u32,
}

/// Keeps a piece of the replay of a game that goes on, in its place: twice does no harm.
#[derive(Clone, Debug)]
pub struct KeepPiece {
    /// Which game.
    pub game: u32,
    /// Which of its replays, from 0.
    pub round: u32,
    /// So many bytes come before it.
    pub offset: u64,
    /// The piece.
    pub bytes: Bytes,
}

impl Question for KeepPiece {
    type Answer = Result<(), StoreFailure>;
    const LANE: Lane = Lane::Disk;
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

/// Where something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// In a room.
    Room,
    /// In a game.
    Game,
    /// To one user.
    Chat,
}

impl Place {
    /// As the store and moderators call it.
    pub fn name(self) -> &'static str {
        match self {
            Place::Room => "room",
            Place::Game => "game",
            Place::Chat => "chat",
        }
    }
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Where.
    pub place: Place,
    /// Number of the room, the game, or the account that was spoken to.
    pub target_id: u32,
    /// Name of it.
    pub target: Box<str>,
}
