//! The engine in a simulator: whole shards on a simulated network, one thread, virtual time, everything from a seed.
//!
//! A *walk* is some shards with a dialect that does all a dialect can, and clients that do as chance has it, on a network
//! where everything goes wrong that may. What each client must see is kept beside the engine and compared byte by byte.
//! `MUSTER_SEEDS=first..last` says which walks are taken; `tests/night` takes them without end.

mod book;
mod check;
mod network;
mod nodes;
mod operator;
mod regressions;
mod relays;
mod scribe;
mod secure;
mod strangers;
mod tls;
mod walk;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use walk::Walk;

/// Seeds that are walked unless others are named.
const SEEDS: std::ops::Range<u64> = 0..10_000;

/// A walk has failed: no more are needed.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Lines of a failing walk's history that are shown.
const SHOWN: usize = 100;

/// Chance from a seed; simple, because it is asked all the time.
#[derive(Clone, Debug)]
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }

    /// In so many of 1,024 cases.
    fn happens(&mut self, often: u32) -> bool {
        often > 0 && self.below(1_024) < often as usize
    }
}

/// What all walks together have counted, by name.
type Reached = BTreeMap<&'static str, u64>;

/// One walk. What has gone wrong, and what had happened, if it is to be told.
fn walk(seed: u64, tells: bool, reached: &mut Reached) -> Result<(), (String, Vec<String>)> {
    let mut walk = Walk::new(seed, tells);
    let outcome = catch_unwind(AssertUnwindSafe(|| walk.run()));
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    });
    let shards = walk.metrics.iter().map(|metrics| &**metrics);
    for metrics in shards.chain([&walk.refusals]) {
        for (name, value) in metrics::counters(metrics) {
            *reached.entry(name).or_default() += value;
        }
    }
    outcome.map_err(|why| {
        let history = walk.book.borrow_mut().history.take();
        (why, history.unwrap_or_default())
    })
}

/// The same; a failing one is taken again, and told.
fn must_go_well(seed: u64, reached: &mut Reached) {
    let Err((why, _)) = walk(seed, false, reached) else {
        return;
    };
    FAILED.store(true, Ordering::Relaxed);
    let Err((again, history)) = walk(seed, true, reached) else {
        panic!("seed {seed}: {why}; but not when it was walked again");
    };
    let last = history.len().saturating_sub(SHOWN);
    let told = history[last..].join("\n");
    panic!("seed {seed}: {why}\n(again: {again})\n{told}\nseed {seed}: {why}");
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(named) = std::env::var("MUSTER_SEEDS") else {
        return SEEDS;
    };
    let (first, last) = named.split_once("..").expect("MUSTER_SEEDS=first..last");
    let number = |text: &str| text.trim().parse().expect("a number");
    number(first)..number(last)
}

/// Walks that are enough to meet everything the engine counts.
const MANY: u64 = 5_000;

#[test]
fn every_walk_ends_well_and_all_of_them_meet_everything() {
    const THREADS: u64 = 2;
    let seeds = seeds();
    let walkers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let mine = seeds
                .clone()
                .skip(thread as usize)
                .step_by(THREADS as usize);
            std::thread::spawn(move || {
                let mut reached = Reached::new();
                for seed in mine.take_while(|_| !FAILED.load(Ordering::Relaxed)) {
                    must_go_well(seed, &mut reached);
                }
                reached
            })
        })
        .collect();
    let mut reached = Reached::new();
    for walker in walkers {
        match walker.join() {
            Ok(one) => {
                for (name, value) in one {
                    *reached.entry(name).or_default() += value;
                }
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    reached.retain(|_, value| *value == 0);
    // Not the shards', or not in these walks.
    let beyond = [
        "muster_accept_errors_total",
        "muster_refused_descriptors_total",
        "muster_publish_dropped_total",
        "muster_ended_memory_total",
        "muster_health_checks_total",
        "muster_refused_banned_total",
        // Operators, relays of frames and idle ones have tests of their own.
        "muster_inquiries_total",
        "muster_evicted_total",
        "muster_relays_silent_total",
        "muster_relays_idle_total",
    ];
    reached.retain(|name, _| !beyond.contains(name));
    assert!(
        seeds.count() < MANY as usize || reached.is_empty(),
        "never: {:?}",
        reached.keys()
    );
}
