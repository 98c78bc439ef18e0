//! Which rooms there are, and what lists say of them (spec: cockatrice-behaviour 4.1, 4.2).
//!
//! Rooms are fixed from the start on; every shard knows them, and how many are in each.

use cockatrice::{
    accounts::{Level, Privilege},
    messages::{ResponseCode, ServerInfoGameType, ServerInfoRoom, encode, raw},
    rooms::{MOST_LINES, Permission, Required, may_enter},
};
use serde::Deserialize;

use super::{
    Cockatrice, CockatriceTurn,
    mail::ToDirectory,
    protocol,
    settings::{ROOMS, Settings},
    state::{
        directory::ROOMS as ROOM_NEWS,
        work::{Flow, Reply},
    },
};
use crate::ConnId;

/// How many changes of one room everybody is told of in a tick, one by one.
const ROOM_CHANGES_A_TICK: usize = 20;
/// How many messages of one room's changes there are in a tick, at the most, but for the first of them.
const ROOM_NEWS_A_TICK: usize = 10_000;

/// A room as an operator describes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomSettings {
    /// The number under which clients know it; without one it is its place in the list, from 0.
    #[serde(default)]
    pub id: Option<u32>,
    /// What it is called.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Whether clients enter it by themselves.
    #[serde(default)]
    pub auto_join: bool,
    /// What who enters is told.
    #[serde(default)]
    pub join_message: String,
    /// How many lines it keeps for those who enter.
    #[serde(default)]
    pub history: usize,
    /// What its games may be.
    #[serde(default)]
    pub game_types: Vec<String>,
    /// From which level on one may enter.
    #[serde(default = "nobody_else")]
    pub permission: String,
    /// Which privilege one must have to enter.
    #[serde(default = "nobody_else")]
    pub privilege: String,
}

/// Nobody is kept out.
fn nobody_else() -> String {
    "none".to_owned()
}

impl RoomSettings {
    /// The one room of a server that names none.
    fn general() -> RoomSettings {
        RoomSettings {
            id: Some(0),
            name: "General room".to_owned(),
            description: "Play anything here.".to_owned(),
            auto_join: true,
            join_message: String::new(),
            history: 100,
            game_types: vec!["Standard".to_owned()],
            permission: nobody_else(),
            privilege: nobody_else(),
        }
    }

    fn id(&self) -> u32 {
        self.id.unwrap_or_default()
    }

    /// Whether somebody of that kind may enter.
    pub(super) fn admits(&self, level: Level, privilege: Privilege) -> bool {
        let kept = (
            Permission::read(&self.permission),
            Required::read(&self.privilege),
        );
        match kept {
            (Some(permission), Some(required)) => may_enter(permission, required, level, privilege),
            _ => false,
        }
    }

    /// What is wrong with it.
    fn fault(&self) -> Option<String> {
        if i32::try_from(self.id()).is_err() {
            return Some(format!("{} has too large an id", self.name));
        }
        if self.history > MOST_LINES {
            return Some(format!("{} keeps more than {MOST_LINES} lines", self.name));
        }
        if Permission::read(&self.permission).is_none() {
            return Some(format!("{} is no permission", self.permission));
        }
        Required::read(&self.privilege)
            .is_none()
            .then(|| format!("{} is no privilege", self.privilege))
    }

    /// Its record without numbers and lists.
    fn record(&self) -> ServerInfoRoom<'_> {
        ServerInfoRoom {
            room_id: Some(self.id() as i32),
            name: Some(self.name.as_str().into()),
            description: Some(self.description.as_str().into()),
            auto_join: Some(self.auto_join),
            permissionlevel: Some(self.permission.as_str().into()),
            privilegelevel: Some(self.privilege.as_str().into()),
            ..ServerInfoRoom::default()
        }
    }

    /// Its game types as records have them.
    pub(super) fn types(&self) -> Vec<ServerInfoGameType<'_>> {
        let types = self.game_types.iter().enumerate();
        types
            .map(|(id, name)| ServerInfoGameType {
                game_type_id: Some(id as i32),
                description: Some(name.as_str().into()),
            })
            .collect()
    }
}

impl Settings {
    /// The rooms that `cockatrice.rooms` describes.
    ///
    /// # Errors
    /// It describes none, and why.
    pub fn room_list(&self) -> Result<Vec<RoomSettings>, String> {
        if self.rooms.trim().is_empty() {
            return Ok(vec![RoomSettings::general()]);
        }
        let wrong = |what: String| Err(format!("cockatrice.rooms: {what}"));
        let mut rooms: Vec<RoomSettings> = match serde_json::from_str(&self.rooms) {
            Ok(rooms) => rooms,
            Err(error) => return wrong(error.to_string()),
        };
        if rooms.is_empty() || rooms.len() > ROOMS {
            return wrong(format!("there must be 1 to {ROOMS} rooms"));
        }
        for (place, room) in (0..).zip(&mut rooms) {
            room.id.get_or_insert(place);
        }
        rooms.sort_by_key(RoomSettings::id);
        if rooms.windows(2).any(|pair| pair[0].id == pair[1].id) {
            return wrong("two rooms have the same id".to_owned());
        }
        match rooms.iter().find_map(RoomSettings::fault) {
            Some(fault) => wrong(fault),
            None => Ok(rooms),
        }
    }
}

impl Cockatrice {
    /// The number under which clients know a room, of which the lobby knows the place.
    pub(super) fn room_id(&self, room: u32) -> u32 {
        let described = self.room_settings.get(room as usize);
        described.map_or(room, RoomSettings::id)
    }

