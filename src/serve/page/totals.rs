//! What is kept of a look at what is counted, so that a later one knows what has happened since. Small: there are as many as
//! a minute has points, and each has a few numbers for every shard.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::serve::figures::{Durations, Figures};

/// How long frames took to handle.
const HANDLING: &str = "muster_frame_handling_seconds";

/// Everything that only grows, as it was at a moment.
#[derive(Clone, Debug)]
pub(super) struct Totals {
    pub(super) at: Instant,
    cpu_s: f64,
    shards: BTreeMap<u16, ShardTotals>,
    answered: f64,
    troubles: f64,
    confirmed: f64,
    dropped: f64,
}

#[derive(Clone, Debug, Default)]
struct ShardTotals {
    cpu_s: f64,
    frames: f64,
    bytes_in: f64,
    bytes_out: f64,
    handling: Durations,
}

/// What has happened between two moments.
#[derive(Clone, Debug, Default)]
pub(super) struct Since {
    /// Cores that were busy.
    pub(super) cpu: f64,
    pub(super) shards: BTreeMap<u16, OfShard>,
    /// Questions answered by the back office, in a second.
    pub(super) answered: f64,
    /// Questions refused, and statements and handlers that failed.
    pub(super) troubles: f64,
    /// Events that the broker has confirmed, in a second.
    pub(super) confirmed: f64,
    /// Events that were dropped.
    pub(super) dropped: f64,
}

/// The same of a shard, each in a second.
#[derive(Clone, Debug, Default)]
pub(super) struct OfShard {
    /// How much of a core its thread took.
    pub(super) load: f64,
    pub(super) frames: f64,
    pub(super) bytes_in: f64,
    pub(super) bytes_out: f64,
    /// How long frames took to handle.
    pub(super) handling: Durations,
}

impl Totals {
    pub(super) fn of(figures: &Figures) -> Totals {
        let mut shards: BTreeMap<u16, ShardTotals> = BTreeMap::new();
        let numbers = [
            "muster_shard_cpu_seconds_total",
            "muster_frames_in_total",
            "muster_bytes_in_total",
            "muster_bytes_out_total",
        ];
        for (which, name) in numbers.into_iter().enumerate() {
            for ([shard], number) in figures.by(name, ["shard"]) {
                let Ok(shard) = shard.parse() else { continue }; // before a connection has one
                let of = shards.entry(shard).or_default();
                let places = [
                    &mut of.cpu_s,
                    &mut of.frames,
                    &mut of.bytes_in,
                    &mut of.bytes_out,
                ];
                *places[which] = number;
            }
        }
        for (shard, handling) in figures.durations(HANDLING) {
            if let Ok(shard) = shard.parse() {
                shards.entry(shard).or_default().handling = handling;
            }
        }
        let sum = |names: &[&str]| names.iter().map(|name| figures.sum(name)).sum();
        Totals {
            at: figures.at,
            cpu_s: figures.sum("process_cpu_seconds_total"),
            shards,
            answered: figures.sum("muster_backoffice_answered_total"),
            troubles: sum(&[
                "muster_backoffice_refused_total",
                "muster_backoffice_failed_total",
                "db_exceptions_total",
            ]),
            confirmed: figures.sum("muster_broker_confirmed_total"),
            dropped: sum(&[
                "muster_broker_dropped_transient_total",
                "muster_broker_dropped_persistent_total",
                "muster_broker_refused_total",
            ]),
        }
    }

    /// What has happened since then. Without a moment to compare with, nothing.
    pub(super) fn since(&self, before: Option<&Totals>) -> Since {
        let before = before.unwrap_or(self);
        let time = self.at.saturating_duration_since(before.at);
        let time_s = time.max(Duration::from_millis(1)).as_secs_f64();
        let rate = |now: f64, before: f64| (now - before).max(0.0) / time_s;
        let none = ShardTotals::default();
        let shards = self.shards.iter().map(|(&shard, now)| {
            let before = before.shards.get(&shard).unwrap_or(&none);
            let of = OfShard {
                load: rate(now.cpu_s, before.cpu_s),
                frames: rate(now.frames, before.frames),
                bytes_in: rate(now.bytes_in, before.bytes_in),
                bytes_out: rate(now.bytes_out, before.bytes_out),
                handling: now.handling.since(&before.handling),
            };
            (shard, of)
        });
        Since {
            cpu: rate(self.cpu_s, before.cpu_s),
            shards: shards.collect(),
            answered: rate(self.answered, before.answered),
            troubles: (self.troubles - before.troubles).max(0.0),
            confirmed: rate(self.confirmed, before.confirmed),
            dropped: (self.dropped - before.dropped).max(0.0),
        }
    }
}

impl Since {
    /// What all shards have done together.
    pub(super) fn all(&self) -> OfShard {
        let mut all = OfShard::default();
        for shard in self.shards.values() {
            all.load += shard.load;
            all.frames += shard.frames;
            all.bytes_in += shard.bytes_in;
            all.bytes_out += shard.bytes_out;
            all.handling.add(&shard.handling);
        }
        all
    }
}
