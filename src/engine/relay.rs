//! Two connections that are relayed to each other: every byte of one is written to the other, unread.
//!
//! One task does both directions, on one shard: the one side's socket is handed over to the other's shard first. A
//! direction reads only when everything it has read before is written, so a reader that is slow slows its writer and at
//! most one read is kept for it; an idle relay keeps nothing. When one side ends, the other is sent what was
//! received for it and ends too.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd},
    pin::Pin,
    task::{Context, Poll},
};

use futures_lite::{AsyncRead, AsyncWrite, future::poll_fn};
use glommio::{net::TcpStream, timer::Timer};

use super::{
    connection::{Breath, Shell, linger},
    mesh::Inbound,
    sender,
    shard::Shard,
};
use crate::lobby::{Closing, ConnId, Dialect, Joint};

/// Reads of each direction before others get their turn.
const READS_PER_POLL: usize = 8;

/// A socket on its way to the shard that relays it.
#[derive(Debug)]
pub struct Half {
    /// Its connection, which stays where it was.
    giver: ConnId,
    taker: ConnId,
    socket: OwnedFd,
    /// What it is still to be sent.
    to_giver: Vec<u8>,
    /// What the taker is to be sent: first words, and what the giver has sent already.
    to_taker: Vec<u8>,
}

/// A step of a join that is due on a connection's own task.
#[derive(Debug)]
pub(super) enum Joining {
    /// Hand the socket over.
    Give(Box<Joint>),
    /// The other one's socket is here: relay.
    Take(Box<Half>),
}

impl<D: Dialect> Shard<D> {
    /// A dialect wants two connections relayed: begins with the one whose socket moves.
    pub(super) fn join(&mut self, joint: Box<Joint>) {
        let giver = joint.giver;
        if giver.shard != self.id {
            return self.mesh.post(giver.shard, Inbound::Join(joint));
        }
        match self.conns.find(giver).filter(|conn| !conn.is_ending()) {
            Some(conn) => {
                conn.joining = Some(Joining::Give(joint));
                conn.wake();
            }
            None => self.close_anywhere(joint.taker, Closing::Flushed),
        }
    }

    /// The giver's task lets go of its socket: it is the taker's from now on.
    pub(super) fn hand_over(&mut self, half: Box<Half>) {
        self.leave_all(half.giver);
        self.sender.unregister(half.giver.slot);
        if let Some(conn) = self.conns.find(half.giver) {
            conn.away = Some(half.taker);
            conn.outbox.clear();
            conn.blocked_since = None;
        }
        if half.taker.shard == self.id {
            self.adopt(half);
        } else {
            self.mesh.post(half.taker.shard, Inbound::Adopt(half));
        }
    }

    /// A socket has come to be relayed with one of this shard's.
    pub(super) fn adopt(&mut self, half: Box<Half>) {
        match self.conns.find(half.taker).filter(|conn| !conn.is_ending()) {
            Some(conn) => {
                conn.joining = Some(Joining::Take(half));
                conn.wake();
            }
            None => self.part(half.giver),
        }
    }

    /// The step of a join that is due on this connection's task, unless it is ending.
    pub(super) fn take_joining(&mut self, id: ConnId) -> Option<Joining> {
        let conn = self.conns.find(id).filter(|conn| !conn.is_ending())?;
        conn.joining.take()
    }

    /// A join that nobody will carry out any more: the other side ends too.
    pub(super) fn disjoin(&mut self, joining: Joining) {
        match joining {
            Joining::Give(joint) => self.close_anywhere(joint.taker, Closing::Flushed),
            Joining::Take(half) => self.part(half.giver),
        }
    }

    /// The relay of a socket that was handed over has ended.
    pub(super) fn part(&mut self, giver: ConnId) {
        if giver.shard == self.id {
            self.remove(giver);
        } else {
            self.mesh.post(giver.shard, Inbound::Parted(giver));
        }
    }
}

/// Hands the socket of a connection over. `early` are the bytes that were read from it and not handled.
pub(super) fn give<D: Dialect>(
    shell: &Shell<D>,
    joint: Box<Joint>,
    stream: TcpStream,
    early: Vec<u8>,
) {
    let socket = sender::duplicate(stream.as_raw_fd());
    shell.shard.borrow_mut().run(|shard| match socket {
        Ok(socket) => {
            let mut to_giver = shard
                .conns
                .find(joint.giver)
                .map_or_else(Vec::new, |conn| conn.outbox.take());
            to_giver.extend_from_slice(&joint.to_giver);
            shard.hand_over(Box::new(Half {
                giver: joint.giver,
                taker: joint.taker,
                socket,
                to_giver,
                to_taker: [&joint.to_taker[..], &early].concat(),
            }));
        }
        Err(error) => {
            tracing::warn!(%error, "a socket can't be handed over");
            shard.disjoin(Joining::Give(joint.clone()));
            shard.remove(joint.giver);
        }
    });
}

