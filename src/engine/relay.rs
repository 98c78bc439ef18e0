//! Two connections that are relayed to each other: every byte of one is written to the other, unread.
//!
//! Both are on one shard: the one side's socket is handed over to the other's shard first, where it gets a connection of
//! its own beside its partner. A direction reads only when everything it has read before is written, so a reader that is
//! slow slows its writer and at most one read is kept for it; an idle relay keeps nothing. When one side ends, the other
//! is sent what was received for it and ends too.

use std::{io::IoSlice, time::Duration};

use super::{
    flush::is_passing,
    frames::Frames,
    mesh::{Inbound, MovedSocket},
    reading::Share,
    runtime::{Io, Key, Socket},
    shard::Shard,
    table::{Conn, Stage},
    timers::Due,
    tls::Session,
};
use lobby::{Closing, ConnId, Dialect, FrameRelay, Relay};
use wire::Decoder;

/// A message of so many bytes or less may be answered at once. More is one piece of a stream: to wait for the next is to
/// read larger pieces, and fewer.
const ANSWERED_BYTES: usize = if cfg!(test) { 100 } else { 16 << 10 };

impl<D: Dialect, I: Io> Shard<D, I> {
    /// A dialect wants two connections relayed: begins with the one whose socket moves.
    pub(super) fn join(&mut self, joint: Box<Relay>) {
        let source = joint.source;
        if source.shard != self.id {
            return self.mesh.post(source.shard, Inbound::Join(joint));
        }
        match self.conns.find(source).filter(|conn| can_be_relayed(conn)) {
            Some(conn) => {
                conn.rare().joining = Some(joint);
                self.enqueue(source);
            }
            None => self.close_anywhere(joint.target, Closing::Flushed),
        }
    }

    /// The connection lets go of its socket, between two turns: it is the other one's from now on.
    pub(super) fn hand_over(&mut self, id: ConnId) {
        self.leave_all(id);
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let Some(joint) = conn.rare().joining.take() else {
            return;
        };
        let Some(socket) = conn.socket.take() else {
            return;
        };
        let tls = conn.rare().tls.take();
        if let Some(session) = &tls {
            conn.outbox.advance(session.sealed()); // it leaves as it was encrypted
        }
        let mut to_source = conn.outbox.take();
        to_source.extend_from_slice(&joint.to_source);
        let to_target = [&joint.to_target[..], &conn.rest.take()].concat();
        conn.rare().away = Some(joint.target);
        let blocked = conn.blocked_since.take().is_some();
        self.io.forget(Key::of(id), blocked);
        if blocked {
            self.metrics.slow_readers.add(-1.0);
        }
        self.count_held(id);
        let moved = MovedSocket {
            source: id,
            target: joint.target,
            socket,
            tls: tls.map(Session::moved),
            to_source,
            to_target,
            frames: joint.frames,
        };
        if joint.target.shard == self.id {
            self.adopt(moved);
        } else {
            self.mesh
                .post(joint.target.shard, Inbound::Moved(Box::new(moved)));
        }
    }

    /// A socket has come to be relayed with one of this shard's connections.
    pub(super) fn adopt(&mut self, moved: MovedSocket<I::Socket>) {
        let MovedSocket {
            source,
            target,
            socket,
            tls,
            mut to_source,
            mut to_target,
            frames,
        } = moved;
        self.leave_all(target); // what was broadcast to it before comes before the first words
        if !self.conns.peek(target).is_some_and(can_be_relayed) {
            return self.send_home(source);
        }
        self.sign_in(target);
        let now = self.io.now();
        let Some(conn) = self.conns.find(target) else {
            return;
        };
        let mut said = conn.rest.take();
        let frames = match frames.map(|relay| both_frames(relay, now, &mut said, &mut to_target)) {
            Some(None) => {
                self.close(target, Closing::Abort);
                return self.send_home(source);
            }
            Some(both) => both,
            None => None,
        };
        to_source.extend_from_slice(&said);
        conn.unread = false;
        conn.stale = false; // it is not told the present state any more
        let spare = &mut self.spare;
        conn.outbox
            .write(spare, |out| out.extend_from_slice(&to_target));
        let (format, listener, address) = (conn.format, conn.listener, conn.address);
        if let Some(its) = &conn.socket {
            self.io.widen(its);
        }
        self.io.widen(&socket);
        let decoder = Decoder::new(format, false, false); // of no use: nothing is decoded any more
        let mut guest = Conn::new(socket, format, listener, address, decoder);
        guest
            .outbox
            .write(spare, |out| out.extend_from_slice(&to_source));
        guest.signed_in = true;
        guest.rare().home = Some(source);
        guest.rare().peer = Some(target);
        let (its, own) = frames.unzip();
        guest.rare().frames = its;
        guest.readable = tls.as_ref().is_some_and(|tls| tls.is_closed()); // nothing need come of its socket
        guest.rare().tls = tls;
        let guest = self.insert(guest);
        if let Some(conn) = self.conns.find(target) {
            conn.rare().peer = Some(guest);
            conn.rare().frames = own;
        }
        self.metrics.relays.up();
        self.count_held(target);
        self.count_held(guest);
        for id in [guest, target] {
            let frames = self.conns.find(id).and_then(|conn| conn.frames());
            if let Some(next) = frames.map(|frames| frames.next_beat(now)) {
                self.timers.set(next, Due::Beat(id));
            }
            self.mark_dirty(id);
            self.enqueue(id);
        }
    }

