//! Everything a run has counted and measured so far, small enough to be handed over each second: a latency is the counts of some
//! buckets here, not a histogram.

use hdrhistogram::Histogram;

use crate::metrics::{Metrics, Recorder};

/// Upper bounds of the buckets of a latency in µs; what is longer has a bucket without one.
pub(crate) const BOUNDS_US: [u64; 22] = [
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
];

/// Counts that are errors, by their names.
pub(crate) const ERRORS: [&str; 6] = [
    "lost",
    "unsent",
    "login_failures",
    "setup_failures",
    "closed_by_server",
    "protocol_errors",
];

/// A latency so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Distribution {
    /// How many in each bucket, the last being the one without bound.
    pub(crate) buckets: [u64; BOUNDS_US.len() + 1],
    /// All of them together; each counts as the middle of what the histogram tells apart.
    pub(crate) sum_us: f64,
}

impl Distribution {
    fn of(histogram: &Histogram<u64>) -> Distribution {
        let mut all = Distribution::default();
        let mut bucket = 0;
        for value in histogram.iter_recorded() {
            let us = value.value_iterated_to();
            while BOUNDS_US.get(bucket).is_some_and(|bound| us > *bound) {
                bucket += 1;
            }
            let count = value.count_at_value();
            all.buckets[bucket] += count;
            all.sum_us += histogram.median_equivalent(us) as f64 * count as f64;
        }
        all
    }

    fn add(&mut self, other: &Distribution) {
        for (ours, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *ours += theirs;
        }
        self.sum_us += other.sum_us;
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// What has come since then.
    pub(crate) fn since(&self, then: &Distribution) -> Distribution {
        let mut new = self.clone();
        for (ours, theirs) in new.buckets.iter_mut().zip(then.buckets) {
            *ours = ours.saturating_sub(theirs);
        }
        new.sum_us -= then.sum_us;
        new
    }

    /// A bound in µs that this share stays below; nothing if there are none, or if they go beyond all bounds.
    pub(crate) fn below_us(&self, share: f64) -> Option<u64> {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        BOUNDS_US.get(bucket?).copied().filter(|_| wanted > 0)
    }
}

/// Everything counted and measured since the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) counts: Vec<(&'static str, u64)>,
    pub(crate) latencies: Vec<(&'static str, Distribution)>,
}

impl Totals {
    /// What a thread has so far.
    pub(crate) fn of<M: Metrics>(recorder: &Recorder<M>) -> Totals {
        let latencies = recorder.latencies().into_iter();
        Totals {
            counts: recorder.counts(),
            latencies: latencies
                .map(|(name, histogram)| (name, Distribution::of(histogram)))
                .collect(),
        }
    }

    /// Adds another thread's.
    pub(crate) fn add(&mut self, other: &Totals) {
        for (name, count) in &other.counts {
            match self.counts.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += count,
                None => self.counts.push((name, *count)),
            }
        }
        for (name, latency) in &other.latencies {
            match self.latencies.iter_mut().find(|(known, _)| known == name) {
                Some((_, all)) => all.add(latency),
                None => self.latencies.push((name, latency.clone())),
            }
        }
    }

    /// What was counted under this name; 0 if nothing was.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let mut counts = self.counts.iter();
        counts
            .find_map(|(known, count)| (*known == name).then_some(*count))
            .unwrap_or(0)
    }

    /// The latency of this name.
    pub(crate) fn latency(&self, name: &str) -> Option<&Distribution> {
        let mut latencies = self.latencies.iter();
        latencies.find_map(|(known, latency)| (*known == name).then_some(latency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Common, histogram};

    #[test]
    fn every_latency_is_in_the_bucket_below_whose_bound_it_is() {
        let mut latency = histogram();
        for us in [1, 10, 11, 999, 1_000, 3_000_000_000] {
            latency.saturating_record(us);
        }
        let all = Distribution::of(&latency);
        assert_eq!(all.count(), 6);
        assert_eq!((all.buckets[0], all.buckets[1]), (2, 1));
        assert_eq!((all.buckets[6], all.buckets[22]), (2, 1));
        assert!((all.sum_us - 3_000_002_021.0).abs() < 2e6, "{}", all.sum_us);
        assert_eq!(all.below_us(0.5), Some(20));
        assert_eq!(all.below_us(0.8), Some(1_000));
        assert_eq!(all.below_us(1.0), None);
        assert_eq!(all.since(&all).below_us(0.5), None);
    }

    #[test]
    fn totals_of_threads_add_up() {
        let mut recorder = Recorder::<Common>::default();
        recorder.common.lost = 2;
        recorder.common.login.saturating_record(7);
        let one = Totals::of(&recorder);
        let mut all = Totals::default();
        all.add(&one);
        let single = (
            all.count("lost"),
            all.latency("login").map(Distribution::count),
        );
        // Both halves of this recorder are of the same kind.
        assert!(single.0 >= 2, "{single:?}");
        all.add(&one);
        assert_eq!(all.count("lost"), single.0 * 2);
        assert_eq!(
            all.latency("login").map(Distribution::count),
            single.1.map(|count| count * 2)
        );
        assert_eq!(all.count("nothing"), 0);
    }
}
