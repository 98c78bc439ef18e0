//! Two connections that are relayed to each other: every byte of one is written to the other, unread.
//!
//! Both are on one shard: the one side's socket is handed over to the other's shard first, where it gets a connection of
//! its own beside its partner. A direction reads only when everything it has read before is written, so a reader that is
//! slow slows its writer and at most one read is kept for it; an idle relay keeps nothing. When one side ends, the other
//! is sent what was received for it and ends too. If it is to survive that, its socket goes back to where it was accepted.

use std::{io::IoSlice, time::Duration};

use super::{
    flush::is_passing,
    frames::Frames,
    mesh::{Inbound, MovedSocket, ReturnedSocket},
    reading::Share,
    runtime::{Io, Key, Socket},
    shard::Shard,
    table::{Conn, Hold, Stage},
    timers::Due,
    tls::Session,
};
use lobby::{Closing, ConnId, Dialect, FrameRelay, Relay};
use wire::Decoder;

/// A message of so many bytes or less may be answered at once. More is one piece of a stream: to wait for the next is to
/// read larger pieces, and fewer.
const ANSWERED_BYTES: usize = if cfg!(test) { 100 } else { 16 << 10 };

/// Time between two looks at most, so that the deadline of a relay that is over does not stay for long.
const LOOK: Duration = Duration::from_secs(60);

