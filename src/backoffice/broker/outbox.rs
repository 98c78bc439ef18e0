//! Events that must not be lost, on disk: from before the game they tell of is forgotten until the broker has confirmed them.
//!
//! What one settled batch of records has to tell is one file. It goes when the broker has dealt with all of it. What a start
//! finds is published again; so a crash may double an event, and loses none. Nothing is kept while no broker is configured:
//! there is nobody who would ever take it.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use lobby::Event;
use metrics::{Gauge, SharedCounter};
use serde::{Deserialize, Serialize};

use crate::spool::Spool;

/// The ending of its files.
const ENDING: &str = "events";
/// How often it is looked whether there is room for what an earlier process has left.
const ROOM_CHECK: Duration = Duration::from_millis(100);

metrics::metrics! {
    /// What has become of events on disk.
    pub struct Metrics {
        /// Files of events that the broker has not confirmed yet.
        files: Gauge = Sum "muster_broker_files";
        /// Files of events that could not be written: the disk failed, or there were as many as may be.
        unkept: SharedCounter = Sum "muster_broker_unkept_total";
    }
}

/// The events of one file, and its number.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    number: u64,
    events: Vec<KeptEvent>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptEvent {
    key: String,
    body: String,
}

#[derive(Debug, Default)]
struct State {
    /// A broker is configured.
    wanted: bool,
    /// The highest number that a file has had.
    last: u64,
    /// By the number of a file, how many of its events the broker has not dealt with.
    unconfirmed: BTreeMap<u64, usize>,
    /// Files that nobody needs any more.
    over: Vec<u64>,
    /// What an earlier process has left and is not published again yet.
    left: Vec<Kept>,
}

/// The folder.
#[derive(Debug)]
pub struct Outbox {
    spool: Spool,
    most: usize,
    known: fn(&str) -> Option<&'static str>,
    state: Mutex<State>,
    metrics: Metrics,
}

