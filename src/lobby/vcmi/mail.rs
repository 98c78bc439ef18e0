//! What shards tell each other: doors tell the lobby what came, the lobby tells doors what goes out.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::handshake::Role;
use crate::{ConnId, Topic};

/// Mail between shards.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Mail {
    /// From a gateway to the lobby.
    ToLobby(ToLobby),
    /// From the lobby to a gateway: everything that one input caused for its clients, in order.
    Show(Vec<Delivery>),
}

/// What a gateway tells the lobby.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToLobby {
    /// A socket was accepted.
    Knock {
        /// Of the client.
        address: IpAddr,
    },
    /// Its first packet is that of a launcher.
    Enter {
        /// The launcher's connection.
        conn: ConnId,
        /// Of the client.
        address: IpAddr,
        /// What limits per address count it under; none: they do not apply to it.
        counted: Option<IpAddr>,
        /// Monotonic; users are listed in this order.
        accepted: Duration,
    },
    /// A packet of a launcher. Its next one comes after the lobby has let it go on.
    Packet {
        /// The launcher's connection.
        conn: ConnId,
        /// The packet as it came: only the coordinator knows its encoding.
        body: Bytes,
    },
    /// A connection's first packet is that of a game.
    Pipe {
        /// The connection of the game.
        conn: ConnId,
    },
    /// A game has said all it has to say before it is relayed.
    Greeted {
        /// The connection of the game.
        conn: ConnId,
        /// What it is.
        role: Role,
        /// The whole frame that it named its session with.
        uuid: String,
        /// Everything it said, as it said it.
        greeting: Bytes,
        /// Monotonic; the first to have greeted is the first to be paired.
        at: Duration,
    },
    /// An operator ends a launcher's connection.
    Evict {
        /// The launcher's connection.
        conn: ConnId,
        /// The last message to it.
        last: String,
    },
    /// A launcher that missed something has caught up.
    Resync {
        /// The launcher's connection.
        conn: ConnId,
    },
    /// The connection is gone.
    Gone {
        /// Launcher or game.
        conn: ConnId,
    },
}

/// What a gateway is to do for the lobby.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Delivery {
    /// Bytes to one client.
    Send(ConnId, Bytes),
    /// Bytes to one client, unless more waits for it than is good: then it is sent the present state later.
    Offer(ConnId, Bytes),
    /// Bytes to everybody of a topic.
    Spread(Topic, Bytes),
    /// The client is in this topic.
    Enter(ConnId, Topic),
    /// From now on the connection is no longer in this topic.
    Leave(ConnId, Topic),
    /// The client has signed in, under this name.
    Welcome(ConnId, Box<str>),
    /// Its next packet may come.
    Release(ConnId),
    /// The connection ends after what it was sent; why, for the log.
    Close(ConnId, Box<str>),
}
