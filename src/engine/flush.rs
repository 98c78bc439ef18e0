//! How a shard writes: broadcasts to everyone at once, everything else in one write per client. What little is due at the end
//! of a round goes with the call that waits ([`Shard::flush_before_wait`]).

use std::{
    io::{self, ErrorKind, IoSlice},
    time::Duration,
};

use ahash::AHashMap;

use super::{
    fanout::{Common, Ordinals},
    runtime::{Handle, Io, Job, Key, LAST_SENDS, Socket, Unfinished, Waited},
    shard::Shard,
    table::Fanned,
    timers::Due,
};
use lobby::{Closing, ConnId, Dialect};
use wire::Format;

/// A receiver of a broadcast whose outbox is empty.
struct Target<H> {
    slot: u32,
    socket: H,
    /// Which of the batch's buffers.
    buffer: u32,
}

/// The buffers of one batch: what is the same for many is put together once.
struct Commons {
    all: Vec<Common>,
    /// Those of the topic that is walked, for connections that are in no other of the batch: a place per format.
    plain: [Option<u32>; Format::ALL.len()],
    /// Those of connections in several.
    several: AHashMap<(Format, Ordinals), u32>,
}

impl<D: Dialect, I: Io> Shard<D, I> {
    pub(super) fn mark_dirty(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.find(id)
            && !std::mem::replace(&mut conn.dirty, true)
        {
            self.dirty.push(id);
        }
    }

    /// Moves the broadcasts of the present batch that are for this connection into its outbox, so that what is
    /// queued next comes behind them.
    pub(super) fn catch_up(&mut self, id: ConnId) {
        if self.batch.is_empty() {
            return;
        }
        let Some(conn) = self.conns.find(id).filter(|conn| conn.takes()) else {
            return;
        };
        let now = self.batch.here();
        let from = match std::mem::replace(&mut conn.fanned, now) {
            Fanned { batch, upto } if batch == now.batch => upto,
            _ => 0,
        };
        if from == now.upto || conn.topics.is_empty() && !self.batch.names(id) {
            return;
        }
        let format = conn.format;
        let soft_bytes = self.settings.outbox(conn).soft_bytes;
        let slow = conn.outbox.bytes() > soft_bytes;
        let (outbox, mut copies, mut skipped) = (&mut conn.outbox, 0, 0);
        let of = (&self.topics, &conn.topics);
        self.batch
            .each_for(id, format, of, from as usize, |encoded| {
                if slow {
                    skipped += 1;
                } else {
                    outbox.push(encoded);
                    copies += 1;
                }
            });
        conn.stale |= skipped > 0;
        self.metrics.deliveries.add(copies);
        self.metrics.sent[format.index()].add(copies);
        self.metrics.broadcasts_skipped.add(skipped);
        if copies > 0 {
            self.mark_dirty(id);
        }
    }

    /// Everything due leaves, but for what the wait that comes next can take with it: that stays in the list of those who have
    /// something to be written.
    pub(super) fn flush_before_wait(&mut self) {
        if !self.batch.is_empty() {
            self.flush_batch(!self.ending);
        }
        let few = self.dirty.len() <= LAST_SENDS && !self.ending;
        if !(few && self.dirty.iter().all(|&id| self.goes_with_wait(id))) {
            self.flush();
        }
    }

    /// Whether what is due to a connection may leave with the coming wait: it is one send, and nothing waits for its end.
    pub(super) fn goes_with_wait(&self, id: ConnId) -> bool {
        self.conns.peek(id).is_some_and(|conn| {
            let nothing_waits = conn.held == 0 && !conn.goes_on_when_empty();
            let is_plain = conn.blocked_since.is_none() && !conn.is_secure();
            let is_one = conn.socket.is_some() && conn.outbox.whole().is_some();
            nothing_waits && is_plain && is_one
        })
    }

    /// What became of what the wait has taken with it.
    pub(super) fn wrote_last(&mut self, waited: Waited) {
        let dirty = std::mem::take(&mut self.dirty);
        self.metrics.writes.add(dirty.len() as u64);
        self.metrics.bytes_out.add(waited.written);
        for &id in &dirty {
            if let Some(conn) = self.conns.find(id) {
                conn.dirty = false;
            }
        }
        self.wrote(dirty, waited.unfinished);
    }