impl Outbox {
    /// Opens the folder, creating it if need be. There are at most `most` files; `known` is told a routing key of an earlier
    /// process and gives the same one of this.
    ///
    /// # Errors
    /// If the folder can't be created or read.
    pub fn open(
        folder: &Path,
        most: usize,
        known: fn(&str) -> Option<&'static str>,
    ) -> io::Result<Self> {
        let spool = Spool::open_for(folder, ENDING, Arc::default())?;
        let mut left: Vec<Kept> = spool.kept()?;
        left.sort_unstable_by_key(|kept| std::cmp::Reverse(kept.number)); // taken from the end
        let state = State {
            last: left.first().map_or(0, |kept| kept.number),
            unconfirmed: left.iter().map(|k| (k.number, k.events.len())).collect(),
            left,
            ..State::default()
        };
        Ok(Outbox {
            spool,
            most,
            known,
            state: Mutex::new(state),
            metrics: Metrics::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    /// Takes over what a process that has ended has left in another folder; [`Outbox::republish`] publishes it.
    ///
    /// # Errors
    /// If it can't be read. Files that can't be kept here stay there, which is logged.
    pub async fn adopt(&self, folder: &Path) -> io::Result<()> {
        if !folder.is_dir() {
            return Ok(());
        }
        let theirs = Spool::open_for(folder, ENDING, Arc::default())?;
        let mut left: Vec<Kept> = theirs.kept()?;
        left.sort_unstable_by_key(|kept| kept.number);
        for mut kept in left {
            let before = kept.number;
            kept.number = self.number_for(kept.events.len());
            if self.spool.keep(kept.number, &kept).await.is_err() {
                self.state().unconfirmed.remove(&kept.number);
                continue;
            }
            theirs.forget(before).await;
            self.state().left.insert(0, kept); // taken from the end
        }
        Ok(())
    }

    /// Says whether there is a broker that will take what is kept.
    pub fn set_wanted(&self, wanted: bool) {
        self.state().wanted = wanted;
    }

    /// What is counted, with what is there now.
    pub fn metrics(&self) -> &Metrics {
        self.metrics
            .files
            .set(self.state().unconfirmed.len() as f64);
        &self.metrics
    }

    /// Puts those of the events on disk that must not be lost, and marks them with the number of their file. True: they are
    /// there, durably, or need not be.
    pub async fn keep(&self, events: impl Iterator<Item = &mut Event>) -> bool {
        let mut events: Vec<&mut Event> = events.filter(|event| event.persistent).collect();
        let Some(number) = self.begin(events.len()) else {
            return events.is_empty() || !self.state().wanted;
        };
        let kept = Kept {
            number,
            events: events.iter().map(|event| KeptEvent::of(event)).collect(),
        };
        if self.spool.keep(number, &kept).await.is_err() {
            self.metrics.unkept.up();
            self.state().unconfirmed.remove(&number);
            return false;
        }
        for event in &mut events {
            event.file = Some(number);
        }
        true
    }

    /// The number of a new file for so many events; `None`: there is to be none.
    fn begin(&self, events: usize) -> Option<u64> {
        let state = self.state();
        if events == 0 || !state.wanted {
            return None;
        }
        if state.unconfirmed.len() >= self.most {
            self.metrics.unkept.up();
            return None;
        }
        drop(state);
        Some(self.number_for(events))
    }

    fn number_for(&self, events: usize) -> u64 {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        state.unconfirmed.insert(number, events);
        number
    }

    /// The broker has dealt with these. What is to go from disk by that does so with the next [`Outbox::tidy`].
    pub(super) fn delivered(&self, events: &[Event]) {
        let mut state = self.state();
        for number in events.iter().filter_map(|event| event.file) {
            if let Some(left) = state.unconfirmed.get_mut(&number) {
                *left -= 1;
                if *left == 0 {
                    state.unconfirmed.remove(&number);
                    state.over.push(number);
                }
            }
        }
    }

    /// Removes the files that nobody needs any more. May be dropped while it waits: the next one goes on.
    pub(super) async fn tidy(&self) {
        let over = self.state().over.clone();
        if over.is_empty() {
            return;
        }
        let many = over.len();
        self.spool.forget_all(over).await;
        self.state().over.drain(..many);
    }

    /// Publishes what an earlier process has left, as there is room for it.
    pub async fn republish(&self, has_room: impl Fn() -> bool, publish: impl Fn(Event) -> bool) {
        loop {
            if self.state().left.is_empty() {
                return;
            }
            if !has_room() {
                tokio::time::sleep(ROOM_CHECK).await;
                continue;
            }
            let Some(kept) = self.state().left.pop() else {
                return;
            };
            tracing::info!(
                events = kept.events.len(),
                "publishing what an earlier process could not hand to the broker"
            );
            for event in kept.events {
                match (self.known)(&event.key) {
                    Some(key) => publish(Event {
                        file: Some(kept.number),
                        ..Event::persistent(key, event.body.into())
                    }),
                    // It stays on disk, for a version that knows it.
                    None => false,
                };
            }
        }
    }
}

impl KeptEvent {
    fn of(event: &Event) -> Self {
        KeptEvent {
            key: event.key.to_owned(),
            body: String::from_utf8_lossy(&event.body).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn known(key: &str) -> Option<&'static str> {
        (key == "a.b").then_some("a.b")
    }

    fn opened(folder: &Path, most: usize) -> Outbox {
        let outbox = Outbox::open(folder, most, known).unwrap();
        outbox.set_wanted(true);
        outbox
    }

    fn events() -> Vec<Event> {
        vec![
            Event::persistent("a.b", "1".into()),
            Event::transient("a.b", "2".into()),
            Event::persistent("a.b", "3".into()),
        ]
    }

    async fn republished(outbox: &Outbox) -> Vec<Event> {
        let told = RefCell::new(Vec::new());
        let publish = |event| {
            told.borrow_mut().push(event);
            true
        };
        outbox.republish(|| true, publish).await;
        told.take()
    }

    fn files(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    // The process died between settling a game and the broker's having it, and nobody was ever told.
    #[tokio::test]
    async fn what_the_broker_did_not_have_was_lost_with_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let mut told = events();
        assert!(opened(folder.path(), 9).keep(told.iter_mut()).await);
        let marked: Vec<_> = told.iter().map(|event| event.file).collect();
        assert_eq!(marked, [Some(1), None, Some(1)]);

        // Killed; and once more, before all of it has arrived.
        let next = opened(folder.path(), 9);
        let told = republished(&next).await;
        let bodies: Vec<_> = told.iter().map(|event| &event.body[..]).collect();
        assert_eq!(bodies, [b"1", b"3"]);
        next.delivered(&told[..1]);
        next.tidy().await;
        let next = opened(folder.path(), 9);
        let told = republished(&next).await;
        assert_eq!(told.len(), 2);
        let mut more = events();
        assert!(next.keep(more.iter_mut()).await);
        assert_eq!(more[0].file, Some(2), "a number of its own");

        next.delivered(&told);
        next.tidy().await;
        assert_eq!(files(folder.path()), 1);
        next.delivered(&more);
        next.tidy().await;
        assert_eq!(files(folder.path()), 0);
        assert!(republished(&opened(folder.path(), 9)).await.is_empty());
    }

    #[tokio::test]
    async fn files_are_bounded_in_number_and_there_are_none_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = opened(folder.path(), 1);
        let mut first = events();
        assert!(outbox.keep(first.iter_mut()).await);
        assert!(!outbox.keep(events().iter_mut()).await);
        assert_eq!(outbox.metrics().unkept.value(), 1);
        outbox.delivered(&first);
        outbox.tidy().await;
        assert!(outbox.keep(events().iter_mut()).await);
        assert!(outbox.keep([].iter_mut()).await, "nothing to keep");
        outbox.set_wanted(false);
        assert!(
            outbox.keep(events().iter_mut()).await,
            "nobody to keep it for"
        );
        assert_eq!(files(folder.path()), 1);
    }

    #[tokio::test]
    async fn a_disk_that_takes_nothing_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = opened(&folder.path().join("events"), 9);
        // A folder in the file's place fails the last step, whoever runs this.
        std::fs::create_dir_all(folder.path().join("events/1.events/x")).unwrap();
        let mut told = events();
        assert!(!outbox.keep(told.iter_mut()).await);
        assert_eq!(told[0].file, None);
        assert_eq!(outbox.metrics().unkept.value(), 1);
        assert!(
            outbox.keep(told.iter_mut()).await,
            "the next has another name"
        );
    }
}
