//! The sockets of a thread's clients: one `epoll` for all of them, told of edges, and a timer in it that is exact to the
//! microsecond, where `epoll`'s own time-out knows only milliseconds.
//!
//! What is known of a socket is kept, so that it is asked for nothing in vain: after a short read there is nothing more until
//! the next edge, and after a short write no room.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use socket2::{Domain, Socket, Type};

/// Sockets that one wait tells of; those above are told of by the next one.
const EVENTS: usize = 1_024;
/// What the timer is among the sockets.
const TIMER: Token = Token(usize::MAX);
/// `connect` of a non-blocking socket goes on in the background.
const EINPROGRESS: i32 = 115;

/// A client's socket, and what is known of it.
#[derive(Debug)]
struct Link {
    stream: TcpStream,
    /// There may be something to read.
    readable: bool,
    /// There may be room to write.
    writable: bool,
    /// The server says nothing more: only by reading to the end is it known what it said before.
    ended: bool,
    /// It waits for its turn.
    queued: bool,
}

/// The sockets of a thread, by their clients' slots.
#[derive(Debug)]
pub(crate) struct Sockets {
    poll: Poll,
    events: Events,
    timer: OwnedFd,
    /// What the timer was last set to.
    timer_us: u64,
    links: Box<[Option<Link>]>,
}

impl Sockets {
    /// For so many clients.
    ///
    /// # Errors
    /// No descriptors are left.
    pub(crate) fn new(clients: usize) -> io::Result<Sockets> {
        let poll = Poll::new()?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let registry = poll.registry();
        registry.register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        Ok(Sockets {
            poll,
            events: Events::with_capacity(EVENTS),
            timer,
            timer_us: 0,
            links: (0..clients).map(|_| None).collect(),
        })
    }

    /// Begins to connect; the socket has its first turn when that has come to something.
    ///
    /// # Errors
    /// No descriptors, or no way to the server.
    pub(crate) fn open(
        &mut self,
        slot: usize,
        server: SocketAddr,
        source: Option<Ipv4Addr>,
    ) -> io::Result<()> {
        let socket = connecting(server, source)?;
        let mut stream = TcpStream::from_std(socket.into());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, Token(slot), interest)?;
        self.links[slot] = Some(Link {
            stream,
            readable: false,
            writable: false,
            ended: false,
            queued: false,
        });
        Ok(())
    }

    /// Lets the socket go, if there is one.
    pub(crate) fn close(&mut self, slot: usize) {
        self.links[slot] = None;
    }

    /// The socket has its turn: what happens from now on is another one's.
    pub(crate) fn begin_turn(&mut self, slot: usize) {
        if let Some(link) = &mut self.links[slot] {
            link.queued = false;
        }
    }

    pub(crate) fn is_open(&self, slot: usize) -> bool {
        self.links[slot].is_some()
    }

    /// Waits for the sockets until the run's clock says `until_us`; now it says `now_us`. Whoever has a turn is put into `turns`.
    ///
    /// # Errors
    /// `epoll` has failed.
    pub(crate) fn wait(
        &mut self,
        now_us: u64,
        until_us: u64,
        turns: &mut Vec<usize>,
    ) -> io::Result<()> {
        let at_once = until_us <= now_us;
        if !at_once && self.timer_us != until_us {
            self.set_timer(until_us - now_us)?;
            self.timer_us = until_us;
        }
        let longest = at_once.then_some(Duration::ZERO);
        match self.poll.poll(&mut self.events, longest) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &self.events {
            let slot = event.token().0;
            // The timer, or a socket that is gone.
            let Some(Some(link)) = self.links.get_mut(slot) else {
                continue;
            };
            let over = event.is_error() || event.is_write_closed();
            link.ended |= event.is_read_closed() || over;
            link.readable |= event.is_readable() || link.ended;
            link.writable |= event.is_writable() || over;
            if !std::mem::replace(&mut link.queued, true) {
                turns.push(slot);
            }
        }
        Ok(())
    }

    /// Once, so long from now. What it was set to before is forgotten.
    fn set_timer(&self, after_us: u64) -> io::Result<()> {
        let after = Duration::from_micros(after_us);
        let setting = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: after.as_secs() as i64,
                tv_nsec: after.subsec_nanos().into(),
            },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &setting)?;
        Ok(())
    }

    /// Reads what fits. None: there is nothing now. 0: there will be nothing any more.
    ///
    /// # Errors
    /// The connection is over.
    pub(crate) fn read(&mut self, slot: usize, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(link) = self.links[slot].as_mut().filter(|link| link.readable) else {
            return Ok(None);
        };
        let read = would_block(link.stream.read(buffer))?;
        link.readable = read.is_some_and(|length| length == buffer.len() || link.ended);
        Ok(read)
    }

    /// Writes what there is room for. None: there is none now.
    ///
    /// # Errors
    /// The connection is over, or was never made.
    pub(crate) fn write(&mut self, slot: usize, bytes: &[u8]) -> io::Result<Option<usize>> {
        let Some(link) = self.links[slot].as_mut().filter(|link| link.writable) else {
            return Ok(None);
        };
        let written = would_block(link.stream.write(bytes))?;
        link.writable = written.is_some_and(|length| length == bytes.len());
        Ok(written)
    }
}

