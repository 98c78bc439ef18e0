//! What a connection does when it is its turn: reads, has its frames handled, ends.
//!
//! There is no task per connection and nothing to be woken: whatever may let a connection go on ([`Shard::go_on`]) is an
//! event of its socket, or puts it into the shard's queue. Both look at the same state and do what it allows. What one
//! connection may take of a round is bounded; what is left over waits in the queue. In unit tests all bounds are small, so
//! that a short walk of the simulator meets them.

use std::{io::ErrorKind, time::Duration};

use super::{
    runtime::{Io, Socket},
    shard::Shard,
    table::{Conn, Hold, Stage},
    timers::Due,
    tls::Session,
};
use lobby::{Closing, ConnId, Dialect};
use wire::{Scratch, Step, WireError};

/// Bytes of one connection in a round. What is relayed may have as many again for the other direction.
pub(super) const BYTES_PER_ROUND: usize = if cfg!(test) { 2 << 10 } else { 128 << 10 };

/// Frames of one connection in a round.
const FRAMES_PER_ROUND: usize = if cfg!(test) { 3 } else { 128 };

/// What is read at most from a connection whose frames wait for long.
const KEPT_BYTES: usize = if cfg!(test) { 300 } else { 64 << 10 };

/// Room for text out of frames that is kept for the next.
const SCRATCH_BYTES: usize = 64 << 10;

/// How long an ended connection is kept to let the peer read our last words: closing a socket with unread input
/// resets it and may destroy what the peer has not read yet.
const LINGER: Duration = Duration::from_secs(2);

/// What is read of an ended connection and thrown away: whoever goes on sending at full speed has not stopped to read.
const DISCARDED_BYTES: usize = 32 << 20;

/// What a connection may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Handle frames that have been read.
    Frames,
    /// Read.
    Read,
    /// Read, but handle nothing.
    Keep,
    /// Read and forget.
    Discard,
    /// Move bytes to the connection it is relayed with.
    Relay(ConnId),
    /// Hand its socket over to whom it is relayed with.
    HandOver,
    /// Nothing: something will happen, or put it into the queue.
    Wait,
    /// Its peer has sent everything, and all of it is handled.
    InputEnded,
    /// Everything is sent: let the peer read it.
    Linger,
    /// It is over.
    Remove,
}

/// What is left of a connection's share of a round.
pub(super) struct Share {
    bytes: usize,
    frames: usize,
}

impl Share {
    /// Nothing is left of it, though the connection has not taken it.
    pub(super) fn end(&mut self) {
        self.bytes = 0;
    }
}

/// What a connection does of which only the end is left.
fn next_of_ending<S: Socket>(conn: &Conn<S>) -> Next {
    if conn.closing == Some(Closing::Abort) {
        return Next::Remove;
    }
    let all_sent = conn.all_sent();
    match (conn.stage, conn.ended, conn.readable) {
        (Stage::Open, ..) if all_sent => Next::Linger,
        (Stage::Open, ..) => Next::Wait,
        (Stage::Lingering, true, _) if all_sent => Next::Remove,
        (Stage::Lingering, false, true) => Next::Discard,
        (Stage::Lingering, ..) => Next::Wait,
    }
}

impl<D: Dialect, I: Io> Shard<D, I> {
    /// Does what the connection's state allows, as far as its share of the round goes.
    pub(super) fn go_on(&mut self, id: ConnId) {
        let mut share = Share {
            bytes: BYTES_PER_ROUND,
            frames: FRAMES_PER_ROUND,
        };
        if self.conns.peek(id).is_none_or(|conn| conn.signed_in) {
            return self.go_on_within(id, &mut share);
        }
        let frames = self.strangers.frames.min(FRAMES_PER_ROUND);
        if frames == 0 {
            return self.enqueue(id);
        }
        share.frames = frames;
        self.go_on_within(id, &mut share);
        let taken = (frames - share.frames).max(1);
        self.strangers.frames = self.strangers.frames.saturating_sub(taken);
    }

