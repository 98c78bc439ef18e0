//! Relays of frames, as a shard has them: what one side has sent goes to the other, with heartbeats of our own between.

use std::io::IoSlice;

use super::{frames::HEARTBEAT, runtime::Io, shard::Shard, timers::Due};
use lobby::{Closing, ConnId, Dialect};

/// Pieces that are written as they are; the system takes some hundred in one call, and heartbeats make many.
const MOST_PIECES: usize = 32;

impl<D: Dialect, I: Io> Shard<D, I> {
    /// Passes on what one side of a relay of frames has sent to the other, which owes nothing.
    pub(super) fn pass_on_frames(&mut self, from: ConnId, to: ConnId, bytes: &[u8]) {
        let Some(frames) = self.conns.find(from).and_then(|conn| conn.frames()) else {
            return;
        };
        let Ok(pieces) = frames.cut.pieces(bytes, frames.relay.longest) else {
            return self.close(from, Closing::Abort);
        };
        frames.beats |= pieces.heartbeats;
        let between = frames.cut.is_between();
        let owed = self.conns.find(to).and_then(|conn| conn.frames());
        let owed = owed.is_some_and(|frames| between && std::mem::take(&mut frames.owed));
        let mut parts: Vec<IoSlice<'_>> = pieces.all().map(IoSlice::new).collect();
        if owed {
            parts.push(IoSlice::new(&HEARTBEAT));
        }
        match parts.len() {
            0 => {}
            1..=MOST_PIECES => self.pass_on(to, &parts),
            _ => {
                let whole: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
                self.pass_on(to, &[IoSlice::new(&whole.concat())]);
            }
        }
    }

    /// A heartbeat is due on a relayed connection, and a look whether its own ones still come.
    pub(super) fn beat(&mut self, id: ConnId) {
        let now = self.io.now();
        let Some(peer) = self.conns.find(id).and_then(|conn| conn.peer()) else {
            return;
        };
        let other = self.conns.find(peer);
        // While the other side owes something, this one is not listened to.
        let heard_out = other.is_some_and(|other| other.outbox.is_empty());
        let other = self.conns.find(peer).and_then(|conn| conn.frames());
        let between = other.is_some_and(|frames| frames.cut.is_between());
        let Some(conn) = self.conns.find(id).filter(|conn| conn.takes()) else {
            return;
        };
        let (readable, idle) = (conn.readable, conn.outbox.is_empty());
        if readable || !heard_out {
            conn.rare().heard = now;
        }
        let silent = now.saturating_sub(conn.rare().heard);
        let Some(frames) = conn.frames() else {
            return;
        };
        if frames.beats && frames.relay.silent.is_some_and(|most| silent >= most) {
            self.metrics.relays_silent.up();
            return self.close(id, Closing::Flushed);
        }
        let next = frames.next_beat(now);
        if !between {
            frames.owed = true;
        } else if idle {
            conn.outbox
                .write(&mut self.spare, |out| out.extend_from_slice(&HEARTBEAT));
            self.mark_dirty(id);
        }
        self.timers.set(next, Due::Beat(id));
    }
}
