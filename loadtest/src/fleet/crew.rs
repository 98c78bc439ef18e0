//! The workers of a run, as whoever leads it sees them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::frames::Line;
use super::messages::{Findings, Prepared, ToLead, ToWorker};
use super::offset::Offset;
use super::snapshot::Snapshot;

/// Clocks that drift apart by more than this, bounds left out, are told.
const DRIFT_US: u64 = 2_000;

/// Somebody has shown the secret.
pub(super) struct Arrival {
    pub(super) id: u64,
    pub(super) host: String,
    pub(super) address: SocketAddr,
    pub(super) line: Arc<Line>,
    pub(super) offset: Offset,
}

/// What the threads that hear workers tell.
pub(super) enum Event {
    Joined(Arrival),
    Said { id: u64, said: ToLead, at: Instant },
    Lost { id: u64, why: String },
}

/// What has become of a worker.
pub(super) enum News {
    Said(ToLead),
    Lost,
}

/// A worker is gone.
#[derive(Debug, Clone)]
pub(super) struct Loss {
    pub(super) why: String,
    /// When it was heard of last.
    pub(super) since: Instant,
}

/// A worker.
pub(super) struct Member {
    id: u64,
    pub(super) number: usize,
    host: String,
    address: SocketAddr,
    line: Arc<Line>,
    heard: Instant,
    pub(super) lost: Option<Loss>,
    /// The latest that it has told, and the one that its times rest on.
    offset: Offset,
    used_offset: Option<Offset>,
    pub(super) prepared: Option<Prepared>,
    pub(super) connected: i64,
    pub(super) ready: bool,
    pub(super) finished: bool,
    pub(super) complete: bool,
    pub(super) snapshots: Vec<Snapshot>,
    /// Why things have failed for its clients so far.
    pub(super) errors: BTreeMap<String, u64>,
    /// What each of its threads has used, in seconds.
    pub(super) loads: Vec<f64>,
    pub(super) found: Option<Findings>,
}

impl Member {
    pub(super) fn send(&self, message: &ToWorker) {
        self.line.send(message);
    }

    /// Still there, and not done.
    pub(super) fn is_living(&self) -> bool {
        self.lost.is_none() && self.found.is_none()
    }

    pub(super) fn name(&self) -> String {
        format!(
            "worker {} ({} at {})",
            self.number + 1,
            self.host,
            self.address
        )
    }

    /// Clients that it had connected at once, as far as it has told.
    pub(super) fn most_connected(&self) -> i64 {
        let found = self.found.as_ref();
        found.map_or(self.connected, |found| found.connected)
    }

    /// The run begins: from here on its times rest on this offset, as far as it has not told which.
    pub(super) fn begin(&mut self) {
        self.used_offset = Some(self.offset);
    }
}

/// All workers.
pub(super) struct Crew {
    pub(super) members: Vec<Member>,
    events: Receiver<Event>,
    base: Instant,
}

impl Crew {
    pub(super) fn new(events: Receiver<Event>, base: Instant) -> Crew {
        Crew {
            members: Vec::new(),
            events,
            base,
        }
    }

    /// The clock that workers have compared theirs with.
    pub(super) fn base(&self) -> Instant {
        self.base
    }

    /// Before the run: takes in whoever has come, and forgets who has gone.
    pub(super) fn welcome(&mut self, wait: Duration) {
        match self.events.recv_timeout(wait) {
            Ok(Event::Joined(arrival)) => {
                println!("{} has joined from {}", arrival.host, arrival.address);
                self.add(arrival);
            }
            Ok(Event::Said { id, said, .. }) => {
                if let (Some(index), ToLead::Ping { offset, .. }) = (self.index(id), said) {
                    let known = &mut self.members[index].offset;
                    *known = offset.unwrap_or(*known);
                }
            }
            Ok(Event::Lost { id, why }) => {
                if let Some(index) = self.index(id) {
                    let gone = self.members.remove(index);
                    println!("{} at {} has gone again: {why}", gone.host, gone.address);
                }
            }
            Err(_) => {}
        }
    }

    fn add(&mut self, arrival: Arrival) {
        self.members.push(Member {
            id: arrival.id,
            number: 0,
            host: arrival.host,
            address: arrival.address,
            line: arrival.line,
            heard: Instant::now(),
            lost: None,
            offset: arrival.offset,
            used_offset: None,
            prepared: None,
            connected: 0,
            ready: false,
            finished: false,
            complete: false,
            snapshots: Vec::new(),
            errors: BTreeMap::new(),
            loads: Vec::new(),
            found: None,
        });
        // By address, so that the same machines get the same shares.
        self.members.sort_by_key(|member| member.address);
        for (number, member) in self.members.iter_mut().enumerate() {
            member.number = number;
        }
    }

