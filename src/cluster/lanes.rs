//! The lanes with all members: letters out, in numbered envelopes, and letters in, in order.
//!
//! A broadcast takes the next number of every lane, so that there is one order between what is said to all and what is said to one.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Destination, Dropped, LaneFigures, MAX_LETTER, Member, Output, Subject,
    beat::LaneReport,
    envelope::{self, Batch, Letters, Place, Sender},
    lane::{Arrival, Lane, Meeting},
    out::Out,
};

/// More than this under way in one lane is congestion, in bytes.
const CONGESTED: usize = 4 * 1024 * 1024;
/// For how long at a time less is read because of it: a node that does not keep up must not hold up the others for long.
const CONGESTED_FOR: Duration = Duration::from_secs(1);

/// What was counted of a node, whatever lives it had.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    nacks: u64,
    repairs: u64,
    breaks: u64,
}

/// The lanes with all members.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: BTreeMap<u8, Lane>,
    /// The last lane with each node that is no member any more: its life, and the generation.
    closed: BTreeMap<u8, (u64, u32)>,
    counts: BTreeMap<u8, Counts>,
    /// Letters that wait for `flush`. Only one of the two has any: they have one order.
    to_all: Option<Batch>,
    to_one: BTreeMap<u8, Batch>,
    congested: Option<Duration>,
    /// A lane has broken: the other end hears of it with a beat.
    has_broken: bool,
}

impl Lanes {
    /// These are the members; the lanes with those who are not end, without a word.
    pub(crate) fn follow(&mut self, members: &[Member], out: &mut Out) {
        self.seal_all(out);
        let is_member = |node: u8, incarnation: u64| {
            let mut members = members.iter();
            members.any(|member| (member.node, member.incarnation) == (node, incarnation))
        };
        let closed = &mut self.closed;
        self.lanes.retain(|&node, lane| {
            let stays = is_member(node, lane.incarnation);
            if !stays {
                closed.insert(node, (lane.incarnation, lane.generation()));
            }
            stays
        });
        for member in members.iter().filter(|member| member.node != out.own.node) {
            // A life whose lane had ended begins above what was said in that one.
            let generation = match self.closed.get(&member.node) {
                Some((life, last)) if *life == member.incarnation => last.saturating_add(1),
                _ => 0,
            };
            let lane = || Lane::new(member.incarnation, generation);
            self.lanes.entry(member.node).or_insert_with(lane);
            self.counts.entry(member.node).or_default();
        }
    }

    /// This node's life is over, and all its lanes with it.
    pub(crate) fn end(&mut self, out: &mut Out) {
        self.seal_all(out);
        for &node in self.lanes.keys() {
            out.push(Output::LaneBroken(node));
        }
        self.lanes.clear();
        self.closed.clear();
        self.congested = None;
        self.has_broken = false;
    }

    /// Has a letter sent with the next `flush`.
    pub(crate) fn say(&mut self, to: Destination, letter: &[u8], out: &mut Out) {
        if letter.len() > MAX_LETTER {
            return out.drop(Dropped::TooLong);
        }
        match to {
            Destination::Node(node) => self.say_to_one(node, letter, out),
            Destination::All => self.say_to_all(letter, out),
        }
    }

    fn say_to_one(&mut self, node: u8, letter: &[u8], out: &mut Out) {
        if !self.lanes.get(&node).is_some_and(Lane::is_open) {
            return out.drop(Dropped::Nowhere);
        }
        if self.to_all.is_some() {
            self.seal_all(out);
        }
        let batch = self.to_one.entry(node);
        let batch = batch.or_insert_with(|| Batch::new(out.own));
        batch.add(letter);
        let is_full = !batch.has_room(MAX_LETTER);
        self.said(is_full, out);
    }

    fn say_to_all(&mut self, letter: &[u8], out: &mut Out) {
        if !self.lanes.values().any(Lane::is_open) {
            return;
        }
        if !self.to_one.is_empty() {
            self.seal_all(out);
        }
        let batch = self.to_all.get_or_insert_with(|| Batch::new(out.own));
        batch.add(letter);
        let is_full = !batch.has_room(MAX_LETTER);
        self.said(is_full, out);
    }

