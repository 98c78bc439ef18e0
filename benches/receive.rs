//! What receiving one message and answering it costs the receiving thread in CPU time, by how it waits for its sockets.
//!
//! One thread on core 0 sends the line `{"command":"ping"}` back to whoever sent it; the clients are on core 1. The ways:
//!
//! - `epoll`: a bare loop of `epoll_wait`, `recv` and `send`: the floor, measured before and after the others;
//! - `glommio tasks`: a task for each connection that reads and writes;
//! - `ring inside glommio`: a private io_uring receives from all sockets; one task is woken when it has something;
//! - `waiting in the ring: multishot recv`: the thread waits in a private io_uring, which receives into its own buffers;
//! - `waiting in the ring: readiness`: the same, but the ring only tells who can be read, and the thread calls `recv`;
//! - `muster`: the whole server but its back office: engine, router, FAF dialect; its shard waits in its ring.
//!
//! The two before answer either each by a `send` (*direct*), or all of a round by one submission (*batched*).
//!
//! Two loads: *isolated*, one message at a time, 2,000 a second on one connection after another; *busy*, 50,000 a second
//! over 5,000 connections in a burst each millisecond. Where a way can't keep up, the rate says what was reached.
//!
//! `cargo bench --bench receive [-- part of a way's name]`. Wants a quiet machine, and open files for 15,000 connections.

#![allow(missing_docs)]
#![allow(
    unsafe_code,
    reason = "receives into plain memory, and sets descriptors apart"
)]
#![allow(
    clippy::result_large_err,
    reason = "a question that is refused comes back"
)]

#[path = "support/pings.rs"]
mod pings;
#[path = "support/ring.rs"]
mod ring;
#[path = "support/setup.rs"]
mod setup;
#[path = "support/threads.rs"]
mod threads;

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    ops::Range,
    os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd},
    sync::{Arc, mpsc},
    time::Duration,
};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::{LocalExecutorBuilder, Placement, io::BufferedFile};
use muster::{
    engine::{Engine, Mesh, Outside},
    lobbies::Router,
    lobby::{Stopping, cockatrice::Cockatrice, faf::Faf, vcmi::Vcmi, vcmi_json::VcmiJson},
};
use socket2::SockRef;

use pings::{Clients, Load, Measured};
use ring::{Event, Ring, SEND_FLAGS};
use threads::{pin_to, task_named, this_task, unpin};

const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;
/// How long a server may take to notice that its clients have gone.
const PATIENCE: Duration = Duration::from_secs(10);
const EPOLL_EVENTS: usize = 64;
const READ_BYTES: usize = 64 << 10;
/// What a task reads at once. It keeps the buffer while it waits.
const TASK_READ_BYTES: usize = 512;

const LOADS: [(Load, usize); 4] = [
    (Load::Isolated, 100),
    (Load::Isolated, 5_000),
    (Load::Isolated, 15_000),
    (Load::Busy, 5_000),
];

const FLOOR: Way = Way {
    name: "epoll",
    serve: Serve::Thread(epoll),
};
const WAYS: [Way; 7] = [
    Way {
        name: "glommio tasks",
        serve: Serve::Thread(glommio_tasks),
    },
    Way {
        name: "ring inside glommio",
        serve: Serve::Thread(ring_inside_glommio),
    },
    Way {
        name: "waiting in the ring: multishot recv, direct",
        serve: Serve::Thread(|sockets, ready| {
            waiting(Input::Received, Replies::Direct, sockets, ready)
        }),
    },
    Way {
        name: "waiting in the ring: multishot recv, batched",
        serve: Serve::Thread(|sockets, ready| {
            waiting(Input::Received, Replies::Batched, sockets, ready)
        }),
    },
    Way {
        name: "waiting in the ring: readiness, direct",
        serve: Serve::Thread(|sockets, ready| {
            waiting(Input::Readable, Replies::Direct, sockets, ready)
        }),
    },
    Way {
        name: "waiting in the ring: readiness, batched",
        serve: Serve::Thread(|sockets, ready| {
            waiting(Input::Readable, Replies::Batched, sockets, ready)
        }),
    },
    Way {
        name: "muster",
        serve: Serve::Muster,
    },
];

/// Tells the clients which thread serves, once it does.
type Ready = mpsc::Sender<String>;

struct Way {
    name: &'static str,
    serve: Serve,
}

#[derive(Clone, Copy)]
enum Serve {
    /// Serves these sockets until all are closed, and says what is worth knowing about that.
    Thread(fn(Vec<TcpStream>, Ready) -> String),
    Muster,
}

