//! Whoever leads a run: waits for its workers, has all of them begin, measure and finish at the same time, and makes one report
//! of what they have found.
//!
//! gather → prepare → assemble → measure → finish → stop, as a run on one machine. A worker that is lost fails the run; what it
//! had told stays, and the others bring theirs to an end.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use super::crew::{Crew, Member, News, Standing};
use super::door::Gathering;
use super::merge::Seconds;
use super::messages::{SecondOf, ToLead, ToWorker};
use crate::live::Second;
use crate::machine::{Environment, Usage};
use crate::memory::MemoryCurve;
use crate::metrics::Recorder;
use crate::plan::{Accounts, Plan, Workload};
use crate::protocol::{Outcome, Protocol};
use crate::report::{Report, ServerCost};
use crate::run::{self, SETTLE_US, in_words};
use crate::schedule::Clock;
use crate::totals::Totals;
use crate::watching::{Display, Load, Status};

/// How long workers may take to read their orders and reach the server.
const PREPARE: Duration = Duration::from_secs(30);
/// Between the order to begin and the beginning, which must have come to all by then.
const BEGIN_IN: Duration = Duration::from_millis(500);
/// Likewise of the measured phase of a churn.
const CHURN_SETTLE_US: u64 = 500_000;
/// Workers have a patience of their own while their clients assemble; this much later it is over here as well.
const MARGIN: Duration = Duration::from_secs(10);
/// How long workers may take to tell what they have found.
const FINDINGS: Duration = Duration::from_secs(20);
/// How often it is looked what else there is to do.
const LOOK: Duration = Duration::from_millis(10);
/// Most numbers of a tally.
const MOST_NUMBERS: usize = 4 << 20;

