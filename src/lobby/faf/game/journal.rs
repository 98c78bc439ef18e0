//! The journals of a shard's games: what is still to be written down, and that it is (spec: faf-ratings-results 1).
//!
//! Each game has a journal on its owner's shard: records in their order. What waits in it goes to the back office as one
//! batch; the next goes when that one is acknowledged. A store that is unavailable, or a full queue, means the same
//! batch again after a pause. An orderly stop waits until the last record is settled. A journal is closed when that is so,
//! its game is over, and nobody is left in the game who could still report something.

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
    question::Continuation,
};

/// Pause before a batch is tried again, at first …
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// … and at most, each pause being twice the one before.
const RETRY_LONGEST: Duration = Duration::from_secs(30);

/// The journals of a shard's games.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Journal {
    launched: Option<Launched>,
    waiting: VecDeque<Entry>,
    /// A batch is with the back office, or a pause runs.
    busy: bool,
    /// Records in the batch that is with the back office, which keeps it itself if it tells of the end.
    sent: usize,
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
            ensure(journal.sent == 0, "a journal waits for what nobody writes")?;
        }
        Ok(())
    }

    /// Whether there is no journal any more.
    #[cfg(test)]
    pub(in crate::faf) fn is_empty(&self) -> bool {
        self.journals.is_empty()
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

impl Continuation for Writing {
    type Asker = Games;
    type Question = WriteRecords;

    fn resume(self, games: &mut Games, cx: &mut Context<'_>, written: Written) {
        games.written(cx, self.uid, written);
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
        self.send_records(cx, uid);
        // One that comes after the end, as the process ends.
        if self.ledger.ending {
            self.keep_book(cx, uid);
        }
    }

    /// The game is over: its journal is closed when all is settled and nobody is left in it.
    pub(in crate::faf) fn close_book(&mut self, cx: &mut Context<'_>, uid: u32) {
        if let Some(journal) = self.ledger.journals.get_mut(&uid) {
            let before = std::mem::replace(&mut journal.over, true);
            if self.ledger.ending && !before {
                self.keep_book(cx, uid);
            }
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

    fn keep_book(&self, cx: &mut Context<'_>, uid: u32) {
        let journal = self.ledger.journals.get(&uid);
        if let Some(journal) = journal.filter(|journal| journal.is_to_be_kept()) {
            cx.turn.ask(KeepRecords(journal.batch(uid)));
        }
    }

    fn send_records(&mut self, cx: &mut Context<'_>, uid: u32) {
        let Some(journal) = self.ledger.journals.get_mut(&uid) else {
            return;
        };
        if !journal.busy && !journal.waiting.is_empty() {
            journal.busy = true;
            journal.sent = journal.waiting.len();
            let question = WriteRecords(journal.batch(uid));
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
            let mut line = journal.waiting.pop_front();
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
        self.drop_settled_book(uid);
        self.settled(cx, written.done);
        for seat in tried {
            cx.post(seat.conn.shard, SessionMail::Reported(seat));
        }
        for seat in refused {
            self.leave(cx, seat, Leaving::Aborted);
            cx.post(seat.conn.shard, SessionMail::LinkEnded(seat));
        }
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
            if !done.rated.is_empty() {
                cx.metrics.rated(&done.rated);
                cx.post_all(|| SessionMail::Rated(done.rated.clone()));
                let rated = CoordinatorMail::Rated(done.rated);
                cx.post(cx.topology.coordinator(), rated);
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
            self.keep_book(cx, uid);
        }
    }
}
