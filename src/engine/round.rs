//! The rounds of a shard: what makes it do anything, and in which order.
//!
//! A round takes in mail, then what its sockets have to tell, then deadlines that have passed, then connections that had
//! more to do than a round allows them; and everything due to a client leaves in one write. Then the shard waits in its
//! ring until there is something again.

use std::{io, time::Duration};

use smallvec::SmallVec;

use super::{
    runtime::{Event, Handle, Io, Job, Key, LAST_SENDS, Socket, What},
    shard::Shard,
    timers::Due,
};
use lobby::{Closing, ConnId, Dialect};

/// Longest that the end of the process waits for clients to read our last words (spec: faf-lifecycle 14), and for what
/// the dialects still have to hand on.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Events handled before what they caused is written. More would make the first of them wait for the last.
const EVENTS_PER_FLUSH: usize = if cfg!(test) { 3 } else { 128 };

/// Deadlines handled in one round; timers that set themselves anew must not keep a shard from its sockets.
const DEADLINES_PER_ROUND: usize = if cfg!(test) { 4 } else { 1_024 };

/// How long a shard lets a congested mesh drain before it looks again.
const CONGESTION_PAUSE: Duration = Duration::from_millis(2);

/// Everything of a shard from its first turn to its last connection. `ready` is called when it can take connections.
///
/// # Errors
/// The ring has failed for good.
pub(super) fn serve<D: Dialect, I: Io>(
    mut shard: Shard<D, I>,
    ready: impl FnOnce(),
) -> io::Result<()> {
    let mut events = Vec::new();
    shard.start();
    ready();
    let mut deadline = None;
    while !shard.wait_and_go_round(&mut deadline, &mut events)? {}
    Ok(())
}

impl<D: Dialect, I: Io> Shard<D, I> {
    /// Waits, and does one round with what has happened. True: it was the last one. `deadline` is when a shard that is to
    /// end does so at the latest.
    ///
    /// # Errors
    /// The ring has failed for good.
    pub(super) fn wait_and_go_round(
        &mut self,
        deadline: &mut Option<Duration>,
        events: &mut Vec<Event>,
    ) -> io::Result<bool> {
        if !self.dirty.is_empty() {
            self.flush_before_wait();
        }
        let until = self.next_deadline();
        let until = deadline.map_or(until, |end| Some(until.map_or(end, |at| at.min(end))));
        self.wait(until, events)?;
        self.round(events);
        if !self.ending {
            return Ok(false);
        }
        let end = *deadline.get_or_insert_with(|| self.io.now() + LAST_WORDS);
        let is_over = self.is_done() || self.io.now() >= end;
        if is_over {
            self.report();
        }
        Ok(is_over)
    }

