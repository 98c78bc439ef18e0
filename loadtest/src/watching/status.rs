//! Where a run is at one moment.

use std::time::Duration;

use procfs::process::Process;

use super::exposition;
use crate::live::Second;
use crate::totals::Totals;

/// What there is to see of a run at one moment.
#[derive(Debug)]
pub(crate) struct Status<'a> {
    /// What runs against what.
    pub(crate) heading: &'a str,
    /// How long the phase may still take, and may take in all.
    pub(crate) left: Duration,
    pub(crate) length: Duration,
    /// How many clients there are meant to be.
    pub(crate) clients: usize,
    /// The run so far; the last one is the newest.
    pub(crate) series: &'a [Second],
    pub(crate) totals: &'a Totals,
    /// Why things failed, the most frequent first.
    pub(crate) errors: &'a [(String, u64)],
    /// What each thread of the load tester has used.
    pub(crate) threads: &'a [Load],
    /// What the server has used since its own start, in seconds.
    pub(crate) server_cpu_s: Option<f64>,
}

impl Status<'_> {
    /// The newest second.
    pub(crate) fn second(&self) -> Option<&Second> {
        self.series.last()
    }

    /// All of it as Prometheus reads it.
    pub(crate) fn exposition(&self) -> String {
        exposition::text(self)
    }
}

/// A thread of the load tester, with those that it started for itself, and the time they were on a processor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Load {
    pub(crate) name: String,
    pub(crate) seconds: f64,
}

impl Load {
    /// What the names of threads that have clients begin with; a number follows.
    pub(crate) const CLIENTS: &'static str = "worker-";

    /// All threads of this process; none where the kernel does not tell.
    pub(crate) fn of_threads() -> Vec<Load> {
        let tasks = Process::myself().and_then(|process| process.tasks());
        let tasks = tasks.into_iter().flatten().flatten();
        let mut loads: Vec<Load> = Vec::new();
        for task in tasks {
            let (Ok(stat), Ok(time)) = (task.stat(), task.schedstat()) else {
                continue;
            };
            let seconds = time.sum_exec_runtime as f64 / 1e9;
            // Those that a thread starts have its name.
            match loads.iter_mut().find(|load| load.name == stat.comm) {
                Some(load) => load.seconds += seconds,
                None => loads.push(Load {
                    name: stat.comm,
                    seconds,
                }),
            }
        }
        loads.sort_by(|a, b| a.name.cmp(&b.name));
        loads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_one_name_are_one_load() {
        let started = std::sync::Barrier::new(3);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let wait = || (started.wait(), started.wait());
                let named = std::thread::Builder::new().name("worker-x".to_owned());
                named.spawn_scoped(scope, wait).expect("a thread");
            }
            started.wait();
            let loads = Load::of_threads();
            started.wait();
            let named = loads.iter().filter(|load| load.name == "worker-x");
            assert_eq!(named.count(), 1, "{loads:?}");
        });
    }
}
