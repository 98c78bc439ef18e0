//! What the load tester takes of a processor for each broadcast that one of its clients receives, beside a bare loop of `epoll`
//! and `recv` that receives the same messages and does nothing with them; and how late it does what is due, 50,000 times a
//! second. Both against a small server in a process of its own, in turns.
//!
//! `cargo bench -p swarm --bench broadcasts [-- part of a name]`. Wants a quiet machine with two cores.

#![allow(missing_docs)]

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser as _;
use mio::{Events, Interest, Poll, Token};
use serde_json::{Value, json};
use swarm::cli::{self, CommandLine};
use swarm::plan::Plan;

/// Of each load: its name, watchers, and broadcasts a second.
const LOADS: [(&str, usize, u32); 3] = [
    ("busy: 500 watchers, 60 broadcasts a second", 500, 60),
    ("calm: 500 watchers, 10 broadcasts a second", 500, 10),
    ("few: 20 watchers, 1,000 broadcasts a second", 20, 1_000),
];
/// How long each is measured.
const LENGTH: Duration = Duration::from_secs(3);
/// Each way once in each round.
const ROUNDS: usize = 2;
/// What a broadcast has besides its title: about as much as a game of twelve players.
const PADDING: usize = 900;
/// Events a second of the second measurement, and who makes them.
const EVENTS: usize = 50_000;
const HOSTS: [usize; 3] = [10, 100, 500];

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let filter = arguments.next().unwrap_or_default();
    if filter == "serve" {
        return serve();
    }
    for (name, watchers, rate) in LOADS.into_iter().filter(|load| load.0.contains(&filter)) {
        println!("{name}");
        for _ in 0..ROUNDS {
            let bare = bare(watchers, rate);
            let tester = tester(watchers, rate);
            println!(
                "  bare loop {bare:.2} µs a message, load tester {tester:.2} µs ({:.2})",
                tester / bare
            );
        }
    }
    for hosts in HOSTS.into_iter().filter(|_| "events".contains(&filter)) {
        events(hosts);
    }
}

/// The server, in a process of its own until dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Server {
        let program = std::env::current_exe().expect("this program");
        let mut process = Command::new(program)
            .arg("serve")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("its port");
        Server {
            process,
            port: line.trim().parse().expect("a port"),
        }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).expect("it listens")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

