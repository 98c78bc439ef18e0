//! What the threads of a run share: the plan, where the run is, and what they tell the main thread.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::fleet::{Share, Snapshot};
use crate::live::Live;
use crate::metrics::Recorder;
use crate::plan::{Plan, Workload};
use crate::protocol::Protocol;
use crate::schedule::{Clock, Schedule};

/// Different errors kept; more are not read by anybody.
const MAX_ERRORS: usize = 20;
/// Loopback addresses used, at most: 127.0.1.1 to 127.0.250.250.
const SOURCE_ADDRESSES: usize = 250 * 250;
/// Nothing comes earlier than this by another machine's clock.
const CLOCK_SLACK_US: u64 = 100_000;
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
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Assemble => "assemble",
            Phase::Measure => "measure",
            Phase::Finish => "finish",
            Phase::Stop => "stop",
        }
    }
}

/// Why a run ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nothing can be measured with this plan, and why.
    Overloaded(String),
    /// The user has had enough.
    Interrupted,
    /// The server has closed every connection.
    ServerGone,
    /// Whoever leads the run has ended it, or is gone, and why.
    Dismissed(String),
}

impl Cut {
    /// Why, in words.
    pub(crate) fn words(&self) -> &str {
        match self {
            Cut::Overloaded(why) | Cut::Dismissed(why) => why,
            Cut::Interrupted => "interrupted",
            Cut::ServerGone => "the server closed all connections",
        }
    }

    /// Nothing is worth waiting for any more.
    pub(crate) fn is_final(&self) -> bool {
        !matches!(self, Cut::Interrupted)
    }
}

/// What a thread's clients still wait for.
struct Missing {
    count: AtomicU64,
    /// What others' news it knew of then.
    news: AtomicU64,
}

/// What the threads of a run share.
pub(crate) struct Shared<P: Protocol> {
    pub(crate) plan: Plan,
    pub(crate) protocol: Arc<P>,
    /// The protocol's own.
    pub(crate) state: P::State,
    pub(crate) clock: Clock,
    pub(crate) schedule: Schedule,
    pub(crate) live: Live,
    phase: AtomicU8,
    measured_from_us: AtomicU64,
    measured_until_us: AtomicU64,
    cut: OnceLock<Cut>,
    closed_by_server: AtomicU64,
    settled: AtomicUsize,
    connected: AtomicI64,
    most_connected: AtomicI64,
    finished: AtomicUsize,
    missing: Vec<Missing>,
    /// How often others' news were learnt: what was missing before says nothing any more.
    news: AtomicU64,
    /// Of each thread all that it has measured so far, for whoever leads the run.
    snapshots: Vec<Mutex<Snapshot>>,
    /// Numbers of the clients that are run here.
    pub(crate) clients: Vec<usize>,
    connections: AtomicUsize,
    errors: Mutex<BTreeMap<String, u64>>,
}

