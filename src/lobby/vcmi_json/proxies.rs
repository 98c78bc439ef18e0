//! Which connections are relayed to each other: one of a match server for each guest, and one of the guest's (spec:
//! vcmi-lobby2 5.9).
//!
//! The lobby only pairs; the engine relays. What either side sends before the other is there stays unread. Whoever is refused
//! is told nothing: both programs take every frame on such a connection for one of the game's.

use std::time::Duration;

use bytes::Bytes;

use super::{
    JsonTurn, Timer,
    journal::{ProxyLogin, Then},
    lobby::{Lobby, Peer},
    mail::Delivery,
    protocol::{incoming::Cookie, outgoing},
    questions::{Outcome, Step},
    room::Waiting,
    settings::{HEARTBEAT, RELAYED_FRAME_BYTES},
};
use crate::{ConnId, FrameRelay, Relay};

impl Lobby {
    /// A match server's connection for a guest. The cookie has to be the one of the room's host.
    pub(super) fn ask_server_proxy(&mut self, conn: ConnId, login: ProxyLogin, cookie: Cookie) {
        let number = self.room_ids.get(&login.room);
        let Some(id) = number.and_then(|number| self.rooms.get(number)) else {
            return self.refuse_proxy(conn);
        };
        let id = id.host.id.clone();
        let steps = vec![Step::SignIn { id, cookie }];
        self.find(conn, steps, Then::ServerProxy(login));
    }

    pub(super) fn server_proxy(
        &mut self,
        turn: &mut JsonTurn<'_>,
        conn: ConnId,
        login: ProxyLogin,
        found: &Outcome,
    ) {
        let ProxyLogin {
            room,
            guest,
            accepted,
        } = login;
        let proved = self.may_be_relayed(conn, found);
        let number = self.room_ids.get(&room).copied().filter(|_| proved);
        let player = self.connected([guest.as_str()]).pop_first();
        let room = number.and_then(|number| Some((number, self.rooms.get_mut(&number)?)));
        let room = room.filter(|(_, room)| {
            let crowded = room.waiting.len() >= room.participants.len() * MOST_WAITING;
            room.status.is_listed() && room.is_participant(&guest) && !crowded
        });
        let (Some(player), Some((number, room))) = (player, room) else {
            return self.refuse_proxy(conn);
        };
        room.waiting.push(Waiting {
            conn,
            accepted,
            guest,
        });
        let message = outgoing::join_room_success(&room.id, true);
        self.peers.insert(conn, Peer::Waiting(number));
        self.send(player, message);
        turn.wake_at(
            turn.now.mono + self.settings.proxy_wait,
            Timer::ProxyWait(conn),
        );
    }

    /// Whether the account has proved who it is, and is not kept out.
    fn may_be_relayed(&mut self, conn: ConnId, found: &Outcome) -> bool {
        let Outcome::SignIn(Some((account, true))) = found else {
            self.turned_away(conn, found);
            return false;
        };
        self.banned(conn, &account.name).is_none()
    }

    /// A guest's connection.
    pub(super) fn ask_client_proxy(&mut self, conn: ConnId, login: ProxyLogin, cookie: Cookie) {
        let id = login.guest.clone();
        let steps = vec![Step::SignIn { id, cookie }];
        self.find(conn, steps, Then::ClientProxy(login));
    }

    pub(super) fn client_proxy(&mut self, conn: ConnId, login: &ProxyLogin, found: &Outcome) {
        let proved = self.may_be_relayed(conn, found);
        let number = self.room_ids.get(&login.room).filter(|_| proved);
        let room = number.and_then(|number| self.rooms.get_mut(number));
        // The oldest; used up, so that a second connection of the guest takes nobody's place.
        let waiting = room.and_then(|room| {
            let place = room
                .waiting
                .iter()
                .position(|one| one.guest == login.guest)?;
            Some(room.waiting.remove(place))
        });
        match waiting {
            Some(waiting) => {
                self.join_pair((conn, login.accepted), (waiting.conn, waiting.accepted))
            }
            None => self.refuse_proxy(conn),
        }
    }

    /// Both are relayed from now on, on the shard that has less of it to do.
    fn join_pair(&mut self, a: (ConnId, Duration), b: (ConnId, Duration)) {
        let load = |(conn, _): (ConnId, Duration)| self.relays.get(conn.shard.local()).copied();
        let (target, source) = if load(a) < load(b) { (a, b) } else { (b, a) };
        let on = target.0.shard.local();
        if let Some(relays) = self.relays.get_mut(on) {
            *relays += 1;
        }
        self.peers.insert(target.0, Peer::Relayed(Some(on)));
        self.peers.insert(source.0, Peer::Relayed(None));
        self.metrics.proxies_joined.up();
        for (conn, _) in [target, source] {
            self.post(conn.shard, Delivery::Relayed(conn));
        }
        self.joins.push(Relay {
            source: source.0,
            target: target.0,
            to_source: Bytes::new(),
            to_target: Bytes::new(),
            frames: Some(FrameRelay {
                longest: RELAYED_FRAME_BYTES,
                heartbeat: HEARTBEAT,
                silent: self.settings.silent(),
                source_since: source.1,
                target_since: target.1,
            }),
            idle: None, // heartbeats tell
            survives: false,
        });
    }

    pub(super) fn refuse_proxy(&mut self, conn: ConnId) {
        self.metrics.proxies_refused.up();
        self.close(conn, "is not to be relayed");
    }

    /// Its guest should have come.
    pub(super) fn guest_overdue(&mut self, conn: ConnId) {
        if matches!(self.peers.get(&conn), Some(Peer::Waiting(_))) {
            self.metrics.proxy_timeouts.up();
            self.close(conn, "its guest did not come");
        }
    }
}

/// Connections of a match server that wait, for each participant: real ones have one.
const MOST_WAITING: usize = 4;