impl Way {
    fn measure(&self, load: Load, count: usize) -> (Measured, String) {
        let Serve::Thread(serve) = self.serve else {
            return muster(load, count);
        };
        let (bound, address) = mpsc::channel();
        let (ready, task) = mpsc::channel();
        let (done, ended) = mpsc::channel();
        std::thread::Builder::new()
            .name("server".into())
            .spawn(move || {
                pin_to(SERVER_CORE);
                set_descriptors_apart();
                let note = serve(accept(count, &bound), ready);
                done.send(note)
            })
            .expect("a thread");
        let mut clients = Clients::connect(address.recv().expect("an address"), count);
        let measured = clients.measure(load, &task.recv().expect("the server starts"));
        drop(clients);
        // One that has missed a wake-up sleeps on, and its figures are worth nothing.
        let note = ended.recv_timeout(PATIENCE);
        (measured, note.unwrap_or_else(|_| "DID NOT END".into()))
    }
}

/// The server, with one shard. Its threads accept, so the clients get the descriptors of their own.
fn muster(load: Load, count: usize) -> (Measured, String) {
    // The engine's threads may run where this one may: from the clients' core the shard would not get away.
    unpin();
    let mesh = Mesh::<Router>::new(1);
    let (faf, vcmi) = (Arc::default(), Arc::default());
    let engine = Engine::start(
        setup::one_shard(count),
        mesh.clone(),
        Outside {
            ask: Arc::new(|_, _, ask| Err(ask)),
            publish: Arc::new(|_| true),
        },
        move |shard| {
            let faf = Faf::new(shard, 1, Arc::clone(&faf));
            let vcmi = Vcmi::new(shard, 1, Arc::clone(&vcmi));
            Router::new(
                faf,
                vcmi,
                Cockatrice::new(shard, 1, Arc::default()),
                VcmiJson::new(shard, 1, Arc::default()),
            )
        },
    )
    .expect("the engine starts");
    let (address, task) = (engine.addresses[0].1, task_named("shard-0"));
    let clients = std::thread::spawn(move || {
        set_descriptors_apart();
        pin_to(CLIENT_CORE);
        Clients::connect(address, count).measure(load, &task)
    });
    let measured = clients.join().expect("the clients are answered");
    let rounds = engine.metrics[0].rounds.value();
    let note = engine.metrics[0].frames_in.value() as f64 / rounds as f64;
    mesh.stop(Stopping::Now);
    engine.join();
    pin_to(CLIENT_CORE);
    (measured, format!("{note:.1} a round"))
}

/// A table of descriptors for the calling thread, so that the limit of open files counts one end of each connection.
fn set_descriptors_apart() {
    // SAFETY: the thread has just begun and shares no descriptor with another, but for the standard ones.
    let failed = unsafe { libc::unshare(libc::CLONE_FILES) };
    assert_eq!(failed, 0, "{}", io::Error::last_os_error());
}

fn accept(count: usize, bound: &mpsc::Sender<SocketAddr>) -> Vec<TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
    let address = listener.local_addr().expect("bound");
    bound.send(address).expect("somebody connects");
    let accepted = (0..count).map(|_| {
        let socket = listener.accept().expect("accepts").0;
        socket.set_nodelay(true).expect("sets");
        socket
    });
    accepted.collect()
}

fn epoll(sockets: Vec<TcpStream>, ready: Ready) -> String {
    // SAFETY: a new descriptor, which is checked and has no other owner.
    let epoll = unsafe {
        let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
        assert!(epoll >= 0, "an epoll");
        OwnedFd::from_raw_fd(epoll)
    };
    let wanted = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET;
    for (slot, socket) in sockets.iter().enumerate() {
        pings::watch(&epoll, socket, wanted, slot);
    }
    ready.send(this_task()).expect("somebody waits");
    let mut reader = Reader::new(sockets.len());
    while reader.open > 0 {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EPOLL_EVENTS];
        for event in pings::wait(&epoll, &mut events, -1) {
            let slot = event.u64 as usize;
            let ended = event.events & libc::EPOLLRDHUP as u32 != 0;
            reader.read(&sockets[slot], slot, ended, |bytes| {
                send(&sockets[slot], bytes);
            });
        }
    }
    String::new()
}

fn glommio_tasks(sockets: Vec<TcpStream>, ready: Ready) -> String {
    in_glommio(async move {
        let tasks: Vec<_> = sockets
            .into_iter()
            .map(|socket| glommio::spawn_local(echo(socket)).detach())
            .collect();
        ready.send(this_task()).expect("somebody waits");
        for task in tasks {
            task.await;
        }
        String::new()
    })
}