    fn go_on_within(&mut self, id: ConnId, share: &mut Share) {
        loop {
            let next = self.next(id);
            if share.bytes == 0 || share.frames == 0 {
                if next != Next::Wait {
                    self.enqueue(id);
                }
                return;
            }
            match next {
                Next::Frames | Next::Read if self.park_if_congested(id) => return,
                Next::Frames => self.handle_rest(id, share),
                Next::Read => self.read(id, share),
                Next::Keep => self.keep(id, share),
                Next::Discard => self.discard(id, share),
                Next::Relay(peer) => self.relay(id, peer, share),
                Next::HandOver => self.hand_over(id),
                Next::Wait => return,
                Next::InputEnded | Next::Linger => self.linger(id),
                Next::Remove => return self.remove(id),
            }
        }
    }

    /// What the connection would do if it were its turn.
    #[cfg(test)]
    pub(super) fn would_do(&mut self, id: ConnId) -> Option<String> {
        let next = self.next(id);
        (next != Next::Wait).then(|| format!("{next:?}"))
    }

    fn next(&mut self, id: ConnId) -> Next {
        let Some(conn) = self.conns.find(id) else {
            return Next::Wait;
        };
        if conn.socket.is_none() && conn.closing != Some(Closing::Abort) {
            return Next::Wait; // it has moved
        }
        if conn.is_ending() || conn.stage == Stage::Lingering {
            return next_of_ending(conn);
        }
        if conn
            .rare
            .as_ref()
            .is_some_and(|rare| rare.joining.is_some())
        {
            return Next::HandOver;
        }
        if let Some(peer) = conn.peer() {
            let readable = conn.readable;
            // What was read before must be written first.
            let takes = self.conns.peek(peer).is_none_or(Conn::all_sent);
            return if readable && takes {
                Next::Relay(peer)
            } else {
                Next::Wait
            };
        }
        match conn.hold {
            Hold::No => {}
            Hold::Still => return Next::Wait,
            Hold::Watching => {
                let full = conn.rest.len() >= KEPT_BYTES;
                return match (conn.ended || conn.to_end && full, conn.readable && !full) {
                    (true, _) => Next::Remove,
                    (_, true) => Next::Keep,
                    _ => Next::Wait,
                };
            }
            Hold::Discarding => {
                return match (conn.ended, conn.unread || conn.readable) {
                    (true, _) => Next::Remove,
                    (_, true) => Next::Discard,
                    _ => Next::Wait,
                };
            }
        }
        if conn.paused {
            return Next::Wait;
        }
        let (unread, ended, readable) = (conn.unread, conn.ended, conn.readable);
        // A client that does not read is not read from (spec: faf-wire 7).
        if conn.outbox.bytes() > self.settings.outbox(conn).soft_bytes {
            return Next::Wait;
        }
        match (unread, ended, readable) {
            (true, _, _) => Next::Frames,
            (_, true, _) => Next::InputEnded,
            (_, _, true) => Next::Read,
            _ => Next::Wait,
        }
    }

