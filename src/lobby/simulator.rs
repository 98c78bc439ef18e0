//! A lobby of several shards in one thread, from a seed: every order of events it takes can be taken again.
//!
//! Time is virtual and moves only in [`Simulator::advance`]. Mail between each pair of shards keeps its order, and mail
//! of different pairs overtakes each other at random; so do answers of the back office. With `eager` mail a shard has
//! its mail before it handles a frame, as in the engine (which keeps the order in which a shard is sent mail besides:
//! `one_inbox`); without, mail may be delayed as on a network. Mail is written and read again on its way, as it would be
//! between machines, unless whoever drives it has no time for that (`written_mail`).
//!
//! Shards may be those of several nodes ([`Simulator::with_nodes`]); what may become of those, and of what they say to each
//! other, is in `nodes`.

mod lanes;
mod nodes;
mod turns;

pub use nodes::Lease;
#[cfg(test)]
pub(crate) use nodes::seeds;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Debug,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use self::{lanes::Lanes, nodes::Nodes};
use super::{
    Closing, ConnId, Dialect, Effect, Origin, Protocol, ShardId, Stopping, Ticket, Topic, Turn,
    operator::{Done, Farewell, Found, Order, Query, Row},
};
use wire::Format;

/// Virtual wall clock at the start: 2024-02-24 17:15:47 UTC.
const EPOCH: Duration = Duration::from_secs(1_708_794_947);

/// Steps after which a simulation that does not come to rest is taken for a loop.
const RESTLESS: usize = 10_000_000;

/// What the simulated client of a connection has seen.
#[derive(Debug, Default)]
pub struct Client {
    /// Messages received and not taken yet.
    pub received: VecDeque<Bytes>,
    /// How the server ended the connection.
    pub closed: Option<Closing>,
    /// Whether its frames wait.
    pub held: bool,
    /// Since when they do, or did last.
    pub held_since: Duration,
    /// Until when they wait besides.
    pub paused: Option<Duration>,
    /// The connection that it is relayed to.
    pub peer: Option<ConnId>,
    /// It does not end with whom it is relayed to.
    survives: bool,
    /// What it sends is thrown away.
    discards: bool,
    /// Frames sent and not handled yet.
    outgoing: VecDeque<Vec<u8>>,
    /// The dialect has been told of the end.
    over: bool,
}

enum Parcel<D: Dialect> {
    Mail(D::Mail),
    Send(ConnId, Bytes),
    Close(ConnId, Closing),
}

struct Shard<D: Dialect> {
    id: ShardId,
    dialect: D,
    rng: StdRng,
    next_ticket: u64,
    topics: BTreeSet<(Topic, ConnId)>,
    connections: u32,
    timers: BTreeMap<(Duration, u64), D::Timer>,
    asks: Vec<(Ticket, D::Ask)>,
}

/// The back office: an answer for each question.
pub type Office<D> = Box<dyn FnMut(<D as Dialect>::Ask) -> <D as Dialect>::Answer>;

/// Sees each effect before it is carried out.
pub type Observer<D> = Box<dyn FnMut(ShardId, &Effect<D>)>;

/// Shards, mail between them, clients and a clock.
pub struct Simulator<D: Dialect> {
    /// Of all nodes, in their order.
    shards: Vec<Shard<D>>,
    nodes: Nodes<D>,
    lanes: Lanes,
    mail: BTreeMap<(ShardId, ShardId), VecDeque<Parcel<D>>>,
    /// Who has sent what a shard has not handled yet, in order. Only with one inbox.
    senders: BTreeMap<ShardId, VecDeque<ShardId>>,
    clients: BTreeMap<ConnId, Client>,
    now: Duration,
    /// The Unix time at which the monotonic clock began.
    epoch: Duration,
    rng: StdRng,
    timers: u64,
    office: Office<D>,
    /// Empty between two steps; kept for its room.
    jobs: Vec<Job>,
    /// Empty between two turns; kept for its room.
    effects: Vec<Effect<D>>,
    /// What connections say they speak.
    pub format: Format,
    /// The protocol of their listener.
    pub protocol: Protocol,
    /// Where they come from.
    pub address: IpAddr,
    /// What was published and not taken yet, in order.
    pub published: Vec<D::Event>,
    /// Whether a shard always has its mail before it handles a frame.
    pub eager: bool,
    /// Whether a shard has one inbox, as in the engine: what was sent to it first comes first, whoever has sent it. To be set at the
    /// start, of a node that is alone.
    pub one_inbox: bool,
    /// Whether mail is written, read again and compared on its way, which takes most of a simulation's time.
    pub written_mail: bool,
    /// Whether the back office keeps everybody waiting: no answer comes.
    pub stalled: bool,
    /// How late mail between nodes may be. Zero: it arrives with everything else.
    pub late: Duration,
    /// Told of every effect, for tests that compare whole runs.
    pub observer: Option<Observer<D>>,
}

