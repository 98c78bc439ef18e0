//! One walk: shards, a network and clients that do as chance has it, then rest, then the end; all of it from one seed.

use std::{
    cell::RefCell,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    Chance,
    book::{Book, Client, Held},
    network::{Faults, Network, Shared, SimIo, SimSocket, lock},
    scribe::{FORMATS, Scribe},
    tls::{self, Secured},
};
use crate::{
    Accepted, AddressLimits, Inbound, MemoryLimits, Mesh, Metrics, Outside, Part, Settings,
    admission::Admission,
    runtime::Event,
    shard::{Place, Shard},
};
use lobby::{Listener, OutboxLimits, Protocol, ShardId, Stopping, Ticket};
use rustls::ClientConfig;
use wire::{Format, ReadLimits, websocket};

/// Rounds after which a walk that does not come to rest is taken for a loop.
const RESTLESS: usize = 5_000;

/// Listeners that want a PROXY header.
const PROXY: [usize; 2] = [4, 9];

/// The first of those with TLS.
const SECURE: usize = 7;

/// What kind of walk it is.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) shards: usize,
    pub(super) steps: usize,
    pub(super) faults: Faults,
    /// Connections break, clients break their framing, events come for nothing.
    wild: bool,
    pub(super) outbox: OutboxLimits,
    read_bytes: usize,
    /// Most bytes of a wire that wait for its client.
    capacity: usize,
    /// Clients read seldom.
    lazy: bool,
    /// Some come with TLS.
    secure: bool,
    address_limits: AddressLimits,
}

impl Plan {
    fn new(chance: &mut Chance) -> Plan {
        let wild = chance.happens(500);
        let mut rate = |most: usize| {
            if chance.happens(400) {
                chance.below(most) as u32
            } else {
                0
            }
        };
        let mut faults = Faults {
            short_read: rate(600),
            short_write: rate(600),
            refusal: rate(400),
            interrupt: rate(200),
            over: rate(500),
            delay: rate(500),
            disorder: rate(1_000),
            error: 0,
            ring: 0,
        };
        if wild {
            faults.error = rate(10);
            faults.ring = rate(60);
        }
        let soft_bytes = [200, 1_000, 1 << 20][chance.below(3)];
        let hard_bytes = [4 * soft_bytes, 64 << 20][chance.below(2)];
        let stuck = Duration::from_millis([150, 2_000, 3_600_000][chance.below(3)]);
        let connections = [2, 1_000][chance.below(2)];
        Plan {
            shards: 1 + chance.below(3),
            steps: 30 + chance.below(50),
            faults,
            wild,
            outbox: OutboxLimits {
                soft_bytes,
                hard_bytes,
                stuck,
            },
            read_bytes: [16, 100, 700, 8 << 10][chance.below(4)],
            capacity: [60, 300, 2_000, 60_000][chance.below(4)],
            lazy: chance.happens(400),
            secure: chance.happens(250),
            address_limits: AddressLimits {
                connections: Some(connections),
                opened_per_second: Some(2 * connections),
            },
        }
    }

    /// Whether the engine never ends a connection for what waits for it.
    pub(super) fn is_patient(&self) -> bool {
        self.outbox.hard_bytes > 1 << 22 && self.outbox.stuck > Duration::from_secs(3_000)
    }
}

/// What an engine is told: listeners of all formats, some of which want a PROXY header, or have TLS.
pub(super) fn settings(
    shards: usize,
    outbox: OutboxLimits,
    address_limits: AddressLimits,
) -> Settings {
    let listener = |(index, format): (usize, Format)| Listener {
        name: String::new(),
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        format,
        greeting: b"",
        protocol: Protocol::default(),
        outbox,
        read: ReadLimits::default(),
        strangers: None,
        proxy: PROXY.contains(&index),
        trusted: Vec::new(),
        tls: index >= SECURE,
    };
    Settings {
        inherited: Arc::default(),
        bans: Arc::default(),
        refusals: Arc::default(),
        tls: Some(tls::server()),
        shards: shards as u16,
        pin: false,
        listeners: FORMATS.into_iter().enumerate().map(listener).collect(),
        connections: 9,
        memory: MemoryLimits::default(),
        address_limits,
        ipv6_prefix: 64,
        peer_timeout: Duration::from_secs(90),
        handshake: Duration::from_millis(800),
        seed: Some(1),
    }
}

