//! One shard: its dialect, its connections, and how a turn's effects are carried out.
//!
//! Everything here runs on the shard's own thread and nothing of it blocks. What causes the turns is in `round`, what
//! arrives in `reading`, what leaves in `flush`. Generic over [`Io`]: the same code runs on sockets and in the simulator.

use std::{
    collections::VecDeque,
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rand::{SeedableRng, rngs::StdRng};

use super::{
    Outside, Settings,
    admission::Admission,
    fanout::Batch,
    memory::Memory,
    mesh::{Inbound, Mesh},
    metrics::Metrics,
    neighbours::Neighbours,
    runtime::{Io, Key},
    strangers::Strangers,
    table::{Conn, Hold, Stage, Table},
    timers::{Due, Timers},
    tls::Rooms,
    topics::Topics,
};
use lobby::{
    Audience, Closing, ConnId, Dialect, Effect, Now, Origin, ShardId, Stopping, Topic, Turn,
};
use metrics::{Source, report};
use wire::{Chunk, Format, Scratch};

/// Size of the shard's receive buffer.
const READ_BYTES: usize = 64 << 10;

/// What all shards of a process share, and what tells one of them from the others.
pub(super) struct Place<D: Dialect, I: Io> {
    pub(super) id: ShardId,
    /// Tells this life of the process apart from those before.
    pub(super) incarnation: u16,
    pub(super) settings: Arc<Settings>,
    pub(super) mesh: Arc<Mesh<D, I::Socket>>,
    pub(super) admission: Arc<Admission>,
    pub(super) outside: Outside<D>,
    pub(super) metrics: Arc<Metrics>,
}

/// State of one shard.
pub(super) struct Shard<D: Dialect, I: Io> {
    pub(super) id: ShardId,
    pub(super) settings: Arc<Settings>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) io: I,
    pub(super) conns: Table<I::Socket>,
    pub(super) timers: Timers<D::Timer>,
    pub(super) dialect: D,
    /// The time as it was last looked up: after a wait, after what may take long, and after each frame. To look it up costs
    /// an idle shard more than to see that nothing is due.
    pub(super) now: Duration,
    rng: StdRng,
    next_ticket: u64,
    pub(super) mesh: Arc<Mesh<D, I::Socket>>,
    pub(super) neighbours: Neighbours,
    pub(super) admission: Arc<Admission>,
    outside: Outside<D>,
    effects: Vec<Effect<D>>,
    /// Inputs this shard caused itself while carrying out effects.
    pub(super) local: VecDeque<Inbound<D, I::Socket>>,
    pub(super) topics: Topics,
    pub(super) batch: Batch,
    /// Connections with something new in their outbox.
    pub(super) dirty: Vec<ConnId>,
    /// Connections that go on when the others had their turn.
    pub(super) queued: VecDeque<ConnId>,
    /// The same of those who have not signed in.
    pub(super) strangers: Strangers,
    /// Connections that wait for a congested mesh.
    pub(super) parked: Vec<ConnId>,
    /// What its connections hold.
    pub(super) memory: Memory,
    /// The buffer that all connections read into, so an idle one keeps none.
    pub(super) read: Vec<u8>,
    pub(super) scratch: Scratch,
    /// An outbox's buffer for the next that needs one.
    pub(super) spare: Vec<u8>,
    /// Where connections with TLS are decrypted and encrypted.
    pub(super) rooms: Rooms,
    /// Said by [`Stopping`]: connections are closed and none is taken in.
    pub(super) ending: bool,
    pub(super) draining: bool,
    pub(super) evicting: bool,
}

impl<D: Dialect, I: Io> Shard<D, I> {
    /// A shard that has not had its first turn.
    pub(super) fn new(place: Place<D, I>, dialect: D, io: I) -> Self {
        let Place {
            id,
            incarnation,
            settings,
            mesh,
            admission,
            outside,
            metrics,
        } = place;
        let seed = settings
            .seed
            .map(|seed| seed.wrapping_add(id.local() as u64));
        Shard {
            id,
            memory: Memory::new(settings.memory, settings.shards),
            settings,
            metrics,
            now: io.now(),
            io,
            conns: Table::new(id, incarnation),
            timers: Timers::default(),
            dialect,
            rng: seed.map_or_else(rand::make_rng, StdRng::seed_from_u64),
            next_ticket: 0,
            mesh,
            neighbours: Neighbours::default(),
            admission,
            outside,
            effects: Vec::new(),
            local: VecDeque::new(),
            topics: Topics::default(),
            batch: Batch::default(),
            dirty: Vec::new(),
            queued: VecDeque::new(),
            strangers: Strangers::default(),
            parked: Vec::new(),
            read: vec![0; READ_BYTES],
            scratch: Scratch::default(),
            spare: Vec::new(),
            rooms: Rooms::default(),
            ending: false,
            draining: false,
            evicting: false,
        }
    }

