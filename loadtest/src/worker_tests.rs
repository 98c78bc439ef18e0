//! A worker with a protocol of three sentences, against blocking sockets.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use clap::Parser as _;

use super::*;
use crate::cli::{Arguments, Command, CommandLine};
use crate::connection::Connection;
use crate::metrics::Common;
use crate::plan::{Plan, Server, Workload};
use crate::protocol::{Outcome, Session, Setup};
use crate::scenario::{Kind, Scenario};
use crate::schedule::Clock;

/// What a client that sends without pause sends at a time; more than a socket takes when nobody reads.
const BLOCK_BYTES: usize = 1 << 20;
const BLOCKS: usize = 40;
/// From an answer to the next question.
const PAUSE_US: u64 = 1_000;
const QUESTIONS: usize = 20;
/// A crowd, and how long each of them takes to read a little.
const CROWD: usize = 60;
const READ_US: u64 = 5_000;
/// From one task of who has too many to the next.
const TOIL_US: u64 = 50;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Habit {
    /// Sends blocks, each when the one before has left, then closes.
    Flood,
    /// Asks, and a moment after each answer asks again.
    Ask,
    /// Has twice as much to do as there is time for.
    Toil,
    /// Has more to read than there is time for, but for the first, who has something to say now and then.
    Crowd,
}

#[derive(Debug)]
struct Simple(Habit);

#[derive(Debug, clap::Args)]
struct SimpleOptions {}

#[derive(Debug, Default)]
struct State {
    blocks: AtomicUsize,
    /// How late each question was, in µs.
    late_us: Mutex<Vec<u64>>,
}

impl Protocol for Simple {
    type Options = SimpleOptions;
    type State = State;
    type Metrics = Common;
    type Task = ();
    type Session = Talker;

    const NAME: &'static str = "simple";
    const KINDS: &'static [Kind] = &[];

    fn setup(_: &Arguments, _: &SimpleOptions, _: &mut Scenario) -> anyhow::Result<Setup<Simple>> {
        unreachable!("the plan is made by hand")
    }

    fn state(&self, _plan: &Plan) -> State {
        State::default()
    }

    fn summary(&self, _outcome: &Outcome<'_, Simple>) -> String {
        String::new()
    }
}

struct Talker;

impl Session<Simple> for Talker {
    fn new(_index: usize, _context: &Context<Simple>) -> Talker {
        Talker
    }

    fn on_connect(&mut self, _host: &str, connection: &mut Connection, _: &Context<Simple>) {
        connection.output().push(b'?');
    }

    fn on_bytes(
        &mut self,
        _bytes: &[u8],
        connection: &mut Connection,
        context: &Context<Simple>,
    ) -> anyhow::Result<()> {
        let habit = context.shared.protocol.0;
        if connection.stage() == Stage::SigningIn {
            connection.signed_in(context);
            if habit == Habit::Crowd && connection.index == 0 {
                context.schedule(context.now_us(), connection.slot, ());
            }
        }
        if habit == Habit::Crowd && connection.index > 0 {
            let until_us = context.now_us() + READ_US;
            while context.now_us() < until_us {}
        }
        if context.shared.protocol.0 == Habit::Ask {
            context.schedule(context.now_us() + PAUSE_US, connection.slot, ());
        }
        Ok(())
    }

    fn on_measure(&mut self, from_us: u64, connection: &Connection, context: &Context<Simple>) {
        context.schedule(from_us, connection.slot, ());
    }

    fn on_task(
        &mut self,
        (): (),
        due_us: u64,
        connection: &mut Connection,
        context: &Context<Simple>,
    ) {
        if context.shared.protocol.0 == Habit::Toil {
            context.schedule(due_us + TOIL_US, connection.slot, ());
            let until_us = context.now_us() + 2 * TOIL_US;
            while context.now_us() < until_us && context.shared.cut().is_none() {}
            return;
        }
        let mut late_us = context.state().late_us.lock().expect("no panic");
        late_us.push(context.now_us() - due_us);
        if context.shared.protocol.0 == Habit::Crowd {
            let next_us = context.now_us() + PAUSE_US;
            return context.schedule(next_us, connection.slot, ());
        }
        if late_us.len() < QUESTIONS {
            connection.output().push(b'?');
        } else {
            connection.close();
        }
    }

    fn on_drained(&mut self, connection: &mut Connection, context: &Context<Simple>) {
        if context.shared.protocol.0 == Habit::Flood {
            if context.state().blocks.fetch_add(1, Ordering::Relaxed) < BLOCKS {
                connection.output().resize(BLOCK_BYTES, b'!');
            } else {
                connection.close();
            }
        }
    }
}

