//! What shards tell each other: gateways tell the lobby what came, the lobby tells gateways what goes out.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::protocol::incoming::Request;
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
    /// Somebody says something. The next message comes after the lobby has let the connection go on.
    Said {
        /// Who.
        conn: ConnId,
        /// Where it comes from.
        address: IpAddr,
        /// What limits per address count it under; none: they do not apply to it.
        counted: Option<IpAddr>,
        /// When it was accepted, of the monotonic clock: heartbeats count from then.
        accepted: Duration,
        /// What.
        request: Request,
    },
    /// A client that missed something has caught up.
    Resync {
        /// Who.
        conn: ConnId,
    },
    /// A connection that has said something is gone.
    Gone {
        /// Which.
        conn: ConnId,
    },
}

/// What somebody is who has signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A player's client.
    Account,
    /// A match server.
    MatchServer,
}

/// Why somebody is not signed in, for whoever looks after the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// There is no such account.
    UnknownAccount,
    /// The cookie is not one of the account's.
    WrongCookie,
    /// The account is banned.
    Banned,
}

impl Failure {
    /// In words that are always the same.
    pub(super) fn words(self) -> &'static str {
        match self {
            Failure::UnknownAccount => "unknown account",
            Failure::WrongCookie => "wrong cookie",
            Failure::Banned => "banned",
        }
    }
}

/// What a gateway is to do for the lobby.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Delivery {
    /// A message to one connection.
    Send(ConnId, Bytes),
    /// A message to one client, unless more waits for it than is good: then it is sent the present state later.
    Offer(ConnId, Bytes),
    /// A message to everybody of a topic.
    Spread(Topic, Bytes),
    /// The client is in this topic.
    Enter(ConnId, Topic),
    /// It has signed in, under this name.
    Welcome(ConnId, Role, Box<str>),
    /// Its next message may come; it has had so many bytes sent.
    Release(ConnId, usize),
    /// It has failed to sign in, or may not.
    TurnedAway(ConnId, Failure),
    /// It is relayed from now on: the engine's, and not spoken to any more.
    Relayed(ConnId),
    /// The connection ends after what it was sent; why, for the log.
    Close(ConnId, Box<str>),
}
