//! One shard: its dialect, its connections, and how a turn's effects are carried out.
//!
//! Everything here runs on the shard's own thread and nothing of it blocks. Every way in ([`Shard::run`]) is the same:
//! first the inbox is drained, then the input is handled, then whatever is due leaves in one write per client.

use std::{
    collections::VecDeque,
    net::IpAddr,
    os::fd::RawFd,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    task::Waker,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use rand::{SeedableRng, rngs::StdRng};

use super::{
    ListenerSettings, Outside, Settings,
    admission::{Admission, Admissions},
    counters::Counters,
    fanout::{Batch, Circles},
    mesh::{Inbound, Mesh},
    outbox::Outbox,
    sender::{Job, Sender},
    table::{Conn, Hold, NOWHERE, Table},
    timers::{Due, Timers},
};
use crate::{
    lobby::{
        Audience, Circle, Closing, ConnId, Dialect, Effect, Now, Origin, ShardId, Stopping, Turn,
    },
    wire::Chunk,
};

/// What a connection's reader is told after a frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Received {
    /// A further frame may be handled now.
    pub(super) go_on: bool,
    /// It is so many bytes without a header.
    pub(super) bare: Option<u32>,
}

/// How long a shard lets a congested mesh drain before it looks again.
const CONGESTION_PAUSE: Duration = Duration::from_millis(2);

/// State of one shard. Borrowed by one task at a time; never across an await.
pub(super) struct Shard<D: Dialect> {
    pub(super) id: ShardId,
    pub(super) settings: Arc<Settings>,
    pub(super) counters: Arc<Counters>,
    pub(super) conns: Table,
    pub(super) timers: Timers<D::Timer>,
    pub(super) timer_waker: Option<Waker>,
    dialect: D,
    rng: StdRng,
    next_ticket: u64,
    started: Instant,
    pub(super) mesh: Arc<Mesh<D>>,
    outside: Outside<D>,
    effects: Vec<Effect<D>>,
    /// Inputs this shard caused itself while carrying out effects.
    local: VecDeque<Inbound<D>>,
    pub(super) subscribers: Vec<u32>,
    pub(super) batch: Batch,
    /// Connections with something new in their outbox.
    pub(super) dirty: Vec<ConnId>,
    pub(super) sender: Sender,
    pub(super) jobs: Vec<Job>,
    admissions: Admissions,
    /// Readers that wait for a congested mesh.
    parked: Vec<Waker>,
    /// Said by [`Stopping`]: connections are closed and none is taken in.
    pub(super) ending: bool,
    draining: bool,
}

impl<D: Dialect> Shard<D> {
    /// A shard that has not had its first turn. Fails where io_uring is forbidden.
    pub(super) fn new(
        id: ShardId,
        dialect: D,
        settings: Arc<Settings>,
        mesh: Arc<Mesh<D>>,
        outside: Outside<D>,
        counters: Arc<Counters>,
        started: Instant,
    ) -> std::io::Result<Self> {
        let seed = settings.seed.map(|seed| seed.wrapping_add(u64::from(id.0)));
        Ok(Shard {
            id,
            counters,
            conns: Table::new(id, settings.connections),
            settings,
            timers: Timers::default(),
            timer_waker: None,
            dialect,
            rng: seed.map_or_else(StdRng::from_os_rng, StdRng::seed_from_u64),
            next_ticket: 0,
            started,
            mesh,
            outside,
            effects: Vec::new(),
            local: VecDeque::new(),
            subscribers: Vec::new(),
            batch: Batch::default(),
            dirty: Vec::new(),
            sender: Sender::new()?,
            jobs: Vec::new(),
            admissions: Admissions::default(),
            parked: Vec::new(),
            ending: false,
            draining: false,
        })
    }

    /// The one way in: mail first, then the input, then the writes.
    pub(super) fn run<R>(&mut self, input: impl FnOnce(&mut Self) -> R) -> R {
        self.drain_inbox();
        let result = input(self);
        self.settle();
        self.flush();
        if self.draining {
            self.mesh.set_idle(self.id, self.dialect.may_stop());
        }
        result
    }

