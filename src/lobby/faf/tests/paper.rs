//! A back office's ledger on paper: the rules it would apply, without a store, and with faults on demand.

use std::collections::BTreeMap;

use super::*;
use crate::faf::{
    achievements, events,
    ledger::{Batch, Done, Launched, Record, WriteRecords, Written},
    ratings::Rating,
    results,
    validity::Validity,
};

/// What was written down.
#[derive(Debug, Default)]
pub(super) struct Paper {
    /// Settled records, in order.
    pub records: Vec<(u32, Record)>,
    /// Validity of each launched game.
    pub validity: BTreeMap<u32, Validity>,
    /// Scores: (game, player) -> (score, result).
    pub scores: BTreeMap<(u32, u32), (i8, &'static str)>,
    /// Ratings: (player, leaderboard) -> (rating, games).
    pub ratings: BTreeMap<(u32, String), (Rating, u32)>,
    /// Files on disk: ends of games that are not settled.
    pub kept: Vec<Batch>,
    /// The disk is full.
    pub disk_is_full: bool,
    /// How many records each of the next batches may settle before the store is gone.
    pub faults: Vec<usize>,
    /// The answers to the next batches get lost after everything is written.
    pub lost_answers: usize,
    /// The disk may be asked in vain without this knowing.
    pub keeps_get_lost: bool,
    /// The process ends: the back office keeps an end itself.
    pub ending: bool,
    /// Launches are refused for good.
    pub refuses_launches: bool,
    /// Times of missions with letters in them are refused for good, as by the column.
    pub refuses_times: bool,
    /// Games that have been rated.
    pub rated: Vec<u32>,
}

impl Paper {
    pub(super) fn keep(&mut self, batch: Batch) -> Result<(), StoreFailure> {
        if self.disk_is_full {
            return Err(StoreFailure::Failed);
        }
        self.kept.retain(|kept| kept.uid != batch.uid);
        self.kept.push(batch);
        Ok(())
    }

    pub(super) fn write(&mut self, WriteRecords { batch, on_disk }: WriteRecords) -> Written {
        let tells_the_end = batch
            .records
            .iter()
            .any(|record| matches!(**record, Record::Finish(_)));
        assert!(
            on_disk || self.disk_is_full || self.keeps_get_lost || self.ending || !tells_the_end,
            "the store was asked first"
        );
        let mut room = if self.faults.is_empty() {
            usize::MAX
        } else {
            self.faults.remove(0)
        };
        let mut written = Written {
            launched: batch.launched,
            ..Written::default()
        };
        for record in &batch.records {
            if room == 0 {
                written.unavailable = true;
                break;
            }
            room -= 1;
            let done = self.settle(batch.uid, &mut written.launched, record);
            self.records.push((batch.uid, Record::clone(record)));
            written.done.push(done);
        }
        if !written.unavailable && (tells_the_end || on_disk) {
            written.off_disk = true;
            self.kept.retain(|kept| kept.uid != batch.uid);
        }
        if self.lost_answers > 0 {
            self.lost_answers -= 1;
            return Written {
                unavailable: true,
                ..Written::default()
            };
        }
        written
    }

    fn settle(&mut self, uid: u32, launched: &mut Option<Launched>, record: &Record) -> Done {
        let mut done = Done::default();
        match record {
            Record::Launch(_) if self.refuses_launches => {
                *launched = Some(Launched::REFUSED);
                done.refused = true;
            }
            Record::Launch(launch) => {
                let validity = launch.finding.unwrap_or(launch.initial);
                self.validity.entry(uid).or_insert(validity);
                *launched = Some(Launched {
                    validity,
                    map_id: Some(7),
                    stored: true,
                });
            }
            Record::Finish(game) => {
                let launched = launched.unwrap_or(Launched::REFUSED);
                let settlement = results::settle(game, launched.validity);
                self.validity.insert(uid, settlement.validity);
                for score in &settlement.scores {
                    let value = (score.score, score.outcome.name());
                    self.scores.insert((uid, score.player_id), value);
                }
                let results = events::game_results(game, &settlement, launched.map_id);
                done.events.extend(results);
                if let Some(game) = settlement.rated.filter(|_| !self.rated.contains(&uid)) {
                    self.rate(&game, &mut done);
                }
            }
            Record::Operation { time, .. } => {
                done.refused =
                    self.refuses_times && time.chars().any(|letter| letter.is_ascii_alphabetic());
            }
            Record::Statistics(statistics) => done.events = achievements::messages(statistics),
            _ => {}
        }
        done
    }

    fn rate(&mut self, game: &crate::faf::rated_game::RatedGame, done: &mut Done) {
        self.rated.push(game.uid);
        done.counted = Some(game.rating_type.clone());
        let key = |id: u32, board: &str| (id, board.to_owned());
        let stored = |id: u32, board: &str| self.ratings.get(&key(id, board)).map(|(r, _)| *r);
        let changes = game.rate(&reference(), stored).unwrap_or_default();
        for change in changes.into_iter().flatten() {
            let entry = self
                .ratings
                .entry(key(change.player_id, &change.rating_type));
            let (rating, games) = entry.or_insert((change.new, 0));
            (*rating, *games) = (change.new, *games + 1);
            done.events.push(events::rating_update(&change));
            done.rated.push(change);
        }
    }

    /// The kinds of records of a game, in the order they were settled.
    pub(super) fn kinds(&self, uid: u32) -> Vec<&'static str> {
        let of = self.records.iter().filter(|(game, _)| *game == uid);
        of.map(|(_, record)| match record {
            Record::Launch(_) => "launch",
            Record::Desync { .. } => "desync",
            Record::Teamkill { .. } => "teamkill",
            Record::Operation { .. } => "operation",
            Record::Ended(_) => "ended",
            Record::Finish(_) => "finish",
            Record::Statistics(_) => "statistics",
        })
        .collect()
    }
}