async fn echo(socket: TcpStream) {
    // SAFETY: the descriptor is open and has no other owner any more.
    let mut stream = unsafe { glommio::net::TcpStream::from_raw_fd(socket.into_raw_fd()) };
    let mut buffer = [0; TASK_READ_BYTES];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

fn ring_inside_glommio(sockets: Vec<TcpStream>, ready: Ready) -> String {
    in_glommio(async move {
        // Not one that puts completions off: it would write to the eventfd a second time when they are collected.
        let ring = Ring::new(&sockets, false);
        let mut server = RingServer::new(ring, sockets, Input::Received, Replies::Direct);
        let notifier = notifier().await;
        server.ring.notify(notifier.as_raw_fd());
        server.ring.submit();
        ready.send(this_task()).expect("somebody waits");
        while server.open() > 0 {
            notifier.read_at(0, 8).await.expect("reads");
            server.round();
            server.ring.submit();
        }
        let _ = notifier.close().await; // the executor ends anyway
        server.note()
    })
}

/// An eventfd as a file of glommio, which has no constructor for one: put in the place of another file.
async fn notifier() -> BufferedFile {
    let file = BufferedFile::open("/dev/null").await.expect("opens");
    // SAFETY: only descriptors are handed over. `file` keeps its own, which now is the eventfd; the other one is closed.
    unsafe {
        let eventfd = libc::eventfd(0, libc::EFD_CLOEXEC);
        assert!(eventfd >= 0, "an eventfd");
        let put = libc::dup3(eventfd, file.as_raw_fd(), libc::O_CLOEXEC);
        assert_eq!(put, file.as_raw_fd(), "the place is taken");
        libc::close(eventfd);
    }
    file
}

/// Serves without a single await: the executor only lends its thread.
fn waiting(input: Input, replies: Replies, sockets: Vec<TcpStream>, ready: Ready) -> String {
    in_glommio(async move {
        let ring = Ring::new(&sockets, true);
        let mut server = RingServer::new(ring, sockets, input, replies);
        ready.send(this_task()).expect("somebody waits");
        while server.open() > 0 {
            if server.events.is_empty() {
                server.ring.wait();
            }
            server.round();
        }
        server.note()
    })
}

fn in_glommio<T>(serve: impl Future<Output = T>) -> T {
    LocalExecutorBuilder::new(Placement::Fixed(SERVER_CORE))
        .ring_depth(4_096)
        .make()
        .expect("an executor")
        .run(serve)
}

/// What the ring does for a socket.
#[derive(Clone, Copy)]
enum Input {
    Received,
    Readable,
}

#[derive(Clone, Copy)]
enum Replies {
    Direct,
    Batched,
}

struct RingServer {
    ring: Ring,
    sockets: Vec<TcpStream>,
    input: Input,
    replies: Replies,
    reader: Reader,
    /// What has come and is not handled.
    events: Vec<Event>,
    answers: Answers,
    rounds: u64,
    handled: u64,
    late: usize,
    armed_again: u64,
    out_of_buffers: u64,
}

impl RingServer {
    fn new(ring: Ring, sockets: Vec<TcpStream>, input: Input, replies: Replies) -> RingServer {
        let mut server = RingServer {
            ring,
            reader: Reader::new(sockets.len()),
            input,
            replies,
            events: Vec::new(),
            answers: Answers::default(),
            rounds: 0,
            handled: 0,
            late: 0,
            armed_again: 0,
            out_of_buffers: 0,
            sockets,
        };
        (0..server.sockets.len()).for_each(|slot| server.arm(slot));
        server
    }

    fn open(&self) -> usize {
        self.reader.open
    }

    fn arm(&mut self, slot: usize) {
        match self.input {
            Input::Received => self.ring.receive(slot),
            Input::Readable => self.ring.poll(slot),
        }
    }

    /// Handles everything that has come, and answers it.
    fn round(&mut self) {
        self.ring.take(&mut self.events);
        self.rounds += 1;
        self.handled += self.events.len() as u64;
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match self.input {
                Input::Received => self.received(event),
                Input::Readable => self.readable(event),
            }
        }
        self.events = events;
        self.answer();
    }

    fn received(&mut self, event: Event) {
        let answers = &mut self.answers;
        self.ring
            .with_buffer(event, |bytes| answers.add(event.slot, bytes));
        if event.result <= 0 && event.result != -libc::ENOBUFS {
            self.reader.close(event.slot);
        } else if !event.more() {
            self.out_of_buffers += u64::from(event.result < 0);
            self.armed_again += 1;
            self.arm(event.slot);
        }
        if matches!(self.replies, Replies::Direct) {
            self.answer();
        }
    }

    fn readable(&mut self, event: Event) {
        let ended = event.result & i32::from(libc::POLLRDHUP) != 0;
        let (slot, answers) = (event.slot, &mut self.answers);
        self.reader.read(&self.sockets[slot], slot, ended, |bytes| {
            answers.add(slot, bytes);
        });
        if !event.more() && !self.reader.gone[slot] {
            self.armed_again += 1;
            self.arm(slot);
        }
        if matches!(self.replies, Replies::Direct) {
            self.answer();
        }
    }

    fn answer(&mut self) {
        if self.answers.jobs.len() > 1 {
            self.late += self.ring.send_all(self.answers.iter(), &mut self.events);
        } else {
            // Alone, it is cheaper without the ring.
            for (slot, bytes) in self.answers.iter() {
                send(&self.sockets[slot], bytes);
            }
        }
        self.answers.clear();
    }

    fn note(&self) -> String {
        format!(
            "{:.1} a round, {} late sends, {} armed again, {} of them out of buffers",
            self.handled as f64 / self.rounds as f64,
            self.late,
            self.armed_again,
            self.out_of_buffers
        )
    }
}