    /// A letter was said: if its batch has no room for any other, it leaves.
    fn said(&mut self, is_full: bool, out: &mut Out) {
        if is_full {
            self.seal_all(out);
            self.shed(out);
        }
    }

    /// Sends what was said.
    pub(crate) fn flush(&mut self, now: Duration, out: &mut Out) {
        self.seal_all(out);
        self.shed(out);
        self.look_at_congestion(now);
    }

    /// Makes envelopes of what was said. Done before anything changes about lanes: it was said before.
    fn seal_all(&mut self, out: &mut Out) {
        if let Some(batch) = self.to_all.take() {
            self.seal(batch, None, out);
        }
        for (node, batch) in std::mem::take(&mut self.to_one) {
            self.seal(batch, Some(node), out);
        }
    }

    fn seal(&mut self, batch: Batch, to: Option<u8>, out: &mut Out) {
        let lanes = self.lanes.iter_mut();
        let mut lanes: Vec<_> = lanes
            .filter(|(node, lane)| lane.is_open() && to.is_none_or(|to| to == **node))
            .collect();
        let places: Vec<Place> = lanes
            .iter()
            .map(|(node, lane)| Place {
                node: **node,
                incarnation: lane.incarnation,
                generation: lane.generation(),
                number: lane.outgoing.next(),
            })
            .collect();
        let subject = match places[..] {
            [] => return out.drop(Dropped::Nowhere),
            [only] => Subject::Node(only.node),
            _ => Subject::All,
        };
        let envelope = batch.seal(&places);
        for (_, lane) in &mut lanes {
            lane.outgoing.keep(envelope.clone());
        }
        out.publish(subject, envelope);
    }

    /// Breaks the lanes in which more is under way than may be.
    fn shed(&mut self, out: &mut Out) {
        let full = |lanes: &BTreeMap<u8, Lane>| {
            let mut lanes = lanes.iter();
            lanes
                .find(|(_, lane)| lane.is_too_full())
                .map(|(node, _)| *node)
        };
        while let Some(node) = full(&self.lanes) {
            self.break_lane(node, out);
        }
    }

    fn break_lane(&mut self, node: u8, out: &mut Out) {
        self.seal_all(out);
        if let Some(lane) = self.lanes.get_mut(&node) {
            lane.break_here();
            self.broke(node, out);
        }
    }

    fn broke(&mut self, node: u8, out: &mut Out) {
        self.counts.entry(node).or_default().breaks += 1;
        self.has_broken = true;
        out.push(Output::LaneBroken(node));
    }

    fn look_at_congestion(&mut self, now: Duration) {
        let mut lanes = self.lanes.values();
        let is_congested = lanes.any(|lane| lane.outgoing.bytes() > CONGESTED);
        self.congested = is_congested.then(|| self.congested.unwrap_or(now));
    }

    /// Whether so much is under way that less should be said.
    pub(crate) fn is_congested(&self, now: Duration) -> bool {
        self.congested
            .is_some_and(|since| now < since + CONGESTED_FOR)
    }

    /// The lane of whoever says something of this generation; nothing, counted, if it is of another one.
    fn meet(&mut self, from: Sender, generation: u32, out: &mut Out) -> Option<&mut Lane> {
        let lane = self.lanes.get(&from.node);
        let Some(lane) = lane.filter(|lane| lane.incarnation == from.incarnation) else {
            out.drop(Dropped::Stranger);
            return None;
        };
        if generation > lane.generation() || !lane.is_open() {
            self.seal_all(out);
        }
        let lane = self.lanes.get_mut(&from.node)?;
        match lane.meet(generation) {
            Meeting::Same => {}
            Meeting::Broke => self.broke(from.node, out),
            Meeting::Back => {
                self.has_broken = true;
                out.push(Output::LaneBroken(from.node));
            }
            Meeting::Old => {
                out.drop(Dropped::Broken);
                return None;
            }
        }
        self.lanes.get_mut(&from.node)
    }

