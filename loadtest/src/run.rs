//! A run from the first connection to the verdict.
//!
//! assemble (the ramp; everybody signs in and gets ready) → measure (load on its schedule) → finish (last changes, and
//! patience for what has not come) → stop. The threads follow the phase; every wait has an end.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::fleet::{Link, Part};
use crate::live::Second;
use crate::machine::{self, Environment, Usage};
use crate::memory::MemoryCurve;
use crate::metrics::Recorder;
use crate::plan::{Plan, Workload};
use crate::protocol::{Outcome, Protocol};
use crate::report::{Report, ServerCost};
use crate::schedule::Clock;
use crate::shared::{Cut, Phase, Shared};
use crate::watching::{Display, Load, Status};
use crate::worker;

/// How often the run looks at its threads.
const STEP: Duration = Duration::from_millis(20);
/// Between everybody being ready and the first change: the broadcasts of the assembly pass by.
pub(crate) const SETTLE_US: u64 = 1_500_000;
/// The live line comes this long after the full second, when all threads have reported theirs.
const LINE_AFTER_US: u64 = 200_000;
/// How long the server may take to accept the first connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Descriptors besides one for each client.
const SPARE_DESCRIPTORS: u64 = 256;
/// What a thread does takes more than two microseconds.
const MOST_PER_THREAD: f64 = 5e5;
/// A client connects, says who it is and hears that it is let in, more than a round trip each.
const MOST_SIGN_INS: f64 = 1_000.0;
/// How often, and for how long, it is asked whether a server without clients is still there.
const KNOCK_US: u64 = 500_000;
const KNOCK_TIMEOUT: Duration = Duration::from_millis(50);
/// How often the server's memory is looked at while clients connect.
const GLANCE_US: u64 = 50_000;

/// Runs the plan. An error means that there is nothing to report; everything else is in the report.
pub fn run(plan: Plan) -> anyhow::Result<Report> {
    plan.protocol.clone().run(plan)
}

/// Runs the plan with the protocol it is for.
pub(crate) fn execute<P: Protocol>(plan: Plan, protocol: Arc<P>) -> anyhow::Result<Report> {
    prepare(&plan, plan.clients)?;
    let environment = Environment::here(command_line());
    let pid = server_process(&plan);
    let mut measured = measure(plan, protocol, Clock::start(), pid, None)?;
    let shared = &measured.shared;
    shared.protocol.conclude(&mut measured.recorder);
    let server = ServerCost::new(
        pid,
        measured.usage,
        shared.plan.workload != Workload::Steady,
        measured.memory,
        &measured.recorder.common,
    );
    let outcome = Outcome {
        recorder: &measured.recorder,
        server: &server,
        own_cpu_seconds: measured.own_cpu_seconds,
        cut: measured.why_cut(),
        measured_us: measured.measured_us,
        assembled_us: measured.assembled_us,
        connected: measured.connected,
        series: measured.series.clone(),
    };
    Ok(Report::new(
        &shared.plan,
        &*shared.protocol,
        environment,
        &outcome,
        shared.take_errors(),
    ))
}

/// Checks all that must be in order for so many clients of the plan to be run here.
pub(crate) fn prepare(plan: &Plan, clients: usize) -> anyhow::Result<()> {
    offerable(plan, clients)?;
    raise_descriptor_limit(clients as u64 + SPARE_DESCRIPTORS)?;
    reach(plan)
}

/// What this process's clients have found.
pub(crate) struct Measured<P: Protocol> {
    pub(crate) shared: Arc<Shared<P>>,
    pub(crate) recorder: Recorder<P::Metrics>,
    /// The server's process: before, ready, measured, finished.
    usage: [Option<Usage>; 4],
    memory: Result<f64, &'static str>,
    pub(crate) own_cpu_seconds: Option<f64>,
    pub(crate) measured_us: u64,
    pub(crate) assembled_us: u64,
    /// Clients connected at once.
    pub(crate) connected: i64,
    series: Vec<Second>,
}

impl<P: Protocol> Measured<P> {
    /// Why and when the run ended before its time, if it did.
    pub(crate) fn why_cut(&self) -> Option<String> {
        let began = self.shared.measured_from_us() != u64::MAX;
        let cut = self.shared.cut()?;
        Some(in_words(cut.words(), began.then_some(self.measured_us)))
    }
}

