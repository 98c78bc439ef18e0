//! A run from the first connection to the verdict.
//!
//! assemble (the ramp; everybody signs in, hosts open their games) → measure (load on its schedule) → finish (one last change
//! of each host, and patience for it) → stop. The threads follow the phase; every wait has an end.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rand::RngExt as _;
use rand::rngs::SmallRng;

use crate::cli::{Plan, Profile};
use crate::framing::Needle;
use crate::latency::Recorder;
use crate::live::Live;
use crate::procfs::{self, Environment, Usage};
use crate::report::{Report, ServerCost};
use crate::roles::{PartyBoard, Sides};
use crate::schedule::{Clock, Markers, Schedule};
use crate::worker;

/// How often the run looks at its threads.
const STEP: Duration = Duration::from_millis(20);
/// Between everybody being ready and the first change: the broadcasts of the assembly pass by.
const SETTLE_US: u64 = 1_500_000;
/// The live line comes this long after the full second, when all threads have reported theirs.
const LINE_AFTER_US: u64 = 200_000;
/// Descriptors besides one for each client.
const SPARE_DESCRIPTORS: u64 = 256;
/// Different errors kept; more are not read by anybody.
const MAX_ERRORS: usize = 20;
/// Loopback addresses used, at most: 127.0.1.1 to 127.0.250.250.
const SOURCE_ADDRESSES: usize = 250 * 250;
/// A churning client stays half the time between two of its sign-ins, at most this long.
const MAX_CHURN_STAY_US: u64 = 1_000_000;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Assemble,
    Measure,
    Finish,
    Stop,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Assemble => "assemble",
            Phase::Measure => "measure",
            Phase::Finish => "finish",
            Phase::Stop => "stop",
        }
    }
}

/// What everybody may know about a host's game.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) uid: AtomicU64,
    pub(crate) open: AtomicBool,
    /// Number of the newest change sent.
    pub(crate) sent: AtomicU32,
}

/// What the threads of a run share.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) clock: Clock,
    pub(crate) schedule: Schedule,
    pub(crate) markers: Markers,
    /// Tells broadcasts of games from everything else that may carry a title.
    pub(crate) game_info: Needle,
    pub(crate) boards: Vec<Board>,
    /// Of each party of the profile matchmaking.
    pub(crate) parties: Vec<PartyBoard>,
    /// Matches whose players have not all been told to start, by their game.
    matches: Mutex<BTreeMap<u64, Sides>>,
    pub(crate) live: Live,
    phase: AtomicU8,
    measured_from_us: AtomicU64,
    settled: AtomicUsize,
    connected: AtomicI64,
    finals: AtomicUsize,
    missing: Vec<AtomicU64>,
    connections: AtomicUsize,
    errors: Mutex<BTreeMap<String, u64>>,
}

impl Run {
    fn new(plan: Plan) -> Run {
        let run_id = format!("{:08x}", rand::make_rng::<SmallRng>().random::<u32>());
        let sources = match plan.profile {
            Profile::Churn | Profile::Ice => plan.clients,
            _ => plan.hosts.max(1),
        };
        Run {
            clock: Clock::start(),
            schedule: Schedule::new(plan.rate, sources),
            markers: Markers::new(&run_id),
            game_info: Needle::new("\"game_info\""),
            boards: (0..plan.hosts).map(|_| Board::default()).collect(),
            parties: (0..plan.parties()).map(|_| PartyBoard::default()).collect(),
            matches: Mutex::default(),
            live: Live::new(plan.threads),
            phase: AtomicU8::new(Phase::Assemble as u8),
            measured_from_us: AtomicU64::new(u64::MAX),
            settled: AtomicUsize::new(0),
            connected: AtomicI64::new(0),
            finals: AtomicUsize::new(0),
            missing: (0..plan.threads)
                .map(|_| AtomicU64::new(u64::MAX))
                .collect(),
            connections: AtomicUsize::new(0),
            errors: Mutex::default(),
            plan,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Assemble,
            1 => Phase::Measure,
            2 => Phase::Finish,
            _ => Phase::Stop,
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.phase() == Phase::Stop
    }

    pub(crate) fn is_churn(&self) -> bool {
        self.plan.profile == Profile::Churn
    }

    /// Beginning of the measured phase; far away while it is not known.
    pub(crate) fn measured_from_us(&self) -> u64 {
        self.measured_from_us.load(Ordering::Acquire)
    }

    /// Whether load may be due at this time.
    pub(crate) fn is_measuring_at(&self, time_us: u64) -> bool {
        let from_us = self.measured_from_us();
        from_us <= time_us && time_us - from_us < self.plan.duration.as_micros() as u64
    }

    /// The newest change of each host.
    pub(crate) fn sent(&self) -> impl Iterator<Item = u32> + '_ {
        self.boards
            .iter()
            .map(|board| board.sent.load(Ordering::Acquire))
    }

