//! What one node says, put in order: what comes too early waits, what does not come is asked for.

use std::{collections::BTreeMap, time::Duration};

use crate::envelope::Letters;

/// Most envelopes that wait for what they follow.
const MOST_AHEAD: usize = 1_024;
/// The same in bytes.
const MOST_AHEAD_BYTES: usize = 8 * 1024 * 1024;
/// How long something that is missing is waited for: letters to all and to one come on two ways.
const PATIENCE: Duration = Duration::from_millis(20);
/// When it is asked for again.
const NACK_EVERY: Duration = Duration::from_millis(50);
/// Most numbers that are asked for at once.
const MOST_ASKED: u64 = 256;
/// What is asked for in vain for so long, while its sender is heard, will not come.
const GIVE_UP: Duration = Duration::from_secs(2);
/// So many envelopes, or bytes, are acknowledged at once instead of with the next beat.
const ACK_EVERY: u32 = 256;
const ACK_EVERY_BYTES: usize = 1024 * 1024;

/// What becomes of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is next: it was handed over, with all that waited for it.
    Next,
    /// It waits for what it follows.
    Early,
    /// It had been there.
    Repeated,
    /// It is early, and there is no place for it.
    Crowded,
}

/// What one node says, put in order.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// Everything up to this number has come.
    received: u64,
    /// The highest number that is known to have been said.
    said: u64,
    ahead: BTreeMap<u64, Letters>,
    ahead_bytes: usize,
    /// When to ask for what is missing, if something is.
    nack_at: Option<Duration>,
    /// The last number that was asked for.
    asked: u64,
    /// For how long nothing that is missing has come while its sender was heard.
    stuck: Duration,
    /// What has come since the last acknowledgement.
    unacked: u32,
    unacked_bytes: usize,
}

impl Incoming {
    /// Everything up to this number has come.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// What waits for what it follows, in bytes.
    pub(crate) fn ahead_bytes(&self) -> usize {
        self.ahead_bytes
    }

    /// An envelope has come; letters that are due go to `deliver`, in order.
    pub(crate) fn take(
        &mut self,
        now: Duration,
        number: u64,
        letters: Letters,
        mut deliver: impl FnMut(Letters),
    ) -> Arrival {
        if number <= self.received {
            return Arrival::Repeated;
        }
        self.said = self.said.max(number);
        if number != self.received + 1 {
            let arrival = self.wait(number, letters);
            self.look(now);
            return arrival;
        }
        self.count(&letters);
        deliver(letters);
        while let Some(letters) = self.ahead.remove(&(self.received + 1)) {
            self.ahead_bytes -= letters.bytes();
            self.count(&letters);
            deliver(letters);
        }
        self.stuck = Duration::ZERO;
        self.advanced(now);
        Arrival::Next
    }

    fn count(&mut self, letters: &Letters) {
        self.received += 1;
        self.unacked += 1;
        self.unacked_bytes += letters.bytes();
    }

    fn wait(&mut self, number: u64, letters: Letters) -> Arrival {
        if self.ahead.contains_key(&number) {
            return Arrival::Repeated;
        }
        let bytes = self.ahead_bytes + letters.bytes();
        if self.ahead.len() >= MOST_AHEAD || bytes > MOST_AHEAD_BYTES {
            return Arrival::Crowded;
        }
        self.ahead_bytes = bytes;
        self.ahead.insert(number, letters);
        Arrival::Early
    }

    /// It is known that so much was said.
    pub(crate) fn expect(&mut self, now: Duration, said: u64) {
        self.said = self.said.max(said);
        self.look(now);
    }

    /// Has what is missing asked for in a moment, if that is not under way.
    fn look(&mut self, now: Duration) {
        if self.received < self.said && self.nack_at.is_none() {
            self.nack_at = Some(now + PATIENCE);
        }
    }

    /// What was asked for has come, in part at least: the rest is asked for when all of it has.
    fn advanced(&mut self, now: Duration) {
        if self.received >= self.said {
            self.nack_at = None;
        } else if self.asked > 0 && self.received >= self.asked {
            self.nack_at = Some(now);
        } else {
            self.look(now);
        }
    }

