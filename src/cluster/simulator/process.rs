//! A process: a node, and a driver that does with bus and database what the real one does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;

use super::{
    Chance,
    locks::{Lock, Locks},
};
use crate::{Lease, Node, Setup, Standing};

/// A driver that got no answer for so long takes its session for lost.
const LOST: Duration = Duration::from_secs(4);
/// Slots there are in a walk.
const SLOTS: u8 = 6;

#[derive(Debug)]
pub(super) struct Process {
    /// Another one with each start.
    pub(super) id: u64,
    pub(super) slot: u8,
    pub(super) node: Node,
    pub(super) standing: Arc<Standing>,
    pub(super) session: Option<u64>,
    renewed: Duration,
    pub(super) has_slot: bool,
    pub(super) held: BTreeMap<Lease, u64>,
    wanted: BTreeSet<Lease>,
    pub(super) paused_until: Duration,
    pub(super) cut_from_locks_until: Duration,
    /// What came while it was paused.
    pub(super) inbox: Vec<Bytes>,
    pub(super) next_look: Duration,
    /// What it is told of the bus, and when.
    pub(super) bus_news: Vec<(Duration, bool)>,
    pub(super) new_life: Option<Duration>,
    pub(super) fenced: Vec<(Duration, u8, bool)>,
    pub(super) next_talk: Duration,
}

impl Process {
    /// Comes in, if the database is there and a slot is free.
    pub(super) fn start(
        now: Duration,
        id: u64,
        preferred: u8,
        locks: &mut Locks,
        chance: &mut Chance,
    ) -> Option<Process> {
        if !locks.is_up {
            return None;
        }
        let session = locks.open(now);
        let mut slots = std::iter::once(preferred).chain(0..SLOTS);
        let Some(slot) = slots.find(|&slot| locks.take(now, Lock::Slot(slot), session)) else {
            locks.close(session);
            return None;
        };
        let setup = Setup {
            node: slot,
            incarnation: chance.next(),
            shards: 2,
            version: "1".into(),
        };
        let standing = Arc::new(Standing::alone(slot, 2));
        Some(Process {
            id,
            slot,
            node: Node::new(setup, now),
            standing,
            session: Some(session),
            renewed: now,
            has_slot: true,
            held: BTreeMap::new(),
            wanted: BTreeSet::new(),
            paused_until: now,
            cut_from_locks_until: now,
            inbox: Vec::new(),
            next_look: now,
            bus_news: vec![(now + Duration::from_millis(5), true)],
            new_life: None,
            fenced: Vec::new(),
            next_talk: now,
        })
    }

    /// When it has something to do by itself.
    pub(super) fn due(&self) -> Duration {
        let mut due = self.node.deadline().min(self.next_look).min(self.next_talk);
        due = self.new_life.map_or(due, |at| due.min(at));
        for at in self.bus_news.iter().map(|news| news.0) {
            due = due.min(at);
        }
        for at in self.fenced.iter().map(|fenced| fenced.0) {
            due = due.min(at);
        }
        due.max(self.paused_until)
    }

    /// The others it believes are in, if it is in itself.
    pub(super) fn others(&self) -> Vec<(u8, u64)> {
        let own = self.standing.view.member(self.slot);
        if own.map(|own| own.incarnation) != Some(self.standing.incarnation) {
            return Vec::new();
        }
        let others = self.standing.others();
        others
            .map(|other| (other.node, other.incarnation))
            .collect()
    }

    fn reaches(&self, now: Duration, locks: &Locks) -> bool {
        locks.is_up && now >= self.cut_from_locks_until
    }

    /// Everything it held is lost, or may be.
    fn lose(&mut self, now: Duration) {
        self.session = None;
        if std::mem::take(&mut self.has_slot) {
            self.node.on_slot(now, false);
        }
        for lease in std::mem::take(&mut self.held).into_keys() {
            self.node.on_lease(now, lease, None);
        }
    }

    /// Before anything else after a pause: what the clock says of the session.
    pub(super) fn check_clock(&mut self, now: Duration) {
        if self.session.is_some() && now > self.renewed + LOST {
            self.lose(now);
        }
    }

    /// What a driver does with the database each moment.
    pub(super) fn look(&mut self, now: Duration, locks: &mut Locks) {
        if !self.reaches(now, locks) {
            return self.check_clock(now);
        }
        self.renewed = now;
        let Some(session) = self.session.filter(|&session| locks.renew(now, session)) else {
            // What the node wants after that is heard before anything is taken.
            self.lose(now);
            self.session = Some(locks.open(now));
            return;
        };
        if !self.has_slot && locks.take(now, Lock::Slot(self.slot), session) {
            self.has_slot = true;
            self.node.on_slot(now, true);
        }
        for lease in Lease::ALL {
            let is_held = self.held.contains_key(&lease);
            let lock = Lock::Lease(lease);
            if !self.wanted.contains(&lease) {
                locks.release(lock, session);
            } else if !is_held && locks.take(now, lock, session) {
                let highest = self.node.figures().terms[lease.index()];
                let term = locks.clock(now).max(highest + 1);
                self.held.insert(lease, term);
                self.node.on_lease(now, lease, Some(term));
            }
        }
    }

    pub(super) fn want(&mut self, now: Duration, lease: Lease, wants: bool, locks: &mut Locks) {
        if wants {
            self.wanted.insert(lease);
            return;
        }
        self.wanted.remove(&lease);
        if let Some(session) = self.session.filter(|_| self.reaches(now, locks)) {
            locks.release(Lock::Lease(lease), session);
        }
        if self.held.remove(&lease).is_some() {
            self.node.on_lease(now, lease, None);
        }
    }

    /// Tries the lock of a slot.
    pub(super) fn fence(&mut self, now: Duration, slot: u8, locks: &mut Locks) {
        let reaches = self.reaches(now, locks);
        let taken = self.session.filter(|_| reaches).is_some_and(|session| {
            let taken = locks.take(now, Lock::Slot(slot), session);
            if taken {
                locks.release(Lock::Slot(slot), session);
            }
            taken
        });
        let answered = now + Duration::from_millis(3);
        self.fenced.push((answered, slot, taken));
    }
}
