//! The journals of a shard's games: what is still to be written down, and that it is (spec: faf-ratings-results 1).
//!
//! Each game has a journal on its owner's shard: records in their order. What waits in it goes to the back office as one
//! batch; the next goes when that one is acknowledged. A store that is unavailable, or a full queue, means the same
//! batch again after a pause. An orderly stop waits until the last record is settled. A journal is closed when that is so,
//! its game is over, and nobody is left in the game who could still report something.
//!
//! The end of a game is put on disk before the store is asked for anything that tells of it, whatever became of the batches
//! before: a store that is away for an hour keeps no result in memory only. It is never kept while a batch that tells of
//! the end is with the store, which removes it: the one could overtake the other.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    faf::{
        context::{Context, Timer},
        game::games::Games,
        ledger::{Batch, Done, Launched, Record, Written},
        mail::{coordinator::CoordinatorMail, game::Leaving, session::SessionMail},
        model::seat::Seat,
        questions::{KeepRecords, WriteRecords},
    },
    kept::{Damaged, ensure},
    map::IdMap,
    question::{Continuation, StoreFailure},
};

/// Pause before a batch is tried again, at first …
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// … and at most, each pause being twice the one before.
const RETRY_LONGEST: Duration = Duration::from_secs(30);

/// The journals of a shard's games.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Ledger {
    journals: IdMap<u32, Journal>,
    /// The process ends, and no answer comes any more: what goes to the store now is kept there, and the rest is kept.
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Journal {
    launched: Option<Launched>,
    waiting: VecDeque<Entry>,
    /// A batch is with the back office, or a pause runs.
    busy: bool,
    /// Records in the batch that is with the back office.
    sent: usize,
    /// So many of the first records are on disk, or could not be put there.
    kept: usize,
    /// So many of the first records are being put on disk.
    keeping: Option<usize>,
    /// There is a file of this game, which goes when all is settled.
    on_disk: bool,
    /// Failures in a row.
    failures: u32,
    /// The game is over: little more will come.
    over: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    record: Arc<Record>,
    /// Whose game connection ends if the store refuses it (spec: faf-messages 4, unexpected failures).
    author: Option<Seat>,
    /// Its author is not heard before it has been tried once.
    #[serde(default)]
    is_awaited: bool,
}

impl Entry {
    /// Whoever is to be heard again, now that it has been tried.
    fn tried(&mut self) -> Option<Seat> {
        self.author
            .filter(|_| std::mem::replace(&mut self.is_awaited, false))
    }
}

impl Ledger {
    /// Whether each journal is of a game that there is, or is over, and none waits for an answer.
    pub(in crate::faf) fn agrees_with(
        &self,
        is_there: impl Fn(u32) -> bool,
    ) -> Result<(), Damaged> {
        for (&uid, journal) in &self.journals {
            ensure(journal.over || is_there(uid), "a journal is of no game")?;
            let nothing_asked = journal.sent == 0 && journal.keeping.is_none();
            ensure(nothing_asked, "a journal waits for what nobody writes")?;
        }
        Ok(())
    }

    /// Whether there is no journal any more.
    #[cfg(test)]
    pub(in crate::faf) fn is_empty(&self) -> bool {
        self.journals.is_empty()
    }

    /// Whether nothing of a game is left to write.
    pub(in crate::faf) fn is_written(&self, uid: u32) -> bool {
        let journal = self.journals.get(&uid);
        journal.is_none_or(|journal| journal.waiting.is_empty())
    }

    /// What became of a game's launch, and what of it is not written down.
    pub(in crate::faf) fn unwritten(&self, uid: u32) -> (Option<Launched>, Vec<Arc<Record>>) {
        let Some(journal) = self.journals.get(&uid) else {
            return (None, Vec::new());
        };
        let records = journal.waiting.iter().map(|entry| entry.record.clone());
        (journal.launched, records.collect())
    }

    /// Goes on with a game's journal of another shard.
    pub(in crate::faf) fn take_over(&mut self, uid: u32, launched: Option<Launched>) {
        self.journals.entry(uid).or_default().launched = launched;
    }

    /// A game is another shard's to write down. What is with the store already may be done twice without harm.
    pub(in crate::faf) fn forget(&mut self, uid: u32) {
        self.journals.remove(&uid);
    }

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

