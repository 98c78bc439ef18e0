//! VCMI's JSON lobby, of VCMI 1.5 and later (spec: vcmi-lobby2): one value of [`VcmiJson`] is the state of one shard.
//!
//! | file | concept |
//! |---|---|
//! | `gateway` | a shard's own part: its connections, what they say, heartbeats |
//! | `protocol` | strict JSON; messages in, messages out |
//! | `lobby` | the lobby itself, on one shard: its state, what is done with a message, what goes to whom |
//! | `journal` | what waits for the store: steps, and what may go out when they are done |
//! | `accounts`, `chat`, `histories` | registering, signing in, going; talking; what was said |
//! | `room`, `rooms`, `proxies` | a room; what players and match servers do with it; which connections are relayed |
//! | `lists` | when everybody is told who and what is there |
//! | `operator` | what an operator sees and orders |
//! | `registrars` | how much of late each address has registered |
//! | `kept` | what goes on in another process |
//! | `consistency`, `memory_store` | for simulators: what must hold of all shards together; a store |
//! | `questions` | what is asked of the store, as steps |
//! | `mail`, `settings`, `metrics` | what shards tell each other; configuration and limits; what is counted |
//!
//! Invariants: everything that more than one client can see is in the lobby and is changed there only, one message at a
//! time. What a message causes is told when what it has changed is in the store, in the order of the messages: nobody is told
//! what a crash could take back. A relayed byte never passes through here.

mod accounts;
mod chat;
pub mod consistency;
mod gateway;
mod histories;
mod journal;
mod kept;
mod lists;
mod lobby;
mod mail;
pub mod memory_store;
mod metrics;
mod operator;
mod protocol;
mod proxies;
pub mod questions;
mod registrars;
mod registration;
mod room;
mod rooms;
mod settings;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, sync::Arc};

use serde::{Deserialize, Serialize};

pub use mail::Mail;
pub use metrics::Metrics;
pub use protocol::{ChannelType, Mod, incoming::Cookie};
pub use settings::{ListenerSettings, LobbySettings, Settings};

use self::{
    gateway::{Peer, State},
    lobby::Lobby,
    questions::{Answer, Ask},
};
use super::{
    ConnId, Dialect, Origin, ShardId, Source, Stopping, Ticket, Turn,
    map::IdMap,
    operator::{Done, Farewell, Found, Order, Query},
    question::StoreFailure,
};

/// A turn of this dialect.
type JsonTurn<'a> = Turn<'a, VcmiJson>;

/// VCMI's JSON lobby on one shard.
#[derive(Debug)]
pub struct VcmiJson {
    settings: Arc<Settings>,
    shard: ShardId,
    lobby_shard: ShardId,
    peers: IdMap<ConnId, Peer>,
    /// Only on its shard.
    lobby: Option<Box<Lobby>>,
    /// What has happened here, in the lobby as well.
    metrics: Arc<Metrics>,
}

/// What a timer was set for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Timer {
    /// The connection should have signed in.
    Handshake(ConnId),
    /// A heartbeat is due on it.
    Heartbeat(ConnId),
    /// The guest of this match server's connection should have come.
    ProxyWait(ConnId),
    /// What has changed of the lists may be told.
    Lists,
    /// The store may be asked again.
    Store,
}

impl VcmiJson {
    /// The state of shard `shard` of `shards`.
    pub fn new(shard: ShardId, shards: u16, settings: Arc<Settings>) -> Self {
        // The last one: the first has other work.
        let lobby_shard = ShardId::new(shard.node(), (shards.max(1) - 1) as u8);
        let metrics = Arc::<Metrics>::default();
        let lobby = || {
            let lobby = Lobby::new(shard, shards.max(1), settings.clone(), metrics.clone());
            Box::new(lobby)
        };
        VcmiJson {
            lobby: (shard == lobby_shard && settings.enabled).then(lobby),
            settings,
            shard,
            lobby_shard,
            peers: IdMap::default(),
            metrics,
        }
    }

