//! When load is due, decided before the run and never by the server's answers.
//!
//! A tester that waits for an answer before it sends the next request measures a server only while the server is well
//! (coordinated omission). Here every change, message and sign-in has an **intended time**; latency counts from there, so a
//! stall of the server, or of the tester, is seen by everything that was due meanwhile. The intended time travels inside the
//! message itself, so whoever receives it can tell the latency without any book-keeping shared between threads.

use std::time::Instant;

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

/// Evenly spaced events shared round robin by several sources: source `s` has events `s`, `s + sources`, and so on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Schedule {
    per_second: f64,
    sources: u64,
}

impl Schedule {
    /// `per_second` events in all, shared by `sources`. Both must be positive.
    pub(crate) fn new(per_second: f64, sources: usize) -> Schedule {
        assert!(
            per_second > 0.0 && sources > 0,
            "a schedule needs a rate and somebody to follow it"
        );
        Schedule {
            per_second,
            sources: sources as u64,
        }
    }

    /// The number of event `turn` (from 0) of `source` among all events.
    pub(crate) fn number(&self, source: usize, turn: u64) -> u64 {
        turn * self.sources + source as u64
    }

    /// Microseconds after the beginning at which the event of this number is due.
    pub(crate) fn event_due_us(&self, number: u64) -> u64 {
        (number as f64 / self.per_second * 1e6).round() as u64
    }

    /// Microseconds after the beginning at which event `turn` (from 0) of `source` is due.
    pub(crate) fn due_us(&self, source: usize, turn: u64) -> u64 {
        self.event_due_us(self.number(source, turn))
    }

    /// How many events of all sources are due earlier than `time_us` after the beginning.
    pub(crate) fn events_before(&self, time_us: u64) -> u64 {
        let alone = Schedule {
            sources: 1,
            ..*self
        };
        alone.turns_before(0, time_us)
    }

    /// How many events of `source` are due earlier than `time_us` after the beginning.
    pub(crate) fn turns_before(&self, source: usize, time_us: u64) -> u64 {
        if time_us == 0 {
            return 0;
        }
        let events = (time_us as f64 / 1e6 * self.per_second) as u64;
        // One too many at first: where a time is rounded to is for `due_us` to say.
        let mut turns = (events / self.sources) + 2;
        while turns > 0 && self.due_us(source, turns - 1) >= time_us {
            turns -= 1;
        }
        turns
    }

    /// Time between two events of one source.
    pub(crate) fn period_us(&self) -> u64 {
        self.due_us(0, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_interleave_evenly() {
        let schedule = Schedule::new(10.0, 4);
        let mut due: Vec<u64> = (0..4)
            .flat_map(|source| (0..3).map(move |turn| schedule.due_us(source, turn)))
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
            let schedule = Schedule::new(rate, sources);
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
        let schedule = Schedule::new(3.0, 1);
        assert_eq!(schedule.due_us(0, 3 * 86_400), 86_400_000_000);
    }
}
