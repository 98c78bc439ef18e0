//! What players and match servers do with rooms (spec: vcmi-lobby2 5.5 to 5.8).

use super::{
    journal::Then,
    lobby::{Lobby, Online, Peer},
    mail::{Delivery, Role},
    protocol::{
        incoming::{RoomType, ServerLogin},
        outgoing,
    },
    questions::{Outcome, Status, Step},
    room::{Person, Room, RoomNumber},
    settings::{ID_CHARS, PLAYERS},
};
use crate::ConnId;

impl Lobby {
    /// A match server wants to be a room.
    pub(super) fn ask_server_login(&mut self, conn: ConnId, login: Box<ServerLogin>) {
        let chars = |text: &str| text.chars().count();
        if chars(&login.room) > ID_CHARS || chars(&login.version) > ID_CHARS {
            return self.refuse_over_limit(conn, "The ID or the version of the room is too long");
        }
        let text = |one: &Option<String>| one.as_ref().map_or(0, String::len);
        let bytes = |one: &super::Mod| {
            one.id.len() + one.name.len() + one.version.len() + text(&one.parent)
        };
        if login.mods.iter().map(bytes).sum::<usize>() > self.settings.mods_bytes {
            return self.refuse_over_limit(conn, "The list of mods is too long");
        }
        let steps = vec![
            Step::SignIn {
                id: login.account.clone(),
                cookie: login.cookie.clone(),
            },
            Step::FindRoom {
                id: login.room.clone(),
            },
        ];
        self.find(conn, steps, Then::ServerLogin(login));
    }

    /// The store has found the account, and whether there has been such a room.
    pub(super) fn server_login(
        &mut self,
        conn: ConnId,
        login: ServerLogin,
        account: Outcome,
        past: Option<Outcome>,
    ) {
        let Outcome::SignIn(Some((account, true))) = account else {
            self.turned_away(conn, &account);
            return self.refuse(conn, "Invalid credentials");
        };
        if let Some(why) = self.kept_out(conn, &account) {
            return self.refuse(conn, &why);
        }
        // A room that ended without a match may be begun anew by whose it was.
        let is_free = match past {
            Some(Outcome::Room(None)) => true,
            Some(Outcome::Room(Some(past))) => {
                past.status == Status::Cancelled && past.host == account.id
            }
            _ => false,
        };
        if self.room_ids.contains_key(&login.room) || !is_free {
            return self.refuse(conn, "A room with this ID exists already");
        }
        let own = self
            .rooms
            .values()
            .filter(|room| room.host.id == account.id);
        if own.count() >= self.settings.rooms_per_account || self.rooms.len() >= self.settings.rooms
        {
            return self.refuse_over_limit(conn, "There are too many rooms");
        }
        self.metrics.match_servers.up();
        let made_s = self.unix_s();
        self.record(Step::MakeRoom {
            id: login.room.clone(),
            version: login.version.clone(),
            host: account.id.clone(),
            at: made_s,
            mods: login.mods.clone(),
        });
        let name = format!("the match server of {}", account.name).into();
        let number = self.next_room;
        self.next_room += 1;
        self.room_ids.insert(login.room.clone(), number);
        self.peers.insert(conn, Peer::MatchServer(number));
        let room = Room {
            id: login.room,
            host: Person {
                id: account.id,
                name: account.name,
            },
            control: conn,
            version: login.version,
            mods: login.mods,
            description: String::new(),
            status: Status::Idle,
            player_limit: PLAYERS,
            made_s,
            participants: Vec::new(),
            invited: Vec::new(),
            waiting: Vec::new(),
        };
        self.rooms.insert(number, room);
        self.deliver(conn, Delivery::Welcome(conn, Role::MatchServer, name));
        self.send(conn, outgoing::server_login_success(&login.cookie.0));
        self.release(conn);
    }

    pub(super) fn is_inside(&self, room: RoomNumber, account: &str) -> bool {
        let room = self.rooms.get(&room);
        room.is_some_and(|room| room.is_participant(account))
    }

    // ---- players -----------------------------------------------------------------------------------------------

    /// The host opens the room of its match server.
    pub(super) fn activate(
        &mut self,
        player: &Online,
        host: &str,
        kind: RoomType,
        limit: Option<u32>,
    ) {
        let conn = player.conn;
        if self.inside.contains_key(&player.id) {
            return self.refuse(conn, "Player already in the room!");
        }
        if self.draining {
            return self.refuse(
                conn,
                "The server is about to restart, please try again later",
            );
        }
        let idle = |room: &&mut Room| room.status == Status::Idle && room.host.id == player.id;
        // Of several the oldest; nobody opens a room for somebody else.
        let mut rooms = self.rooms.iter_mut();
        let found = rooms.find(|(_, room)| host == player.id && idle(room));
        let Some((&number, room)) = found else {
            return self.refuse(conn, "Failed to find idle server to join!");
        };
        room.status = match kind {
            RoomType::Public => Status::Public,
            RoomType::Private => Status::Private,
        };
        room.player_limit = limit.unwrap_or(PLAYERS);
        let (id, status, player_limit) = (room.id.clone(), room.status, room.player_limit);
        self.metrics.rooms.up();
        self.record(Step::OpenRoom {
            room: id.clone(),
            status,
            player_limit,
        });
        self.put_inside(number, player);
        self.spread_rooms_also_to(conn);
        self.send(conn, outgoing::join_room_success(&id, false));
        self.release(conn);
    }

