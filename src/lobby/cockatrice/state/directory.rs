//! Everybody's picture of the lobby.

use std::collections::BTreeMap;

use bytes::Bytes;
use cockatrice::accounts::Level;
use serde::{Deserialize, Serialize};

use crate::{ConnId, Topic};

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

/// A user as everybody may see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    pub(crate) name: Box<str>,
    pub(crate) conn: ConnId,
    pub(crate) level: Level,
    /// The record of a user in public form.
    pub(crate) public: Bytes,
}

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directory {
    /// By name, the order in which lists show them.
    pub(crate) users: BTreeMap<Box<str>, Listed>,
    /// Members and games of each room.
    pub(crate) rooms: Vec<(u32, u32)>,
}

impl Directory {
    /// Nobody is there, in so many rooms.
    pub(crate) fn of_rooms(rooms: usize) -> Self {
        Directory {
            users: BTreeMap::new(),
            rooms: vec![(0, 0); rooms],
        }
    }
}
