//! Writes down what shards have in their ledgers (spec: faf-ratings-results 1, 2, 5 and 8).
//!
//! Records of one batch are settled in order; the first that the store can't take now ends the batch, and the shard sends
//! the rest again. What a record means is decided by the rules in `lobby::faf`; here is only when it is stored.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lobby::faf::achievements;
use lobby::faf::events;
use lobby::faf::ledger::{Batch, Done, Launch, Launched, Record, Written};
use lobby::faf::rated_game::RatedGame;
use lobby::faf::reference::Reference;
use lobby::faf::results::{self, Finished};
use lobby::faf::validity::Validity;
use lobby::question::StoreFailure;

use super::FafHandler;
use super::store::Rating;
use crate::Boxed;

/// Longest that a game waits for its turn to be rated before its batch makes room for other questions and comes again.
const RATING_WAIT: Duration = Duration::from_secs(2);
/// Between two attempts to settle what an earlier process has left.
const REPLAY_PAUSE: Duration = Duration::from_secs(5);

impl FafHandler {
    /// Settles as much of a batch as the store takes now. What tells of a game's end is put on disk first, unless it is
    /// there already; when all is settled, it goes from there, and the events that came of it are there instead.
    pub fn write(&self, batch: Batch, on_disk: bool) -> Boxed<'_, Written> {
        Box::pin(async move {
            let tells_the_end = batch
                .records
                .iter()
                .any(|r| matches!(**r, Record::Finish(_)));
            if tells_the_end && !on_disk {
                // It was tried, and counted. The store may take what the disk does not.
                let _ = self.keep(&batch).await;
            }
            let mut written = self.settle_all(&batch).await;
            // Before anybody is told, and before the file goes of which they could be made again.
            let events_are_kept = self.keep_events(&mut written).await;
            if (tells_the_end || on_disk)
                && !written.unavailable
                && events_are_kept
                && let Some(spool) = &self.spool
            {
                spool.forget(batch.uid).await;
                written.off_disk = true;
            }
            written
        })
    }

    /// Settles the records of a batch in order, up to the first that the store can't take now.
    async fn settle_all(&self, batch: &Batch) -> Written {
        let mut written = Written {
            launched: batch.launched,
            ..Written::default()
        };
        for record in &batch.records {
            let outcome = self.settle(batch.uid, &mut written.launched, record).await;
            match outcome {
                Ok(done) => written.done.push(done),
                Err(StoreFailure::Unavailable) => {
                    written.unavailable = true;
                    break;
                }
                Err(StoreFailure::Failed) => written.done.push(refused(batch.uid, record)),
            }
        }
        written
    }

    /// Puts the events on disk that came of a batch, until the broker has them; false: they should be there and are not.
    async fn keep_events(&self, written: &mut Written) -> bool {
        let Some(outbox) = &self.outbox else {
            return true;
        };
        let events = written.done.iter_mut().flat_map(|done| &mut done.events);
        outbox.keep(events).await
    }

    /// Keeps a batch on disk until it is settled, by this process or by the next.
    ///
    /// # Errors
    /// [`StoreFailure::Failed`] if it can't be kept. The spool has logged why.
    pub async fn keep(&self, batch: &Batch) -> Result<(), StoreFailure> {
        match &self.spool {
            Some(spool) => spool
                .keep(batch.uid, batch)
                .await
                .map_err(|_| StoreFailure::Failed),
            None => Err(StoreFailure::Failed),
        }
    }

    /// Settles what an earlier process has left on disk, however long the store takes to come. One that can't be settled now
    /// waits until the others have been tried. `tell` is given what came of each batch.
    pub async fn replay(&self, kept: Vec<Batch>, mut tell: impl FnMut(Vec<Done>)) {
        for batch in &kept {
            let game = batch.uid;
            tracing::info!(game, "settling a game that an earlier process has left");
        }
        let (mut waiting, mut in_vain) = (VecDeque::from(kept), 0);
        while let Some(mut batch) = waiting.pop_front() {
            // Its file is there: this is where it comes from.
            let written = self.write(batch.clone(), true).await;
            batch.launched = written.launched;
            batch.records.drain(..written.done.len());
            tell(written.done);
            if written.unavailable {
                waiting.push_back(batch);
                in_vain += 1;
            }
            if in_vain >= waiting.len() && !waiting.is_empty() {
                tokio::time::sleep(REPLAY_PAUSE).await;
                in_vain = 0;
            }
        }
    }

    async fn settle(
        &self,
        uid: u32,
        launched: &mut Option<Launched>,
        record: &Record,
    ) -> Result<Done, StoreFailure> {
        let has_row = launched.is_some_and(|launched| launched.stored);
        match record {
            Record::Launch(launch) => {
                let outcome = self.launch(uid, launch).await;
                if outcome != Err(StoreFailure::Unavailable) {
                    *launched = Some(outcome.unwrap_or(Launched::REFUSED));
                }
                outcome?;
            }
            Record::Desync {
                player_id,
                game_time_s,
            } => self.store.add_desync(uid, *player_id, *game_time_s).await?,
            Record::Statistics(statistics) => {
                return Ok(Done {
                    events: achievements::messages(statistics),
                    ..Done::default()
                });
            }
            Record::Finish(game) => {
                return self
                    .finish(game, launched.unwrap_or(Launched::REFUSED))
                    .await;
            }
            // Whatever belongs to a row that is not there.
            _ if !has_row => {}
            Record::Teamkill {
                game_time_s,
                victim,
                killer,
            } => {
                self.store
                    .add_teamkill(uid, *game_time_s, *victim, *killer)
                    .await?
            }
            Record::Operation {
                folder,
                secondary,
                time,
                players,
            } => {
                // spec: faf-messages 4.6, item 3
                if launched.is_some_and(|l| l.validity == Validity::CoopNotRanked) {
                    self.store
                        .add_operation(uid, folder, *secondary, time, *players)
                        .await?;
                }
            }
            Record::Ended(at) => self.store.set_end(uid, *at).await?,
        }
        Ok(Done::default())
    }

    /// spec: faf-ratings-results 2 and 3; the map is looked up again.
    async fn launch(&self, uid: u32, launch: &Launch) -> Result<Launched, StoreFailure> {
        let map = self.store.map_by_folder(&launch.folder).await?;
        let ranked = map.as_ref().map_or(launch.generated_map, |map| map.ranked);
        let before = if launch.initial == Validity::Valid && !ranked {
            Validity::BadMap
        } else {
            launch.initial
        };
        let validity = launch.finding.unwrap_or(before);
        let map_id = map.map(|map| map.id);
        let reference = self.known_reference().await?;
        let stored = self
            .store
            .add_game(uid, launch, map_id, validity, &reference)
            .await?;
        let Some(validity) = stored else {
            tracing::warn!(game = uid, featured_mod = %launch.featured_mod, "unknown featured mod: the game is not recorded and not rated");
            // As the checks found it, but not valid: of the outside nobody is to wait for its ratings.
            let is_valid = validity == Validity::Valid;
            return Ok(Launched {
                validity: if is_valid {
                    Validity::OtherUnrank
                } else {
                    validity
                },
                map_id,
                stored: false,
            });
        };
        Ok(Launched {
            validity,
            map_id,
            stored: true,
        })
    }

    /// spec: faf-ratings-results 5.
    async fn finish(&self, game: &Finished, launched: Launched) -> Result<Done, StoreFailure> {
        let settlement = results::settle(game, launched.validity);
        let changed = (settlement.validity != launched.validity).then_some(settlement.validity);
        if launched.stored && (changed.is_some() || !settlement.scores.is_empty()) {
            self.store
                .set_results(game.uid, changed, &settlement.scores)
                .await?;
        }
        let mut done = Done::default();
        done.events
            .extend(events::game_results(game, &settlement, launched.map_id));
        if let Some(rated) = &settlement.rated {
            let counted = Some(rated.rating_type.clone());
            match self.rate(rated).await {
                Ok(rating) => {
                    let changes = rating.changes.iter().flatten();
                    done.events.extend(changes.map(events::rating_update));
                    if rating.applied {
                        done.counted = counted;
                        done.rated = rating.changes.into_iter().flatten().collect();
                    }
                }
                // A game that can't be rated stops nothing else.
                Err(StoreFailure::Failed) => {
                    done.counted = counted;
                    tracing::warn!(game = game.uid, "the game can't be rated");
                }
                Err(StoreFailure::Unavailable) => return Err(StoreFailure::Unavailable),
            }
        }
        Ok(done)
    }

    /// Games are rated one after the other (spec: faf-ratings-results 8).
    async fn rate(&self, game: &RatedGame) -> Result<Rating, StoreFailure> {
        let Ok(_turn) = tokio::time::timeout(RATING_WAIT, self.rating.lock()).await else {
            return Err(StoreFailure::Unavailable);
        };
        let reference = self.known_reference().await?;
        Ok(self.store.rate(game, &reference).await?)
    }

    async fn known_reference(&self) -> Result<Arc<Reference>, StoreFailure> {
        match self.reference() {
            Some(reference) => Ok(reference),
            None => self.refresh().await,
        }
    }
}

fn refused(uid: u32, record: &Record) -> Done {
    let what = match record {
        Record::Launch(_) => "launch",
        Record::Desync { .. } => "desync",
        Record::Teamkill { .. } => "team kill",
        Record::Operation { .. } => "operation",
        Record::Ended(_) => "end",
        Record::Finish(_) => "results",
        Record::Statistics(_) => "statistics",
    };
    tracing::warn!(game = uid, what, "the store refuses a record");
    Done {
        // A schema without a table for desyncs is no reason to end anybody's game.
        refused: !matches!(record, Record::Desync { .. }),
        ..Done::default()
    }
}
