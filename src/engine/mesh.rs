//! Mail between shards, and from the back office to a shard: one lock-free inbox per shard, and a way out to other nodes.
//!
//! A shard looks into its inbox before each step of a round. Only one that sleeps in its ring is woken, by its doorbell.

use std::{
    fmt,
    net::IpAddr,
    os::fd::OwnedFd,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use crossbeam::{queue::SegQueue, utils::CachePadded};

use super::{
    inquiry::Inquiry,
    letter::{self, Letter},
    outward::Outward,
    runtime::Doorbell,
    tls::Session,
};
use lobby::{Closing, ConnId, Dialect, FrameRelay, Relay, ShardId, Standing, Stopping, Ticket};

/// Mail waiting in one inbox above which all shards stop reading from their sockets. Most mail is caused by what
/// clients send, so this bounds the inboxes in practice; it is far above what a healthy shard ever sees.
pub const INBOX_HIGH: usize = if cfg!(test) { 12 } else { 65_536 };

/// Something for a shard that did not come through a socket. `S` is what a socket is.
#[derive(Debug)]
pub enum Inbound<D: Dialect, S = OwnedFd> {
    /// A connection that was accepted.
    Accepted(Box<Accepted<S>>),
    /// From the dialect on another shard.
    Mail(ShardId, D::Mail),
    /// The same from a shard of another node, unread.
    Letter(ShardId, Bytes),
    /// A message for one of this shard's connections.
    Deliver(ConnId, Bytes),
    /// End one of this shard's connections.
    Close(ConnId, Closing),
    /// Relay one of this shard's connections, whose socket moves, with another.
    Join(Box<Relay>),
    /// A socket that is to be relayed with one of this shard's.
    Moved(Box<MovedSocket<S>>),
    /// The socket of one of this shard's, which survives its relay.
    Returned(Box<ReturnedSocket<S>>),
    /// The relay of this shard's connection, whose socket had moved, has ended.
    RelayEnded(ConnId),
    /// The back office's answer.
    Answer(Ticket, D::Answer),
    /// What it tells unasked.
    Notice(D::Notice),
    /// What is known of the other nodes, from now on.
    Standing(Arc<Standing>),
    /// What was under way to and from this node is lost.
    LaneBroken(u8),
    /// The process is to end.
    Stop(Stopping),
    /// Log every counter.
    Report,
    /// Say that the shard still does something.
    Pulse,
    /// An operator asks something, or wants something done.
    Inquiry(Box<Inquiry>),
}

/// A connection on its way to its shard.
#[derive(Debug)]
pub struct Accepted<S> {
    pub(super) socket: S,
    pub(super) address: IpAddr,
    /// Which of the listeners it came through.
    pub(super) listener: u16,
    /// Counted under its address.
    pub(super) admitted: bool,
}

/// A socket on its way to the shard that relays it.
#[derive(Debug)]
pub struct MovedSocket<S> {
    /// Its connection, which stays where it was.
    pub(super) source: ConnId,
    /// The connection it is relayed with.
    pub(super) target: ConnId,
    pub(super) socket: S,
    /// What its bytes are encrypted with.
    pub(super) tls: Option<Box<Session>>,
    /// What it is still to be sent.
    pub(super) to_source: Vec<u8>,
    /// What the target is to be sent: first words, and what the source has sent already.
    pub(super) to_target: Vec<u8>,
    /// They exchange frames.
    pub(super) frames: Option<FrameRelay>,
    /// The relay ends when nothing has come from either side for this long.
    pub(super) idle: Option<Duration>,
    /// Neither side ends with the other.
    pub(super) survives: bool,
}

/// A socket on its way back to the shard where it was accepted.
#[derive(Debug)]
pub struct ReturnedSocket<S> {
    /// Its connection.
    pub(super) source: ConnId,
    pub(super) socket: S,
    /// What its bytes are encrypted with.
    pub(super) tls: Option<Box<Session>>,
    /// What it is still to be sent.
    pub(super) unsent: Vec<u8>,
}

/// What was sent to a shard and not taken yet.
#[derive(Debug)]
pub(super) struct Inbox<D: Dialect, S> {
    queue: SegQueue<Inbound<D, S>>,
    waiting: AtomicUsize,
    sleeping: AtomicBool,
    bell: OnceLock<Doorbell>,
}

impl<D: Dialect, S> Inbox<D, S> {
    fn new() -> Self {
        Inbox {
            queue: SegQueue::new(),
            waiting: AtomicUsize::new(0),
            sleeping: AtomicBool::new(false),
            bell: OnceLock::new(),
        }
    }

    /// What wakes the shard; set once, before it first sleeps.
    pub(super) fn set_bell(&self, bell: Doorbell) {
        let _ = self.bell.set(bell); // a second one would be of a second life of the same shard
    }

    /// How much is waiting: one atomic load.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Next piece of mail.
    pub(super) fn take(&self) -> Option<Inbound<D, S>> {
        let mail = self.queue.pop()?;
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        Some(mail)
    }

    /// From now on the bell is rung for whoever puts something in. False if mail came meanwhile: drain again instead of
    /// sleeping.
    pub(super) fn sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return true;
        }
        self.wake();
        false
    }

    /// The shard does not sleep any more.
    pub(super) fn wake(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }
}