    /// When something is to be done even if nothing happens; a time that has passed if there is something now.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        if self.queued.is_empty() && self.strangers.is_empty() {
            self.timers.next()
        } else {
            Some(Duration::ZERO)
        }
    }

    /// Waits for something to happen, asleep only if there is no mail. What the last flush has left is written before.
    fn wait(&mut self, until: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let mesh = self.mesh.clone();
        let inbox = mesh.inbox(self.id);
        let until = if inbox.sleep() {
            until
        } else {
            Some(Duration::ZERO)
        };
        let conns = &self.conns;
        let jobs = self.dirty.iter().filter_map(|&id| {
            let conn = conns.peek(id)?;
            Some(Job {
                slot: id.slot,
                socket: conn.socket.as_ref()?.handle(),
                bytes: conn.outbox.whole()?,
            })
        });
        let jobs: SmallVec<[Job<'_, Handle<I>>; LAST_SENDS]> = jobs.collect();
        debug_assert_eq!(jobs.len(), self.dirty.len(), "each has something to send");
        let waited = self.io.wait(self.now, until, &jobs, events);
        drop(jobs);
        inbox.wake();
        let waited = waited?;
        self.now = waited.now;
        if waited.renewed {
            self.watch_again();
        }
        if !self.dirty.is_empty() {
            self.wrote_last(waited);
        }
        Ok(())
    }

    /// One round with what has happened.
    pub(super) fn round(&mut self, events: &mut Vec<Event>) {
        self.metrics.rounds.up();
        self.strangers.renew();
        self.drain_inbox();
        for (index, some) in events.chunks(EVENTS_PER_FLUSH).enumerate() {
            if index > 0 {
                self.flush();
                self.look_up_now();
            }
            for event in some {
                self.drain_inbox();
                self.happened(*event);
            }
        }
        if self.next_deadline().is_some_and(|at| at <= self.now) {
            self.flush(); // it does not wait for what else is to be done
        }
        events.clear();
        self.wake_due();
        if !self.queued.is_empty() || !self.strangers.is_empty() {
            self.look_up_now();
        }
        for _ in 0..self.queued.len() {
            let Some(id) = self.queued.pop_front() else {
                break;
            };
            self.take_turn(id);
        }
        self.let_strangers_go_on();
        self.flush_before_wait();
        if self.draining {
            let has_handed_over = self.dialect.has_handed_over();
            self.mesh.set_handed_over(self.id, has_handed_over);
            self.mesh.set_idle(self.id, self.is_drained());
            let is_silent = self.evicting && !self.dialect.has_last_words();
            self.mesh.set_silent(self.id, is_silent);
        }
    }

    /// The turn of a connection that was queued.
    pub(super) fn take_turn(&mut self, id: ConnId) {
        self.drain_inbox();
        if let Some(conn) = self.conns.find(id) {
            conn.queued = false;
        }
        self.go_on(id);
    }

    fn happened(&mut self, Event { key, what, over }: Event) {
        let Some((id, conn)) = self.conns.of(key) else {
            return; // of a connection that is gone
        };
        match what {
            What::Readable { to_end } => {
                conn.readable = true;
                conn.to_end |= to_end;
                if over && let Some(socket) = &conn.socket {
                    self.io.watch(key, socket);
                }
                self.go_on_unless_queued(id);
            }
            What::Writable => self.writable(id),
            What::Broken => {
                conn.closing = Some(Closing::Abort);
                self.go_on_unless_queued(id);
            }
        }
    }

    /// Lets a connection go on that something has happened to, if it is not going to anyway. One whose events counted beside
    /// the queue would be in there once more for each of them, and those that are busy would make every round longer.
    fn go_on_unless_queued(&mut self, id: ConnId) {
        let queued = self.conns.peek(id).is_some_and(|conn| conn.queued);
        if !queued {
            self.go_on(id);
        }
    }

    /// The ring has forgotten everything: asks for all of it anew.
    fn watch_again(&mut self) {
        self.metrics.rings_renewed.up();
        for id in self.conns.ids() {
            let key = Key::of(id);
            let Some(conn) = self.conns.find(id) else {
                continue;
            };
            let Some(socket) = &conn.socket else {
                continue;
            };
            self.io.watch(key, socket);
            if conn.blocked_since.is_some() {
                self.io.await_writable(key, socket);
            }
        }
    }

    /// Handles the deadlines that have passed.
    fn wake_due(&mut self) {
        let now = self.now;
        for _ in 0..DEADLINES_PER_ROUND {
            let Some(due) = self.timers.pop(now) else {
                return;
            };
            match due {
                Due::Dialect(timer) => self.woke(timer),
                Due::Handshake(id) => self.end_if_silent(id),
                Due::Stuck(id) => self.end_if_stuck(id, now),
                Due::Linger(id) => self.remove(id),
                Due::Resume(id) => self.resume(id),
                Due::Beat(id) => self.beat(id),
                Due::Relay(id) => self.look_after(id),
                Due::Unpark => self.unpark(now),
            }
            self.drain_local();
        }
    }

    fn end_if_silent(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if !conn.opened && !conn.is_ending() {
            self.metrics.ended_handshake.up();
            self.note(id, "dropped: its handshake takes too long");
            self.note_late(id);
            self.abort(id);
        }
    }

    /// Ends a connection at once, when the others had their turn.
    pub(super) fn abort(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.find(id) {
            conn.closing = Some(Closing::Abort);
            self.enqueue(id);
        }
    }

    /// If some shard's inbox is too long: the connection waits until it is not, and true is returned.
    pub(super) fn park_if_congested(&mut self, id: ConnId) -> bool {
        if !self.mesh.congested() {
            return false;
        }
        let Some(conn) = self.conns.find(id) else {
            return true;
        };
        if std::mem::replace(&mut conn.parked, true) {
            return true;
        }
        self.metrics.congestion_pauses.up();
        if self.parked.is_empty() {
            let at = self.io.now() + CONGESTION_PAUSE;
            self.timers.set(at, Due::Unpark);
        }
        self.parked.push(id);
        true
    }

    fn unpark(&mut self, now: Duration) {
        if self.mesh.congested() {
            return self.timers.set(now + CONGESTION_PAUSE, Due::Unpark);
        }
        for id in std::mem::take(&mut self.parked) {
            if let Some(conn) = self.conns.find(id) {
                conn.parked = false;
            }
            self.enqueue(id);
        }
    }
}
