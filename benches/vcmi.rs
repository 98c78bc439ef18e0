//! What a relayed game and a line of chat cost in the VCMI lobby, beside the least that the kernel asks for.
//!
//! - relay: one pair of games through the server, beside a thread that does nothing but `poll`, `recv` and `send` between
//!   two sockets; throughput of one direction, and round trips of a small message;
//! - beside: how long a line of chat takes to come back while two pairs are relayed at full speed, beside a thread that
//!   relays and echoes;
//! - chat: CPU of the shard for one line to 500 users, everything included from the packet to the last `send`, beside a
//!   loop of `send`.
//!
//! `cargo bench --bench vcmi`, or with `-- relay`, `-- beside` or `-- chat` for a part. The ways take turns, so that whatever
//! else the machine does hits all alike; medians are printed. The server's shard, or the loop, has one core; the clients
//! have the other.

#![allow(unsafe_code)] // `poll` is only to be had from libc.

#[path = "support/served.rs"]
mod served;
#[path = "support/setup.rs"]
mod setup;
#[path = "support/threads.rs"]
mod threads;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use muster::{
    engine::Outside,
    lobby::{
        OutboxLimits, ShardId,
        vcmi::{self, Vcmi},
    },
    wire::{Format, packets},
};

use served::{CLIENT_CORE, SERVER_CORE, Served, median};
use threads::{cpu_of, pin_to, this_task};

const ROUNDS: usize = 7;
const RELAYED: usize = 256 << 20;
const CHUNK: usize = 64 << 10;
const TRIPS: usize = 5_000;
const TRIP_BYTES: usize = 64;
const PINGS: usize = 2_000;
const PING_PAUSE: Duration = Duration::from_millis(2);
const USERS: usize = 500;
const LINES: usize = 40;
const LINE: &str = "a line of chat that is about as long as people write";

fn main() {
    // Before this thread has its core: the engine gives its shard the first of those it may use.
    let server = Server::open();
    pin_to(CLIENT_CORE);
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let wanted = |name: &str| filter.as_ref().is_none_or(|filter| name.contains(filter));
    if wanted("relay") {
        relay(&server);
    }
    if wanted("beside") {
        beside(&server);
    }
    if wanted("chat") {
        chat(&server);
    }
    server.stop();
}

fn relay(server: &Server) {
    let (mut through, (mut alone, bare_task)) = (server.pair(0), bare_pair());
    let mut cpus = [Vec::new(), Vec::new()];
    let mut rates = [Vec::new(), Vec::new()];
    let mut trips = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (way, pair) in [&mut through, &mut alone].into_iter().enumerate() {
            let task = [&server.task, &bare_task][way];
            let before = cpu_of(task);
            rates[way].push(throughput(pair));
            cpus[way].push((cpu_of(task) - before).as_secs_f64() * 1e6 / (RELAYED as f64 / 1e6));
            trips[way].push(round_trip(pair));
        }
    }
    let [muster, bare] = cpus.map(|mut cpus| median(&mut cpus));
    println!(
        "relay, CPU of the server: muster {muster:.0} us/MB, bare loop {bare:.0} us/MB, ratio {:.2}",
        muster / bare
    );
    let [muster, bare] = rates.map(|mut rates| median(&mut rates));
    println!(
        "relay, one direction: muster {muster:.0} MB/s, bare loop {bare:.0} MB/s, ratio {:.2}",
        muster / bare
    );
    for (name, index) in [("p50", 0), ("p99", 1)] {
        let [muster, bare] = [0, 1].map(|way: usize| {
            let mut all: Vec<f64> = trips[way].iter().map(|trip| trip[index]).collect();
            median(&mut all)
        });
        println!(
            "relay, round trip {name}: muster {muster:.1} us, bare loop {bare:.1} us, ratio {:.2}",
            muster / bare
        );
    }
}

/// How long a line takes back to its sender with nothing else to do, and beside two relays at full speed; and the same
/// where the thread in between relays, echoes the line and does nothing else.
fn beside(server: &Server) {
    let muster = Crowd {
        user: server.sign_in("someone"),
        pairs: [1, 2].map(|number| server.pair(number)),
    };
    for (name, crowd) in [("muster", muster), ("bare loop", bare_crowd())] {
        let (alone, beside, rate) = crowd.measure();
        for (when, [p50, p99]) in [("alone", alone), ("beside two relays", beside)] {
            println!("a line back to its sender, {name}, {when}: p50 {p50:.0} us, p99 {p99:.0} us");
        }
        println!("the two relays meanwhile, {name}: {rate:.0} MB/s");
    }
}