    /// It tells of the end, of which the store does not know yet, and not all of it is on disk. As the process ends, what
    /// comes after a game's end is to be there as well: the store may not be asked for it any more.
    fn is_to_be_kept(&self, process_ends: bool) -> bool {
        let mut unsent = self.waiting.iter().skip(self.sent);
        let end = |entry: &Entry| matches!(*entry.record, Record::Finish(_));
        let is_worth_it = if process_ends {
            self.over && unsent.len() > 0
        } else {
            unsent.any(end)
        };
        is_worth_it && self.kept < self.waiting.len()
    }

    /// What the first records were is settled.
    fn settle_first(&mut self) -> Option<Entry> {
        self.kept = self.kept.saturating_sub(1);
        self.keeping = self.keeping.map(|records| records.saturating_sub(1));
        self.waiting.pop_front()
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

impl Continuation for Writing {
    type Asker = Games;
    type Question = WriteRecords;

    fn resume(self, games: &mut Games, cx: &mut Context<'_>, written: Written) {
        games.written(cx, self.uid, written);
    }
}

/// The end of a game is being put on disk.
#[derive(Debug)]
pub(in crate::faf) struct Keeping {
    uid: u32,
}

impl Continuation for Keeping {
    type Asker = Games;
    type Question = KeepRecords;

    fn resume(self, games: &mut Games, cx: &mut Context<'_>, kept: Result<(), StoreFailure>) {
        games.kept(cx, self.uid, kept.is_ok());
    }
}

impl Games {
    /// Puts a record into a game's journal. If the store refuses it for good, the author's game connection ends.
    pub(in crate::faf) fn record(
        &mut self,
        cx: &mut Context<'_>,
        uid: u32,
        record: Record,
        author: Option<Seat>,
    ) {
        let entry = Entry {
            record: Arc::new(record),
            author,
            is_awaited: false,
        };
        self.enter(cx, uid, entry);
    }

    /// The same, of an author whose connection is held until it is written down. With a store that is known to be away it is
    /// not: nobody waits for longer than one attempt takes.
    pub(in crate::faf) fn record_awaited(
        &mut self,
        cx: &mut Context<'_>,
        author: Seat,
        record: Record,
    ) {
        let journal = self.ledger.journals.get(&author.uid);
        let is_away = journal.is_some_and(|journal| journal.failures > 0);
        if is_away {
            cx.post(author.conn.shard, SessionMail::Reported(author));
        }
        let entry = Entry {
            record: Arc::new(record),
            author: Some(author),
            is_awaited: !is_away,
        };
        self.enter(cx, author.uid, entry);
    }

    fn enter(&mut self, cx: &mut Context<'_>, uid: u32, entry: Entry) {
        let journal = self.ledger.journals.entry(uid).or_default();
        journal.waiting.push_back(entry);
        let over = journal.over;
        self.send_records(cx, uid);
        if over {
            self.keep_records(cx, uid);
        }
    }

    /// The game is over: its journal is closed when all is settled and nobody is left in it.
    pub(in crate::faf) fn close_book(&mut self, cx: &mut Context<'_>, uid: u32) {
        if let Some(journal) = self.ledger.journals.get_mut(&uid) {
            journal.over = true;
            self.keep_records(cx, uid);
            self.drop_settled_book(uid);
        }
    }

    fn drop_settled_book(&mut self, uid: u32) {
        let is_deserted = self.games.get(&uid).is_none_or(|game| game.is_deserted());
        let journal = self.ledger.journals.get(&uid);
        if is_deserted && journal.is_some_and(|j| j.over && j.waiting.is_empty()) {
            self.ledger.journals.remove(&uid);
        }
    }

    /// Has the end of a game put on disk, if it is to be.
    fn keep_records(&mut self, cx: &mut Context<'_>, uid: u32) {
        let process_ends = self.ledger.ending;
        let Some(journal) = self.ledger.journals.get_mut(&uid) else {
            return;
        };
        if journal.keeping.is_none() && journal.is_to_be_kept(process_ends) {
            journal.keeping = Some(journal.waiting.len());
            let question = KeepRecords(journal.batch(uid));
            self.pending.ask(&mut cx.turn, question, Keeping { uid });
        }
    }

    /// The end of a game is on disk, or can't be: then the back office tries again with each batch.
    fn kept(&mut self, cx: &mut Context<'_>, uid: u32, on_disk: bool) {
        if let Some(journal) = self.ledger.journals.get_mut(&uid) {
            journal.kept = journal.keeping.take().unwrap_or_default();
            journal.on_disk = on_disk;
        }
        self.keep_records(cx, uid);
        self.send_records(cx, uid);
    }

    fn send_records(&mut self, cx: &mut Context<'_>, uid: u32) {
        let Some(journal) = self.ledger.journals.get_mut(&uid) else {
            return;
        };
        let waits_for_disk =
            journal.keeping.is_some() || (journal.is_to_be_kept(false) && !self.ledger.ending);
        if !journal.busy && !journal.waiting.is_empty() && !waits_for_disk {
            journal.busy = true;
            journal.sent = journal.waiting.len();
            let question = WriteRecords {
                batch: journal.batch(uid),
                on_disk: journal.on_disk,
            };
            self.pending.ask(&mut cx.turn, question, Writing { uid });
        }
    }

    /// The pause before another attempt is over.
    pub(in crate::faf) fn retry_records(&mut self, cx: &mut Context<'_>, uid: u32) {
        if let Some(journal) = self.ledger.journals.get_mut(&uid) {
            journal.busy = false;
        }
        self.send_records(cx, uid);
    }

    /// The back office has settled what it could of a batch.
    fn written(&mut self, cx: &mut Context<'_>, uid: u32, written: Written) {
        let Some(journal) = self.ledger.journals.get_mut(&uid) else {
            return;
        };
        journal.launched = written.launched.or(journal.launched);
        journal.sent = 0;
        let (mut refused, mut tried) = (Vec::new(), Vec::new());
        for done in &written.done {
            let mut line = journal.settle_first();
            let is_operation = |line: &Entry| matches!(*line.record, Record::Operation { .. });
            if !done.refused
                && line.as_ref().is_some_and(is_operation)
                && let Some(game) = self.games.get_mut(&uid)
            {
                game.operation_done = true;
            }
            tried.extend(line.as_mut().and_then(Entry::tried));
            if done.refused {
                cx.metrics.store_errors.up();
                refused.extend(line.and_then(|line| line.author));
            }
        }
        if written.unavailable {
            journal.failures = journal.failures.saturating_add(1);
            tried.extend(journal.waiting.iter_mut().filter_map(Entry::tried));
            cx.metrics.ledger_retries.up();
            cx.turn
                .wake_at(cx.turn.now.mono + journal.pause(), Timer::Ledger(uid));
        } else {
            journal.failures = 0;
            journal.busy = false;
        }
        journal.on_disk &= !written.off_disk;
        self.drop_settled_book(uid);
        self.shadow_later(cx, uid);
        self.settled(cx, written.done);
        for seat in tried {
            cx.post(seat.conn.shard, SessionMail::Reported(seat));
        }
        for seat in refused {
            self.leave(cx, seat, Leaving::Aborted);
            cx.post(seat.conn.shard, SessionMail::LinkEnded(seat));
        }
        // Before anything else, even if the store is to be asked only after a pause.
        self.keep_records(cx, uid);
        if !written.unavailable {
            self.send_records(cx, uid);
        }
    }

    /// Tells the outside and the players what came of settled records.
    pub(in crate::faf) fn settled(&mut self, cx: &mut Context<'_>, done: Vec<Done>) {
        for done in done {
            for event in done.events {
                cx.turn.publish(event);
            }
            if let Some(kind) = &done.counted {
                cx.metrics.rated_games.of(&[kind]).up();
            }
            if !done.rated.is_empty() {
                cx.post_all(|| SessionMail::Rated(done.rated.clone()));
                let rated = CoordinatorMail::Rated(done.rated);
                cx.post_coordinator(rated);
            }
        }
    }

    /// The process ends at once: finished games that are not settled, and those that finish by it, are at least kept on
    /// disk.
    pub(in crate::faf) fn keep_books(&mut self, cx: &mut Context<'_>) {
        self.ledger.ending = true;
        let mut uids: Vec<u32> = self.ledger.journals.keys().copied().collect();
        uids.sort_unstable();
        for uid in uids {
            self.keep_records(cx, uid);
        }
    }
}