    /// Everything due leaves: one write per client.
    pub(super) fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.flush_batch(false);
        }
        while !self.dirty.is_empty() {
            // Writing may close connections, and have those resynced that ran empty.
            let mut dirty = std::mem::take(&mut self.dirty);
            self.write_together(&mut dirty);
            for &id in &dirty {
                self.write_out(id);
            }
            if !self.batch.is_empty() {
                self.flush_batch(false);
            }
            if self.dirty.is_empty() {
                dirty.clear();
                self.dirty = dirty;
            }
        }
    }

    /// The batch leaves. With `wait`, the wait comes next, and a few receivers are left to it.
    fn flush_batch(&mut self, wait: bool) {
        let mut named: Vec<ConnId> = self.batch.named().collect();
        named.sort_unstable(); // who is written to first must not depend on the hash: a walk can be repeated
        for id in named {
            self.catch_up(id);
        }
        let mut commons = Commons {
            all: Vec::new(),
            plain: Default::default(),
            several: AHashMap::new(),
        };
        let mut targets = Vec::new();
        for ordinal in 0..self.batch.topics() {
            let index = self.batch.topic(ordinal);
            let members = self.topics.lend_members(index);
            commons.plain = Default::default();
            targets.reserve(members.len());
            for &slot in &members {
                self.fan_out_to(slot, ordinal as u32, &mut commons, &mut targets);
            }
            self.topics.return_members(index, members);
        }
        if wait && targets.len() <= LAST_SENDS {
            self.leave_to_wait(&targets, &commons.all);
        } else {
            self.send_to(&targets, &commons.all);
        }
        self.batch.clear(&mut self.topics);
    }

    /// The batch for one member of the topic that is walked, unless it has been there in another.
    fn fan_out_to(
        &mut self,
        slot: u32,
        ordinal: u32,
        commons: &mut Commons,
        targets: &mut Vec<Target<Handle<I>>>,
    ) {
        let Some((id, conn)) = self.conns.at(slot) else {
            return;
        };
        if conn.is_ending() {
            return;
        }
        if conn.fanned.batch == self.batch.number() {
            return self.catch_up(id);
        }
        let Some(socket) = conn.socket.as_ref().map(Socket::handle) else {
            return;
        };
        let format = conn.format;
        let batch = &mut self.batch;
        let here = batch.here();
        let mut make = |ordinals: &[u32]| {
            commons.all.push(batch.common(format, ordinals));
            commons.all.len() as u32 - 1
        };
        let buffer = if conn.topics.len() == 1 {
            *commons.plain[format.index()].get_or_insert_with(|| make(&[ordinal]))
        } else {
            // In several topics: it may be met again.
            conn.fanned = here;
            let ordinals = self.topics.in_batch(&conn.topics);
            if ordinals.len() == 1 {
                *commons.plain[format.index()].get_or_insert_with(|| make(&ordinals))
            } else {
                let entry = commons.several.entry((format, ordinals));
                *entry.or_insert_with_key(|(_, ordinals)| make(ordinals))
            }
        };
        let common = &commons.all[buffer as usize];
        if conn.outbox.is_empty() && !conn.is_secure() {
            conn.bytes_out += common.bytes.len() as u64; // what is left of it is taken back
            targets.push(Target {
                slot,
                socket,
                buffer,
            });
        } else if conn.outbox.bytes() > self.settings.outbox(conn).soft_bytes {
            conn.stale = true;
            self.metrics.broadcasts_skipped.add(common.messages);
            return;
        } else {
            conn.outbox.push(&common.bytes);
            if !std::mem::replace(&mut conn.dirty, true) {
                self.dirty.push(id);
            }
        }
        self.metrics.deliveries.add(common.messages);
        self.metrics.sent[format.index()].add(common.messages);
    }

    /// Has a batch wait in the outboxes of its receivers, which are empty.
    fn leave_to_wait(&mut self, targets: &[Target<Handle<I>>], commons: &[Common]) {
        for target in targets {
            let bytes = &commons[target.buffer as usize].bytes;
            let Some((id, conn)) = self.conns.at(target.slot) else {
                continue;
            };
            conn.bytes_out -= bytes.len() as u64; // it has not left
            conn.outbox.push(bytes);
            self.mark_dirty(id);
        }
    }

    /// The fast path of a broadcast: the same buffer to everyone whose outbox is empty.
    fn send_to(&mut self, targets: &[Target<Handle<I>>], commons: &[Common]) {
        if targets.is_empty() {
            return;
        }
        let jobs: Vec<Job<'_, Handle<I>>> = targets
            .iter()
            .map(|target| Job {
                slot: target.slot,
                socket: target.socket,
                bytes: &commons[target.buffer as usize].bytes,
            })
            .collect();
        let mut unfinished = Vec::new();
        let written = self.io.send_all(&jobs, &mut unfinished);
        self.metrics.bytes_out.add(written);
        self.metrics.writes.add(jobs.len() as u64);
        for Unfinished { job, outcome } in unfinished {
            let target = &targets[job];
            let Some((id, conn)) = self.conns.at(target.slot) else {
                continue;
            };
            match outcome {
                Ok(sent) => {
                    let bytes = &commons[target.buffer as usize].bytes;
                    conn.bytes_out -= (bytes.len() - sent) as u64;
                    conn.outbox.push(&bytes.slice(sent..));
                    self.block(id);
                }
                Err(error) if is_passing(&error) => {
                    let bytes = &commons[target.buffer as usize].bytes;
                    conn.bytes_out -= bytes.len() as u64;
                    conn.outbox.push(bytes);
                    self.block(id);
                }
                Err(_) => self.abort(id),
            }
        }
    }

    /// Writes outboxes that are in one piece together, and takes those out of the list that need nothing more.
    fn write_together(&mut self, dirty: &mut Vec<ConnId>) {
        let mut has_secure = false;
        for &id in &*dirty {
            if let Some(conn) = self.conns.find(id) {
                conn.dirty = false;
                has_secure |= conn.is_secure();
            }
        }
        if has_secure && dirty.len() > 1 {
            self.write_secure_together(dirty);
        }
        if dirty.len() < 2 {
            return;
        }
        let mut ids = Vec::with_capacity(dirty.len());
        let mut jobs: Vec<Job<'_, Handle<I>>> = Vec::with_capacity(dirty.len());
        dirty.retain(|&id| {
            let Some(conn) = self.conns.peek(id) else {
                return false;
            };
            let writes = conn.closing != Some(Closing::Abort) && conn.blocked_since.is_none();
            let writes = writes && !conn.is_secure();
            let whole = conn.outbox.whole().filter(|_| writes);
            let (Some(bytes), Some(socket)) = (whole, &conn.socket) else {
                return true;
            };
            ids.push(id);
            jobs.push(Job {
                slot: id.slot,
                socket: socket.handle(),
                bytes,
            });
            false
        });
        let mut unfinished = Vec::new();
        let written = self.io.send_all(&jobs, &mut unfinished);
        self.metrics.writes.add(jobs.len() as u64);
        self.metrics.bytes_out.add(written);
        drop(jobs);
        self.wrote(ids, unfinished);
    }

    /// What became of one send for each of these, all of its outbox.
    fn wrote(&mut self, ids: Vec<ConnId>, unfinished: Vec<Unfinished>) {
        let mut unfinished = unfinished.into_iter().peekable();
        for (job, id) in ids.into_iter().enumerate() {
            match unfinished.next_if(|one| one.job == job) {
                None => self.wrote_all(id),
                Some(Unfinished { outcome, .. }) => self.wrote_some(id, outcome),
            }
        }
    }

    fn wrote_some(&mut self, id: ConnId, outcome: io::Result<usize>) {
        match outcome {
            Ok(count) => {
                if let Some(conn) = self.conns.find(id) {
                    conn.bytes_out += count as u64;
                    conn.outbox.advance(count);
                }
                self.block(id);
            }
            Err(error) if is_passing(&error) => self.block(id),
            Err(_) => self.abort(id),
        }
    }

    fn wrote_all(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.find(id) {
            conn.bytes_out += conn.outbox.bytes() as u64;
            conn.outbox.finish(&mut self.spare);
        }
        self.emptied(id);
    }

    /// Nothing is left in the outbox: it is not held any more, and what has waited for that goes on.
    pub(super) fn emptied(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let (goes_on, held) = (conn.goes_on_when_empty(), conn.held);
        if held > 0 {
            self.count_held(id);
        }
        if goes_on {
            self.ran_empty(id);
        }
    }

    /// Writes an outbox, as far as the socket takes it.
    pub(super) fn write_out(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if conn.closing == Some(Closing::Abort) {
            return;
        }
        if conn.blocked_since.is_some() {
            // the socket says when it takes more
            self.count_held(id);
            return self.end_if_full(id);
        }
        if conn.is_secure() {
            return self.write_secure(id);
        }
        let Some(socket) = &conn.socket else {
            return;
        };
        while !conn.outbox.is_empty() {
            let (offered, outcome) = match conn.outbox.whole() {
                Some(bytes) => (bytes.len(), self.io.send(socket, &[IoSlice::new(bytes)])),
                None => {
                    let slices = conn.outbox.slices();
                    let offered = slices.iter().map(|slice| slice.len()).sum();
                    (offered, self.io.send(socket, &slices))
                }
            };
            self.metrics.writes.up();
            match outcome {
                Ok(count) => {
                    self.metrics.bytes_out.add(count as u64);
                    conn.bytes_out += count as u64;
                    if count == conn.outbox.bytes() {
                        conn.outbox.finish(&mut self.spare);
                        break;
                    }
                    conn.outbox.advance(count);
                    if count < offered {
                        return self.block(id);
                    }
                }
                Err(error) if is_passing(&error) => return self.block(id),
                Err(_) => return self.abort(id),
            }
        }
        self.emptied(id);
    }

    /// The socket that was full takes bytes again.
    pub(super) fn writable(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let Some(since) = conn.blocked_since.take() else {
            return;
        };
        self.metrics.slow_readers.add(-1.0);
        let before = conn.bytes_out;
        self.write_out(id);
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if conn.bytes_out > before {
            self.enqueue(id); // it may be read from again
        } else if let Some(still) = &mut conn.blocked_since {
            *still = since; // nothing has moved
        }
    }

    /// Nothing is owed to the connection any more: what waited for that goes on.
    fn ran_empty(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let stale = std::mem::take(&mut conn.stale) && !conn.is_ending();
        if let Some(peer) = conn.peer() {
            self.enqueue(peer);
        }
        if stale {
            self.resync(id);
        }
        self.end_writing(id);
        self.enqueue(id);
    }

    /// A client for which too much waits that its socket did not take is given up.
    fn end_if_full(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let hard_bytes = self.settings.outbox(conn).hard_bytes;
        if conn.outbox.bytes() > hard_bytes && conn.closing != Some(Closing::Abort) {
            self.metrics.ended_outbox_full.up();
            self.note(id, "dropped: too much waits for it that it does not read");
            self.abort(id);
        }
    }

    /// The socket is full: it says when it takes more.
    pub(super) fn block(&mut self, id: ConnId) {
        let now = self.io.now();
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let Some(socket) = &conn.socket else {
            return;
        };
        self.metrics.writes_blocked.up();
        if conn.blocked_since.replace(now.into()).is_none() {
            self.metrics.slow_readers.add(1.0);
        }
        self.io.await_writable(Key::of(id), socket);
        if !std::mem::replace(&mut conn.stuck_timer, true) {
            let at = now + self.settings.outbox(conn).stuck;
            self.timers.set(at, Due::Stuck(id));
        }
        self.count_held(id);
        self.end_if_full(id);
    }

    /// Gives up a connection whose socket has taken nothing for too long. In a relay a slow reader slows its writer and is
    /// waited for; only the end of a relay is not.
    pub(super) fn end_if_stuck(&mut self, id: ConnId, now: Duration) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        conn.stuck_timer = false;
        let Some(since) = conn.blocked_since else {
            return;
        };
        let stuck = self.settings.outbox(conn).stuck;
        let relayed = conn.peer().is_some() && !conn.is_ending();
        let due = if relayed { now } else { since.into() } + stuck;
        if now < due {
            conn.stuck_timer = true;
            return self.timers.set(due, Due::Stuck(id));
        }
        self.metrics.ended_outbox_stuck.up();
        self.note(id, "dropped: it has read nothing for too long");
        self.abort(id);
    }
}

/// Whether the same may succeed later.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