    /// Reads from the socket into `buffer`. How many bytes; none at the end of the stream, or if there is nothing.
    fn read_some(&mut self, id: ConnId, buffer: &mut [u8]) -> usize {
        let Some(conn) = self.conns.find(id) else {
            return 0;
        };
        let Some(socket) = &conn.socket else {
            return 0;
        };
        match self.io.receive(socket, buffer) {
            Ok(0) => conn.ended = true,
            Ok(count) => {
                // A read that does not fill the buffer has taken all there was; what comes later is told anew. Only an end
                // that was there before is not.
                conn.readable = count == buffer.len() || conn.to_end;
                conn.bytes_in += count as u64;
                self.metrics.bytes_in.add(count as u64);
                return count;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => conn.readable = false,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => conn.closing = Some(Closing::Abort),
        }
        0
    }

    /// Reads once, as much as its share allows, and has `then` see to the bytes: none, if there were none.
    pub(super) fn with_input(
        &mut self,
        id: ConnId,
        share: &mut Share,
        then: impl FnOnce(&mut Self, &mut [u8], &mut Share),
    ) {
        if self.conns.peek(id).is_some_and(Conn::is_secure) {
            self.with_secure_input(id, share, then);
        } else {
            self.with_raw_input(id, share, then);
        }
    }

    /// The same with the bytes as they are on the socket.
    pub(super) fn with_raw_input(
        &mut self,
        id: ConnId,
        share: &mut Share,
        then: impl FnOnce(&mut Self, &mut [u8], &mut Share),
    ) {
        let mut buffer = std::mem::take(&mut self.read);
        let most = buffer.len().min(share.bytes);
        let count = self.read_some(id, &mut buffer[..most]);
        share.bytes -= count;
        then(self, &mut buffer[..count], share);
        self.read = buffer;
    }

    fn read(&mut self, id: ConnId, share: &mut Share) {
        self.with_input(id, share, |shard, bytes, share| {
            if !bytes.is_empty() {
                shard.arrived(id, bytes, share);
            } else if shard.conns.find(id).is_some_and(|conn| conn.ended) {
                shard.end_of_stream(id);
            }
        });
    }

    fn keep(&mut self, id: ConnId, share: &mut Share) {
        self.with_input(id, share, |shard, bytes, _| {
            if let Some(conn) = shard.conns.find(id) {
                conn.rest.extend(bytes);
                conn.unread |= !bytes.is_empty();
                shard.count_held(id);
            }
        });
    }

    fn discard(&mut self, id: ConnId, share: &mut Share) {
        if let Some(conn) = self.conns.find(id)
            && std::mem::take(&mut conn.unread)
        {
            conn.rest.take();
            return self.count_held(id);
        }
        self.with_input(id, share, |shard, bytes, _| {
            if !bytes.is_empty()
                && let Some(conn) = shard.conns.find(id).filter(|conn| conn.is_ending())
            {
                conn.rare().discarded += bytes.len();
                if conn.rare().discarded > DISCARDED_BYTES {
                    conn.closing = Some(Closing::Abort);
                }
            }
        });
    }

    fn arrived(&mut self, id: ConnId, bytes: &mut [u8], share: &mut Share) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if conn.rest.is_empty() {
            // The usual case: whole frames, handled where they arrived.
            let consumed = self.step_through(id, bytes, share);
            let left = &bytes[consumed..];
            if let Some(conn) = self.conns.find(id)
                && (!left.is_empty() || conn.held > 0 || conn.decoder.held() > 0)
            {
                conn.rest.extend(left);
                self.count_held(id);
            }
        } else {
            conn.rest.extend(bytes);
            self.handle_rest(id, share);
        }
    }