/// Runs the clients of this process from the first connection to the last; `part` is the run they have a share in.
pub(crate) fn measure<P: Protocol>(
    plan: Plan,
    protocol: Arc<P>,
    clock: Clock,
    pid: Option<u32>,
    part: Option<Part<'_>>,
) -> anyhow::Result<Measured<P>> {
    let usage = || pid.and_then(Usage::of);
    let before = usage();
    let shared = Arc::new(Shared::new(plan, protocol, clock));
    let threads = start(&shared)?;
    let mut watch = Watch {
        shared: &shared,
        threads: &threads,
        next_line_us: 1_000_000 + LINE_AFTER_US,
        pid,
        memory: MemoryCurve::default(),
        next_glance_us: 0,
        series: Vec::new(),
        usage: None,
        display: Display::open(&shared.plan.watching, &shared.plan.interrupt),
        phase_us: (0, 0),
        part,
    };
    let assembled_us = watch.assemble();
    let ready = usage();
    // The last looks while they connected may be a moment old.
    if let Some(usage) = ready {
        watch.memory.add(shared.connected(), usage.rss_bytes);
    }
    let own_before = own_cpu();
    let measured_us = watch.measure(assembled_us);
    let own_cpu_seconds = own_cpu().zip(own_before).map(|(to, from)| to - from);
    let measured = usage();
    watch.finish();
    let finished = usage();
    shared.enter(Phase::Stop);
    let Watch {
        memory,
        mut series,
        display,
        part,
        ..
    } = watch;
    let memory = memory.slope();
    // What is said from here on is said on the terminal as it was before.
    drop(display);

    let recorder = join::<P>(threads)?;
    // What the threads had not told yet.
    let at_s = shared.clock.now_us() as f64 / 1e6;
    let (last, latency) = shared.live.take_second(at_s, Phase::Stop.name(), 0);
    if let Some(mut part) = part {
        part.second(&shared, &last, &latency);
    }
    series.push(last);
    if let Some(Cut::Overloaded(why)) = shared.cut() {
        bail!("{why}");
    }
    let connected = shared.most_connected();
    Ok(Measured {
        shared,
        recorder,
        usage: [before, ready, measured, finished],
        memory,
        own_cpu_seconds,
        measured_us,
        assembled_us,
        connected,
        series,
    })
}

/// CPU seconds of this process.
fn own_cpu() -> Option<f64> {
    Usage::of(std::process::id()).map(|usage| usage.cpu_seconds)
}

/// Starts the threads with the clients.
fn start<P: Protocol>(shared: &Arc<Shared<P>>) -> anyhow::Result<Vec<Thread<P>>> {
    (0..shared.plan.threads)
        .map(|number| {
            let shared = shared.clone();
            thread::Builder::new()
                .name(format!("{}{number}", Load::CLIENTS))
                .spawn(move || worker::work(shared, number))
        })
        .collect::<Result<_, _>>()
        .context("cannot start a thread")
}

/// A rate beyond what threads can do whatever they do is a slip of the finger, and said before the first connection.
fn offerable(plan: &Plan, clients: usize) -> anyhow::Result<()> {
    let most = plan.threads as f64 * MOST_PER_THREAD;
    let share = clients as f64 / plan.clients as f64;
    ensure!(
        plan.rate * share <= most,
        "--rate {} cannot be offered: {} threads do not do more than {most} things a second",
        plan.rate,
        plan.threads
    );
    let each = plan.rate / plan.sources as f64;
    ensure!(
        plan.workload != Workload::Churn || each <= MOST_SIGN_INS,
        "--rate {} cannot be offered by {} clients: each would have to sign in {each:.0} times a second",
        plan.rate,
        plan.sources
    );
    Ok(())
}

type Thread<P> = thread::JoinHandle<anyhow::Result<Recorder<<P as Protocol>::Metrics>>>;

/// What all threads have measured, once they have ended.
fn join<P: Protocol>(threads: Vec<Thread<P>>) -> anyhow::Result<Recorder<P::Metrics>> {
    let mut recorder = Recorder::default();
    for thread in threads {
        match thread.join() {
            Ok(outcome) => recorder.merge(&outcome?),
            Err(_) => bail!("a thread of the load tester panicked"),
        }
    }
    Ok(recorder)
}

/// Makes sure that somebody listens before many clients try.
fn reach(plan: &Plan) -> anyhow::Result<()> {
    for server in &plan.servers {
        let address = server.address;
        let mut socket =
            TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).with_context(|| {
                let transport = server.transport;
                let transport = transport.to_lowercase();
                format!("no server for {transport} can be reached at {address}")
            })?;
        if let Some(tls) = &plan.tls {
            tls.try_out(&mut socket, CONNECT_TIMEOUT)?;
        }
    }
    Ok(())
}