/// Somebody who is answered, and two pairs that are relayed.
struct Crowd {
    user: TcpStream,
    pairs: [(TcpStream, TcpStream); 2],
}

impl Crowd {
    /// Median and 99th percentile in microseconds, alone and beside the relays, and what these move meanwhile, in MB/s.
    fn measure(mut self) -> ([f64; 2], [f64; 2], f64) {
        let user = &mut self.user;
        let mut lines = 0..;
        let mut times = || {
            let times = lines.by_ref().take(PINGS).map(|n| ping(user, n));
            let mut times: Vec<f64> = times.collect();
            times.sort_by(f64::total_cmp);
            [50, 99].map(|percent| times[PINGS * percent / 100])
        };
        let alone = times();
        let (over, relayed) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            for (mut from, mut to) in self.pairs {
                let (over, relayed) = (&over, &relayed);
                scope.spawn(move || {
                    let block = vec![b'x'; CHUNK];
                    // The first to end may take the thread in between along.
                    while !over.load(Ordering::Relaxed) && from.write_all(&block).is_ok() {}
                });
                scope.spawn(move || {
                    let mut buffer = vec![0; CHUNK];
                    while let Ok(count @ 1..) = to.read(&mut buffer) {
                        relayed.fetch_add(count as u64, Ordering::Relaxed);
                    }
                });
            }
            let measured = scope.spawn(|| {
                run_first();
                let (begun, before) = (Instant::now(), relayed.load(Ordering::Relaxed));
                let times = times();
                let moved = relayed.load(Ordering::Relaxed) - before;
                (times, moved as f64 / 1e6 / begun.elapsed().as_secs_f64())
            });
            let (beside, rate) = measured.join().expect("it is answered");
            over.store(true, Ordering::Relaxed);
            (alone, beside, rate)
        })
    }
}

/// Microseconds until a line of chat has come back to its sender.
fn ping(user: &mut TcpStream, number: u64) -> f64 {
    thread::sleep(PING_PAUSE);
    let line = packet(&format!("<MSG>line {number}."));
    let expected = format!("line {number}.");
    let begun = Instant::now();
    user.write_all(&line).expect("sends");
    let mut said = String::new();
    let mut buffer = [0; 4 << 10];
    while !said.contains(&expected) {
        let count = user.read(&mut buffer).expect("arrives");
        assert!(count > 0, "ended after {said}");
        said.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    begun.elapsed().as_secs_f64() * 1e6
}

/// The calling thread runs before others of its core, so that it does not wait for the clients of relays.
fn run_first() {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameters are valid for the call, which only reads them.
    let failed = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
    if failed != 0 {
        println!(
            "(no right to real-time priority: what follows contains the clients' own waiting)"
        );
    }
}

fn chat(server: &Server) {
    let mut users: Vec<TcpStream> = (0..USERS)
        .map(|n| server.sign_in(&format!("user{n}")))
        .collect();
    let expected = format!(":>>MSGCH:user0:global:{LINE}");
    for user in &mut users {
        silence(user);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
    let address = listener.local_addr().expect("bound");
    let mut receivers = Vec::new();
    let mut senders = Vec::new();
    for _ in 0..USERS {
        receivers.push(TcpStream::connect(address).expect("connects"));
        let sender = listener.accept().expect("accepts").0;
        sender.set_nodelay(true).expect("sets");
        senders.push(sender);
    }
    let line = packet(&format!("<MSG>{LINE}"));
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..LINES {
        let before = cpu_of(&server.task);
        users[0].write_all(&line).expect("sends");
        let mut buffer = vec![0; expected.len()];
        for user in &mut users {
            user.read_exact(&mut buffer).expect("everything arrives");
            assert_eq!(buffer, expected.as_bytes());
        }
        ours.push((cpu_of(&server.task) - before).as_secs_f64() * 1e6);
        let body = expected.as_bytes().to_vec();
        let spent = thread::scope(|scope| {
            let senders = &mut senders;
            let loop_of_sends = scope.spawn(move || {
                pin_to(SERVER_CORE);
                let task = this_task();
                let before = cpu_of(&task);
                for sender in senders.iter_mut() {
                    sender.write_all(&body).expect("the socket takes it");
                }
                cpu_of(&task) - before
            });
            for receiver in &mut receivers {
                receiver
                    .read_exact(&mut buffer)
                    .expect("everything arrives");
            }
            loop_of_sends.join().expect("the sender ends")
        });
        bare.push(spent.as_secs_f64() * 1e6);
    }
    let (ours, bare) = (median(&mut ours), median(&mut bare));
    println!(
        "chat, CPU of one line to {USERS} users: muster {ours:.0} us, send loop {bare:.0} us, ratio {:.2}",
        ours / bare
    );
}

/// MB/s of one direction.
fn throughput((from, to): &mut (TcpStream, TcpStream)) -> f64 {
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            let block = vec![b'x'; CHUNK];
            for _ in 0..RELAYED / CHUNK {
                from.write_all(&block).expect("sends");
            }
        });
        let mut buffer = vec![0; CHUNK];
        let mut left = RELAYED;
        while left > 0 {
            left -= to.read(&mut buffer).expect("arrives");
        }
    });
    RELAYED as f64 / 1e6 / begun.elapsed().as_secs_f64()
}

