//! One turn: what a dialect may know while it handles an input, and everything it wants done.

use std::{borrow::Cow, rc::Rc, time::Duration};

use bytes::Bytes;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::{ConnId, Dialect, ShardId};
use wire::Chunk;

/// The time of a turn. Two clocks: one that never jumps, for intervals, and one for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Since an arbitrary start that all shards share; monotonic.
    pub mono: Duration,
    /// Since 1970-01-01 UTC.
    pub unix: Duration,
}

/// Names a question that is on its way, on this shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// A set of connections that is broadcast to: everybody, a room, a game, a table. A dialect has as many as it likes and
/// numbers them as it likes, below [`Topic::END`]; one exists while it has members. A connection may be in several. Each
/// shard keeps its own members of a topic, and a broadcast costs what those cost that are in it, whoever else there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Topic(pub u64);

impl Topic {
    /// The one that [`Turn::subscribe`] means.
    pub const SUBSCRIBERS: Topic = Topic(0);
    /// No number of a dialect's topic is as large: above it stands whose topic it is.
    pub const END: u64 = 1 << 56;

    /// The same topic as the one of dialect number `dialect` of a process.
    pub(super) fn of_dialect(self, dialect: u8) -> Topic {
        debug_assert!(self.0 < Topic::END, "a topic's number is too large");
        Topic(self.0 | u64::from(dialect) << 56)
    }
}

/// Who gets a broadcast, among the connections of this shard.
#[derive(Clone, Debug)]
pub enum Audience {
    /// Every connection that [`Turn::subscribe`] named.
    Subscribers,
    /// Every connection of this topic.
    Topic(Topic),
    /// Every subscriber without these.
    SubscribersBut(Rc<[ConnId]>),
    /// Every connection of this topic without these.
    TopicBut(Topic, Rc<[ConnId]>),
    /// Just these.
    Connections(Rc<[ConnId]>),
}

impl Audience {
    /// The same audience with its topic changed.
    pub(super) fn map_topic(self, change: impl FnOnce(Topic) -> Topic) -> Audience {
        match self {
            Audience::Subscribers => Audience::Topic(change(Topic::SUBSCRIBERS)),
            Audience::Topic(topic) => Audience::Topic(change(topic)),
            Audience::SubscribersBut(out) => Audience::TopicBut(change(Topic::SUBSCRIBERS), out),
            Audience::TopicBut(topic, out) => Audience::TopicBut(change(topic), out),
            Audience::Connections(conns) => Audience::Connections(conns),
        }
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// What is queued is sent first (spec: faf-wire 7).
    Flushed,
    /// At once.
    Abort,
}

/// Two connections that are to be relayed to each other, on whatever shards they are. Both are held ([`Turn::watch`]).
/// From then on each is sent what the other one sends, unread; when one ends, the other ends too, unless it `survives`.
#[derive(Clone, Debug)]
pub struct Relay {
    /// This one's socket moves to the other's shard. Its name stays: it is closed, and its end is told, where it was.
    pub source: ConnId,
    /// The relay is on this one's shard.
    pub target: ConnId,
    /// What the source is sent before anything else.
    pub to_source: Bytes,
    /// What the target is sent before anything else.
    pub to_target: Bytes,
    /// They exchange frames, of which empty ones are each side's own business. None: they exchange bytes.
    pub frames: Option<FrameRelay>,
    /// Both end when nothing has come from either for this long.
    pub idle: Option<Duration>,
    /// Whoever is left when the other side has gone is not ended: where it was accepted it may be relayed with somebody else, and
    /// what it sends meanwhile is thrown away ([`Turn::discard`]). Who ends one side ends both.
    pub survives: bool,
}

/// A relay of frames with little-endian lengths, whose empty ones are heartbeats: those of the two sides are not passed on, and
/// each side is sent some of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRelay {
    /// Longest frame; who begins a longer one ends the relay.
    pub longest: u32,
    /// How often each side is sent a heartbeat.
    pub heartbeat: Duration,
    /// A side that has sent heartbeats, and then nothing for this long, is taken for gone.
    pub silent: Option<Duration>,
    /// When the source was accepted, of the monotonic clock: its heartbeats count from then.
    pub source_since: Duration,
    /// When the target was.
    pub target_since: Duration,
}