/// Nobody listens any more.
fn refuses(plan: &Plan) -> bool {
    let mut servers = plan.servers.iter();
    servers.any(|server| {
        let answer = TcpStream::connect_timeout(&server.address, KNOCK_TIMEOUT);
        answer.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    })
}

/// Why and when a run ended before its time.
pub(crate) fn in_words(what: &str, measured_us: Option<u64>) -> String {
    let Some(measured_us) = measured_us else {
        return format!("{what} before anything was measured");
    };
    let seconds = measured_us as f64 / 1e6;
    format!("{what} {seconds:.1} s after the beginning of the measured phase")
}

/// The server's process, if it is known or can be found on this machine.
pub(crate) fn server_process(plan: &Plan) -> Option<u32> {
    let addresses = || plan.servers.iter().map(|server| server.address);
    let local = addresses().all(|address| address.ip().is_loopback());
    // Several with one transport are several processes, and one of them says nothing of the others.
    let transports: BTreeSet<&str> = plan.servers.iter().map(|server| server.transport).collect();
    let local = local && transports.len() == plan.servers.len();
    plan.server_pid.or_else(|| {
        let ports: Vec<u16> = addresses().map(|address| address.port()).collect();
        local.then(|| machine::listener(&ports)).flatten()
    })
}

/// The main thread's view: waits for the phases to end and prints the live line.
struct Watch<'a, 'l, P: Protocol> {
    shared: &'a Shared<P>,
    threads: &'a [Thread<P>],
    next_line_us: u64,
    /// The server's process.
    pid: Option<u32>,
    memory: MemoryCurve,
    next_glance_us: u64,
    series: Vec<Second>,
    /// What the server had used by the last second.
    usage: Option<(f64, Usage)>,
    display: Display,
    /// Beginning of what is waited for, and its end at the latest.
    phase_us: (u64, u64),
    /// Who leads, if these are only a share of the run's clients.
    part: Option<Part<'l>>,
}

impl<P: Protocol> Watch<'_, '_, P> {
    /// Everybody signs in and gets ready; gives how long it took.
    fn assemble(&mut self) -> u64 {
        let shared = self.shared;
        let plan = &shared.plan;
        let began_us = shared.clock.now_us();
        let patience = match plan.workload {
            Workload::Churn => return 0,
            Workload::SignIn => plan.duration,
            Workload::Steady => plan.setup_timeout,
        };
        let ramp_s = plan.ramp.map_or(0.0, |ramp| plan.clients as f64 / ramp);
        self.wait(patience + Duration::from_secs_f64(ramp_s), || {
            shared.all_settled() || shared.cut().is_some()
        });
        shared.clock.now_us() - began_us
    }

    /// The measured phase; gives its length. A login storm has been measured already.
    fn measure(&mut self, assembled_us: u64) -> u64 {
        let shared = self.shared;
        let settle_us = match shared.plan.workload {
            Workload::SignIn => {
                self.stay();
                return assembled_us;
            }
            Workload::Churn => SETTLE_US / 10,
            Workload::Steady => SETTLE_US,
        };
        let Some(from_us) = self.agree(settle_us) else {
            return 0;
        };
        shared.measure_from(from_us);
        let length_us = from_us.saturating_sub(shared.clock.now_us());
        let length = shared.plan.duration + Duration::from_micros(length_us);
        let link = self.part.as_ref().map(|part| part.link);
        let steady = shared.plan.workload == Workload::Steady;
        let mut next_knock_us = 0;
        self.wait(length, || {
            let begun = shared.clock.now_us() >= shared.measured_from_us();
            shared.plan.measuring.store(begun, Ordering::Relaxed);
            // Clients of a churn come and go: that none is there says nothing yet.
            let now_us = shared.clock.now_us();
            let gone = if steady {
                shared.is_server_gone()
            } else if shared.connected() == 0 && now_us >= next_knock_us {
                next_knock_us = now_us + KNOCK_US;
                refuses(&shared.plan)
            } else {
                false
            };
            if gone {
                shared.cut_short(Cut::ServerGone);
            }
            shared.cut().is_some() || link.is_some_and(Link::is_over)
        });
        shared.stop_measuring()
    }

    /// Clients that have signed in stay until those of all workers have.
    fn stay(&mut self) {
        let shared = self.shared;
        if let Some(part) = &self.part {
            part.ready(shared.connected());
            let link = part.link;
            self.wait(Duration::MAX, || {
                link.is_stopped() || shared.cut().is_some()
            });
        }
    }

