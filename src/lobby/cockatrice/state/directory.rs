//! Everybody's picture of the lobby.

use std::collections::BTreeMap;

use bytes::Bytes;
use cockatrice::accounts::Level;
use serde::{Deserialize, Serialize};

use crate::{ConnId, ShardId, Topic};

/// Who is told of users that come and go.
pub(crate) const USERS: Topic = Topic(1);
/// Who is told how many are in the rooms.
pub(crate) const ROOMS: Topic = Topic(2);
/// The members of room 0; those of the others follow.
const MEMBERS: u64 = 16;

/// The members of a room.
pub(crate) fn members(room: u32) -> Topic {
    Topic(MEMBERS + u64::from(room))
}

/// The room whose members these are.
pub(crate) fn room_of(topic: Topic) -> Option<u32> {
    topic.0.checked_sub(MEMBERS)?.try_into().ok()
}

/// A user as everybody may see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) name: Box<str>,
    pub(crate) conn: ConnId,
    pub(crate) level: Level,
    /// The record of a user in public form.
    pub(crate) public: Bytes,
    /// Of the grant of the name: a later one is larger.
    #[serde(default)]
    pub(crate) epoch: u64,
    /// Names the session, in the store where sessions are written down. Its node may not live to end it there.
    #[serde(default)]
    pub(crate) session: u64,
}

/// What a shard's clients have been told of a room that lives on another shard. Only where there may be other nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Picture {
    /// By name.
    pub(crate) members: BTreeMap<Box<str>, Listed>,
    /// Full records.
    pub(crate) games: BTreeMap<u32, Bytes>,
}

/// Where a game is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The room that lists it.
    pub(crate) room: u32,
    /// The shard that has it.
    pub(crate) shard: ShardId,
}

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directory {
    /// By name, the order in which lists show them.
    pub(crate) users: BTreeMap<Box<str>, Listed>,
    /// Members and games of each room.
    pub(crate) rooms: Vec<(u32, u32)>,
    /// Users whose name somebody else has by a later grant, until either is gone. Only where there may be other nodes.
    #[serde(default)]
    pub(crate) beneath: Vec<Listed>,
    /// What is known of rooms that live elsewhere, for when one of them moves here.
    #[serde(default)]
    pub(crate) pictures: BTreeMap<u32, Picture>,
}

impl Directory {
    /// Nobody is there, in so many rooms.
    pub(crate) fn of_rooms(rooms: usize) -> Self {
        Directory {
            users: BTreeMap::new(),
            rooms: vec![(0, 0); rooms],
            beneath: Vec::new(),
            pictures: BTreeMap::new(),
        }
    }
}
