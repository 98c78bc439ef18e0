//! What a game must have written down, and that it is: never lost, never twice (spec: faf-ratings-results 1).
//!
//! Each game has a journal on its owner's shard: records in their order. What waits in it goes to the back office as one
//! batch; the next goes when that one is acknowledged. A store that is unavailable, or a full queue, means the same
//! batch again after a pause. A journal is closed when its game is over and its last record is settled; until then an
//! orderly stop waits. Records are such that doing one twice does what doing it once does, because an acknowledgement
//! may get lost.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::Event;
use crate::faf::{
    Faf, FafTurn, Timer,
    mail::{Mail, game::Leaving},
    model::seat::Seat,
    rules::{
        achievements::Statistics, rated_game::RatingChange, results::Finished, validity::Validity,
    },
};
use crate::{
    map::IdMap,
    question::{Continuation, MayFail, Question, StoreFailure},
};

/// Pause before a batch is tried again, at first …
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// … and at most, each pause being twice the one before.
const RETRY_LONGEST: Duration = Duration::from_secs(30);

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

/// Write down what happened in a game.
#[derive(Clone, Debug)]
pub struct WriteRecords(pub Box<Batch>);

impl Question for WriteRecords {
    /// How far it got.
    type Answer = Written;
}

/// The process ends: keep this for the next start. Nobody listens any more for what comes of it.
#[derive(Clone, Debug)]
pub struct KeepRecords(pub Box<Batch>);

impl Question for KeepRecords {
    type Answer = ();
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
}

/// The journals of a shard's games.
#[derive(Debug, Default)]
pub(in crate::faf) struct Ledger {
    journals: IdMap<u32, Journal>,
    /// The process ends: what is not settled at once is kept.
    ending: bool,
}

impl Ledger {
    /// Records that are not settled yet.
    pub(in crate::faf) fn backlog(&self) -> u64 {
        let waiting = self
            .journals
            .values()
            .map(|journal| journal.waiting.len() as u64);
        waiting.sum()
    }
}

/// What one game still has to write down.
#[derive(Debug, Default)]
struct Journal {
    launched: Option<Launched>,
    waiting: VecDeque<Entry>,
    /// A batch is with the back office, or a pause runs.
    busy: bool,
    /// Records in the batch that is with the back office, which keeps it itself if it tells of the end.
    sent: usize,
    /// Failures in a row.
    failures: u32,
    /// The game is over: nothing more will come.
    over: bool,
}

#[derive(Debug)]
struct Entry {
    record: Arc<Record>,
    /// Whose game connection ends if the store refuses it (spec: faf-messages 4, unexpected failures).
    author: Option<Seat>,
}

impl Ledger {
    /// Whether nothing is left to write.
    pub(in crate::faf) fn is_settled(&self) -> bool {
        self.journals
            .values()
            .all(|journal| journal.waiting.is_empty())
    }
}

impl Journal {
    fn batch(&self, uid: u32) -> Box<Batch> {
        Box::new(Batch {
            uid,
            launched: self.launched,
            records: self
                .waiting
                .iter()
                .map(|line| line.record.clone())
                .collect(),
        })
    }

    /// The game is over, and the back office does not have all of it.
    fn is_to_be_kept(&self) -> bool {
        self.over && self.sent < self.waiting.len()
    }

    fn pause(&self) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(8);
        (RETRY_FIRST * (1 << doublings)).min(RETRY_LONGEST)
    }
}

/// A game's records are being written. No connection is held for it.
#[derive(Debug)]
pub(in crate::faf) struct Writing {
    uid: u32,
}

impl Continuation<Faf> for Writing {
    type Question = WriteRecords;

    fn resume(self, faf: &mut Faf, turn: &mut FafTurn<'_>, written: Written) {
        faf.written(turn, self.uid, written);
    }
}