    /// When the measured phase begins: soon, or when all other workers are ready as well.
    fn agree(&mut self, settle_us: u64) -> Option<u64> {
        let shared = self.shared;
        let Some(part) = &self.part else {
            let somebody = shared.plan.workload == Workload::Steady && shared.plan.at_start() > 0;
            let nobody = somebody && shared.connected() == 0;
            let begins = !nobody && shared.cut().is_none();
            return begins.then(|| shared.clock.now_us() + settle_us);
        };
        part.ready(shared.connected());
        let link = part.link;
        self.wait(Duration::MAX, || {
            link.measured_from_us().is_some() || link.is_over() || shared.cut().is_some()
        });
        let from_us = link.measured_from_us()?;
        shared.cut().is_none().then_some(from_us)
    }

    /// Waits for what is still under way.
    fn finish(&mut self) {
        let shared = self.shared;
        if let Some(part) = &mut self.part {
            // Why it has come to this, before all else.
            part.follow(shared);
        }
        let measured = shared.measured_from_us() != u64::MAX;
        let hopeless = shared.cut().is_some_and(Cut::is_final);
        if !measured || hopeless {
            return;
        }
        shared.enter(Phase::Finish);
        if let Some(part) = &self.part {
            let link = part.link;
            // How long, whoever leads decides: others may still wait for what the clients here have.
            return self.wait(Duration::MAX, || {
                link.is_stopped() || shared.cut().is_some_and(Cut::is_final)
            });
        }
        let grace = shared.plan.grace;
        self.wait(grace, || shared.is_complete() || shared.is_server_gone());
        self.wait(grace.min(shared.protocol.drain()), || false);
    }

    /// Keeps what has happened since the second before.
    fn second(&mut self, phase: Phase) {
        let shared = self.shared;
        let at_s = shared.clock.now_us() as f64 / 1e6;
        let usage = self.pid.and_then(Usage::glance);
        let (mut second, latency) = shared
            .live
            .take_second(at_s, phase.name(), shared.connected());
        if let Some(part) = &mut self.part {
            part.second(shared, &second, &latency);
        }
        second.server_rss_bytes = usage.map(|usage| usage.rss_bytes);
        second.server_cpu = usage.zip(self.usage).map(|(now, (then_s, then))| {
            (now.cpu_seconds - then.cpu_seconds) / (at_s - then_s).max(1e-3)
        });
        self.usage = usage.map(|usage| (at_s, usage));
        self.series.push(second);
    }

    /// Shows where the run is to whoever watches it.
    fn show(&mut self) {
        let shared = self.shared;
        let plan = &shared.plan;
        let watched = plan.watching.wants_totals();
        let totals = shared.live.totals();
        let (from_us, until_us) = self.phase_us;
        let left_us = until_us.saturating_sub(shared.clock.now_us());
        let status = Status {
            heading: &plan.heading(),
            left: Duration::from_micros(left_us),
            length: Duration::from_micros(until_us - from_us),
            clients: plan.clients,
            series: &self.series,
            totals: &totals,
            errors: &shared.errors(),
            threads: &if watched {
                Load::of_threads()
            } else {
                Vec::new()
            },
            server_cpu_s: self.usage.map(|(_, usage)| usage.cpu_seconds),
        };
        if plan.watching.metrics_address.is_some() {
            plan.exposition.publish(status.exposition());
        }
        self.display.show(&status);
    }

    fn wait(&mut self, limit: Duration, mut done: impl FnMut() -> bool) {
        let shared = self.shared;
        let from_us = shared.clock.now_us();
        let limit_us = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        let until_us = from_us.saturating_add(limit_us);
        self.phase_us = (from_us, until_us);
        while shared.clock.now_us() < until_us
            && !done()
            && !self.threads.iter().any(thread::JoinHandle::is_finished)
        {
            thread::sleep(STEP);
            self.display.poll();
            if shared.plan.interrupt.load(Ordering::Relaxed) {
                shared.cut_short(Cut::Interrupted);
            }
            if let Some(part) = &mut self.part {
                part.follow(shared);
            }
            let now_us = shared.clock.now_us();
            if shared.phase() == Phase::Assemble && now_us >= self.next_glance_us {
                self.next_glance_us = now_us + GLANCE_US;
                if let Some(usage) = self.pid.and_then(Usage::glance) {
                    self.memory.add(shared.connected(), usage.rss_bytes);
                }
            }
            if now_us >= self.next_line_us {
                self.next_line_us = now_us / 1_000_000 * 1_000_000 + 1_000_000 + LINE_AFTER_US;
                self.second(shared.phase());
                self.show();
            }
        }
    }
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
pub(crate) fn command_line() -> String {
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
