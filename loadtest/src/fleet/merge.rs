//! The seconds of many workers as those of one: counts add up, latencies are told from one histogram of all.

use std::collections::BTreeMap;

use anyhow::ensure;
use hdrhistogram::Histogram;

use super::messages::SecondOf;
use crate::figures;
use crate::live::Second;
use crate::metrics::{histogram, merge};
use crate::shared::Phase;

/// A worker tells of a second within this time, or is lost before.
const LATEST_S: u64 = 10;
/// After this time a second is shown although somebody has not told of it.
const PATIENCE_S: u64 = 2;

/// A second as far as it was told.
struct Sum {
    second: Second,
    /// Until nothing more can come.
    latency: Option<Histogram<u64>>,
    /// What each worker had connected.
    connected: BTreeMap<usize, i64>,
    shown: bool,
}

/// The seconds of a run.
pub(super) struct Seconds {
    /// The protocol's own counts.
    own: Vec<&'static str>,
    sums: BTreeMap<u64, Sum>,
}

impl Seconds {
    pub(super) fn new(own: Vec<&'static str>) -> Seconds {
        Seconds {
            own,
            sums: BTreeMap::new(),
        }
    }

    /// A worker tells of a second, at this time of the run.
    pub(super) fn add(&mut self, worker: usize, told: &SecondOf, now_s: f64) -> anyhow::Result<()> {
        let phases = [Phase::Assemble, Phase::Measure, Phase::Finish, Phase::Stop];
        let phase = phases.into_iter().find(|phase| phase.name() == told.phase);
        let possible = (0.0..=now_s + LATEST_S as f64).contains(&told.at_s);
        ensure!(
            possible && told.own.len() == self.own.len(),
            "a second that makes no sense"
        );
        let Some(phase) = phase else {
            anyhow::bail!("no phase is called {:?}", told.phase);
        };
        let latency = figures::decode_own(&told.latency)?;
        // What was left at the end is told last, wherever in a second that was.
        let key = if phase == Phase::Stop {
            u64::MAX
        } else {
            told.at_s as u64
        };
        let sum = self.sums.entry(key).or_insert_with(|| Sum {
            second: empty(told.at_s, phase, &self.own),
            latency: Some(histogram()),
            connected: BTreeMap::new(),
            shown: false,
        });
        let second = &mut sum.second;
        second.at_s = second.at_s.max(told.at_s);
        for (all, told) in [
            (&mut second.due, told.due),
            (&mut second.logins, told.logins),
            (&mut second.deliveries, told.deliveries),
            (&mut second.bytes_in, told.bytes_in),
            (&mut second.errors, told.errors),
        ] {
            *all = all.saturating_add(told);
        }
        for (own, told) in second.own.iter_mut().zip(&told.own) {
            own.1 = own.1.saturating_add(*told);
        }
        sum.connected.insert(worker, told.connected);
        let connected = sum.connected.values();
        second.connected = connected.fold(0, |all, now| all.saturating_add(*now));
        if let Some(all) = &mut sum.latency {
            merge(all, &latency);
            second.set_latency(all);
        }
        Ok(())
    }

    /// The next second that all of so many workers have told of, or should have by now; `complete` adds what is known besides.
    pub(super) fn next(
        &mut self,
        now_s: f64,
        workers: usize,
        complete: impl FnOnce(&mut Second),
    ) -> Option<Second> {
        let over = |key: u64| (key.saturating_add(LATEST_S) as f64) < now_s;
        for (_, old) in self.sums.iter_mut().filter(|(key, _)| over(**key)) {
            old.latency = None;
        }
        let (key, sum) = self.sums.iter_mut().find(|(_, sum)| !sum.shown)?;
        let told = sum.connected.len() >= workers;
        if *key == u64::MAX || !told && now_s < (key + 1 + PATIENCE_S) as f64 {
            return None;
        }
        sum.shown = true;
        complete(&mut sum.second);
        Some(sum.second.clone())
    }

    /// All of them, in order.
    pub(super) fn series(self) -> Vec<Second> {
        self.sums.into_values().map(|sum| sum.second).collect()
    }
}

fn empty(at_s: f64, phase: Phase, own: &[&'static str]) -> Second {
    Second {
        at_s,
        phase: phase.name(),
        connected: 0,
        due: 0,
        logins: 0,
        deliveries: 0,
        bytes_in: 0,
        errors: 0,
        own: own.iter().map(|name| (*name, 0)).collect(),
        p50_us: None,
        p99_us: None,
        max_us: None,
        server_cpu: None,
        server_rss_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::encode_fast;

    fn told(at_s: f64, phase: &str, us: &[u64]) -> SecondOf {
        let mut latency = histogram();
        us.iter().for_each(|us| latency.saturating_record(*us));
        SecondOf {
            at_s,
            phase: phase.to_owned(),
            connected: 3,
            due: 1,
            logins: 0,
            deliveries: us.len() as u64,
            bytes_in: 10,
            errors: 0,
            own: vec![2],
            latency: encode_fast(&latency).expect("it can be written"),
            tally: Vec::new(),
            pieces: Vec::new(),
            snapshots: Vec::new(),
            reasons: BTreeMap::new(),
            threads: Vec::new(),
        }
    }

    #[test]
    fn seconds_add_up_by_their_time_and_not_by_their_arrival() {
        let mut seconds = Seconds::new(vec!["trips"]);
        let mut add = |worker, at_s, us: &[u64]| {
            let told = told(at_s, "measure", us);
            seconds.add(worker, &told, 9.0).expect("it makes sense");
        };
        add(0, 1.2, &[10, 20]);
        add(0, 2.21, &[]);
        add(1, 1.25, &[30]);
        add(1, 2.2, &[70]);
        let line = |seconds: &mut Seconds| seconds.next(2.5, 2, |_| {});
        assert!(line(&mut seconds).is_some_and(|second| second.connected == 6));
        assert!(line(&mut seconds).is_some() && line(&mut seconds).is_none());
        let series = seconds.series();
        assert_eq!(series.len(), 2);
        let first = &series[0];
        assert_eq!((first.deliveries, first.due, first.bytes_in), (3, 2, 20));
        assert_eq!((first.p50_us, first.max_us), (Some(20), Some(30)));
        assert_eq!(first.own, [("trips", 4)]);
        assert_eq!(series[1].max_us, Some(70));
    }

    #[test]
    fn nobody_is_waited_for_too_long() {
        let mut seconds = Seconds::new(vec!["trips"]);
        let told = told(1.2, "measure", &[]);
        seconds.add(0, &told, 1.3).expect("it makes sense");
        assert!(seconds.next(2.0, 2, |_| {}).is_none());
        assert!(seconds.next(4.1, 2, |_| {}).is_some());
    }

    #[test]
    fn what_makes_no_sense_is_not_taken() {
        let mut seconds = Seconds::new(vec!["trips"]);
        for told in [
            told(1e9, "measure", &[]),
            told(-1.0, "measure", &[]),
            told(f64::NAN, "measure", &[]),
            told(1.0, "dance", &[]),
            SecondOf {
                own: Vec::new(),
                ..told(1.0, "measure", &[])
            },
            SecondOf {
                latency: "!".to_owned(),
                ..told(1.0, "measure", &[])
            },
        ] {
            assert!(seconds.add(0, &told, 2.0).is_err(), "{told:?}");
        }
        assert!(seconds.series().is_empty());
    }
}
