//! How much somebody may do in a time: a budget that refills steadily, kept as one number.
//!
//! The generic cell rate algorithm (ITU-T I.371): all that is remembered is when everything that was used will have been
//! refilled. A check is a few integer operations; nothing here reads a clock, and who is given the same times decides the
//! same.

use std::time::Duration;

use serde::{Deserialize, Serialize};

const NANOS: u64 = 1_000_000_000;

/// So much in a second in the long run, and so much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What is refilled in a second. 0 counts as 1.
    pub per_second: u32,
    /// What may be used at once by somebody who has used nothing for long.
    pub burst: u32,
}

impl Rate {
    /// The rate that a setting names; none, if it says that there is no limit.
    pub fn limit(per_second: Option<u32>, burst: u32) -> Option<Rate> {
        let per_second = per_second?;
        Some(Rate { per_second, burst })
    }

    /// How long it takes to refill so much.
    fn nanos(self, amount: u64) -> u64 {
        let per_second = u64::from(self.per_second.max(1));
        if let Some(product) = amount.checked_mul(NANOS) {
            return product / per_second;
        }
        // More than any burst: the division of twice the width, which takes ten times as long, is for these alone.
        let nanos = u128::from(amount) * u128::from(NANOS) / u128::from(per_second);
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

/// What somebody has used of a [`Rate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Meter {
    /// When all of it will have been refilled, in nanoseconds of the monotonic clock.
    even_at: u64,
}

impl Meter {
    /// How long it is until anything may be used again; `None`: now.
    pub fn wait(self, now: Duration, rate: Rate) -> Option<Duration> {
        let owed = self.even_at.saturating_sub(nanos(now));
        // Multiplied instead of divided: this is asked for each message of everybody, and nearly always the answer is "now".
        let (owed_units, burst) = (
            u128::from(owed) * u128::from(rate.per_second.max(1)),
            u128::from(rate.burst) * u128::from(NANOS),
        );
        if owed == 0 || owed_units < burst {
            return None;
        }
        let allowed = rate.nanos(rate.burst.into());
        Some(Duration::from_nanos((owed - allowed).max(1)))
    }

    /// Uses so much, even if it is more than there is: it is waited for afterwards. For what is known only when it is done.
    pub fn charge(&mut self, now: Duration, amount: u64, rate: Rate) {
        let from = self.even_at.max(nanos(now));
        self.even_at = from.saturating_add(rate.nanos(amount));
    }

    /// Uses so much if there is anything left. False: nothing is used.
    pub fn take(&mut self, now: Duration, amount: u64, rate: Rate) -> bool {
        let free = self.wait(now, rate).is_none();
        if free {
            self.charge(now, amount, rate);
        }
        free
    }

    /// Uses so much if all of it is left. False: nothing is used.
    pub fn take_whole(&mut self, now: Duration, amount: u64, rate: Rate) -> bool {
        let owed = self.even_at.saturating_sub(nanos(now));
        let fits = owed.saturating_add(rate.nanos(amount)) <= rate.nanos(rate.burst.into());
        if fits {
            self.charge(now, amount, rate);
        }
        fits
    }

    /// Gives back what was charged before and not used.
    pub fn refund(&mut self, amount: u64, rate: Rate) {
        self.even_at = self.even_at.saturating_sub(rate.nanos(amount));
    }

    /// The same amount used, as it is refilled from now on when the rate has become another one.
    pub fn converted(self, now: Duration, from: Rate, to: Rate) -> Meter {
        let now = nanos(now);
        let owed = u128::from(self.even_at.saturating_sub(now));
        let owed = owed * u128::from(from.per_second.max(1)) / u128::from(to.per_second.max(1));
        let owed = u64::try_from(owed).unwrap_or(u64::MAX);
        Meter {
            even_at: now.saturating_add(owed),
        }
    }

    /// Whether everything is refilled, so that it need not be remembered.
    pub fn is_even(self, now: Duration) -> bool {
        self.even_at <= nanos(now)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate {
        per_second: 10,
        burst: 5,
    };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut meter = Meter::default();
        let taken = |meter: &mut Meter, at| (0..100).filter(|_| meter.take(at, 1, RATE)).count();
        assert_eq!(taken(&mut meter, ms(1000)), 5);
        assert_eq!(taken(&mut meter, ms(1000)), 0);
        assert_eq!(taken(&mut meter, ms(1100)), 1);
        assert_eq!(taken(&mut meter, ms(1350)), 3, "what is left of one is one");
        assert_eq!(
            taken(&mut meter, ms(60_000)),
            5,
            "no more than a burst is saved up"
        );
        assert!(!meter.is_even(ms(60_499)));
        assert!(meter.is_even(ms(60_500)));
    }

    #[test]
    fn what_is_taken_whole_is_never_more_than_there_is() {
        let mut meter = Meter::default();
        let mut taken = |at, amount| {
            let taken = (0..100).filter(|_| meter.take_whole(ms(at), amount, RATE));
            taken.count()
        };
        assert_eq!(taken(1000, 2), 2, "of five");
        assert_eq!(taken(1000, 1), 1);
        assert_eq!(taken(1099, 1), 0, "nearly one");
        assert_eq!(taken(1100, 1), 1);
        assert_eq!(taken(60_000, 6), 0, "more than there ever is");
    }

    #[test]
    fn who_uses_too_much_at_once_waits_for_it() {
        let mut meter = Meter::default();
        meter.charge(ms(1000), 25, RATE);
        assert_eq!(meter.wait(ms(1000), RATE), Some(ms(2000)));
        assert_eq!(meter.wait(ms(2900), RATE), Some(ms(100)));
        assert_eq!(meter.wait(ms(3001), RATE), None);
    }

    #[test]
    fn another_rate_takes_over_what_was_used() {
        let slow = Rate {
            per_second: 1,
            burst: 5,
        };
        let mut meter = Meter::default();
        meter.charge(ms(1000), 7, slow);
        assert_eq!(meter.wait(ms(1000), slow), Some(ms(2000)));
        let meter = meter.converted(ms(1000), slow, RATE);
        assert_eq!(meter.wait(ms(1000), RATE), Some(ms(200)));
        let meter = meter.converted(ms(1000), RATE, slow);
        assert_eq!(meter.wait(ms(1000), slow), Some(ms(2000)));
        assert!(meter.converted(ms(9000), slow, RATE).is_even(ms(9000)));
    }

    #[test]
    fn no_number_is_too_large() {
        let mut meter = Meter::default();
        meter.charge(Duration::MAX, u64::MAX, RATE);
        meter.charge(ms(1), u64::MAX, RATE);
        assert!(meter.wait(ms(1), RATE).is_some());
        let nothing = Rate {
            per_second: 0,
            burst: 0,
        };
        assert!(Meter::default().take(ms(1), 1, nothing));
    }

    proptest! {
        /// Against a bucket that is refilled and emptied.
        #[test]
        fn as_a_bucket_would(steps in prop::collection::vec((0u64..400, 1u64..4), 1..200)) {
            let (mut meter, mut at, mut bucket) = (Meter::default(), 1_000_000, 5_000i64);
            for (pause, amount) in steps {
                at += pause;
                bucket = (bucket + 10 * pause as i64).min(5_000);
                let may = bucket > 0;
                prop_assert_eq!(meter.take(ms(at), amount, RATE), may);
                if may {
                    bucket -= 1_000 * amount as i64;
                }
            }
        }
    }
}