/// What came of a call, if it did not have to wait.
fn would_block(outcome: io::Result<usize>) -> io::Result<Option<usize>> {
    match outcome {
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// A connection under way.
fn connecting(server: SocketAddr, source: Option<Ipv4Addr>) -> io::Result<Socket> {
    let tcp = Some(socket2::Protocol::TCP);
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, tcp)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::from((source, 0)).into())?;
    }
    match socket.connect(&server.into()) {
        Err(error) if error.raw_os_error() != Some(EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    /// A client's socket, connected as far as it will be, and what it is connected to.
    fn connected() -> (Sockets, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut sockets = Sockets::new(1).expect("descriptors");
        let server = listener.local_addr().expect("bound");
        sockets.open(0, server, None).expect("a way");
        let (peer, _) = listener.accept().expect("a client");
        (sockets, peer)
    }

    /// Waits until the socket has a turn.
    fn await_turn(sockets: &mut Sockets) {
        let mut turns = Vec::new();
        while turns.is_empty() {
            sockets.wait(0, 1_000_000, &mut turns).expect("it waits");
        }
        assert!(turns.iter().all(|&slot| slot == 0), "{turns:?}");
        sockets.begin_turn(0);
    }

    #[test]
    fn what_came_before_the_end_is_read_and_the_end_after_it() {
        let (mut sockets, mut peer) = connected();
        peer.write_all(b"bye").expect("it connects");
        drop(peer);
        let (mut buffer, mut heard) = ([0; 64], Vec::new());
        loop {
            match sockets.read(0, &mut buffer).expect("a connection") {
                Some(0) => break,
                Some(length) => heard.extend_from_slice(&buffer[..length]),
                None => await_turn(&mut sockets),
            }
        }
        assert_eq!(heard, b"bye");
    }

    #[test]
    fn a_full_socket_has_a_turn_when_there_is_room_again() {
        let (mut sockets, mut peer) = connected();
        await_turn(&mut sockets);
        let block = vec![b'!'; 1 << 20];
        let mut written = 0;
        while let Some(length) = sockets.write(0, &block).expect("a connection") {
            written += length;
        }
        let mut heard = vec![0; written];
        peer.read_exact(&mut heard).expect("all that was written");
        await_turn(&mut sockets);
        let more = sockets.write(0, b".").expect("a connection");
        assert_eq!(more, Some(1));
    }

    #[test]
    fn where_nobody_listens_the_first_turn_says_so() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let nobody = listener.local_addr().expect("bound");
        drop(listener);
        let mut sockets = Sockets::new(1).expect("descriptors");
        if sockets.open(0, nobody, None).is_ok() {
            await_turn(&mut sockets);
            let refused = sockets.write(0, b"?").expect_err("nobody is there");
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        }
    }

    #[test]
    fn a_wait_without_sockets_lasts_as_long_as_it_is_to() {
        let mut sockets = Sockets::new(0).expect("descriptors");
        let begun = Instant::now();
        // Each is set anew, longer and shorter than the one before.
        for (number, length_us) in [1_500, 2_500, 700].into_iter().enumerate() {
            let now_us = begun.elapsed().as_micros() as u64;
            let until_us = now_us + length_us;
            let mut turns = Vec::new();
            sockets.wait(now_us, until_us, &mut turns).expect("waits");
            let ended_us = begun.elapsed().as_micros() as u64;
            assert!(ended_us >= until_us, "wait {number}: {ended_us} {until_us}");
            assert_eq!(turns, [0; 0]);
        }
    }
}