/// A socket without a connection.
struct Loose<S> {
    socket: S,
    tls: Option<Box<Session>>,
    /// What it is still to be sent.
    unsent: Vec<u8>,
}

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
        let to_target = [&joint.to_target[..], &conn.rest.take()].concat();
        let Some(loose) = self.let_go(id) else {
            return;
        };
        if let Some(conn) = self.conns.find(id) {
            conn.rare().away = Some(joint.target);
        }
        self.count_held(id);
        let mut to_source = loose.unsent;
        to_source.extend_from_slice(&joint.to_source);
        let moved = MovedSocket {
            source: id,
            target: joint.target,
            socket: loose.socket,
            tls: loose.tls,
            to_source,
            to_target,
            frames: joint.frames,
            idle: joint.idle,
            survives: joint.survives,
        };
        if joint.target.shard == self.id {
            self.adopt(moved);
        } else {
            self.mesh
                .post(joint.target.shard, Inbound::Moved(Box::new(moved)));
        }
    }

    /// The connection has no socket any more, and this one is nobody's.
    fn let_go(&mut self, id: ConnId) -> Option<Loose<I::Socket>> {
        let conn = self.conns.find(id)?;
        let socket = conn.socket.take()?;
        let tls = conn.rare().tls.take();
        if let Some(session) = &tls {
            conn.outbox.advance(session.sealed()); // it leaves as it was encrypted
        }
        let unsent = conn.outbox.take();
        let blocked = conn.blocked_since.take().is_some();
        self.io.forget(Key::of(id), blocked);
        if blocked {
            self.metrics.slow_readers.add(-1.0);
        }
        Some(Loose {
            socket,
            tls: tls.map(Session::moved),
            unsent,
        })
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
            idle,
            survives,
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
        let frames = match frames.map(|relay| both_frames(relay, &mut said, &mut to_target)) {
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
        conn.socket.iter().for_each(|its| self.io.widen(its));
        self.io.widen(&socket);
        let decoder = Decoder::new(format, false, false); // of no use: nothing is decoded any more
        let mut guest = Conn::new(socket, format, listener, address, decoder);
        guest
            .outbox
            .write(spare, |out| out.extend_from_slice(&to_source));
        guest.signed_in = true;
        guest.rare().home = Some(source);
        guest.rare().relayed_with(target, now, idle, survives);
        let (its, own) = frames.unzip();
        guest.rare().frames = its;
        guest.readable = tls.as_ref().is_some_and(|tls| tls.is_closed()); // nothing need come of its socket
        guest.rare().tls = tls;
        let guest = self.insert(guest);
        if let Some(conn) = self.conns.find(target) {
            conn.rare().relayed_with(guest, now, idle, survives);
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
        self.begin_to_look_after(target);
    }

    /// One look at a time, also at a connection that was relayed before.
    fn begin_to_look_after(&mut self, id: ConnId) {
        let Some(rare) = self.conns.find(id).map(|conn| conn.rare()) else {
            return;
        };
        if rare.idle.is_some() && !std::mem::replace(&mut rare.looked_after, true) {
            self.look_after(id);
        }
    }

    /// Ends the relay of a connection over which nothing has come for too long; if it goes on, it is looked at again.
    pub(super) fn look_after(&mut self, id: ConnId) {
        let now = self.io.now();
        let peer = self.conns.find(id).and_then(|conn| conn.peer());
        let peers = peer.and_then(|peer| self.conns.peek(peer)?.rare.as_ref());
        let peers = peers.map_or(Duration::ZERO, |rare| rare.heard);
        let Some(rare) = self.conns.find(id).and_then(|conn| conn.rare.as_mut()) else {
            return;
        };
        let (Some(_), Some(idle)) = (peer, rare.idle) else {
            rare.looked_after = false;
            return;
        };
        let ends = rare.heard.max(peers) + idle;
        if now >= ends {
            self.metrics.relays_idle.up();
            self.note(id, "nothing has come over its relay for too long");
            return self.close(id, Closing::Flushed);
        }
        self.timers.set(ends.min(now + LOOK), Due::Relay(id));
    }

    /// Moves what there is from one side to the other, which owes nothing.
    pub(super) fn relay(&mut self, id: ConnId, peer: ConnId, share: &mut Share) {
        self.with_input(id, share, |shard, bytes, _| {
            if !bytes.is_empty() {
                shard.metrics.relayed_bytes.add(bytes.len() as u64);
                let now = shard.now;
                let rare = shard.conns.find(id).map(|conn| conn.rare());
                let frames = rare.is_some_and(|rare| {
                    rare.heard = now;
                    rare.frames.is_some()
                });
                if frames {
                    shard.pass_on_frames(id, peer, bytes);
                } else {
                    shard.pass_on(peer, &[IoSlice::new(bytes)]);
                }
                if bytes.len() <= ANSWERED_BYTES {
                    shard.io.expect_more();
                }
            } else if shard.conns.find(id).is_some_and(|conn| conn.ended) {
                shard.has_ended(id);
            }
        });
    }

    /// One side has gone: the other ends too, unless it survives that.
    fn has_ended(&mut self, id: ConnId) {
        let Some(rare) = self.conns.find(id).map(|conn| conn.rare()) else {
            return;
        };
        if !rare.survives {
            return self.close(id, Closing::Flushed);
        }
        if let Some(conn) = self.conns.find(id) {
            conn.closing.get_or_insert(Closing::Flushed);
        }
        self.mark_dirty(id);
        self.enqueue(id);
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
        let survived = rare.survives;
        if let Some(joint) = joining {
            self.close_anywhere(joint.target, Closing::Flushed);
        }
        match peer {
            Some(peer) if survived => self.stay_behind(peer),
            Some(peer) => self.close(peer, Closing::Flushed),
            None => {}
        }
        if let Some(home) = home {
            self.send_home(home);
        }
    }

    /// Whoever this connection was relayed with has ended, and it has not: it waits where it was accepted.
    fn stay_behind(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id).filter(|conn| !conn.is_ending()) else {
            return; // it ends for its own reasons
        };
        conn.hold = Hold::Discarding;
        conn.rare().peer = None;
        let Some(home) = conn.home() else {
            return self.enqueue(id);
        };
        let Some(loose) = self.let_go(id) else {
            return;
        };
        if let Some(guest) = self.conns.remove(id) {
            self.forget_held(guest.signed_in, guest.held);
        }
        let returned = ReturnedSocket {
            source: home,
            socket: loose.socket,
            tls: loose.tls,
            unsent: loose.unsent,
        };
        if home.shard == self.id {
            self.come_home(returned);
        } else {
            self.mesh
                .post(home.shard, Inbound::Returned(Box::new(returned)));
        }
    }

    /// The socket of a connection comes back from its relay.
    pub(super) fn come_home(&mut self, returned: ReturnedSocket<I::Socket>) {
        let ReturnedSocket {
            source: id,
            socket,
            tls,
            unsent,
        } = returned;
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        self.io.watch(Key::of(id), &socket);
        conn.socket = Some(socket);
        conn.hold = Hold::Discarding;
        conn.readable = tls.as_ref().is_some_and(|tls| tls.is_closed()); // nothing need come of its socket
        conn.rare().away = None;
        conn.rare().tls = tls;
        conn.outbox
            .write(&mut self.spare, |out| out.extend_from_slice(&unsent));
        self.sign_in(id);
        self.count_held(id);
        self.mark_dirty(id);
        self.enqueue(id);
        if self.ending {
            self.close(id, Closing::Flushed);
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
    target_said: &mut Vec<u8>,
    source_said: &mut Vec<u8>,
) -> Option<(Box<Frames>, Box<Frames>)> {
    let mut source = Frames::new(relay, relay.source_since);
    let mut target = Frames::new(relay, relay.target_since);
    *source_said = source.first(source_said)?;
    *target_said = target.first(target_said)?;
    Some((Box::new(source), Box::new(target)))
}

/// Whether a relay may begin with it: it is neither ending nor relayed already.
fn can_be_relayed<S: Socket>(conn: &Conn<S>) -> bool {
    !conn.is_ending() && conn.stage == Stage::Open && conn.peer().is_none() && conn.away().is_none()
}
