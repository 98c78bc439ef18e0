//! Some nodes around a table: what one says all others hear at once, unless they are away; a lease has whoever asked first.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{Destination, Lease, Node, Output, Setup, Standing, Subject};

/// A node at the table, and what came out of it.
pub(super) struct Seat {
    pub(super) slot: u8,
    pub(super) node: Node,
    pub(super) standing: Arc<Standing>,
    /// It neither says nor hears anything.
    pub(super) is_away: bool,
    /// Nobody else can take its slot's lock.
    pub(super) keeps_lock: bool,
    /// Letters and what else a dialect gets, in order.
    pub(super) got: Vec<String>,
    pub(super) fenced: u32,
    pub(super) lives: u32,
    pub(super) is_displaced: bool,
    wanted: BTreeSet<Lease>,
    held: BTreeSet<Lease>,
}

/// Nodes around a table, in virtual time.
pub(super) struct Table {
    pub(super) now: Duration,
    pub(super) seats: Vec<Seat>,
    pub(super) has_locks: bool,
    term: u64,
    lives: u64,
    /// What is published is lost if this says so.
    pub(super) loses: fn(Subject, &Bytes) -> bool,
}

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl Table {
    /// So many nodes, in slots from 0 on, that have come together; the first leads.
    pub(super) fn of(count: u8) -> Table {
        let mut table = Table {
            now: ms(1_000),
            seats: Vec::new(),
            has_locks: true,
            term: 100,
            lives: 0,
            loses: |_, _| false,
        };
        for slot in 0..count {
            table.sit_down(slot);
            table.pass(1_000);
        }
        table
    }

    pub(super) fn sit_down(&mut self, slot: u8) -> usize {
        self.lives += 1;
        let setup = Setup {
            node: slot,
            incarnation: self.lives,
            shards: 2,
            version: "1".into(),
        };
        let mut node = Node::new(setup, self.now);
        node.on_bus(self.now, true);
        self.seats.push(Seat {
            slot,
            node,
            standing: Arc::new(Standing::alone(slot, 2)),
            is_away: false,
            keeps_lock: true,
            got: Vec::new(),
            fenced: 0,
            lives: 0,
            is_displaced: false,
            wanted: BTreeSet::new(),
            held: BTreeSet::new(),
        });
        self.settle();
        self.seats.len() - 1
    }

    /// A process ends without a word.
    pub(super) fn kill(&mut self, at: usize) {
        let seat = &mut self.seats[at];
        seat.is_away = true;
        seat.keeps_lock = false;
        seat.held.clear();
        seat.wanted.clear();
    }

    pub(super) fn say(&mut self, at: usize, to: Destination, letter: impl Into<Bytes>) {
        self.seats[at].node.say(to, letter.into());
    }

    pub(super) fn flush(&mut self, at: usize) {
        let now = self.now;
        self.seats[at].node.flush(now);
        self.settle();
    }

    /// Time passes, in steps of 5 ms.
    pub(super) fn pass(&mut self, for_ms: u64) {
        for _ in 0..for_ms / 5 {
            self.now += ms(5);
            for at in 0..self.seats.len() {
                let seat = &mut self.seats[at];
                if seat.node.deadline() <= self.now {
                    seat.node.on_time(self.now);
                }
                self.settle();
            }
        }
    }

    /// Carries out what comes out of all nodes, until nothing does.
    pub(super) fn settle(&mut self) {
        let mut goes_on = true;
        while goes_on {
            goes_on = false;
            for at in 0..self.seats.len() {
                while let Some(output) = self.seats[at].node.poll() {
                    goes_on = true;
                    self.carry_out(at, output);
                }
            }
            for lease in Lease::ALL {
                goes_on |= self.give(lease);
            }
        }
    }

    fn give(&mut self, lease: Lease) -> bool {
        let is_held = self.seats.iter().any(|seat| seat.held.contains(&lease));
        let first = self
            .seats
            .iter_mut()
            .find(|seat| seat.wanted.contains(&lease));
        let Some(first) = first.filter(|_| !is_held && self.has_locks) else {
            return false;
        };
        let highest = first.node.figures().terms[lease.index()];
        self.term = self.term.max(highest).saturating_add(1);
        first.held.insert(lease);
        first.node.on_lease(self.now, lease, Some(self.term));
        true
    }

    fn carry_out(&mut self, at: usize, output: Output) {
        let now = self.now;
        let seat = &mut self.seats[at];
        match output {
            Output::Publish(subject, bytes) => {
                if !seat.is_away && !(self.loses)(subject, &bytes) {
                    self.publish(subject, &bytes);
                }
            }
            Output::Letter { from, bytes } => {
                let text = String::from_utf8_lossy(&bytes);
                seat.got.push(format!("{from}: {text}"));
            }
            Output::Standing(standing) => {
                let nodes = standing.view.members.iter();
                let nodes: Vec<String> = nodes.map(|member| member.node.to_string()).collect();
                seat.got.push(format!("view of {}", nodes.join(" ")));
                seat.got.dedup();
                seat.standing = standing;
            }
            Output::LaneBroken(node) => seat.got.push(format!("{node} broke")),
            Output::Want(lease, true) => {
                seat.wanted.insert(lease);
            }
            Output::Want(lease, false) => {
                seat.wanted.remove(&lease);
                seat.held.remove(&lease);
                seat.node.on_lease(now, lease, None);
            }
            Output::Fence(slot) => {
                seat.fenced += 1;
                let holders = self.seats.iter();
                let mut holders = holders.filter(|seat| seat.slot == slot);
                let taken = self.has_locks && holders.all(|seat| !seat.keeps_lock);
                self.seats[at].node.on_fenced(now, slot, taken);
            }
            Output::NewLife => {
                seat.lives += 1;
                self.lives += 1;
                seat.node.begin_life(now, self.lives);
            }
            Output::Displaced => seat.is_displaced = true,
        }
    }

    fn publish(&mut self, subject: Subject, bytes: &Bytes) {
        for seat in self.seats.iter_mut().filter(|seat| !seat.is_away) {
            if !matches!(subject, Subject::Node(slot) if slot != seat.slot) {
                seat.node.on_message(self.now, bytes.clone());
            }
        }
    }

    /// The slots of the members that a node believes in.
    pub(super) fn members(&self, at: usize) -> Vec<u8> {
        let members = self.seats[at].standing.view.members.iter();
        members.map(|member| member.node).collect()
    }

    pub(super) fn is_island(&self, at: usize) -> bool {
        self.seats[at].standing.is_island
    }

    /// What a node got since the last time it was asked.
    pub(super) fn got(&mut self, at: usize) -> Vec<String> {
        std::mem::take(&mut self.seats[at].got)
    }
}