/// All inboxes: how shards and the back office reach each other. Beside it shards share only who may connect
/// (`admission`).
#[derive(Debug)]
pub struct Mesh<D: Dialect, S = OwnedFd> {
    node: u8,
    /// The way to other nodes, unless this one is alone.
    outward: Option<Arc<Outward>>,
    inboxes: Box<[CachePadded<Inbox<D, S>>]>,
    /// What wakes the thread that accepts connections.
    acceptor: OnceLock<Doorbell>,
    /// Nobody is to be accepted any more.
    closing: AtomicBool,
    /// The listening sockets are to be given up; and they are.
    releasing: AtomicBool,
    released: AtomicBool,
    /// Per shard: drained, nothing left that an orderly end waits for.
    idle: Box<[AtomicBool]>,
    /// Per shard: its clients have heard all that they are to hear before their connections end.
    silent: Box<[AtomicBool]>,
    /// Per shard: what it did for the whole lobby is with other nodes.
    handed_over: Box<[AtomicBool]>,
    /// Per shard: it knows what the other nodes have.
    caught_up: Box<[AtomicBool]>,
    /// How often it was asked whether everybody is alive.
    asked: AtomicU64,
    /// Per shard: the last time it has answered to.
    answered: Box<[AtomicU64]>,
    /// Per shard: its thread has ended.
    ended: Box<[AtomicBool]>,
    /// The accepting thread has ended.
    acceptor_ended: AtomicBool,
}

/// A thread of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// That of a shard.
    Shard(ShardId),
    /// The one that accepts connections.
    Acceptor,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Shard(id) => write!(f, "shard {}", id.local()),
            Part::Acceptor => write!(f, "the thread that accepts connections"),
        }
    }
}

/// Has everybody know that a thread has ended, in whatever way it does.
pub(super) struct Ending<D: Dialect, S> {
    mesh: Arc<Mesh<D, S>>,
    part: Part,
}

impl<D: Dialect, S> Drop for Ending<D, S> {
    fn drop(&mut self) {
        self.mesh.set_ended(self.part);
    }
}

/// One for each shard, none of them set.
fn flags(shards: u16) -> Box<[AtomicBool]> {
    (0..shards).map(|_| AtomicBool::new(false)).collect()
}

fn all(flags: &[AtomicBool]) -> bool {
    flags.iter().all(|flag| flag.load(Ordering::Acquire))
}

impl<D: Dialect, S> Mesh<D, S> {
    /// Inboxes for `shards` shards of a node that is alone.
    ///
    /// # Panics
    /// With more shards than a node can have.
    pub fn new(shards: u16) -> Arc<Self> {
        Mesh::of_node(0, shards, None)
    }

    /// Inboxes for `shards` shards of node `node`, which has this way to others.
    ///
    /// # Panics
    /// With more shards than a node can have.
    pub fn of_node(node: u8, shards: u16, outward: Option<Arc<Outward>>) -> Arc<Self> {
        assert!(shards <= ShardId::MOST_PER_NODE, "{shards} shards");
        Arc::new(Mesh {
            node,
            outward,
            inboxes: (0..shards)
                .map(|_| CachePadded::new(Inbox::new()))
                .collect(),
            acceptor: OnceLock::new(),
            closing: AtomicBool::new(false),
            releasing: AtomicBool::new(false),
            released: AtomicBool::new(false),
            idle: flags(shards),
            silent: flags(shards),
            handed_over: flags(shards),
            caught_up: flags(shards),
            asked: AtomicU64::new(0),
            answered: (0..shards).map(|_| AtomicU64::new(0)).collect(),
            ended: flags(shards),
            acceptor_ended: AtomicBool::new(false),
        })
    }

    /// The node whose shards these are.
    pub fn node(&self) -> u8 {
        self.node
    }

    /// Whether there may be no other nodes.
    pub fn is_alone(&self) -> bool {
        self.outward.is_none()
    }

    /// The way to other nodes, unless this one is alone.
    pub(super) fn outward(&self) -> Option<&Outward> {
        self.outward.as_deref()
    }

    /// How many shards there are.
    pub fn shards(&self) -> u16 {
        self.inboxes.len() as u16
    }

    /// Every shard.
    pub fn ids(&self) -> impl Iterator<Item = ShardId> {
        ShardId::of_node(self.node, self.shards())
    }

