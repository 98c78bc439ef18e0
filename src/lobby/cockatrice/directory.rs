//! Everybody's picture of the lobby: who is there, and how many are in each room. Every shard has one.
//!
//! Records are kept as they are written, so a list is put together without reading any. What shards tell of one name may
//! arrive in either order: a connection says which of two is meant.

use cockatrice::messages::raw;

use super::{
    Cockatrice, CockatriceTurn,
    mail::{Item, ToDirectory},
    protocol,
    state::directory::{ROOMS, USERS},
};
use crate::Audience;

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
            ToDirectory::Changed { user, told } => {
                let known = self.directory.users.get_mut(&user.name);
                if let Some(known) = known.filter(|known| known.conn == user.conn) {
                    if told {
                        let joined = protocol::user_joined(&user.public);
                        turn.fan_out(Audience::Topic(USERS), joined);
                    }
                    *known = user;
                }
            }
            ToDirectory::Lists { owner, change } => self.lists_changed(&owner, &change),
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
