//! One turn of a simulated shard, and what its effects do.

use std::fmt::Debug;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{Parcel, Simulator};
use crate::{
    Audience, Closing, ConnId, Dialect, Effect, Keep, Now, Relay, ShardId, Topic, Turn, kept,
};

impl<D: Dialect<Mail: Debug>> Simulator<D> {
    /// One turn of a shard, and its effects in order.
    pub(super) fn turn(&mut self, shard: ShardId, input: impl FnOnce(&mut D, &mut Turn<'_, D>)) {
        let shards = self.nodes.shards(shard.node());
        let index = self.index(shard);
        let state = &mut self.shards[index];
        let mut effects = std::mem::take(&mut self.effects);
        let mut turn = Turn {
            shard,
            shards,
            now: Now {
                mono: self.now,
                unix: self.epoch + self.now,
            },
            rng: &mut state.rng,
            next_ticket: &mut state.next_ticket,
            effects: &mut effects,
        };
        input(&mut state.dialect, &mut turn);
        for effect in effects.drain(..) {
            if let Some(observer) = &mut self.observer {
                observer(shard, &effect);
            }
            self.carry_out(shard, effect);
        }
        self.effects = effects;
    }

    fn carry_out(&mut self, shard: ShardId, effect: Effect<D>) {
        let index = self.index(shard);
        let state = &mut self.shards[index];
        match effect {
            Effect::Send(conn, body) if conn.shard == shard => self.receive(conn, body),
            Effect::Send(conn, body) => self.post(shard, conn.shard, Parcel::Send(conn, body)),
            Effect::SendChunks(conn, parts) => {
                assert_eq!(conn.shard, shard, "chunks go to a connection of this shard");
                let texts: Vec<&[u8]> = parts.iter().map(|part| &part.text()[..]).collect();
                self.receive(conn, texts.concat().into());
            }
            Effect::FanOut(audience, body) => self.fan_out(shard, audience, &body),
            Effect::Enter(conn, topic) => drop(state.topics.insert((topic, conn))),
            Effect::Leave(conn, topic) => drop(state.topics.remove(&(topic, conn))),
            Effect::Mail(to, mail) if to.node() != shard.node() => {
                self.mail_to(shard, to, &mail);
            }
            Effect::Mail(to, mail) => {
                let mail = if self.written_mail {
                    travelled(&mail)
                } else {
                    mail
                };
                self.post(shard, to, Parcel::Mail(mail));
            }
            Effect::MailNodes(mail) => self.mail_to_nodes(shard, &mail),
            Effect::MailNode(node, mail) => self.mail_to_node(shard, node, &mail),
            Effect::Ask(ticket, ask) => state.asks.push((ticket, ask)),
            Effect::Publish(event) => self.published.push(event),
            Effect::Hold(conn) | Effect::Watch(conn) => self.hold(conn, true),
            Effect::Discard(conn) => self.discard(conn),
            Effect::Pause(conn, until) => {
                if let Some(client) = self.clients.get_mut(&conn) {
                    client.paused = Some(until);
                }
            }
            Effect::ExpectRaw(..) => {} // frames come whole here, with or without a header
            Effect::SignedIn(_) | Effect::Keeps(..) | Effect::Note(..) => {} // nothing is limited here
            Effect::Join(joint) => self.join(*joint),
            Effect::Release(conn) => self.hold(conn, false),
            Effect::Close(conn, how) if conn.shard == shard => self.close(conn, how),
            Effect::Close(conn, how) => self.post(shard, conn.shard, Parcel::Close(conn, how)),
            Effect::TurnedAway(..) => {}
            Effect::Wake(at, timer) => {
                self.timers += 1;
                state.timers.insert((at, self.timers), timer);
            }
        }
    }

    fn fan_out(&mut self, shard: ShardId, audience: Audience, body: &Bytes) {
        let topics = &self.shards[self.index(shard)].topics;
        let members = |topic| {
            topics
                .iter()
                .filter(move |(of, _)| *of == topic)
                .map(|(_, conn)| *conn)
        };
        let conns: Vec<ConnId> = match audience {
            Audience::Subscribers => members(Topic::SUBSCRIBERS).collect(),
            Audience::Topic(topic) => members(topic).collect(),
            Audience::SubscribersBut(out) => members(Topic::SUBSCRIBERS)
                .filter(|c| !out.contains(c))
                .collect(),
            Audience::TopicBut(topic, out) => members(topic).filter(|c| !out.contains(c)).collect(),
            Audience::Connections(these) => these.to_vec(),
        };
        for conn in conns {
            assert_eq!(
                conn.shard, shard,
                "a broadcast is for connections of this shard"
            );
            self.receive(conn, body.clone());
        }
    }

    fn post(&mut self, from: ShardId, to: ShardId, parcel: Parcel<D>) {
        if from.node() != to.node() {
            return self.send_to_node(from, parcel);
        }
        if self.one_inbox {
            self.senders.entry(to).or_default().push_back(from);
        }
        self.mail.entry((from, to)).or_default().push_back(parcel);
    }

    /// Relays at once: what a client sends is received by its peer, and they end together unless they survive.
    fn join(&mut self, joint: Relay) {
        for (conn, peer, first) in [
            (joint.source, joint.target, joint.to_source),
            (joint.target, joint.source, joint.to_target),
        ] {
            self.receive(conn, first);
            if let Some(client) = self.clients.get_mut(&conn) {
                client.peer = Some(peer);
                client.survives = joint.survives;
                client.discards = false;
            }
        }
        for (conn, peer) in [(joint.source, joint.target), (joint.target, joint.source)] {
            let early = self
                .clients
                .get_mut(&conn)
                .map(|client| std::mem::take(&mut client.outgoing));
            for bytes in early.into_iter().flatten() {
                self.receive(peer, bytes.into());
            }
            if self
                .clients
                .get(&conn)
                .is_some_and(|client| client.closed.is_some())
            {
                self.part(peer);
            }
        }
    }

    /// Whoever this client was relayed with has gone.
    pub(super) fn part(&mut self, conn: ConnId) {
        match self.clients.get_mut(&conn) {
            Some(client) if client.survives => {
                client.peer = None;
                client.discards = true;
            }
            _ => self.close(conn, Closing::Flushed),
        }
    }

    fn discard(&mut self, conn: ConnId) {
        self.hold(conn, true);
        if let Some(client) = self.clients.get_mut(&conn) {
            client.discards = true;
            client.outgoing.clear();
        }
    }

    fn hold(&mut self, conn: ConnId, held: bool) {
        let now = self.now;
        if let Some(client) = self.clients.get_mut(&conn) {
            if held && !client.held {
                client.held_since = now;
            }
            client.held = held;
        }
    }

    pub(super) fn receive(&mut self, conn: ConnId, body: Bytes) {
        if let Some(client) = self.clients.get_mut(&conn).filter(|c| c.closed.is_none()) {
            client.received.push_back(body);
        }
    }

    pub(super) fn close(&mut self, conn: ConnId, how: Closing) {
        if let Some(client) = self.clients.get_mut(&conn) {
            client.closed.get_or_insert(how);
        }
    }
}

impl<D: Keep> Simulator<D> {
    /// Another process goes on with every shard: `make` gives new ones, and all that they get of the old ones is bytes.
    ///
    /// # Panics
    /// If something is on its way, or what was kept can't be gone on from.
    pub fn hand_over(&mut self, mut make: impl FnMut(ShardId) -> D)
    where
        D::Mail: Debug,
    {
        assert!(self.is_quiet(), "something is on its way");
        for shard in &mut self.shards {
            let bytes = kept::encode(&shard.dialect.keep());
            let mut revived = make(shard.id);
            let kept = kept::decode(&bytes).expect("what was written can be read");
            revived.revive(kept).expect("it is all there");
            shard.dialect = revived;
            let timers: Vec<_> = shard.timers.iter().collect();
            let bytes = kept::encode(&timers);
            let timers: Vec<_> = kept::decode(&bytes).expect("what was written can be read");
            shard.timers = timers.into_iter().collect();
        }
    }
}

/// Mail as another machine reads it. Its text is compared as well: `Some(None)` is written like `None`.
pub(super) fn travelled<M: Serialize + DeserializeOwned + Debug>(mail: &M) -> M {
    let bytes = written(mail);
    let read = wire::messagepack::from_slice(&bytes).expect("what was written can be read");
    assert!(written(&read) == bytes, "{mail:?} is read as {read:?}");
    assert_eq!(format!("{mail:?}"), format!("{read:?}"));
    read
}

/// Mail as bytes.
pub(super) fn written<M: Serialize>(mail: &M) -> Vec<u8> {
    rmp_serde::to_vec_named(mail).expect("mail can be written")
}
