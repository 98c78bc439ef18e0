//! What the shards say to other nodes, on its way to whoever carries it, and what that one tells the shards in passing.
//!
//! One lock-free queue for all shards of a node, of letters that are bytes already. A shard puts something in and never waits;
//! one reader ([`Outward::next`]) takes it out, in the order in which each shard put it in. Nothing here knows how letters
//! travel, or reads what is in them.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use atomic_waker::AtomicWaker;
use bytes::Bytes;
use crossbeam::queue::SegQueue;
use metrics::{LabelledSharedCounter, SharedCounter};

/// The longest letter, its head included. The lanes between nodes take no longer ones; what is more is split by whoever says it.
pub const LETTER_BYTES: usize = 256 << 10;
/// Bytes on their way to other nodes above which all shards stop reading from their sockets. Most of them are caused by what
/// clients send.
const OUTWARD_HIGH: usize = if cfg!(test) { 2 << 10 } else { 4 << 20 };
/// Bytes above which letters are dropped: nobody has taken any for long, and whoever carries them is to begin all lanes anew.
const OUTWARD_MOST: usize = if cfg!(test) { 8 << 10 } else { 64 << 20 };
/// Why letters may be dropped; the driver has some reasons of its own.
const REASONS: usize = 24;

metrics::metrics! {
    /// What is counted of letters between nodes.
    pub struct LetterMetrics {
        /// Letters that this node's shards have said to other nodes.
        said: SharedCounter = Sum "muster_cluster_letters_said_total";
        /// Letters of other nodes that were given to this node's shards.
        heard: SharedCounter = Sum "muster_cluster_letters_heard_total";
        /// Letters and envelopes between nodes that were dropped, by the reason.
        dropped: LabelledSharedCounter(REASONS) = Sum "muster_cluster_letters_dropped_total" { why };
    }
}

impl LetterMetrics {
    /// Something was dropped. `why` is one of a few words that are always the same.
    pub fn drop_one(&self, why: &'static str) {
        self.dropped.of(&[why]).up();
    }
}

/// A letter that leaves this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The node it is for; none: all others.
    pub to: Option<u8>,
    /// Head and body, [`LETTER_BYTES`] at the most.
    pub letter: Bytes,
}

/// The way from a node's shards to other nodes. A node that is alone has none.
#[derive(Debug)]
pub struct Outward {
    queue: SegQueue<Parcel>,
    /// What is in the queue.
    bytes: AtomicUsize,
    reader: AtomicWaker,
    /// Letters were dropped for want of room since it was asked last.
    overflowed: AtomicBool,
    /// Whoever carries letters has enough of them for now.
    crowded: AtomicBool,
    /// There are other nodes.
    has_peers: AtomicBool,
    /// What the shards' clock began with.
    origin: Instant,
    /// When this node may no longer believe what it was told of its place among the others: nanoseconds of the shards' clock.
    /// Until somebody says otherwise that is never.
    held_until: AtomicU64,
    metrics: Arc<LetterMetrics>,
}

impl Default for Outward {
    fn default() -> Self {
        Outward {
            queue: SegQueue::new(),
            bytes: AtomicUsize::new(0),
            reader: AtomicWaker::new(),
            overflowed: AtomicBool::new(false),
            crowded: AtomicBool::new(false),
            has_peers: AtomicBool::new(false),
            origin: Instant::now(),
            held_until: AtomicU64::new(u64::MAX),
            metrics: Arc::default(),
        }
    }
}

impl Outward {
    /// What is counted.
    pub fn metrics(&self) -> &Arc<LetterMetrics> {
        &self.metrics
    }

    /// Puts a letter in and wakes the reader. Without room it is dropped, and counted; without other nodes it is forgotten.
    pub(super) fn push(&self, to: Option<u8>, letter: Vec<u8>) {
        if letter.len() > LETTER_BYTES {
            tracing::error!(
                bytes = letter.len(),
                ?to,
                "a letter to other nodes is too long"
            );
            return self.metrics.drop_one("too_long");
        }
        let len = letter.len();
        if self.bytes.fetch_add(len, Ordering::AcqRel) + len > OUTWARD_MOST {
            self.bytes.fetch_sub(len, Ordering::AcqRel);
            self.overflowed.store(true, Ordering::Release);
            return self.metrics.drop_one("no_room");
        }
        self.metrics.said.up();
        let letter = letter.into();
        self.queue.push(Parcel { to, letter });
        self.reader.wake();
    }

