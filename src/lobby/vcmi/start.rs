//! A room becomes a session: votes, uuids, the launchers' good-bye (spec: vcmi-proxy 7.13, 7.14, 8).

use rand::RngExt;

use super::{
    Timer, VcmiTurn,
    handshake::Role,
    lobby::{Flow, Lobby},
    mail::Delivery,
    message,
    room::{Room, RoomId},
    rooms::NO_PERMISSION,
    session::Session,
    settings::AWAITED,
};
use crate::ConnId;

/// First version whose READY as host is a vote like everybody's.
const VOTING_VERSION: u8 = 3;

impl Lobby {
    pub(super) fn ready(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, name: &str) -> Flow {
        let Some((id, room)) = self.inside(conn).filter(|(_, room)| room.name == name) else {
            return self.ignore();
        };
        let is_host = room.host == conn;
        let players = self.rooms.get_mut(&id).map(|room| &mut room.players);
        for player in players.into_iter().flatten().filter(|p| p.conn == conn) {
            player.ready = !player.ready;
        }
        self.send_status(id);
        let version = self.users.get(&conn).map_or(0, |user| user.version);
        let started = if is_host && version < VOTING_VERSION {
            self.start(turn, id)
        } else {
            self.start_if_ready(turn, id)
        };
        if started {
            self.spread_sessions();
            self.spread_users();
        }
        Flow::GoOn
    }

    pub(super) fn forcestart(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, name: &str) -> Flow {
        let Some((id, room)) = self.inside(conn).filter(|(_, room)| room.name == name) else {
            return self.ignore();
        };
        if room.host != conn {
            return self.refuse(conn, NO_PERMISSION);
        }
        if self.start(turn, id) {
            self.spread_sessions();
            self.spread_users();
        }
        Flow::GoOn
    }

    /// Starts if there is more than one player and all are ready; the room need not be full.
    pub(super) fn start_if_ready(&mut self, turn: &mut VcmiTurn<'_>, id: RoomId) -> bool {
        let room = self.rooms.get(&id);
        let ready = room.is_some_and(|r| r.players.len() > 1 && r.players.iter().all(|p| p.ready));
        ready && self.start(turn, id)
    }

    /// Starts at once. False if there are too many sessions; then the host is told.
    fn start(&mut self, turn: &mut VcmiTurn<'_>, id: RoomId) -> bool {
        if self.sessions.len() >= self.settings.sessions {
            self.metrics.over_limit.up();
            if let Some(host) = self.rooms.get(&id).map(|room| room.host) {
                let _ = self.refuse(host, "Too many games are running");
            }
            return false;
        }
        let Some(room) = self.take_down(id) else {
            return false;
        };
        let guests = room.players.len() - 1;
        let host = self.name_of(room.host).to_owned();
        let session = self.new_session(turn, host, room.name.clone());
        let host_uuid = self.new_uuid(turn, session, Role::Server);
        self.send(room.host, &message::host(&host_uuid, guests));
        for player in &room.players {
            let uuid = self.new_uuid(turn, session, Role::Client);
            self.send(player.conn, &message::start(&uuid));
        }
        for player in &room.players {
            let end = Delivery::Close(player.conn, "its game begins".into());
            self.deliver(player.conn.shard, end);
            self.forget(player.conn);
        }
        self.sessions_started += 1;
        self.metrics.sessions.up();
        true
    }

    /// Takes the room out of the lists; its name is free.
    pub(super) fn take_down(&mut self, id: RoomId) -> Option<Room> {
        let room = self.rooms.remove(&id)?;
        self.room_names.remove(&room.name);
        Some(room)
    }

    fn new_session(&mut self, turn: &mut VcmiTurn<'_>, host: String, title: String) -> u64 {
        let id = self.next_room; // rooms and sessions are numbered together
        self.next_room += 1;
        let session = Session {
            host,
            title,
            ..Session::default()
        };
        self.sessions.insert(id, session);
        self.watch_idle(turn, id);
        turn.wake_at(turn.now.mono + AWAITED, Timer::Awaited(id));
        id
    }

    fn new_uuid(&mut self, turn: &mut VcmiTurn<'_>, session: u64, role: Role) -> String {
        let uuid = uuid::Builder::from_random_bytes(turn.rng.random())
            .into_uuid()
            .to_string();
        self.uuids.insert(uuid.clone(), (session, role));
        if let Some(session) = self.sessions.get_mut(&session) {
            session.uuids.push(uuid.clone());
        }
        uuid
    }
}