/// What a turn speaks of. Every [`Dialect`] is one; a dialect that is made of several parts may give them one of their own,
/// so that they need not name the whole.
pub trait Vocabulary: 'static {
    /// What shards say to each other.
    type Mail;
    /// A question to the back office.
    type Ask;
    /// Something the outside is told of.
    type Event;
    /// What a timer was set for.
    type Timer;
}

impl<D: Dialect> Vocabulary for D {
    type Mail = D::Mail;
    type Ask = D::Ask;
    type Event = D::Event;
    type Timer = D::Timer;
}

/// Something a dialect wants done. Effects of a turn are carried out in order.
#[derive(Debug)]
pub enum Effect<D: Vocabulary> {
    /// One message to one connection, wherever it is.
    Send(ConnId, Bytes),
    /// One message to one connection of this shard, its body in parts that many messages share.
    SendChunks(ConnId, Vec<Rc<Chunk>>),
    /// One message to many connections of this shard: encoded once per format.
    FanOut(Audience, Bytes),
    /// From now on the connection is in this topic.
    Enter(ConnId, Topic),
    /// From now on the connection is no longer in this topic.
    Leave(ConnId, Topic),
    /// Mail to the dialect on another shard.
    Mail(ShardId, D::Mail),
    /// Mail to the dialect on every shard of every other node of the lobby: a copy for each node leaves this one.
    MailNodes(D::Mail),
    /// Mail to the dialect on every shard of one other node: one copy leaves this one.
    MailNode(u8, D::Mail),
    /// A question to the back office.
    Ask(Ticket, D::Ask),
    /// An event for the broker; dropped and counted where it can't take any more.
    Publish(D::Event),
    /// Frames of this connection wait.
    Hold(ConnId),
    /// Frames of this connection wait, but its end does not.
    Watch(ConnId),
    /// What this connection sends is thrown away, but its end is noticed.
    Discard(ConnId),
    /// Frames of this connection are handled again.
    Release(ConnId),
    /// Frames of this connection wait until this monotonic time, whatever else they wait for.
    Pause(ConnId, Duration),
    /// The next frame of this connection, whose frame is being handled, is so many bytes without a header.
    ExpectRaw(ConnId, u32),
    /// This connection has proved who it is.
    SignedIn(ConnId),
    /// This connection has failed to prove who it is, or may not come in, for this reason.
    TurnedAway(ConnId, &'static str),
    /// The dialect keeps so many bytes of what this connection has said.
    Keeps(ConnId, usize),
    /// What has become of a connection of this shard, for whoever reads the log at its level `debug`.
    Note(ConnId, Cow<'static, str>),
    /// Relay two connections to each other.
    Join(Box<Relay>),
    /// End a connection, wherever it is.
    Close(ConnId, Closing),
    /// Call [`Dialect::on_timer`] at this monotonic time.
    Wake(Duration, D::Timer),
}

impl<D: Vocabulary> Effect<D> {
    /// The same effect of a dialect that has this one within it.
    pub fn map<E: Vocabulary>(
        self,
        mail: impl FnOnce(D::Mail) -> E::Mail,
        ask: impl FnOnce(D::Ask) -> E::Ask,
        event: impl FnOnce(D::Event) -> E::Event,
        timer: impl FnOnce(D::Timer) -> E::Timer,
    ) -> Effect<E> {
        match self {
            Effect::Send(conn, body) => Effect::Send(conn, body),
            Effect::SendChunks(conn, parts) => Effect::SendChunks(conn, parts),
            Effect::FanOut(audience, body) => Effect::FanOut(audience, body),
            Effect::Enter(conn, topic) => Effect::Enter(conn, topic),
            Effect::Leave(conn, topic) => Effect::Leave(conn, topic),
            Effect::Mail(to, letter) => Effect::Mail(to, mail(letter)),
            Effect::MailNodes(letter) => Effect::MailNodes(mail(letter)),
            Effect::MailNode(node, letter) => Effect::MailNode(node, mail(letter)),
            Effect::Ask(ticket, question) => Effect::Ask(ticket, ask(question)),
            Effect::Publish(what) => Effect::Publish(event(what)),
            Effect::Hold(conn) => Effect::Hold(conn),
            Effect::Watch(conn) => Effect::Watch(conn),
            Effect::Discard(conn) => Effect::Discard(conn),
            Effect::Release(conn) => Effect::Release(conn),
            Effect::Pause(conn, until) => Effect::Pause(conn, until),
            Effect::ExpectRaw(conn, bytes) => Effect::ExpectRaw(conn, bytes),
            Effect::SignedIn(conn) => Effect::SignedIn(conn),
            Effect::Keeps(conn, bytes) => Effect::Keeps(conn, bytes),
            Effect::Note(conn, what) => Effect::Note(conn, what),
            Effect::Join(joint) => Effect::Join(joint),
            Effect::Close(conn, how) => Effect::Close(conn, how),
            Effect::TurnedAway(conn, why) => Effect::TurnedAway(conn, why),
            Effect::Wake(at, what) => Effect::Wake(at, timer(what)),
        }
    }
}

/// Takes what a dialect wants done. A turn that panics keeps what it pushed before.
pub trait Effects<D: Vocabulary> {
    /// One more effect, after those before.
    fn push(&mut self, effect: Effect<D>);
}

impl<D: Vocabulary> Effects<D> for Vec<Effect<D>> {
    fn push(&mut self, effect: Effect<D>) {
        Vec::push(self, effect);
    }
}

/// The hand a dialect is given for one input.
pub struct Turn<'a, D: Vocabulary> {
    /// This shard.
    pub shard: ShardId,
    /// How many shards this node has.
    pub shards: u16,
    /// The time, the same for the whole turn.
    pub now: Now,
    /// The only source of chance; nobody can tell from what it gave what it will give.
    pub rng: &'a mut StdRng,
    /// The next question's number; grows for the life of the shard.
    pub next_ticket: &'a mut u64,
    /// Where what is wanted goes, in order.
    pub effects: &'a mut dyn Effects<D>,
}

impl<D: Vocabulary> Turn<'_, D> {
    /// One message, without the framing of its format, to one connection of any shard, in order.
    pub fn send(&mut self, conn: ConnId, body: impl Into<Bytes>) {
        self.effects.push(Effect::Send(conn, body.into()));
    }

