//! The lobby itself, on one shard: its state, what is done with a message, and what goes to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    JsonTurn,
    histories::Histories,
    journal::{Journal, Out, ProxyLogin, Then},
    lists::Lists,
    mail::{Delivery, ToLobby},
    metrics::Metrics,
    protocol::{incoming::Request, outgoing},
    questions::{Outcome, Status, Step},
    registrars::Registrars,
    room::{Room, RoomNumber},
    settings::Settings,
};
use crate::{
    ConnId, Now, Relay, ShardId, Topic,
    map::{IdMap, KeyedMap},
    operator::Standing,
};

/// Everybody who has signed in as a player.
pub(super) const ACCOUNTS: Topic = Topic(1);

/// What a connection is to the lobby.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Peer {
    /// It has not signed in.
    Stranger,
    /// The client of the account of this number.
    Account(i64),
    /// The match server of a room.
    MatchServer(RoomNumber),
    /// A match server's, for a guest who has not come yet.
    Waiting(RoomNumber),
    /// It is relayed; the shard that does so, at that one of the two that it is counted at.
    Relayed(Option<usize>),
}

/// A player who is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Online {
    pub(super) conn: ConnId,
    pub(super) id: String,
    pub(super) name: String,
    /// Where they come from.
    #[serde(default = "super::gateway::nowhere")]
    pub(super) address: IpAddr,
    /// When they signed in, in Unix seconds.
    #[serde(default)]
    pub(super) since_s: u64,
    /// The global channels whose histories they were sent.
    pub(super) channels: Vec<String>,
}