    /// The next letter, if there is one now. For one reader.
    pub fn take(&self) -> Option<Parcel> {
        let parcel = self.queue.pop()?;
        self.bytes.fetch_sub(parcel.letter.len(), Ordering::AcqRel);
        Some(parcel)
    }

    /// Waits for the next letter. For one reader; may be dropped at any time.
    pub async fn next(&self) -> Parcel {
        poll_fn(|context| {
            if let Some(parcel) = self.take() {
                return Poll::Ready(parcel);
            }
            self.reader.register(context.waker());
            match self.take() {
                Some(parcel) => Poll::Ready(parcel),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Whether letters were dropped for want of room since this was asked last.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed.swap(false, Ordering::AcqRel)
    }

    /// Whether shards should take in no more from outside for now.
    pub(super) fn is_crowded(&self) -> bool {
        self.crowded.load(Ordering::Relaxed) || self.bytes.load(Ordering::Relaxed) > OUTWARD_HIGH
    }

    /// Whoever carries letters has enough of them for now, or not any more.
    pub fn set_crowded(&self, is_so: bool) {
        self.crowded.store(is_so, Ordering::Relaxed);
    }

    /// Whether anything said to all other nodes would reach one.
    pub(super) fn has_peers(&self) -> bool {
        self.has_peers.load(Ordering::Acquire)
    }

    /// There are other nodes, or none. To be said before the shards are told of them.
    pub fn set_has_peers(&self, is_so: bool) {
        self.has_peers.store(is_so, Ordering::Release);
    }

    /// What the clock of the shards begins with.
    pub(super) fn origin(&self) -> Instant {
        self.origin
    }

    /// Until then shards may believe what they are told of this node's place; later they take it for an island until they are
    /// told otherwise, whoever is late to tell them that. None: never mind.
    pub fn hold_until(&self, end: Option<Instant>) {
        let nanos = |end: Instant| end.saturating_duration_since(self.origin).as_nanos();
        let end = end.map_or(u64::MAX, |end| {
            u64::try_from(nanos(end)).unwrap_or(u64::MAX)
        });
        self.held_until.store(end, Ordering::Release);
    }

    /// Whether that is over at this time of the shards' clock.
    pub(super) fn has_lapsed(&self, now: Duration) -> bool {
        now.as_nanos() > u128::from(self.held_until.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn letters_come_out_in_order_and_wake_whoever_waits() {
        let outward = Arc::new(Outward::default());
        assert!(block_on(poll_once(outward.next())).is_none());
        let writer = outward.clone();
        let thread = std::thread::spawn(move || {
            for n in 0..100 {
                writer.push(Some(n), vec![n]);
            }
        });
        for n in 0..100 {
            let parcel = block_on(outward.next());
            assert_eq!((parcel.to, &parcel.letter[..]), (Some(n), &[n][..]));
        }
        thread.join().unwrap();
        assert_eq!(outward.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_full_way_stops_shards_first_and_then_drops_and_says_so() {
        let outward = Outward::default();
        let push = || outward.push(None, vec![0; 1 << 10]);
        (0..2).for_each(|_| push());
        assert!(!outward.is_crowded());
        push();
        assert!(outward.is_crowded() && !outward.has_overflowed());
        (0..6).for_each(|_| push());
        assert!(outward.has_overflowed() && !outward.has_overflowed());
        assert_eq!(std::iter::from_fn(|| outward.take()).count(), 8);
        assert!(!outward.is_crowded());
        outward.set_crowded(true);
        assert!(outward.is_crowded());
    }

    #[test]
    fn too_long_a_letter_is_dropped_and_counted() {
        let outward = Outward::default();
        outward.push(None, vec![0; LETTER_BYTES + 1]);
        assert!(outward.take().is_none());
        assert_eq!(outward.metrics.dropped.of(&["too_long"]).value(), 1);
        assert_eq!(outward.metrics.said.value(), 0);
    }

    #[test]
    fn what_is_held_lapses_by_itself() {
        let outward = Outward::default();
        assert!(!outward.has_lapsed(Duration::from_secs(1 << 32)));
        outward.hold_until(Some(outward.origin + Duration::from_secs(4)));
        assert!(!outward.has_lapsed(Duration::from_secs(4)));
        assert!(outward.has_lapsed(Duration::from_secs(5)));
        outward.hold_until(None);
        assert!(!outward.has_lapsed(Duration::from_secs(5)));
    }
}
