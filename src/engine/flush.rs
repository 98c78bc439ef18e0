//! How a shard writes: broadcasts to everyone at once, everything else in one write per client.

use std::{io, time::Duration};

use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    sender::{self, Job},
    shard::Shard,
    timers::Due,
};
use crate::{
    lobby::{Closing, ConnId, Dialect},
    wire::Format,
};

impl<D: Dialect> Shard<D> {
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
        let Some(conn) = self.conns.find(id).filter(|conn| !conn.is_ending()) else {
            return;
        };
        let (from, format, subscribed) = (conn.fanned as usize, conn.format, conn.is_subscribed());
        conn.fanned = self.batch.len() as u32;
        if from >= self.batch.len() {
            return;
        }
        let slow = conn.outbox.bytes() > self.settings.outbox_soft_bytes;
        let (outbox, mut copies, mut skipped) = (&mut conn.outbox, 0, 0);
        self.batch
            .each_for(id, format, subscribed, from, |encoded| {
                if slow {
                    skipped += 1;
                } else {
                    outbox.push(encoded);
                    copies += 1;
                }
            });
        conn.stale |= skipped > 0;
        self.counters.deliveries.add(copies);
        self.counters.broadcasts_skipped.add(skipped);
        self.mark_dirty(id);
    }

    /// Everything due leaves: one write per client.
    pub(super) fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.flush_batch();
        }
        // `write_out` may close connections but never adds to this list.
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            if let Some(conn) = self.conns.find(id) {
                conn.dirty = false;
                conn.fanned = 0;
                self.write_out(id);
            }
        }
        self.dirty = dirty;
    }

    fn flush_batch(&mut self) {
        let named: SmallVec<[ConnId; 16]> = self.batch.named().collect();
        for id in named {
            self.catch_up(id);
        }
        let mut common: [Option<(Bytes, u64)>; Format::ALL.len()] = Default::default();
        let mut jobs = std::mem::take(&mut self.jobs);
        let subscribers = std::mem::take(&mut self.subscribers);
        for &slot in &subscribers {
            let Some((id, conn)) = self.conns.at(slot) else {
                continue;
            };
            if conn.is_ending() || self.batch.names(id) {
                continue;
            }
            if conn.fanned > 0 {
                self.catch_up(id);
                continue;
            }
            let format = conn.format;
            let (bytes, messages) =
                common[format.index()].get_or_insert_with(|| self.batch.common(format));
            if bytes.is_empty() {
                continue;
            }
            if conn.outbox.is_empty() {
                jobs.push(Job {
                    slot,
                    fd: conn.fd,
                    buffer: format.index(),
                });
            } else if conn.outbox.bytes() > self.settings.outbox_soft_bytes {
                conn.stale = true;
                self.counters.broadcasts_skipped.add(*messages);
                continue;
            } else {
                conn.outbox.push(bytes);
                if !std::mem::replace(&mut conn.dirty, true) {
                    self.dirty.push(id);
                }
            }
            self.counters.deliveries.add(*messages);
        }
        self.subscribers = subscribers;
        self.send_jobs(&jobs, &common);
        jobs.clear();
        self.jobs = jobs;
        self.batch.clear();
    }

    /// The fast path of a broadcast: the same buffer to everyone whose outbox is empty.
    fn send_jobs(&mut self, jobs: &[Job], common: &[Option<(Bytes, u64)>; Format::ALL.len()]) {
        if jobs.is_empty() {
            return;
        }
        let buffers: SmallVec<[&[u8]; 3]> = common
            .iter()
            .map(|c| c.as_ref().map_or(&[][..], |(bytes, _)| bytes))
            .collect();
        let mut unfinished: Vec<(u32, usize, bool)> = Vec::new();
        let mut written = 0;
        let outcome = self.sender.send_all(jobs, &buffers, |job, result| {
            let whole = buffers[job.buffer].len();
            match result {
                Ok(n) if n == whole => written += n as u64,
                Ok(n) => {
                    written += n as u64;
                    unfinished.push((job.slot, n, false));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    unfinished.push((job.slot, 0, false))
                }
                Err(_) => unfinished.push((job.slot, 0, true)),
            }
        });
        self.counters.bytes_out.add(written);
        self.counters.writes.add(jobs.len() as u64);
        if let Err(error) = outcome {
            // The ring itself failed: nothing is known of these sends, so their streams cannot go on.
            tracing::error!(%error, shard = self.id.0, "send ring failed");
            unfinished.extend(jobs.iter().map(|job| (job.slot, 0, true)));
        }
        for (slot, sent, broken) in unfinished {
            let Some((id, conn)) = self.conns.at(slot) else {
                continue;
            };
            if broken {
                conn.closing = Some(Closing::Abort);
                conn.wake();
                continue;
            }
            if let Some((bytes, _)) = &common[conn.format.index()] {
                conn.outbox.push(&bytes.slice(sent..));
            }
            self.block(id);
        }
    }

    /// Writes an outbox, as far as the socket takes it.
    fn write_out(&mut self, id: ConnId) {
        let hard = self.settings.outbox_hard_bytes;
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if conn.closing == Some(Closing::Abort) {
            return;
        }
        if conn.outbox.bytes() > hard {
            conn.closing = Some(Closing::Abort);
            conn.wake();
            self.counters.ended_outbox_full.up();
            return;
        }
        if conn.blocked_since.is_some() {
            return; // its task writes, in order
        }
        let blocked = loop {
            if conn.outbox.is_empty() {
                break false;
            }
            let mut slices = SmallVec::new();
            conn.outbox.slices(&mut slices);
            let offered: usize = slices.iter().map(|slice| slice.len()).sum();
            self.counters.writes.up();
            let outcome = sender::send_now(conn.fd, &slices);
            drop(slices);
            match outcome {
                Ok(count) => {
                    self.counters.bytes_out.add(count as u64);
                    conn.outbox.advance(count);
                    if count < offered {
                        break true;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break true,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    conn.closing = Some(Closing::Abort);
                    conn.wake();
                    return;
                }
            }
        };
        if blocked {
            self.block(id);
        }
    }

    /// The socket is full: from here on the connection's task writes, when it can.
    fn block(&mut self, id: ConnId) {
        let now = self.mono();
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        self.counters.writes_blocked.up();
        conn.wake();
        if conn.blocked_since.is_none() {
            conn.blocked_since = Some(now);
            self.set_timer(now + self.settings.outbox_stuck, Due::Stuck(id));
        }
    }

    pub(super) fn end_if_stuck(&mut self, id: ConnId, now: Duration) {
        let age = self.settings.outbox_stuck;
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let Some(since) = conn.blocked_since else {
            return;
        };
        if now >= since + age {
            conn.closing = Some(Closing::Abort);
            conn.wake();
            self.counters.ended_outbox_stuck.up();
        } else {
            self.set_timer(since + age, Due::Stuck(id));
        }
    }
}