    /// Puts something into a shard's inbox and wakes it if it sleeps; what another node's shard may be told leaves for it. Never
    /// blocks.
    pub fn post(&self, to: ShardId, inbound: Inbound<D, S>) {
        if to.node() != self.node {
            return self.post_outward(to, inbound);
        }
        let Some(inbox) = self.inboxes.get(to.local()) else {
            return; // an id from another layout of shards: nobody there
        };
        // Counted first: who finds it counted and not yet there looks again.
        inbox.waiting.fetch_add(1, Ordering::SeqCst);
        inbox.queue.push(inbound);
        if inbox.sleeping.load(Ordering::SeqCst)
            && inbox.sleeping.swap(false, Ordering::SeqCst)
            && let Some(bell) = inbox.bell.get()
        {
            bell.ring();
        }
    }

    /// Has something leave for a shard of another node.
    fn post_outward(&self, to: ShardId, inbound: Inbound<D, S>) {
        let Some(outward) = &self.outward else {
            return; // alone: nobody there
        };
        let letter = match inbound {
            Inbound::Mail(from, mail) => letter::mail(from, Some(to), &mail),
            Inbound::Deliver(conn, body) => Some(letter::deliver(conn, &body)),
            Inbound::Close(conn, how) => Some(letter::close(conn, how)),
            _ => None, // sockets, and what concerns one process, stay in it
        };
        match letter {
            Some(letter) => outward.push(Some(to.node()), letter),
            None => outward.metrics().drop_one("stays_here"),
        }
    }

    /// Mail to every shard of one other node, or of all of them.
    pub(super) fn post_nodes(&self, from: ShardId, to: Option<u8>, mail: &D::Mail) {
        let Some(outward) = self.outward().filter(|outward| outward.has_peers()) else {
            return;
        };
        match letter::mail(from, None, mail) {
            Some(letter) => outward.push(to, letter),
            None => outward.metrics().drop_one("stays_here"),
        }
    }

    /// Gives the shards a letter that another node's have sent. One of a form that is not known is dropped, and counted.
    pub fn deliver(&self, from: u8, letter: Bytes) {
        let Some(outward) = &self.outward else {
            return;
        };
        outward.metrics().heard.up();
        match letter::read(from, self.node, letter) {
            Some(Letter::Mail { from, to, body }) => {
                let all = self.ids().filter(|_| to.is_none());
                for shard in all.chain(to) {
                    self.post(shard, Inbound::Letter(from, body.clone()));
                }
            }
            Some(Letter::Deliver { conn, body }) => {
                self.post(conn.shard, Inbound::Deliver(conn, body));
            }
            Some(Letter::Close { conn, how }) => self.post(conn.shard, Inbound::Close(conn, how)),
            None => outward.metrics().drop_one("undecodable"),
        }
    }

    /// Tells every shard what is known of the other nodes from now on.
    pub fn tell_standing(&self, standing: &Arc<Standing>) {
        if let Some(outward) = &self.outward {
            outward.set_has_peers(standing.others().next().is_some());
        }
        for shard in self.ids() {
            self.post(shard, Inbound::Standing(standing.clone()));
        }
    }

    /// Tells every shard that what was under way to and from a node is lost.
    pub fn tell_broken(&self, node: u8) {
        for shard in self.ids() {
            self.post(shard, Inbound::LaneBroken(node));
        }
    }

    /// Tells every shard something; `news` makes one copy.
    pub fn tell(&self, mut news: impl FnMut() -> D::Notice) {
        for shard in self.ids() {
            self.post(shard, Inbound::Notice(news()));
        }
    }

    /// Tells every shard that the process is to end; nobody is accepted any more but while it drains.
    pub fn stop(&self, step: Stopping) {
        if step != Stopping::Drain {
            self.closing.store(true, Ordering::SeqCst);
            if let Some(bell) = self.acceptor.get() {
                bell.ring();
            }
        }
        for shard in self.ids() {
            self.post(shard, Inbound::Stop(step));
        }
    }

    /// Gives the listening sockets up: who waits there is still taken in, who comes later meets whoever listens then.
    pub fn release_ports(&self) {
        self.releasing.store(true, Ordering::SeqCst);
        if let Some(bell) = self.acceptor.get() {
            bell.ring();
        }
    }

    /// Whether they are to be given up.
    pub(super) fn is_releasing(&self) -> bool {
        self.releasing.load(Ordering::SeqCst)
    }

    /// They are given up.
    pub(super) fn set_released(&self) {
        self.released.store(true, Ordering::SeqCst);
    }

    /// Whether they have been given up: somebody else may listen there.
    pub fn has_released_ports(&self) -> bool {
        self.released.load(Ordering::SeqCst)
    }

    /// Has every shard log what it counts.
    pub fn report(&self) {
        for shard in self.ids() {
            self.post(shard, Inbound::Report);
        }
    }

