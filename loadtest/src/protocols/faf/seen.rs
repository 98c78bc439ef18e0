//! Which watcher has seen which change.

use std::ops::Range;

/// What a watcher has seen of each host's changes.
///
/// The server sends an object at most once per tick and then as it stands, so changes that follow each other closely arrive
/// as one broadcast. The ones it replaces count as delivered with it (*coalesced*), each from its own time.
/// spec: faf-lifecycle 8
#[derive(Debug)]
pub(super) struct Seen {
    newest: Box<[u32]>,
    /// Changes up to these were due before the watcher was there; none, if it is empty.
    before: Box<[u32]>,
}

/// What one arriving broadcast means to a watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Something new, which covers all changes after the last one seen.
    Fresh {
        /// The last one seen before.
        after: u32,
    },
    /// The same state again (something else in the game changed).
    Repeat,
    /// Older than what was seen before: the order was broken.
    Stale,
    /// A host that does not exist.
    Unknown,
}

impl Seen {
    /// Nothing seen of `hosts` hosts; change 0 is the title a game opens with and is not waited for.
    pub(super) fn new(hosts: usize) -> Seen {
        Seen {
            newest: vec![0; hosts].into_boxed_slice(),
            before: Box::default(),
        }
    }

    /// Of a watcher that comes when so many changes of each host were due, which are nothing to it.
    pub(super) fn after(due: impl Iterator<Item = u64>) -> Seen {
        let due = due.map(|due| u32::try_from(due).unwrap_or(u32::MAX));
        let before: Box<[u32]> = due.collect();
        Seen {
            newest: before.clone(),
            before,
        }
    }

    /// Books the arrival of change `sequence` of `host`.
    pub(super) fn arrive(&mut self, host: u32, sequence: u32) -> Arrival {
        let Some(newest) = self.newest.get_mut(host as usize) else {
            return Arrival::Unknown;
        };
        let before = self.before.get(host as usize);
        if sequence == *newest || before.is_some_and(|before| sequence <= *before) {
            return Arrival::Repeat;
        }
        if sequence < *newest {
            return Arrival::Stale;
        }
        let after = std::mem::replace(newest, sequence);
        Arrival::Fresh { after }
    }

    /// How many of the changes sent so far (by host) have not come, neither themselves nor as part of a later one.
    pub(super) fn missing(&self, sent: impl Iterator<Item = u32>) -> u64 {
        self.newest
            .iter()
            .zip(sent)
            .map(|(newest, sent)| u64::from(sent.saturating_sub(*newest)))
            .sum()
    }

    /// The numbers of the changes that were due so far (so many of each host) and have not come.
    pub(super) fn all_missing(
        &self,
        due: impl Iterator<Item = u64>,
    ) -> impl Iterator<Item = (usize, Range<u64>)> {
        let hosts = self.newest.iter().zip(due).enumerate();
        hosts
            .map(|(host, (newest, due))| (host, u64::from(*newest) + 1..due + 1))
            .filter(|(_, changes)| !changes.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coalesced_changes_arrive_with_the_newest() {
        let mut seen = Seen::new(2);
        let arrivals = [1, 4, 4].map(|sequence| seen.arrive(1, sequence));
        let fresh = |after| Arrival::Fresh { after };
        assert_eq!(arrivals, [fresh(0), fresh(1), Arrival::Repeat]);
        assert_eq!(seen.missing([0, 4].into_iter()), 0);
    }

    #[test]
    fn what_never_came_is_missing() {
        let mut seen = Seen::new(3);
        seen.arrive(0, 5);
        seen.arrive(1, 2);
        assert_eq!(seen.missing([5, 4, 1].into_iter()), 3);
        let all: Vec<(usize, Range<u64>)> = seen.all_missing([4, 4, 1].into_iter()).collect();
        assert_eq!(all, [(1, 3..5), (2, 1..2)]);
    }

    #[test]
    fn what_was_due_before_a_watcher_came_is_nothing_to_it() {
        let mut seen = Seen::after([3, 0].into_iter());
        assert_eq!(seen.missing([3, 0].into_iter()), 0);
        let arrivals = [2, 5, 1, 4].map(|sequence| seen.arrive(0, sequence));
        let fresh = Arrival::Fresh { after: 3 };
        let expected = [Arrival::Repeat, fresh, Arrival::Repeat, Arrival::Stale];
        assert_eq!(arrivals, expected);
        assert_eq!(seen.missing([6, 2].into_iter()), 3);
    }

    #[test]
    fn broken_order_and_strangers_are_errors() {
        let mut seen = Seen::new(1);
        assert_eq!(seen.arrive(0, 3), Arrival::Fresh { after: 0 });
        assert_eq!(seen.arrive(0, 2), Arrival::Stale);
        assert_eq!(seen.arrive(1, 1), Arrival::Unknown);
        assert_eq!(seen.missing([3].into_iter()), 0);
    }
}