    // ---- connections come and go -------------------------------------------------------------------------------

    /// Gives a connection its place and watches its socket.
    pub(super) fn insert(&mut self, conn: Conn<I::Socket>) -> ConnId {
        let id = self.conns.insert(conn);
        if let Some(socket) = self.conns.find(id).and_then(|conn| conn.socket.as_ref()) {
            self.io.watch(Key::of(id), socket);
        }
        id
    }

    /// The connection is ready for the dialect.
    pub(super) fn open(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if std::mem::replace(&mut conn.opened, true) {
            return;
        }
        let listener = &self.settings.listeners[usize::from(conn.listener)];
        let greeting = listener.greeting;
        let origin = Origin {
            address: conn.address,
            counted: self.admission.counted(conn.address, conn.named),
            format: conn.format,
            protocol: listener.protocol,
        };
        if !greeting.is_empty() {
            self.reply_raw(id, greeting);
        }
        self.note(id, "connected");
        self.turn(Some(id), |dialect, turn| dialect.on_open(turn, id, origin));
        self.drain_local();
    }

    /// A frame arrived.
    pub(super) fn receive(&mut self, id: ConnId, body: &mut [u8]) {
        let begun = self.now;
        self.metrics.frames_in.up();
        tracing::trace!(?id, text = %String::from_utf8_lossy(body), "received");
        self.turn_at(begun, Some(id), |dialect, turn| {
            dialect.on_frame(turn, id, body);
        });
        self.drain_local();
        let took = self.look_up_now().saturating_sub(begun);
        self.metrics.handling.took(took);
    }

    /// Says in the log, at its level `debug`, what has become of a connection.
    pub(super) fn note(&mut self, id: ConnId, what: &str) {
        if tracing::enabled!(tracing::Level::DEBUG)
            && let Some(conn) = self.conns.find(id)
        {
            let (peer, listener) = (conn.address, usize::from(conn.listener));
            let listener = &self.settings.listeners[listener].name;
            tracing::debug!(conn = ?id, %peer, listener, "{what}");
        }
    }

    /// Bytes of the framing itself, to be written as they are.
    pub(super) fn reply_raw(&mut self, id: ConnId, bytes: &[u8]) {
        if let Some(conn) = self.conns.find(id) {
            conn.outbox
                .write(&mut self.spare, |out| out.extend_from_slice(bytes));
            self.mark_dirty(id);
        }
    }

    /// The dialect's part of the end of a connection: it says nothing more to it. Its socket may still have last words to
    /// send.
    pub(super) fn retire(&mut self, id: ConnId) {
        self.leave_all(id);
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if conn.stage == Stage::Lingering {
            return;
        }
        conn.stage = Stage::Lingering;
        let by_peer = conn.closing.is_none();
        conn.closing.get_or_insert(Closing::Flushed);
        conn.stale = false;
        let opened = std::mem::take(&mut conn.opened);
        self.part(id);
        if opened {
            self.note(
                id,
                if by_peer {
                    "the peer has ended it"
                } else {
                    "ended"
                },
            );
            self.turn(None, |dialect, turn| dialect.on_close(turn, id));
            self.drain_local();
        }
    }

    /// The end of a connection and of its socket.
    pub(super) fn remove(&mut self, id: ConnId) {
        self.retire(id);
        let Some(conn) = self.conns.remove(id) else {
            return;
        };
        self.forget_held(conn.signed_in, conn.held);
        self.note_abandoned(&conn);
        if conn.socket.is_some() {
            self.forget(id, &conn);
        }
        // A socket that came to be relayed was counted where it came from.
        if conn.home().is_none() {
            self.discount(conn.address, conn.named, conn.admitted);
            self.metrics.ended.up();
        }
    }