/// A question on its way: whose, and to whom its answer goes.
type Question = (ShardId, Ticket, u64);

/// Everything of one walk.
pub(super) struct Walk {
    pub(super) plan: Plan,
    pub(super) chance: Chance,
    incarnation: u16,
    /// Empty places: shards that have ended.
    pub(super) shards: Vec<Option<Shard<Scribe, SimIo>>>,
    deadlines: Vec<Option<Duration>>,
    events: Vec<Event>,
    pub(super) network: Shared,
    pub(super) book: Rc<RefCell<Book>>,
    pub(super) mesh: Arc<Mesh<Scribe, SimSocket>>,
    pub(super) admission: Arc<Admission>,
    settings: Arc<Settings>,
    /// What clients with TLS trust.
    clients: Arc<ClientConfig>,
    pub(super) metrics: Vec<Arc<Metrics>>,
    pub(super) refusals: Metrics,
    questions: Arc<Mutex<Vec<Question>>>,
    pub(super) accepted: u64,
    pub(super) stopping: bool,
}

impl Walk {
    /// A walk that has not begun.
    pub(super) fn new(seed: u64, tells: bool) -> Walk {
        let mut chance = Chance::new(seed);
        let plan = Plan::new(&mut chance);
        let network = Network::new(plan.shards, Chance::new(chance.next()));
        lock(&network).faults = plan.faults.clone();
        let book = Book {
            clients: Vec::new(),
            network: network.clone(),
            chance: Chance::new(chance.next()),
            soft_bytes: plan.outbox.soft_bytes,
            is_rough: plan.wild || !plan.is_patient(),
            budget: 400,
            serial: 0,
            mail: Default::default(),
            timers: Default::default(),
            published: 0,
            asked: Vec::new(),
            opened: 0,
            closed: 0,
            panics: 0,
            complaint: None,
            history: tells.then(Vec::new),
        };
        let settings = settings(plan.shards, plan.outbox, plan.address_limits);
        let settings = Arc::new(settings);
        let metrics = (0..plan.shards).map(|_| Arc::new(Metrics::default()));
        let admission = Admission::new(
            settings.shards,
            settings.connections,
            plan.address_limits,
            64,
        );
        let mut walk = Walk {
            chance,
            incarnation: seed as u16,
            shards: Vec::new(),
            deadlines: vec![None; plan.shards],
            events: Vec::new(),
            network,
            book: Rc::new(RefCell::new(book)),
            mesh: Mesh::new(settings.shards),
            admission: Arc::new(admission),
            metrics: metrics.collect(),
            settings,
            clients: tls::clients(),
            refusals: Metrics::default(),
            questions: Arc::default(),
            accepted: 0,
            stopping: false,
            plan,
        };
        for index in 0..walk.plan.shards {
            let shard = walk.new_shard(index);
            walk.shards.push(Some(shard));
        }
        walk
    }

