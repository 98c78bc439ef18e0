//! The VCMI proxy lobby (spec: vcmi-proxy): one value of [`Vcmi`] is the state of one shard.
//!
//! | file | concept |
//! |---|---|
//! | `gateway` | a shard's own part: what kind of connection it is, packets to the lobby, the lobby's words to clients |
//! | `handshake` | what a game says before it is relayed: role, uuid, flag byte |
//! | `lobby` | the lobby itself, on one shard: its state, what is done with a packet, what goes to whom |
//! | `users`, `greeting`, `chat` | who is in the lobby; signing in; talking and asking |
//! | `rooms`, `leaving`, `mods` | a room, getting in; getting out, thrown out, lost; the mods of a room |
//! | `start`, `pipes` | a room becomes a session; the sessions, and which game is relayed to which |
//! | `room`, `mod_list`, `session` | a room, its mods, a started game, as the lobby keeps them |
//! | `syntax`, `message` | what comes in, what goes out |
//! | `lists` | when everybody is told who and what is there |
//! | `health` | whether launchers are still there |
//! | `operator` | what an operator sees of it, and has it do |
//! | `budget`, `flood` | how much one launcher may say and cause; what is done about one that goes beyond |
//! | `kept`, `consistency` | what goes on in another process; what must hold of all shards together |
//! | `mail`, `settings`, `metrics` | what shards tell each other; configuration and limits; what is counted |
//!
//! Invariants: everything that more than one client can see is in the lobby and is changed there only, one packet at a
//! time, so that all clients see the same order whatever the number of shards. What a packet causes for a shard's clients
//! is one letter to that shard, so it leaves in one write per client. A relayed byte never passes through here.

mod budget;
mod chat;
pub mod consistency;
mod flood;
mod gateway;
mod greeting;
mod handshake;
mod health;
mod kept;
mod leaving;
mod lists;
mod lobby;
mod mail;
mod message;
mod metrics;
mod mod_list;
mod mods;
mod operator;
mod pipes;
mod registration;
mod room;
mod rooms;
mod session;
mod settings;
mod start;
mod syntax;
#[cfg(test)]
mod tests;
mod users;

use std::{convert::Infallible, sync::Arc};

use serde::{Deserialize, Serialize};

pub use mail::Mail;
pub use metrics::Metrics;
pub use settings::{ListenerSettings, LobbySettings, Settings};

use self::{gateway::Peer, lobby::Lobby};
use super::{
    ConnId, Dialect, Origin, ShardId, Source, Stopping, Ticket, Turn,
    map::IdMap,
    operator::{Done, Farewell, Found, Order, Query},
};

/// A turn of this dialect.
type VcmiTurn<'a> = Turn<'a, Vcmi>;

/// The VCMI lobby on one shard.
#[derive(Debug)]
pub struct Vcmi {
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
    /// The connection should have signed in, or named its session.
    Handshake(ConnId),
    /// Nobody may have been connected to the session for long enough.
    Idle(u64),
    /// The session's games should have come.
    Awaited(u64),
    /// What has changed of the lists may be told.
    Lists,
    /// Users may be asked whether they are still there.
    Health,
}

impl Vcmi {
    /// The state of shard `shard` of `shards`.
    pub fn new(shard: ShardId, shards: u16, settings: Arc<Settings>) -> Self {
        // The last one: the first has other work.
        let lobby_shard = ShardId::new(shard.node(), (shards.max(1) - 1) as u8);
        let metrics = Arc::<Metrics>::default();
        let lobby = || {
            let lobby = Lobby::new(shard, shards.max(1), settings.clone(), metrics.clone());
            Box::new(lobby)
        };
        Vcmi {
            lobby: (shard == lobby_shard).then(lobby),
            settings,
            shard,
            lobby_shard,
            peers: IdMap::default(),
            metrics,
        }
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

impl Dialect for Vcmi {
    type Mail = Mail;
    type Ask = Infallible;
    type Answer = Infallible;
    type Event = Infallible;
    type Notice = Infallible;
    type Timer = Timer;

    fn on_open(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, origin: Origin) {
        self.accepted(turn, conn, origin);
    }

    fn on_frame(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, body: &mut [u8]) {
        self.frame(turn, conn, body);
    }

    fn on_close(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId) {
        self.left(turn, conn);
    }

    fn on_mail(&mut self, turn: &mut VcmiTurn<'_>, _: ShardId, mail: Mail) {
        match mail {
            Mail::ToLobby(message) => self.in_lobby(turn, |lobby, turn| lobby.take(turn, message)),
            Mail::Show(deliveries) => self.show(turn, deliveries),
        }
    }

    fn on_answer(&mut self, _: &mut VcmiTurn<'_>, _: Ticket, answer: Infallible) {
        match answer {}
    }

    fn on_notice(&mut self, _: &mut VcmiTurn<'_>, news: Infallible) {
        match news {}
    }

    fn on_timer(&mut self, turn: &mut VcmiTurn<'_>, timer: Timer) {
        match timer {
            Timer::Handshake(conn) => self.handshake_timed_out(turn, conn),
            Timer::Idle(session) => self.in_lobby(turn, |lobby, turn| lobby.idle(turn, session)),
            Timer::Awaited(session) => {
                self.in_lobby(turn, |lobby, _| lobby.no_longer_awaited(session))
            }
            Timer::Lists => self.in_lobby(turn, |lobby, _| lobby.lists_due()),
            Timer::Health => self.in_lobby(turn, |lobby, _| lobby.health_due()),
        }
    }

    fn on_resync(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId) {
        self.tell_lobby(turn, mail::ToLobby::Resync { conn });
    }

    fn on_stopping(&mut self, turn: &mut VcmiTurn<'_>, step: Stopping) {
        if step == Stopping::Drain {
            self.in_lobby(turn, |lobby, _| lobby.drain());
        }
    }

    fn is_drained(&self) -> bool {
        let pipes_here = self.peers.values().any(Peer::is_pipe);
        !pipes_here
            && self
                .lobby
                .as_ref()
                .is_none_or(|lobby| !lobby.awaits_games())
    }

    fn on_query(&mut self, turn: &mut VcmiTurn<'_>, query: &Query) -> Found {
        self.queried(turn.now, query)
    }

    fn on_order(&mut self, turn: &mut VcmiTurn<'_>, order: &Order) -> Done {
        self.ordered(turn, order)
    }

    fn on_evict(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, farewell: &Farewell) {
        self.evicted(turn, conn, farewell);
    }

    fn name_of(&self, conn: ConnId) -> Option<String> {
        self.name_on(conn)
    }

    fn refuse(ask: Infallible) -> Infallible {
        ask
    }

    fn metrics(&self) -> Vec<&dyn Source> {
        vec![&*self.metrics]
    }
}
