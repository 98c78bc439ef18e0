//! Whether a wait looks before it sleeps.
//!
//! To fall asleep and be woken costs more than to relay a small message, and who has just been sent one often answers at
//! once. To look costs the core all that time. So a shard does it only on a core of its own, after a round that expects more
//! ([`Look::expect`]), and only if its last wait was shorter than it would look: what comes now and then, however small, is
//! slept for, and an idle shard never looks.

use std::time::Duration;

/// How long a wait looks at most.
const LONGEST: Duration = Duration::from_micros(50);

/// What a shard knows of its waits.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// The shard's core is its own.
    allowed: bool,
    expected: bool,
    last_was_short: bool,
}

impl Look {
    /// For a shard whose core is its own, or is not.
    pub(super) fn new(allowed: bool) -> Look {
        Look {
            allowed,
            ..Look::default()
        }
    }

    /// Something is likely to come at once: the next wait may look for it.
    pub(super) fn expect(&mut self) {
        self.expected = true;
    }

    /// The next wait may look, and is to be measured exactly.
    pub(super) fn is_expected(&self) -> bool {
        self.allowed && self.expected
    }

    /// A wait begins that may sleep: until when it looks before.
    pub(super) fn until(&mut self, now: Duration) -> Option<Duration> {
        let expected = std::mem::take(&mut self.expected);
        let looks = self.allowed && expected && self.last_was_short;
        looks.then(|| now + LONGEST)
    }

    /// It took so long until something came.
    pub(super) fn waited(&mut self, time: Duration) {
        self.last_was_short = time < LONGEST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);
    const SHORT: Duration = Duration::from_micros(30);

    #[test]
    fn one_expectation_after_a_short_wait_is_one_look() {
        let mut look = Look::new(true);
        look.waited(SHORT);
        look.expect();
        assert_eq!(look.until(NOW), Some(NOW + LONGEST));
        look.waited(SHORT);
        assert_eq!(look.until(NOW), None);
    }

    #[test]
    fn what_comes_now_and_then_is_slept_for() {
        let mut look = Look::new(true);
        for _ in 0..3 {
            look.expect();
            assert_eq!(look.until(NOW), None);
            look.waited(Duration::from_micros(500));
        }
    }

    #[test]
    fn a_look_in_vain_is_the_last() {
        let mut look = Look::new(true);
        look.waited(SHORT);
        look.expect();
        assert!(look.until(NOW).is_some());
        look.waited(LONGEST); // and slept, however briefly
        look.expect();
        assert_eq!(look.until(NOW), None);
    }

    #[test]
    fn on_a_core_of_others_nobody_looks() {
        let mut look = Look::new(false);
        look.waited(SHORT);
        look.expect();
        assert_eq!(look.until(NOW), None);
    }
}