    fn put_inside(&mut self, number: RoomNumber, player: &Online) {
        let Some(room) = self.rooms.get_mut(&number) else {
            return;
        };
        room.participants.push(Person {
            id: player.id.clone(),
            name: player.name.clone(),
        });
        let (room, account) = (room.id.clone(), player.id.clone());
        self.inside.insert(account.clone(), number);
        self.record(Step::Join { room, account });
    }

    pub(super) fn join(&mut self, player: &Online, room: &str) {
        let conn = player.conn;
        if self.inside.contains_key(&player.id) {
            return self.refuse(conn, "Player already in the room!");
        }
        let number = self.room_ids.get(room).copied();
        let found = number.and_then(|number| Some((number, self.rooms.get(&number)?)));
        let Some((number, room)) = found else {
            return self.refuse(conn, "Failed to find game room to join!");
        };
        if !matches!(room.status, Status::Public | Status::Private) {
            return self.refuse(conn, "Room does not accepts new players!");
        }
        if room.status == Status::Private && !room.is_invited(&player.id) {
            let why = "You are not permitted to join private room without invite!";
            return self.refuse(conn, why);
        }
        if room.participants.len() >= room.player_limit as usize {
            return self.refuse(conn, "Room is already full!");
        }
        let control = room.control;
        self.put_inside(number, player);
        self.send(control, outgoing::account_joins_room(&player.id));
        self.spread_rooms();
        self.release(conn);
    }

    pub(super) fn invite(&mut self, player: &Online, account: &str) {
        let conn = player.conn;
        let target = self.ids.get(account);
        let target = target.and_then(|number| self.accounts.get(number)).cloned();
        let Some(target) = target else {
            return self.refuse(conn, "Player is offline or does not exists!");
        };
        let number = self.inside.get(&player.id).copied();
        let most = self.settings.invites;
        let is_busy = self.inside.contains_key(&target.id);
        let Some(room) = number.and_then(|number| self.rooms.get_mut(&number)) else {
            return self.refuse(conn, "You are not in the room!");
        };
        if is_busy {
            return self.refuse(conn, "This player is already in a room!");
        }
        if room.is_invited(&target.id) {
            return self.refuse(conn, "This player is already invited!");
        }
        if room.invited.len() >= most {
            return self.refuse_over_limit(conn, "Too many players are invited to this room!");
        }
        room.invited.push(Person {
            id: target.id.clone(),
            name: target.name,
        });
        let room = room.id.clone();
        self.send(target.conn, outgoing::invite_received(&player.id, &room));
        self.record(Step::Invite {
            room,
            account: target.id,
        });
        self.spread_rooms();
        self.release(conn);
    }

    // ---- match servers -----------------------------------------------------------------------------------------

    pub(super) fn describe(&mut self, conn: ConnId, number: RoomNumber, mut description: String) {
        let most = self.settings.description_chars;
        if let Some((end, _)) = description.char_indices().nth(most) {
            self.metrics.over_limit.up();
            description.truncate(end);
        }
        if let Some(room) = self.rooms.get_mut(&number) {
            room.description.clone_from(&description);
            let (room, listed) = (room.id.clone(), room.status.is_listed());
            self.record(Step::Describe { room, description });
            // The list that comes when it is opened has it.
            if listed {
                self.spread_room(number);
            }
        }
        self.release(conn);
    }

    /// The match begins.
    pub(super) fn start(&mut self, conn: ConnId, number: RoomNumber) {
        if let Some(room) = self.rooms.get_mut(&number)
            && room.status != Status::Busy
        {
            room.status = Status::Busy;
            let (room, status) = (room.id.clone(), room.status);
            self.metrics.matches.up();
            self.record(Step::SetStatus { room, status });
            self.spread_rooms();
        }
        self.release(conn);
    }

    /// A guest has left the room.
    pub(super) fn leave(&mut self, conn: ConnId, number: RoomNumber, account: &str) {
        let room = self.rooms.get_mut(&number);
        let Some(room) = room.filter(|room| room.is_participant(account)) else {
            return self.refuse(conn, "You are not in the room!");
        };
        room.participants.retain(|one| one.id != account);
        let room = room.id.clone();
        self.inside.remove(account);
        let account = account.to_owned();
        self.record(Step::Leave { room, account });
        self.spread_rooms();
        self.release(conn);
    }

    /// Its match server is gone, and so is the room (spec: vcmi-lobby2 5.10).
    pub(super) fn end_room(&mut self, number: RoomNumber) {
        let Some(room) = self.rooms.remove(&number) else {
            return;
        };
        self.room_ids.remove(&room.id);
        for waiting in &room.waiting {
            self.peers.remove(&waiting.conn);
            self.close(waiting.conn, "its room is over");
        }
        for one in &room.participants {
            self.inside.remove(&one.id);
        }
        let has_match = room.status == Status::Busy;
        self.record(Step::SetStatus {
            room: room.id,
            status: if has_match {
                Status::Closed
            } else {
                Status::Cancelled
            },
        });
        for one in room.participants.into_iter().filter(|_| has_match) {
            let ids = [one.id.as_str()];
            for conn in self.connected(ids) {
                self.send_matches(conn, one.id.clone());
            }
        }
        if room.status.is_listed() {
            self.spread_rooms();
        }
    }

    /// Whether a match goes on, which an orderly end of the process waits for.
    pub(super) fn has_matches(&self) -> bool {
        let mut rooms = self.rooms.values();
        rooms.any(|room| room.status == Status::Busy)
    }
}