    /// Puts something to a shard for an operator. If the shard has ended, the answer's way back is dropped.
    pub fn inquire(&self, shard: ShardId, inquiry: Inquiry) {
        self.post(shard, Inbound::Inquiry(Box::new(inquiry)));
    }

    /// Asks every shard whether it still does anything. One that has not answered the last time is not asked again before it
    /// has, so nothing piles up.
    pub fn ask_pulse(&self) {
        let last = self.asked.fetch_add(1, Ordering::AcqRel);
        for shard in self.ids() {
            if self.answered[shard.local()].load(Ordering::Acquire) == last {
                self.post(shard, Inbound::Pulse);
            }
        }
    }

    /// A shard that has not answered to the last [`Mesh::ask_pulse`].
    pub fn without_pulse(&self) -> Option<ShardId> {
        let asked = self.asked.load(Ordering::Acquire);
        let mut shards = self.ids();
        shards.find(|id| self.answered[id.local()].load(Ordering::Acquire) < asked)
    }

    /// A shard answers, to whatever it was asked last.
    pub(super) fn answer_pulse(&self, shard: ShardId) {
        let asked = self.asked.load(Ordering::Acquire);
        self.answered[shard.local()].store(asked, Ordering::Release);
    }

    /// Whether every shard has finished its work since [`Stopping::Drain`].
    pub fn all_idle(&self) -> bool {
        all(&self.idle)
    }

    /// Whether no shard has anything left, since [`Stopping::Evict`], that clients are to hear before their connections end.
    pub fn all_silent(&self) -> bool {
        all(&self.silent)
    }

    /// Whether every shard has given to other nodes what it did for the whole lobby, since [`Stopping::Drain`].
    pub fn all_handed_over(&self) -> bool {
        all(&self.handed_over)
    }

    /// Whether every shard knows what the other nodes of its lobby have ([`Dialect::is_caught_up`]).
    pub fn all_caught_up(&self) -> bool {
        all(&self.caught_up)
    }

    /// Whether every shard's thread is done.
    pub fn all_ended(&self) -> bool {
        all(&self.ended)
    }

    /// A thread that has ended though nobody told it to: from then on some who are connected, or would be, wait for nothing.
    pub fn lost(&self) -> Option<Part> {
        if self.is_closing() {
            return None;
        }
        let mut shards = self.ids();
        let shard = shards.find(|id| self.ended[id.local()].load(Ordering::Acquire));
        let acceptor = self.acceptor_ended.load(Ordering::Acquire);
        shard
            .map(Part::Shard)
            .or(acceptor.then_some(Part::Acceptor))
    }

    /// Kept by a thread for as long as it lives.
    pub(super) fn ending(self: &Arc<Self>, part: Part) -> Ending<D, S> {
        Ending {
            mesh: self.clone(),
            part,
        }
    }

    /// Whether nobody is to be accepted any more.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// What wakes the thread that accepts connections.
    pub(super) fn set_acceptor(&self, bell: Doorbell) {
        let _ = self.acceptor.set(bell); // an engine has one
    }

    pub(super) fn inbox(&self, shard: ShardId) -> &Inbox<D, S> {
        &self.inboxes[shard.local()]
    }

    /// A shard that drains has given to others what it did for all, or not yet.
    pub(super) fn set_handed_over(&self, shard: ShardId, has_handed_over: bool) {
        self.handed_over[shard.local()].store(has_handed_over, Ordering::Release);
    }

    pub(super) fn set_silent(&self, shard: ShardId, silent: bool) {
        self.silent[shard.local()].store(silent, Ordering::Release);
    }

    pub(super) fn set_idle(&self, shard: ShardId, idle: bool) {
        self.idle[shard.local()].store(idle, Ordering::Release);
    }

    /// A shard knows what the other nodes have, or not yet.
    pub(super) fn set_caught_up(&self, shard: ShardId, caught_up: bool) {
        let flag = &self.caught_up[shard.local()];
        if flag.load(Ordering::Relaxed) != caught_up {
            flag.store(caught_up, Ordering::Release);
        }
    }

    pub(super) fn set_ended(&self, part: Part) {
        let ended = match part {
            Part::Shard(id) => &self.ended[id.local()],
            Part::Acceptor => &self.acceptor_ended,
        };
        ended.store(true, Ordering::Release);
    }

    /// Some inbox is so long, or so much is on its way to other nodes, that nobody should take in more from outside for now.
    pub fn congested(&self) -> bool {
        let is_long = |inbox: &Inbox<D, S>| inbox.waiting.load(Ordering::Relaxed) > INBOX_HIGH;
        self.inboxes.iter().any(|inbox| is_long(inbox))
            || self.outward().is_some_and(Outward::is_crowded)
    }
}