enum Job {
    Parcel(ShardId, ShardId),
    Letter(u8, u8),
    Arrival(ShardId),
    Answer(usize, usize),
    Frame(ConnId),
    End(ConnId),
}

impl<D: Dialect<Mail: Debug>> Simulator<D> {
    /// Starts `shards` shards of a node that is alone.
    pub fn new(shards: u16, seed: u64, make: impl FnMut(ShardId) -> D, office: Office<D>) -> Self {
        Simulator::started(&[shards], seed, make, office)
    }

    fn started(
        nodes: &[u16],
        seed: u64,
        mut make: impl FnMut(ShardId) -> D,
        office: Office<D>,
    ) -> Self {
        let ids = (0..).zip(nodes);
        let ids = ids.flat_map(|(node, &shards)| ShardId::of_node(node, shards));
        let shards = (1..).zip(ids).map(|(number, id): (u64, _)| Shard {
            id,
            dialect: make(id),
            rng: StdRng::seed_from_u64(seed ^ number),
            next_ticket: 0,
            topics: BTreeSet::new(),
            connections: 0,
            timers: BTreeMap::new(),
            asks: Vec::new(),
        });
        let mut simulator = Simulator {
            shards: shards.collect(),
            nodes: Nodes::new(nodes),
            lanes: Lanes::default(),
            mail: BTreeMap::new(),
            senders: BTreeMap::new(),
            clients: BTreeMap::new(),
            now: Duration::from_secs(1000),
            epoch: EPOCH,
            rng: StdRng::seed_from_u64(seed),
            timers: 0,
            office,
            jobs: Vec::new(),
            effects: Vec::new(),
            format: Format::JsonLines,
            protocol: Protocol::default(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            published: Vec::new(),
            eager: true,
            one_inbox: false,
            written_mail: true,
            stalled: false,
            late: Duration::ZERO,
            observer: None,
        };
        for index in 0..simulator.shards() {
            simulator.with(index, |dialect, turn| dialect.on_start(turn));
        }
        simulator
    }

    /// Place of a shard among all.
    fn index(&self, shard: ShardId) -> usize {
        self.nodes.first(shard.node()) + shard.local()
    }

    /// The name of a shard, by its place among those of all nodes.
    pub fn id(&self, shard: u16) -> ShardId {
        self.shards[usize::from(shard)].id
    }

    /// Puts the clock for people back, or forward, so many seconds, as somebody does who sets it.
    pub fn set_clock(&mut self, seconds: i64) {
        let by = Duration::from_secs(seconds.unsigned_abs());
        self.epoch = match seconds < 0 {
            true => self.epoch - by,
            false => self.epoch + by,
        };
    }

    /// A shard's state, by its place among those of all nodes, as everywhere here.
    pub fn dialect(&self, shard: u16) -> &D {
        &self.shards[usize::from(shard)].dialect
    }

    /// The state of this shard.
    pub fn dialect_on(&self, shard: ShardId) -> &D {
        &self.shards[self.index(shard)].dialect
    }

    /// The state of the shard that the connection is on.
    pub fn dialect_of(&self, conn: ConnId) -> &D {
        self.dialect_on(conn.shard)
    }

    /// How many shards there are, on all nodes.
    pub fn shards(&self) -> u16 {
        self.shards.len() as u16
    }

    /// How many connections have been opened.
    pub fn connections(&self) -> u32 {
        self.shards.iter().map(|shard| shard.connections).sum()
    }

    /// Virtual monotonic time.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// The clock for people, as Unix time.
    pub fn unix(&self) -> Duration {
        self.epoch + self.now
    }

    /// Opens a connection.
    ///
    /// # Panics
    /// If its node is lost.
    pub fn connect(&mut self, shard: u16) -> ConnId {
        assert!(self.is_running(self.id(shard).node()), "the node is lost");
        let state = &mut self.shards[usize::from(shard)];
        state.connections += 1;
        let conn = ConnId {
            shard: state.id,
            slot: state.connections,
            generation: 0,
        };
        self.clients.insert(conn, Client::default());
        let origin = Origin {
            address: self.address,
            counted: Some(self.address).filter(|address| !address.is_loopback()),
            format: self.format,
            protocol: self.protocol,
        };
        self.turn(conn.shard, |dialect, turn| {
            dialect.on_open(turn, conn, origin)
        });
        conn
    }

    /// The client sends a frame; it is handled by [`Simulator::step`] or [`Simulator::settle`].
    pub fn send(&mut self, conn: ConnId, frame: impl Into<Vec<u8>>) {
        let Some(client) = self
            .clients
            .get_mut(&conn)
            .filter(|client| client.closed.is_none())
        else {
            return;
        };
        match client.peer {
            Some(peer) => self.receive(peer, frame.into().into()),
            None if client.discards => {}
            None => client.outgoing.push_back(frame.into()),
        }
    }

    /// The client goes away.
    pub fn disconnect(&mut self, conn: ConnId) {
        if let Some(client) = self.clients.get_mut(&conn) {
            client.closed.get_or_insert(Closing::Abort);
        }
    }

    /// A connection's client.
    pub fn client(&self, conn: ConnId) -> &Client {
        &self.clients[&conn]
    }

    /// Everything the client has received since the last time.
    pub fn take(&mut self, conn: ConnId) -> Vec<serde_json::Value> {
        let client = self
            .clients
            .get_mut(&conn)
            .expect("the connection was opened here");
        client
            .received
            .drain(..)
            .map(|body| serde_json::from_slice(&body).expect("the server sends JSON"))
            .collect()
    }

    /// The same as it came, for protocols that are not JSON.
    pub fn take_bytes(&mut self, conn: ConnId) -> Vec<u8> {
        self.take_raw(conn).into_iter().flatten().collect()
    }

    /// The same, message by message.
    pub fn take_raw(&mut self, conn: ConnId) -> Vec<Bytes> {
        let client = self
            .clients
            .get_mut(&conn)
            .expect("the connection was opened here");
        client.received.drain(..).collect()
    }

    /// The back office tells a shard something.
    pub fn tell(&mut self, shard: u16, news: D::Notice) {
        self.with(shard, |dialect, turn| dialect.on_notice(turn, news));
    }

    /// The connection has missed broadcasts and caught up.
    pub fn resync(&mut self, conn: ConnId) {
        self.turn(conn.shard, |dialect, turn| dialect.on_resync(turn, conn));
    }

    /// An operator asks a shard for all of a list, page by page.
    pub fn list(&mut self, shard: u16, query: &Query) -> Vec<Row> {
        let (mut query, mut rows) = (query.clone(), Vec::new());
        loop {
            let mut found = Found::default();
            self.with(shard, |dialect, turn| {
                found = dialect.on_query(turn, &query)
            });
            rows.append(&mut found.rows);
            match found.next {
                Some(next) => query.from = next,
                None => return rows,
            }
        }
    }

    /// An operator orders something of every shard.
    pub fn order(&mut self, order: &Order) -> Vec<Done> {
        let shards = 0..self.shards();
        let outcomes = shards.map(|shard| {
            let mut done = Done::Lacks;
            self.with(shard, |dialect, turn| done = dialect.on_order(turn, order));
            done
        });
        outcomes.collect()
    }

    /// An operator ends a connection.
    pub fn evict(&mut self, conn: ConnId, farewell: &Farewell) {
        self.turn(conn.shard, |dialect, turn| {
            dialect.on_evict(turn, conn, farewell)
        });
    }

    /// An orderly end begins or is there, on all shards.
    pub fn stop(&mut self, step: Stopping) {
        for node in self.nodes() {
            self.stop_node(node, step);
        }
    }

    /// The same on one node.
    pub fn stop_node(&mut self, node: u8, step: Stopping) {
        for shard in self.shards_of(node) {
            self.turn(shard, |dialect, turn| dialect.on_stopping(turn, step));
        }
    }

    /// Handles everything that is on its way, in a random order.
    pub fn settle(&mut self) {
        for _ in 0..RESTLESS {
            if !self.step() {
                return;
            }
        }
        panic!("the simulation does not come to rest");
    }

    /// Lets time pass: what is on its way arrives, then timers fire in order.
    pub fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        self.settle();
        while let Some(at) = self.next_event().filter(|&at| at <= until) {
            self.now = at.max(self.now);
            if !self.end_pauses() && !self.change_nodes() {
                self.fire(at);
            }
            self.settle();
        }
        self.now = until;
    }