    /// One message made of shared parts to a connection of this shard.
    pub fn send_chunks(&mut self, conn: ConnId, parts: Vec<Rc<Chunk>>) {
        self.effects.push(Effect::SendChunks(conn, parts));
    }

    /// One message to many connections of this shard.
    pub fn fan_out(&mut self, audience: Audience, body: impl Into<Bytes>) {
        self.effects.push(Effect::FanOut(audience, body.into()));
    }

    /// Puts the connection among the receivers of broadcasts.
    pub fn subscribe(&mut self, conn: ConnId) {
        self.enter(conn, Topic::SUBSCRIBERS);
    }

    /// Takes the connection out of the receivers of broadcasts.
    pub fn unsubscribe(&mut self, conn: ConnId) {
        self.leave(conn, Topic::SUBSCRIBERS);
    }

    /// Puts a connection of this shard into a topic.
    pub fn enter(&mut self, conn: ConnId, topic: Topic) {
        self.effects.push(Effect::Enter(conn, topic));
    }

    /// Takes a connection of this shard out of a topic.
    pub fn leave(&mut self, conn: ConnId, topic: Topic) {
        self.effects.push(Effect::Leave(conn, topic));
    }

    /// Mail to another shard. To oneself it is a mistake: call the function instead.
    pub fn mail(&mut self, to: ShardId, mail: D::Mail) {
        debug_assert_ne!(to, self.shard, "mail to oneself");
        self.effects.push(Effect::Mail(to, mail));
    }

    /// Mail to every other shard of this node; `mail` makes one copy.
    pub fn mail_all(&mut self, mut mail: impl FnMut() -> D::Mail) {
        for shard in ShardId::of_node(self.shard.node(), self.shards).filter(|&s| s != self.shard) {
            self.effects.push(Effect::Mail(shard, mail()));
        }
    }

