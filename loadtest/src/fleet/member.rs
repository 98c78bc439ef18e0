//! A worker: runs its share of a run's clients, in step with the others, and gives away what it has found.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Parser as _;
use hdrhistogram::Histogram;

use super::lead::fingerprint;
use super::link::{Link, Order};
use super::messages::{Findings, Prepared, SecondOf, ToLead};
use super::snapshot::Snapshot;
use super::{Joining, Share};
use crate::cli::{Command, CommandLine};
use crate::figures;
use crate::live::Second;
use crate::machine::Environment;
use crate::plan::Plan;
use crate::protocol::Protocol;
use crate::report::lateness;
use crate::run;
use crate::schedule::Clock;
use crate::shared::{Cut, Phase, Shared};
use crate::watching::{Load, Watching};

/// Between two attempts to reach whoever leads.
const RETRY: Duration = Duration::from_millis(200);
/// How often it is told how many clients are connected, while they connect.
const CONNECTED_EVERY_US: u64 = 50_000;

/// Name of this machine.
pub(super) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// Takes part in a run, from joining to the end.
pub(super) fn join(joining: &Joining, interrupt: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let link = reach(joining, interrupt)?;
    let done = take_part(&link, interrupt);
    if let Err(error) = &done {
        link.send(&ToLead::Failed {
            why: format!("{error:#}"),
        });
    }
    link.close();
    done
}

/// Whoever leads may be started a moment later.
fn reach(joining: &Joining, interrupt: &AtomicBool) -> anyhow::Result<Arc<Link>> {
    let until = Instant::now() + joining.wait;
    loop {
        match Link::open(joining.lead, &joining.secret) {
            Err(error) if error.is::<std::io::Error>() && Instant::now() < until => {
                ensure!(!interrupt.load(Ordering::Relaxed), "interrupted");
                thread::sleep(RETRY);
            }
            outcome => return outcome,
        }
    }
}

fn take_part(link: &Link, interrupt: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let order = link.order(interrupt)?;
    let mut plan = understand(&order)?;
    plan.interrupt = interrupt.clone();
    println!(
        "{}\nworker {} of {}",
        plan.heading(),
        order.number + 1,
        order.of
    );
    plan.protocol.clone().take_part(plan, link)?;
    link.received(interrupt)
}

/// The plan that whoever leads has in mind, and this process's share in it.
fn understand(order: &Order) -> anyhow::Result<Plan> {
    let words = iter::once("swarm");
    let words = words.chain(order.words.iter().map(String::as_str));
    let line = CommandLine::try_parse_from(words)?;
    let mut plan = match line.command {
        Command::Run(arguments) => arguments.plan()?,
        Command::Replay(mut arguments) => arguments.plan()?,
        _ => anyhow::bail!("the order is no run"),
    };
    ensure!(order.number < order.of, "the order makes no sense");
    // Whoever leads shows the run.
    plan.watching = Watching {
        metrics_address: None,
        plain: true,
        ..plan.watching
    };
    plan.share = Some(Share {
        number: order.number,
        of: order.of,
    });
    Ok(plan)
}

/// Runs the share with the protocol it is for, and tells what it has found.
pub(crate) fn run_share<P: Protocol>(
    mut plan: Plan,
    protocol: Arc<P>,
    link: &Link,
) -> anyhow::Result<()> {
    let clients = plan.own_clients(&*protocol).len();
    ensure!(clients > 0, "there are no clients for this worker");
    plan.threads = plan.threads.min(clients);
    run::prepare(&plan, clients)?;
    let environment = Environment::here(run::command_line());
    link.send(&ToLead::Prepared(Box::new(Prepared {
        fingerprint: fingerprint(&plan),
        clients,
        threads: plan.threads,
        environment: serde_json::to_value(environment)?,
    })));
    let start = link.beginning(&plan.interrupt)?;
    thread::sleep(start.saturating_duration_since(Instant::now()));
    let part = Part::new(link, plan.share.context("a worker has a share")?);
    let measured = run::measure(plan, protocol, Clock::starting(start), None, Some(part))?;
    let shared = &measured.shared;
    if let Some(Cut::Dismissed(why)) = shared.cut()
        && link.gone().is_some()
    {
        anyhow::bail!("{why}");
    }
    link.send(&ToLead::Found(Box::new(Findings {
        snapshot: Snapshot::of(&measured.recorder),
        errors: shared.take_errors(),
        own_cpu_seconds: measured.own_cpu_seconds,
        measured_us: measured.measured_us,
        assembled_us: measured.assembled_us,
        connected: measured.connected,
        lateness: lateness(
            &shared.plan,
            &measured.recorder.common,
            measured.own_cpu_seconds,
            measured.measured_us,
        ),
        offset: link.offset(),
    })));
    Ok(())
}