/// State of the lobby.
#[derive(Debug)]
pub(super) struct Lobby {
    pub(super) settings: Arc<Settings>,
    /// Its own shard.
    pub(super) shard: ShardId,
    pub(super) metrics: Arc<Metrics>,
    /// Who has said something and is still there.
    pub(super) peers: IdMap<ConnId, Peer>,
    /// In order of registration.
    pub(super) accounts: BTreeMap<i64, Online>,
    /// Only who is there.
    pub(super) ids: KeyedMap<String, i64>,
    /// In order of creation.
    pub(super) rooms: BTreeMap<RoomNumber, Room>,
    pub(super) room_ids: KeyedMap<String, RoomNumber>,
    /// Which room an account is in, there or not.
    pub(super) inside: KeyedMap<String, RoomNumber>,
    pub(super) next_room: RoomNumber,
    pub(super) histories: Histories,
    pub(super) journal: Journal,
    pub(super) lists: Lists,
    pub(super) registrars: Registrars,
    /// Pairs that are relayed on each shard.
    pub(super) relays: Vec<u32>,
    /// Players of each shard.
    pub(super) clients: Vec<u32>,
    pub(super) draining: bool,
    /// What an operator has ordered that holds on.
    pub(super) standing: Standing,
    /// The time of the present turn.
    pub(super) now: Now,
    /// What the present input has the store do.
    pub(super) steps: Vec<Step>,
    /// What the present input has to say.
    pub(super) outs: Vec<Out>,
    /// What is to go out to each shard's clients now.
    letters: Vec<Vec<Delivery>>,
    /// What is to be relayed.
    pub(super) joins: Vec<Relay>,
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
            metrics,
            peers: IdMap::default(),
            accounts: BTreeMap::new(),
            ids: KeyedMap::default(),
            rooms: BTreeMap::new(),
            room_ids: KeyedMap::default(),
            inside: KeyedMap::default(),
            next_room: 0,
            histories: Histories::default(),
            journal: Journal::default(),
            lists: Lists::default(),
            registrars: Registrars::default(),
            relays: vec![0; shards],
            clients: vec![0; shards],
            draining: false,
            standing: Standing::default(),
            now: Now {
                mono: Duration::ZERO,
                unix: Duration::ZERO,
            },
            steps: Vec::new(),
            outs: Vec::new(),
            letters: vec![Vec::new(); shards],
            joins: Vec::new(),
        }
    }

    /// Something happened at a gateway.
    pub(super) fn take(&mut self, turn: &mut JsonTurn<'_>, message: ToLobby) {
        match message {
            ToLobby::Said {
                conn,
                address,
                counted,
                accepted,
                request,
            } => {
                let peer = self.peers.entry(conn).or_insert(Peer::Stranger).clone();
                match peer {
                    Peer::Stranger => {
                        self.stranger(turn, (conn, accepted), (address, counted), request);
                    }
                    Peer::Account(number) => self.player(conn, number, request),
                    Peer::MatchServer(room) => self.match_server(conn, room, request),
                    Peer::Waiting(_) | Peer::Relayed(_) => {}
                }
            }
            ToLobby::Resync { conn } => self.resync(conn),
            ToLobby::Gone { conn } => self.gone(conn),
        }
    }

    fn stranger(
        &mut self,
        turn: &mut JsonTurn<'_>,
        (conn, accepted): (ConnId, Duration),
        (address, counted): (IpAddr, Option<IpAddr>),
        request: Request,
    ) {
        match request {
            Request::ClientRegister { name } => self.register(turn, conn, counted, name),
            Request::ClientLogin(login) => self.ask_client_login(conn, login, address),
            Request::ServerLogin(login) => self.ask_server_login(conn, login),
            Request::ClientProxyLogin {
                account: guest,
                cookie,
                room,
            } => {
                let login = ProxyLogin {
                    room,
                    guest,
                    accepted,
                };
                self.ask_client_proxy(conn, login, cookie);
            }
            Request::ServerProxyLogin {
                room,
                guest,
                cookie,
            } => {
                let login = ProxyLogin {
                    room,
                    guest,
                    accepted,
                };
                self.ask_server_proxy(conn, login, cookie);
            }
            _ => self.release(conn),
        }
    }

    fn player(&mut self, conn: ConnId, number: i64, request: Request) {
        let Some(player) = self.accounts.get(&number).cloned() else {
            return self.release(conn);
        };
        match request {
            Request::SendChatMessage {
                kind,
                channel,
                text,
            } => self.say(&player, kind, channel, text),
            Request::ChatHistory { kind, channel } => self.history(&player, kind, channel),
            Request::ActivateGameRoom { host, kind, limit } => {
                self.activate(&player, &host, kind, limit);
            }
            Request::JoinGameRoom { room } => self.join(&player, &room),
            Request::SendInvite { account } => self.invite(&player, &account),
            _ => self.release(conn),
        }
    }

    fn match_server(&mut self, conn: ConnId, room: RoomNumber, request: Request) {
        match request {
            Request::ChangeRoomDescription { description } => {
                self.describe(conn, room, description);
            }
            Request::GameStarted => self.start(conn, room),
            Request::LeaveGameRoom { account } => self.leave(conn, room, &account),
            _ => self.release(conn),
        }
    }

    /// The store has found what somebody's message needs, who may have gone.
    pub(super) fn go_on(
        &mut self,
        turn: &mut JsonTurn<'_>,
        conn: ConnId,
        then: Then,
        found: Vec<Outcome>,
    ) {
        let Some(peer) = self.peers.get(&conn).cloned() else {
            return;
        };
        let mut found = found.into_iter();
        let (first, second) = (found.next().unwrap_or(Outcome::Refused), found.next());
        let player = match peer {
            Peer::Account(number) => self.accounts.get(&number).cloned(),
            _ => None,
        };
        match (then, player) {
            (Then::Register { id, cookie }, _) => self.registered(conn, &id, &cookie, &first),
            (Then::ClientLogin(login, address), _) => {
                self.client_login(conn, login, address, first);
            }
            (Then::ServerLogin(login), _) => self.server_login(conn, *login, first, second),
            (Then::ClientProxy(login), _) => self.client_proxy(conn, &login, &first),
            (Then::ServerProxy(login), _) => self.server_proxy(turn, conn, login, &first),
            (Then::SayToPlayer { to, text }, Some(player)) => {
                self.say_to_found(&player, to, text, &first);
            }
            (Then::HistoryOfPlayer { of }, Some(player)) => {
                self.history_of_found(&player, &of, &first);
            }
            (Then::SayInRoom { room, text }, Some(player)) => {
                self.say_in_past(&player, room, text, &first);
            }
            (Then::HistoryOfRoom { room }, Some(player)) => {
                self.history_of_past(&player, room, &first);
            }
            (_, None) => self.release(conn),
        }
    }

    fn gone(&mut self, conn: ConnId) {
        match self.peers.remove(&conn) {
            None | Some(Peer::Stranger) => {}
            Some(Peer::Account(number)) => self.went(number),
            Some(Peer::MatchServer(room)) => self.end_room(room),
            Some(Peer::Waiting(room)) => {
                if let Some(room) = self.rooms.get_mut(&room) {
                    room.waiting.retain(|waiting| waiting.conn != conn);
                }
            }
            Some(Peer::Relayed(on)) => {
                if let Some(relays) = on.and_then(|on| self.relays.get_mut(on)) {
                    *relays -= 1;
                }
            }
        }
    }

    /// Shows how many there are of everything.
    pub(super) fn show_counts(&self) {
        let of = |wanted: fn(Status) -> bool| {
            let rooms = self.rooms.values().filter(|room| wanted(room.status));
            rooms.count() as f64
        };
        self.metrics.players.set(self.accounts.len() as f64);
        let is_open = |status: Status| matches!(status, Status::Public | Status::Private);
        self.metrics.games_open.set(of(is_open));
        let is_running = |status: Status| status == Status::Busy;
        self.metrics.games_running.set(of(is_running));
    }

    /// Unix seconds.
    pub(super) fn unix_s(&self) -> u64 {
        self.now.unix.as_secs()
    }

    // ---- what goes out -----------------------------------------------------------------------------------------

    /// The store is to do this.
    pub(super) fn record(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(super) fn deliver(&mut self, conn: ConnId, delivery: Delivery) {
        self.outs.push(Out::To(conn, delivery));
    }

    pub(super) fn send(&mut self, conn: ConnId, message: Bytes) {
        self.deliver(conn, Delivery::Send(conn, message));
    }

    /// To one client, because another one has said something: a reader that is behind misses it.
    pub(super) fn offer(&mut self, conn: ConnId, message: Bytes) {
        self.deliver(conn, Delivery::Offer(conn, message));
    }

    /// The connection's message is handled.
    pub(super) fn release(&mut self, conn: ConnId) {
        self.deliver(conn, Delivery::Release(conn, 0));
    }

    /// The connection ends.
    pub(super) fn close(&mut self, conn: ConnId, why: &str) {
        self.deliver(conn, Delivery::Close(conn, why.into()));
    }

    /// The sender is told why not; its message is handled.
    pub(super) fn refuse(&mut self, conn: ConnId, why: &str) {
        self.metrics.refusals.up();
        self.send(conn, outgoing::operation_failed(why));
        self.release(conn);
    }

    /// The same, because of a limit.
    pub(super) fn refuse_over_limit(&mut self, conn: ConnId, why: &str) {
        self.metrics.over_limit.up();
        self.refuse(conn, why);
    }

    /// Into a shard's letter.
    pub(super) fn post(&mut self, shard: ShardId, delivery: Delivery) {
        if let Some(letter) = self.letters.get_mut(shard.local()) {
            letter.push(delivery);
        }
    }

    /// Into the letters of all shards that have players.
    pub(super) fn post_all(&mut self, topic: Topic, message: &Bytes) {
        for (letter, &clients) in self.letters.iter_mut().zip(&self.clients) {
            if clients > 0 {
                letter.push(Delivery::Spread(topic, message.clone()));
            }
        }
    }

    /// What is to go out, shard by shard; afterwards there is nothing.
    pub(super) fn letters(&mut self) -> Vec<(ShardId, Vec<Delivery>)> {
        let shards = ShardId::of_node(self.shard.node(), self.letters.len() as u16);
        let shards = shards.zip(&mut self.letters);
        shards
            .filter(|(_, letter)| !letter.is_empty())
            .map(|(shard, letter)| (shard, std::mem::take(letter)))
            .collect()
    }

    /// What is to be relayed; afterwards there is nothing.
    pub(super) fn joins(&mut self) -> Vec<Relay> {
        std::mem::take(&mut self.joins)
    }

    /// The accounts of these ids that are there.
    pub(super) fn connected<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> BTreeSet<ConnId> {
        let numbers = ids.into_iter().filter_map(|id| self.ids.get(id));
        let online = numbers.filter_map(|number| self.accounts.get(number));
        online.map(|online| online.conn).collect()
    }
}