    /// Moves what there is from one side to the other, which owes nothing.
    pub(super) fn relay(&mut self, id: ConnId, peer: ConnId, share: &mut Share) {
        self.with_input(id, share, |shard, bytes, _| {
            if !bytes.is_empty() {
                shard.metrics.relayed_bytes.add(bytes.len() as u64);
                let conn = shard.conns.find(id);
                if conn.is_some_and(|conn| conn.frames().is_some()) {
                    shard.pass_on_frames(id, peer, bytes);
                } else {
                    shard.pass_on(peer, &[IoSlice::new(bytes)]);
                }
                if bytes.len() <= ANSWERED_BYTES {
                    shard.io.expect_more();
                }
            } else if shard.conns.find(id).is_some_and(|conn| conn.ended) {
                shard.close(id, Closing::Flushed);
            }
        });
    }

    /// Writes to a connection that owes nothing; what its socket does not take waits in its outbox.
    pub(super) fn pass_on(&mut self, to: ConnId, parts: &[IoSlice<'_>]) {
        let Some(conn) = self.conns.find(to) else {
            return;
        };
        let Some(socket) = &conn.socket else {
            return;
        };
        if conn.is_secure() {
            conn.outbox.write(&mut self.spare, |out| {
                for part in parts {
                    out.extend_from_slice(part);
                }
            });
            return self.write_out(to);
        }
        self.metrics.writes.up();
        let mut sent = match self.io.send(socket, parts) {
            Ok(sent) => sent,
            Err(error) if is_passing(&error) => 0,
            Err(_) => return self.abort(to),
        };
        self.metrics.bytes_out.add(sent as u64);
        conn.bytes_out += sent as u64;
        let mut blocked = false;
        for part in parts {
            let taken = sent.min(part.len());
            sent -= taken;
            let rest = &part[taken..];
            if !rest.is_empty() {
                blocked = true;
                conn.outbox
                    .write(&mut self.spare, |out| out.extend_from_slice(rest));
            }
        }
        if blocked {
            self.block(to);
        }
    }

    /// The part that relays have in a connection's end: whoever counts on it ends too.
    pub(super) fn part(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let Some(rare) = &mut conn.rare else {
            return;
        };
        let (joining, peer, home) = (rare.joining.take(), rare.peer, rare.home);
        if let Some(joint) = joining {
            self.close_anywhere(joint.target, Closing::Flushed);
        }
        if let Some(peer) = peer {
            self.close(peer, Closing::Flushed);
        }
        if let Some(home) = home {
            self.send_home(home);
        }
    }

    /// The socket that a connection had handed over has come to its end.
    fn send_home(&mut self, source: ConnId) {
        if source.shard == self.id {
            self.remove(source);
        } else {
            self.mesh.post(source.shard, Inbound::RelayEnded(source));
        }
    }
}

/// Both sides' part in a relay of frames, the source's first; what they have said before becomes what is passed on of it. None: one
/// of them has begun a frame that is too long.
fn both_frames(
    relay: FrameRelay,
    now: Duration,
    target_said: &mut Vec<u8>,
    source_said: &mut Vec<u8>,
) -> Option<(Box<Frames>, Box<Frames>)> {
    let mut source = Frames::new(relay, relay.source_since, now);
    let mut target = Frames::new(relay, relay.target_since, now);
    *source_said = source.first(source_said)?;
    *target_said = target.first(target_said)?;
    Some((Box::new(source), Box::new(target)))
}

/// Whether a relay may begin with it: it is neither ending nor relayed already.
fn can_be_relayed<S: Socket>(conn: &Conn<S>) -> bool {
    !conn.is_ending() && conn.stage == Stage::Open && conn.peer().is_none() && conn.away().is_none()
}