    /// When something is to be asked for.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.nack_at
    }

    /// The numbers to be asked for now, the first and the last.
    pub(crate) fn nack(&mut self, now: Duration) -> Option<(u64, u64)> {
        if self.nack_at.is_none_or(|at| now < at) {
            return None;
        }
        let first = self.received + 1;
        let gap = self.ahead.keys().next().map_or(self.said, |next| next - 1);
        let last = gap.min(first.saturating_add(MOST_ASKED - 1));
        self.nack_at = Some(now + NACK_EVERY);
        self.asked = last;
        Some((first, last))
    }

    /// The sender was heard for so long. True if what is missing will not come.
    #[must_use]
    pub(crate) fn endure(&mut self, time: Duration) -> bool {
        if self.received >= self.said {
            return false;
        }
        self.stuck += time;
        self.stuck >= GIVE_UP
    }

    /// Whether so much has come that it is acknowledged now.
    pub(crate) fn owes_ack(&mut self) -> bool {
        let owes = self.unacked >= ACK_EVERY || self.unacked_bytes >= ACK_EVERY_BYTES;
        if owes {
            self.acked();
        }
        owes
    }

    /// What has come has been acknowledged.
    pub(crate) fn acked(&mut self) {
        self.unacked = 0;
        self.unacked_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::envelope::{Batch, Place, Said, Sender, read};

    fn letters(number: u64, bytes: usize) -> Letters {
        let sender = Sender {
            node: 0,
            incarnation: 1,
        };
        let mut batch = Batch::new(sender);
        let mut letter = number.to_le_bytes().to_vec();
        letter.resize(bytes.max(8), 0);
        batch.add(&letter);
        let place = Place {
            node: 0,
            incarnation: 1,
            generation: 0,
            number,
        };
        match read(batch.seal(&[place]), sender) {
            Ok((_, Said::Letters(_, letters))) => letters,
            other => panic!("{other:?}"),
        }
    }

    fn number(letter: &Bytes) -> u64 {
        u64::from_le_bytes(letter[..8].try_into().expect("it begins with its number"))
    }

    #[derive(Default)]
    struct Lane {
        incoming: Incoming,
        came: Vec<u64>,
    }

    impl Lane {
        fn take(&mut self, ms: u64, number_of: u64) -> Arrival {
            self.take_long(ms, number_of, 8)
        }

        fn take_long(&mut self, ms: u64, number_of: u64, bytes: usize) -> Arrival {
            let Lane { incoming, came } = self;
            incoming.take(at(ms), number_of, letters(number_of, bytes), |letters| {
                came.extend(letters.map(|letter| number(&letter)));
            })
        }
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_comes_early_waits_and_nothing_comes_twice() {
        let mut lane = Lane::default();
        let numbers = [1, 3, 4, 3, 1, 2, 4];
        let arrivals: Vec<Arrival> = numbers.iter().map(|&n| lane.take(0, n)).collect();
        use Arrival::{Early, Next, Repeated};
        assert_eq!(
            arrivals,
            [Next, Early, Early, Repeated, Repeated, Next, Repeated]
        );
        assert_eq!(lane.came, [1, 2, 3, 4]);
        assert_eq!(lane.incoming.ahead_bytes(), 0);
    }

    #[test]
    fn what_is_missing_is_asked_for_after_a_moment_and_again() {
        let mut lane = Lane::default();
        lane.take(0, 4);
        assert_eq!(lane.incoming.deadline(), Some(at(20)));
        assert_eq!(lane.incoming.nack(at(19)), None);
        assert_eq!(lane.incoming.nack(at(20)), Some((1, 3)));
        assert_eq!(lane.incoming.nack(at(69)), None);
        lane.take(69, 1);
        assert_eq!(lane.incoming.nack(at(70)), Some((2, 3)));
        lane.take(71, 2);
        lane.take(71, 3);
        assert_eq!((lane.incoming.deadline(), lane.came.len()), (None, 4));
    }

    #[test]
    fn a_lost_end_is_asked_for_when_it_is_known_and_in_parts() {
        let mut lane = Lane::default();
        lane.incoming.expect(at(0), 300);
        assert_eq!(lane.incoming.nack(at(20)), Some((1, 256)));
        for number in 1..=256 {
            lane.take(25, number);
        }
        assert_eq!(lane.incoming.nack(at(25)), Some((257, 300)));
    }

    #[test]
    fn what_does_not_come_is_given_up_only_while_its_sender_is_heard() {
        let mut lane = Lane::default();
        assert!(!lane.incoming.endure(at(5_000)), "nothing is missing");
        lane.incoming.expect(at(0), 2);
        assert!(!lane.incoming.endure(at(1_900)));
        lane.take(0, 1);
        assert!(!lane.incoming.endure(at(1_900)), "something came");
        assert!(lane.incoming.endure(at(100)));
    }

    #[test]
    fn there_is_an_end_to_what_waits() {
        let mut lane = Lane::default();
        for number in 2..2 + MOST_AHEAD as u64 {
            assert_eq!(lane.take(0, number), Arrival::Early);
        }
        assert_eq!(lane.take(0, 5_000), Arrival::Crowded);
        let mut lane = Lane::default();
        for number in 2..2 + 31 {
            assert_eq!(lane.take_long(0, number, 256 * 1024), Arrival::Early);
        }
        assert_eq!(lane.take_long(0, 99, 256 * 1024), Arrival::Crowded);
    }

    #[test]
    fn much_is_acknowledged_at_once() {
        let mut lane = Lane::default();
        for number in 1..=255 {
            lane.take(0, number);
        }
        assert!(!lane.incoming.owes_ack());
        lane.take(0, 256);
        assert!(lane.incoming.owes_ack() && !lane.incoming.owes_ack());
        for number in 257..=260 {
            lane.take_long(0, number, 256 * 1024);
        }
        assert!(lane.incoming.owes_ack());
    }
}
