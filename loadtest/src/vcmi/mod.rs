//! The VCMI proxy lobby: users who chat, and whole games from the room to the relay.
//!
//! | file | what lives there |
//! |---|---|
//! | `launcher` | one launcher: packets out, messages in |
//! | `game` | a host and a guest from the room to the relay, and what they measure there |
//! | `report` | what was seen |
//!
//! Lines of chat leave on a fixed schedule whatever the server does, and carry the time they were due; every user who hears
//! one books how late it is. One thread, a task for each connection. Like the rest of the tester this is a reading of the
//! protocol of its own.

mod game;
mod launcher;
mod report;

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use glommio::{LocalExecutorBuilder, Placement, timer::Timer};
use hdrhistogram::Histogram;

use self::launcher::Launcher;
pub use self::report::Report;
use crate::{
    latency::histogram,
    procfs::{self, Usage},
    schedule::{Clock, Schedule},
};

/// What a run does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub server: SocketAddr,
    /// Its process, if known beforehand.
    pub server_pid: Option<u32>,
    /// Users who chat.
    pub users: usize,
    /// Games, of two players each.
    pub games: usize,
    /// Lines of chat per second, all users together.
    pub rate: f64,
    /// Length of the measured phase.
    pub duration: Duration,
    /// Patience at the beginning, and at the end for what has not come.
    pub grace: Duration,
}

/// What the tasks of a run share.
struct Run {
    plan: Plan,
    clock: Clock,
    chat: RefCell<Histogram<u64>>,
    trips: RefCell<Histogram<u64>>,
    /// Bytes that arrived through relays while they were measured, and for how long, of all games.
    relayed: Cell<u64>,
    relay_us: Cell<u64>,
    sent: Cell<u64>,
    heard: Cell<u64>,
    joined: Cell<u64>,
    errors: RefCell<Vec<String>>,
}

impl Run {
    fn record_error(&self, what: impl std::fmt::Display) {
        self.errors.borrow_mut().push(what.to_string());
    }
}

/// Runs the plan. An error means that there is nothing to report.
///
/// # Errors
/// If the users can't sign in.
pub fn run(plan: Plan) -> anyhow::Result<Report> {
    let pid = plan.server_pid.or_else(|| {
        let local = plan.server.ip().is_loopback();
        local
            .then(|| procfs::listener(&[plan.server.port()]))
            .flatten()
    });
    let executor = LocalExecutorBuilder::new(Placement::Unbound)
        .name("vcmi")
        .spawn(move || async move { work(plan, pid).await })
        .map_err(|error| anyhow!("{error}"))?;
    executor.join().map_err(|error| anyhow!("{error}"))?
}

async fn work(plan: Plan, pid: Option<u32>) -> anyhow::Result<Report> {
    let run = Rc::new(Run {
        clock: Clock::start(),
        chat: RefCell::new(histogram()),
        trips: RefCell::new(histogram()),
        relayed: Cell::default(),
        relay_us: Cell::default(),
        sent: Cell::default(),
        heard: Cell::default(),
        joined: Cell::default(),
        errors: RefCell::default(),
        plan,
    });
    let begun = run.clock.now_us();
    let mut writers = Vec::with_capacity(run.plan.users);
    for number in 0..run.plan.users {
        let launcher = Launcher::sign_in(run.plan.server, &format!("swarm{number}"))
            .await
            .with_context(|| format!("user {number} can't sign in"))?;
        let (reader, writer) = launcher.split();
        glommio::spawn_local(listen(run.clone(), reader)).detach();
        writers.push(writer);
    }
    let signed_in_us = run.clock.now_us() - begun;
    let before = pid.and_then(Usage::of);
    let games: Vec<_> = (0..run.plan.games)
        .map(|number| glommio::spawn_local(game::play(run.clone(), number)))
        .collect();
    talk(&run, &mut writers).await;
    for game in games {
        if let Err(error) = game.await {
            run.record_error(format_args!("a game failed: {error:#}"));
        }
    }
    let patience = run.clock.now_us() + run.plan.grace.as_micros() as u64;
    let expected = run.sent.get() * run.plan.users as u64;
    while run.heard.get() < expected && run.clock.now_us() < patience {
        Timer::new(Duration::from_millis(5)).await;
    }
    let after = pid.and_then(Usage::of);
    if run.plan.users == 0 && run.plan.games == 0 {
        bail!("there is nothing to do");
    }
    Ok(Report::new(&run, signed_in_us, before.zip(after)))
}

/// Sends lines at their times, the users in turn.
async fn talk(run: &Rc<Run>, writers: &mut [launcher::Writer]) {
    let Some(sources) = std::num::NonZeroUsize::new(writers.len()) else {
        Timer::new(run.plan.duration).await;
        return;
    };
    let schedule = Schedule::new(run.plan.rate, sources.get());
    let from = run.clock.now_us();
    let lines = (run.plan.rate * run.plan.duration.as_secs_f64()) as usize;
    for line in 0..lines {
        let source = line % sources;
        let due = from + schedule.due_us(source, (line / sources) as u64);
        let wait = due.saturating_sub(run.clock.now_us());
        if wait > 0 {
            Timer::new(Duration::from_micros(wait)).await;
        }
        match writers[source].send(&format!("<MSG>due {due}")).await {
            Ok(()) => run.sent.set(run.sent.get() + 1),
            Err(error) => {
                return run.record_error(format_args!("user {source} can't talk: {error}"));
            }
        }
    }
}

/// Reads what a user is sent and books the chat.
async fn listen(run: Rc<Run>, mut reader: launcher::Reader) {
    loop {
        let message = match reader.message().await {
            Ok(Some(message)) => message,
            Ok(None) => return run.record_error("a user was disconnected"),
            Err(error) => {
                return run.record_error(format_args!("a user's connection broke: {error}"));
            }
        };
        let due = message
            .strip_prefix("MSGCH:")
            .and_then(|rest| rest.rsplit_once(":due "))
            .and_then(|(_, due)| due.parse::<u64>().ok());
        if let Some(due) = due {
            let late = run.clock.now_us().saturating_sub(due).max(1);
            run.chat.borrow_mut().saturating_record(late);
            run.heard.set(run.heard.get() + 1);
        } else if message.starts_with("ERROR:") {
            run.record_error(format_args!("a user was told {message}"));
        }
    }
}
