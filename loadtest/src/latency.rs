//! A latency as it was measured: of what came, and of what was still waited for in the end.
//!
//! Whatever never came counts until the end of the run, so that a server that stands still shows. But such a wait only says that
//! it takes longer than that: it can show that a goal was missed, and never that one was met.

use std::ops::Deref;

use hdrhistogram::Histogram;

use crate::metrics::{histogram, merge};

/// Waits in µs; those that did not come to an end among them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Latency {
    all: Histogram<u64>,
    /// Those of them that did not come to an end, if there are any.
    open: Option<Box<Histogram<u64>>>,
}

impl Default for Latency {
    fn default() -> Latency {
        Latency {
            all: histogram(),
            open: None,
        }
    }
}

/// All waits, those that did not come to an end with what they had waited by then.
impl Deref for Latency {
    type Target = Histogram<u64>;

    fn deref(&self) -> &Histogram<u64> {
        &self.all
    }
}

impl Latency {
    /// It came after so many µs.
    pub(crate) fn saturating_record(&mut self, us: u64) {
        self.all.saturating_record(us);
    }

    /// So many came after so many µs.
    pub(crate) fn saturating_record_n(&mut self, us: u64, count: u64) {
        self.all.saturating_record_n(us, count);
    }

    /// So many have not come for so many µs, and are not waited for any more.
    pub(crate) fn give_up(&mut self, us: u64, count: u64) {
        self.all.saturating_record_n(us, count);
        self.open_mut().saturating_record_n(us, count);
    }

    /// Where all are kept.
    pub(crate) fn all_mut(&mut self) -> &mut Histogram<u64> {
        &mut self.all
    }

    /// Where those are kept that did not come to an end.
    pub(crate) fn open_mut(&mut self) -> &mut Histogram<u64> {
        self.open.get_or_insert_with(|| Box::new(histogram()))
    }

    /// Those that did not come to an end, if there are any.
    pub(crate) fn open(&self) -> Option<&Histogram<u64>> {
        self.open.as_deref().filter(|open| !open.is_empty())
    }

    /// How many did not come to an end.
    pub(crate) fn open_count(&self) -> u64 {
        self.open().map_or(0, Histogram::len)
    }

    /// How many came to an end.
    pub(crate) fn ended(&self) -> u64 {
        self.all.len().saturating_sub(self.open_count())
    }

    /// Adds another thread's.
    pub(crate) fn merge(&mut self, other: &Latency) {
        merge(&mut self.all, &other.all);
        if let Some(open) = other.open() {
            merge(self.open_mut(), open);
        }
    }

    /// The waits that say something of a limit: all that came to an end, and those beyond it. One that was given up before the
    /// limit may have taken less or more.
    pub(crate) fn decided(&self, limit_us: f64) -> Histogram<u64> {
        let (mut decided, mut undecided) = (self.all.clone(), histogram());
        for step in self.open().into_iter().flat_map(Histogram::iter_recorded) {
            let us = step.value_iterated_to();
            if (us as f64) < limit_us {
                let count = step.count_at_value().min(decided.count_at(us));
                undecided.saturating_record_n(us, count);
            }
        }
        // There are as many of each, so that nothing is taken below 0.
        let _taken = decided.subtract(undecided);
        decided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_without_an_end_shows_what_was_missed_and_never_what_was_met() {
        let mut latency = Latency::default();
        latency.give_up(3_000_000, 20);
        assert_eq!((latency.len(), latency.ended()), (20, 0));
        assert_eq!(latency.decided(6e6).len(), 0, "they may take longer");
        assert_eq!(latency.decided(2e6).len(), 20, "they have taken longer");
        latency.saturating_record(10);
        let decided = latency.decided(6e6);
        assert_eq!((decided.len(), decided.max()), (1, 10));
        assert_eq!(latency.decided(2e6).len(), 21);
    }

    #[test]
    fn what_several_threads_have_adds_up() {
        let (mut all, mut other) = (Latency::default(), Latency::default());
        other.give_up(7, 2);
        other.saturating_record(7);
        all.merge(&other);
        all.merge(&other);
        assert_eq!((all.len(), all.open_count(), all.ended()), (6, 4, 2));
        assert_eq!(all.decided(8.0).len(), 2, "of the same value as well");
    }
}
