//! The task of one connection: it owns the socket and the reader's state.
//!
//! It reads into a buffer that all connections of the shard share, so an idle connection keeps none. It writes only
//! what the shard could not (see `sender`): then it waits for the socket and empties the outbox.

use std::{
    cell::{RefCell, RefMut},
    future::Future,
    net::IpAddr,
    os::fd::AsRawFd,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use futures_lite::{AsyncRead, AsyncWrite, future::poll_fn};
use glommio::{net::TcpStream, timer::Timer};

use super::{
    ListenerSettings,
    relay::{self, Joining},
    sender,
    shard::Shard,
    table::Hold,
    timers::Due,
};
use crate::{
    lobby::{Closing, ConnId, Dialect, Origin, Protocol},
    wire::{Decoder, Format, Scratch, Step},
};

/// Size of the shard's receive buffer.
const READ_BYTES: usize = 64 << 10;

/// Reads of one connection before the others get their turn.
const READS_PER_POLL: usize = 4;

/// What is read at most from a connection whose frames wait for long.
const KEPT_BYTES: usize = 64 << 10;

/// How often a connection that is full of what was kept is looked at: nobody reads its end.
const LOOK: Duration = Duration::from_secs(1);

/// How long an ended connection is kept to let the peer read our last words: closing a socket with unread input
/// resets it and may destroy what the peer has not read yet.
const LINGER: Duration = Duration::from_secs(2);

/// How soon a task that has more to do goes on: so soon that the executor does not sleep for it.
const BREATH: Duration = Duration::from_micros(3);

/// Lets others go first when a task has more to do. Waking itself would not: glommio looks at its sockets when no task is
/// ready, and otherwise only at its preemption timer, up to 100 ms later.
#[derive(Default)]
pub(super) struct Breath(Option<Timer>);

impl Breath {
    /// The task will be polled again after the shard has looked at its sockets. It keeps this until then.
    pub(super) fn take(&mut self, cx: &mut Context<'_>) {
        // On a busy machine a timer may be over before it has begun.
        for wait in [BREATH, 100 * BREATH] {
            let mut timer = Timer::new(wait);
            if Pin::new(&mut timer).poll(cx).is_pending() {
                self.0 = Some(timer);
                return;
            }
        }
        cx.waker().wake_by_ref();
    }
}

/// What tasks of one shard share.
pub(super) struct Shell<D: Dialect> {
    pub(super) shard: RefCell<Shard<D>>,
    buffers: RefCell<Buffers>,
}

struct Buffers {
    read: Vec<u8>,
    scratch: Scratch,
}

impl<D: Dialect> Shell<D> {
    pub(super) fn new(shard: Shard<D>) -> Rc<Self> {
        let buffers = Buffers {
            read: vec![0; READ_BYTES],
            scratch: Scratch::default(),
        };
        Rc::new(Shell {
            shard: RefCell::new(shard),
            buffers: RefCell::new(buffers),
        })
    }

    /// The buffer that all connections read into.
    pub(super) fn read_buffer(&self) -> RefMut<'_, [u8]> {
        RefMut::map(self.buffers.borrow_mut(), |buffers| &mut buffers.read[..])
    }
}

/// The reader's state.
struct Reader {
    id: ConnId,
    address: IpAddr,
    format: Format,
    protocol: Protocol,
    opened: bool,
    decoder: Decoder,
    /// Bytes of an unfinished frame, or frames that wait for an answer.
    rest: Vec<u8>,
    /// `rest` may hold whole frames.
    unread: bool,
    /// The peer has ended its side.
    ended: bool,
    /// When it is looked at next whether it has, while nothing is read.
    look_at: Duration,
    breath: Breath,
}

enum Flow {
    /// Go on reading.
    More,
    /// Read, but handle nothing.
    Keep,
    /// Wait to be woken.
    Wait,
    /// The same, but look from time to time whether the peer is still there.
    Look,
    /// The connection is over.
    End,
}

