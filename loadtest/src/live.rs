//! The line printed each second while a run goes on.

use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;

use crate::latency::{Counts, Recorder, histogram};

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

    /// A thread hands over its last second.
    pub(crate) fn publish(&self, thread: usize, recorder: &mut Recorder) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent
            .latency
            .add(&recorder.recent)
            .expect("all histograms have the same bounds");
        recent.threads[thread].clone_from(&recorder.counts);
        recorder.recent.reset();
    }

    /// The line for the last second.
    pub(crate) fn line(&self, seconds: u64, phase: &str, connected: i64) -> String {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = Counts::default();
        for counts in &recent.threads {
            now.add(counts);
        }
        let before = std::mem::replace(&mut recent.before, now.clone());
        let latency = &recent.latency;
        let line = format!(
            "{seconds:>5}s {phase:<8} connected {connected:>6}  logins/s {:>5}  deliveries/s {:>7}  in {:>8.2} MB/s  \
             ice/s {:>6}  p50 {:>8.1} ms  p99 {:>8.1} ms",
            now.logins - before.logins,
            now.deliveries - before.deliveries,
            (now.bytes_in - before.bytes_in) as f64 / 1e6,
            now.ice_received - before.ice_received,
            latency.value_at_quantile(0.5) as f64 / 1e3,
            latency.value_at_quantile(0.99) as f64 / 1e3,
        );
        recent.latency.reset();
        line
    }
}
