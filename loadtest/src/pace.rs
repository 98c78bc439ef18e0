//! Whether a thread keeps up with its schedule in the first second of the measured phase. One that does not offers less than
//! what was asked for, and figures of that would be a lie; so the run ends.

/// How long it is watched. Whatever comes later is lateness, which the report tells.
const WATCHED_US: u64 = 1_000_000;
/// So far behind without an excuse, a thread will not catch up: what it can't do of a tenth adds up to this within the second.
const MOST_LATE_US: u64 = 100_000;
/// A turn of the thread's loop is over after a fifth of this, unless something else held it up: then it catches up afterwards.
const HELD_UP_US: u64 = 100_000;
/// Something else does not hold a thread up all the time.
const MOST_EXCUSES: u32 = 2;
/// Who has less to do is not slow, but was not let.
const FEWEST_TASKS: u64 = 100;

/// The account of a thread.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// End of the turn before, at first the beginning.
    before: Turn,
    /// How much of its being late something else is to blame for.
    excused_us: u64,
    excuses: u32,
    tasks: u64,
}

/// How a turn of the thread's loop ended, in µs of the measured phase.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) at_us: u64,
    /// How long ago the next task was due.
    pub(crate) late_us: u64,
    /// Tasks done in it.
    pub(crate) tasks: u64,
}

impl Pace {
    /// A turn has ended; gives the share of the schedule that the thread keeps up with, if it is too small.
    pub(crate) fn turn(&mut self, turn: Turn) -> Option<f64> {
        if turn.at_us > WATCHED_US {
            return None;
        }
        self.tasks += turn.tasks;
        let before = std::mem::replace(&mut self.before, turn);
        let held_up = turn.at_us.saturating_sub(before.at_us) > HELD_UP_US;
        if held_up && self.excuses < MOST_EXCUSES {
            self.excuses += 1;
            self.excused_us += turn.late_us.saturating_sub(before.late_us);
        }
        // What has been caught up with is no excuse any more.
        self.excused_us = self.excused_us.min(turn.late_us);
        let late_us = turn.late_us - self.excused_us;
        (late_us > MOST_LATE_US && self.tasks >= FEWEST_TASKS)
            .then(|| turn.at_us.saturating_sub(turn.late_us) as f64 / turn.at_us as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN_US: u64 = 20_000;

    /// A thread that does so much of its schedule, held up for a moment after each of these turns; when it was found too slow,
    /// and what share it was said to do.
    fn found(speed: f64, held_up_after: &[u64]) -> Option<(u64, f64)> {
        let mut pace = Pace::default();
        let (mut now_us, mut done_us) = (0, 0.0);
        for number in 0..200 {
            now_us += TURN_US;
            done_us = f64::min(done_us + speed * TURN_US as f64, now_us as f64);
            if held_up_after.contains(&number) {
                now_us += 300_000;
            }
            let turn = Turn {
                at_us: now_us,
                late_us: now_us - done_us as u64,
                tasks: 50,
            };
            if let Some(share) = pace.turn(turn) {
                return Some((now_us, share));
            }
        }
        None
    }

    #[test]
    fn who_does_too_little_is_found_within_the_first_second() {
        for percent in 0..90 {
            let speed = f64::from(percent) / 100.0;
            let (at_us, share) = found(speed, &[]).expect("it is too slow");
            assert!(at_us <= WATCHED_US, "{percent} %: {at_us}");
            assert!((share - speed).abs() < 0.01, "{percent} %: {share}");
        }
        // The faster it falls behind, the sooner.
        assert!(found(0.1, &[]).expect("slow").0 < 150_000);
    }

    #[test]
    fn who_keeps_up_or_catches_up_is_not() {
        for speed in [1.0, 1.2, 5.0] {
            for held_up in [&[][..], &[0], &[3], &[1, 20]] {
                assert_eq!(found(speed, held_up), None, "{speed} {held_up:?}");
            }
        }
    }

    #[test]
    fn being_held_up_excuses_nothing_else() {
        assert!(found(0.6, &[3]).is_some());
        // Every other time it is no accident.
        assert!(found(1.0, &[1, 2, 3]).is_some());
    }

    #[test]
    fn later_and_with_little_to_do_it_is_lateness() {
        let found = |from_us: u64, tasks| {
            let mut pace = Pace::default();
            let mut turns = (0..10).map(|number| Turn {
                at_us: from_us + number * TURN_US,
                late_us: number * TURN_US,
                tasks,
            });
            turns.any(|turn| pace.turn(turn).is_some())
        };
        assert!(found(WATCHED_US / 2, 100));
        assert!(!found(WATCHED_US / 2, 3));
        assert!(!found(WATCHED_US, 100));
    }
}
