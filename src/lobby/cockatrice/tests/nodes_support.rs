//! A lobby of several nodes, and what must hold in it when nothing is on its way.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{ShardId, cockatrice::state::directory::Listed};

/// Settings with which nobody is sent away for silence.
pub(super) fn patient() -> Settings {
    Settings {
        inactivity: 1_000_000,
        idle: None,
        commands_per_second: None,
        chat_interval: None,
        ..settings()
    }
}

/// The same, with one password for all: a newer session of a name ends the older one.
pub(super) fn with_password() -> Settings {
    Settings {
        method: Method::Password,
        ..patient()
    }
}

/// With accounts.
pub(super) fn with_accounts() -> Settings {
    Settings {
        method: Method::Accounts,
        ..patient()
    }
}

/// Nodes of so many shards each.
pub(super) fn nodes_with(nodes: &[u16], seed: u64, settings: Settings) -> Sim {
    let office: Office<Cockatrice> = match settings.method {
        Method::Accounts => Box::new(office::answers()),
        _ => Box::new(|ask: Ask| ask.failed(StoreFailure::Failed)),
    };
    nodes_of(nodes, seed, settings, office)
}

pub(super) fn nodes_of(
    nodes: &[u16],
    seed: u64,
    settings: Settings,
    office: Office<Cockatrice>,
) -> Sim {
    let settings = Arc::new(settings);
    let shards = nodes.to_vec();
    let make = move |shard: ShardId| {
        let shards = shards[usize::from(shard.node())];
        Cockatrice::new(shard, shards, settings.clone())
    };
    let mut sim = Simulator::with_nodes(nodes, seed, make, office);
    sim.format = Format::PrefixedBigEndian;
    seconds(&mut sim, 2);
    sim
}

pub(super) fn seconds(sim: &mut Sim, seconds: u64) {
    sim.advance(Duration::from_secs(seconds));
}

/// A connection to a shard of a node that has been told who it talks to.
pub(super) fn connect_to(sim: &mut Sim, node: u8) -> ConnId {
    let shards = sim.shards_of(node).count() as u16;
    let shard = sim.first_shard(node) + sim.connections() as u16 % shards;
    let conn = sim.connect(shard);
    sim.send(conn, Vec::new());
    sim.settle();
    heard(sim, conn);
    conn
}

/// A user on a node.
pub(super) fn user_on(sim: &mut Sim, name: &str, node: u8) -> ConnId {
    let conn = connect_to(sim, node);
    let answer = ask(sim, conn, session(1, sign_in(name)));
    let welcome = format!("1 RespOk login {name}");
    assert!(answer.contains(&welcome), "{answer:?}");
    conn
}

/// A user on a node, in room 0.
pub(super) fn member_on(sim: &mut Sim, name: &str, node: u8) -> ConnId {
    let conn = user_on(sim, name, node);
    let answer = ask(sim, conn, session(2, join(0)));
    assert!(answer[0].starts_with("2 RespOk room"), "{answer:?}");
    conn
}

/// The node that room 0 lives on.
pub(super) fn home_of_room(sim: &Sim, asked: u8) -> u8 {
    let lobby = sim.dialect(sim.first_shard(asked));
    lobby.topology.room(0).node()
}

/// All nodes are in and nothing is on its way: everybody knows the same, and it is so.
pub(super) fn check(sim: &Sim, note: &str) {
    assert!(sim.is_quiet(), "{note}");
    let shards = sim.all_shards();
    let mut users: BTreeMap<Box<str>, Listed> = BTreeMap::new();
    for &shard in &shards {
        let lobby = sim.dialect_on(shard);
        assert!(lobby.parked.is_empty(), "{note}: {:?}", lobby.parked);
        assert!(lobby.gathering.is_empty(), "{note}: {:?}", lobby.gathering);
        assert!(lobby.pending.is_empty(), "{note}");
        for (&conn, session) in &lobby.sessions {
            assert!(session.work.is_none(), "{note}: {conn:?} waits {session:?}");
            assert!(!sim.client(conn).held, "{note}: {conn:?} is held");
            if let Some(user) = &session.user {
                let twice = users.insert(user.name.clone(), user.listed(conn));
                assert_eq!(twice, None, "{note}: two are {}", user.name);
            }
        }
    }
    for &shard in &shards {
        let lobby = sim.dialect_on(shard);
        assert!(
            lobby.directory.beneath.is_empty(),
            "{note}: {:?}",
            lobby.directory.beneath
        );
        assert_eq!(lobby.directory.users, users, "{note}: {shard:?}");
    }
    check_names(sim, &shards, &users, note);
    for room in sim.dialect_on(shards[0]).rooms_there_are() {
        check_room(sim, &shards, room, note);
    }
    check_games(sim, &shards, note);
}

