//! The lobby itself, on one shard: its state, what is done with a packet, and what goes to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;

use super::{
    VcmiTurn,
    budget::Debts,
    lists::Lists,
    mail::{Delivery, ToLobby},
    message,
    metrics::Metrics,
    room::{Room, RoomId},
    session::{Pipe, Session, Uuids},
    settings::{COMMANDS, REMEMBERED, Settings},
    syntax,
    users::User,
};
use crate::{
    ConnId, ShardId, Topic,
    map::{IdMap, KeyedMap, KeyedSet},
    operator::Standing,
};
use wire::charset::Charset;

/// Whether the rest of a packet is still looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Flow {
    GoOn,
    Stop,
}

/// State of the lobby.
#[derive(Debug)]
pub(super) struct Lobby {
    pub(super) settings: Arc<Settings>,
    /// Its own shard.
    pub(super) shard: ShardId,
    pub(super) users: IdMap<ConnId, User>,
    /// In the order in which their sockets were accepted.
    pub(super) order: BTreeSet<(Duration, ConnId)>,
    /// Only who has signed in.
    pub(super) names: KeyedMap<String, ConnId>,
    /// In order of creation.
    pub(super) rooms: BTreeMap<RoomId, Room>,
    pub(super) room_names: KeyedMap<String, RoomId>,
    pub(super) next_room: u64,
    pub(super) sessions: IdMap<u64, Session>,
    /// Sessions with connections of their games.
    pub(super) played: usize,
    pub(super) uuids: Uuids,
    pub(super) pipes: IdMap<ConnId, Pipe>,
    /// Pairs of games that are relayed on each shard.
    pub(super) relays: Vec<u32>,
    /// Accepted sockets, for `ROOT`.
    pub(super) accepted: u64,
    pub(super) addresses_seen: KeyedSet<IpAddr>,
    pub(super) names_seen: KeyedSet<String>,
    pub(super) draining: bool,
    /// What an operator has ordered that holds on.
    pub(super) standing: Standing,
    /// For `ROOT`, as the next.
    pub(super) rooms_created: u64,
    pub(super) sessions_started: u64,
    pub(super) metrics: Arc<Metrics>,
    /// Launchers whose encoding is not UTF-8: no topic is for them.
    pub(super) foreigners: BTreeSet<ConnId>,
    /// Launchers of each shard.
    pub(super) launchers: Vec<u32>,
    /// What was told of users and rooms, and is to be.
    pub(super) lists: Lists,
    /// A timer is set for asking users whether they are there.
    pub(super) health_armed: bool,
    /// What addresses have used up whose launchers have gone.
    pub(super) debts: Debts,
    /// What is to go out to each shard's clients.
    pub(super) letters: Vec<Vec<Delivery>>,
    /// Bytes of what the present command has caused, a broadcast counted once.
    pub(super) caused: usize,
    /// The time of the present turn.
    pub(super) now: Duration,
    /// The same by the clock for people.
    pub(super) unix: Duration,
}

impl Lobby {
    pub(super) fn new(
        shard: ShardId,
        shards: u16,
        settings: Arc<Settings>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let shards = usize::from(shards);
        Lobby {
            settings,
            shard,
            users: IdMap::default(),
            order: BTreeSet::new(),
            names: KeyedMap::default(),
            rooms: BTreeMap::new(),
            room_names: KeyedMap::default(),
            next_room: 0,
            sessions: IdMap::default(),
            played: 0,
            uuids: Uuids::default(),
            pipes: IdMap::default(),
            relays: vec![0; shards],
            accepted: 0,
            addresses_seen: KeyedSet::default(),
            names_seen: KeyedSet::default(),
            draining: false,
            standing: Standing::default(),
            rooms_created: 0,
            sessions_started: 0,
            metrics,
            foreigners: BTreeSet::new(),
            launchers: vec![0; shards],
            lists: Lists::default(),
            health_armed: false,
            debts: Debts::default(),
            letters: vec![Vec::new(); shards],
            caused: 0,
            now: Duration::ZERO,
            unix: Duration::ZERO,
        }
    }

    /// Shows how many there are of everything.
    pub(super) fn show_counts(&self) {
        self.metrics.players.set(self.names.len() as f64);
        self.metrics.rooms_now.set(self.rooms.len() as f64);
        self.metrics.sessions_now.set(self.played as f64);
    }

    /// Something happened at a gateway.
    pub(super) fn take(&mut self, turn: &mut VcmiTurn<'_>, message: ToLobby) {
        match message {
            ToLobby::Knock { address } => {
                self.accepted += 1;
                if self.addresses_seen.len() < REMEMBERED {
                    self.addresses_seen.insert(address);
                }
            }
            ToLobby::Enter {
                conn,
                address,
                counted,
                accepted,
            } => self.enter(User::new(conn, address, counted, accepted)),
            ToLobby::Packet { conn, body } => {
                self.packet(turn, conn, &body);
                if conn.shard != self.shard {
                    self.deliver(conn.shard, Delivery::Release(conn));
                }
            }
            ToLobby::Pipe { conn } => self.pipe_opened(conn),
            ToLobby::Greeted {
                conn,
                role,
                uuid,
                greeting,
                at,
            } => self.pipe_greeted(turn, (conn, at), role, &uuid, greeting),
            ToLobby::Evict { conn, last } => self.evict(conn, &last),
            ToLobby::Resync { conn } => self.resync(conn),
            ToLobby::Gone { conn } => {
                self.lost(conn);
                self.pipe_lost(turn, conn);
            }
        }
    }