/// Serves an accepted socket to its end.
pub(super) async fn serve<D: Dialect>(
    shell: Rc<Shell<D>>,
    mut stream: TcpStream,
    address: IpAddr,
    listener: Rc<ListenerSettings>,
) {
    let fd = stream.as_raw_fd();
    sender::tune(fd);
    let trusted = listener
        .trusted
        .iter()
        .any(|network| network.contains(address));
    // Behind a proxy the real address comes later; then it is checked.
    let check = !(listener.proxy || trusted);
    let Some(id) = shell
        .shard
        .borrow_mut()
        .run(|shard| shard.accept(fd, address, &listener, check))
    else {
        return;
    };
    let mut reader = Reader {
        id,
        address,
        format: listener.format,
        protocol: listener.protocol,
        opened: false,
        decoder: Decoder::new(listener.format, listener.proxy, trusted),
        rest: Vec::new(),
        unread: false,
        ended: false,
        look_at: Duration::ZERO,
        breath: Breath::default(),
    };
    if listener.proxy || listener.format == Format::WebSocket {
        let mut shard = shell.shard.borrow_mut();
        let at = shard.mono() + shard.settings.handshake;
        shard.set_timer(at, Due::Handshake(id));
    } else {
        shell.shard.borrow_mut().run(|shard| reader.open(shard));
    }
    poll_fn(|cx| reader.poll(&shell, &mut stream, cx)).await;
    let joining = shell.shard.borrow_mut().take_joining(id);
    match joining {
        Some(Joining::Give(joint)) => return relay::give(&shell, joint, stream, reader.rest),
        Some(Joining::Take(half)) => {
            relay::take(&shell, &mut stream, *half, &reader.rest).await;
            return shell.shard.borrow_mut().run(|shard| shard.remove(id));
        }
        None => {}
    }
    let flushed = shell.shard.borrow_mut().run(|shard| {
        let flushed = shard
            .conns
            .find(id)
            .is_some_and(|conn| conn.closing == Some(Closing::Flushed));
        shard.retire(id);
        flushed
    });
    if flushed && !reader.ended {
        sender::shutdown_write(fd);
        linger(&shell, &mut stream).await;
    }
    shell.shard.borrow_mut().run(|shard| shard.remove(id));
}

/// Reads and forgets until the peer ends too, or for [`LINGER`].
pub(super) async fn linger<D: Dialect>(shell: &Shell<D>, stream: &mut TcpStream) {
    let mut breath = Breath::default();
    let drained = poll_fn(|cx| {
        let mut buffers = shell.buffers.borrow_mut();
        for _ in 0..READS_PER_POLL {
            match Pin::new(&mut *stream).poll_read(cx, &mut buffers.read) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => {}
            }
        }
        breath.take(cx);
        Poll::Pending
    });
    futures_lite::future::or(drained, async {
        Timer::new(LINGER).await;
    })
    .await;
}

impl Reader {
    fn open<D: Dialect>(&mut self, shard: &mut Shard<D>) {
        if !std::mem::replace(&mut self.opened, true) {
            shard.open(
                self.id,
                Origin {
                    address: self.address,
                    format: self.format,
                    protocol: self.protocol,
                },
            );
        }
    }

    fn poll<D: Dialect>(
        &mut self,
        shell: &Shell<D>,
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.poll_write(shell, stream, cx).is_ready()
            || self.poll_read(shell, stream, cx).is_ready()
        {
            return Poll::Ready(());
        }
        // What was read may have filled the socket while this task ran, when there was nobody to wake.
        self.poll_write(shell, stream, cx)
    }

