//! A launcher in the lobby, as the lobby knows it.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{budget::Budget, room::RoomId};
use crate::{ConnId, Topic};
use wire::charset::Charset;

/// Every launcher, signed in or not: they are told of rooms.
pub(super) const EVERYBODY: Topic = Topic(0);
/// Launchers of version 4 and up, signed in or not: they are told who is there when somebody comes.
pub(super) const MODERN: Topic = Topic(1);
/// Users: they hear chat.
pub(super) const USERS: Topic = Topic(2);
/// Users of version 4 and up: they are told who is there when somebody goes.
pub(super) const MODERN_USERS: Topic = Topic(3);
/// Users below version 4: they are told in words who has come.
pub(super) const OLD_USERS: Topic = Topic(4);

/// First version that is sent lists of users, and the mode of a game (spec: vcmi-proxy 14.3).
pub(super) const MODERN_VERSION: u8 = 4;

/// Where a user's chat goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Channel {
    #[default]
    Global,
    Room,
}

impl Channel {
    pub(super) fn name(self) -> &'static str {
        match self {
            Channel::Global => "global",
            Channel::Room => "room",
        }
    }

    pub(super) fn named(name: &str) -> Option<Channel> {
        [Channel::Global, Channel::Room]
            .into_iter()
            .find(|channel| channel.name() == name)
    }
}

/// A user's relation to rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    #[default]
    Outside,
    /// Has said JOIN and not yet PSWD (spec: vcmi-proxy 13.3, as recommended).
    Asking(RoomId),
    /// Host or guest.
    Inside(RoomId),
}

/// A launcher.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) conn: ConnId,
    pub(super) address: IpAddr,
    /// What limits per address count it under; none: they do not apply to it.
    pub(super) counted: Option<IpAddr>,
    /// The place in lists of users: when its socket was accepted.
    pub(super) accepted: Duration,
    /// Of the protocol; not of the game.
    pub(super) version: u8,
    pub(super) charset: Charset,
    /// Empty before it has signed in.
    pub(super) name: String,
    pub(super) game_version: String,
    pub(super) channel: Channel,
    pub(super) place: Place,
    /// When it was asked whether it is there; none: it has answered since.
    pub(super) asked: Option<Duration>,
    /// What it has said and caused of late.
    pub(super) budget: Budget,
    /// The topics it is in, a bit each.
    topics: u8,
}

impl User {
    pub(super) fn new(
        conn: ConnId,
        address: IpAddr,
        counted: Option<IpAddr>,
        accepted: Duration,
    ) -> Self {
        User {
            conn,
            address,
            counted,
            accepted,
            version: 0,
            charset: Charset::UTF_8,
            name: String::new(),
            game_version: String::new(),
            channel: Channel::default(),
            place: Place::default(),
            asked: None,
            budget: Budget::default(),
            topics: 0,
        }
    }

    pub(super) fn is_signed_in(&self) -> bool {
        !self.name.is_empty()
    }

    pub(super) fn is_modern(&self) -> bool {
        self.version >= MODERN_VERSION
    }

    /// The room it plays in.
    pub(super) fn room(&self) -> Option<RoomId> {
        match self.place {
            Place::Inside(room) => Some(room),
            Place::Outside | Place::Asking(_) => None,
        }
    }

    /// Whether what is said to a topic is for it.
    pub(super) fn hears(&self, topic: Topic) -> bool {
        let (signed_in, modern) = (self.is_signed_in(), self.is_modern());
        match topic {
            EVERYBODY => true,
            MODERN => modern,
            USERS => signed_in,
            MODERN_USERS => signed_in && modern,
            OLD_USERS => signed_in && !modern,
            _ => false,
        }
    }

    /// The topics to enter and to leave, so that it is in those that are for it. Whoever does not speak UTF-8 is in
    /// none, since what a topic is sent is encoded once.
    pub(super) fn moves(&mut self) -> impl Iterator<Item = (Topic, bool)> + use<> {
        let all = [EVERYBODY, MODERN, USERS, MODERN_USERS, OLD_USERS];
        let wanted = all
            .into_iter()
            .filter(|&topic| self.charset.is_utf8() && self.hears(topic))
            .fold(0, |bits, topic| bits | 1 << topic.0);
        let changed = std::mem::replace(&mut self.topics, wanted) ^ wanted;
        all.into_iter()
            .filter(move |topic| changed & 1 << topic.0 != 0)
            .map(move |topic| (topic, wanted & 1 << topic.0 != 0))
    }
}
