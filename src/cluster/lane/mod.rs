//! The two lanes between this node and another one, in one life of both.
//!
//! They break together: the **generation** grows, numbers begin anew, and what was under way is forgotten at both ends. Whoever hears
//! a higher generation follows; so the two agree without asking each other.

mod incoming;
mod outgoing;

use std::time::Duration;

pub(crate) use incoming::{Arrival, Incoming};
pub(crate) use outgoing::{MOST_KEPT, Outgoing};

/// A node that was not heard of for so long gets nothing said until it is: the lane has broken then.
const SILENCE: Duration = Duration::from_secs(5);
/// The most that one look at the clock counts as silence: a process that was stopped has not listened.
const LOOK: Duration = Duration::from_millis(200);
/// A node that was not heard of for so long is not blamed for what does not come.
const HEARD: Duration = Duration::from_millis(500);

/// What the generation of a message says of the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// It is of this lane.
    Same,
    /// It is of this lane, whose node had been silent: it is there again.
    Back,
    /// The lane had broken at the other end.
    Broke,
    /// It was said before the lane broke.
    Old,
}

/// The two lanes between this node and another one.
#[derive(Debug)]
pub(crate) struct Lane {
    /// The life of the other one.
    pub(crate) incarnation: u64,
    generation: u32,
    /// The other one is silent: nothing is said to it.
    is_parked: bool,
    /// For how long it was silent, as far as this node listened.
    silent: Duration,
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
}

impl Lane {
    pub(crate) fn new(incarnation: u64, generation: u32) -> Lane {
        Lane {
            incarnation,
            generation,
            is_parked: false,
            silent: Duration::ZERO,
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
        }
    }

    /// How often it has broken.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether something may be said.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_parked
    }

    /// Whether more is under way than may be.
    pub(crate) fn is_too_full(&self) -> bool {
        self.outgoing.bytes() > MOST_KEPT
    }

    /// Forgets what was under way.
    pub(crate) fn break_here(&mut self) {
        let generation = self.generation.saturating_add(1);
        let is_parked = self.silent >= SILENCE;
        *self = Lane {
            is_parked,
            silent: self.silent,
            ..Lane::new(self.incarnation, generation)
        };
    }

    /// The other node was heard of.
    pub(crate) fn heard(&mut self) {
        self.silent = Duration::ZERO;
    }

    /// The other node said something of this generation.
    pub(crate) fn meet(&mut self, generation: u32) -> Meeting {
        if generation < self.generation {
            return Meeting::Old;
        }
        self.silent = Duration::ZERO;
        if generation > self.generation {
            *self = Lane::new(self.incarnation, generation);
            return Meeting::Broke;
        }
        match std::mem::take(&mut self.is_parked) {
            true => Meeting::Back,
            false => Meeting::Same,
        }
    }

    /// So much time has passed. True if the lane is to break: the other one is silent, or what is missing will not come.
    #[must_use]
    pub(crate) fn pass(&mut self, time: Duration) -> bool {
        let time = time.min(LOOK);
        let is_heard = self.silent < HEARD;
        self.silent = (self.silent + time).min(SILENCE);
        if is_heard && self.incoming.endure(time) {
            return true;
        }
        self.silent >= SILENCE && !self.is_parked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOKS: u32 = 25;

    #[test]
    fn both_ends_break_together_without_asking() {
        let (mut here, mut there) = (Lane::new(7, 0), Lane::new(8, 0));
        here.break_here();
        assert_eq!(here.meet(there.generation()), Meeting::Old);
        assert_eq!(there.meet(here.generation()), Meeting::Broke);
        assert_eq!(there.meet(here.generation()), Meeting::Same);
        there.break_here();
        here.break_here();
        assert_eq!(there.meet(here.generation()), Meeting::Same);
    }

    #[test]
    fn a_silent_node_gets_nothing_said_until_it_is_heard_of() {
        let mut lane = Lane::new(7, 0);
        for look in 1..LOOKS {
            assert!(!lane.pass(Duration::from_secs(9)), "after {look} looks");
        }
        assert!(lane.pass(LOOK));
        lane.break_here();
        assert!(!lane.is_open() && !lane.pass(LOOK));
        assert_eq!(lane.meet(0), Meeting::Old);
        assert!(!lane.is_open());
        assert_eq!(lane.meet(1), Meeting::Back);
        assert!(lane.is_open());
    }

    #[test]
    fn a_node_that_is_not_heard_of_is_not_blamed_for_what_is_missing() {
        let mut lane = Lane::new(7, 0);
        lane.incoming.expect(Duration::ZERO, 1);
        let mut broke = 0;
        for _ in 0..LOOKS - 1 {
            broke += u32::from(lane.pass(LOOK));
        }
        assert_eq!(broke, 0);
        for _ in 0..10 {
            lane.heard();
            broke += u32::from(lane.pass(LOOK));
        }
        assert!(broke > 0);
    }
}