    fn index(&self, id: u64) -> Option<usize> {
        self.members.iter().position(|member| member.id == id)
    }

    /// What a worker says, or that it is lost.
    pub(super) fn next(&mut self, wait: Duration) -> Option<(usize, News)> {
        match self.events.recv_timeout(wait).ok()? {
            Event::Joined(late) => {
                let why = "the run has begun without this worker".to_owned();
                late.line.send(&ToWorker::Abort { why });
                late.line.close();
                None
            }
            Event::Said { id, said, at } => {
                let index = self.index(id)?;
                let member = &mut self.members[index];
                member.heard = at;
                if let ToLead::Ping { offset, .. } = said {
                    member.offset = offset.unwrap_or(member.offset);
                    return None;
                }
                Some((index, News::Said(said)))
            }
            Event::Lost { id, why } => {
                let index = self.index(id)?;
                self.members[index].is_living().then(|| {
                    self.lose(index, why);
                    (index, News::Lost)
                })
            }
        }
    }

    /// A worker is not counted on any more.
    pub(super) fn lose(&mut self, index: usize, why: String) {
        let member = &mut self.members[index];
        member.lost = Some(Loss {
            why,
            since: member.heard,
        });
        member.line.close();
    }

    pub(super) fn living(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.is_living())
    }

    pub(super) fn tell(&self, message: &ToWorker) {
        self.living().for_each(|member| member.send(message));
    }
}

/// How a worker stood at the end of the run.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    number: usize,
    name: String,
    clients: usize,
    threads: usize,
    /// How far the lead's clock was ahead of its, and how wrong that can be.
    clock_offset_us: i64,
    clock_bound_us: u64,
    /// How far they have drifted apart since, and how wrong that can be.
    clock_drift_us: i64,
    clock_drift_bound_us: u64,
    /// Why it was lost and since when, if it was.
    lost: Option<String>,
    own_lateness: Vec<String>,
    environment: Value,
}

impl Standing {
    /// `since` puts a time into words.
    pub(super) fn of(member: &Member, since: impl Fn(Instant) -> String) -> Standing {
        let used = member.found.as_ref().and_then(|found| found.offset);
        let used = used.or(member.used_offset).unwrap_or(member.offset);
        let prepared = member.prepared.as_ref();
        let lost = member.lost.as_ref().map(|loss| {
            let (name, why) = (member.name(), &loss.why);
            let heard = since(loss.since);
            format!("{name} was lost: {why}; it was last heard of {heard}, and what it had told by then is in the figures")
        });
        let found = member.found.as_ref();
        Standing {
            number: member.number + 1,
            name: member.name(),
            clients: prepared.map_or(0, |prepared| prepared.clients),
            threads: prepared.map_or(0, |prepared| prepared.threads),
            clock_offset_us: used.us,
            clock_bound_us: used.bound_us,
            clock_drift_us: member.offset.us.saturating_sub(used.us),
            clock_drift_bound_us: member.offset.bound_us.saturating_add(used.bound_us),
            lost,
            own_lateness: found.map_or_else(Vec::new, |found| found.lateness.clone()),
            environment: prepared.map_or(json!(null), |prepared| prepared.environment.clone()),
        }
    }

    /// Why its figures are not the server's alone.
    pub(crate) fn lateness(&self) -> Vec<String> {
        let mut told: Vec<String> = self.own_lateness.clone();
        let drift_us = self.clock_drift_us.unsigned_abs();
        if drift_us > self.clock_drift_bound_us.saturating_add(DRIFT_US) {
            let ms = drift_us as f64 / 1e3;
            told.push(format!("its clock has drifted by {ms:.1} ms"));
        }
        told.iter()
            .map(|how| format!("{}: {how}", self.name))
            .collect()
    }

    /// Why the run has failed, if it has because of this worker.
    pub(crate) fn loss(&self) -> Option<String> {
        self.lost.clone()
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}: {} clients, {} threads, clock {:+} µs ± {} µs, drift {:+} µs ± {} µs",
            self.name,
            self.clients,
            self.threads,
            self.clock_offset_us,
            self.clock_bound_us,
            self.clock_drift_us,
            self.clock_drift_bound_us,
        )?;
        if self.lost.is_some() {
            write!(out, ", LOST")?;
        }
        Ok(())
    }
}
