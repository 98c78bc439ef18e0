//! What goes on in another process: a shard's connections, and on its shard the lobby.
//!
//! Kept is what can't be worked out; indexes and counts are made anew from it, so that they can't contradict it. Everything
//! is taken apart by name, so that a new field does not compile before it is either kept or left out.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::{
    Vcmi,
    budget::Debts,
    gateway::Peer,
    handshake::Role,
    lists::Lists,
    lobby::Lobby,
    room::{Room, RoomId},
    session::{Pipe, Session},
    users::{Place, User},
};
use crate::{
    ConnId, Keep,
    kept::{Counted, Damaged, ensure},
    map::KeyedSet,
    operator::Standing,
};

/// State of a shard, kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    peers: BTreeMap<ConnId, Peer>,
    counted: Counted,
    lobby: Option<KeptLobby>,
}

/// State of the lobby, kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptLobby {
    users: BTreeMap<ConnId, User>,
    rooms: BTreeMap<RoomId, Room>,
    next_room: u64,
    sessions: BTreeMap<u64, Session>,
    pipes: BTreeMap<ConnId, Pipe>,
    accepted: u64,
    addresses_seen: KeyedSet<IpAddr>,
    names_seen: KeyedSet<String>,
    draining: bool,
    #[serde(default)]
    standing: Standing,
    rooms_created: u64,
    sessions_started: u64,
    lists: Lists,
    health_armed: bool,
    debts: Debts,
}

impl Keep for Vcmi {
    type Kept = Kept;

    fn keep(&self) -> Kept {
        let Vcmi {
            settings: _,
            shard: _,
            lobby_shard: _,
            peers,
            lobby,
            metrics,
        } = self;
        Kept {
            peers: peers.iter().map(|(c, p)| (*c, p.clone())).collect(),
            counted: Counted::of(&**metrics),
            lobby: lobby.as_ref().map(|lobby| lobby.keep()),
        }
    }

    fn revive(&mut self, kept: Kept) -> Result<(), Damaged> {
        let Kept {
            peers,
            counted,
            lobby,
        } = kept;
        let here = |conn: &ConnId| conn.shard == self.shard;
        ensure(peers.keys().all(here), "a connection is of another shard")?;
        match (&mut self.lobby, lobby) {
            (Some(lobby), Some(kept)) => lobby.revive(kept)?,
            (None, None) => {}
            _ => return Err(Damaged::Contradiction("the lobby is on another shard")),
        }
        self.peers = peers.into_iter().collect();
        counted.add_to(&*self.metrics);
        Ok(())
    }
}

impl Lobby {
    fn keep(&self) -> KeptLobby {
        let Lobby {
            users,
            rooms,
            next_room,
            sessions,
            pipes,
            accepted,
            addresses_seen,
            names_seen,
            draining,
            standing,
            rooms_created,
            sessions_started,
            lists,
            health_armed,
            debts,
            // Shared with the shard.
            metrics: _,
            // Its place, and what it was told.
            settings: _,
            shard: _,
            // Worked out from the others.
            order: _,
            names: _,
            room_names: _,
            uuids: _,
            played: _,
            relays: _,
            foreigners: _,
            launchers: _,
            // Empty between two turns.
            letters: _,
            caused: _,
            now: _,
            unix: _,
        } = self;
        KeptLobby {
            users: users.iter().map(|(c, user)| (*c, user.clone())).collect(),
            rooms: rooms.clone(),
            next_room: *next_room,
            sessions: sessions.iter().map(|(id, s)| (*id, s.clone())).collect(),
            pipes: pipes.iter().map(|(c, pipe)| (*c, pipe.clone())).collect(),
            accepted: *accepted,
            addresses_seen: addresses_seen.clone(),
            names_seen: names_seen.clone(),
            draining: *draining,
            standing: standing.clone(),
            rooms_created: *rooms_created,
            sessions_started: *sessions_started,
            lists: lists.clone(),
            health_armed: *health_armed,
            debts: debts.clone(),
        }
    }

