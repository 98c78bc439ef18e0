//! What a connection counts as.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Transport {
    /// It begins with an empty container, and is told who it talks to then.
    Tcp,
    /// It is told at once.
    WebSocket,
}

/// What a connection counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visitor {
    /// What limits per address count it under; none: they do not apply to it.
    pub(crate) counted: Option<IpAddr>,
    pub(crate) transport: Transport,
}
