//! Clients that send a short line over many connections and read the answers, for benchmarks of receiving.

#![allow(unsafe_code, reason = "epoll has no safe interface")]

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::{Duration, Instant},
};

use socket2::{Domain, SockRef, Socket, Type};

use crate::threads::cpu_of;

pub(crate) const PING: &[u8] = b"{\"command\":\"ping\"}\n";

/// The next connection of an order that jumps is so many further. A prime: every connection has its turn.
const JUMP: usize = 7_919;
/// Of a load that is measured so long, after a while that is not.
const TIME: Duration = Duration::from_secs(4);
const WARM_UP: Duration = Duration::from_millis(700);

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
const ISOLATED_PACE: Duration = Duration::from_micros(500);
const BURST_PACE: Duration = Duration::from_millis(1);
const BURST: usize = 50;
/// Events taken from the clients' own epoll at once.
const EVENTS: usize = 256;

/// How the clients send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// One message at a time, 2,000 a second, each answered before the next.
    Isolated,
    /// 50,000 messages a second in a burst each millisecond; a connection that waits for its answer sends nothing.
    Busy,
}

/// What a load cost the thread that served it.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    cpu: Duration,
    messages: u64,
    took: Duration,
}

impl Measured {
    pub(crate) fn micros_per_message(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.messages as f64
    }

    pub(crate) fn messages_per_second(&self) -> f64 {
        self.messages as f64 / self.took.as_secs_f64()
    }
}

/// The clients' ends of all connections.
pub(crate) struct Clients {
    streams: Vec<TcpStream>,
    /// Connections that wait for an answer.
    owed: Vec<bool>,
    turns: usize,
    epoll: OwnedFd,
}

impl Clients {
    pub(crate) fn connect(server: SocketAddr, count: usize) -> Clients {
        let streams: Vec<_> = (0..count).map(|index| connect(server, index)).collect();
        // SAFETY: a new descriptor, which is checked and has no other owner.
        let epoll = unsafe {
            let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            assert!(epoll >= 0, "an epoll");
            OwnedFd::from_raw_fd(epoll)
        };
        for (index, stream) in streams.iter().enumerate() {
            watch(&epoll, stream, libc::EPOLLIN, index);
        }
        Clients {
            owed: vec![false; streams.len()],
            streams,
            turns: 0,
            epoll,
        }
    }

    /// CPU time of thread `task` while it serves this load.
    pub(crate) fn measure(&mut self, load: Load, task: &str) -> Measured {
        self.run(load, WARM_UP);
        let (begin, before) = (Instant::now(), cpu_of(task));
        let messages = self.run(load, TIME);
        Measured {
            cpu: cpu_of(task) - before,
            messages,
            took: begin.elapsed(),
        }
    }

    /// How many messages were answered.
    fn run(&mut self, load: Load, time: Duration) -> u64 {
        let (step, pace): (fn(&mut Self) -> u64, _) = match load {
            Load::Isolated => (Self::ask, ISOLATED_PACE),
            Load::Busy => (Self::burst, BURST_PACE),
        };
        let (mut due, end) = (Instant::now(), Instant::now() + time);
        let mut answered = 0;
        while due < end && Instant::now() < end {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            answered += step(self);
            due += pace;
        }
        answered
    }

    fn next(&self) -> usize {
        self.turns.wrapping_mul(JUMP) % self.streams.len()
    }

    /// One message, and its answer if it comes in time.
    fn ask(&mut self) -> u64 {
        let index = self.next();
        self.turns += 1;
        let stream = &mut self.streams[index];
        stream.write_all(PING).expect("the server lives");
        let mut answer = [0; PING.len()];
        u64::from(stream.read_exact(&mut answer).is_ok())
    }

    /// Reads the answers that have come, and sends the next messages.
    fn burst(&mut self) -> u64 {
        let answered = self.drain();
        for _ in 0..BURST {
            let index = self.next();
            if self.owed[index] {
                break; // the server is behind
            }
            self.turns += 1;
            self.owed[index] = true;
            self.streams[index]
                .write_all(PING)
                .expect("the server lives");
        }
        answered
    }

    fn drain(&mut self) -> u64 {
        let mut answered = 0;
        loop {
            let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
            let ready = wait(&self.epoll, &mut events, 0);
            for event in ready {
                let index = event.u64 as usize;
                let mut answer = [0; PING.len()];
                // An answer of 19 bytes arrives whole.
                self.streams[index]
                    .read_exact(&mut answer)
                    .expect("the server answers");
                self.owed[index] = false;
                answered += 1;
            }
            if ready.len() < EVENTS {
                return answered;
            }
        }
    }
}

/// From an address of its own for each 200 connections, so that ports don't run out.
fn connect(server: SocketAddr, index: usize) -> TcpStream {
    let own = Ipv4Addr::new(127, 0, 1 + (index / 200) as u8, 1 + (index % 200) as u8);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket
        .bind(&SocketAddr::from((own, 0)).into())
        .expect("a loopback address");
    socket.connect(&server.into()).expect("connects");
    socket.set_tcp_nodelay(true).expect("sets");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    // It ends with a reset: no socket stays behind whose timer would disturb the next measurement.
    SockRef::from(&socket)
        .set_linger(Some(Duration::ZERO))
        .expect("sets");
    socket.into()
}

/// Has `epoll` tell of this socket, as number `index`.
pub(crate) fn watch(epoll: &OwnedFd, socket: &TcpStream, events: i32, index: usize) {
    let mut event = libc::epoll_event {
        events: events as u32,
        u64: index as u64,
    };
    let (epoll, socket) = (epoll.as_raw_fd(), socket.as_raw_fd());
    // SAFETY: both descriptors are open, and the event is only read.
    let failed = unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, socket, &mut event) };
    assert_eq!(failed, 0, "the socket can be watched");
}

/// The sockets that are ready.
pub(crate) fn wait<'a>(
    epoll: &OwnedFd,
    events: &'a mut [libc::epoll_event],
    timeout: i32,
) -> &'a [libc::epoll_event] {
    let room = events.len() as i32;
    // SAFETY: there is room for so many events.
    let ready = unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), room, timeout) };
    match usize::try_from(ready) {
        Ok(ready) => &events[..ready],
        Err(_) => {
            let error = io::Error::last_os_error();
            assert_eq!(error.kind(), io::ErrorKind::Interrupted, "{error}");
            &[]
        }
    }
}