/// Answers of one round.
#[derive(Default)]
struct Answers {
    bytes: Vec<u8>,
    jobs: Vec<(usize, Range<usize>)>,
}

impl Answers {
    fn add(&mut self, slot: usize, bytes: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.jobs.push((slot, from..self.bytes.len()));
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = (usize, &[u8])> {
        self.jobs
            .iter()
            .map(|(slot, range)| (*slot, &self.bytes[range.clone()]))
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.jobs.clear();
    }
}

/// Reads sockets that are said to be readable, all into one buffer.
struct Reader {
    buffer: Box<[u8]>,
    gone: Vec<bool>,
    open: usize,
}

impl Reader {
    fn new(count: usize) -> Reader {
        Reader {
            buffer: vec![0; READ_BYTES].into(),
            gone: vec![false; count],
            open: count,
        }
    }

    /// Reads until there is nothing more: a short read, or the end where that is known to have come.
    fn read(&mut self, socket: &TcpStream, slot: usize, ended: bool, mut got: impl FnMut(&[u8])) {
        loop {
            let read = receive(socket, &mut self.buffer);
            match read {
                Ok(read @ 1..) => {
                    got(&self.buffer[..read]);
                    if read < self.buffer.len() && !ended {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => return self.close(slot),
            }
        }
    }

    fn close(&mut self, slot: usize) {
        self.open -= usize::from(!self.gone[slot]);
        self.gone[slot] = true;
    }
}

/// Without waiting. The sockets themselves block: an io_uring would not wait for one that doesn't.
fn receive(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let (fd, at, room) = (socket.as_raw_fd(), buffer.as_mut_ptr(), buffer.len());
    // SAFETY: there is room for so many bytes.
    let read = unsafe { libc::recv(fd, at.cast(), room, libc::MSG_DONTWAIT) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

fn send(socket: &TcpStream, bytes: &[u8]) {
    // A client that has gone is noticed when it is read from.
    let _ = SockRef::from(socket).send_with_flags(bytes, SEND_FLAGS);
}

fn print_row(way: &str, measured: &Measured, floor: &[Measured; 2], note: &str) {
    let micros = measured.micros_per_message();
    let [before, after] = floor.map(|floor| micros / floor.micros_per_message());
    let rate = measured.messages_per_second();
    println!("{way:<46} {micros:>8.2} {before:>8.2} {after:>8.2} {rate:>9.0}  {note}");
}

fn compare(load: Load, count: usize, filter: &str) {
    let name = match load {
        Load::Isolated => "isolated",
        Load::Busy => "busy",
    };
    let title = format!("{name}, {count} connections");
    println!(
        "\n{title:<46} {:>8} {:>8} {:>8} {:>9}",
        "µs", "÷ before", "÷ after", "a second"
    );
    let (before, _) = FLOOR.measure(load, count);
    let measured: Vec<_> = WAYS
        .iter()
        .filter(|way| way.name.contains(filter))
        .map(|way| (way.name, way.measure(load, count)))
        .collect();
    let (after, _) = FLOOR.measure(load, count);
    let floor = [before, after];
    print_row("epoll before", &before, &floor, "");
    for (name, (measured, note)) in &measured {
        print_row(name, measured, &floor, note);
    }
    print_row("epoll after", &after, &floor, "");
}

fn main() {
    // Cargo says that this is a benchmark.
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let filter = filter.unwrap_or_default();
    rlimit::increase_nofile_limit(u64::MAX).expect("the limit can be read");
    pin_to(CLIENT_CORE);
    for (load, count) in LOADS {
        compare(load, count, &filter);
    }
}
