//! What goes on in another process: a shard's connections, and on its shard the lobby.
//!
//! Kept is what can't be worked out; indexes and counts are made anew from it, so that they can't contradict it. Everything
//! is taken apart by name, so that a new field does not compile before it is either kept or left out.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{
    VcmiJson,
    gateway::Peer as Connection,
    histories::Histories,
    journal::{Entry, Journal},
    lists::Lists,
    lobby::{Lobby, Online, Peer},
    room::{Room, RoomNumber},
};
use crate::{
    ConnId, Keep,
    kept::{Counted, Damaged, ensure},
    map::KeyedMap,
    operator::Standing,
};

/// State of a shard, kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    peers: BTreeMap<ConnId, Connection>,
    counted: Counted,
    lobby: Option<KeptLobby>,
}

/// State of the lobby, kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptLobby {
    peers: BTreeMap<ConnId, Peer>,
    accounts: BTreeMap<i64, Online>,
    rooms: BTreeMap<RoomNumber, Room>,
    next_room: RoomNumber,
    histories: Histories,
    begun: bool,
    queue: VecDeque<Entry>,
    pausing: bool,
    lists: Lists,
    draining: bool,
    #[serde(default)]
    standing: Standing,
}

impl Keep for VcmiJson {
    type Kept = Kept;

    fn keep(&self) -> Kept {
        let VcmiJson {
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
            peers,
            accounts,
            rooms,
            next_room,
            histories,
            journal,
            lists,
            draining,
            standing,
            // What addresses have registered of late is forgotten, as it is at a start.
            registrars: _,
            // Made anew.
            settings: _,
            shard: _,
            metrics: _,
            ids: _,
            room_ids: _,
            inside: _,
            relays: _,
            clients: _,
            now: _,
            // Empty between two turns.
            ..
        } = self;
        KeptLobby {
            peers: peers.iter().map(|(c, p)| (*c, p.clone())).collect(),
            accounts: accounts.clone(),
            rooms: rooms.clone(),
            next_room: *next_room,
            histories: histories.clone(),
            begun: journal.begun,
            queue: journal.queue.clone(),
            pausing: journal.pausing,
            lists: lists.clone(),
            draining: *draining,
            standing: standing.clone(),
        }
    }

    fn revive(&mut self, kept: KeptLobby) -> Result<(), Damaged> {
        let KeptLobby {
            peers,
            accounts,
            rooms,
            next_room,
            histories,
            begun,
            queue,
            pausing,
            lists,
            draining,
            standing,
        } = kept;
        let shards = self.clients.len();
        let known = |conn: &ConnId| conn.shard.local() < shards;
        ensure(peers.keys().all(known), "a connection's shard is not there")?;
        let is_next = rooms.keys().all(|number| *number < next_room);
        ensure(is_next, "a room is newer than the newest")?;
        for (number, online) in &accounts {
            let peer = peers.get(&online.conn);
            let agrees = peer == Some(&Peer::Account(*number));
            ensure(agrees, "an account's connection is not its own")?;
            self.count_in(online.conn);
            self.ids.insert(online.id.clone(), *number);
        }
        for (number, room) in &rooms {
            let control = peers.get(&room.control) == Some(&Peer::MatchServer(*number));
            ensure(control, "a room's match server is not its own")?;
            self.room_ids.insert(room.id.clone(), *number);
            for one in &room.participants {
                let known = insert_new(&mut self.inside, &one.id, *number);
                ensure(known, "somebody is in two rooms")?;
            }
        }
        for peer in peers.values() {
            if let Peer::Relayed(Some(on)) = peer {
                let relays = self.relays.get_mut(*on);
                let relays =
                    relays.ok_or(Damaged::Contradiction("a relay's shard is not there"))?;
                *relays += 1;
            }
        }
        self.peers = peers.into_iter().collect();
        self.journal = Journal::revived(begun, queue, pausing);
        (self.accounts, self.rooms, self.next_room) = (accounts, rooms, next_room);
        (self.histories, self.lists, self.draining) = (histories, lists, draining);
        self.standing = standing;
        self.show_counts();
        Ok(())
    }
}

/// Whether the key was not there before.
fn insert_new(map: &mut KeyedMap<String, RoomNumber>, key: &str, number: RoomNumber) -> bool {
    map.insert(key.to_owned(), number).is_none()
}