    /// A launcher is there (spec: vcmi-proxy 12: the lobby may be full).
    fn enter(&mut self, mut user: User) {
        let conn = user.conn;
        let most = self
            .settings
            .capacity
            .map_or(usize::MAX, |most| most as usize);
        let refused = if self.users.len() >= most {
            self.metrics.refused_full.up();
            Some("Server is full")
        } else if self.standing.lame_duck {
            self.metrics.kept_out.up();
            Some(message::NOBODY_NEW)
        } else {
            None
        };
        if let Some(why) = refused {
            let text = message::error(why);
            self.deliver(conn.shard, Delivery::Send(conn, text.into()));
            self.deliver(conn.shard, Delivery::Close(conn, why.into()));
            return;
        }
        user.budget = self.debts.of(user.counted);
        self.count_in(conn, user);
    }

    /// Puts a launcher into the lists of all.
    pub(super) fn count_in(&mut self, conn: ConnId, user: User) {
        self.order.insert((user.accepted, conn));
        self.launchers[conn.shard.local()] += 1;
        if !user.charset.is_utf8() {
            self.foreigners.insert(conn);
        }
        self.users.insert(conn, user);
    }

    /// Takes a launcher out of every list; what others are told of it is the caller's.
    pub(super) fn forget(&mut self, conn: ConnId) -> Option<User> {
        let user = self.users.remove(&conn)?;
        self.order.remove(&(user.accepted, conn));
        self.foreigners.remove(&conn);
        self.launchers[conn.shard.local()] -= 1;
        if user.is_signed_in() {
            self.names.remove(&user.name);
        }
        self.debts.left(user.counted, user.budget, self.now);
        Some(user)
    }

    /// Runs the commands of a packet (spec: vcmi-proxy 4.1, 5).
    fn packet(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, body: &[u8]) {
        let Some(user) = self.users.get(&conn) else {
            return;
        };
        let signed_in = user.is_signed_in();
        if !self.may_go_on(conn) {
            let _ = self.flooded(conn);
            return;
        }
        self.charge_packet(conn, body.len());
        if !signed_in && !self.prefix(conn, body) {
            return;
        }
        let charset = self.users.get(&conn).map_or(Charset::UTF_8, |u| u.charset);
        let text = charset.decode(body);
        for (index, (tag, value)) in syntax::commands(&text).enumerate() {
            if index == COMMANDS {
                self.metrics.over_limit.up();
                let _ = self.refuse(conn, "Too many commands in one packet");
                return;
            }
            if !self.may_go_on(conn) {
                let _ = self.flooded(conn);
                return;
            }
            self.caused = 0;
            let flow = self.command(turn, conn, tag, value);
            self.charge_commands(conn, 1);
            self.charge_caused(conn);
            if flow == Flow::Stop {
                return;
            }
        }
    }

    /// Reads version and encoding in front of a packet of somebody who has not signed in. False: the connection ends.
    fn prefix(&mut self, conn: ConnId, body: &[u8]) -> bool {
        let Some(user) = self.users.get_mut(&conn) else {
            return false;
        };
        user.version = body.first().copied().unwrap_or_default();
        let len = body.get(1).map_or(0, |&len| usize::from(len));
        // A length beyond the packet leaves the encoding as it is.
        if let Some(name) = body.get(2..2 + len) {
            let named = if name.is_empty() {
                Some(Charset::UTF_8)
            } else {
                Charset::named(name)
            };
            let Some(charset) = named else {
                self.metrics.unknown_encodings.up();
                self.deliver(
                    conn.shard,
                    Delivery::Close(conn, "an encoding that nobody knows".into()),
                );
                return false;
            };
            user.charset = charset;
            if charset.is_utf8() {
                self.foreigners.remove(&conn);
            } else {
                self.foreigners.insert(conn);
            }
        }
        self.update_topics(conn);
        true
    }

    fn command(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, tag: &str, value: &str) -> Flow {
        let Some(user) = self.users.get(&conn) else {
            return Flow::Stop; // the command before has ended it
        };
        if tag == "GREETINGS" {
            return self.greetings(conn, value);
        }
        if !user.is_signed_in() {
            return self.ignore();
        }
        match tag {
            "VER" => self.ver(conn, value),
            "MSG" => self.msg(conn, value),
            "CHANNEL" => self.channel(conn, value),
            "HERE" => self.here(conn),
            "ROOT" => self.root(conn, value),
            "ALIVE" => self.alive(conn),
            "NEW" => self.new_room(conn, value),
            "PSWD" => self.pswd(conn, value),
            "COUNT" => self.count(conn, value),
            "JOIN" => self.join(conn, value),
            "HOSTMODE" => self.hostmode(conn, value),
            "MODS" => self.mods(conn, value),
            "LEAVE" => self.leave(conn, value),
            "KICK" => self.kick(turn, conn, value),
            "READY" => self.ready(turn, conn, value),
            "FORCESTART" => self.forcestart(turn, conn, value),
            _ => self.ignore(),
        }
    }