    /// Letters have come.
    pub(crate) fn on_letters(
        &mut self,
        now: Duration,
        from: Sender,
        (place, letters): (Place, Letters),
        out: &mut Out,
    ) {
        let Some(lane) = self.meet(from, place.generation, out) else {
            return;
        };
        let deliver = |letters: Letters| {
            for bytes in letters {
                let from = from.node;
                out.push(Output::Letter { from, bytes });
            }
        };
        let arrival = lane.incoming.take(now, place.number, letters, deliver);
        if lane.incoming.owes_ack() {
            let number = lane.incoming.received();
            let ack = envelope::ack(out.own, from.incarnation, place.generation, number);
            out.publish(Subject::Node(from.node), ack);
        }
        match arrival {
            Arrival::Next | Arrival::Early => {}
            Arrival::Repeated => out.drop(Dropped::Repeated),
            Arrival::Crowded => out.drop(Dropped::Ahead),
        }
    }

    /// A node misses these numbers; what was before has come.
    pub(crate) fn on_nack(
        &mut self,
        now: Duration,
        from: Sender,
        generation: u32,
        (first, last): (u64, u64),
        out: &mut Out,
    ) {
        self.on_ack(now, from, generation, first.saturating_sub(1), out);
        let lane = self.lanes.get_mut(&from.node);
        let Some(lane) = lane
            .filter(|lane| (lane.incarnation, lane.generation()) == (from.incarnation, generation))
        else {
            return;
        };
        let again = lane.outgoing.repair(now, first, last);
        self.counts.entry(from.node).or_default().repairs += again.len() as u64;
        for envelope in again {
            out.publish(Subject::Node(from.node), envelope);
        }
    }

    /// Everything up to this number has come to a node.
    pub(crate) fn on_ack(
        &mut self,
        now: Duration,
        from: Sender,
        generation: u32,
        number: u64,
        out: &mut Out,
    ) {
        let Some(lane) = self.meet(from, generation, out) else {
            return;
        };
        if !lane.outgoing.ack(number) {
            self.break_lane(from.node, out);
        }
        self.look_at_congestion(now);
    }

    /// A member's beat has come, with what it says of its lanes with this life of this node.
    pub(crate) fn on_beat(
        &mut self,
        now: Duration,
        from: Sender,
        report: Option<&LaneReport>,
        out: &mut Out,
    ) {
        let lane = self.lanes.get_mut(&from.node);
        let Some(lane) = lane.filter(|lane| lane.incarnation == from.incarnation) else {
            return;
        };
        lane.heard();
        let Some(report) = report.filter(|report| report.generation >= lane.generation()) else {
            return;
        };
        self.on_ack(now, from, report.generation, report.received, out);
        let lane = self.lanes.get_mut(&from.node);
        if let Some(lane) = lane.filter(|lane| lane.generation() == report.generation) {
            lane.incoming.expect(now, report.sent);
        }
    }

    /// What a beat says of the lanes.
    pub(crate) fn reports(&mut self) -> Vec<LaneReport> {
        self.has_broken = false;
        let lanes = self.lanes.iter_mut();
        let reports = lanes.map(|(&node, lane)| {
            lane.incoming.acked();
            LaneReport {
                node,
                incarnation: lane.incarnation,
                generation: lane.generation(),
                received: lane.incoming.received(),
                sent: lane.outgoing.last(),
            }
        });
        reports.collect()
    }

    /// Whether a lane has broken since the last `reports`.
    pub(crate) fn has_broken(&self) -> bool {
        self.has_broken
    }

    /// So much time has passed: breaks the lanes that lead nowhere.
    pub(crate) fn pass(&mut self, time: Duration, out: &mut Out) {
        let lanes = self.lanes.iter_mut();
        let broken: Vec<u8> = lanes
            .filter_map(|(node, lane)| lane.pass(time).then_some(*node))
            .collect();
        for node in broken {
            self.break_lane(node, out);
        }
    }