/// What must be the same everywhere for a run to make sense: two workers could read different scenarios or accounts, say.
pub(super) fn fingerprint(plan: &Plan) -> String {
    use sha2::{Digest as _, Sha256};
    let accounts = match &plan.accounts {
        Accounts::Numbered { .. } => "numbered".to_owned(),
        Accounts::Listed(list) => format!("{list:?}"),
    };
    let all = (
        (&plan.run_id, plan.clients, plan.rate, plan.sources),
        (plan.duration, plan.workload, plan.ramp, plan.seed),
        (plan.protocol.latencies(), &plan.protocol, accounts),
        &plan.scenario.text,
    );
    let digest = Sha256::digest(format!("{all:?}").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Leads the run of this plan.
pub(crate) fn run<P: Protocol>(
    plan: Plan,
    protocol: Arc<P>,
    gathering: Gathering,
) -> anyhow::Result<Report> {
    let (count, words) = (gathering.count, gathering.words.clone());
    println!("waiting for {count} workers at {}", gathering.address()?);
    let crew = gathering.gather(&plan.interrupt)?;
    let environment = Environment::here(run::command_line());
    let pid = run::server_process(&plan);
    let mut lead = Lead::<P>::new(plan, protocol, crew, pid);
    lead.prepare(&words)?;
    let usage = || pid.and_then(Usage::of);
    let before = usage();
    lead.begin();
    lead.assemble()?;
    let ready = usage();
    lead.measure()?;
    let measured = usage();
    lead.finish()?;
    let finished = usage();
    lead.stop()?;
    lead.report(environment, [before, ready, measured, finished])
}

/// Why the run ends before its time.
struct Cut {
    why: String,
    /// Nothing is worth waiting for any more.
    hopeless: bool,
    /// How much of the measured phase had passed.
    measured_us: Option<u64>,
}

struct Lead<P: Protocol> {
    plan: Plan,
    protocol: Arc<P>,
    crew: Crew,
    /// The run's; that of the crew until it begins.
    clock: Clock,
    begun: Instant,
    measured_from_us: Option<u64>,
    cut: Option<Cut>,
    /// Why there will be nothing to report.
    failed: Option<String>,
    tally: Vec<u64>,
    /// What no worker knows alone, and what has come of it.
    state: P::State,
    together: Recorder<P::Metrics>,
    seconds: Seconds,
    /// The server's process.
    pid: Option<u32>,
    memory: MemoryCurve,
    usage: Option<(f64, Usage)>,
    /// Once the run begins.
    display: Option<Display>,
    /// The seconds that were shown.
    shown: Vec<Second>,
    /// When what is waited for began, and when it ends at the latest.
    wait: (Instant, Option<Instant>),
    /// Who was lost, in words.
    losses: Vec<String>,
}

impl<P: Protocol> Lead<P> {
    fn new(plan: Plan, protocol: Arc<P>, crew: Crew, pid: Option<u32>) -> Lead<P> {
        let own = P::live(&P::Metrics::default()).into_iter();
        let begun = Instant::now();
        Lead {
            state: protocol.state(&plan),
            together: Recorder::of(&plan.scenario.own),
            plan,
            protocol,
            crew,
            clock: Clock::starting(begun),
            begun,
            measured_from_us: None,
            cut: None,
            failed: None,
            tally: Vec::new(),
            seconds: Seconds::new(own.map(|(name, _)| name).collect()),
            pid,
            memory: MemoryCurve::default(),
            usage: None,
            display: None,
            shown: Vec::new(),
            wait: (begun, None),
            losses: Vec::new(),
        }
    }

    /// Every worker gets its share, and must be able to run it.
    fn prepare(&mut self, words: &[String]) -> anyhow::Result<()> {
        let of = self.crew.members.len();
        for member in &self.crew.members {
            member.send(&ToWorker::Prepare {
                number: member.number,
                of,
                words: words.to_vec(),
            });
        }
        let all = |crew: &Crew| crew.members.iter().all(|member| member.prepared.is_some());
        self.hear_until(Some(PREPARE), |lead| all(&lead.crew) || lead.cut.is_some())?;
        let mut members = self.crew.members.iter();
        let lost = members.find_map(|member| Some((member.name(), member.lost.as_ref()?)));
        let why = match (lost, &self.cut) {
            (Some((name, loss)), _) => {
                format!("{name} was lost before the run began: {}", loss.why)
            }
            (None, Some(cut)) => cut.why.clone(),
            (None, None) if !all(&self.crew) => "not all workers could prepare in time".to_owned(),
            (None, None) => return self.agree(),
        };
        self.abort(why)
    }

    /// All must have the same plan.
    fn agree(&self) -> anyhow::Result<()> {
        let own = fingerprint(&self.plan);
        for member in &self.crew.members {
            let told = member.prepared.as_ref();
            if told.is_none_or(|told| told.fingerprint != own) {
                let name = member.name();
                return self.abort(format!(
                    "{name} understands the options otherwise: files that they name must be the same on all machines"
                ));
            }
        }
        Ok(())
    }

    fn abort(&self, why: String) -> anyhow::Result<()> {
        self.crew.tell(&ToWorker::Abort { why: why.clone() });
        bail!("{why}")
    }

    fn begin(&mut self) {
        self.begun = Instant::now() + BEGIN_IN;
        self.clock = Clock::starting(self.begun);
        let at_us = self.begun.duration_since(self.crew.base()).as_micros() as u64;
        self.crew.members.iter_mut().for_each(Member::begin);
        self.crew.tell(&ToWorker::Begin { at_us });
        let plan = &self.plan;
        self.display = Some(Display::open(&plan.watching, &plan.interrupt));
    }

    /// Everybody signs in and gets ready.
    fn assemble(&mut self) -> anyhow::Result<()> {
        let plan = &self.plan;
        let patience = match plan.workload {
            Workload::Churn => Duration::ZERO,
            Workload::SignIn => plan.duration,
            Workload::Steady => plan.setup_timeout,
        };
        let ramp_s = plan.ramp.map_or(0.0, |ramp| plan.clients as f64 / ramp);
        let patience = BEGIN_IN + patience + Duration::from_secs_f64(ramp_s) + MARGIN;
        let ready = |lead: &Lead<P>| lead.crew.living().all(|member| member.ready);
        self.hear_until(Some(patience), |lead| ready(lead) || lead.cut.is_some())?;
        if self.cut.is_none() && !ready(self) {
            self.cut_short("not all workers were ready in time".to_owned(), true);
        }
        Ok(())
    }

    /// The measured phase, which begins and ends everywhere at the same time. A login storm has been measured already.
    fn measure(&mut self) -> anyhow::Result<()> {
        let settle_us = match self.plan.workload {
            Workload::SignIn => return Ok(()),
            Workload::Churn => CHURN_SETTLE_US,
            Workload::Steady => SETTLE_US,
        };
        let connected = self.crew.members.iter().map(|member| member.connected);
        let nobody = self.plan.workload == Workload::Steady && connected.sum::<i64>() == 0;
        if nobody || self.cut.is_some() {
            return Ok(());
        }
        self.tell_tally(false);
        let from_us = self.clock.now_us() + settle_us;
        self.measured_from_us = Some(from_us);
        self.crew.tell(&ToWorker::Measure { from_us });
        let length = Duration::from_micros(settle_us) + self.plan.duration;
        self.hear_until(Some(length), |lead| {
            let begun = lead.clock.now_us() >= from_us;
            lead.plan.measuring.store(begun, Ordering::Relaxed);
            lead.cut.is_some() || lead.crew.living().next().is_none()
        })
    }

    /// Waits for what is still under way: first for what there was in all, then for everybody to have it.
    fn finish(&mut self) -> anyhow::Result<()> {
        let hopeless = self.cut.as_ref().is_some_and(|cut| cut.hopeless);
        if self.measured_from_us.is_none() || hopeless {
            return Ok(());
        }
        if self.cut.is_some() {
            self.crew.tell(&ToWorker::Finish);
        }
        let ended = Instant::now();
        let grace = self.plan.grace;
        let hopeless = |lead: &Lead<P>| lead.cut.as_ref().is_some_and(|cut| cut.hopeless);
        self.hear_until(Some(grace), |lead| {
            hopeless(lead) || lead.crew.living().all(|member| member.finished)
        })?;
        self.tell_tally(true);
        let left = grace.saturating_sub(ended.elapsed());
        self.hear_until(Some(left), |lead| {
            hopeless(lead) || lead.crew.living().all(|member| member.complete)
        })?;
        let drain = grace.min(self.protocol.drain());
        self.hear_until(Some(drain), hopeless)
    }

    /// The end: everybody tells what he has found.
    fn stop(&mut self) -> anyhow::Result<()> {
        self.crew.tell(&ToWorker::Stop);
        self.hear_until(Some(FINDINGS), |lead| lead.crew.living().next().is_none())?;
        for index in 0..self.crew.members.len() {
            if self.crew.members[index].is_living() {
                self.crew
                    .lose(index, "it has not told what it has found".to_owned());
                self.say_lost(index);
            }
        }
        // What is said from here on is said on the terminal as it was before.
        self.display = None;
        Ok(())
    }

    fn tell_tally(&self, complete: bool) {
        self.crew.tell(&ToWorker::Tally {
            numbers: self.tally.clone(),
            complete,
        });
    }

    /// Hears what workers say, until something is so, or for so long.
    fn hear_until(
        &mut self,
        limit: Option<Duration>,
        mut done: impl FnMut(&Lead<P>) -> bool,
    ) -> anyhow::Result<()> {
        let now = Instant::now();
        let until = limit.map(|limit| now + limit);
        self.wait = (now, until);
        while !done(self) && until.is_none_or(|until| Instant::now() < until) {
            match self.crew.next(LOOK) {
                Some((index, News::Said(said))) => self.hear(index, said),
                Some((index, News::Lost)) => {
                    self.say_lost(index);
                    // The others bring theirs to an end.
                    self.cut_short(String::new(), false);
                }
                None => {}
            }
            if self.plan.interrupt.load(Ordering::Relaxed) {
                self.cut_short("interrupted".to_owned(), false);
            }
            if let Some(display) = &mut self.display {
                display.poll();
            }
            self.show_seconds();
            if let Some(why) = self.failed.take() {
                return self.abort(why);
            }
        }
        Ok(())
    }

    fn hear(&mut self, index: usize, said: ToLead) {
        let member = &mut self.crew.members[index];
        let name = member.name();
        match said {
            ToLead::Prepared(prepared) => member.prepared = Some(*prepared),
            ToLead::Connected { now } => {
                member.connected = now;
                self.glance();
            }
            ToLead::Ready { connected } => {
                (member.ready, member.connected) = (true, connected);
            }
            ToLead::Second(told) => {
                if let Err(error) = self.second(index, *told) {
                    self.crew
                        .lose(index, format!("it talks nonsense ({error:#})"));
                    self.say_lost(index);
                    self.cut_short(String::new(), false);
                }
            }
            ToLead::Finished { tally } => {
                member.finished = true;
                self.add_tally(&tally);
            }
            ToLead::Complete => member.complete = true,
            ToLead::Cut { why, hopeless } => self.cut_short(format!("{name}: {why}"), hopeless),
            ToLead::Failed { why } => {
                self.failed.get_or_insert(format!("{name}: {why}"));
            }
            ToLead::Found(found) => {
                member.send(&ToWorker::Received);
                member.found = Some(*found);
            }
            // Of the introduction, or heard where it came.
            ToLead::Hello { .. } | ToLead::Joined { .. } | ToLead::Ping { .. } => {}
        }
    }

    fn second(&mut self, index: usize, told: SecondOf) -> anyhow::Result<()> {
        let now_s = self.clock.now_us() as f64 / 1e6;
        // All of it must make sense before any of it counts.
        let mut check = Recorder::<P::Metrics>::of(&self.plan.scenario.own);
        for snapshot in &told.snapshots {
            snapshot.add_to(&mut check)?;
        }
        ensure!(told.tally.len() <= MOST_NUMBERS, "a tally that is too long");
        self.protocol
            .put_together(&self.state, &told.pieces, &mut self.together)?;
        self.seconds.add(index, &told, now_s)?;
        self.add_tally(&told.tally);
        let member = &mut self.crew.members[index];
        member.connected = told.connected;
        member.snapshots = told.snapshots;
        member.errors = told.reasons;
        member.loads = told.threads;
        Ok(())
    }

    fn add_tally(&mut self, told: &[u64]) {
        let told = &told[..told.len().min(MOST_NUMBERS)];
        if self.tally.len() < told.len() {
            self.tally.resize(told.len(), 0);
        }
        for (known, told) in self.tally.iter_mut().zip(told) {
            *known = (*known).max(*told);
        }
    }

    /// The first reason counts; a lost worker speaks for itself.
    fn cut_short(&mut self, why: String, hopeless: bool) {
        let now_us = self.clock.now_us();
        let from_us = self.measured_from_us;
        let longest_us = self.plan.duration.as_micros() as u64;
        let measured = from_us.map(|from_us| now_us.saturating_sub(from_us).min(longest_us));
        self.cut.get_or_insert(Cut {
            why,
            hopeless,
            measured_us: measured,
        });
    }

    fn say_lost(&mut self, index: usize) {
        let standing = Standing::of(&self.crew.members[index], |at| self.when(at));
        let Some(loss) = standing.loss() else {
            return;
        };
        let loss = format!("LOST: {loss}");
        // A screen has it among what went wrong.
        if !self.display.as_ref().is_some_and(Display::is_screen) {
            say(&loss);
        }
        self.losses.push(loss);
    }

    /// A time of the run, in words.
    fn when(&self, at: Instant) -> String {
        let Some(since) = at.checked_duration_since(self.begun) else {
            return "before the run began".to_owned();
        };
        let from_us = self.measured_from_us.unwrap_or(u64::MAX);
        let at_us = since.as_micros() as u64;
        match at_us.checked_sub(from_us) {
            Some(after_us) => {
                let seconds = after_us as f64 / 1e6;
                format!("{seconds:.1} s after the beginning of the measured phase")
            }
            None => format!(
                "{:.1} s after the beginning of the run",
                since.as_secs_f64()
            ),
        }
    }

    /// The server's memory while clients connect.
    fn glance(&mut self) {
        if let Some(usage) = self.pid.and_then(Usage::glance) {
            let connected = self.crew.members.iter().map(|member| member.connected);
            let connected = connected.fold(0_i64, i64::saturating_add);
            self.memory.add(connected, usage.rss_bytes);
        }
    }

    fn show_seconds(&mut self) {
        let now_s = self.clock.now_us() as f64 / 1e6;
        let (pid, living) = (self.pid, self.crew.living().count());
        let usage = &mut self.usage;
        let complete = |second: &mut Second| {
            let Some(now) = pid.and_then(Usage::glance) else {
                return;
            };
            second.server_rss_bytes = Some(now.rss_bytes);
            second.server_cpu = usage.map(|(then_s, then)| {
                (now.cpu_seconds - then.cpu_seconds) / (now_s - then_s).max(1e-3)
            });
            *usage = Some((now_s, now));
        };
        if let Some(second) = self.seconds.next(now_s, living, complete) {
            self.shown.push(second);
            self.show();
        }
    }

    /// Shows where the run is to whoever watches it.
    fn show(&mut self) {
        let plan = &self.plan;
        let watched = plan.watching.wants_totals();
        let members = &self.crew.members;
        let (from, until) = self.wait;
        let until = until.unwrap_or(from);
        let mut errors: Vec<(String, u64)> = reasons(members).into_iter().collect();
        errors.sort_by_key(|(_, times)| Reverse(*times));
        let losses = self.losses.iter();
        errors.splice(0..0, losses.map(|loss| (loss.clone(), 1)));
        let status = Status {
            heading: &plan.heading(),
            left: until.saturating_duration_since(Instant::now()),
            length: until.saturating_duration_since(from),
            clients: plan.clients,
            series: &self.shown,
            totals: &if watched {
                self.totals()
            } else {
                Totals::default()
            },
            errors: &errors,
            threads: &loads(members),
            server_cpu_s: self.usage.map(|(_, usage)| usage.cpu_seconds),
        };
        if plan.watching.metrics_address.is_some() {
            plan.exposition.publish(status.exposition());
        }
        if let Some(display) = &mut self.display {
            display.show(&status);
        }
    }

    /// Everything that workers have counted and measured so far: of who is done, what they found; of others, what they have told.
    ///
    /// # Errors
    /// A snapshot makes no sense.
    fn merged(&self) -> anyhow::Result<Recorder<P::Metrics>> {
        let mut recorder = Recorder::<P::Metrics>::of(&self.plan.scenario.own);
        for member in &self.crew.members {
            let found = member.found.as_ref();
            let told = found.map_or(&member.snapshots[..], |found| {
                std::slice::from_ref(&found.snapshot)
            });
            for snapshot in told {
                snapshot.add_to(&mut recorder)?;
            }
        }
        recorder.merge(&self.together);
        Ok(recorder)
    }

    /// The same in short, for the live line; what makes no sense ends the run when it is reported.
    fn totals(&self) -> Totals {
        let nothing = || Recorder::of(&self.plan.scenario.own);
        Totals::of(&self.merged().unwrap_or_else(|_| nothing()))
    }

    /// One report of what all have found; of who was lost, what he had told.
    fn report(
        mut self,
        environment: Environment,
        usage: [Option<Usage>; 4],
    ) -> anyhow::Result<Report> {
        let mut recorder = self.merged()?;
        let errors = reasons(&self.crew.members);
        let members = &self.crew.members;
        self.protocol.conclude(&mut recorder);
        let found = || members.iter().filter_map(|member| member.found.as_ref());
        let storm = self.plan.workload != Workload::Steady;
        let server = ServerCost::new(
            self.pid,
            usage,
            storm,
            self.memory.slope(),
            &recorder.common,
        );
        let cut = self.cut.take().filter(|cut| !cut.why.is_empty());
        let outcome = Outcome {
            recorder: &recorder,
            server: &server,
            own_cpu_seconds: found().map(|found| found.own_cpu_seconds).sum(),
            cut: cut.map(|cut| in_words(&cut.why, cut.measured_us)),
            measured_us: found().map(|found| found.measured_us).max().unwrap_or(0),
            assembled_us: found().map(|found| found.assembled_us).max().unwrap_or(0),
            connected: members
                .iter()
                .map(Member::most_connected)
                .fold(0, i64::saturating_add),
            series: std::mem::replace(&mut self.seconds, Seconds::new(Vec::new())).series(),
        };
        let crew = members.iter();
        let crew: Vec<Standing> = crew
            .map(|member| Standing::of(member, |at| self.when(at)))
            .collect();
        let prepared = members.iter().filter_map(|member| member.prepared.as_ref());
        self.plan.threads = prepared.map(|prepared| prepared.threads).sum();
        let report = Report::new(&self.plan, &*self.protocol, environment, &outcome, errors);
        Ok(report.with_crew(crew, self.plan.strict))
    }
}

/// Why things have failed for all clients; of each worker, what it has told last.
fn reasons(members: &[Member]) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::<String, u64>::new();
    for member in members {
        let found = member.found.as_ref();
        let told = found.map_or(&member.errors, |found| &found.errors);
        for (what, times) in told {
            let known = all.entry(what.clone()).or_default();
            *known = known.saturating_add(*times);
        }
    }
    all
}

/// What the threads of all workers have used.
fn loads(members: &[Member]) -> Vec<Load> {
    let of_member = |member: &Member| {
        let number = member.number + 1;
        let loads = member.loads.iter().enumerate();
        let load = move |(thread, seconds): (usize, &f64)| Load {
            name: format!("{}{number}.{thread}", Load::CLIENTS),
            seconds: *seconds,
        };
        loads.map(load).collect::<Vec<_>>()
    };
    members.iter().flat_map(of_member).collect()
}

/// Prints to whoever still reads.
fn say(text: &str) {
    let _unread = writeln!(std::io::stdout(), "{text}");
}