    /// The command has no effect, and nobody is told.
    pub(super) fn ignore(&mut self) -> Flow {
        self.metrics.ignored.up();
        Flow::GoOn
    }

    /// The sender is told why not; the rest of the packet is dropped.
    pub(super) fn refuse(&mut self, conn: ConnId, why: &str) -> Flow {
        self.metrics.refusals.up();
        self.send(conn, &message::error(why));
        Flow::Stop
    }

    // ---- what goes out -----------------------------------------------------------------------------------------

    /// What is to go out, shard by shard; afterwards there is nothing.
    pub(super) fn letters(&mut self) -> Vec<(ShardId, Vec<Delivery>)> {
        let shards = ShardId::of_node(self.shard.node(), self.letters.len() as u16);
        let shards = shards.zip(&mut self.letters);
        shards
            .filter(|(_, letter)| !letter.is_empty())
            .map(|(shard, letter)| (shard, std::mem::take(letter)))
            .collect()
    }

    pub(super) fn deliver(&mut self, shard: ShardId, delivery: Delivery) {
        if let Some(letter) = self.letters.get_mut(shard.local()) {
            letter.push(delivery);
        }
    }

    /// To one launcher, in its encoding.
    pub(super) fn send(&mut self, conn: ConnId, text: &str) {
        self.caused += text.len();
        self.write(conn, text);
    }

    fn write(&mut self, conn: ConnId, text: &str) {
        let Some(user) = self.users.get(&conn) else {
            return;
        };
        let bytes = Bytes::copy_from_slice(&user.charset.encode(text));
        self.deliver(conn.shard, Delivery::Send(conn, bytes));
    }

    /// To one launcher, in its encoding, because another one has said something: a reader that is behind misses it.
    pub(super) fn offer(&mut self, conn: ConnId, text: &str) {
        self.caused += text.len();
        let Some(user) = self.users.get(&conn) else {
            return;
        };
        let bytes = Bytes::copy_from_slice(&user.charset.encode(text));
        self.deliver(conn.shard, Delivery::Offer(conn, bytes));
    }

    /// To these launchers.
    pub(super) fn send_each(&mut self, conns: &[ConnId], text: &str) {
        for &conn in conns {
            self.send(conn, text);
        }
    }

    /// The same to these.
    pub(super) fn offer_each(&mut self, conns: &[ConnId], text: &str) {
        for &conn in conns {
            self.offer(conn, text);
        }
    }

    /// To everybody of a topic: encoded once for each encoding.
    pub(super) fn spread(&mut self, topic: Topic, text: String) {
        self.caused += text.len();
        let mut encoded: Vec<(Charset, Bytes)> = Vec::new();
        for conn in &self.foreigners {
            let Some(user) = self.users.get(conn).filter(|user| user.hears(topic)) else {
                continue;
            };
            let known = encoded.iter().find(|(charset, _)| *charset == user.charset);
            let bytes = known.map(|(_, bytes)| bytes.clone()).unwrap_or_else(|| {
                let bytes = Bytes::copy_from_slice(&user.charset.encode(&text));
                encoded.push((user.charset, bytes.clone()));
                bytes
            });
            if let Some(letter) = self.letters.get_mut(conn.shard.local()) {
                letter.push(Delivery::Offer(*conn, bytes));
            }
        }
        let bytes = Bytes::from(text);
        for (letter, &launchers) in self.letters.iter_mut().zip(&self.launchers) {
            if launchers > 0 {
                letter.push(Delivery::Spread(topic, bytes.clone()));
            }
        }
    }

    /// After its version, encoding or name has changed.
    pub(super) fn update_topics(&mut self, conn: ConnId) {
        let Some(user) = self.users.get_mut(&conn) else {
            return;
        };
        for (topic, inside) in user.moves() {
            let delivery = if inside {
                Delivery::Enter(conn, topic)
            } else {
                Delivery::Leave(conn, topic)
            };
            self.deliver(conn.shard, delivery);
        }
    }

    /// Users who have signed in, in the order in which their sockets were accepted.
    pub(super) fn signed_in(&self) -> impl Iterator<Item = &User> {
        let users = self
            .order
            .iter()
            .filter_map(|(_, conn)| self.users.get(conn));
        users.filter(|user| user.is_signed_in())
    }

    /// The present state, for somebody who missed something.
    fn resync(&mut self, conn: ConnId) {
        let Some(user) = self.users.get(&conn) else {
            return;
        };
        let listed = user.is_signed_in() && user.is_modern();
        let sessions = self.sessions_text();
        self.send(conn, &sessions);
        if listed {
            let users = self.users_text();
            self.send(conn, &users);
        }
    }
}