    /// The place of the room that clients know under a number; if there is none, a place where no room is.
    pub(super) fn room_of(&self, id: u32) -> u32 {
        let place = self
            .room_settings
            .binary_search_by_key(&id, RoomSettings::id);
        place.map_or(u32::MAX, |place| place as u32)
    }

    /// The places of all rooms, which are in the order of their numbers.
    pub(super) fn rooms_there_are(&self) -> std::ops::Range<u32> {
        0..self.room_settings.len() as u32
    }

    /// All rooms; from now on the connection is told when there are more or fewer in one.
    pub(super) fn list_rooms(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId) -> Flow {
        turn.enter(conn, ROOM_NEWS);
        let mut rooms = Vec::new();
        for room in self.rooms_there_are() {
            raw::block(
                &mut rooms,
                1,
                &encode(&self.short_room(room, self.room_counts(room))),
            );
        }
        Flow::Done(Reply {
            before: vec![protocol::list_rooms(&rooms)],
            ..Reply::code(ResponseCode::RespOk)
        })
    }

    /// A room's record in lists.
    fn short_room(&self, room: u32, (players, games): (u32, u32)) -> ServerInfoRoom<'_> {
        let record = self.room_settings.get(room as usize);
        ServerInfoRoom {
            player_count: Some(players),
            game_count: Some(games),
            ..record.map(RoomSettings::record).unwrap_or_default()
        }
    }

    /// How many members and games a room has, as far as is known here.
    pub(super) fn room_counts(&self, room: u32) -> (u32, u32) {
        let counts = self.directory.rooms.get(room as usize);
        counts.copied().unwrap_or_default()
    }

    /// A room's record with its game types, as it is written.
    pub(super) fn room_with_types(&self, room: u32, counts: (u32, u32)) -> Vec<u8> {
        let described = self.room_settings.get(room as usize);
        encode(&ServerInfoRoom {
            gametype_list: described.map(RoomSettings::types).unwrap_or_default(),
            ..self.short_room(room, counts)
        })
    }

    /// What everybody is told who knows the room: how many are in it.
    pub(super) fn room_update(&self, room: u32) -> bytes::Bytes {
        let (players, games) = self.room_counts(room);
        let record = ServerInfoRoom {
            room_id: Some(self.room_id(room) as i32),
            player_count: Some(players),
            game_count: Some(games),
            ..ServerInfoRoom::default()
        };
        protocol::list_rooms(&protocol::listed(1, &encode(&record)))
    }

    /// The room has more or fewer members or games: everybody is told at once, unless there are many changes for many users
    /// within a tick: those are told of together.
    pub(super) fn room_changed(&mut self, room: u32) {
        let users = self.directory.users.len().max(1);
        let most = (ROOM_NEWS_A_TICK / users).clamp(1, ROOM_CHANGES_A_TICK);
        let tick = self.ticks;
        let Some(state) = self.rooms.get_mut(&room) else {
            return;
        };
        if state.told_in == Some(tick) && state.told as usize >= most {
            state.changed = true;
            self.metrics.room_updates_deferred.up();
        } else {
            self.tell_room_counts(room);
        }
    }

    /// Rooms that have changed since everybody was told.
    pub(super) fn tick_rooms(&mut self) {
        let changed = self.rooms.iter().filter(|(_, state)| state.changed);
        let changed: Vec<u32> = changed.map(|(&room, _)| room).collect();
        for room in changed {
            self.tell_room_counts(room);
        }
    }

    pub(super) fn tell_room_counts(&mut self, room: u32) {
        let Some(state) = self.rooms.get_mut(&room) else {
            return;
        };
        let again = state.told_in == Some(self.ticks);
        state.told = if again { state.told + 1 } else { 1 };
        (state.told_in, state.changed) = (Some(self.ticks), false);
        let (players, games) = state.counts();
        self.tell_everywhere(ToDirectory::Room {
            room,
            players,
            games,
        });
    }
}

#[cfg(test)]
mod tests {
    use ::settings::{Group, Values};

    use super::*;

    fn with(rooms: &str) -> Settings {
        let values = Values::defaults(&Settings::keys());
        Settings {
            rooms: rooms.to_owned(),
            ..Settings::read(&values)
        }
    }

    #[test]
    fn rooms_are_read_from_a_list() {
        let general = with("").room_list().expect("one");
        assert_eq!(general, [RoomSettings::general()]);
        let rooms =
            with(r#"[{"name": "a", "permission": "registered"}, {"name": "b", "history": 3}]"#);
        let rooms = rooms.room_list().expect("two");
        assert_eq!(rooms[0].permission, "registered");
        assert_eq!((rooms[1].history, rooms[1].auto_join), (3, false));
        let rooms = with(r#"[{"name": "a", "id": 7}, {"name": "b"}, {"name": "c", "id": 4}]"#);
        let rooms = rooms.room_list().expect("three");
        let rooms = rooms.iter().map(|room| (room.id(), room.name.as_str()));
        assert_eq!(Vec::from_iter(rooms), [(1, "b"), (4, "c"), (7, "a")]);
        for wrong in [
            "[]",
            "{}",
            "[{}]",
            r#"[{"name": "a", "id": 1}, {"name": "b"}]"#,
            r#"[{"name": "a", "id": 2147483648}]"#,
            r#"[{"name": "a", "colour": 1}]"#,
            r#"[{"name": "a", "history": 10001}]"#,
        ] {
            assert!(with(wrong).room_list().is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_may_enter_depends_on_level_and_privilege() {
        let room = RoomSettings {
            permission: "registered".to_owned(),
            ..RoomSettings::general()
        };
        assert!(!room.admits(Level::UNREGISTERED, Privilege::None));
        assert!(room.admits(Level::REGISTERED, Privilege::None));
    }
}