    /// Monotonic time since the process's start, the same on all shards.
    pub(super) fn mono(&self) -> Duration {
        self.started.elapsed()
    }

    // ---- inputs ------------------------------------------------------------------------------------------------

    /// The first turn.
    pub(super) fn start(&mut self) {
        self.turn(None, |dialect, turn| dialect.started(turn));
    }

    /// Takes in an accepted socket, unless a limit forbids it.
    pub(super) fn accept(
        &mut self,
        fd: RawFd,
        address: IpAddr,
        listener: &ListenerSettings,
        check: bool,
    ) -> Option<ConnId> {
        if check {
            let refused =
                match self
                    .admissions
                    .enter(address, self.mono(), self.settings.address_limits)
                {
                    Admission::Welcome => None,
                    Admission::TooMany => Some(&self.counters.refused_address),
                    Admission::TooFast => Some(&self.counters.refused_rate),
                };
            if let Some(counter) = refused {
                counter.up();
                return None;
            }
        }
        let conn = Conn {
            fd,
            format: listener.format,
            limits: listener.outbox,
            admitted_as: address,
            opened: false,
            hold: Hold::No,
            bare: None,
            joining: None,
            away: None,
            stale: false,
            dirty: false,
            blocked_since: None,
            closing: None,
            circles: Circles::default(),
            subscribed_at: NOWHERE,
            fanned: 0,
            outbox: Outbox::default(),
            waker: None,
        };
        let Some(id) = self.conns.insert(conn) else {
            self.counters.refused_full.up();
            if check {
                self.admissions.leave(address);
            }
            return None;
        };
        self.sender.register(id.slot, fd);
        self.counters.accepted.up();
        Some(id)
    }

    /// The connection's handshake named its real address: admission counts it there. False: not welcome.
    pub(super) fn readmit(&mut self, id: ConnId, address: IpAddr) -> bool {
        let now = self.mono();
        let Some(conn) = self.conns.find(id) else {
            return false;
        };
        if conn.admitted_as == address {
            return true;
        }
        let before = std::mem::replace(&mut conn.admitted_as, IpAddr::from([127, 0, 0, 1]));
        self.admissions.leave(before);
        match self
            .admissions
            .enter(address, now, self.settings.address_limits)
        {
            Admission::Welcome => {
                if let Some(conn) = self.conns.find(id) {
                    conn.admitted_as = address;
                }
                return true;
            }
            Admission::TooMany => self.counters.refused_address.up(),
            Admission::TooFast => self.counters.refused_rate.up(),
        }
        false
    }

    /// The connection is ready for the dialect.
    pub(super) fn open(&mut self, id: ConnId, origin: Origin) {
        if let Some(conn) = self.conns.find(id) {
            conn.opened = true;
            self.turn(Some(id), |dialect, turn| dialect.opened(turn, id, origin));
            self.settle();
        }
    }

    /// A frame arrived.
    pub(super) fn receive(&mut self, id: ConnId, body: &mut [u8]) -> Received {
        let begun = Instant::now();
        self.counters.frames_in.up();
        tracing::trace!(?id, text = %String::from_utf8_lossy(body), "received");
        self.turn(Some(id), |dialect, turn| dialect.received(turn, id, body));
        self.settle();
        self.counters.handling.took(begun.elapsed());
        let conn = self.conns.find(id);
        conn.map_or_else(Received::default, |conn| Received {
            go_on: conn.hold == Hold::No && !conn.is_ending(),
            bare: conn.bare.take(),
        })
    }

    /// Bytes of the framing itself, to be written as they are.
    pub(super) fn reply_raw(&mut self, id: ConnId, bytes: &[u8]) {
        if let Some(conn) = self.conns.find(id) {
            conn.outbox.write(|out| out.extend_from_slice(bytes));
            self.mark_dirty(id);
        }
    }

