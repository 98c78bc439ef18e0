//! A connection's session, and the table of all sessions of a shard.
//!
//! A session belongs to exactly one [`ConnId`]; whoever looks it up by a connection that is gone finds nothing. Rare
//! parts are boxed: most of the memory of a shard is sessions.

use serde::{Deserialize, Serialize};
use std::{net::IpAddr, time::Duration};

use crate::{
    ConnId, ShardId,
    faf::{
        model::{
            account::Account,
            pace::Said,
            player_state::PlayerState,
            seat::{Ownership, Seat},
        },
        questions::Login,
        session::{
            awaited::{Awaited, Awaits},
            player::Player,
        },
        topology::Topology,
    },
    rate::Meter,
};

/// State of a game connection (spec: faf-lifecycle 10.1). ENDED is the absence of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::faf) enum LinkState {
    /// The game was told to start.
    Initializing,
    /// It is there.
    Initialized,
    /// It is in the mesh.
    Connected,
}

/// A player's connection to a game.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Link {
    /// Which game, and which of this connection's relations to it.
    pub seat: Seat,
    /// The shard that has the game.
    pub owner: ShardId,
    /// How far it is.
    pub state: LinkState,
    /// Whether the game is theirs.
    pub is_host: bool,
    /// Grows with each shard that goes on with it.
    #[serde(default)]
    pub epoch: u32,
    /// How many reports to owners on other nodes were numbered.
    #[serde(default)]
    pub reported: u32,
    /// Since when the node is lost that had the game, monotonic; the game may be taken over.
    #[serde(default)]
    pub orphaned: Option<Duration>,
}

impl Link {
    /// Of the shard that has the game.
    pub(in crate::faf) fn ownership(&self) -> Ownership {
        let (epoch, owner) = (self.epoch, self.owner);
        Ownership { epoch, owner }
    }

    /// Another shard has the game, or the same one still has.
    pub(in crate::faf) fn follow(&mut self, ownership: Ownership) {
        (self.epoch, self.owner, self.orphaned) = (ownership.epoch, ownership.owner, None);
    }

    /// Who has the game now, as far as this node knows: if the node that had it is lost, whoever would go on with it.
    pub(in crate::faf) fn owner_now(&self, topology: &Topology) -> ShardId {
        match self.orphaned {
            Some(_) => topology.next_owner(self.seat.uid, self.owner.node()),
            None => None,
        }
        .unwrap_or(self.owner)
    }
}

/// An account whose claim is on its way to the home shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Claiming {
    /// Everything about the player.
    pub account: Account,
    /// Whether they came with a token.
    pub token: bool,
    /// Whether a home shard has been told, which then is told of the end, too.
    #[serde(default = "is_said")]
    pub said: bool,
}

/// A claim of a version that told homes at once.
fn is_said() -> bool {
    true
}

/// What a session needs until somebody has signed in, or once more if another one does.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct SigningIn {
    /// When it must have logged in; none: somebody has.
    pub until: Option<Duration>,
    /// As the client named itself.
    pub user_agent: Option<Box<str>>,
    /// What a sign-in that waits for its turn will ask. It goes with the session, if that ends before.
    #[serde(skip)]
    pub waiting: Option<Box<Login>>,
    /// Whose claim is on its way.
    pub claiming: Option<Box<Claiming>>,
}

/// One connection's session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Session {
    /// The connection that the session is of.
    pub conn: ConnId,
    /// Told by `session`.
    pub number: u32,
    /// Next value of [`Seat::serial`].
    pub next_serial: u32,
    /// Where it comes from.
    pub address: IpAddr,
    /// What limits per address count it under; none: they do not apply to it.
    pub counted: Option<IpAddr>,
    /// What it has said of late.
    pub said: Said,
    /// Bytes that its game has sent to others of late.
    pub ice: Meter,
    /// How often it has failed to sign in.
    pub failures: u32,
    /// Said `InitiateTest` once (spec: faf-messages 2).
    pub old_client: bool,
    /// Is being closed: whatever still arrives is dropped.
    pub closing: bool,
    /// What the player is doing. Changed by `Sessions::set_state`.
    pub state: PlayerState,
    /// Whether the coordinator knows the player and is told of their state.
    pub in_coordinator: bool,
    /// Held until what their game has reported is written down; never so between two turns with nothing on its way.
    #[serde(skip)]
    pub awaits_record: bool,
    /// What it is held for that another node has to say.
    #[serde(default)]
    pub awaits: Option<Box<Awaits>>,
    /// For metrics.
    #[serde(skip)]
    pub client: crate::faf::metrics::ClientKind,
    /// On the way to being logged in.
    pub signing_in: Option<Box<SigningIn>>,
    /// Logged in.
    pub player: Option<Box<Player>>,
    /// In a game.
    pub link: Option<Box<Link>>,
}

