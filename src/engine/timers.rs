//! Deadlines of one shard: a heap, whose earliest is the longest that the shard waits.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use lobby::ConnId;

/// Deadlines for which there is always room.
const ROOMY: usize = 64;

/// What a deadline is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due<T> {
    /// The dialect asked for it.
    Dialect(T),
    /// The connection must have finished its handshake.
    Handshake(ConnId),
    /// The connection must have taken some of what waits for it.
    Stuck(ConnId),
    /// The peer has had time to read our last words.
    Linger(ConnId),
    /// The connection may be heard again.
    Resume(ConnId),
    /// A heartbeat of ours is due on a relayed connection.
    Beat(ConnId),
    /// A look whether anything still goes over the relay of this connection.
    Relay(ConnId),
    /// A pause of reading may be over.
    Unpark,
}

struct Entry<T> {
    at: Duration,
    /// Keeps deadlines of the same time in the order they were set.
    sequence: u64,
    due: Due<T>,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}
impl<T> Eq for Entry<T> {}
impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// Pending deadlines. A deadline that is no longer wanted stays until it is due and is ignored then; so the engine sets one
/// at a time of each kind for a connection, and a dialect likewise for each of its objects.
pub(super) struct Timers<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    sequence: u64,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Timers {
            heap: BinaryHeap::new(),
            sequence: 0,
        }
    }
}

impl<T> Timers<T> {
    /// Adds a deadline.
    pub(super) fn set(&mut self, at: Duration, due: Due<T>) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry {
            at,
            sequence: self.sequence,
            due,
        }));
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes a deadline that has passed.
    pub(super) fn pop(&mut self, now: Duration) -> Option<Due<T>> {
        if self.next()? > now {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        // A storm of newcomers leaves a deadline for each that was slow to read; of their room nothing stays.
        if self.heap.capacity() > 4 * self.heap.len().max(ROOMY) {
            self.heap.shrink_to(2 * self.heap.len());
        }
        Some(entry.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_in_order_and_not_early() {
        let mut timers = Timers::<u8>::default();
        let ms = Duration::from_millis;
        timers.set(ms(20), Due::Dialect(2));
        timers.set(ms(10), Due::Dialect(1));
        timers.set(ms(20), Due::Dialect(3));
        assert_eq!(timers.next(), Some(ms(10)));
        assert!(timers.pop(ms(9)).is_none());
        let mut seen = Vec::new();
        while let Some(Due::Dialect(n)) = timers.pop(ms(20)) {
            seen.push(n);
        }
        assert_eq!(seen, [1, 2, 3]);
    }

    #[test]
    fn what_a_storm_has_left_goes() {
        let mut timers = Timers::<u64>::default();
        for n in 0..10_000 {
            timers.set(Duration::from_millis(n), Due::Dialect(n));
        }
        for n in 0..9_900 {
            assert!(matches!(timers.pop(Duration::from_secs(10)), Some(Due::Dialect(m)) if m == n));
        }
        assert!(timers.heap.capacity() <= 4 * 100);
    }
}