    /// Connections whose pause is over go on. Whether there are any.
    fn end_pauses(&mut self) -> bool {
        let over = |client: &&mut Client| client.paused.is_some_and(|until| until <= self.now);
        let over = self.clients.values_mut().filter(over);
        over.map(|client| client.paused = None).count() > 0
    }

    /// When something happens by itself.
    fn next_event(&self) -> Option<Duration> {
        let timers = self.shards.iter();
        let timers = timers.filter_map(|s| s.timers.keys().next().map(|key| key.0));
        let pauses = self.clients.values().filter_map(|client| client.paused);
        let nodes = self.nodes.next_change().into_iter();
        let letters = self.next_letter().into_iter();
        timers.chain(pauses).chain(nodes).chain(letters).min()
    }

    /// Fires one timer that is due at this time, of a random shard, if there is any.
    fn fire(&mut self, at: Duration) {
        let due = |shard: &Shard<D>| shard.timers.keys().next().is_some_and(|key| key.0 == at);
        let shards: Vec<usize> = (0..self.shards.len())
            .filter(|&i| due(&self.shards[i]))
            .collect();
        if shards.is_empty() {
            return; // a letter is due
        }
        let shard = shards[self.rng.random_range(0..shards.len())];
        if let Some((_, timer)) = self.shards[shard].timers.pop_first() {
            self.with(shard as u16, |dialect, turn| dialect.on_timer(turn, timer));
        }
    }