    /// The dialect's part of the end of a connection; its place stays until [`Shard::remove`].
    pub(super) fn retire(&mut self, id: ConnId) {
        self.leave_all(id);
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        conn.closing = Some(Closing::Abort);
        conn.outbox.clear();
        conn.blocked_since = None;
        let (opened, joining) = (std::mem::take(&mut conn.opened), conn.joining.take());
        if let Some(joining) = joining {
            self.disjoin(joining);
        }
        if opened {
            self.turn(None, |dialect, turn| dialect.closed(turn, id));
            self.settle();
        }
    }

    /// The socket is about to be closed.
    pub(super) fn remove(&mut self, id: ConnId) {
        self.retire(id);
        if let Some(conn) = self.conns.remove(id) {
            self.sender.unregister(id.slot);
            self.admissions.leave(conn.admitted_as);
            self.counters.ended.up();
        }
    }

    /// Handles every deadline that has passed.
    pub(super) fn wake_due(&mut self) {
        let now = self.mono();
        while let Some(due) = self.timers.pop(now) {
            match due {
                Due::Dialect(timer) => self.turn(None, |dialect, turn| dialect.woke(turn, timer)),
                Due::Handshake(id) => {
                    if let Some(conn) = self
                        .conns
                        .find(id)
                        .filter(|conn| !conn.opened && !conn.is_ending())
                    {
                        conn.closing = Some(Closing::Abort);
                        conn.wake();
                        self.counters.ended_handshake.up();
                    }
                }
                Due::Stuck(id) => self.end_if_stuck(id, now),
                Due::Look(id) => {
                    if let Some(conn) = self.conns.find(id) {
                        conn.wake();
                    }
                }
                Due::Unpark => {
                    if self.mesh.congested() {
                        self.set_timer(now + CONGESTION_PAUSE, Due::Unpark);
                    } else {
                        self.parked.drain(..).for_each(Waker::wake);
                    }
                }
            }
            self.settle();
        }
    }

    /// If some shard's inbox is too long: the reader waits, and true is returned.
    pub(super) fn park_if_congested(&mut self, waker: &Waker) -> bool {
        if !self.mesh.congested() {
            return false;
        }
        self.counters.congestion_pauses.up();
        if self.parked.is_empty() {
            self.set_timer(self.mono() + CONGESTION_PAUSE, Due::Unpark);
        }
        self.parked.push(waker.clone());
        true
    }

    /// Sets an engine deadline.
    pub(super) fn set_timer(&mut self, at: Duration, due: Due<D::Timer>) {
        if self.timers.set(at, due)
            && let Some(waker) = self.timer_waker.take()
        {
            waker.wake();
        }
    }

    /// The connection's outbox ran empty after having been blocked.
    pub(super) fn unblocked(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        conn.blocked_since = None;
        if std::mem::take(&mut conn.stale) && !conn.is_ending() {
            self.counters.resyncs.up();
            self.turn(Some(id), |dialect, turn| dialect.resync(turn, id));
        }
    }

    // ---- turns -------------------------------------------------------------------------------------------------