    /// Nothing more is awaited of a connection's socket.
    pub(super) fn forget(&mut self, id: ConnId, conn: &Conn<I::Socket>) {
        let blocked = conn.blocked_since.is_some();
        self.io.forget(Key::of(id), blocked);
        if blocked {
            self.metrics.slow_readers.add(-1.0);
        }
    }

    pub(super) fn discount(&mut self, address: IpAddr, named: bool, admitted: bool) {
        if admitted {
            self.admission.leave(address, named);
        }
        self.admission.vacate(self.id);
    }

    /// The connection goes on when the others had their turn.
    pub(super) fn enqueue(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.find(id)
            && !std::mem::replace(&mut conn.queued, true)
        {
            if conn.signed_in {
                self.queued.push_back(id);
            } else if conn.is_handshaking() && !conn.is_ending() {
                self.strangers.handshaking.push_back(id);
            } else {
                self.strangers.queued.push_back(id);
            }
        }
    }

    // ---- turns -------------------------------------------------------------------------------------------------

    /// The first turn.
    pub(super) fn start(&mut self) {
        self.turn(None, |dialect, turn| dialect.on_start(turn));
        self.drain_local();
    }

    /// One turn of the dialect. A panic in it ends the connection it was for, and nothing else.
    pub(super) fn turn(
        &mut self,
        culprit: Option<ConnId>,
        f: impl FnOnce(&mut D, &mut Turn<'_, D>),
    ) {
        let now = self.look_up_now();
        self.turn_at(now, culprit, f);
    }

    /// Looks up what time it is.
    pub(super) fn look_up_now(&mut self) -> Duration {
        self.now = self.io.now();
        self.now
    }

    fn turn_at(
        &mut self,
        mono: Duration,
        culprit: Option<ConnId>,
        f: impl FnOnce(&mut D, &mut Turn<'_, D>),
    ) {
        self.look_at_hold(mono);
        self.turn_unlooked(mono, culprit, f);
    }

    /// One turn, whatever this node holds among others.
    pub(super) fn turn_unlooked(
        &mut self,
        mono: Duration,
        culprit: Option<ConnId>,
        f: impl FnOnce(&mut D, &mut Turn<'_, D>),
    ) {
        let unix = self.io.unix(mono);
        let now = Now { mono, unix };
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
        self.metrics.turns.up();
        if outcome.is_err() {
            self.metrics.panics.up();
            tracing::error!(shard = self.id.local(), ?culprit, "a turn panicked");
            if let Some(id) = culprit {
                effects.push(Effect::Close(id, Closing::Abort));
            }
        }
        for effect in effects.drain(..) {
            self.apply(effect);
        }
        self.effects = effects;
    }

    /// The connection's outbox ran empty after it had missed broadcasts.
    pub(super) fn resync(&mut self, id: ConnId) {
        self.metrics.resyncs.up();
        self.turn(Some(id), |dialect, turn| dialect.on_resync(turn, id));
        self.drain_local();
    }

    /// A deadline of the dialect has passed.
    pub(super) fn woke(&mut self, timer: D::Timer) {
        self.turn(None, |dialect, turn| dialect.on_timer(turn, timer));
    }

    /// Handles what this shard caused itself, until nothing is left.
    pub(super) fn drain_local(&mut self) {
        while let Some(inbound) = self.local.pop_front() {
            self.take_in(inbound);
        }
    }

    /// Takes in what was waiting when the turn began; what comes meanwhile is the next turn's, so that shards that mail
    /// each other without end still serve their sockets.
    pub(super) fn drain_inbox(&mut self) {
        for _ in 0..self.mesh.inbox(self.id).waiting() {
            let Some(inbound) = self.mesh.inbox(self.id).take() else {
                return;
            };
            self.take_in(inbound);
            self.drain_local();
        }
    }

    fn take_in(&mut self, inbound: Inbound<D, I::Socket>) {
        match inbound {
            Inbound::Accepted(accepted) => self.accept(*accepted),
            Inbound::Mail(from, mail) => {
                self.metrics.mail_in.up();
                self.turn(None, |dialect, turn| dialect.on_mail(turn, from, mail));
            }
            Inbound::Letter(from, body) => self.read_letter(from, &body),
            Inbound::Answer(ticket, answer) => {
                self.turn(None, |dialect, turn| {
                    dialect.on_answer(turn, ticket, answer)
                });
            }
            Inbound::Notice(news) => self.turn(None, |dialect, turn| dialect.on_notice(turn, news)),
            Inbound::Standing(standing) => self.hear_standing(standing),
            Inbound::LaneBroken(node) => {
                self.turn(None, |dialect, turn| dialect.on_lane_broken(turn, node));
            }
            Inbound::Deliver(conn, body) => self.send(conn, &body),
            Inbound::Close(conn, how) => self.close(conn, how),
            Inbound::Join(joint) => self.join(joint),
            Inbound::Moved(moved) => self.adopt(*moved),
            Inbound::Returned(returned) => self.come_home(*returned),
            Inbound::RelayEnded(conn) => self.remove(conn),
            Inbound::Stop(step) => self.stop(step),
            Inbound::Report => self.report(),
            Inbound::Pulse => self.mesh.answer_pulse(self.id),
            Inbound::Inquiry(inquiry) => self.inquired(*inquiry),
        }
    }

    /// Logs everything that is not zero.
    pub(super) fn report(&self) {
        let mut sources: Vec<&dyn Source> = vec![&*self.metrics];
        sources.extend(self.dialect.metrics());
        tracing::info!(
            shard = self.id.local(),
            connections = self.conns.len(),
            "{}",
            report(&sources)
        );
    }

    /// Nothing is left that an orderly end waits for, but connections.
    pub(super) fn is_drained(&self) -> bool {
        self.dialect.is_drained()
    }

    /// Nobody is connected any more, and nothing is on its way.
    pub(super) fn is_done(&self) -> bool {
        self.conns.len() == 0 && self.is_drained()
    }

    fn stop(&mut self, step: Stopping) {
        self.draining = true;
        self.evicting |= step != Stopping::Drain;
        self.turn(None, |dialect, turn| dialect.on_stopping(turn, step));
        if step == Stopping::Now {
            self.ending = true;
            self.drain_local();
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
            Effect::Enter(conn, topic) => self.enter(conn, topic),
            Effect::Leave(conn, topic) => self.leave(conn, topic),
            Effect::Mail(to, mail) => self.mesh.post(to, Inbound::Mail(self.id, mail)),
            Effect::MailNodes(mail) => self.mesh.post_nodes(self.id, None, &mail),
            Effect::MailNode(node, mail) => self.mesh.post_nodes(self.id, Some(node), &mail),
            Effect::Ask(ticket, ask) => {
                self.metrics.asks.up();
                if let Err(ask) = (self.outside.ask)(self.id, ticket, ask) {
                    self.metrics.asks_refused.up();
                    self.local
                        .push_back(Inbound::Answer(ticket, D::refuse(ask)));
                }
            }
            Effect::Publish(event) => {
                if (self.outside.publish)(event) {
                    self.metrics.published.up();
                } else {
                    self.metrics.publish_dropped.up();
                }
            }
            Effect::Hold(conn) => self.hold(conn, Hold::Still),
            Effect::Watch(conn) => self.hold(conn, Hold::Watching),
            Effect::Discard(conn) => self.hold(conn, Hold::Discarding),
            Effect::Release(conn) => self.hold(conn, Hold::No),
            Effect::Pause(conn, until) => self.pause(conn, until),
            Effect::ExpectRaw(conn, bytes) => {
                if let Some(conn) = self.conns.find(conn) {
                    conn.rare().raw = Some(bytes);
                }
            }
            Effect::SignedIn(conn) => self.sign_in(conn),
            Effect::Note(id, what) => self.note(id, &what),
            Effect::Keeps(id, bytes) => {
                if let Some(conn) = self.conns.find(id) {
                    conn.rare().kept = bytes;
                    self.count_held(id);
                }
            }
            Effect::TurnedAway(id, why) => self.turned_away(id, why),
            Effect::Join(joint) => self.join(joint),
            Effect::Close(conn, how) => self.close_anywhere(conn, how),
            Effect::Wake(at, timer) => self.timers.set(at, Due::Dialect(timer)),
        }
    }

    fn hold(&mut self, id: ConnId, hold: Hold) {
        if let Some(conn) = self.conns.find(id) {
            conn.hold = hold;
            if hold != Hold::Still {
                self.enqueue(id);
            }
        }
    }

    /// The connection is not heard until then. One timer at a time: it is not heard meanwhile, so nobody asks again.
    fn pause(&mut self, id: ConnId, until: Duration) {
        if let Some(conn) = self.conns.find(id)
            && !std::mem::replace(&mut conn.paused, true)
        {
            self.timers.set(until, Due::Resume(id));
        }
    }

    /// The pause of a connection is over.
    pub(super) fn resume(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.find(id) {
            conn.paused = false;
            self.enqueue(id);
        }
    }

    /// Whether something may be said to the connection; what was broadcast before is in its outbox then.
    fn may_send(&mut self, id: ConnId) -> bool {
        self.catch_up(id);
        self.conns.find(id).is_some_and(|conn| conn.takes())
    }

    fn send(&mut self, id: ConnId, body: &[u8]) {
        if !self.may_send(id) {
            return;
        }
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let format = conn.format;
        tracing::trace!(?id, text = %String::from_utf8_lossy(body), "sent");
        conn.outbox
            .write(&mut self.spare, |out| format.encode(body, out));
        self.sent_one(id, format);
    }

    fn send_chunks(&mut self, id: ConnId, parts: &[Rc<Chunk>]) {
        if !self.may_send(id) {
            return;
        }
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let format = conn.format;
        let len = parts.iter().map(|part| part.text().len()).sum();
        let spare = &mut self.spare;
        conn.outbox.write(spare, |out| format.encode_head(len, out));
        for part in parts {
            conn.outbox.push(&part.in_format(format));
        }
        conn.outbox
            .write(spare, |out| out.extend_from_slice(format.tail()));
        self.sent_one(id, format);
    }

    fn sent_one(&mut self, id: ConnId, format: Format) {
        self.metrics.messages_out.up();
        self.metrics.sent[format.index()].up();
        self.mark_dirty(id);
    }

    fn fan_out(&mut self, audience: Audience, body: Bytes) {
        self.metrics.fan_outs.up();
        tracing::trace!(?audience, text = %String::from_utf8_lossy(&body), "broadcast");
        self.batch.push(audience, body, &mut self.topics);
    }

    fn enter(&mut self, id: ConnId, topic: Topic) {
        self.catch_up(id);
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if self.topics.has(&conn.topics, topic) {
            return;
        }
        // What was broadcast before it came is not for it.
        conn.fanned = self.batch.here();
        self.topics.enter(topic, id.slot, &mut conn.topics);
    }

    fn leave(&mut self, id: ConnId, topic: Topic) {
        self.catch_up(id);
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if let Some(moved) = self.topics.leave(topic, &mut conn.topics)
            && let Some((_, conn)) = self.conns.at(moved.slot)
        {
            moved.note(&mut conn.topics);
        }
    }

    pub(super) fn leave_all(&mut self, id: ConnId) {
        self.catch_up(id);
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let mut memberships = std::mem::take(&mut conn.topics);
        while let Some(moved) = self.topics.leave_last(&mut memberships) {
            if let Some(moved) = moved
                && let Some((_, conn)) = self.conns.at(moved.slot)
            {
                moved.note(&mut conn.topics);
            }
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
        if let Some(relayed) = conn.away() {
            return self.close_anywhere(relayed, how);
        }
        match (conn.closing, how) {
            (Some(Closing::Abort), _) | (Some(Closing::Flushed), Closing::Flushed) => return,
            // A relayed client does not speak the dialect any more.
            (None, Closing::Flushed) if conn.opened && conn.peer().is_none() => {
                let close_frame = conn.format.close_frame();
                conn.outbox
                    .write(&mut self.spare, |out| out.extend_from_slice(&close_frame));
            }
            _ => {}
        }
        conn.closing = Some(how);
        let peer = conn.peer();
        if peer.is_some() && conn.blocked_since.is_some() {
            conn.blocked_since = Some(self.io.now().into()); // a relay waits for its reader, its end does not
        }
        self.mark_dirty(id);
        self.enqueue(id);
        if let Some(peer) = peer {
            self.close(peer, how); // both sides of a relay end together
        }
    }
}