    fn poll_read<D: Dialect>(
        &mut self,
        shell: &Shell<D>,
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        for _ in 0..READS_PER_POLL {
            let flow = {
                let mut shard = shell.shard.borrow_mut();
                let congested = shard.park_if_congested(cx.waker());
                let Some(conn) = shard.conns.find(self.id) else {
                    return Poll::Ready(());
                };
                match conn.closing {
                    Some(Closing::Abort) => Flow::End,
                    None if conn.joining.is_some() => Flow::End,
                    Some(Closing::Flushed) if conn.outbox.is_empty() => Flow::End,
                    None if conn.hold == Hold::Watching && self.rest.len() < KEPT_BYTES => {
                        Flow::Keep
                    }
                    None if conn.hold == Hold::Watching && sender::has_hung_up(conn.fd) => {
                        Flow::End
                    }
                    None if conn.hold == Hold::Watching => {
                        conn.waker = Some(cx.waker().clone());
                        Flow::Look
                    }
                    // A client that does not read is not read from (spec: faf-wire 7).
                    _ if conn.hold != Hold::No
                        || conn.is_ending()
                        || conn.outbox.bytes() > conn.limits.soft_bytes =>
                    {
                        conn.waker = Some(cx.waker().clone());
                        Flow::Wait
                    }
                    _ if congested => Flow::Wait,
                    _ => Flow::More,
                }
            };
            match flow {
                Flow::End => return Poll::Ready(()),
                Flow::Wait => return Poll::Pending,
                Flow::Look => {
                    self.look_later(shell);
                    return Poll::Pending;
                }
                Flow::More | Flow::Keep => {}
            }
            let keep = matches!(flow, Flow::Keep);
            if self.unread && !keep {
                self.unread = false;
                let mut rest = std::mem::take(&mut self.rest);
                let mut buffers = shell.buffers.borrow_mut();
                self.frames(shell, &mut rest, &mut buffers.scratch);
                self.keep(rest, shell);
                continue;
            }
            if self.ended {
                return Poll::Ready(());
            }
            let mut buffers = shell.buffers.borrow_mut();
            let Buffers { read, scratch } = &mut *buffers;
            match Pin::new(&mut *stream).poll_read(cx, read) {
                Poll::Pending => {
                    if let Some(conn) = shell.shard.borrow_mut().conns.find(self.id) {
                        conn.waker = Some(cx.waker().clone());
                    }
                    return Poll::Pending;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(0)) if keep => return Poll::Ready(()),
                Poll::Ready(Ok(0)) => self.end_of_stream(shell),
                Poll::Ready(Ok(count)) if keep => {
                    shell.shard.borrow().counters.bytes_in.add(count as u64);
                    self.rest.extend_from_slice(&read[..count]);
                    self.unread = true;
                }
                Poll::Ready(Ok(count)) => self.arrived(shell, &mut read[..count], scratch),
            }
        }
        self.breath.take(cx);
        Poll::Pending
    }

    /// Has the task woken in time to look whether the peer is still there.
    fn look_later<D: Dialect>(&mut self, shell: &Shell<D>) {
        let mut shard = shell.shard.borrow_mut();
        let now = shard.mono();
        if now >= self.look_at {
            self.look_at = now + LOOK;
            shard.set_timer(self.look_at, Due::Look(self.id));
        }
    }

