//! What simulated nodes say to each other: a lane for each ordered pair of them, on which mail keeps its order and may be late,
//! and the bus of each shard, by which it hears of all other nodes, of mail and of who is in, in one order.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Debug,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rand::RngExt;

use super::{
    Job, Parcel, Simulator,
    turns::{travelled, written},
};
use crate::{Closing, ConnId, Dialect, ShardId, Standing};

/// Longest letter that a real lane takes.
const LETTER: usize = 256 * 1024;

/// Most of what is late at all is late by as little.
const SHORT: Duration = Duration::from_millis(20);

/// What is under way between nodes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    under_way: BTreeMap<(u8, u8), VecDeque<Letter>>,
    /// Lanes that are broken, whose sender has not heard of that yet.
    broken: BTreeSet<(u8, u8)>,
    /// For each shard, what its node has got and it has not.
    arrived: BTreeMap<ShardId, VecDeque<Arrival>>,
}

#[derive(Debug)]
struct Letter {
    due: Duration,
    /// The view under which it was sent.
    view: u32,
    /// Lives of both ends.
    sender: u64,
    receiver: u64,
    what: Said,
}

#[derive(Clone, Debug)]
enum Said {
    /// To one shard, or to all.
    Mail(ShardId, Option<ShardId>, Bytes),
    Send(ConnId, Bytes),
    Close(ConnId, Closing),
    /// The lane back is broken.
    Broken,
}

#[derive(Clone, Debug)]
enum Arrival {
    Mail(ShardId, Bytes),
    Send(ConnId, Bytes),
    Close(ConnId, Closing),
    Standing(Arc<Standing>),
    Broken(u8),
}

/// What becomes of the first letter of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waits,
    Arrives,
    Lost,
}

impl Lanes {
    /// Nothing is under way, or has arrived and was not taken.
    pub(super) fn are_quiet(&self) -> bool {
        self.under_way.values().all(VecDeque::is_empty)
            && self.arrived.values().all(VecDeque::is_empty)
    }

    /// Everything to and from a node is lost.
    pub(super) fn forget(&mut self, node: u8) {
        self.under_way
            .retain(|&(from, to), _| from != node && to != node);
        self.broken.retain(|&(from, to)| from != node && to != node);
    }

    /// A process is gone: what it had got, what was under way to it, and of what it sent all but the first `kept` of each
    /// lane.
    pub(super) fn end(&mut self, node: u8, mut kept: impl FnMut(usize) -> usize) {
        self.arrived.retain(|shard, _| shard.node() != node);
        for (&(from, to), letters) in &mut self.under_way {
            if to == node {
                letters.clear();
            } else if from == node {
                letters.truncate(kept(letters.len()));
            }
        }
    }
}

impl<D: Dialect<Mail: Debug>> Simulator<D> {
    /// Both nodes forget what is under way between them, in the lives that `node` knows. It hears of that now, the other one
    /// from it.
    pub fn break_lane(&mut self, node: u8, other: u8) {
        let standing = self.standing(node).clone();
        let known = standing.view.member(other).map(|m| m.incarnation);
        let Some(known) = known.filter(|_| standing.is_in_touch) else {
            return; // there is none
        };
        let own = standing.incarnation;
        for (lane, ends) in [((node, other), (own, known)), ((other, node), (known, own))] {
            if let Some(letters) = self.lanes.under_way.get_mut(&lane) {
                letters.retain(|letter| (letter.sender, letter.receiver) != ends);
            }
            self.lanes.broken.remove(&lane);
        }
        self.arrives(node, Arrival::Broken(other));
        if self.post_letter(node, other, Said::Broken) {
            self.lanes.broken.insert((other, node));
        }
    }

    /// Mail to a shard of another node.
    pub(super) fn mail_to(&mut self, from: ShardId, to: ShardId, mail: &D::Mail) {
        let bytes = self.as_bytes(mail);
        self.post_letter(from.node(), to.node(), Said::Mail(from, Some(to), bytes));
    }

    /// Mail to every shard of another node.
    pub(super) fn mail_to_node(&mut self, from: ShardId, to: u8, mail: &D::Mail) {
        let bytes = self.as_bytes(mail);
        self.post_letter(from.node(), to, Said::Mail(from, None, bytes));
    }

    /// Mail to every shard of every other node that the sender's knows of.
    pub(super) fn mail_to_nodes(&mut self, from: ShardId, mail: &D::Mail) {
        let standing = self.standing(from.node()).clone();
        let bytes: Bytes = self.as_bytes(mail);
        for member in standing.others() {
            let said = Said::Mail(from, None, bytes.clone());
            self.post_letter(from.node(), member.node, said);
        }
    }

    /// Mail as it leaves a node; whether it is read as it was meant is looked at here.
    fn as_bytes(&self, mail: &D::Mail) -> Bytes {
        if self.written_mail {
            travelled(mail);
        }
        let bytes: Bytes = written(mail).into();
        assert!(
            bytes.len() <= LETTER,
            "a letter that is too long is dropped"
        );
        bytes
    }

    /// Something for a connection of another node.
    pub(super) fn send_to_node(&mut self, from: ShardId, parcel: Parcel<D>) {
        let (conn, said) = match parcel {
            Parcel::Mail(_) => return, // goes by `mail_to`
            Parcel::Send(conn, body) => (conn, Said::Send(conn, body)),
            Parcel::Close(conn, how) => (conn, Said::Close(conn, how)),
        };
        self.post_letter(from.node(), conn.shard.node(), said);
    }

