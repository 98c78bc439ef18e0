//! What was said to one node and is not acknowledged: kept, so that it can be said again.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

/// More than this under way breaks the lane, in bytes: what a node that does not keep up may cost each other one.
pub(crate) const MOST_KEPT: usize = 32 * 1024 * 1024;
/// What an envelope takes beside its bytes.
const OVERHEAD: usize = 64;
/// What one nack has sent again at the most, in bytes: the next one follows when that has come.
const REPAIR_BYTES: usize = 1024 * 1024;
/// How long something that was sent again is given to arrive.
const REPAIR_PAUSE: Duration = Duration::from_millis(40);

#[derive(Debug)]
struct Kept {
    envelope: Bytes,
    repaired: Option<Duration>,
}

/// What was said to one node and is not acknowledged. Numbers begin with 1.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// The number of the last envelope.
    last: u64,
    /// Everything up to this number has been acknowledged; what follows is kept, in order.
    acked: u64,
    kept: VecDeque<Kept>,
    bytes: usize,
}

impl Outgoing {
    /// The number that the next envelope will have.
    pub(crate) fn next(&self) -> u64 {
        self.last + 1
    }

    /// The number of the last envelope; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// What is kept, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps the envelope with the next number.
    pub(crate) fn keep(&mut self, envelope: Bytes) {
        self.last += 1;
        self.bytes += envelope.len() + OVERHEAD;
        self.kept.push_back(Kept {
            envelope,
            repaired: None,
        });
    }

    /// Everything up to this number has come. False if that was never said: then the two do not speak of the same lane.
    #[must_use]
    pub(crate) fn ack(&mut self, number: u64) -> bool {
        if number > self.last {
            return false;
        }
        while self.acked < number {
            let kept = self.kept.pop_front().expect("what is not acked is kept");
            self.bytes -= kept.envelope.len() + OVERHEAD;
            self.acked += 1;
        }
        true
    }

    /// Of the envelopes with these numbers, those to be sent again now.
    pub(crate) fn repair(&mut self, now: Duration, first: u64, last: u64) -> Vec<Bytes> {
        let (first, last) = (first.max(self.acked + 1), last.min(self.last));
        if first > last {
            return Vec::new();
        }
        let start = (first - self.acked - 1) as usize;
        let end = (last - self.acked) as usize;
        let mut again = Vec::new();
        let mut bytes = 0;
        for kept in self.kept.range_mut(start..end) {
            if kept.repaired.is_some_and(|at| now < at + REPAIR_PAUSE) {
                continue;
            }
            bytes += kept.envelope.len();
            if bytes > REPAIR_BYTES {
                break;
            }
            kept.repaired = Some(now);
            again.push(kept.envelope.clone());
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(count: usize, bytes: usize) -> Outgoing {
        let mut outgoing = Outgoing::default();
        for number in 0..count {
            outgoing.keep(vec![number as u8; bytes].into());
        }
        outgoing
    }

    #[test]
    fn what_is_acknowledged_is_forgotten() {
        let mut outgoing = said(5, 10);
        assert_eq!((outgoing.bytes(), outgoing.next()), (5 * 74, 6));
        assert!(outgoing.ack(3) && outgoing.ack(2));
        assert_eq!(outgoing.bytes(), 2 * 74);
        assert!(!outgoing.ack(6));
        let now = Duration::ZERO;
        assert_eq!(
            outgoing.repair(now, 1, 4),
            [Bytes::from_static(&[3; 10])],
            "what was acknowledged is not sent again"
        );
        assert!(outgoing.repair(now, 9, 20).is_empty());
        assert!(outgoing.repair(now, 5, 2).is_empty());
        assert!(outgoing.repair(now, 0, u64::MAX).len() == 1);
    }

    #[test]
    fn nothing_is_sent_again_before_it_can_have_arrived_and_not_too_much_at_once() {
        let mut outgoing = said(5, 300_000);
        let at = Duration::from_millis;
        assert_eq!(outgoing.repair(at(0), 1, 5).len(), 3);
        assert_eq!(outgoing.repair(at(10), 1, 5).len(), 2);
        assert_eq!(outgoing.repair(at(20), 1, 5).len(), 0);
        assert_eq!(outgoing.repair(at(40), 1, 5).len(), 3);
    }
}
