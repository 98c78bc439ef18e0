//! Gives `cluster`'s state machine its senses and hands: NATS, the locks, what the shards say, the clock.
//!
//! One task on the main thread. Whatever wakes it, the first thing it does is to look at the clock and say what is not held any
//! more: a process that was stopped must not act on what it knew. Then it takes in what has come, in pieces, and carries out what
//! the node wants. It never waits for a server.

use std::{rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use cluster::{Destination, Lease, Node, Output, Setup, Standing};
use engine::{Mesh, Outward, Parcel, since_boot};
use lobby::Dialect;
use rand::{RngExt, rngs::StdRng};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    Report, Wish,
    bus::Bus,
    locks::{Lock, Locks},
    metrics::{Metrics, Shown},
};

/// Messages, and letters, that are taken in before the node's wishes are carried out.
const BATCH: usize = 256;
/// How often what is counted is shown.
const SHOWN: Duration = Duration::from_millis(100);

/// Who gets what other nodes say.
pub trait Inside {
    /// A letter of another node's shards.
    fn letter(&self, from: u8, bytes: Bytes);
    /// What is known of the others has changed.
    fn standing(&self, standing: &Arc<Standing>);
    /// What was under way to and from a node is lost.
    fn lane_broken(&self, node: u8);
}

impl<D: Dialect> Inside for Arc<Mesh<D>> {
    fn letter(&self, from: u8, bytes: Bytes) {
        self.deliver(from, bytes);
    }

    fn standing(&self, standing: &Arc<Standing>) {
        self.tell_standing(standing);
    }

    fn lane_broken(&self, node: u8) {
        self.tell_broken(node);
    }
}

/// Why a node is none of the lobby any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was told to leave.
    Left,
    /// Its place is another process's.
    Displaced,
}

/// A node and all it does with.
pub(super) struct Driver {
    node: Node,
    slot: u8,
    locks: Rc<Locks>,
    outward: Arc<Outward>,
    inside: Box<dyn Inside>,
    metrics: Arc<Metrics>,
    report: watch::Sender<Report>,
    /// What the node was told of the locks.
    told_slot: bool,
    told: [Option<u64>; Lease::ALL.len()],
    told_bus: bool,
    is_retired: bool,
    /// Until when the shards were told that all is held.
    told_until: Duration,
    shown: Shown,
    shown_at: Duration,
    echoes: u64,
}