/// This process's part in the run, as its main thread sees it: tells whoever leads how far it is, and does what that says.
pub(crate) struct Part<'a> {
    pub(crate) link: &'a Link,
    share: Share,
    next_connected_us: u64,
    cut: bool,
    finished: bool,
    /// It is known what the clients of all have done.
    informed: bool,
    complete: bool,
}

impl<'a> Part<'a> {
    fn new(link: &'a Link, share: Share) -> Part<'a> {
        Part {
            link,
            share,
            next_connected_us: 0,
            cut: false,
            finished: false,
            informed: false,
            complete: false,
        }
    }

    /// All clients are ready, or never will be.
    pub(crate) fn ready(&self, connected: i64) {
        self.link.send(&ToLead::Ready { connected });
    }

    /// Tells what there is to tell, and does what is to be done.
    pub(crate) fn follow<P: Protocol>(&mut self, shared: &Shared<P>) {
        if let Some(why) = self.link.gone() {
            shared.cut_short(Cut::Dismissed(why));
        } else if self.link.is_stopped() && shared.phase() != Phase::Finish {
            let why = "ended by whoever leads the run";
            shared.cut_short(Cut::Dismissed(why.to_owned()));
        }
        if let Some(cut) = shared.cut()
            && !std::mem::replace(&mut self.cut, true)
            && !matches!(cut, Cut::Dismissed(_) | Cut::Overloaded(_))
        {
            self.link.send(&ToLead::Cut {
                why: cut.words().to_owned(),
                hopeless: cut.is_final(),
            });
        }
        while let Some((tally, complete)) = self.link.next_tally() {
            shared.learn(self.share, &tally);
            self.informed |= complete;
        }
        match shared.phase() {
            Phase::Assemble => self.connected(shared),
            Phase::Finish => self.finish(shared),
            Phase::Measure | Phase::Stop => {}
        }
    }

    fn connected<P: Protocol>(&mut self, shared: &Shared<P>) {
        let now_us = shared.clock.now_us();
        if now_us >= self.next_connected_us {
            self.next_connected_us = now_us + CONNECTED_EVERY_US;
            let now = shared.connected();
            self.link.send(&ToLead::Connected { now });
        }
    }

    /// Once the clients have made their last changes, others may know how many there were; once all have, it is known here for
    /// what to wait.
    fn finish<P: Protocol>(&mut self, shared: &Shared<P>) {
        if shared.all_finished() && !std::mem::replace(&mut self.finished, true) {
            let tally = shared.protocol.tally(&shared.state, self.share);
            self.link.send(&ToLead::Finished { tally });
        }
        if self.informed && !self.complete && shared.is_complete() {
            self.complete = true;
            self.link.send(&ToLead::Complete);
        }
    }

    /// Tells of a second that has passed, and of all that has been measured so far.
    pub(crate) fn second<P: Protocol>(
        &mut self,
        shared: &Shared<P>,
        second: &Second,
        latency: &Histogram<u64>,
    ) {
        let own = second.own.iter().map(|(_, count)| *count);
        let loads = Load::of_threads().into_iter();
        let loads = loads.filter(|load| load.name.starts_with(Load::CLIENTS));
        self.link.send(&ToLead::Second(Box::new(SecondOf {
            at_s: second.at_s,
            phase: second.phase.to_owned(),
            connected: second.connected,
            due: second.due,
            logins: second.logins,
            deliveries: second.deliveries,
            bytes_in: second.bytes_in,
            errors: second.errors,
            own: own.collect(),
            // Into memory, which does not fail.
            latency: figures::encode_fast(latency).unwrap_or_default(),
            tally: shared.protocol.tally(&shared.state, self.share),
            pieces: shared.protocol.pieces(&shared.state),
            snapshots: shared.snapshots(),
            reasons: shared.errors().into_iter().collect(),
            threads: loads.map(|load| load.seconds).collect(),
        })));
    }
}
