//! A room before its game starts: opening one and getting in (spec: vcmi-proxy 7.5 to 7.9).

use std::net::IpAddr;

use super::{
    chat::already_exists,
    greeting::NAME_CHARS,
    lobby::{Flow, Lobby},
    message,
    room::{Player, Room, RoomId},
    settings::{PASSWORD_BYTES, WRONG_PASSWORD},
    syntax,
    users::{MODERN_VERSION, Place},
};
use crate::ConnId;

/// Seats that a room may have.
const SEATS: std::ops::RangeInclusive<u32> = 2..=8;

impl Lobby {
    /// Room and name of a user who plays in one.
    pub(super) fn inside(&self, conn: ConnId) -> Option<(RoomId, &Room)> {
        let id = self.users.get(&conn)?.room()?;
        Some((id, self.rooms.get(&id)?))
    }

    pub(super) fn players(&self, room: RoomId) -> Vec<ConnId> {
        let room = self.rooms.get(&room);
        room.map_or_else(Vec::new, |room| {
            room.players.iter().map(|p| p.conn).collect()
        })
    }

    pub(super) fn name_of(&self, conn: ConnId) -> &str {
        self.users.get(&conn).map_or("", |user| &user.name)
    }

    /// All players are told who is there and who is ready.
    pub(super) fn send_status(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get(&id) else {
            return;
        };
        let players = room.players.iter();
        let text = message::status(players.map(|p| (self.name_of(p.conn), p.ready)));
        self.send_each(&self.players(id), &text);
    }

    pub(super) fn set_place(&mut self, conn: ConnId, place: Place) {
        if let Some(user) = self.users.get_mut(&conn) {
            user.place = place;
        }
    }

    pub(super) fn new_room(&mut self, conn: ConnId, name: &str) -> Flow {
        let Some(user) = self.users.get(&conn) else {
            return Flow::Stop;
        };
        if user.place != Place::Outside {
            return self.ignore();
        }
        let counted = user.counted;
        if self.room_names.contains_key(name) {
            return self.refuse(conn, &already_exists(name));
        }
        let chars = name.chars().count();
        self.metrics
            .over_limit
            .add(u64::from(chars > self.settings.room_name_chars));
        // A colon would break the lists that the name stands in (spec: vcmi-proxy 11), two brackets behind one too.
        if chars < NAME_CHARS
            || chars > self.settings.room_name_chars
            || name.starts_with(' ')
            || name.contains(':')
            || name.starts_with(">>")
        {
            let why = format!("Cannot create session with invalid name {name}");
            return self.refuse(conn, &why);
        }
        if self.draining {
            return self.refuse(conn, message::GOING_DOWN);
        }
        if self.has_enough_rooms(counted) {
            self.metrics.over_limit.up();
            return self.refuse(conn, "Too many rooms from your address");
        }
        let id = RoomId(self.next_room);
        self.next_room += 1;
        let room = Room {
            name: name.to_owned(),
            host: conn,
            players: vec![Player { conn, ready: false }],
            seats: 1,
            password: String::new(),
            mods: Default::default(),
            mode: 0,
        };
        self.rooms.insert(id, room);
        self.room_names.insert(name.to_owned(), id);
        self.set_place(conn, Place::Inside(id));
        self.rooms_created += 1;
        self.metrics.rooms.up();
        Flow::GoOn
    }

    fn has_enough_rooms(&self, counted: Option<IpAddr>) -> bool {
        let (Some(most), Some(_)) = (self.settings.rooms_per_address, counted) else {
            return false;
        };
        let hosts = self
            .rooms
            .values()
            .filter_map(|room| self.users.get(&room.host));
        hosts.filter(|host| host.counted == counted).count() >= most as usize
    }

    pub(super) fn count(&mut self, conn: ConnId, number: &str) -> Flow {
        let hosted = self.inside(conn).filter(|(_, room)| room.host == conn);
        let Some((id, seats)) = hosted.map(|(id, room)| (id, room.seats)) else {
            return self.ignore();
        };
        if seats > 1 {
            let why = "Changing amount of players is not possible for existing session";
            return self.refuse(conn, why);
        }
        let Some(number) = syntax::digits(number).filter(|number| SEATS.contains(number)) else {
            self.destroy(id);
            return self.refuse(conn, "Cannot create room with invalid amount of players");
        };
        let host = self.name_of(conn).to_owned();
        let Some(room) = self.rooms.get_mut(&id) else {
            return Flow::Stop;
        };
        room.seats = number as usize;
        let (created, joined) = (
            message::created(&room.name),
            message::joined(&room.name, &host),
        );
        self.send(conn, &created);
        self.send(conn, &joined);
        self.send_status(id);
        self.spread_sessions();
        self.send(conn, &message::system(message::ROOM_CHAT));
        Flow::GoOn
    }