/// Relays until one side ends; then both have ended. `early` as in [`give`].
#[allow(unsafe_code)]
pub(super) async fn take<D: Dialect>(
    shell: &Shell<D>,
    taker: &mut TcpStream,
    half: Half,
    early: &[u8],
) {
    // SAFETY: the descriptor is an open socket whose only owner is handed over here.
    let mut giver = unsafe { TcpStream::from_raw_fd(half.socket.into_raw_fd()) };
    sender::widen(giver.as_raw_fd());
    sender::widen(taker.as_raw_fd());
    let (stuck, mut first) = {
        let mut shard = shell.shard.borrow_mut();
        shard.counters.relays.up();
        let conn = shard.conns.find(half.taker);
        conn.map_or_else(Default::default, |conn| {
            conn.blocked_since = None; // from here on its reader slows the other side
            (conn.limits.stuck, conn.outbox.take())
        })
    };
    first.extend_from_slice(&half.to_taker);
    let mut lanes = Lanes {
        to_taker: Lane::new(first),
        to_giver: Lane::new([&half.to_giver[..], early].concat()),
        breath: Breath::default(),
    };
    let orderly = poll_fn(|cx| lanes.poll(shell, half.taker, &mut giver, taker, cx)).await;
    if orderly {
        let flush = poll_fn(|cx| lanes.poll_flush(&mut giver, taker, cx));
        futures_lite::future::or(flush, async {
            Timer::new(stuck).await;
        })
        .await;
        sender::shutdown_write(giver.as_raw_fd());
        sender::shutdown_write(taker.as_raw_fd());
        futures_lite::future::zip(linger(shell, &mut giver), linger(shell, taker)).await;
    }
    drop(giver);
    shell.shard.borrow_mut().run(|shard| shard.part(half.giver));
}

/// Both directions of a relay.
struct Lanes {
    to_taker: Lane,
    to_giver: Lane,
    breath: Breath,
}

impl Lanes {
    /// Relays what there is. Ready: one side has ended, or the connection is to be closed; false if at once.
    fn poll<D: Dialect>(
        &mut self,
        shell: &Shell<D>,
        id: ConnId,
        giver: &mut TcpStream,
        taker: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        // A turn, though nothing is handled: a shard that is busy relaying takes in its mail here.
        let closing = shell.shard.borrow_mut().run(|shard| {
            let conn = shard.conns.find(id)?;
            let known = conn.waker.as_ref();
            if !known.is_some_and(|waker| waker.will_wake(cx.waker())) {
                conn.waker = Some(cx.waker().clone());
            }
            Some(conn.closing)
        });
        match closing {
            Some(None) => {}
            Some(Some(Closing::Flushed)) => return Poll::Ready(true),
            Some(Some(Closing::Abort)) | None => return Poll::Ready(false),
        }
        let mut relayed = 0;
        let outcome = {
            let mut buffer = shell.read_buffer();
            let mut round = || {
                let there = self.to_taker.step(giver, taker, &mut buffer, cx)?;
                let back = self.to_giver.step(taker, giver, &mut buffer, cx)?;
                relayed += there + back;
                Some(there + back)
            };
            (0..READS_PER_POLL)
                .map(|_| round())
                .find(|moved| !matches!(moved, Some(1..)))
        };
        shell
            .shard
            .borrow()
            .counters
            .relayed_bytes
            .add(relayed as u64);
        match outcome {
            Some(None) => Poll::Ready(true),
            Some(Some(_)) => Poll::Pending,
            None => {
                self.breath.take(cx);
                Poll::Pending
            }
        }
    }

    /// Writes what waits, as far as anybody takes it.
    fn poll_flush(
        &mut self,
        giver: &mut TcpStream,
        taker: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let there = self.to_taker.poll_flush(taker, cx);
        let back = self.to_giver.poll_flush(giver, cx);
        if there.is_ready() && back.is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// One direction of a relay.
#[derive(Default)]
struct Lane {
    /// Read and not yet written, from `written` on.
    waiting: Vec<u8>,
    written: usize,
}

impl Lane {
    fn new(waiting: Vec<u8>) -> Self {
        Lane {
            waiting,
            written: 0,
        }
    }

    /// Reads once and writes it, or goes on writing. How many bytes went on; `None`: a side has ended.
    fn step(
        &mut self,
        from: &mut TcpStream,
        to: &mut TcpStream,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Option<usize> {
        if !self.waiting.is_empty() {
            let before = self.waiting.len() - self.written;
            return match self.poll_write(to, cx) {
                Poll::Ready(Ok(())) | Poll::Pending => {
                    Some(before - (self.waiting.len() - self.written))
                }
                Poll::Ready(Err(_)) => None,
            };
        }
        let count = match Pin::new(from).poll_read(cx, buffer) {
            Poll::Pending => return Some(0),
            Poll::Ready(Ok(0) | Err(_)) => return None,
            Poll::Ready(Ok(count)) => count,
        };
        let sent = match sender::send_now(to.as_raw_fd(), &[io::IoSlice::new(&buffer[..count])]) {
            Ok(sent) => sent,
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                0
            }
            Err(_) => return None,
        };
        self.waiting.extend_from_slice(&buffer[sent..count]);
        Some(count)
    }

    /// Writes what waits. Pending: the socket takes no more for now.
    fn poll_write(&mut self, to: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.waiting.len() {
            match Pin::new(&mut *to).poll_write(cx, &self.waiting[self.written..]) {
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => {
                    *self = Lane::default();
                    return Poll::Ready(Err(error));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        *self = Lane::default(); // an idle relay keeps no buffers
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, to: &mut TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_write(to, cx).map(drop)
    }
}
