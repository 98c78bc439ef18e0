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
use crate::{Audience, ConnId};

impl Cockatrice {
    /// Changes this shard's picture, and tells those here who want to know.
    pub(super) fn in_directory(&mut self, turn: &mut CockatriceTurn<'_>, change: ToDirectory) {
        match change {
            ToDirectory::Joined(user) => {
                self.directory
                    .beneath
                    .retain(|other| other.conn != user.conn);
                let known = self.directory.users.get(&user.name);
                if known.is_some_and(|known| known.epoch > user.epoch) {
                    return self.directory.beneath.push(user); // one of them ends
                }
                let joined = protocol::user_joined(&user.public);
                let conn = user.conn;
                let before = self.directory.users.insert(user.name.clone(), user);
                if let Some(before) = before {
                    turn.fan_out(Audience::Topic(USERS), protocol::user_left(&before.name));
                    if self.topology.is_clustered() && before.conn != conn {
                        self.directory.beneath.push(before);
                    }
                }
                turn.fan_out(Audience::Topic(USERS), joined);
            }
            ToDirectory::Changed { user, told } => {
                let mut beneath = self.directory.beneath.iter_mut();
                if let Some(known) = beneath.find(|known| known.conn == user.conn) {
                    return *known = user;
                }
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
                self.directory.beneath.retain(|user| user.conn != conn);
                let users = &self.directory.users;
                if users.get(&name).is_some_and(|user| user.conn == conn) {
                    self.user_gone(turn, &name);
                }
            }
            ToDirectory::Shown(users) => self.users_shown(turn, users),
            change @ (ToDirectory::Entered { .. }
            | ToDirectory::Exited { .. }
            | ToDirectory::Game { .. }
            | ToDirectory::Contents { .. }) => self.in_picture(turn, change),
            ToDirectory::Room {
                room,
                players,
                games,
            } => {
                if !self.counts_now(room, (players, games)) {
                    return;
                }
                if let Some(counts) = self.directory.rooms.get_mut(room as usize) {
                    *counts = (players, games);
                    let update = self.room_update(room);
                    turn.fan_out(Audience::Topic(ROOMS), update);
                }
            }
        }
    }

    /// Whether what was said of a room is of where it lives: where it was before may say something late.
    fn counts_now(&self, room: u32, counts: (u32, u32)) -> bool {
        match self.rooms.get(&room) {
            _ if !self.topology.is_clustered() => true,
            Some(state) => state.counts() == counts,
            None => self.from == self.topology.room(room),
        }
    }

    /// Tells every shard, this one too.
    pub(super) fn tell_everywhere(&mut self, change: ToDirectory) {
        for shard in self.topology.in_reach() {
            self.post.tell(shard, Item::Directory(change.clone()));
        }
    }

    /// The connection of somebody who is there and can be reached.
    pub(super) fn there(&self, name: &str) -> Option<ConnId> {
        let conn = self.directory.users.get(name)?.conn;
        self.topology.reaches(conn.shard).then_some(conn)
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
