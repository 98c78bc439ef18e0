//! A run second by second: what the threads tell of it, the line printed while it goes on, and the time series of the report.
//!
//! A thread and the main thread never hold each other up for longer than it takes to move some pointers.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::metrics::{Common, Metrics, Recorder, histogram, merge};
use crate::totals::Totals;

/// What the threads reported since the last second.
#[derive(Debug)]
pub(crate) struct Live {
    threads: Vec<Mutex<Told>>,
    recent: Mutex<Recent>,
    /// Whether the threads tell their totals as well, which costs them a look at each of their histograms.
    with_totals: bool,
}

/// What a thread has told.
#[derive(Debug)]
struct Told {
    /// Latency since the last second.
    latency: Histogram<u64>,
    counts: Counts,
    totals: Totals,
}

/// The main thread's own.
#[derive(Debug)]
struct Recent {
    /// Empty, to be swapped for a thread's.
    spare: Histogram<u64>,
    latency: Histogram<u64>,
    /// Sum at the last second.
    before: Counts,
}

/// What is shown as so many per second.
#[derive(Debug, Default, Clone)]
struct Counts {
    /// Things that were due, in the measured phase.
    due: u64,
    logins: u64,
    deliveries: u64,
    bytes_in: u64,
    errors: u64,
    /// The protocol's own.
    own: Vec<(&'static str, u64)>,
}

impl Counts {
    fn new(common: &Common, own: Vec<(&'static str, u64)>) -> Counts {
        Counts {
            due: common.own_delay.len(),
            logins: common.logins,
            deliveries: common.deliveries,
            bytes_in: common.bytes_in,
            errors: common.unsent
                + common.login_failures
                + common.setup_failures
                + common.closed_by_server
                + common.protocol_errors
                + common.checks_failed,
            own,
        }
    }

    fn add(&mut self, other: &Counts) {
        self.due += other.due;
        self.logins += other.logins;
        self.deliveries += other.deliveries;
        self.bytes_in += other.bytes_in;
        self.errors += other.errors;
        for (place, (name, count)) in other.own.iter().enumerate() {
            match self.own.get_mut(place) {
                Some((_, sum)) => *sum += count,
                None => self.own.push((name, *count)),
            }
        }
    }
}

/// One second of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Second {
    /// Seconds since the start of the run.
    pub at_s: f64,
    /// Phase of the run.
    pub phase: &'static str,
    /// Clients connected.
    pub connected: i64,
    /// Things that were due and done in the measured phase.
    pub due: u64,
    /// Sign-ins completed.
    pub logins: u64,
    /// What reached somebody it was meant for.
    pub deliveries: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Whatever went wrong.
    pub errors: u64,
    /// The protocol's own counts.
    pub own: Vec<(&'static str, u64)>,
    /// Median latency of what arrived; nothing if nothing did.
    pub p50_us: Option<u64>,
    /// Its 99th percentile.
    pub p99_us: Option<u64>,
    /// The longest.
    pub max_us: Option<u64>,
    /// How many cores the server kept busy since the second before.
    pub server_cpu: Option<f64>,
    /// The server's resident memory.
    pub server_rss_bytes: Option<u64>,
}

impl Live {
    /// Of so many threads, whose protocol counts this on its own: a second has all of it, also before a thread has told of any.
    pub(crate) fn new(
        threads: usize,
        own: impl Iterator<Item = &'static str>,
        with_totals: bool,
    ) -> Live {
        let nothing = Counts {
            own: own.map(|name| (name, 0)).collect(),
            ..Counts::default()
        };
        let told = || Told {
            latency: histogram(),
            counts: nothing.clone(),
            totals: Totals::default(),
        };
        Live {
            threads: (0..threads).map(|_| Mutex::new(told())).collect(),
            recent: Mutex::new(Recent {
                spare: histogram(),
                latency: histogram(),
                before: Counts::default(),
            }),
            with_totals,
        }
    }