fn check_names(sim: &Sim, shards: &[ShardId], users: &BTreeMap<Box<str>, Listed>, note: &str) {
    let mut held = BTreeMap::new();
    for &shard in shards {
        let lobby = sim.dialect_on(shard);
        for (name, claim) in &lobby.registry.claims {
            assert_eq!(lobby.topology.home(name), shard, "{note}: {name}");
            assert!(claim.waiting.is_empty(), "{note}: {name} {claim:?}");
            held.insert(name.clone(), (claim.holder, claim.epoch));
        }
        let (names, claims) = (&lobby.registry.names, &lobby.registry.claims);
        assert_eq!(names.len(), claims.len(), "{note}");
    }
    let listed = users.iter();
    let listed = listed.map(|(name, user)| (name.clone(), (user.conn, user.epoch)));
    assert_eq!(held, listed.collect(), "{note}");
}

fn check_room(sim: &Sim, shards: &[ShardId], room: u32, note: &str) {
    let home = sim.dialect_on(shards[0]).topology.room(room);
    let has = |shard: &&ShardId| sim.dialect_on(**shard).rooms.contains_key(&room);
    let homes: Vec<&ShardId> = shards.iter().filter(has).collect();
    assert_eq!(homes, [&home], "{note}: room {room}");
    let lobby = sim.dialect_on(home);
    let state = &lobby.rooms[&room];
    let mut inside = BTreeSet::new();
    let mut games = BTreeSet::new();
    for &shard in shards {
        let there = sim.dialect_on(shard);
        let sessions = there.sessions.iter();
        let members = sessions.filter(|(_, session)| session.rooms.contains(&room));
        inside.extend(members.map(|(&conn, _)| conn));
        let tables = there.tables.iter();
        let tables = tables.filter(|(_, table)| table.room == room);
        games.extend(tables.map(|(&game, _)| (game, there.game_record(game))));
    }
    let names: BTreeSet<ConnId> = state.names.keys().copied().collect();
    assert_eq!(names, inside, "{note}: room {room}");
    assert_eq!(state.members.len(), inside.len(), "{note}: room {room}");
    let recorded = lobby.games_recorded(room);
    let listed = recorded.iter();
    let listed = listed.map(|(&game, record)| (game, Some(record.to_vec())));
    assert_eq!(
        listed.collect::<BTreeSet<_>>(),
        games,
        "{note}: room {room}"
    );
    for &shard in shards {
        let there = sim.dialect_on(shard);
        let counts = there.room_counts(room);
        assert_eq!(counts, state.counts(), "{note}: {shard:?} of room {room}");
        if shard != home {
            let picture = there.directory.pictures.get(&room);
            let picture = picture.cloned().unwrap_or_default();
            assert_eq!(picture.members, state.members, "{note}: {shard:?}");
            assert_eq!(picture.games, recorded, "{note}: {shard:?}");
        }
    }
}

/// Connections that are in games are so for both sides.
fn check_games(sim: &Sim, shards: &[ShardId], note: &str) {
    let (mut seated, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for &shard in shards {
        let lobby = sim.dialect_on(shard);
        for (&game, table) in &lobby.tables {
            let seats = table.seats.values();
            seated.extend(seats.map(|seat| (game, shard, seat.conn)));
        }
        for (&conn, session) in &lobby.sessions {
            let games = session.games.iter();
            taken.extend(games.map(|(&game, taking)| (game, taking.shard, conn)));
        }
    }
    assert_eq!(seated, taken, "{note}");
}

/// What a client makes of what it was sent: who is in room 0, and which games that has, and who is there at all.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) members: Option<BTreeSet<String>>,
    pub(super) games: BTreeMap<i32, u32>,
    pub(super) users: Option<BTreeSet<String>>,
}