    /// Empties the outbox if the shard could not. Ready: the connection is broken.
    fn poll_write<D: Dialect>(
        &mut self,
        shell: &Shell<D>,
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut shard = shell.shard.borrow_mut();
        loop {
            let Some(conn) = shard.conns.find(self.id) else {
                return Poll::Ready(());
            };
            if conn.blocked_since.is_none() {
                return Poll::Pending;
            }
            if conn.outbox.is_empty() {
                shard.run(|shard| shard.unblocked(self.id));
                return Poll::Pending;
            }
            match Pin::new(&mut *stream).poll_write(cx, conn.outbox.front()) {
                Poll::Pending => {
                    conn.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Poll::Ready(Ok(count)) => {
                    conn.outbox.advance(count);
                    let now = shard.mono();
                    if let Some(conn) = shard.conns.find(self.id) {
                        conn.blocked_since = Some(now); // it moves: not stuck
                    }
                    shard.counters.bytes_out.add(count as u64);
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
            }
        }
    }

    fn arrived<D: Dialect>(&mut self, shell: &Shell<D>, bytes: &mut [u8], scratch: &mut Scratch) {
        shell
            .shard
            .borrow()
            .counters
            .bytes_in
            .add(bytes.len() as u64);
        if self.rest.is_empty() {
            // The usual case: whole frames, handled where they arrived.
            let consumed = self.step_through(shell, bytes, scratch);
            self.rest.extend_from_slice(&bytes[consumed..]);
        } else {
            self.rest.extend_from_slice(bytes);
            let mut rest = std::mem::take(&mut self.rest);
            self.frames(shell, &mut rest, scratch);
            self.keep(rest, shell);
        }
    }

    fn frames<D: Dialect>(&mut self, shell: &Shell<D>, rest: &mut Vec<u8>, scratch: &mut Scratch) {
        let consumed = self.step_through(shell, rest, scratch);
        rest.drain(..consumed);
    }

    fn keep<D: Dialect>(&mut self, rest: Vec<u8>, shell: &Shell<D>) {
        if !rest.is_empty() {
            self.rest = rest;
        } else if self.ended && !self.unread {
            self.end_of_stream(shell);
        }
    }

    /// Handles the frames in `input`; returns how many bytes are used up.
    fn step_through<D: Dialect>(
        &mut self,
        shell: &Shell<D>,
        input: &mut [u8],
        scratch: &mut Scratch,
    ) -> usize {
        let mut shard = shell.shard.borrow_mut();
        let settings = shard.settings.clone();
        shard.run(|shard| {
            let mut at = 0;
            loop {
                match self.decoder.step(&mut input[at..], scratch, &settings.read) {
                    Step::More { consumed } => return at + consumed,
                    Step::Frame { consumed, body } => {
                        self.open(shard);
                        at += consumed;
                        let received = shard.receive(self.id, body);
                        if let Some(bytes) = received.bare {
                            self.decoder.bare(bytes as usize);
                        }
                        if !received.go_on {
                            self.unread = true;
                            return at;
                        }
                    }
                    Step::Reply { consumed, bytes } => {
                        shard.reply_raw(self.id, &bytes);
                        self.open(shard);
                        at += consumed;
                    }
                    Step::Peer { consumed, address } => {
                        self.address = address;
                        at += consumed;
                        if !shard.readmit(self.id, address) {
                            self.fail(shard, &[]);
                            return at;
                        }
                        if self.format != Format::WebSocket {
                            self.open(shard);
                        }
                    }
                    Step::Fail { error, farewell } => {
                        if error != crate::wire::WireError::Closed {
                            shard.counters.ended_framing.up();
                            tracing::debug!(shard = shard.id.0, peer = %self.address, %error, "stream ended");
                        }
                        self.fail(shard, &farewell);
                        return input.len();
                    }
                }
            }
        })
    }

    /// Ends the connection from the framing's side: last words, no more reading.
    fn fail<D: Dialect>(&mut self, shard: &mut Shard<D>, farewell: &[u8]) {
        shard.reply_raw(self.id, farewell);
        if let Some(conn) = shard.conns.find(self.id) {
            conn.closing.get_or_insert(Closing::Flushed);
        }
    }

    /// The peer has sent everything: a last message may lack its end (spec: faf-wire 3).
    fn end_of_stream<D: Dialect>(&mut self, shell: &Shell<D>) {
        self.ended = true;
        let mut rest = std::mem::take(&mut self.rest);
        let last = self.decoder.finish(&mut rest);
        if let Ok(Some(body)) = last {
            shell.shard.borrow_mut().run(|shard| {
                self.open(shard);
                shard.receive(self.id, body);
            });
        }
    }
}