impl Driver {
    /// Of a node whose slot is held. The shards are told what is known: nothing yet.
    pub(super) fn new(
        slot: u8,
        shards: u16,
        locks: Rc<Locks>,
        outward: Arc<Outward>,
        inside: Box<dyn Inside>,
        report: watch::Sender<Report>,
    ) -> Driver {
        let now = since_boot();
        let setup = Setup {
            node: slot,
            incarnation: incarnation(),
            shards,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let mut driver = Driver {
            node: Node::new(setup, now),
            slot,
            locks,
            outward,
            inside,
            metrics: Arc::default(),
            report,
            told_slot: true,
            told: [None; Lease::ALL.len()],
            told_bus: false,
            is_retired: false,
            told_until: Duration::ZERO,
            shown: Shown::default(),
            shown_at: Duration::ZERO,
            echoes: 0,
        };
        driver.look_at_locks(now);
        driver.carry_out(now, None);
        driver
    }

    /// What is counted.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Until the node is none of the lobby any more.
    pub(super) async fn run(mut self, mut bus: Bus, mut wishes: watch::Receiver<Wish>) -> End {
        let (mut message, mut parcel) = (None, None);
        loop {
            match *wishes.borrow_and_update() {
                Wish::Leave => return self.leave(&mut bus).await,
                Wish::Retire if !self.is_retired => {
                    self.is_retired = true;
                    self.node.retire(since_boot());
                }
                Wish::Retire | Wish::Serve => {}
            }
            if let Some(end) = self.turn(&mut bus, (message.take(), parcel.take())).await {
                return end;
            }
            let pause = self.deadline().saturating_sub(since_boot());
            tokio::select! {
                came = bus.next() => message = came,
                said = self.outward.next() => parcel = Some(said),
                () = self.locks.changed() => {}
                changed = wishes.changed() => if changed.is_err() {
                    return self.leave(&mut bus).await; // nobody wants anything any more
                },
                () = sleep(pause) => {}
            }
        }
    }

    /// When there is something to do even if nothing happens.
    fn deadline(&self) -> Duration {
        let next = self.node.deadline().min(self.shown_at + SHOWN);
        match self.told_slot {
            true => next.min(self.locks.until()),
            false => next,
        }
    }

    /// Takes in what there is, after a look at the clock, and carries out what comes of it.
    async fn turn(
        &mut self,
        bus: &mut Bus,
        (mut message, mut parcel): (Option<Bytes>, Option<Parcel>),
    ) -> Option<End> {
        let now = since_boot();
        self.look_at_locks(now);
        self.look_at_bus(now, bus);
        for _ in 0..BATCH {
            let Some(bytes) = (match message.take() {
                Some(bytes) => Some(bytes),
                None => bus.take().await,
            }) else {
                break;
            };
            self.node.on_message(now, bytes);
        }
        for _ in 0..BATCH {
            let Some(Parcel { to, letter }) = parcel.take().or_else(|| self.outward.take()) else {
                break;
            };
            self.say(to, letter);
        }
        if self.outward.has_overflowed() {
            tracing::error!("letters to other nodes had no room: everything under way is given up");
            self.node.start_over(now);
        }
        if now >= self.node.deadline() {
            self.node.on_time(now);
        }
        self.node.flush(now);
        let end = self.carry_out(now, Some(bus));
        self.outward.set_crowded(self.node.is_congested(now));
        if now >= self.shown_at + SHOWN {
            self.show(now, bus);
        }
        end
    }

    fn say(&mut self, to: Option<u8>, letter: Bytes) {
        let to = to.map_or(Destination::All, Destination::Node);
        self.node.say(to, letter);
    }

    /// Tells the node what it holds, by the clock.
    fn look_at_locks(&mut self, now: Duration) {
        let holds_slot = self.locks.held(Lock::Slot(self.slot), now).is_some();
        if holds_slot != self.told_slot {
            self.told_slot = holds_slot;
            self.node.on_slot(now, holds_slot);
        }
        for lease in Lease::ALL {
            let (taken, told) = (self.locks.held(Lock::Of(lease), now), lease.index());
            if taken.is_some() == self.told[told].is_some() {
                continue;
            }
            let term = taken.map(|at| at.max(self.node.figures().terms[told] + 1));
            self.told[told] = term;
            self.node.on_lease(now, lease, term);
        }
        for (slot, taken) in self.locks.fenced() {
            self.node.on_fenced(now, slot, taken);
        }
        let until = match holds_slot {
            true => self.locks.until(),
            false => Duration::ZERO,
        };
        if until != self.told_until {
            self.told_until = until;
            let end = Instant::now() + until.saturating_sub(now);
            self.outward.hold_until(Some(end.into_std()));
        }
    }

    fn look_at_bus(&mut self, now: Duration, bus: &Bus) {
        let is_up = bus.is_up();
        if is_up != self.told_bus {
            self.told_bus = is_up;
            self.node.on_bus(now, is_up);
        }
    }

    /// Does what the node wants.
    fn carry_out(&mut self, now: Duration, bus: Option<&Bus>) -> Option<End> {
        while let Some(output) = self.node.poll() {
            match output {
                Output::Publish(subject, bytes) => {
                    if !bus.is_some_and(|bus| bus.publish(subject, bytes)) {
                        self.outward.metrics().drop_one("bus");
                    }
                }
                Output::Letter { from, bytes } => self.inside.letter(from, bytes),
                Output::Standing(standing) => self.tell(&standing),
                Output::LaneBroken(node) => {
                    tracing::warn!(node, "what was under way to and from a node is lost");
                    self.inside.lane_broken(node);
                }
                Output::Want(lease, is_wanted) => self.locks.want(Lock::Of(lease), is_wanted),
                Output::Fence(slot) => self.locks.fence(slot),
                Output::NewLife => self.node.begin_life(now, incarnation()),
                Output::Displaced => return Some(End::Displaced),
            }
        }
        None
    }

    fn tell(&self, standing: &Arc<Standing>) {
        let before = self.report.borrow().standing.clone();
        let of = |standing: &Standing| (standing.is_island, standing.view.number, standing.leases);
        if before.is_none_or(|before| of(&before) != of(standing)) {
            let members = standing.view.members.iter();
            let members: Vec<String> = members.map(|member| member.node.to_string()).collect();
            tracing::info!(
                node = standing.node,
                view = standing.view.number,
                members = members.join(","),
                island = standing.is_island,
                "this node's place in the lobby"
            );
        }
        self.inside.standing(standing);
        self.report
            .send_modify(|report| report.standing = Some(standing.clone()));
    }

    fn show(&mut self, now: Duration, bus: &Bus) {
        self.shown_at = now;
        let figures = self.node.figures();
        self.shown
            .show(&figures, &self.metrics, self.outward.metrics());
        if figures.echoes != self.echoes {
            self.echoes = figures.echoes;
            self.metrics.latency.observe(figures.latency.as_secs_f64());
        }
        self.report.send_modify(|report| {
            report.figures = figures;
            report.has_bus = bus.is_up();
            report.has_database = self.locks.is_connected();
        });
    }

    /// Says what the shards have still said, and good-bye, so that the others need not find out.
    async fn leave(mut self, bus: &mut Bus) -> End {
        let now = since_boot();
        self.look_at_locks(now);
        while let Some(Parcel { to, letter }) = self.outward.take() {
            self.say(to, letter);
        }
        self.node.leave(now);
        self.node.flush(now);
        let end = self.carry_out(now, Some(bus));
        bus.flush().await;
        end.unwrap_or(End::Left)
    }
}

/// Drawn for one life of a node. Never zero, which stands for none.
fn incarnation() -> u64 {
    let mut rng: StdRng = rand::make_rng();
    rng.random_range(1..=u64::MAX)
}
