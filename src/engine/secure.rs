//! What a shard does about connections with TLS: decrypts what is read, before anybody else sees it, and encrypts what leaves.
//!
//! Handshakes are what costs: each is a signature and a key exchange, a tenth of a millisecond with an elliptic curve and ten
//! times that with RSA. A shard makes few of them in a round (`HANDSHAKES_PER_ROUND`); whoever else comes waits for a round
//! of theirs, unread, and for no longer than strangers may. So a storm of them costs players who are there a part of a round.
//!
//! A broadcast is encrypted for each of its receivers, out of the one buffer that they share, and what is made of it stands in
//! one piece of memory of the shard for as long as it takes to offer it to the sockets. Only what a socket does not take is
//! kept for a connection.

use std::{
    io::{self, IoSlice},
    ops::Range,
};

use rustls::Error;

use super::{
    flush::is_passing,
    metrics::Handshake,
    outbox::Outbox,
    reading::Share,
    runtime::{Handle, Io, Job, Socket, Unfinished},
    shard::Shard,
    table::{Conn, Stage},
    tls::{Proxied, Rooms, SEALED_BYTES, Session},
};
use lobby::{Closing, ConnId, Dialect};
use wire::WireError;

/// Connections that are encrypted for before anything of it is offered to their sockets.
const SEALED_TOGETHER: usize = if cfg!(test) { 3 } else { 64 };

/// What is encrypted at a time for one of several: a record.
const SEALED_OF_EACH: usize = SEALED_BYTES / 4;

impl<S: Socket> Conn<S> {
    /// Its TLS.
    pub(super) fn tls(&self) -> Option<&Session> {
        self.rare.as_ref()?.tls.as_deref()
    }

    /// The same, to be changed.
    pub(super) fn tls_mut(&mut self) -> Option<&mut Session> {
        self.rare.as_mut()?.tls.as_deref_mut()
    }

    /// It has TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.tls().is_some()
    }

    /// It has TLS, and its handshake is not over.
    pub(super) fn is_handshaking(&self) -> bool {
        self.tls().is_some_and(Session::is_handshaking)
    }

    /// Everything that is due to its client is sent.
    pub(super) fn all_sent(&self) -> bool {
        self.outbox.is_empty() && self.tls().is_none_or(Session::is_empty)
    }

    /// Its client is to be told that nothing more is sent, beyond the end of the stream.
    pub(super) fn owes_farewell(&self) -> bool {
        self.tls().is_some_and(Session::owes_farewell)
    }
}

impl<D: Dialect, I: Io> Shard<D, I> {
    // ---- reading -----------------------------------------------------------------------------------------------

    /// Reads once from a connection with TLS, and has `then` see to the plain bytes. While one lingers nothing it sends is
    /// looked at, so nothing is decrypted.
    pub(super) fn with_secure_input(
        &mut self,
        id: ConnId,
        share: &mut Share,
        then: impl FnOnce(&mut Self, &mut [u8], &mut Share),
    ) {
        let waits = self.strangers.handshakes == 0;
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if conn.tls().is_some_and(Session::is_closed) {
            conn.ended = true;
            return then(self, &mut [], share);
        }
        if conn.stage == Stage::Lingering {
            return self.with_raw_input(id, share, then);
        }
        if waits && conn.is_handshaking() {
            self.metrics.tls_deferred.up();
            return share.end();
        }
        let mut plain = std::mem::take(&mut self.rooms.plain);
        plain.clear();
        let mut outcome = Ok(());
        self.with_raw_input(id, share, |shard, bytes, share| {
            if !bytes.is_empty() {
                outcome = shard.decrypt(id, bytes, &mut plain);
            }
            then(shard, &mut plain, share);
        });
        self.rooms.plain = plain;
        match outcome {
            Ok(()) => self.note_secure_input(id),
            Err(broken) => self.break_off(id, &broken),
        }
    }

    /// What is left of it: an answer of TLS, an end, bytes that are kept.
    fn note_secure_input(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let Some(session) = conn.tls() else {
            return;
        };
        let (closed, speaks) = (session.is_closed(), !session.is_empty());
        let holds = conn.held > 0 || session.held() > 0;
        conn.readable |= closed; // the next read finds the end
        if speaks {
            self.mark_dirty(id);
        }
        if holds {
            self.count_held(id);
        }
    }