impl Faf {
    /// Puts a record into a game's journal. If the store refuses it for good, the author's game connection ends.
    pub(in crate::faf) fn record(
        &mut self,
        turn: &mut FafTurn<'_>,
        uid: u32,
        record: Record,
        author: Option<Seat>,
    ) {
        let journal = self.ledger.journals.entry(uid).or_default();
        journal.waiting.push_back(Entry {
            record: Arc::new(record),
            author,
        });
        self.send_records(turn, uid);
    }

    /// The game is over: its journal is closed when all is settled.
    pub(in crate::faf) fn close_book(&mut self, turn: &mut FafTurn<'_>, uid: u32) {
        if let Some(journal) = self.ledger.journals.get_mut(&uid) {
            let before = std::mem::replace(&mut journal.over, true);
            if journal.waiting.is_empty() {
                self.ledger.journals.remove(&uid);
            } else if self.ledger.ending && !before && journal.is_to_be_kept() {
                turn.ask(KeepRecords(journal.batch(uid)));
            }
        }
    }

    fn send_records(&mut self, turn: &mut FafTurn<'_>, uid: u32) {
        let Some(journal) = self.ledger.journals.get_mut(&uid) else {
            return;
        };
        if !journal.busy && !journal.waiting.is_empty() {
            journal.busy = true;
            journal.sent = journal.waiting.len();
            let question = WriteRecords(journal.batch(uid));
            self.pending.ask(turn, question, Writing { uid });
        }
    }

    /// The pause before another attempt is over.
    pub(in crate::faf) fn retry_records(&mut self, turn: &mut FafTurn<'_>, uid: u32) {
        if let Some(journal) = self.ledger.journals.get_mut(&uid) {
            journal.busy = false;
        }
        self.send_records(turn, uid);
    }

    /// The back office has settled what it could of a batch.
    fn written(&mut self, turn: &mut FafTurn<'_>, uid: u32, written: Written) {
        let Some(journal) = self.ledger.journals.get_mut(&uid) else {
            return;
        };
        journal.launched = written.launched.or(journal.launched);
        journal.sent = 0;
        let mut refused = Vec::new();
        for done in &written.done {
            let line = journal.waiting.pop_front();
            if done.refused {
                self.counters.store_errors += 1;
                refused.extend(line.and_then(|line| line.author));
            }
        }
        if written.unavailable {
            journal.failures = journal.failures.saturating_add(1);
            self.counters.ledger_retries += 1;
            turn.wake_at(turn.now.mono + journal.pause(), Timer::Ledger(uid));
        } else {
            journal.failures = 0;
            journal.busy = false;
        }
        let closed = journal.over && journal.waiting.is_empty();
        if closed {
            self.ledger.journals.remove(&uid);
        }
        self.settled(turn, written.done);
        for seat in refused {
            self.leave(turn, seat, Leaving::Aborted);
            self.post(turn, seat.conn.shard, Mail::LinkEnded(seat));
        }
        if !written.unavailable {
            self.send_records(turn, uid);
        }
    }

    /// Tells the outside and the players what came of settled records.
    pub(in crate::faf) fn settled(&mut self, turn: &mut FafTurn<'_>, done: Vec<Done>) {
        for done in done {
            for event in done.events {
                turn.publish(event);
            }
            if !done.rated.is_empty() {
                self.metrics_collector.rated(&done.rated);
                turn.mail_all(|| Mail::Rated(done.rated.clone()));
                self.rated(turn, &done.rated);
            }
        }
    }

    /// The process ends at once: finished games that are not settled, and those that finish by it, are at least kept on
    /// disk.
    pub(in crate::faf) fn keep_books(&mut self, turn: &mut FafTurn<'_>) {
        self.ledger.ending = true;
        let kept = self.ledger.journals.iter();
        let mut kept: Vec<_> = kept.filter(|(_, j)| j.is_to_be_kept()).collect();
        kept.sort_unstable_by_key(|(uid, _)| **uid);
        for (&uid, journal) in kept {
            turn.ask(KeepRecords(journal.batch(uid)));
        }
    }
}