    pub(super) fn join(&mut self, conn: ConnId, name: &str) -> Flow {
        if self.inside(conn).is_some() {
            return self.ignore();
        }
        let id = self.room_names.get(name).copied();
        let Some((id, room)) = id.and_then(|id| Some((id, self.rooms.get(&id)?))) else {
            return self.refuse(conn, &format!("Room with name {name} doesn't exist"));
        };
        if room.is_full() {
            return self.refuse(conn, &format!("Room {name} is full"));
        }
        self.set_place(conn, Place::Asking(id));
        Flow::GoOn
    }

    pub(super) fn pswd(&mut self, conn: ConnId, text: &str) -> Flow {
        let Some(user) = self.users.get(&conn) else {
            return Flow::Stop;
        };
        match user.place {
            Place::Outside => self.ignore(),
            Place::Asking(room) => self.let_in(conn, room, text),
            Place::Inside(room) => self.set_password(conn, room, text),
        }
    }

    fn set_password(&mut self, conn: ConnId, id: RoomId, text: &str) -> Flow {
        let Some(room) = self.rooms.get_mut(&id).filter(|room| room.host == conn) else {
            return self.ignore(); // a guest has been let in before
        };
        if text.len() > PASSWORD_BYTES {
            self.metrics.over_limit.up();
            return self.refuse(conn, "Password is too long");
        }
        text.clone_into(&mut room.password);
        Flow::GoOn
    }

    /// The second half of joining: the password is right if there is none (spec: vcmi-proxy 7.6).
    fn let_in(&mut self, conn: ConnId, id: RoomId, text: &str) -> Flow {
        let Some(user) = self.users.get_mut(&conn) else {
            return Flow::Stop;
        };
        let (name, version) = (user.name.clone(), user.version);
        let Some(room) = self.rooms.get_mut(&id) else {
            user.place = Place::Outside;
            return self.refuse(conn, "The room doesn't exist any more");
        };
        if !room.password.is_empty() && room.password != text {
            user.place = Place::Outside;
            self.charge_commands(conn, WRONG_PASSWORD);
            return self.refuse(conn, "Incorrect password");
        }
        if room.is_full() {
            user.place = Place::Outside;
            let why = format!("Room {} is full", room.name);
            return self.refuse(conn, &why);
        }
        user.place = Place::Inside(id);
        room.players.push(Player { conn, ready: false });
        let (host, mode) = (room.host, room.mode);
        let joined = message::joined(&room.name, &name);
        self.send_each(&self.players(id), &joined);
        self.send_status(id);
        self.spread_sessions();
        if version >= MODERN_VERSION {
            self.send(conn, &message::game_mode(mode));
        }
        if version <= MODERN_VERSION {
            self.send(conn, &message::system(message::ROOM_CHAT));
        }
        self.warn_of_version(conn, host);
        Flow::GoOn
    }

    fn warn_of_version(&mut self, guest: ConnId, host: ConnId) {
        let version = |conn| {
            self.users
                .get(conn)
                .map_or("", |user| user.game_version.as_str())
        };
        let (his, hosts) = (version(&guest), version(&host));
        if his != hosts {
            let text = format!(
                "Your VCMI version {his} differs from host version {hosts}, which may cause problems"
            );
            self.send(guest, &message::system(text));
        }
    }

    pub(super) fn hostmode(&mut self, conn: ConnId, number: &str) -> Flow {
        let Some((id, room)) = self.inside(conn) else {
            return self.ignore();
        };
        if room.host != conn {
            return self.refuse(conn, NO_PERMISSION);
        }
        let Some(mode) = syntax::integer(number) else {
            return self.ignore();
        };
        if let Some(room) = self.rooms.get_mut(&id) {
            room.mode = mode;
        }
        self.send_each(&self.players(id), &message::game_mode(mode));
        Flow::GoOn
    }
}

/// Said to a guest who tries what only a host may.
pub(super) const NO_PERMISSION: &str = "Insuficcient permissions";