    pub(crate) fn connected(&self, difference: i64) {
        self.connected.fetch_add(difference, Ordering::Relaxed);
    }

    /// A client is ready, or never will be.
    pub(crate) fn settle(&self) {
        self.settled.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn finals_sent(&self) {
        self.finals.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn report_missing(&self, thread: usize, missing: u64) {
        self.missing[thread].store(missing, Ordering::Release);
    }

    pub(crate) fn ping_every_us(&self) -> u64 {
        self.plan.ping_every.as_micros() as u64
    }

    pub(crate) fn churn_stay_us(&self) -> u64 {
        (self.schedule.period_us() / 2).min(MAX_CHURN_STAY_US)
    }

    /// One more player of a match is told to start; with the last one the match is forgotten.
    pub(crate) fn in_match<T>(
        &self,
        uid: u64,
        told: impl FnOnce(&mut Sides) -> Option<T>,
    ) -> Option<T> {
        let mut matches = self.matches.lock().unwrap_or_else(PoisonError::into_inner);
        let complete = told(matches.entry(uid).or_default());
        if complete.is_some() {
            matches.remove(&uid);
        }
        complete
    }

    /// Keeps a reason why something failed, for the report.
    pub(crate) fn record_error(&self, what: String) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() < MAX_ERRORS || errors.contains_key(&what) {
            *errors.entry(what).or_default() += 1;
        }
    }

    /// Where the next connection comes from. One address has some 28,000 ports for one server port; loopback has addresses
    /// in plenty.
    pub(crate) fn source_address(&self, server: SocketAddr) -> Option<Ipv4Addr> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let block = number / self.plan.per_address % SOURCE_ADDRESSES;
        matches!(server.ip(), IpAddr::V4(address) if address.is_loopback())
            .then(|| Ipv4Addr::new(127, 0, 1 + (block / 250) as u8, 1 + (block % 250) as u8))
    }
}

/// Runs the plan. An error means that there is nothing to report; everything else is in the report.
pub fn run(plan: Plan) -> anyhow::Result<Report> {
    raise_descriptor_limit(plan.clients as u64 + SPARE_DESCRIPTORS)?;
    let environment = Environment::here(command_line());
    let ports: Vec<u16> = plan
        .transports
        .iter()
        .map(|(_, address)| address.port())
        .collect();
    let local = plan
        .transports
        .iter()
        .all(|(_, address)| address.ip().is_loopback());
    let pid = plan
        .server_pid
        .or_else(|| local.then(|| procfs::listener(&ports)).flatten());
    let usage = || pid.and_then(Usage::of);

    let before = usage();
    let run = Arc::new(Run::new(plan));
    let threads: Vec<_> = (0..run.plan.threads)
        .map(|number| {
            let run = run.clone();
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || worker::work(run, number))
        })
        .collect::<Result<_, _>>()
        .context("cannot start a thread")?;

    let mut watch = Watch {
        run: &run,
        threads: &threads,
        next_line_us: 1_000_000 + LINE_AFTER_US,
    };
    let assembled = watch.assemble();
    let ready = usage();
    let connected = run.connected.load(Ordering::Relaxed);
    let measured_us = watch.measure(&assembled);
    let measured = usage();
    let most_connected = connected.max(run.connected.load(Ordering::Relaxed));
    watch.finish();
    let finished = usage();
    run.enter(Phase::Stop);

    let mut recorder = Recorder::default();
    for thread in threads {
        match thread.join() {
            Ok(outcome) => recorder.add(&outcome?),
            Err(_) => bail!("a thread of the load tester panicked"),
        }
    }
    if run.plan.profile == Profile::Ice {
        let counts = &mut recorder.counts;
        counts.lost += counts.ice_sent.saturating_sub(counts.ice_received);
    }
    let storms = matches!(run.plan.profile, Profile::Login | Profile::Churn);
    let server = ServerCost::new(
        pid,
        [before, ready, measured, finished],
        storms,
        most_connected,
        &recorder.counts,
    );
    let errors = std::mem::take(&mut *run.errors.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Report::new(
        &run.plan,
        environment,
        recorder,
        server,
        most_connected,
        measured_us,
        errors,
    ))
}