    /// Mail to every shard of every other node. One that is alone has none.
    pub fn mail_nodes(&mut self, mail: D::Mail) {
        self.effects.push(Effect::MailNodes(mail));
    }

    /// Mail to every shard of one other node.
    pub fn mail_node(&mut self, node: u8, mail: D::Mail) {
        self.effects.push(Effect::MailNode(node, mail));
    }

    /// A question to the back office; the answer comes as [`Dialect::on_answer`] with the same ticket.
    pub fn ask(&mut self, question: impl Into<D::Ask>) -> Ticket {
        let ticket = Ticket(*self.next_ticket);
        *self.next_ticket += 1;
        self.effects.push(Effect::Ask(ticket, question.into()));
        ticket
    }

    /// Tells the outside of something; nothing comes back.
    pub fn publish(&mut self, event: D::Event) {
        self.effects.push(Effect::Publish(event));
    }

    /// Holds back the connection's further frames until [`Turn::release`].
    pub fn hold(&mut self, conn: ConnId) {
        self.effects.push(Effect::Hold(conn));
    }

    /// Like [`Turn::hold`], for long: some of what arrives is kept, and the connection's end is noticed.
    pub fn watch(&mut self, conn: ConnId) {
        self.effects.push(Effect::Watch(conn));
    }

    /// Like [`Turn::watch`], but nothing of what arrives is kept.
    pub fn discard(&mut self, conn: ConnId) {
        self.effects.push(Effect::Discard(conn));
    }

    /// Holds back the further frames of a connection of this shard until this monotonic time, whether it is released before or
    /// not. It says too much.
    pub fn pause(&mut self, conn: ConnId, until: Duration) {
        self.effects.push(Effect::Pause(conn, until));
    }

    /// The connection whose frame is being handled sends so many bytes without a header next
    /// ([`wire::packets`]).
    pub fn expect_raw(&mut self, conn: ConnId, bytes: u32) {
        self.effects.push(Effect::ExpectRaw(conn, bytes));
    }

    /// A connection of this shard has proved who it is: from now on it may say, and be owed, what its listener allows clients
    /// and not only what it allows strangers. Before what it is sent as a client.
    pub fn signed_in(&mut self, conn: ConnId) {
        self.effects.push(Effect::SignedIn(conn));
    }

    /// A connection of this shard has failed to sign in, or may not: the log tells, and operators see how often. `why` is a few
    /// words that are always the same.
    pub fn turned_away(&mut self, conn: ConnId, why: &'static str) {
        self.effects.push(Effect::TurnedAway(conn, why));
    }

    /// The dialect keeps so many bytes of what a connection of this shard has said, until it says otherwise, or hears of the
    /// connection's end and lets go of them: they count among what connections hold. For what is kept while something is
    /// waited for, not for what stays.
    pub fn keeps(&mut self, conn: ConnId, bytes: usize) {
        self.effects.push(Effect::Keeps(conn, bytes));
    }

    /// Says in the log, at its level `debug`, what has become of a connection of this shard: who it is, why it is ended.
    /// Never a secret, and nothing that happens often.
    pub fn note(&mut self, conn: ConnId, what: impl Into<Cow<'static, str>>) {
        self.effects.push(Effect::Note(conn, what.into()));
    }

    /// Relays two connections to each other. Both count as signed in from then on.
    pub fn join(&mut self, joint: Relay) {
        self.effects.push(Effect::Join(Box::new(joint)));
    }

    /// Lets the frames of a connection that was held or watched come again.
    pub fn release(&mut self, conn: ConnId) {
        self.effects.push(Effect::Release(conn));
    }

    /// Ends a connection of any shard.
    pub fn close(&mut self, conn: ConnId, how: Closing) {
        self.effects.push(Effect::Close(conn, how));
    }

    /// A timer at a monotonic time.
    pub fn wake_at(&mut self, mono: Duration, timer: D::Timer) {
        self.effects.push(Effect::Wake(mono, timer));
    }
}