/// Median and 99th percentile of a small message there and back, in microseconds.
fn round_trip((from, to): &mut (TcpStream, TcpStream)) -> [f64; 2] {
    let mut times = Vec::with_capacity(TRIPS);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; TRIP_BYTES];
            for _ in 0..TRIPS {
                to.read_exact(&mut buffer).expect("arrives");
                to.write_all(&buffer).expect("sends");
            }
        });
        let mut buffer = [1; TRIP_BYTES];
        for _ in 0..TRIPS {
            let begun = Instant::now();
            from.write_all(&buffer).expect("sends");
            from.read_exact(&mut buffer).expect("comes back");
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
    });
    times.sort_by(f64::total_cmp);
    [times[TRIPS / 2], times[TRIPS * 99 / 100]]
}

/// Two clients, a thread between them that relays and does nothing else, and that thread.
fn bare_pair() -> ((TcpStream, TcpStream), String) {
    let (clients, task) = bare(&[1, 0]);
    let [a, b] = <[TcpStream; 2]>::try_from(clients).expect("two of them");
    ((a, b), task)
}

/// The same with two pairs, and somebody whose bytes come back to him.
fn bare_crowd() -> Crowd {
    let (clients, _) = bare(&[1, 0, 3, 2, 4]);
    let [a, b, c, d, user] = <[TcpStream; 5]>::try_from(clients).expect("five of them");
    Crowd {
        user,
        pairs: [(a, b), (c, d)],
    }
}

/// Clients, and a thread that sends what comes from each to the one that `to` says for it.
fn bare(to: &'static [usize]) -> (Vec<TcpStream>, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
    let address = listener.local_addr().expect("bound");
    let mut accepted = Vec::new();
    let clients = to.iter().map(|_| {
        let client = TcpStream::connect(address).expect("connects");
        client.set_nodelay(true).expect("sets");
        let socket = listener.accept().expect("accepts").0;
        socket.set_nodelay(true).expect("sets");
        accepted.push(socket);
        client
    });
    let clients = clients.collect();
    let (ready, task) = mpsc::channel();
    thread::spawn(move || {
        pin_to(SERVER_CORE);
        ready.send(this_task()).expect("it is waited for");
        let mut buffer = vec![0; CHUNK];
        loop {
            let wanted = accepted.iter().map(|socket| libc::pollfd {
                fd: socket.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            });
            let mut wanted: Vec<_> = wanted.collect();
            // SAFETY: the array is valid for the call and has as many entries as it is told.
            if unsafe { libc::poll(wanted.as_mut_ptr(), wanted.len() as libc::nfds_t, -1) } < 0 {
                return;
            }
            for (from, &to) in to.iter().enumerate() {
                if wanted[from].revents == 0 {
                    continue;
                }
                match (&accepted[from]).read(&mut buffer) {
                    Ok(0) | Err(_) => return,
                    Ok(count) => {
                        if (&accepted[to]).write_all(&buffer[..count]).is_err() {
                            return;
                        }
                    }
                }
            }
        }
    });
    (clients, task.recv().expect("the thread has begun"))
}

