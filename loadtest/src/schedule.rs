//! When load is due, decided before the run and never by the server's answers.
//!
//! A tester that waits for an answer before it sends the next request measures a server only while the server is well
//! (coordinated omission). Here every change, message and sign-in has an **intended time**; latency counts from there, so a
//! stall of the server, or of the tester, is seen by everything that was due meanwhile. The intended time travels inside the
//! message itself, so whoever receives it can tell the latency without any book-keeping shared between threads.

use std::time::Instant;

use crate::chance;
use crate::scenario::Curve;

/// Microseconds since the start of the run; one monotonic clock for all threads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Clock {
        Clock::starting(Instant::now())
    }

    /// A clock that starts at this time: on several machines at the same, so that what is due then is due everywhere.
    pub(crate) fn starting(start: Instant) -> Clock {
        Clock { start }
    }

    /// Microseconds since the start, 0 before it.
    pub(crate) fn now_us(&self) -> u64 {
        let since = Instant::now().saturating_duration_since(self.start);
        u64::try_from(since.as_micros()).expect("a run is shorter than 500,000 years")
    }
}

/// Due times beyond every run.
pub(crate) const NEVER_US: u64 = u64::MAX / 4;
/// Poisson arrivals are drawn anew from the beginning of their block, and only the blocks' beginnings are kept.
const BLOCK: u64 = 64;

/// How events that come at a rate are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrivals {
    /// Evenly.
    Fixed,
    /// Independent of each other, as those of many people who do not know of each other.
    Poisson,
}

/// Events at a rate that may change, shared round robin by several sources: source `s` has events `s`, `s + sources`, and so on.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    rate: Curve,
    sources: u64,
    poisson: Option<Poisson>,
}

impl Schedule {
    /// Events at this rate in all, for so long, shared by `sources`, of which there must be one.
    pub(crate) fn new(
        rate: &Curve,
        sources: usize,
        arrivals: Arrivals,
        (seed, until_us): (u64, u64),
    ) -> Schedule {
        assert!(sources > 0, "a schedule needs somebody to follow it");
        let poisson = || Poisson::new(seed, rate.area(until_us));
        Schedule {
            rate: rate.clone(),
            sources: sources as u64,
            poisson: (arrivals == Arrivals::Poisson).then(poisson),
        }
    }

    /// The number of event `turn` (from 0) of `source` among all events.
    pub(crate) fn number(&self, source: usize, turn: u64) -> u64 {
        turn * self.sources + source as u64
    }

    /// Microseconds after the beginning at which the event of this number is due: when the integral of the rate reaches it.
    pub(crate) fn event_due_us(&self, number: u64) -> u64 {
        let area = match &self.poisson {
            None => Some(number as f64),
            Some(poisson) => poisson.area(number),
        };
        area.and_then(|area| self.rate.reaches(area))
            .unwrap_or(NEVER_US)
    }

    /// Microseconds after the beginning at which event `turn` (from 0) of `source` is due.
    pub(crate) fn due_us(&self, source: usize, turn: u64) -> u64 {
        self.event_due_us(self.number(source, turn))
    }

    /// How many events of all sources are due earlier than `time_us` after the beginning.
    pub(crate) fn events_before(&self, time_us: u64) -> u64 {
        if time_us == 0 {
            return 0;
        }
        let area = self.rate.area(time_us);
        // Where a time is rounded to is for `event_due_us` to say.
        let mut events = match &self.poisson {
            None => (area as u64).saturating_sub(1),
            Some(poisson) => poisson.before(area),
        };
        while events > 0 && self.event_due_us(events - 1) >= time_us {
            events -= 1;
        }
        while self.event_due_us(events) < time_us {
            events += 1;
        }
        events
    }

    /// How many events of `source` are due earlier than `time_us` after the beginning.
    pub(crate) fn turns_before(&self, source: usize, time_us: u64) -> u64 {
        let others = self.events_before(time_us).saturating_sub(source as u64);
        others.div_ceil(self.sources)
    }

    /// Time between two events of one source while the rate is highest.
    pub(crate) fn period_us(&self) -> u64 {
        (self.sources as f64 / self.rate.highest() * 1e6).round() as u64
    }
}

/// Events of a Poisson process of rate 1, which a rate stretches.
#[derive(Debug, Clone)]
struct Poisson {
    seed: u64,
    /// Where each block of events begins.
    blocks: Vec<f64>,
}

impl Poisson {
    /// All events up to this area, and some more.
    fn new(seed: u64, area: f64) -> Poisson {
        let mut poisson = Poisson {
            seed,
            blocks: vec![0.0],
        };
        let mut begins = 0.0;
        while begins <= area {
            let block = poisson.blocks.len() as u64 - 1;
            begins += poisson.gaps(block).sum::<f64>();
            poisson.blocks.push(begins);
        }
        poisson
    }

    /// The gaps before the events of a block.
    fn gaps(&self, block: u64) -> impl Iterator<Item = f64> {
        let first = block * BLOCK;
        let seed = self.seed;
        (first..first + BLOCK).map(move |number| chance::exponential(&[seed, number]))
    }