type Workers = [thread::JoinHandle<anyhow::Result<Recorder>>];

/// The main thread's view: waits for the phases to end and prints the live line.
struct Watch<'a> {
    run: &'a Run,
    threads: &'a Workers,
    next_line_us: u64,
}

impl Watch<'_> {
    /// Everybody signs in; the storm of the profile `login` is itself the measurement.
    fn assemble(&mut self) -> Assembled {
        let run = self.run;
        let plan = &run.plan;
        let began_us = run.clock.now_us();
        if plan.profile == Profile::Churn {
            return Assembled { began_us };
        }
        let ramp_s = plan.ramp.map_or(0.0, |ramp| plan.clients as f64 / ramp);
        let patience = if plan.profile == Profile::Login {
            plan.duration
        } else {
            plan.setup_timeout
        };
        self.wait(patience + Duration::from_secs_f64(ramp_s), || {
            run.settled.load(Ordering::Relaxed) >= plan.clients
        });
        Assembled { began_us }
    }

    /// The measured phase; gives its length.
    fn measure(&mut self, assembled: &Assembled) -> u64 {
        let run = self.run;
        if run.plan.profile == Profile::Login {
            return run.clock.now_us() - assembled.began_us;
        }
        let settle_us = if run.is_churn() {
            SETTLE_US / 10
        } else {
            SETTLE_US
        };
        run.measured_from_us
            .store(run.clock.now_us() + settle_us, Ordering::Release);
        run.enter(Phase::Measure);
        self.wait(run.plan.duration + Duration::from_micros(settle_us), || {
            false
        });
        run.plan.duration.as_micros() as u64
    }

    /// Waits for what is still under way.
    fn finish(&mut self) {
        let run = self.run;
        if run.plan.profile == Profile::Login {
            return;
        }
        run.enter(Phase::Finish);
        self.wait(run.plan.grace, || {
            run.finals.load(Ordering::Acquire) == run.plan.threads
                && run
                    .missing
                    .iter()
                    .all(|missing| missing.load(Ordering::Acquire) == 0)
        });
        if run.plan.profile == Profile::Ice {
            // IceMsg have no final one to wait for; a relay that needs longer than this has lost it.
            self.wait(run.plan.grace.min(Duration::from_secs(2)), || false);
        }
    }

    fn wait(&mut self, limit: Duration, done: impl Fn() -> bool) {
        let run = self.run;
        let until_us = run.clock.now_us() + limit.as_micros() as u64;
        while run.clock.now_us() < until_us
            && !done()
            && !self.threads.iter().any(thread::JoinHandle::is_finished)
        {
            thread::sleep(STEP);
            let now_us = run.clock.now_us();
            if now_us >= self.next_line_us {
                self.next_line_us = now_us / 1_000_000 * 1_000_000 + 1_000_000 + LINE_AFTER_US;
                if !run.plan.quiet {
                    let connected = run.connected.load(Ordering::Relaxed);
                    println!(
                        "{}",
                        run.live
                            .line(now_us / 1_000_000, run.phase().name(), connected)
                    );
                }
            }
        }
    }
}

struct Assembled {
    began_us: u64,
}

fn raise_descriptor_limit(wanted: u64) -> anyhow::Result<()> {
    let (soft, hard) = rlimit::Resource::NOFILE
        .get()
        .context("cannot read the descriptor limit")?;
    if soft >= wanted {
        return Ok(());
    }
    // Root may raise the hard limit as well.
    if rlimit::Resource::NOFILE
        .set(wanted, hard.max(wanted))
        .is_ok()
    {
        return Ok(());
    }
    rlimit::Resource::NOFILE
        .set(hard.min(wanted), hard)
        .context("cannot raise the descriptor limit")?;
    if hard < wanted {
        bail!(
            "{wanted} descriptors are needed and only {hard} allowed: raise the hard limit (ulimit -Hn)"
        );
    }
    Ok(())
}

/// The command line without the password.
fn command_line() -> String {
    let mut words = std::env::args();
    let mut line = Vec::new();
    while let Some(word) = words.next() {
        if word == "--password" {
            words.next();
        } else if !word.starts_with("--password=") {
            line.push(word);
        }
    }
    line.join(" ")
}
