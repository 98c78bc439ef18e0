//! A run from the first connection to the verdict.
//!
//! assemble (the ramp; everybody signs in and gets ready) → measure (load on its schedule) → finish (last changes, and
//! patience for what has not come) → stop. The threads follow the phase; every wait has an end.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::metrics::Recorder;
use crate::plan::{Plan, Workload};
use crate::procfs::{self, Environment, Usage};
use crate::protocol::{Outcome, Protocol};
use crate::report::{Report, ServerCost};
use crate::shared::{Phase, Shared};
use crate::worker;

/// How often the run looks at its threads.
const STEP: Duration = Duration::from_millis(20);
/// Between everybody being ready and the first change: the broadcasts of the assembly pass by.
const SETTLE_US: u64 = 1_500_000;
/// The live line comes this long after the full second, when all threads have reported theirs.
const LINE_AFTER_US: u64 = 200_000;
/// Descriptors besides one for each client.
const SPARE_DESCRIPTORS: u64 = 256;

/// Runs the plan. An error means that there is nothing to report; everything else is in the report.
pub fn run(plan: Plan) -> anyhow::Result<Report> {
    plan.protocol.clone().run(plan)
}

/// Runs the plan with the protocol it is for.
pub(crate) fn execute<P: Protocol>(plan: Plan, protocol: Arc<P>) -> anyhow::Result<Report> {
    raise_descriptor_limit(plan.clients as u64 + SPARE_DESCRIPTORS)?;
    let environment = Environment::here(command_line());
    let pid = server_process(&plan);
    let usage = || pid.and_then(Usage::of);

    let before = usage();
    let shared = Arc::new(Shared::new(plan, protocol));
    let threads: Vec<_> = (0..shared.plan.threads)
        .map(|number| {
            let shared = shared.clone();
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || worker::work(shared, number))
        })
        .collect::<Result<_, _>>()
        .context("cannot start a thread")?;

    let mut watch = Watch {
        shared: &shared,
        threads: &threads,
        next_line_us: 1_000_000 + LINE_AFTER_US,
    };
    let assembled_us = watch.assemble();
    let ready = usage();
    let connected = shared.connected();
    let measured_us = watch.measure(assembled_us);
    let measured = usage();
    let connected = connected.max(shared.connected());
    watch.finish();
    let finished = usage();
    shared.enter(Phase::Stop);

    let mut recorder = Recorder::default();
    for thread in threads {
        match thread.join() {
            Ok(outcome) => recorder.merge(&outcome?),
            Err(_) => bail!("a thread of the load tester panicked"),
        }
    }
    shared.protocol.conclude(&mut recorder);
    let server = ServerCost::new(
        pid,
        [before, ready, measured, finished],
        shared.plan.workload != Workload::Steady,
        connected,
        &recorder.common,
    );
    let outcome = Outcome {
        recorder: &recorder,
        server: &server,
        measured_us,
        assembled_us,
        connected,
    };
    Ok(Report::new(
        &shared.plan,
        &*shared.protocol,
        environment,
        &outcome,
        shared.take_errors(),
    ))
}

/// The server's process, if it is known or can be found on this machine.
fn server_process(plan: &Plan) -> Option<u32> {
    let addresses = || plan.servers.iter().map(|server| server.address);
    let local = addresses().all(|address| address.ip().is_loopback());
    plan.server_pid.or_else(|| {
        let ports: Vec<u16> = addresses().map(|address| address.port()).collect();
        local.then(|| procfs::listener(&ports)).flatten()
    })
}

/// The main thread's view: waits for the phases to end and prints the live line.
struct Watch<'a, P: Protocol> {
    shared: &'a Shared<P>,
    threads: &'a [thread::JoinHandle<anyhow::Result<Recorder<P::Metrics>>>],
    next_line_us: u64,
}

impl<P: Protocol> Watch<'_, P> {
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
            shared.all_settled()
        });
        shared.clock.now_us() - began_us
    }

    /// The measured phase; gives its length. A login storm has been measured already.
    fn measure(&mut self, assembled_us: u64) -> u64 {
        let shared = self.shared;
        let settle_us = match shared.plan.workload {
            Workload::SignIn => return assembled_us,
            Workload::Churn => SETTLE_US / 10,
            Workload::Steady => SETTLE_US,
        };
        shared.measure_from(shared.clock.now_us() + settle_us);
        let length = shared.plan.duration + Duration::from_micros(settle_us);
        self.wait(length, || false);
        shared.plan.duration.as_micros() as u64
    }

    /// Waits for what is still under way.
    fn finish(&mut self) {
        let shared = self.shared;
        if shared.plan.workload == Workload::SignIn {
            return;
        }
        shared.enter(Phase::Finish);
        let grace = shared.plan.grace;
        self.wait(grace, || shared.is_complete());
        self.wait(grace.min(shared.protocol.drain()), || false);
    }

    fn wait(&mut self, limit: Duration, done: impl Fn() -> bool) {
        let shared = self.shared;
        let until_us = shared.clock.now_us() + limit.as_micros() as u64;
        while shared.clock.now_us() < until_us
            && !done()
            && !self.threads.iter().any(thread::JoinHandle::is_finished)
        {
            thread::sleep(STEP);
            let now_us = shared.clock.now_us();
            if now_us >= self.next_line_us {
                self.next_line_us = now_us / 1_000_000 * 1_000_000 + 1_000_000 + LINE_AFTER_US;
                if !shared.plan.quiet {
                    let (seconds, phase) = (now_us / 1_000_000, shared.phase().name());
                    println!("{}", shared.live.line(seconds, phase, shared.connected()));
                }
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
