//! How a shard writes: broadcasts to everyone at once, everything else in one write per client.

use std::{io, time::Duration};

use smallvec::SmallVec;

use super::{
    fanout::Common,
    sender::{self, Job},
    shard::Shard,
    timers::Due,
};
use crate::lobby::{Closing, ConnId, Dialect};

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
        let (from, format, circles) = (conn.fanned as usize, conn.format, conn.circles);
        conn.fanned = self.batch.len() as u32;
        if from >= self.batch.len() {
            return;
        }
        let slow = conn.outbox.bytes() > conn.limits.soft_bytes;
        let (outbox, mut copies, mut skipped) = (&mut conn.outbox, 0, 0);
        self.batch.each_for(id, format, circles, from, |encoded| {
            if slow {
                skipped += 1;
            } else {
                outbox.push(encoded);
                copies += 1;
            }
        });
        conn.stale |= skipped > 0;
        self.counters.deliveries.add(copies);
        self.counters.sent[format.index()].add(copies);
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
        let mut commons: Vec<Common> = Vec::new(); // a handful: formats in use, and sets of circles
        let mut last = 0; // neighbours are mostly alike
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
            let (format, circles) = (conn.format, conn.circles);
            let alike = |common: &Common| common.format == format && common.circles == circles;
            if !commons.get(last).is_some_and(alike) {
                last = commons.iter().position(alike).unwrap_or_else(|| {
                    commons.push(self.batch.common(format, circles));
                    commons.len() - 1
                });
            }
            let common = &commons[last];
            if common.bytes.is_empty() {
                continue;
            }
            if conn.outbox.is_empty() {
                jobs.push(Job {
                    slot,
                    fd: conn.fd,
                    buffer: last,
                });
            } else if conn.outbox.bytes() > conn.limits.soft_bytes {
                conn.stale = true;
                self.counters.broadcasts_skipped.add(common.messages);
                continue;
            } else {
                conn.outbox.push(&common.bytes);
                if !std::mem::replace(&mut conn.dirty, true) {
                    self.dirty.push(id);
                }
            }
            self.counters.deliveries.add(common.messages);
            self.counters.sent[format.index()].add(common.messages);
        }
        self.subscribers = subscribers;
        self.send_jobs(&jobs, &commons);
        jobs.clear();
        self.jobs = jobs;
        self.batch.clear();
    }

    /// The fast path of a broadcast: the same buffer to everyone whose outbox is empty.
    fn send_jobs(&mut self, jobs: &[Job], commons: &[Common]) {
        if jobs.is_empty() {
            return;
        }
        let buffers: SmallVec<[&[u8]; 4]> =
            commons.iter().map(|common| &common.bytes[..]).collect();
        let mut unfinished: Vec<(Job, usize, bool)> = Vec::new();
        let mut written = 0;
        let outcome = self.sender.send_all(jobs, &buffers, |job, result| {
            let whole = buffers[job.buffer].len();
            match result {
                Ok(n) if n == whole => written += n as u64,
                Ok(n) => {
                    written += n as u64;
                    unfinished.push((*job, n, false));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    unfinished.push((*job, 0, false))
                }
                Err(_) => unfinished.push((*job, 0, true)),
            }
        });
        self.counters.bytes_out.add(written);
        self.counters.writes.add(jobs.len() as u64);
        if let Err(error) = outcome {
            // The ring itself failed: nothing is known of these sends, so their streams cannot go on.
            tracing::error!(%error, shard = self.id.0, "send ring failed");
            unfinished.extend(jobs.iter().map(|job| (*job, 0, true)));
        }
        for (job, sent, broken) in unfinished {
            let Some((id, conn)) = self.conns.at(job.slot) else {
                continue;
            };
            if broken {
                conn.closing = Some(Closing::Abort);
                conn.wake();
                continue;
            }
            conn.outbox.push(&commons[job.buffer].bytes.slice(sent..));
            self.block(id);
            self.end_if_full(id);
        }
    }

    /// Writes an outbox, as far as the socket takes it.
    fn write_out(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if conn.closing == Some(Closing::Abort) || conn.away.is_some() {
            return;
        }
        if conn.blocked_since.is_some() {
            return self.end_if_full(id); // its task writes, in order
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
            self.end_if_full(id);
        }
    }

    /// A client for which too much waits that its socket did not take is given up.
    fn end_if_full(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.find(id)
            && conn.outbox.bytes() > conn.limits.hard_bytes
            && conn.closing != Some(Closing::Abort)
        {
            conn.closing = Some(Closing::Abort);
            conn.wake();
            self.counters.ended_outbox_full.up();
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
            let at = now + conn.limits.stuck;
            self.set_timer(at, Due::Stuck(id));
        }
    }

    pub(super) fn end_if_stuck(&mut self, id: ConnId, now: Duration) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let age = conn.limits.stuck;
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
