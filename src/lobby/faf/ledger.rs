//! What a game must have written down: never lost, never twice (spec: faf-ratings-results 1).
//!
//! Records, and how they go to the back office and back: plain data. Records are such that doing one twice does what doing it
//! once does, because an acknowledgement may get lost. What is still to be written down is `game::journal`'s.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Event,
    faf::rules::{
        achievements::Statistics, rated_game::RatingChange, results::Finished, validity::Validity,
    },
    question::{Lane, MayFail, Question, StoreFailure},
};

/// Records of one game, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// Uid of the game (`game_stats.id`).
    pub uid: u32,
    /// What became of its launch, once that is settled.
    pub launched: Option<Launched>,
    /// What to write.
    pub records: Vec<Arc<Record>>,
}

/// Write down what happened in a game. When all of it is settled, the file of a game goes that [`KeepRecords`] has made.
#[derive(Clone, Debug)]
pub struct WriteRecords {
    /// What to write.
    pub batch: Box<Batch>,
    /// The game's end is on disk already. If not, and this tells of the end, that is to be tried first.
    pub on_disk: bool,
}

impl Question for WriteRecords {
    /// How far it got.
    type Answer = Written;
    const LANE: Lane = Lane::Records;
}

/// Keep the end of a game on disk until it is settled: the next start settles what this life of the process does not.
#[derive(Clone, Debug)]
pub struct KeepRecords(pub Box<Batch>);

impl Question for KeepRecords {
    /// Whether it is there, durably.
    type Answer = Result<(), StoreFailure>;
    const LANE: Lane = Lane::Disk;
}

/// What became of a launch in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launched {
    /// Whether the game counts.
    pub validity: Validity,
    /// `map_version.id`, if the map has a row.
    pub map_id: Option<u32>,
    /// Whether the game has rows at all.
    pub stored: bool,
}

impl Launched {
    /// A launch the store does not take: the game has no rows and does not count.
    pub const REFUSED: Launched = Launched {
        validity: Validity::OtherUnrank,
        map_id: None,
        stored: false,
    };
}

/// One thing to write down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Record {
    /// The game was launched (spec: faf-ratings-results 2).
    Launch(Launch),
    /// A player's first desync report (spec: faf-messages 4, N#1106).
    Desync {
        /// Account id of who reported it.
        player_id: u32,
        /// Seconds since the launch, if there was one.
        game_time_s: Option<i64>,
    },
    /// A team kill.
    Teamkill {
        /// Seconds of game time.
        game_time_s: i64,
        /// Account id of who was killed.
        victim: u32,
        /// Account id of who killed a member of the same team.
        killer: u32,
    },
    /// A coop mission was completed (spec: faf-messages 4.6).
    Operation {
        /// Folder of the map, which is its name in the vault.
        folder: Box<str>,
        /// With its secondary goals.
        secondary: bool,
        /// As the game said it: `HH:MM:SS`.
        time: Box<str>,
        /// Players at launch.
        players: usize,
    },
    /// The simulation is over, at this Unix time.
    Ended(f64),
    /// The game is over: results, and ratings.
    Finish(Box<Finished>),
    /// Statistics of some players. Nothing is stored; their messages come back.
    Statistics(Statistics),
}

/// A launched game.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Launch {
    /// `game_stats.host`.
    pub host_id: u32,
    /// Name of the victory condition (N#1040).
    pub victory: Box<str>,
    /// Technical name of the featured mod.
    pub featured_mod: Box<str>,
    /// Folder of the map, which is its name in the vault.
    pub folder: Box<str>,
    /// Whether a map without a row is ranked: it is a generated one.
    pub generated_map: bool,
    /// Title that the host has chosen.
    pub name: Box<str>,
    /// When it was launched, in Unix seconds.
    pub at: f64,
    /// Leaderboard of the participants' ratings.
    pub rating_type: Box<str>,
    /// Rating of somebody of whom nothing is known.
    pub start_rating: crate::faf::model::ratings::Rating,
    /// Before the checks.
    pub initial: Validity,
    /// What they found.
    pub finding: Option<Validity>,
    /// `matchmaker_queue.id`, of a matchmaker game.
    pub queue_id: Option<u32>,
    /// Uids of the active sim mods.
    pub sim_mods: Vec<String>,
    /// Participants with a team and a place.
    pub players: Vec<Placed>,
}

/// A row of `game_player_stats` at launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Account id of the player (`login.id`).
    pub player_id: u32,
    /// Faction, by its number.
    pub faction: u8,
    /// Colour of the army, by its number.
    pub color: u8,
    /// Team as the game numbers it; 1 is none.
    pub team: u8,
    /// Start spot on the map.
    pub place: u8,
}

/// How far the back office got with a batch.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// What became of the game's launch, if that is known now.
    pub launched: Option<Launched>,
    /// One for each record that is settled, from the first.
    pub done: Vec<Done>,
    /// The rest must be tried again.
    pub unavailable: bool,
    /// All is settled, and the file of the game has gone.
    pub off_disk: bool,
}

impl MayFail for Written {
    /// Whatever the reason: what a game must have written down is tried until it is.
    fn failed(_: StoreFailure) -> Self {
        Written {
            unavailable: true,
            ..Written::default()
        }
    }
}

/// What came of a settled record.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The store refused it for good.
    pub refused: bool,
    /// Messages for the broker, in order.
    pub events: Vec<Event>,
    /// Ratings that changed.
    pub rated: Vec<RatingChange>,
    /// The game was valid: what it is rated in. Once for each game, whether its ratings could be written down or not.
    pub counted: Option<Box<str>>,
}