impl Session {
    /// What is known of a sign-in under way.
    pub(in crate::faf) fn sign_in(&mut self) -> &mut SigningIn {
        self.signing_in.get_or_insert_default()
    }

    /// The account whose claim is on its way.
    pub(in crate::faf) fn claiming(&mut self) -> Option<&mut Claiming> {
        self.signing_in.as_mut()?.claiming.as_deref_mut()
    }

    /// A fresh seat of this session in a game.
    pub(in crate::faf) fn seat(&mut self, uid: u32) -> Option<Seat> {
        let player_id = self.player.as_ref()?.account.id;
        self.next_serial = self.next_serial.wrapping_add(1);
        Some(Seat {
            uid,
            player_id,
            conn: self.conn,
            serial: self.next_serial,
        })
    }

    /// What it is held for that another node has to say.
    pub(in crate::faf) fn awaited(&self) -> Option<&Awaited> {
        self.awaits.as_deref().map(|awaits| &awaits.what)
    }

    /// The same; it is not waited for any more, if this is it.
    pub(in crate::faf) fn take_awaited(
        &mut self,
        is_meant: impl FnOnce(&Awaited) -> bool,
    ) -> Option<Awaited> {
        let awaits = self.awaits.take_if(|awaits| is_meant(&awaits.what));
        awaits.map(|awaits| awaits.what)
    }

    /// The link, if it is the one meant.
    pub(in crate::faf) fn link_at(&mut self, seat: &Seat) -> Option<&mut Link> {
        self.link.as_deref_mut().filter(|link| link.seat == *seat)
    }
}

/// All sessions of a shard, by the connection's place.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct SessionTable {
    slots: Vec<Option<Box<Session>>>,
}

impl SessionTable {
    /// Puts a session in the place of its connection.
    pub(in crate::faf) fn insert(&mut self, session: Session) {
        let slot = session.conn.slot as usize;
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        self.slots[slot] = Some(Box::new(session));
    }

    /// The session of a connection that is still there.
    pub(in crate::faf) fn get(&self, conn: ConnId) -> Option<&Session> {
        self.slots
            .get(conn.slot as usize)?
            .as_deref()
            .filter(|s| s.conn == conn)
    }

    /// The same, to change it.
    pub(in crate::faf) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Session> {
        self.slots
            .get_mut(conn.slot as usize)?
            .as_deref_mut()
            .filter(|s| s.conn == conn)
    }

    /// Takes one out.
    pub(in crate::faf) fn remove(&mut self, conn: ConnId) -> Option<Box<Session>> {
        self.get(conn)?;
        self.slots[conn.slot as usize].take()
    }

    /// Whether each session is in the place of its connection.
    pub(in crate::faf) fn is_in_order(&self) -> bool {
        let mut slots = self.slots.iter().enumerate();
        slots.all(|(at, slot)| slot.as_ref().is_none_or(|s| s.conn.slot as usize == at))
    }

    /// All sessions, in the order of their places.
    pub(in crate::faf) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().flatten().map(|s| &**s)
    }

    /// All places from this one on, with the session that is there.
    pub(in crate::faf) fn places_from(
        &self,
        from: usize,
    ) -> impl Iterator<Item = (usize, Option<&Session>)> {
        let places = self.slots.iter().enumerate().skip(from);
        places.map(|(place, session)| (place, session.as_deref()))
    }

    /// Everybody, to change them.
    pub(in crate::faf) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.slots.iter_mut().flatten().map(|s| &mut **s)
    }

    /// Everybody who is logged in, with their player.
    pub(in crate::faf) fn players(&self) -> impl Iterator<Item = (&Session, &Player)> {
        self.iter().filter_map(|s| Some((s, s.player.as_deref()?)))
    }
}