    /// Puts a letter on its lane, if there is one.
    fn post_letter(&mut self, from: u8, to: u8, what: Said) -> bool {
        let standing = self.standing(from).clone();
        let Some(member) = standing.view.member(to) else {
            return false;
        };
        if !standing.is_in_touch || !self.is_running(to) {
            return false;
        }
        let due = self.now + self.lateness();
        let lane = self.lanes.under_way.entry((from, to)).or_default();
        let letter = Letter {
            due: lane.back().map_or(due, |last| last.due.max(due)),
            view: standing.view.number,
            sender: standing.incarnation,
            receiver: member.incarnation,
            what,
        };
        lane.push_back(letter);
        true
    }

    /// How late something is that goes from node to node.
    pub(super) fn lateness(&mut self) -> Duration {
        if self.late.is_zero() {
            return Duration::ZERO;
        }
        let most = match self.rng.random_range(0..8) {
            0..4 => return Duration::ZERO,
            4..7 => SHORT.min(self.late),
            _ => self.late,
        };
        Duration::from_micros(self.rng.random_range(0..=most.as_micros() as u64))
    }

    /// What may be done now about mail between nodes.
    pub(super) fn letters_due(&self, jobs: &mut Vec<Job>) {
        for (&(from, to), letters) in &self.lanes.under_way {
            let first = letters.front().filter(|letter| letter.due <= self.now);
            if first.is_some_and(|letter| self.fate(from, to, letter) != Fate::Waits) {
                jobs.push(Job::Letter(from, to));
            }
        }
        for (&shard, arrived) in &self.lanes.arrived {
            if !arrived.is_empty() {
                jobs.push(Job::Arrival(shard));
            }
        }
    }

    /// When the next letter is due.
    pub(super) fn next_letter(&self) -> Option<Duration> {
        let lanes = self.lanes.under_way.values();
        let due = lanes.filter_map(|letters| letters.front().map(|letter| letter.due));
        due.filter(|&due| due > self.now).min()
    }

    /// Letters arrive between members of one view, in both ends' eyes; one that was sent under a view which the receiver does
    /// not know yet waits for that.
    fn fate(&self, from: u8, to: u8, letter: &Letter) -> Fate {
        let receiver = self.standing(to);
        if self.is_cut(to) || self.is_cut(from) {
            return Fate::Waits;
        }
        if receiver.incarnation != letter.receiver {
            let is_next = self.view().member(to).map(|m| m.incarnation) == Some(letter.receiver);
            return if is_next { Fate::Waits } else { Fate::Lost };
        }
        let known = receiver.view.member(from);
        if known.is_some_and(|member| member.incarnation == letter.sender) && receiver.is_in_touch {
            let is_broken = self.lanes.broken.contains(&(from, to));
            return if is_broken {
                Fate::Waits
            } else {
                Fate::Arrives
            };
        }
        match receiver.view.number < letter.view || !receiver.is_in_touch {
            true => Fate::Waits,
            false => Fate::Lost,
        }
    }

    /// The first letter of a lane arrives at its node.
    pub(super) fn letter_arrives(&mut self, from: u8, to: u8) {
        let lane = self.lanes.under_way.get_mut(&(from, to));
        let Some(letter) = lane.and_then(VecDeque::pop_front) else {
            return;
        };
        if self.fate(from, to, &letter) != Fate::Arrives {
            if matches!(letter.what, Said::Broken) {
                self.lanes.broken.remove(&(to, from)); // of an earlier life: that lane is no more
            }
            return;
        }
        match letter.what {
            Said::Mail(shard, Some(to), bytes) => self.arrives_at(to, Arrival::Mail(shard, bytes)),
            Said::Mail(shard, None, bytes) => self.arrives(to, Arrival::Mail(shard, bytes)),
            Said::Send(conn, body) => self.arrives_at(conn.shard, Arrival::Send(conn, body)),
            Said::Close(conn, how) => self.arrives_at(conn.shard, Arrival::Close(conn, how)),
            Said::Broken => {
                self.lanes.under_way.remove(&(to, from));
                self.lanes.broken.remove(&(to, from));
                self.arrives(to, Arrival::Broken(from));
            }
        }
    }

    fn arrives_at(&mut self, shard: ShardId, what: Arrival) {
        let arrived = &mut self.lanes.arrived;
        arrived.entry(shard).or_default().push_back(what);
    }

    fn arrives(&mut self, node: u8, what: Arrival) {
        for shard in self.shards_of(node) {
            self.arrives_at(shard, what.clone());
        }
    }

    /// The shards of a node are told what it knows of the others.
    pub(super) fn tell_standing(&mut self, node: u8) {
        let standing = self.standing(node).clone();
        self.arrives(node, Arrival::Standing(standing));
    }

    /// A shard takes the next of what its node has got for it.
    pub(super) fn take_arrival(&mut self, shard: ShardId) {
        let arrived = self.lanes.arrived.get_mut(&shard);
        match arrived.and_then(VecDeque::pop_front) {
            Some(Arrival::Mail(from, bytes)) => {
                let mail =
                    wire::messagepack::from_slice(&bytes).expect("what was written can be read");
                self.turn(shard, |dialect, turn| dialect.on_mail(turn, from, mail));
            }
            Some(Arrival::Send(conn, body)) => self.receive(conn, body),
            Some(Arrival::Close(conn, how)) => self.close(conn, how),
            Some(Arrival::Standing(standing)) => {
                self.turn(shard, |dialect, turn| dialect.on_standing(turn, &standing));
            }
            Some(Arrival::Broken(node)) => {
                self.turn(shard, |dialect, turn| dialect.on_lane_broken(turn, node));
            }
            None => {}
        }
    }
}
