//! Everybody's picture of the lobby: who is there, and how many are in each room. Every shard has one.
//!
//! Records are kept as they are written, so a list is put together without reading any. What shards tell of one name may
//! arrive in either order: a connection says which of two is meant.

use std::collections::BTreeMap;

use bytes::Bytes;
use cockatrice::{accounts::Level, messages::raw};
use serde::{Deserialize, Serialize};

use super::{
    Cockatrice, CockatriceTurn,
    mail::{Item, ToDirectory},
    protocol,
};
use crate::{Audience, ConnId, Topic};

/// Who is told of users that come and go.
pub(super) const USERS: Topic = Topic(1);
/// Who is told how many are in the rooms.
pub(super) const ROOMS: Topic = Topic(2);
/// The members of room 0; those of the others follow.
const MEMBERS: u64 = 16;

/// The members of a room.
pub(super) fn members(room: u32) -> Topic {
    Topic(MEMBERS + u64::from(room))
}

/// A user as everybody may see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub(super) name: Box<str>,
    pub(super) conn: ConnId,
    pub(super) level: Level,
    /// The record of a user in public form.
    pub(super) public: Bytes,
}

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Directory {
    /// By name, the order in which lists show them.
    pub(super) users: BTreeMap<Box<str>, Listed>,
    /// Members and games of each room.
    pub(super) rooms: Vec<(u32, u32)>,
}

impl Directory {
    /// Nobody is there, in so many rooms.
    pub(super) fn of_rooms(rooms: usize) -> Self {
        Directory {
            users: BTreeMap::new(),
            rooms: vec![(0, 0); rooms],
        }
    }
}

impl Cockatrice {
    /// Changes this shard's picture, and tells those here who want to know.
    pub(super) fn in_directory(&mut self, turn: &mut CockatriceTurn<'_>, change: ToDirectory) {
        match change {
            ToDirectory::Joined(user) => {
                let joined = protocol::user_joined(&user.public);
                let before = self.directory.users.insert(user.name.clone(), user);
                if let Some(before) = before {
                    turn.fan_out(Audience::Topic(USERS), protocol::user_left(&before.name));
                }
                turn.fan_out(Audience::Topic(USERS), joined);
            }
            ToDirectory::Left { name, conn } => {
                let users = &mut self.directory.users;
                if users.get(&name).is_some_and(|user| user.conn == conn) {
                    users.remove(&name);
                    turn.fan_out(Audience::Topic(USERS), protocol::user_left(&name));
                }
            }
            ToDirectory::Room {
                room,
                players,
                games,
            } => {
                if let Some(counts) = self.directory.rooms.get_mut(room as usize) {
                    *counts = (players, games);
                    let update = self.room_update(room);
                    turn.fan_out(Audience::Topic(ROOMS), update);
                }
            }
        }
    }

    /// Tells every shard, this one too.
    pub(super) fn tell_everywhere(&mut self, change: ToDirectory) {
        for shard in self.topology.all() {
            self.post.to(shard, Item::Directory(change.clone()));
        }
    }

    /// Everybody who is there, as entries of a list.
    pub(super) fn users_listed(&self, field: u32) -> Vec<u8> {
        let users = self.directory.users.values();
        let mut out = Vec::with_capacity(users.len() * 32);
        for user in users {
            raw::block(&mut out, field, &user.public);
        }
        out
    }
}