    /// Handles the frames in what was read before.
    fn handle_rest(&mut self, id: ConnId, share: &mut Share) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        conn.unread = false;
        let mut rest = std::mem::take(&mut conn.rest);
        let consumed = self.step_through(id, rest.unhandled(), share);
        rest.consume(consumed);
        if let Some(conn) = self.conns.find(id) {
            conn.rest = rest;
            self.count_held(id);
        }
    }

    /// Handles the frames in `input`; returns how many bytes are used up.
    fn step_through(&mut self, id: ConnId, input: &mut [u8], share: &mut Share) -> usize {
        let mut scratch = std::mem::take(&mut self.scratch);
        let consumed = self.steps(id, input, &mut scratch, share);
        if scratch.text.capacity() > SCRATCH_BYTES {
            scratch.text = Vec::new(); // one rare message has made it grow
        }
        self.scratch = scratch;
        consumed
    }

    fn steps(
        &mut self,
        id: ConnId,
        input: &mut [u8],
        scratch: &mut Scratch,
        share: &mut Share,
    ) -> usize {
        let mut at = 0;
        loop {
            let Some(conn) = self.conns.find(id) else {
                return input.len();
            };
            if share.frames == 0 || conn.hold != Hold::No || conn.paused || conn.is_ending() {
                conn.unread = at < input.len();
                return at;
            }
            let limits = self.settings.listeners[usize::from(conn.listener)].read(conn.signed_in);
            match conn.decoder.step(&mut input[at..], scratch, limits) {
                Step::More { consumed } => return at + consumed,
                Step::Frame { consumed, body } => {
                    at += consumed;
                    share.frames -= 1;
                    self.open(id);
                    self.receive(id, body);
                    self.expect_raw(id);
                }
                Step::Skipped { consumed, bytes } => {
                    at += consumed;
                    share.frames -= 1;
                    self.open(id);
                    self.turn(Some(id), |dialect, turn| {
                        dialect.on_skipped(turn, id, bytes)
                    });
                    self.drain_local();
                }
                Step::Reply { consumed, bytes } => {
                    at += consumed;
                    share.frames -= 1;
                    self.reply_raw(id, &bytes);
                    self.open(id);
                }
                Step::Peer { consumed, address } => {
                    at += consumed;
                    let direct = !conn.format.has_upgrade();
                    if !self.named(id, address) {
                        self.fail(id, &[]);
                        return at;
                    }
                    if direct {
                        self.open(id);
                    }
                }
                Step::Fail { error, close_frame } => {
                    if error == WireError::ProxyUnknown {
                        self.metrics.health_checks.up();
                    } else if error != WireError::Closed {
                        self.metrics.ended_framing.up();
                        let too_long = error.is_too_long();
                        self.metrics.ended_too_long.add(u64::from(too_long));
                        self.note(id, &format!("dropped: {error}"));
                    }
                    self.fail(id, &close_frame);
                    return input.len();
                }
            }
        }
    }

    /// What the dialect has said of the next frame goes to the decoder.
    fn expect_raw(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.find(id)
            && let Some(bytes) = conn.rare.as_mut().and_then(|rare| rare.raw.take())
        {
            conn.decoder.expect_raw(bytes as usize);
        }
    }

    /// Ends the connection from the framing's side: last words, no more reading.
    pub(super) fn fail(&mut self, id: ConnId, close_frame: &[u8]) {
        self.reply_raw(id, close_frame);
        if let Some(conn) = self.conns.find(id) {
            conn.closing.get_or_insert(Closing::Flushed);
        }
        self.enqueue(id);
    }

    /// The peer has sent everything: a last message may lack its end (spec: faf-wire 3).
    fn end_of_stream(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let mut rest = conn.rest.take();
        // Who cuts a stream with TLS off must not choose where a last message ends (RFC 8446, 6.1).
        let is_whole = conn.tls().is_none_or(Session::is_closed);
        if is_whole && let Ok(Some(body)) = conn.decoder.finish(&mut rest) {
            self.open(id);
            self.receive(id, body);
        }
        self.count_held(id);
    }

    /// The dialect has no more to say, or nobody to say it to: what is left in the outbox leaves, the peer has some time
    /// to read it, and then the connection is over.
    fn linger(&mut self, id: ConnId) {
        self.retire(id);
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let all_sent = conn.all_sent();
        if conn.ended && all_sent && !conn.owes_farewell() {
            return; // nothing is left of it
        }
        let at = self.io.now() + LINGER;
        self.timers.set(at, Due::Linger(id));
        if all_sent {
            self.end_writing(id);
        } else {
            self.mark_dirty(id);
        }
    }

    /// If everything is sent our side of a lingering connection ends: with TLS by a word of its own, before the stream's end.
    pub(super) fn end_writing(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if conn.stage != Stage::Lingering || !conn.all_sent() {
            return;
        }
        if conn.owes_farewell() {
            if let Some(session) = conn.tls_mut() {
                session.say_farewell();
            }
            return self.mark_dirty(id);
        }
        if let Some(socket) = &conn.socket {
            self.io.shutdown_write(socket);
        }
    }
}