/// What so many clients of one thread share.
fn shared(habit: Habit, listener: &TcpListener, clients: usize) -> Arc<Shared<Simple>> {
    let line = format!("swarm run -n {} --threads 1 --hosts 1", clients.max(2));
    let Command::Run(arguments) = CommandLine::parse_from(line.split(' ')).command else {
        unreachable!("it is `run`");
    };
    let plan = Plan {
        clients,
        workload: Workload::Steady,
        servers: vec![Server {
            transport: "tcp",
            address: listener.local_addr().expect("bound"),
        }],
        ..arguments.plan().expect("a sound plan")
    };
    Arc::new(Shared::new(plan, Arc::new(Simple(habit)), Clock::start()))
}

/// One client against this server, until it has closed its connection, or the run is at its end.
fn run(habit: Habit, listener: &TcpListener) -> Arc<Shared<Simple>> {
    let shared = shared(habit, listener, 1);
    let worker = {
        let shared = shared.clone();
        thread::spawn(move || work(shared, 0))
    };
    while shared.connected() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    if habit == Habit::Toil {
        shared.measure_from(shared.clock.now_us() + 1_000);
    }
    while shared.connected() > 0 && shared.cut().is_none() {
        thread::sleep(Duration::from_millis(1));
    }
    shared.enter(Phase::Stop);
    let outcome = worker.join().expect("no panic");
    outcome.expect("a worker");
    shared
}

#[test]
fn who_sends_without_pause_goes_on_after_the_socket_was_full() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = listener.try_clone().expect("a second handle");
    let reader = thread::spawn(move || {
        let (mut stream, _) = server.accept().expect("a client");
        stream.write_all(b".").expect("it reads");
        let (mut bytes, mut buffer) = (0, vec![0; 64 << 10]);
        loop {
            // Slower than the client, whose socket is full again and again.
            thread::sleep(Duration::from_micros(200));
            match stream.read(&mut buffer).expect("it writes") {
                0 => return bytes,
                length => bytes += length,
            }
        }
    });
    run(Habit::Flood, &listener);
    let came = reader.join().expect("no panic");
    assert_eq!(came, 1 + BLOCKS * BLOCK_BYTES);
}

#[test]
fn a_task_that_is_due_before_the_loop_wakes_ends_its_sleep() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = listener.try_clone().expect("a second handle");
    let answerer = thread::spawn(move || {
        let (mut stream, _) = server.accept().expect("a client");
        let mut byte = [0];
        while stream.read(&mut byte).expect("it writes") == 1 {
            stream.write_all(b".").expect("it reads");
        }
    });
    let shared = run(Habit::Ask, &listener);
    answerer.join().expect("no panic");
    let mut late_us = std::mem::take(&mut *shared.state.late_us.lock().expect("no panic"));
    late_us.sort_unstable();
    assert_eq!(late_us.len(), QUESTIONS);
    // Otherwise each waits for the rest of a poll interval.
    let most_us = POLL_INTERVAL_US / 2;
    assert!(late_us[QUESTIONS / 2] < most_us, "{late_us:?}");
}

#[test]
fn who_has_something_to_say_does_not_wait_for_all_that_others_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = listener.try_clone().expect("a second handle");
    thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.expect("a client");
            thread::spawn(move || while stream.write_all(&[b'.'; 64 << 10]).is_ok() {});
        }
    });
    let shared = shared(Habit::Crowd, &listener, CROWD);
    let worker = {
        let shared = shared.clone();
        thread::spawn(move || work(shared, 0))
    };
    let said = || shared.state.late_us.lock().expect("no panic").len();
    while said() < QUESTIONS {
        thread::sleep(Duration::from_millis(1));
    }
    shared.enter(Phase::Stop);
    worker.join().expect("no panic").expect("a worker");
    let mut late_us = shared.state.late_us.lock().expect("no panic").clone();
    late_us.sort_unstable();
    // Once round takes as long as all of them read as much as they may, which is more than a second.
    let round_us = CROWD as u64 * READS_PER_TURN as u64 * READ_US;
    assert!(late_us[QUESTIONS / 2] < round_us / 4, "{late_us:?}");
}

#[test]
fn a_thread_with_too_much_to_do_ends_the_run_within_a_second() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = listener.try_clone().expect("a second handle");
    let answerer = thread::spawn(move || {
        let (mut stream, _) = server.accept().expect("a client");
        stream.write_all(b".").expect("it reads");
        stream
    });
    let shared = run(Habit::Toil, &listener);
    let Some(Cut::Overloaded(why)) = shared.cut() else {
        panic!("{:?}", shared.cut());
    };
    assert!(why.contains("cannot be offered"), "{why}");
    let measured_us = shared.clock.now_us() - shared.measured_from_us();
    // And two for goodbyes.
    assert!(measured_us < 4_000_000, "{measured_us}");
    drop(answerer.join().expect("no panic"));
}
