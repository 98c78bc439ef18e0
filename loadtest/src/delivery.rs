//! Where latency is accounted, whatever the protocol: from the time something was **due** until who waits for it has it.
//!
//! A protocol tells when a change was due and how it ended for each receiver: it came, it came as part of a later one that had
//! overtaken it, or it never came. Each counts once for each receiver, and one that never came counts until the end of the
//! run. So a server that stands still shows by how long everybody has waited, however little gets through afterwards; a figure
//! made of arrivals alone would have less to show the worse the server is.

use std::collections::VecDeque;
use std::ops::Range;

use crate::latency::Latency;
use crate::protocol::Protocol;
use crate::worker::Context;

/// Changes that ended together are told apart up to this number.
const MOST_PORTIONS: u64 = 2_000;

/// How a change ended for a receiver to whom it did not come itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It came as part of a later one.
    Covered,
    /// It has not come, and is not waited for any more.
    Missing,
}

/// Which histogram of a protocol's a latency belongs to.
pub(crate) type Figure<P> = fn(&mut <P as Protocol>::Metrics) -> &mut Latency;

impl<P: Protocol> Context<P> {
    /// Books that a change that was due at this time has just come to a receiver.
    pub(crate) fn book(&self, due_us: u64, figure: Figure<P>) {
        let latency_us = self.note(due_us, figure);
        self.recorder.borrow_mut().delivered(latency_us);
    }

    /// Books the same of many changes that follow each other in time, each due when `due_us` says. A stall can make them so many
    /// that they are counted in portions, each with the latency of its middle: the figures have three digits anyway.
    pub(crate) fn book_all(
        &self,
        changes: Range<u64>,
        due_us: impl Fn(u64) -> u64,
        fate: Fate,
        figure: Figure<P>,
    ) {
        let now_us = self.now_us();
        let recorder = &mut *self.recorder.borrow_mut();
        for portion in portions(changes) {
            let middle = portion.start + (portion.end - portion.start) / 2;
            let due_us = due_us(middle);
            if !self.shared.is_measuring_at(due_us) {
                continue;
            }
            let latency_us = now_us.saturating_sub(due_us).max(1);
            let count = portion.end - portion.start;
            let latency = figure(&mut recorder.metrics);
            if fate == Fate::Missing {
                latency.give_up(latency_us, count);
            } else {
                latency.saturating_record_n(latency_us, count);
                recorder
                    .common
                    .recent
                    .saturating_record_n(latency_us, count);
            }
        }
    }

    /// Books the answer to something that a script of the scenario had due at this time, in the figure that it has for that.
    pub(crate) fn book_own(&self, due_us: u64, figure: Option<usize>) {
        let latency_us = self.now_us().saturating_sub(due_us).max(1);
        let recorder = &mut *self.recorder.borrow_mut();
        if let Some(place) = figure
            && self.shared.is_measuring_at(due_us)
        {
            recorder.own.latency(place).saturating_record(latency_us);
        }
        recorder.delivered(latency_us);
    }

    /// Notes how long a script has waited in vain for an answer to something that was due at this time.
    pub(crate) fn give_up_own(&self, due_us: u64, figure: Option<usize>) {
        if let Some(place) = figure
            && self.shared.is_measuring_at(due_us)
        {
            let latency_us = self.now_us().saturating_sub(due_us).max(1);
            let own = &mut self.recorder.borrow_mut().own;
            own.latency(place).give_up(latency_us, 1);
        }
    }

    /// Notes how long something has been waited for in vain that was due at this time, likewise.
    pub(crate) fn give_up(&self, due_us: u64, figure: Figure<P>) {
        if self.shared.is_measuring_at(due_us) {
            let latency_us = self.now_us().saturating_sub(due_us).max(1);
            let recorder = &mut *self.recorder.borrow_mut();
            figure(&mut recorder.metrics).give_up(latency_us, 1);
        }
    }

    /// Notes how long something took that was due at this time and has come; gives it. Only what was due in the measured phase is
    /// in the figure.
    pub(crate) fn note(&self, due_us: u64, figure: Figure<P>) -> u64 {
        let latency_us = self.now_us().saturating_sub(due_us).max(1);
        if self.shared.is_measuring_at(due_us) {
            let recorder = &mut *self.recorder.borrow_mut();
            figure(&mut recorder.metrics).saturating_record(latency_us);
        }
        latency_us
    }
}

/// These numbers in order, in portions that are as small as they can be.
fn portions(numbers: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let count = numbers.end.saturating_sub(numbers.start);
    let length = count.div_ceil(MOST_PORTIONS).max(1);
    let starts = (0..count.div_ceil(length)).map(move |portion| numbers.start + portion * length);
    starts.map(move |start| start..(start + length).min(numbers.end))
}

/// Which of numbered things a receiver has, where each has to come by itself and in any order.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Everything before this number has come; a multiple of 64.
    from: u64,
    /// A bit for each number from there on.
    bits: VecDeque<u64>,
    count: u64,
}

impl Received {
    /// Books that this one has come; whether it is the first time. Takes a bit for each number up to the largest that has come,
    /// so that callers refuse numbers that can't be.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let Some(place) = number.checked_sub(self.from) else {
            return false;
        };
        let (word, bit) = ((place / 64) as usize, 1 << (place % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        if self.bits[word] & bit != 0 {
            return false;
        }
        self.bits[word] |= bit;
        self.count += 1;
        while self.bits.front() == Some(&u64::MAX) {
            self.bits.pop_front();
            self.from += 64;
        }
        true
    }

    /// How many have come.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Those before `end` that have not: each run of numbers that follow each other.
    pub(crate) fn missing(&self, end: u64) -> impl Iterator<Item = Range<u64>> {
        let known = (self.from + 64 * self.bits.len() as u64).min(end);
        let holes = (self.from..known).filter(|number| {
            let place = number - self.from;
            self.bits[(place / 64) as usize] & (1 << (place % 64)) == 0
        });
        holes
            .map(|number| number..number + 1)
            .chain((known < end).then_some(known..end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_cover_everything_once() {
        for count in [0, 1, 7, MOST_PORTIONS, MOST_PORTIONS + 1, 1_000_003] {
            let all: Vec<Range<u64>> = portions(5..5 + count).collect();
            assert!(all.len() as u64 <= MOST_PORTIONS, "{count}");
            let mut next = 5;
            for portion in all {
                assert!(portion.start == next && portion.end > next, "{portion:?}");
                next = portion.end;
            }
            assert_eq!(next, 5 + count);
        }
    }

    #[test]
    fn what_has_come_is_not_missing_whatever_the_order() {
        let mut received = Received::default();
        let order = (0..500).map(|step| step * 7 % 500);
        for number in order.filter(|number| *number != 3 && *number != 64) {
            assert!(received.insert(number), "{number}");
            assert!(!received.insert(number), "{number}");
        }
        let missing = |received: &Received| {
            let all = received.missing(520).flatten();
            all.filter(|number| *number < 502).collect::<Vec<_>>()
        };
        assert_eq!(missing(&received), [3, 64, 500, 501]);
        assert!(received.insert(3) && received.from == 64);
        assert!(!received.insert(3), "it has come long ago");
        assert_eq!(missing(&received), [64, 500, 501]);
        assert_eq!(received.count(), 499);
    }
}