/// CPU time of this process's threads of this name, or of the calling one.
fn cpu_of(name: Option<&str>) -> Duration {
    let tasks = match name {
        None => vec!["/proc/thread-self".into()],
        Some(_) => fs::read_dir("/proc/self/task")
            .expect("procfs")
            .map(|task| task.expect("a task").path())
            .collect(),
    };
    let nanoseconds = tasks.iter().filter_map(|task| {
        let called = fs::read_to_string(task.join("comm")).ok()?;
        let counts = name.is_none_or(|name| called.trim() == name);
        let times = fs::read_to_string(task.join("schedstat")).ok()?;
        counts.then(|| times.split(' ').next()?.parse::<u64>().ok())?
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// µs of CPU for each message that the load tester's clients receive.
fn tester(watchers: usize, rate: u32) -> f64 {
    let server = Server::start();
    let plan = plan(&format!(
        "--port-json {} -n {} --hosts 1 --rate {rate} --duration {}s",
        server.port,
        watchers + 1,
        LENGTH.as_secs()
    ));
    let measuring = plan.measuring.clone();
    let run = thread::spawn(move || swarm::run(plan).expect("the run works"));
    let mut spent = Duration::ZERO;
    while !measuring.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
        spent = cpu_of(Some("worker-0"));
    }
    // Until just before the end: what has been received by then is most of it, and its accounting is not measured.
    thread::sleep(LENGTH);
    let spent = cpu_of(Some("worker-0")) - spent;
    let report = run.join().expect("no panic");
    assert_eq!(report.count("lost"), 0, "{report}");
    assert_eq!(report.failures(), [""; 0], "{report}");
    spent.as_secs_f64() * 1e6 / report.count("deliveries") as f64
}

fn plan(options: &str) -> Plan {
    let line =
        format!("swarm run --quiet --threads 1 --ping-every 0s --grace 5s --ramp 5000 {options}");
    let words = line.split_whitespace();
    let cli::Command::Run(arguments) = CommandLine::parse_from(words).command else {
        unreachable!("it is `run`");
    };
    arguments.plan().expect("a sound plan")
}

/// µs of CPU for each message that a loop of `epoll` and `recv` receives.
fn bare(watchers: usize, rate: u32) -> f64 {
    let server = Server::start();
    let ending = Arc::new(AtomicBool::new(false));
    let ready = Arc::new(AtomicUsize::new(0));
    let receiver = {
        let (ending, ready) = (ending.clone(), ready.clone());
        let streams: Vec<TcpStream> = (0..watchers).map(|_| server.connect()).collect();
        thread::spawn(move || receive(streams, &ready, &ending))
    };
    while ready.load(Ordering::Acquire) < watchers {
        thread::sleep(Duration::from_millis(1));
    }
    let mut host = server.connect();
    say(&mut host, &json!({"command": "hello"}));
    say(&mut host, &json!({"command": "game_host", "title": "t"}));
    let begun = Instant::now();
    for number in 0..rate * LENGTH.as_secs() as u32 {
        let due = Duration::from_secs(1) * number / rate;
        thread::sleep(due.saturating_sub(begun.elapsed()));
        let title = format!("swarm-abcd-h0-k{number}-t{}", begun.elapsed().as_micros());
        say(
            &mut host,
            &json!({"command": "GameOption", "args": ["Title", title], "target": "game"}),
        );
    }
    thread::sleep(Duration::from_millis(200));
    ending.store(true, Ordering::Release);
    let (spent, messages) = receiver.join().expect("no panic");
    assert_eq!(
        messages,
        watchers * (rate as usize * LENGTH.as_secs() as usize)
    );
    spent.as_secs_f64() * 1e6 / messages as f64
}

/// Signs everybody in, then receives; gives the CPU time that took, and how many messages came.
fn receive(streams: Vec<TcpStream>, ready: &AtomicUsize, ending: &AtomicBool) -> (Duration, usize) {
    let mut poll = Poll::new().expect("epoll");
    let mut streams: Vec<mio::net::TcpStream> = streams
        .into_iter()
        .map(|mut stream| {
            say(&mut stream, &json!({"command": "hello"}));
            let mut answer = String::new();
            while !answer.contains("\"games\"") {
                let mut buffer = [0; 4_096];
                let length = stream.read(&mut buffer).expect("an answer");
                answer.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
            stream.set_nonblocking(true).expect("a socket");
            mio::net::TcpStream::from_std(stream)
        })
        .collect();
    for (number, stream) in streams.iter_mut().enumerate() {
        let registry = poll.registry();
        registry
            .register(stream, Token(number), Interest::READABLE)
            .expect("registered");
    }
    ready.store(streams.len(), Ordering::Release);
    let mut events = Events::with_capacity(1_024);
    let mut scratch = vec![0; 128 << 10];
    let mut messages = 0;
    let begun = cpu_of(None);
    while !ending.load(Ordering::Acquire) {
        let waited = poll.poll(&mut events, Some(Duration::from_millis(100)));
        assert!(
            waited.is_ok() || waited.is_err_and(|error| error.kind() == ErrorKind::Interrupted)
        );
        for event in &events {
            let stream = &mut streams[event.token().0];
            // Less than there was room for: nothing is left, and the next event comes with the next bytes.
            while let Ok(length) = stream.read(&mut scratch) {
                messages += memchr::memchr_iter(b'\n', &scratch[..length]).count();
                if length < scratch.len() {
                    break;
                }
            }
        }
    }
    (cpu_of(None) - begun, messages)
}

/// How late things are done that are due all the time.
fn events(hosts: usize) {
    let server = Server::start();
    let plan = plan(&format!(
        "--port-json {} -n {} --hosts {hosts} --rate {EVENTS} --duration 5s",
        server.port,
        hosts + 1
    ));
    println!("{EVENTS} events a second of {hosts} hosts on one thread, µs");
    let report = match swarm::run(plan) {
        Ok(report) => report,
        Err(error) => return println!("  {error}"),
    };
    for name in ["own_delay", "timer_delay"] {
        let late = report.latency(name).expect("something was due");
        println!(
            "  {name}: {} times, p50 {}, p99 {}, p99.9 {}, max {}",
            late.len(),
            late.value_at_quantile(0.5),
            late.value_at_quantile(0.99),
            late.value_at_quantile(0.999),
            late.max()
        );
    }
}

/// A lobby that broadcasts each change of the first game at once, and of no other.
fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("{}", listener.local_addr().expect("bound").port());
    let listeners = Arc::<Mutex<Vec<TcpStream>>>::default();
    let games = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let (listeners, games) = (listeners.clone(), games.clone());
        let stream = stream.expect("accepted");
        let builder = thread::Builder::new().stack_size(128 << 10);
        builder
            .spawn(move || attend(stream, &listeners, &games))
            .expect("a thread");
    }
}

fn say(stream: &mut TcpStream, message: &Value) {
    let _gone = stream.write_all(format!("{message}\n").as_bytes());
}

fn attend(stream: TcpStream, listeners: &Mutex<Vec<TcpStream>>, games: &AtomicUsize) {
    stream.set_nodelay(true).expect("a socket");
    let mut out = stream.try_clone().expect("a second handle");
    let padding = "x".repeat(PADDING);
    let mut game = None;
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        if let Some(game) = game
            && let Some((_, rest)) = line.split_once("\"Title\",\"")
        {
            if game == 0 {
                let title = rest.split('"').next().unwrap_or_default();
                let told =
                    json!({"command": "game_info", "uid": game, "title": title, "more": padding});
                let told = format!("{told}\n");
                let mut listeners = listeners.lock().expect("no panic");
                listeners.retain_mut(|listener| listener.write_all(told.as_bytes()).is_ok());
            }
            continue;
        }
        let message: Value = serde_json::from_str(&line).unwrap_or_default();
        match message["command"].as_str().unwrap_or_default() {
            "ask_session" => say(&mut out, &json!({"command": "session", "session": 1})),
            "hello" => {
                say(
                    &mut out,
                    &json!({"command": "welcome", "me": {"id": 1}, "id": 1}),
                );
                say(&mut out, &json!({"command": "game_info", "games": []}));
                let listener = out.try_clone().expect("a handle for broadcasts");
                listeners.lock().expect("no panic").push(listener);
            }
            "game_host" => {
                // Who hosts hears nothing.
                let own = out.local_addr().and_then(|_| out.peer_addr()).ok();
                let mut listeners = listeners.lock().expect("no panic");
                listeners.retain(|listener| listener.peer_addr().ok() != own);
                let uid = games.fetch_add(1, Ordering::AcqRel);
                game = Some(uid);
                say(&mut out, &json!({"command": "game_launch", "uid": uid}));
            }
            "GameState" if message["args"][0] == "Lobby" => {
                say(
                    &mut out,
                    &json!({"command": "HostGame", "args": ["map"], "target": "game"}),
                );
            }
            _ => {}
        }
    }
}