    /// Asks for what is missing.
    pub(crate) fn on_time(&mut self, now: Duration, out: &mut Out) {
        for (&node, lane) in &mut self.lanes {
            let Some(numbers) = lane.incoming.nack(now) else {
                continue;
            };
            self.counts.entry(node).or_default().nacks += 1;
            let nack = envelope::nack(out.own, lane.incarnation, lane.generation(), numbers);
            out.publish(Subject::Node(node), nack);
        }
    }

    /// When something is to be asked for.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let lanes = self.lanes.values();
        lanes.filter_map(|lane| lane.incoming.deadline()).min()
    }

    /// What was counted, by the nodes' slots.
    pub(crate) fn figures(&self) -> Vec<LaneFigures> {
        let all = self.counts.iter().map(|(&node, counts)| {
            let lane = self.lanes.get(&node);
            LaneFigures {
                node,
                is_member: lane.is_some(),
                unacked_bytes: lane.map_or(0, |lane| lane.outgoing.bytes()),
                ahead_bytes: lane.map_or(0, |lane| lane.incoming.ahead_bytes()),
                nacks: counts.nacks,
                repairs: counts.repairs,
                breaks: counts.breaks,
            }
        });
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::{Said, read};

    const OWN: Sender = Sender {
        node: 0,
        incarnation: 10,
    };

    fn member(node: u8, incarnation: u64) -> Member {
        Member {
            node,
            incarnation,
            shards: 1,
            version: "".into(),
        }
    }

    /// The generation and the number of what was said last.
    fn place(lanes: &mut Lanes, out: &mut Out) -> (u32, u64) {
        lanes.say(Destination::All, b"x", out);
        lanes.flush(Duration::ZERO, out);
        let reader = Sender {
            node: 1,
            incarnation: 11,
        };
        let mut last = None;
        while let Some(output) = out.pop() {
            if let Output::Publish(_, bytes) = output {
                last = Some(bytes);
            }
        }
        match read(last.expect("it was published"), reader) {
            Ok((_, Said::Letters(place, _))) => (place.generation, place.number),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_life_that_comes_back_is_not_taken_for_what_it_was() {
        let mut out = Out::new(OWN);
        out.is_up = true;
        let mut lanes = Lanes::default();
        let (here, there) = (member(0, 10), member(1, 11));
        lanes.follow(&[here.clone(), there.clone()], &mut out);
        assert_eq!(place(&mut lanes, &mut out), (0, 1));
        assert_eq!(place(&mut lanes, &mut out), (0, 2));
        lanes.follow(&[here.clone(), there.clone()], &mut out);
        assert_eq!(place(&mut lanes, &mut out), (0, 3));
        // A leader that had not heard of the view between puts it in again: what it was told before must not be counted on.
        lanes.follow(std::slice::from_ref(&here), &mut out);
        lanes.follow(&[here, there], &mut out);
        assert_eq!(place(&mut lanes, &mut out), (1, 1));
    }

    #[test]
    fn what_was_said_before_a_break_is_not_said_after_it() {
        let mut out = Out::new(OWN);
        out.is_up = true;
        let mut lanes = Lanes::default();
        lanes.follow(&[member(0, 10), member(1, 11)], &mut out);
        lanes.say(Destination::Node(1), b"before", &mut out);
        let from = Sender {
            node: 1,
            incarnation: 11,
        };
        lanes.on_ack(Duration::ZERO, from, 4, 0, &mut out);
        let first = out.pop();
        assert!(matches!(first, Some(Output::Publish(..))), "{first:?}");
        assert_eq!(out.pop(), Some(Output::LaneBroken(1)));
        assert_eq!(place(&mut lanes, &mut out), (4, 1));
        // An acknowledgement of what was never said is of another lane.
        lanes.on_ack(Duration::ZERO, from, 4, 2, &mut out);
        assert_eq!(out.pop(), Some(Output::LaneBroken(1)));
    }
}