    /// Decrypts what was read. What is not encrypted, a PROXY header, comes before.
    fn decrypt(
        &mut self,
        id: ConnId,
        mut bytes: &mut [u8],
        plain: &mut Vec<u8>,
    ) -> Result<(), Broken> {
        let Some(session) = self.conns.find(id).and_then(Conn::tls_mut) else {
            return Ok(());
        };
        if session.awaits_proxy() {
            let Proxied::Known(address) = session.proxied(bytes).map_err(Broken::Proxy)? else {
                return Ok(());
            };
            if !self.named(id, address) {
                return Err(Broken::Refused);
            }
            bytes = &mut [];
        }
        let Some(conn) = self.conns.find(id) else {
            return Ok(());
        };
        let websocket = conn.format.has_upgrade();
        let Some((session, tls)) = conn.tls_mut().zip(self.settings.tls.as_ref()) else {
            return Ok(());
        };
        if session.is_handshaking() && session.has_record(bytes) {
            self.strangers.handshakes = self.strangers.handshakes.saturating_sub(1);
        }
        let shaken = session.take_in(tls.config(websocket), bytes, plain);
        if shaken.map_err(Broken::Tls)? {
            self.shaken_hands(id);
        }
        Ok(())
    }

    /// The handshake is over: the connection goes on as any other.
    fn shaken_hands(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let resumed = conn.tls().is_some_and(Session::was_resumed);
        let outcome = match resumed {
            true => Handshake::Resumed,
            false => Handshake::Full,
        };
        self.metrics.tls_handshakes[outcome as usize].up();
        let direct = !conn.format.has_upgrade();
        let listener = &self.settings.listeners[usize::from(conn.listener)];
        if listener.strangers.is_none() {
            self.sign_in(id); // nobody signs in there
        }
        if direct {
            self.open(id);
        }
    }