    /// Where an event of this number is; none beyond the last block.
    fn area(&self, number: u64) -> Option<f64> {
        let (block, place) = (number / BLOCK, (number % BLOCK) as usize);
        let begins = self.blocks.get(block as usize)?;
        Some(begins + self.gaps(block).take(place + 1).sum::<f64>())
    }

    /// How many events are before this area.
    fn before(&self, area: f64) -> u64 {
        let block = self.blocks.partition_point(|begins| *begins <= area).max(1) - 1;
        let mut at = self.blocks[block];
        let before = self.gaps(block as u64).take_while(|gap| {
            at += gap;
            at < area
        });
        block as u64 * BLOCK + before.count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(per_second: f64, sources: usize) -> Schedule {
        let rate = Curve::constant(per_second);
        Schedule::new(&rate, sources, Arrivals::Fixed, (1, 1_000_000))
    }

    #[test]
    fn sources_interleave_evenly() {
        let schedule = fixed(10.0, 4);
        let of = &schedule;
        let mut due: Vec<u64> = (0..4)
            .flat_map(|source| (0..3).map(move |turn| of.due_us(source, turn)))
            .collect();
        due.sort_unstable();
        assert_eq!(
            due,
            (0..12).map(|number| number * 100_000).collect::<Vec<_>>()
        );
        assert_eq!(schedule.period_us(), 400_000);
        assert_eq!(schedule.number(3, 2), 11);
        assert_eq!(schedule.event_due_us(11), schedule.due_us(3, 2));
        let before = [0, 1, 100_000, 100_001].map(|time_us| schedule.events_before(time_us));
        assert_eq!(before, [0, 1, 1, 2]);
    }

    #[test]
    fn turns_before_a_time_are_those_due_earlier() {
        for (rate, sources) in [(10.0, 4), (3.0, 1), (7.7, 50), (20_000.0, 3)] {
            let schedule = fixed(rate, sources);
            for source in [0, sources - 1] {
                for time_us in [0, 1, 99_999, 100_000, 333_333, 400_000, 3_000_001] {
                    let mut turns = 0;
                    while schedule.due_us(source, turns) < time_us {
                        turns += 1;
                    }
                    assert_eq!(
                        schedule.turns_before(source, time_us),
                        turns,
                        "{rate} {time_us}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_drift_over_a_long_run() {
        let schedule = fixed(3.0, 1);
        assert_eq!(schedule.due_us(0, 3 * 86_400), 86_400_000_000);
    }

    /// Up to 100 a second within ten seconds, then none for two, then 50.
    fn changing() -> Curve {
        let mut rate = Curve::constant(0.0);
        for (within_us, value) in [
            (10_000_000, 100.0),
            (0, 0.0),
            (2_000_000, 0.0),
            (0, 50.0),
            (8_000_000, 50.0),
        ] {
            rate.push(within_us, value);
        }
        rate
    }

    #[test]
    fn a_changing_rate_is_kept() {
        let schedule = Schedule::new(&changing(), 7, Arrivals::Fixed, (1, 20_000_000));
        let before = [5, 10, 11, 12, 20].map(|at_s| schedule.events_before(at_s * 1_000_000));
        assert_eq!(before, [125, 500, 500, 500, 900]);
        assert_eq!(schedule.event_due_us(500), 12_000_000);
        assert_eq!(schedule.event_due_us(600), 14_000_000);
        assert_eq!(schedule.period_us(), 70_000);
    }

    #[test]
    fn poisson_arrivals_are_as_many_and_as_uneven_as_they_must_be() {
        let rate = changing();
        let schedule = Schedule::new(&rate, 3, Arrivals::Poisson, (7, 20_000_000));
        let due: Vec<u64> = (0..1_000)
            .map(|number| schedule.event_due_us(number))
            .collect();
        assert!(due.is_sorted());
        let all = schedule.events_before(20_000_000);
        assert!((800..1_000).contains(&all), "{all}");
        for time_us in [1, 3_333_333, 9_999_999, 11_000_000, 15_000_000] {
            let counted = due.iter().filter(|due_us| **due_us < time_us).count() as u64;
            assert_eq!(schedule.events_before(time_us), counted, "{time_us}");
        }
        assert!(
            !due.iter()
                .any(|due_us| (10_000_001..12_000_000).contains(due_us))
        );
        // Of a process at a constant rate, the deviation of the gaps is as large as their mean.
        let schedule = Schedule::new(
            &Curve::constant(100.0),
            1,
            Arrivals::Poisson,
            (7, 60_000_000),
        );
        let gaps: Vec<f64> = (0..5_000)
            .map(|number| {
                (schedule.event_due_us(number + 1) - schedule.event_due_us(number)) as f64 / 1e4
            })
            .collect();
        let mean = gaps.iter().sum::<f64>() / 5_000.0;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / 5_000.0;
        assert!(
            (mean - 1.0).abs() < 0.05 && (variance - 1.0).abs() < 0.1,
            "{mean} {variance}"
        );
        let other = Schedule::new(&rate, 3, Arrivals::Poisson, (8, 20_000_000));
        assert_ne!(other.event_due_us(5), due[5], "another seed");
    }
}