impl<P: Protocol> Shared<P> {
    pub(crate) fn new(plan: Plan, protocol: Arc<P>, clock: Clock) -> Shared<P> {
        let scenario = &plan.scenario;
        let spread = (plan.seed, plan.duration.as_micros() as u64);
        Shared {
            state: protocol.state(&plan),
            clients: plan.own_clients(&*protocol),
            clock,
            schedule: Schedule::new(&scenario.rate, plan.sources, scenario.arrivals, spread),
            live: Live::new(
                plan.threads,
                P::live(&P::Metrics::default())
                    .into_iter()
                    .map(|(name, _)| name),
                plan.watching.wants_totals(),
            ),
            phase: AtomicU8::new(Phase::Assemble as u8),
            measured_from_us: AtomicU64::new(u64::MAX),
            measured_until_us: AtomicU64::new(u64::MAX),
            cut: OnceLock::new(),
            closed_by_server: AtomicU64::new(0),
            settled: AtomicUsize::new(0),
            connected: AtomicI64::new(0),
            most_connected: AtomicI64::new(0),
            finished: AtomicUsize::new(0),
            missing: (0..plan.threads)
                .map(|_| Missing {
                    count: AtomicU64::new(u64::MAX),
                    news: AtomicU64::new(0),
                })
                .collect(),
            news: AtomicU64::new(0),
            snapshots: (0..plan.threads).map(|_| Mutex::default()).collect(),
            connections: AtomicUsize::new(0),
            errors: Mutex::default(),
            plan,
            protocol,
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

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.phase() == Phase::Stop
    }

    pub(crate) fn is_churn(&self) -> bool {
        self.plan.workload == Workload::Churn
    }

    /// Beginning of the measured phase; far away while it is not known.
    pub(crate) fn measured_from_us(&self) -> u64 {
        self.measured_from_us.load(Ordering::Acquire)
    }

    pub(crate) fn measure_from(&self, from_us: u64) {
        let until_us = from_us + self.plan.duration.as_micros() as u64;
        self.measured_until_us.store(until_us, Ordering::Release);
        self.measured_from_us.store(from_us, Ordering::Release);
        self.enter(Phase::Measure);
    }

    /// Whether load may be due at this time.
    pub(crate) fn is_measuring_at(&self, time_us: u64) -> bool {
        self.measured_from_us() <= time_us
            && time_us < self.measured_until_us.load(Ordering::Acquire)
    }

    /// Nothing more is due from now on; gives how long the measured phase has been.
    pub(crate) fn stop_measuring(&self) -> u64 {
        let now_us = self.clock.now_us();
        let from_us = self.measured_from_us();
        let until_us = self.measured_until_us.load(Ordering::Acquire);
        let until_us = until_us.min(now_us).max(from_us);
        self.measured_until_us.store(until_us, Ordering::Release);
        until_us - from_us
    }

    /// Ends the run before its time; the first reason counts.
    pub(crate) fn cut_short(&self, why: Cut) {
        let _another_came_first = self.cut.set(why);
    }

    pub(crate) fn cut(&self) -> Option<&Cut> {
        self.cut.get()
    }

    /// The server has closed a connection whose client was ready.
    pub(crate) fn add_closed_by_server(&self) {
        self.closed_by_server.fetch_add(1, Ordering::Relaxed);
    }

    /// The server has closed connections, and nobody has one any more.
    pub(crate) fn is_server_gone(&self) -> bool {
        self.connected() == 0 && self.closed_by_server.load(Ordering::Relaxed) > 0
    }

    /// How much of the measured phase has passed by this time.
    pub(crate) fn measured_us_until(&self, time_us: u64) -> u64 {
        let until_us = self.measured_until_us.load(Ordering::Acquire);
        until_us
            .min(time_us)
            .saturating_sub(self.measured_from_us())
    }

    pub(crate) fn add_connected(&self, difference: i64) {
        let before = self.connected.fetch_add(difference, Ordering::Relaxed);
        self.most_connected
            .fetch_max(before + difference, Ordering::Relaxed);
    }

    /// Clients that were connected at once, when they were most.
    pub(crate) fn most_connected(&self) -> i64 {
        self.most_connected.load(Ordering::Relaxed)
    }

    pub(crate) fn connected(&self) -> i64 {
        self.connected.load(Ordering::Relaxed)
    }

    /// A client is ready, or never will be.
    pub(crate) fn settle(&self) {
        self.settled.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn all_settled(&self) -> bool {
        let at_start = self.plan.at_start();
        let mut clients = self.clients.iter();
        let here = clients.position(|&client| client >= at_start);
        self.settled.load(Ordering::Relaxed) >= here.unwrap_or(self.clients.len())
    }

    /// A thread's clients have made their last changes.
    pub(crate) fn finish(&self) {
        self.finished.fetch_add(1, Ordering::Release);
    }

    /// Tells what a thread's clients still wait for.
    pub(crate) fn report_missing(&self, thread: usize, missing: impl FnOnce() -> u64) {
        let news = self.news.load(Ordering::Acquire);
        let told = &self.missing[thread];
        told.count.store(missing(), Ordering::Release);
        told.news.store(news, Ordering::Release);
    }

    /// Others have told what their clients have done.
    pub(crate) fn learn(&self, share: Share, tally: &[u64]) {
        self.protocol.learn(&self.state, share, tally);
        self.news.fetch_add(1, Ordering::AcqRel);
    }

    /// All threads' clients have made their last changes.
    pub(crate) fn all_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire) == self.plan.threads
    }

    /// Everybody has made his last change and nobody waits for anything.
    pub(crate) fn is_complete(&self) -> bool {
        let news = self.news.load(Ordering::Acquire);
        let nothing = |told: &Missing| {
            told.news.load(Ordering::Acquire) == news && told.count.load(Ordering::Acquire) == 0
        };
        self.all_finished() && self.missing.iter().all(nothing)
    }

    pub(crate) fn churn_stay_us(&self) -> u64 {
        (self.schedule.period_us() / 2).min(MAX_CHURN_STAY_US)
    }

    /// How much earlier than its time something may come: other machines' clocks are known that well.
    pub(crate) fn clock_slack_us(&self) -> u64 {
        self.plan.share.map_or(0, |_| CLOCK_SLACK_US)
    }

    /// A thread hands over all that it has measured so far, if somebody else wants it.
    pub(crate) fn keep(&self, thread: usize, recorder: &Recorder<P::Metrics>) {
        if self.plan.share.is_some() {
            let snapshot = Snapshot::of(recorder);
            *self.snapshots[thread]
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = snapshot;
        }
    }

    /// The latest of each thread.
    pub(crate) fn snapshots(&self) -> Vec<Snapshot> {
        let all = self.snapshots.iter();
        all.map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect()
    }

    /// Keeps a reason why something failed, for the report.
    pub(crate) fn record_error(&self, what: String) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() < MAX_ERRORS || errors.contains_key(&what) {
            *errors.entry(what).or_default() += 1;
        }
    }

    /// The reasons so far, the most frequent first.
    pub(crate) fn errors(&self) -> Vec<(String, u64)> {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let mut errors: Vec<_> = errors
            .iter()
            .map(|(what, times)| (what.clone(), *times))
            .collect();
        errors.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
        errors
    }

    pub(crate) fn take_errors(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *self.errors.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the next connection comes from. One address has some 28,000 ports for one server port; loopback has addresses
    /// in plenty.
    pub(crate) fn source_address(&self, server: SocketAddr) -> Option<Ipv4Addr> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        // Workers on one machine do not take each other's.
        let (own, of) = self
            .plan
            .share
            .map_or((0, 1), |share| (share.number, share.of));
        let block = (number / self.plan.per_address * of + own) % SOURCE_ADDRESSES;
        matches!(server.ip(), IpAddr::V4(address) if address.is_loopback())
            .then(|| Ipv4Addr::new(127, 0, 1 + (block / 250) as u8, 1 + (block % 250) as u8))
    }
}