    fn new_shard(&self, shard: usize) -> Shard<Scribe, SimIo> {
        let (questions, refused) = (self.questions.clone(), self.plan.wild);
        let outside = Outside {
            ask: Arc::new(move |shard, ticket: Ticket, client| {
                if refused && ticket.0 % 7 == 3 {
                    return Err(client);
                }
                let mut questions = questions.lock().unwrap_or_else(PoisonError::into_inner);
                questions.push((shard, ticket, client));
                Ok(())
            }),
            publish: Arc::new(|()| true),
        };
        let place = Place {
            id: ShardId::new(0, shard as u8),
            incarnation: self.incarnation,
            settings: self.settings.clone(),
            mesh: self.mesh.clone(),
            admission: self.admission.clone(),
            outside,
            metrics: self.metrics[shard].clone(),
        };
        let book = self.book.clone();
        let network = self.network.clone();
        let mut made = Shard::new(place, Scribe { shard, book }, SimIo { shard, network });
        made.read = vec![0; self.plan.read_bytes];
        made.start();
        made
    }

    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        self.book.borrow_mut().note(what);
    }

    /// What has gone wrong so far.
    pub(super) fn complaint(&self) -> Option<String> {
        let of_network = lock(&self.network).complaint.clone();
        self.book.borrow().complaint.clone().or(of_network)
    }

    /// The whole walk.
    ///
    /// # Errors
    /// What has gone wrong.
    pub(super) fn run(&mut self) -> Result<(), String> {
        self.note_plan();
        for _ in 0..self.plan.steps {
            self.step()?;
        }
        let stops_midway = self.chance.happens(150);
        if !stops_midway {
            self.rest()?;
            self.check_rest()?;
        }
        if stops_midway || self.chance.happens(250) {
            return self.stop(stops_midway);
        }
        self.everybody_leaves();
        self.rest()?;
        self.check_empty()
    }

    fn note_plan(&self) {
        self.note(|| format!("{:?}", self.plan));
    }

    // ---- steps -------------------------------------------------------------------------------------------------

    fn step(&mut self) -> Result<(), String> {
        let clients = self.book.borrow().clients.len();
        if clients < 2 || clients < 24 && self.chance.happens(60) {
            self.connect();
            return Ok(());
        }
        let client = self.chance.below(clients);
        match self.chance.below(32) {
            0..8 => self.write(client),
            8..14 => self.arrive(client),
            14..17 if !self.plan.lazy || self.chance.happens(250) => {
                let count = [10, 300, 5_000][self.chance.below(3)];
                let _ = self.read(client, count);
            }
            17 => self.pass_time(),
            18 => {
                let _ = self.answer();
            }
            19 => self.leave(client),
            20 if self.plan.wild => self.go_wrong(client),
            _ => {
                let shard = self.chance.below(self.plan.shards);
                self.turn(shard)?;
            }
        }
        Ok(())
    }

    /// One round of a shard, if anything would make it do one, or for no reason.
    fn turn(&mut self, shard: usize) -> Result<(), String> {
        if self.is_awake(shard) || self.chance.happens(20) {
            self.round(shard)?;
        }
        Ok(())
    }

    /// Whether the shard would not sleep.
    fn is_awake(&self, shard: usize) -> bool {
        let Some(one) = &self.shards[shard] else {
            return false;
        };
        let network = lock(&self.network);
        let until = [one.next_deadline(), self.deadlines[shard]];
        self.mesh.inbox(one.id).waiting() > 0
            || !one.dirty.is_empty() // the wait writes it
            || network.has_events(shard)
            || until.iter().flatten().any(|at| *at <= network.now)
    }

    fn round(&mut self, shard: usize) -> Result<(), String> {
        self.note(|| format!("round of {shard}"));
        let Some(one) = &mut self.shards[shard] else {
            return Ok(());
        };
        let over = one
            .wait_and_go_round(&mut self.deadlines[shard], &mut self.events)
            .map_err(|error| error.to_string())?;
        if let Some(complaint) = self.complaint() {
            return Err(complaint);
        }
        self.check_shard(shard)?;
        if over {
            self.note(|| format!("{shard} ends"));
            self.shards[shard] = None;
            self.mesh
                .set_ended(Part::Shard(ShardId::new(0, shard as u8)));
        }
        Ok(())
    }

    /// Somebody comes, as the acceptor lets them in.
    fn connect(&mut self) {
        let known = if self.plan.secure {
            FORMATS.len()
        } else {
            SECURE
        };
        let listener = self.chance.below(known);
        let address = IpAddr::from([10, 0, 0, self.chance.below(4) as u8]);
        let proxied = PROXY.contains(&listener);
        let admitted = !proxied;
        let now = lock(&self.network).now;
        if admitted && let Err(refusal) = self.admission.enter(address, false, now) {
            return self.refusals.refused(refusal).up();
        }
        let Some(shard) = self.admission.place() else {
            if admitted {
                self.admission.leave(address, false);
            }
            return self.refusals.refused_full.up();
        };
        let wire = lock(&self.network).connect(self.plan.capacity);
        let accepted = Accepted {
            socket: SimSocket::new(wire, self.network.clone()),
            address,
            listener: listener as u16,
            admitted,
        };
        self.accepted += 1;
        self.note(|| format!("{wire} connects to {shard:?}, listener {listener}"));
        let mut client = Client::new(shard.local(), FORMATS[listener]);
        client.tls = (listener >= SECURE).then(|| Box::new(Secured::new(&self.clients)));
        let mut under_way = Vec::new();
        if proxied {
            let last = self.chance.below(3);
            let header = format!("PROXY TCP4 192.0.2.{last} 10.0.0.1 1 2\r\n");
            match client.tls {
                Some(_) => under_way.extend_from_slice(header.as_bytes()),
                None => client.write_head(header.as_bytes()),
            }
        }
        if client.format.has_upgrade() {
            let key = "dGhlIHNhbXBsZSBub25jZQ==";
            client.write_head(&websocket::client_handshake("host", "/", key));
            client.put_raw(upgrade_answer(key));
        }
        let head = client.written.clone();
        under_way.extend(client.encrypted(&head));
        lock(&self.network).wires[wire].under_way.push(&under_way);
        self.book.borrow_mut().clients.push(client);
        self.mesh.post(shard, Inbound::Accepted(Box::new(accepted)));
    }

    /// A client writes some frames, or, in a relay, anything.
    fn write(&mut self, client: usize) {
        let mut book = self.book.borrow_mut();
        let one = &mut book.clients[client];
        let mut network = lock(&self.network);
        if one.fin || one.loose || network.wires[client].closed_at.is_some() {
            return;
        }
        let before = one.written.len();
        for _ in 0..=self.chance.below(4) {
            write_frame(&mut self.chance, &mut book, client);
        }
        let one = &mut book.clients[client];
        if self.plan.wild && self.chance.happens(8) {
            one.loose = true;
            one.write_raw(b"\xff\xff\xff\xffnonsense\0\0");
            book.doom(client);
        }
        let one = &mut book.clients[client];
        let bytes = one.written[before..].to_vec();
        let count = bytes.len();
        if one.loose && one.tls.is_some() && self.chance.happens(512) {
            network.wires[client]
                .under_way
                .push(b"\x17\x03\x03\0\x08nonsense");
        } else {
            let bytes = one.encrypted(&bytes);
            network.wires[client].under_way.push(&bytes);
        }
        drop(network);
        book.note(|| format!("{client} writes {count} bytes"));
    }

    fn arrive(&mut self, client: usize) {
        let few = self.chance.happens(300);
        let count = 1 + self.chance.below(if few { 40 } else { 4_000 });
        let to_end = self.chance.happens(512);
        let moved = lock(&self.network).arrive(client, count, to_end);
        if moved {
            self.note(|| format!("up to {count} bytes of {client} arrive"));
        }
    }

    /// A client reads. True: there was something.
    fn read(&mut self, client: usize, count: usize) -> bool {
        let mut network = lock(&self.network);
        if network.wires[client].gone {
            return false;
        }
        let bytes = network.read(client, count);
        drop(network);
        if bytes.is_empty() {
            return false;
        }
        let mut book = self.book.borrow_mut();
        book.note(|| format!("{client} reads {} bytes", bytes.len()));
        book.receive(client, &bytes);
        true
    }

    fn pass_time(&mut self) {
        let time = [1, 20, 150, 600, 2_500][self.chance.below(5)];
        lock(&self.network).now += Duration::from_millis(time);
        self.note(|| format!("{time} ms pass"));
    }

    fn answer(&mut self) -> bool {
        let mut questions = self
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if questions.is_empty() {
            return false;
        }
        let at = self.chance.below(questions.len());
        let (shard, ticket, client) = questions.swap_remove(at);
        self.mesh.post(shard, Inbound::Answer(ticket, client));
        true
    }

    /// A client ends its side, or goes away altogether.
    fn leave(&mut self, client: usize) {
        let how = self.chance.below(4);
        let mut book = self.book.borrow_mut();
        if how < 2 || book.clients[client].fin {
            return; // most stay
        }
        book.note(|| format!("{client} leaves, {how}"));
        if how == 3 {
            book.doom(client);
            book.clients[client].fin = true;
            let mut network = lock(&self.network);
            network.wires[client].gone = true;
            if self.chance.happens(512) || !network.wires[client].to_client.is_empty() {
                network.reset(client);
            } else {
                network.wires[client].fin_sent = true;
            }
            return;
        }
        // A last line may lack its end.
        let one = &book.clients[client];
        let whole = one.loose || one.joined.is_some() || one.format != Format::JsonLines;
        if !whole && self.chance.happens(300) {
            let one = &mut book.clients[client];
            let before = one.written.len();
            one.write(b"{\"last\":1}", [0; 4], false);
            let bytes = one.written[before..].to_vec();
            let bytes = one.encrypted(&bytes);
            lock(&self.network).wires[client].under_way.push(&bytes);
        }
        book.hang_up(client);
    }

    fn go_wrong(&mut self, client: usize) {
        let what = self.chance.below(8);
        let shard = self.chance.below(self.plan.shards);
        self.note(|| format!("something goes wrong: {what} {client} {shard}"));
        match what {
            0..5 => lock(&self.network).mislead(shard),
            5 => {
                lock(&self.network).unwatch(client);
            }
            6 => {
                self.book.borrow_mut().doom(client);
                lock(&self.network).reset(client);
            }
            _ => self.mesh.tell(|| ()),
        }
    }

    // ---- rest --------------------------------------------------------------------------------------------------

    /// Nothing goes wrong any more, clients read everything, questions are answered and time passes, until nothing
    /// happens.
    pub(super) fn rest(&mut self) -> Result<(), String> {
        self.note(|| "rest".into());
        lock(&self.network).calm_down();
        for _ in 0..RESTLESS {
            let mut busy = false;
            let clients = self.book.borrow().clients.len();
            for client in 0..clients {
                busy |= lock(&self.network).arrive(client, usize::MAX, true);
                busy |= self.read(client, usize::MAX);
            }
            while self.answer() {
                busy = true;
            }
            for shard in 0..self.plan.shards {
                if self.is_awake(shard) {
                    self.round(shard)?;
                    busy = true;
                }
            }
            if let Some(complaint) = self.complaint() {
                return Err(complaint);
            }
            if !busy && !self.skip_time() {
                return Ok(());
            }
        }
        Err("it does not come to rest".into())
    }

    /// To the next time at which something is due. False: nothing is.
    fn skip_time(&mut self) -> bool {
        let shards = self.shards.iter().zip(&self.deadlines);
        let due = shards
            .filter_map(|(shard, deadline)| {
                let next = shard.as_ref()?.next_deadline();
                [next, *deadline].into_iter().flatten().min()
            })
            .min();
        let Some(at) = due else {
            return false;
        };
        let mut network = lock(&self.network);
        network.now = network.now.max(at);
        true
    }

    fn everybody_leaves(&mut self) {
        let clients = self.book.borrow().clients.len();
        for client in 0..clients {
            let mut book = self.book.borrow_mut();
            let mut network = lock(&self.network);
            if self.chance.happens(200) {
                network.wires[client].gone = true;
                drop(network);
                book.doom(client);
                lock(&self.network).reset(client);
            } else if !book.clients[client].fin {
                drop(network);
                book.hang_up(client);
            }
        }
    }

    /// The end of the process, with or without time to get ready for it.
    fn stop(&mut self, at_once: bool) -> Result<(), String> {
        self.stopping = true;
        self.note(|| "stop".into());
        if !at_once {
            self.mesh.stop(Stopping::Drain);
            self.rest()?;
            self.check_rest()?;
            if !self.mesh.all_idle() {
                return Err("a drained shard is not idle".into());
            }
        }
        for client in self.book.borrow_mut().clients.iter_mut() {
            client.leaving |= !client.is_open();
        }
        self.mesh.stop(Stopping::Now);
        self.rest()?;
        self.check_stopped()
    }

    /// Whether somebody's frames wait for something that is not to come.
    pub(super) fn is_free(&self, client: usize) -> bool {
        let book = self.book.borrow();
        let one = &book.clients[client];
        one.held == Held::No && one.joined.is_none()
    }
}

fn upgrade_answer(key: &str) -> Vec<u8> {
    let key = websocket::accept_key(key);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n\r\n"
    )
    .into_bytes()
}

/// One more frame, or one that announces another without a header, and that.
fn write_frame(chance: &mut Chance, book: &mut Book, client: usize) {
    book.serial += 1;
    let serial = book.serial;
    let long = chance.happens(60);
    let length = chance.below(if long { 900 } else { 30 });
    let mask = chance.next().to_le_bytes();
    let mask = [mask[0], mask[1], mask[2], mask[3]];
    let one = &mut book.clients[client];
    if one.format == Format::Packets && chance.happens(100) {
        let bytes = 1 + length;
        one.write(format!("{{\"bare\":{bytes}}}").as_bytes(), mask, true);
        one.bare_next();
        one.write(&vec![b'b'; bytes], mask, true);
        return;
    }
    let padding = "x".repeat(length);
    one.write(
        format!("{{\"f\":{serial},\"p\":\"{padding}\"}}").as_bytes(),
        mask,
        true,
    );
}