    /// Whether the connection waits to be relayed, or is.
    #[cfg(test)]
    fn is_proxy(&self, conn: ConnId) -> bool {
        let peer = self.peers.get(&conn);
        peer.is_some_and(|peer| matches!(peer.state, State::Proxy | State::Relayed))
    }

    /// From now on this shard counts there.
    pub fn reporting_to(mut self, metrics: Arc<Metrics>) -> Self {
        if let Some(lobby) = &mut self.lobby {
            lobby.metrics = metrics.clone();
        }
        self.metrics = metrics;
        self
    }
}

impl Dialect for VcmiJson {
    type Mail = Mail;
    type Ask = Ask;
    type Answer = Answer;
    type Event = Infallible;
    type Notice = Infallible;
    type Timer = Timer;

    fn on_start(&mut self, turn: &mut JsonTurn<'_>) {
        self.in_lobby(turn, |_, _| {}); // which asks the store to begin
    }

    fn on_open(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId, origin: Origin) {
        self.accepted(turn, conn, origin);
    }

    fn on_frame(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId, body: &mut [u8]) {
        self.frame(turn, conn, body);
    }

    fn on_close(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId) {
        self.left(turn, conn);
    }

    fn on_mail(&mut self, turn: &mut JsonTurn<'_>, _: ShardId, mail: Mail) {
        match mail {
            Mail::ToLobby(message) => self.in_lobby(turn, |lobby, turn| lobby.take(turn, message)),
            Mail::Show(deliveries) => self.show(turn, deliveries),
        }
    }

    fn on_answer(&mut self, turn: &mut JsonTurn<'_>, ticket: Ticket, answer: Answer) {
        self.in_lobby(turn, |lobby, turn| lobby.answered(turn, ticket, answer));
    }

    fn on_notice(&mut self, _: &mut JsonTurn<'_>, news: Infallible) {
        match news {}
    }

    fn on_timer(&mut self, turn: &mut JsonTurn<'_>, timer: Timer) {
        match timer {
            Timer::Handshake(conn) => self.handshake_due(turn, conn),
            Timer::Heartbeat(conn) => self.heartbeat_due(turn, conn),
            Timer::ProxyWait(conn) => self.in_lobby(turn, |lobby, _| lobby.guest_overdue(conn)),
            Timer::Lists => self.in_lobby(turn, |lobby, _| lobby.lists_due()),
            Timer::Store => self.in_lobby(turn, |lobby, _| lobby.journal.retry()),
        }
    }

    fn on_skipped(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId, bytes: usize) {
        self.skipped(turn, conn, bytes);
    }

    fn on_resync(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId) {
        self.tell_lobby(turn, mail::ToLobby::Resync { conn });
    }

    fn on_stopping(&mut self, turn: &mut JsonTurn<'_>, step: Stopping) {
        if step == Stopping::Drain {
            // The reference ends without a word; whoever plans an end announces it by an order.
            self.in_lobby(turn, |lobby, _| lobby.draining = true);
        }
    }

    fn is_drained(&self) -> bool {
        let relayed = |peer: &Peer| matches!(peer.state, State::Proxy | State::Relayed);
        let has_work = |lobby: &Lobby| lobby.has_matches() || !lobby.journal.is_idle();
        !self.peers.values().any(relayed) && !self.lobby.as_deref().is_some_and(has_work)
    }

    fn on_query(&mut self, _: &mut JsonTurn<'_>, query: &Query) -> Found {
        self.queried(query)
    }

    fn on_order(&mut self, turn: &mut JsonTurn<'_>, order: &Order) -> Done {
        self.ordered(turn, order)
    }

    fn on_evict(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId, farewell: &Farewell) {
        self.evicted(turn, conn, farewell);
    }

    fn name_of(&self, conn: ConnId) -> Option<String> {
        self.name_on(conn)
    }

    fn refuse(ask: Ask) -> Answer {
        ask.failed(StoreFailure::Unavailable)
    }

    fn metrics(&self) -> Vec<&dyn Source> {
        vec![&*self.metrics]
    }
}