    /// TLS goes on no further: an alert says why, and nothing else can be said.
    fn break_off(&mut self, id: ConnId, broken: &Broken) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let Some(session) = conn.tls_mut() else {
            return;
        };
        let was_open = !session.is_handshaking();
        session.break_off();
        conn.outbox = Outbox::default();
        match broken {
            Broken::Tls(error) => self.note(id, &format!("dropped: TLS: {error}")),
            Broken::Proxy(error) => self.note(id, &format!("dropped: {error}")),
            Broken::Refused => {}
        }
        match broken {
            Broken::Tls(_) if !was_open => {
                self.metrics.tls_handshakes[Handshake::Failed as usize].up();
            }
            Broken::Proxy(WireError::ProxyUnknown) => self.metrics.health_checks.up(),
            Broken::Tls(_) | Broken::Proxy(_) => self.metrics.ended_framing.up(),
            Broken::Refused => {}
        }
        self.fail(id, &[]);
        self.count_held(id);
    }

    // ---- writing -----------------------------------------------------------------------------------------------

    /// Encrypts what is due to a connection next, into the shard's room from `at` on. None: it has failed.
    fn seal(&mut self, id: ConnId, most: usize, at: usize) -> Option<Range<usize>> {
        let Conn { rare, outbox, .. } = self.conns.find(id)?;
        let session = rare.as_mut()?.tls.as_mut()?;
        let Rooms {
            gathered, sealed, ..
        } = &mut self.rooms;
        match session.seal(outbox, most, gathered, sealed, at) {
            Ok(count) => Some(at..at + count),
            Err(error) => {
                self.break_off(id, &Broken::Tls(error));
                None
            }
        }
    }

    /// Writes what is due to a connection, as far as its socket takes it. It does not wait for its socket.
    pub(super) fn write_secure(&mut self, id: ConnId) {
        loop {
            let Some(sealed) = self.seal(id, SEALED_BYTES, 0) else {
                return;
            };
            if sealed.is_empty() {
                return self.emptied(id);
            }
            let Some(socket) = self.conns.find(id).and_then(|conn| conn.socket.as_ref()) else {
                return;
            };
            self.metrics.writes.up();
            let slice = IoSlice::new(&self.rooms.sealed[sealed.clone()]);
            let outcome = self.io.send(socket, &[slice]);
            self.metrics
                .bytes_out
                .add(*outcome.as_ref().unwrap_or(&0) as u64);
            if !self.sent(id, sealed, outcome) {
                return;
            }
        }
    }

    /// Writes to all connections with TLS that do not wait for their sockets, some at a time, and takes them out of the list.
    pub(super) fn write_secure_together(&mut self, dirty: &mut Vec<ConnId>) {
        let mut all = Vec::new();
        dirty.retain(|&id| {
            let conn = self.conns.peek(id).filter(|conn| conn.is_secure());
            let waits = |conn: &Conn<I::Socket>| {
                let aborted = conn.closing == Some(Closing::Abort);
                aborted || conn.all_sent() || conn.blocked_since.is_some() || conn.socket.is_none()
            };
            let stays = conn.is_none_or(waits);
            if !stays {
                all.push(id);
            }
            stays
        });
        for some in all.chunks(SEALED_TOGETHER) {
            self.write_some_secure(some);
        }
    }

    fn write_some_secure(&mut self, some: &[ConnId]) {
        let mut due: Vec<(ConnId, Range<usize>)> = Vec::with_capacity(some.len());
        let mut at = 0;
        for &id in some {
            if let Some(sealed) = self
                .seal(id, SEALED_OF_EACH, at)
                .filter(|sealed| !sealed.is_empty())
            {
                at = sealed.end;
                due.push((id, sealed));
            }
        }
        let mut jobs: Vec<Job<'_, Handle<I>>> = Vec::with_capacity(due.len());
        for (id, sealed) in &due {
            if let Some(socket) = self.conns.peek(*id).and_then(|conn| conn.socket.as_ref()) {
                jobs.push(Job {
                    slot: id.slot,
                    socket: socket.handle(),
                    bytes: &self.rooms.sealed[sealed.clone()],
                });
            }
        }
        let mut unfinished = Vec::new();
        let written = self.io.send_all(&jobs, &mut unfinished);
        self.metrics.writes.add(jobs.len() as u64);
        self.metrics.bytes_out.add(written);
        drop(jobs);
        let mut unfinished = unfinished.into_iter().peekable();
        for (job, (id, sealed)) in due.into_iter().enumerate() {
            let outcome = match unfinished.next_if(|one| one.job == job) {
                None => Ok(sealed.len()),
                Some(Unfinished { outcome, .. }) => outcome,
            };
            if self.sent(id, sealed, outcome) {
                self.go_on_writing(id);
            }
        }
    }

    /// More may be due than was encrypted at once.
    fn go_on_writing(&mut self, id: ConnId) {
        if self.conns.peek(id).is_some_and(Conn::all_sent) {
            self.emptied(id);
        } else {
            self.mark_dirty(id);
        }
    }

    /// What came of an offer of what was encrypted for a connection. True: its socket has taken all of it.
    fn sent(&mut self, id: ConnId, sealed: Range<usize>, outcome: io::Result<usize>) -> bool {
        let Some(Conn {
            rare,
            outbox,
            bytes_out,
            ..
        }) = self.conns.find(id)
        else {
            return false;
        };
        let Some(session) = rare.as_mut().and_then(|rare| rare.tls.as_mut()) else {
            return false;
        };
        let count = match outcome {
            Ok(count) => count,
            Err(error) if is_passing(&error) => 0,
            Err(_) => {
                self.abort(id);
                return false;
            }
        };
        let left = &self.rooms.sealed[sealed][count..];
        *bytes_out += count as u64;
        let told = session.sent(left);
        if told > 0 && told == outbox.bytes() {
            outbox.finish(&mut self.spare);
        } else if told > 0 {
            outbox.advance(told);
        }
        let all = left.is_empty();
        if !all {
            self.block(id);
        }
        all
    }

    // ---- its end -----------------------------------------------------------------------------------------------

    /// A connection goes whose handshake was not over.
    pub(super) fn note_abandoned(&self, conn: &Conn<I::Socket>) {
        if conn.is_handshaking() {
            self.metrics.tls_handshakes[Handshake::Abandoned as usize].up();
        }
    }

    /// The time of a handshake is over.
    pub(super) fn note_late(&mut self, id: ConnId) {
        if let Some(session) = self.conns.find(id).and_then(Conn::tls_mut)
            && session.is_handshaking()
        {
            session.break_off();
            self.metrics.tls_handshakes[Handshake::Late as usize].up();
        }
    }
}

/// Why a connection's TLS goes on no further.
enum Broken {
    /// What the client sent is not what TLS allows.
    Tls(Error),
    /// What its proxy sent before is no PROXY header.
    Proxy(WireError),
    /// The address that the proxy named may not come in.
    Refused,
}