    /// Goes on from what was kept, as the lobby that was just made.
    fn revive(&mut self, kept: KeptLobby) -> Result<(), Damaged> {
        self.check_conns(&kept)?;
        check_rooms(&kept)?;
        let KeptLobby {
            users,
            rooms,
            next_room,
            sessions,
            pipes,
            accepted,
            addresses_seen,
            names_seen,
            draining,
            standing,
            rooms_created,
            sessions_started,
            lists,
            health_armed,
            debts,
        } = kept;
        for (conn, user) in users {
            self.take_user(conn, user)?;
        }
        for (id, room) in rooms {
            let taken = self.room_names.insert(room.name.clone(), id);
            ensure(taken.is_none(), "two rooms have one name")?;
            self.rooms.insert(id, room);
        }
        for (id, session) in sessions {
            self.take_session(id, session)?;
        }
        for (conn, pipe) in pipes {
            self.take_pipe(conn, pipe)?;
        }
        let waiting = self.sessions.values().flat_map(Session::waiting);
        let are_there = waiting.into_iter().all(|conn| {
            let pipe = self.pipes.get(&conn);
            matches!(pipe, Some(Pipe::Waiting { .. }))
        });
        ensure(are_there, "a game waits that is not there")?;
        let pairs = self
            .pipes
            .iter()
            .filter_map(|(conn, pipe)| Some((*conn, pipe.partner()?)));
        let agree = |(conn, partner): (ConnId, ConnId)| {
            let its = self.pipes.get(&partner).and_then(Pipe::partner);
            its == Some(conn)
        };
        ensure(
            pairs.into_iter().all(agree),
            "two games are paired and are not",
        )?;
        self.next_room = next_room;
        self.accepted = accepted;
        self.addresses_seen = addresses_seen;
        self.names_seen = names_seen;
        self.draining = draining;
        self.standing = standing;
        self.rooms_created = rooms_created;
        self.sessions_started = sessions_started;
        self.lists = lists;
        self.health_armed = health_armed;
        self.debts = debts;
        Ok(())
    }

    /// Every connection is on a shard that there is.
    fn check_conns(&self, kept: &KeptLobby) -> Result<(), Damaged> {
        let (node, shards) = (self.shard.node(), self.relays.len());
        let there = |conn: &ConnId| conn.shard.node() == node && conn.shard.local() < shards;
        let mut conns = kept.users.keys().chain(kept.pipes.keys());
        ensure(conns.all(there), "a connection is on no shard")
    }

    fn take_user(&mut self, conn: ConnId, user: User) -> Result<(), Damaged> {
        ensure(user.conn == conn, "a user has two connections")?;
        if user.is_signed_in() {
            let taken = self.names.insert(user.name.clone(), conn);
            ensure(taken.is_none(), "two users have one name")?;
        }
        self.count_in(conn, user);
        Ok(())
    }

    fn take_session(&mut self, id: u64, session: Session) -> Result<(), Damaged> {
        for (place, uuid) in session.uuids.iter().enumerate() {
            let role = if place == 0 {
                Role::Server
            } else {
                Role::Client
            };
            let taken = self.uuids.insert(uuid.clone(), (id, role));
            ensure(taken.is_none(), "two sessions have one uuid")?;
        }
        self.sessions.insert(id, session);
        Ok(())
    }

    fn take_pipe(&mut self, conn: ConnId, pipe: Pipe) -> Result<(), Damaged> {
        if let Some((id, on)) = pipe.session() {
            let session = self.sessions.get_mut(&id);
            let session = session.ok_or(Damaged::Contradiction("a game is of no session"))?;
            session.count_in();
            self.played += usize::from(session.pipes == 1);
            let waits = session.waiting().any(|waiting| waiting == conn);
            let is_waiting = matches!(pipe, Pipe::Waiting { .. });
            ensure(waits == is_waiting, "a game waits and does not")?;
            if let Some(relays) = on.and_then(|on| self.relays.get_mut(on)) {
                *relays += 1;
            }
        }
        self.pipes.insert(conn, pipe);
        Ok(())
    }
}

/// Users and rooms say the same of who is in which.
fn check_rooms(kept: &KeptLobby) -> Result<(), Damaged> {
    let numbers = kept.rooms.keys().map(|id| id.0);
    let mut numbers = numbers.chain(kept.sessions.keys().copied());
    ensure(
        numbers.all(|number| number < kept.next_room),
        "a number would be given twice",
    )?;
    let mut seated = 0;
    for (id, room) in &kept.rooms {
        let host = room.players.first().map(|player| player.conn);
        ensure(host == Some(room.host), "a host is not in the room")?;
        seated += room.players.len();
        for player in &room.players {
            let place = kept.users.get(&player.conn).map(|user| user.place);
            ensure(place == Some(Place::Inside(*id)), "a player is elsewhere")?;
        }
    }
    let inside = kept.users.values().filter(|user| user.room().is_some());
    ensure(inside.count() == seated, "a user is in a room as nobody")
}
