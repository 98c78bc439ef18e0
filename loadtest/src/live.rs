//! The line printed each second while a run goes on.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;

use crate::metrics::{Metrics, Recorder, histogram, merge};

/// What the threads reported since the last line.
#[derive(Debug)]
pub(crate) struct Live {
    recent: Mutex<Recent>,
}

#[derive(Debug)]
struct Recent {
    latency: Histogram<u64>,
    /// Latest counts of each thread.
    threads: Vec<Counts>,
    /// Sum at the last line.
    before: Counts,
}

/// What the line shows as so many per second.
#[derive(Debug, Default, Clone)]
struct Counts {
    logins: u64,
    deliveries: u64,
    bytes_in: u64,
    /// The protocol's own.
    own: Vec<(&'static str, u64)>,
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        self.logins += other.logins;
        self.deliveries += other.deliveries;
        self.bytes_in += other.bytes_in;
        for (place, (name, count)) in other.own.iter().enumerate() {
            match self.own.get_mut(place) {
                Some((_, sum)) => *sum += count,
                None => self.own.push((name, *count)),
            }
        }
    }
}

impl Live {
    pub(crate) fn new(threads: usize) -> Live {
        Live {
            recent: Mutex::new(Recent {
                latency: histogram(),
                threads: vec![Counts::default(); threads],
                before: Counts::default(),
            }),
        }
    }

    /// A thread hands over its last second, and its protocol's counts.
    pub(crate) fn publish<M: Metrics>(
        &self,
        thread: usize,
        recorder: &mut Recorder<M>,
        own: Vec<(&'static str, u64)>,
    ) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let common = &mut recorder.common;
        merge(&mut recent.latency, &common.recent);
        common.recent.reset();
        recent.threads[thread] = Counts {
            logins: common.logins,
            deliveries: common.deliveries,
            bytes_in: common.bytes_in,
            own,
        };
    }

    /// The line for the last second.
    pub(crate) fn line(&self, seconds: u64, phase: &str, connected: i64) -> String {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = Counts::default();
        for counts in &recent.threads {
            now.add(counts);
        }
        let before = std::mem::replace(&mut recent.before, now.clone());
        let mut line = format!(
            "{seconds:>5}s {phase:<8} connected {connected:>6}  logins/s {:>5}  deliveries/s {:>7}  in {:>8.2} MB/s",
            now.logins - before.logins,
            now.deliveries - before.deliveries,
            (now.bytes_in - before.bytes_in) as f64 / 1e6,
        );
        for (place, (name, count)) in now.own.iter().enumerate() {
            let earlier = before.own.get(place).map_or(0, |(_, count)| *count);
            let _infallible = write!(line, "  {name}/s {:>6}", count - earlier);
        }
        let latency = &recent.latency;
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let ms = latency.value_at_quantile(quantile) as f64 / 1e3;
            let _infallible = if latency.is_empty() {
                write!(line, "  {name} {:>8} ms", "-")
            } else {
                write!(line, "  {name} {ms:>8.1} ms")
            };
        }
        recent.latency.reset();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Common;

    #[test]
    fn the_line_shows_the_last_second_of_all_threads() {
        let live = Live::new(2);
        let mut recorder = Recorder::<Common>::default();
        recorder.delivered(2_000);
        live.publish(0, &mut recorder, vec![("trips", 5)]);
        live.publish(1, &mut Recorder::<Common>::default(), vec![("trips", 2)]);
        let line = live.line(1, "measure", 3);
        assert!(
            line.contains("deliveries/s       1") && line.contains("trips/s      7"),
            "{line}"
        );
        assert!(line.contains("p50      2.0 ms"), "{line}");
        live.publish(0, &mut recorder, vec![("trips", 6)]);
        let line = live.line(2, "measure", 3);
        assert!(line.contains("p50        - ms"), "{line}");
        assert!(
            line.contains("deliveries/s       0") && line.contains("trips/s      1"),
            "{line}"
        );
    }
}