    /// A thread hands over its last second, and its protocol's counts.
    pub(crate) fn publish<M: Metrics>(
        &self,
        thread: usize,
        recorder: &mut Recorder<M>,
        own: Vec<(&'static str, u64)>,
    ) {
        let counts = Counts::new(&recorder.common, own);
        let totals = self.with_totals.then(|| Totals::of(recorder));
        let mut told = lock(&self.threads[thread]);
        merge(&mut told.latency, &recorder.common.recent);
        told.counts = counts;
        if let Some(totals) = totals {
            told.totals = totals;
        }
        drop(told);
        recorder.common.recent.reset();
    }

    /// Everything counted and measured since the start.
    pub(crate) fn totals(&self) -> Totals {
        let mut all = Totals::default();
        for thread in &self.threads {
            all.add(&lock(thread).totals);
        }
        all
    }

    /// What has happened since the second before.
    #[cfg(test)]
    pub(crate) fn second(&self, at_s: f64, phase: &'static str, connected: i64) -> Second {
        self.take_second(at_s, phase, connected).0
    }

    /// What has happened since the second before, and the latency of what has arrived.
    pub(crate) fn take_second(
        &self,
        at_s: f64,
        phase: &'static str,
        connected: i64,
    ) -> (Second, Histogram<u64>) {
        let recent = &mut *lock(&self.recent);
        let mut now = Counts::default();
        for thread in &self.threads {
            let mut told = lock(thread);
            std::mem::swap(&mut told.latency, &mut recent.spare);
            let counts = told.counts.clone();
            drop(told);
            now.add(&counts);
            merge(&mut recent.latency, &recent.spare);
            recent.spare.reset();
        }
        let before = std::mem::replace(&mut recent.before, now.clone());
        let own = now.own.iter().enumerate().map(|(place, (name, count))| {
            let earlier = before.own.get(place).map_or(0, |(_, count)| *count);
            (*name, count - earlier)
        });
        let latency = std::mem::replace(&mut recent.latency, histogram());
        let mut second = Second {
            at_s,
            phase,
            connected,
            due: now.due - before.due,
            logins: now.logins - before.logins,
            deliveries: now.deliveries - before.deliveries,
            bytes_in: now.bytes_in - before.bytes_in,
            errors: now.errors - before.errors,
            own: own.collect(),
            p50_us: None,
            p99_us: None,
            max_us: None,
            server_cpu: None,
            server_rss_bytes: None,
        };
        second.set_latency(&latency);
        (second, latency)
    }
}

impl Second {
    /// The latencies of what has arrived in it.
    pub(crate) fn set_latency(&mut self, latency: &Histogram<u64>) {
        let at = |quantile| (!latency.is_empty()).then(|| latency.value_at_quantile(quantile));
        (self.p50_us, self.p99_us, self.max_us) = (at(0.5), at(0.99), at(1.0));
    }
}

/// What is behind the lock; whoever panicked holding it has failed the run anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Display for Second {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:>5.0}s {:<8} connected {:>6}  logins/s {:>5}  deliveries/s {:>7}  in {:>8.2} MB/s",
            self.at_s.floor(),
            self.phase,
            self.connected,
            self.logins,
            self.deliveries,
            self.bytes_in as f64 / 1e6,
        )?;
        for (name, count) in &self.own {
            write!(out, "  {name}/s {count:>6}")?;
        }
        for (name, us) in [("p50", self.p50_us), ("p99", self.p99_us)] {
            match us {
                Some(us) => write!(out, "  {name} {:>8.1} ms", us as f64 / 1e3)?,
                None => write!(out, "  {name} {:>8} ms", "-")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Common;

    #[test]
    fn the_line_shows_the_last_second_of_all_threads() {
        let live = Live::new(2, ["trips"].into_iter(), false);
        assert_eq!(live.second(0.2, "assemble", 0).own, [("trips", 0)]);
        let mut recorder = Recorder::<Common>::default();
        recorder.delivered(2_000);
        live.publish(0, &mut recorder, vec![("trips", 5)]);
        live.publish(1, &mut Recorder::<Common>::default(), vec![("trips", 2)]);
        let line = live.second(1.2, "measure", 3).to_string();
        assert!(
            line.contains("deliveries/s       1") && line.contains("trips/s      7"),
            "{line}"
        );
        assert!(line.contains("p50      2.0 ms"), "{line}");
        live.publish(0, &mut recorder, vec![("trips", 6)]);
        let line = live.second(2.2, "measure", 3).to_string();
        assert!(line.contains("p50        - ms"), "{line}");
        assert!(
            line.contains("deliveries/s       0") && line.contains("trips/s      1"),
            "{line}"
        );
    }
}
