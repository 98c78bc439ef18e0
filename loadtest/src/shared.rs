//! What the threads of a run share: the plan, where the run is, and what they tell the main thread.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::live::Live;
use crate::plan::{Plan, Workload};
use crate::protocol::Protocol;
use crate::schedule::{Clock, Schedule};

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
    finished: AtomicUsize,
    missing: Vec<AtomicU64>,
    connections: AtomicUsize,
    errors: Mutex<BTreeMap<String, u64>>,
}

impl<P: Protocol> Shared<P> {
    pub(crate) fn new(plan: Plan, protocol: Arc<P>) -> Shared<P> {
        Shared {
            state: protocol.state(&plan),
            clock: Clock::start(),
            schedule: Schedule::new(plan.rate, plan.sources),
            live: Live::new(plan.threads, plan.watching.wants_totals()),
            phase: AtomicU8::new(Phase::Assemble as u8),
            measured_from_us: AtomicU64::new(u64::MAX),
            measured_until_us: AtomicU64::new(u64::MAX),
            cut: OnceLock::new(),
            closed_by_server: AtomicU64::new(0),
            settled: AtomicUsize::new(0),
            connected: AtomicI64::new(0),
            finished: AtomicUsize::new(0),
            missing: (0..plan.threads)
                .map(|_| AtomicU64::new(u64::MAX))
                .collect(),
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
        self.connected.fetch_add(difference, Ordering::Relaxed);
    }

    pub(crate) fn connected(&self) -> i64 {
        self.connected.load(Ordering::Relaxed)
    }

    /// A client is ready, or never will be.
    pub(crate) fn settle(&self) {
        self.settled.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn all_settled(&self) -> bool {
        self.settled.load(Ordering::Relaxed) >= self.plan.clients
    }

    /// A thread's clients have made their last changes.
    pub(crate) fn finish(&self) {
        self.finished.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn report_missing(&self, thread: usize, missing: u64) {
        self.missing[thread].store(missing, Ordering::Release);
    }

    /// Everybody has made his last change and nobody waits for anything.
    pub(crate) fn is_complete(&self) -> bool {
        self.finished.load(Ordering::Acquire) == self.plan.threads
            && self
                .missing
                .iter()
                .all(|missing| missing.load(Ordering::Acquire) == 0)
    }

    pub(crate) fn churn_stay_us(&self) -> u64 {
        (self.schedule.period_us() / 2).min(MAX_CHURN_STAY_US)
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
        let block = number / self.plan.per_address % SOURCE_ADDRESSES;
        matches!(server.ip(), IpAddr::V4(address) if address.is_loopback())
            .then(|| Ipv4Addr::new(127, 0, 1 + (block / 250) as u8, 1 + (block % 250) as u8))
    }
}