    /// Does one thing that may happen now; false if there is none.
    pub fn step(&mut self) -> bool {
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.clear();
        for (&(from, to), queue) in &self.mail {
            let first = self.senders.get(&to).and_then(VecDeque::front);
            if !queue.is_empty() && first.is_none_or(|first| *first == from) {
                jobs.push(Job::Parcel(from, to));
            }
        }
        self.letters_due(&mut jobs);
        let mail_waits = !jobs.is_empty();
        for (shard, state) in self.shards.iter().enumerate() {
            let answers = if self.stalled { 0 } else { state.asks.len() };
            jobs.extend((0..answers).map(|ask| Job::Answer(shard, ask)));
        }
        if !(self.eager && mail_waits) {
            for (&conn, client) in &self.clients {
                if client.closed.is_some() && !client.over {
                    jobs.push(Job::End(conn));
                } else if client.closed.is_none()
                    && !client.held
                    && client.paused.is_none()
                    && !client.outgoing.is_empty()
                {
                    jobs.push(Job::Frame(conn));
                }
            }
        }
        let chosen = (!jobs.is_empty()).then(|| self.rng.random_range(0..jobs.len()));
        let job = chosen.map(|at| jobs.swap_remove(at));
        self.jobs = jobs;
        match job {
            Some(job) => {
                self.run(job);
                true
            }
            None => false,
        }
    }

    fn run(&mut self, job: Job) {
        match job {
            Job::Parcel(from, to) => {
                if let Some(senders) = self.senders.get_mut(&to) {
                    senders.pop_front();
                }
                let queue = self.mail.get_mut(&(from, to));
                match queue.and_then(VecDeque::pop_front) {
                    Some(Parcel::Mail(mail)) => {
                        self.turn(to, |dialect, turn| dialect.on_mail(turn, from, mail));
                    }
                    Some(Parcel::Send(conn, body)) => self.receive(conn, body),
                    Some(Parcel::Close(conn, how)) => self.close(conn, how),
                    None => {}
                }
            }
            Job::Letter(from, to) => self.letter_arrives(from, to),
            Job::Arrival(shard) => self.take_arrival(shard),
            Job::Answer(shard, ask) => {
                let (ticket, ask) = self.shards[shard].asks.swap_remove(ask);
                let answer = (self.office)(ask);
                self.with(shard as u16, |dialect, turn| {
                    dialect.on_answer(turn, ticket, answer);
                });
            }
            Job::Frame(conn) => {
                let frame = self
                    .clients
                    .get_mut(&conn)
                    .and_then(|c| c.outgoing.pop_front());
                if let Some(mut frame) = frame {
                    self.turn(conn.shard, |dialect, turn| {
                        dialect.on_frame(turn, conn, &mut frame)
                    });
                }
            }
            Job::End(conn) => {
                let peer = self.clients.get_mut(&conn).and_then(|client| {
                    client.over = true;
                    client.peer
                });
                if let Some(peer) = peer {
                    self.part(peer);
                }
                let shard = self.index(conn.shard);
                self.shards[shard]
                    .topics
                    .retain(|(_, member)| *member != conn);
                self.turn(conn.shard, |dialect, turn| dialect.on_close(turn, conn));
            }
        }
    }

    /// Whether no mail and no answer is on its way, so that a shard's state is the whole state.
    pub fn is_quiet(&self) -> bool {
        self.mail.values().all(VecDeque::is_empty)
            && self.lanes.are_quiet()
            && self.shards.iter().all(|s| s.asks.is_empty())
    }

    /// A turn in which something happens that no input could make happen at will.
    pub fn with(&mut self, shard: u16, input: impl FnOnce(&mut D, &mut Turn<'_, D>)) {
        self.turn(self.id(shard), input);
    }
}

impl<D: Dialect> std::fmt::Debug for Simulator<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator")
            .field("now", &self.now)
            .field("clients", &self.clients)
            .finish_non_exhaustive()
    }
}
