//! A connection, and who it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use bytes::Bytes;
use cockatrice::{
    accounts::{Level, Privilege},
    flood::Window,
    messages::encode,
};
use serde::{Deserialize, Serialize};
use settings::Cidr;

use super::{
    directory::Listed,
    lists::Lists,
    visitor::{Transport, Visitor},
    work::Work,
};
use crate::{
    ConnId, Origin, ShardId,
    cockatrice::{
        account::{Account, Form},
        mail::Entrant,
    },
    rate::Meter,
};

/// A connection of this shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) visitor: Visitor,
    pub(crate) address: IpAddr,
    /// What limits per address of everybody who has not signed in count it under; none: they do not apply to it.
    pub(crate) limited: Option<IpAddr>,
    /// It has been told who it talks to: its containers are handled.
    pub(crate) greeted: bool,
    /// The desk counts it.
    pub(crate) counted: bool,
    /// The tick in which it came.
    #[serde(default)]
    pub(crate) begun: u64,
    /// The tick in which a container of it was handled last.
    pub(crate) heard: u64,
    /// The tick in which its user did something last that is not mere presence.
    pub(crate) acted: u64,
    /// Its user was told of being idle.
    pub(crate) warned: bool,
    /// Sign-ins that have failed.
    pub(crate) failures: u8,
    /// Who it is, once it has signed in.
    pub(crate) user: Option<Box<User>>,
    /// The rooms that it is in, or about to be.
    pub(crate) rooms: BTreeSet<u32>,
    /// The games that it is in.
    pub(crate) games: BTreeMap<u32, Taking>,
    /// What it has said of late.
    pub(crate) chat: Window,
    /// What it has done in games of late.
    pub(crate) commands: Window,
    /// What it has asked for of late.
    pub(crate) pace: Meter,
    /// The container that is being handled, while something is waited for.
    pub(crate) work: Option<Box<Work>>,
    /// It has ended, and is forgotten as soon as what is waited for is there.
    pub(crate) gone: bool,
}

/// That somebody is in a game.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taking {
    /// The game's room.
    pub(crate) room: u32,
    /// The shard that has the game.
    pub(crate) shard: ShardId,
    /// Whether they may say something there: what they may not is no chat.
    pub(crate) talks: bool,
    /// What the game was told last of how long nothing came from them.
    pub(crate) silence: i32,
}

/// Who a connection is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) name: Box<str>,
    pub(crate) level: Level,
    /// Whether a password was asked for, and right.
    pub(crate) password_right: bool,
    /// Its account, if it has one, without lists.
    pub(crate) account: Option<Box<Account>>,
    /// Whom it has on its lists.
    pub(crate) lists: Lists,
    /// The record in public form.
    pub(crate) public: Bytes,
    /// Names the session where sessions are written down; otherwise the largest number.
    pub(crate) session_id: u64,
    /// Of the grant of the name.
    #[serde(default)]
    pub(crate) epoch: u64,
    pub(crate) client_id: Box<str>,
    pub(crate) client_version: Box<str>,
}

impl Session {
    /// A connection that comes. Those from an address that is not exempt are counted.
    pub(crate) fn new(origin: Origin, tick: u64, exempt: &[Cidr]) -> Self {
        let transport = match origin.format.has_upgrade() {
            true => Transport::WebSocket,
            false => Transport::Tcp,
        };
        let mut session = Session {
            visitor: Visitor {
                counted: None,
                transport,
            },
            address: origin.address,
            limited: origin.counted,
            greeted: false,
            counted: false,
            begun: tick,
            heard: tick,
            acted: tick,
            warned: false,
            failures: 0,
            user: None,
            rooms: BTreeSet::new(),
            games: BTreeMap::new(),
            chat: Window::default(),
            commands: Window::default(),
            pace: Meter::default(),
            work: None,
            gone: false,
        };
        session.visitor = session.visitor_unless(exempt);
        session
    }

    /// What it counts as, unless its address is in one of these blocks.
    pub(crate) fn visitor_unless(&self, exempt: &[Cidr]) -> Visitor {
        let is_exempt = exempt.iter().any(|block| block.contains(self.address));
        Visitor {
            counted: (!is_exempt).then(|| self.limited.unwrap_or(self.address.to_canonical())),
            transport: self.visitor.transport,
        }
    }

    /// Whether being idle ends it: everybody's but that of staff and of those who have a privilege (spec: cockatrice-wire 4;
    /// behaviour 17.3).
    pub(crate) fn may_be_idle(&self) -> bool {
        let may = |user: &User| !user.level.is_moderator() && user.privilege() == Privilege::None;
        self.user.as_deref().is_none_or(may)
    }

    /// Its user does something that is not mere presence (spec: cockatrice-wire 4).
    pub(crate) fn acts(&mut self, tick: u64) {
        self.acted = tick;
        self.warned = false;
    }
}

impl User {
    /// As everybody may see them.
    pub(crate) fn listed(&self, conn: ConnId) -> Listed {
        Listed {
            name: self.name.clone(),
            conn,
            level: self.level,
            public: self.public.clone(),
            epoch: self.epoch,
            session: self.session_id,
        }
    }

    /// As the participants of a game may see them.
    pub(crate) fn entrant(&self, conn: ConnId) -> Entrant {
        Entrant {
            listed: self.listed(conn),
            profile: self.profile(),
        }
    }

    /// The record in profile form.
    pub(crate) fn profile(&self) -> Bytes {
        match &self.account {
            Some(account) => encode(&account.record(Form::Profile)).into(),
            None => self.public.clone(),
        }
    }

    /// What it has for supporting the server.
    pub(crate) fn privilege(&self) -> Privilege {
        let account = self.account.as_deref();
        account.map_or(Privilege::None, |account| account.privilege)
    }
}