/// The VCMI lobby on one shard.
type Server = Served<Vcmi>;

impl Served<Vcmi> {
    fn open() -> Self {
        let outbox = OutboxLimits {
            soft_bytes: 1 << 20,
            hard_bytes: 1 << 20,
            stuck: Duration::from_secs(30),
        };
        let settings = setup::one_shard_of(Format::Packets, outbox, 2_000);
        Served::start(
            settings,
            |_| Outside {
                ask: Arc::new(|_, _, ask| match ask {}),
                publish: Arc::new(|event| match event {}),
            },
            |shard: ShardId| {
                // One user says thousands of lines.
                let settings = vcmi::Settings {
                    commands_per_second: None,
                    caused_bytes_per_second: None,
                    ..vcmi::Settings::default()
                };
                Vcmi::new(shard, 1, Arc::new(settings))
            },
        )
    }

    fn sign_in(&self, name: &str) -> TcpStream {
        let mut stream = self.connect();
        let greeting = packet(&format!("\x05\x04utf8<GREETINGS>{name}<VER>1.4.0"));
        stream.write_all(&greeting).expect("sends");
        read_until(&mut stream, "currently playing");
        stream
    }

    /// A started game: the host's server and the guest's client, relayed.
    fn pair(&self, number: usize) -> (TcpStream, TcpStream) {
        let (host, guest, room) = (
            format!("host{number}"),
            format!("guest{number}"),
            format!("room{number}"),
        );
        let (mut host, mut guest) = (self.sign_in(&host), self.sign_in(&guest));
        say(
            &mut host,
            &format!("<NEW>{room}<PSWD><COUNT>2<MODS>wog&1.0"),
        );
        read_until(&mut host, ":>>MODSOTHER:host");
        say(&mut guest, &format!("<JOIN>{room}<PSWD><MODS>wog&1.0"));
        read_until(&mut guest, ":>>MODS:");
        say(&mut host, &format!("<READY>{room}"));
        say(&mut guest, &format!("<READY>{room}"));
        let host_said = read_until(&mut host, ":>>START:");
        let guest_said = read_until(&mut guest, ":>>START:");
        let after = |said: &str, word: &str| {
            let at = said.find(word).expect("it was said") + word.len();
            said[at..at + 36].to_owned()
        };
        let server = self.game("server", &after(&host_said, ":>>HOST:"));
        let client = self.game("client", &after(&guest_said, ":>>START:"));
        let mut pair = (server, client);
        for side in [&mut pair.0, &mut pair.1] {
            let mut greeting = [0; 10 + 23 + 40 + 1];
            side.read_exact(&mut greeting)
                .expect("the other side's greeting");
        }
        pair
    }

    fn game(&self, role: &str, uuid: &str) -> TcpStream {
        let mut stream = self.connect();
        let frames = ["Aiya!\n", &format!("VCMI 1.4.0 ({role})"), uuid];
        let mut bytes: Vec<u8> = frames.into_iter().flat_map(packet).collect();
        bytes.push(1);
        stream.write_all(&bytes).expect("sends");
        stream
    }
}

fn packet(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    packets::encode(text.as_bytes(), &mut out);
    out
}

fn say(stream: &mut TcpStream, text: &str) {
    stream.write_all(&packet(text)).expect("sends");
}

/// Everything up to a text, and what has come with it.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut said = String::new();
    let mut buffer = [0; CHUNK];
    loop {
        // A uuid follows some of the texts.
        if said
            .find(end)
            .is_some_and(|at| said.len() >= at + end.len() + 2)
            && (!end.starts_with(":>>START")
                || said.len() >= said.find(end).unwrap_or(0) + end.len() + 36)
        {
            return said;
        }
        let count = stream.read(&mut buffer).expect("arrives");
        assert!(count > 0, "ended after {said}");
        said.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
}

/// Reads away what has come until nothing does.
fn silence(stream: &mut TcpStream) {
    stream
        .set_read_timeout(Some(Duration::from_millis(5)))
        .expect("sets");
    let mut buffer = [0; CHUNK];
    while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
    stream.set_read_timeout(None).expect("sets");
}