impl Seen {
    pub(super) fn take(&mut self, sim: &mut Sim, conn: ConnId) {
        for bytes in sim.take_raw(conn) {
            let message: ServerMessage<'_> = decode(&bytes).expect("a message");
            self.message(&message);
        }
    }

    fn message(&mut self, message: &ServerMessage<'_>) {
        let body = message.response.as_ref().and_then(|r| r.body.as_ref());
        match body {
            Some(ResponseBody::JoinRoom(join)) => {
                let room = join.room_info.as_ref().expect("a room");
                if room.room_id() == 0 {
                    let names = room.user_list.iter().map(|user| user.name().to_string());
                    self.members = Some(names.collect());
                    let games = room.game_list.iter();
                    self.games = games.map(|g| (g.game_id(), g.player_count())).collect();
                }
            }
            Some(ResponseBody::ListUsers(list)) => {
                let names = list.user_list.iter().map(|user| user.name().to_string());
                self.users = Some(names.collect());
            }
            _ => {}
        }
        if let Some(event) = message.session_event.as_ref().and_then(|e| e.body.as_ref())
            && let Some(users) = &mut self.users
        {
            match event {
                SessionEventBody::UserJoined(joined) => {
                    let user = joined.user_info.as_ref().expect("a user");
                    users.insert(user.name().to_string());
                }
                SessionEventBody::UserLeft(left) => drop(users.remove(&*left.name())),
                _ => {}
            }
        }
        let Some(event) = message.room_event.as_ref().filter(|e| e.room_id() == 0) else {
            return;
        };
        let Some(members) = &mut self.members else {
            return;
        };
        match event.body.as_ref().expect("an event") {
            RoomEventBody::JoinRoom(join) => {
                let user = join.user_info.as_ref().expect("a user");
                members.insert(user.name().to_string());
            }
            RoomEventBody::LeaveRoom(leave) => drop(members.remove(&*leave.name())),
            RoomEventBody::ListGames(list) => {
                for game in &list.game_list {
                    if game.closed() {
                        self.games.remove(&game.game_id());
                    } else if let Some(players) = game.player_count {
                        self.games.insert(game.game_id(), players);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether it is what the lobby is.
    pub(super) fn check(&self, sim: &Sim, conn: ConnId, note: &str) {
        let lobby = sim.dialect_of(conn);
        let names = |listed: &BTreeMap<Box<str>, Listed>| -> BTreeSet<String> {
            listed.keys().map(|name| name.to_string()).collect()
        };
        if let Some(users) = &self.users {
            assert_eq!(*users, names(&lobby.directory.users), "{note}: {conn:?}");
        }
        let is_in = lobby.sessions.get(&conn);
        if !is_in.is_some_and(|session| session.rooms.contains(&0)) {
            return;
        }
        let home = sim.dialect_on(lobby.topology.room(0));
        let state = &home.rooms[&0];
        let seen = self.members.as_ref();
        assert_eq!(seen, Some(&names(&state.members)), "{note}: {conn:?}");
        let games = home.games_recorded(0);
        let games = games.iter().map(|(&id, record)| {
            let record: cockatrice::messages::ServerInfoGame<'_> = decode(record).expect("one");
            (id as i32, record.player_count())
        });
        let games: BTreeMap<i32, u32> = games.collect();
        assert_eq!(self.games, games, "{note}: {conn:?}");
    }
}

/// A name that is at home on a node.
pub(super) fn a_name_at(sim: &Sim, node: u8) -> String {
    let lobby = sim.dialect(sim.first_shard(0));
    let mut names = (0..1000).map(|number| format!("user{number}x"));
    let found = names.find(|name| lobby.topology.home(name).node() == node);
    found.expect("names are spread over all nodes")
}
