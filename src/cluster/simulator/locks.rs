//! A model of the database's locks: held by sessions, which end when nothing is heard of them.

use std::{collections::BTreeMap, time::Duration};

use crate::Lease;

/// A session of which nothing is heard for so long is ended by the server.
const SILENT: Duration = Duration::from_secs(5);

/// What is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lock {
    Slot(u8),
    Lease(Lease),
}

#[derive(Debug, Default)]
pub(super) struct Locks {
    pub(super) is_up: bool,
    sessions: BTreeMap<u64, Duration>,
    held: BTreeMap<Lock, u64>,
    count: u64,
    clock: u64,
}

impl Locks {
    /// Everybody's sessions end, with all they held.
    pub(super) fn crash(&mut self) {
        self.is_up = false;
        self.sessions.clear();
        self.held.clear();
    }

    pub(super) fn open(&mut self, now: Duration) -> u64 {
        self.count += 1;
        self.sessions.insert(self.count, now);
        self.count
    }

    /// A session says something. False if it has ended.
    pub(super) fn renew(&mut self, now: Duration, session: u64) -> bool {
        self.expire(now);
        let at = self.sessions.get_mut(&session);
        at.map(|at| *at = now).is_some()
    }

    pub(super) fn close(&mut self, session: u64) {
        self.sessions.remove(&session);
        self.held.retain(|_, by| *by != session);
    }

    fn expire(&mut self, now: Duration) {
        self.sessions.retain(|_, at| now < *at + SILENT);
        let sessions = &self.sessions;
        self.held.retain(|_, by| sessions.contains_key(by));
    }

    pub(super) fn take(&mut self, now: Duration, lock: Lock, session: u64) -> bool {
        self.expire(now);
        *self.held.entry(lock).or_insert(session) == session
    }

    pub(super) fn release(&mut self, lock: Lock, session: u64) {
        if self.held.get(&lock) == Some(&session) {
            self.held.remove(&lock);
        }
    }

    /// The database's clock in µs: no two look at it at the same time.
    pub(super) fn clock(&mut self, now: Duration) -> u64 {
        self.clock = (self.clock + 1).max(now.as_micros() as u64);
        self.clock
    }

    pub(super) fn holder(&self, lock: Lock) -> Option<u64> {
        self.held.get(&lock).copied()
    }
}