    /// One turn of the dialect. A panic in it ends the connection it was for, and nothing else.
    fn turn(&mut self, culprit: Option<ConnId>, f: impl FnOnce(&mut D, &mut Turn<'_, D>)) {
        let now = Now {
            mono: self.mono(),
            unix: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default(),
        };
        let mut effects = std::mem::take(&mut self.effects);
        let mut turn = Turn {
            shard: self.id,
            shards: self.mesh.shards(),
            now,
            rng: &mut self.rng,
            next_ticket: &mut self.next_ticket,
            effects: &mut effects,
        };
        let dialect = &mut self.dialect;
        let outcome = catch_unwind(AssertUnwindSafe(|| f(dialect, &mut turn)));
        self.counters.turns.up();
        if outcome.is_err() {
            self.counters.panics.up();
            tracing::error!(shard = self.id.0, ?culprit, "a turn panicked");
            if let Some(id) = culprit {
                effects.push(Effect::Close(id, Closing::Abort));
            }
        }
        for effect in effects.drain(..) {
            self.apply(effect);
        }
        self.effects = effects;
    }

    /// Handles what this shard caused itself, until nothing is left.
    fn settle(&mut self) {
        while let Some(inbound) = self.local.pop_front() {
            self.take_in(inbound);
        }
    }

    /// Takes in what was waiting when the turn began; what comes meanwhile is the next turn's, so that shards that mail
    /// each other without end still serve their sockets.
    fn drain_inbox(&mut self) {
        for _ in 0..self.mesh.inbox(self.id).waiting() {
            let Some(inbound) = self.mesh.inbox(self.id).take() else {
                return;
            };
            self.counters.mail_in.up();
            self.take_in(inbound);
            self.settle();
        }
    }

    fn take_in(&mut self, inbound: Inbound<D>) {
        match inbound {
            Inbound::Mail(from, mail) => {
                self.turn(None, |dialect, turn| dialect.mailed(turn, from, mail))
            }
            Inbound::Answer(ticket, answer) => {
                self.turn(None, |dialect, turn| dialect.answered(turn, ticket, answer));
            }
            Inbound::News(news) => self.turn(None, |dialect, turn| dialect.told(turn, news)),
            Inbound::Deliver(conn, body) => self.send(conn, &body),
            Inbound::Close(conn, how) => self.close(conn, how),
            Inbound::Join(joint) => self.join(joint),
            Inbound::Adopt(half) => self.adopt(half),
            Inbound::Parted(conn) => self.remove(conn),
            Inbound::Stop(step) => self.stop(step),
            Inbound::Report => self.report(),
        }
    }

    /// Logs everything that is not zero.
    pub(super) fn report(&self) {
        let counts = self
            .counters
            .list()
            .into_iter()
            .chain(self.dialect.counters());
        let text: Vec<_> = counts
            .filter(|(_, value)| *value > 0)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        tracing::info!(
            shard = self.id.0,
            connections = self.conns.len(),
            "{}",
            text.join(" ")
        );
    }

    /// Nobody is connected any more, and nothing is on its way.
    pub(super) fn is_done(&self) -> bool {
        self.conns.len() == 0 && self.dialect.may_stop()
    }

    fn stop(&mut self, step: Stopping) {
        self.draining = true;
        self.turn(None, |dialect, turn| dialect.stopping(turn, step));
        if step == Stopping::Now {
            self.ending = true;
            self.settle();
            for id in self.conns.ids() {
                self.close(id, Closing::Flushed);
            }
        }
    }

    // ---- effects -----------------------------------------------------------------------------------------------

    fn apply(&mut self, effect: Effect<D>) {
        match effect {
            Effect::Send(conn, body) if conn.shard == self.id => self.send(conn, &body),
            Effect::Send(conn, body) => self.mesh.post(conn.shard, Inbound::Deliver(conn, body)),
            Effect::SendChunks(conn, parts) => self.send_chunks(conn, &parts),
            Effect::FanOut(audience, body) => self.fan_out(audience, body),
            Effect::Enter(conn, circle) => self.enter(conn, circle),
            Effect::Leave(conn, circle) => self.leave(conn, circle),
            Effect::Mail(to, mail) => self.mesh.post(to, Inbound::Mail(self.id, mail)),
            Effect::Ask(ticket, ask) => {
                self.counters.asks.up();
                if let Err(ask) = (self.outside.ask)(self.id, ticket, ask) {
                    self.counters.asks_refused.up();
                    self.local
                        .push_back(Inbound::Answer(ticket, D::refuse(ask)));
                }
            }
            Effect::Publish(event) => {
                if (self.outside.publish)(event) {
                    self.counters.published.up();
                } else {
                    self.counters.publish_dropped.up();
                }
            }
            Effect::Hold(conn) => self.hold(conn, Hold::Still),
            Effect::Watch(conn) => self.hold(conn, Hold::Watching),
            Effect::Release(conn) => self.hold(conn, Hold::No),
            Effect::Bare(conn, bytes) => {
                if let Some(conn) = self.conns.find(conn) {
                    conn.bare = Some(bytes);
                }
            }
            Effect::Join(joint) => self.join(joint),
            Effect::Close(conn, how) => self.close_anywhere(conn, how),
            Effect::Wake(at, timer) => self.set_timer(at, Due::Dialect(timer)),
        }
    }

    fn hold(&mut self, id: ConnId, hold: Hold) {
        if let Some(conn) = self.conns.find(id) {
            conn.hold = hold;
            if hold != Hold::Still {
                conn.wake();
            }
        }
    }

    fn send(&mut self, id: ConnId, body: &[u8]) {
        self.catch_up(id);
        let Some(conn) = self.conns.find(id).filter(|conn| !conn.is_ending()) else {
            return;
        };
        let format = conn.format;
        tracing::trace!(?id, text = %String::from_utf8_lossy(body), "sent");
        conn.outbox.write(|out| format.encode(body, out));
        self.counters.messages_out.up();
        self.counters.sent[format.index()].up();
        self.mark_dirty(id);
    }

    fn send_chunks(&mut self, id: ConnId, parts: &[Rc<Chunk>]) {
        self.catch_up(id);
        let Some(conn) = self.conns.find(id).filter(|conn| !conn.is_ending()) else {
            return;
        };
        let format = conn.format;
        let len = parts.iter().map(|part| part.text().len()).sum();
        conn.outbox.write(|out| format.encode_head(len, out));
        for part in parts {
            conn.outbox.push(&part.in_format(format));
        }
        conn.outbox
            .write(|out| out.extend_from_slice(format.tail()));
        self.counters.messages_out.up();
        self.counters.sent[format.index()].up();
        self.mark_dirty(id);
    }

    fn fan_out(&mut self, audience: Audience, body: Bytes) {
        self.counters.fan_outs.up();
        tracing::trace!(?audience, text = %String::from_utf8_lossy(&body), "broadcast");
        self.batch.push(audience, body);
    }

    fn enter(&mut self, id: ConnId, circle: Circle) {
        self.catch_up(id);
        let at = self.subscribers.len() as u32;
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if conn.circles.none() {
            conn.subscribed_at = at;
            self.subscribers.push(id.slot);
        }
        conn.circles = conn.circles.with(circle);
        self.mark_dirty(id);
    }

    fn leave(&mut self, id: ConnId, circle: Circle) {
        self.catch_up(id);
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let left = conn.circles.without(circle);
        if left.none() {
            self.leave_all(id);
        } else {
            conn.circles = left;
        }
    }

    pub(super) fn leave_all(&mut self, id: ConnId) {
        self.catch_up(id);
        let Some(conn) = self.conns.find(id).filter(|conn| !conn.circles.none()) else {
            return;
        };
        conn.circles = Circles::default();
        let at = std::mem::replace(&mut conn.subscribed_at, NOWHERE) as usize;
        self.subscribers.swap_remove(at);
        if let Some(&moved) = self.subscribers.get(at)
            && let Some((_, conn)) = self.conns.at(moved)
        {
            conn.subscribed_at = at as u32;
        }
    }

    pub(super) fn close_anywhere(&mut self, conn: ConnId, how: Closing) {
        if conn.shard == self.id {
            self.close(conn, how);
        } else {
            self.mesh.post(conn.shard, Inbound::Close(conn, how));
        }
    }

    pub(super) fn close(&mut self, id: ConnId, how: Closing) {
        self.catch_up(id);
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if let Some(relayed) = conn.away {
            return self.close_anywhere(relayed, how);
        }
        match (conn.closing, how) {
            (Some(Closing::Abort), _) | (Some(Closing::Flushed), Closing::Flushed) => return,
            (None, Closing::Flushed) if conn.opened => {
                let farewell = conn.format.farewell();
                conn.outbox.write(|out| out.extend_from_slice(&farewell));
            }
            _ => {}
        }
        conn.closing = Some(how);
        conn.wake();
        self.mark_dirty(id);
    }
}
