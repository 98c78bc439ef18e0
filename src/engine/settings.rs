//! What the engine is told. It reads no file and knows no default.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::admission::AddressLimits;
use lobby::Protocol;
use wire::{Cidr, Format, ReadLimits};

/// Everything the engine is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads, each with its own share of the connections.
    pub shards: u16,
    /// Each thread stays on one core, if there are more cores than shards.
    pub pin: bool,
    /// Where to listen.
    pub listeners: Vec<ListenerSettings>,
    /// Most connections at a time.
    pub connections: usize,
    /// Limits on one address.
    pub address_limits: AddressLimits,
    /// Time for the PROXY header and the WebSocket upgrade.
    pub handshake: Duration,
    /// Makes chance repeatable.
    pub seed: Option<u64>,
}

impl Settings {
    /// What may wait for a client of this listener.
    pub(crate) fn outbox(&self, listener: u16) -> &OutboxLimits {
        &self.listeners[usize::from(listener)].outbox
    }
}

/// How much may wait for one client that does not read.
#[derive(Clone, Copy, Debug)]
pub struct OutboxLimits {
    /// A client with more than this waiting gets no broadcasts until it has read; then it is sent the present state.
    pub soft_bytes: usize,
    /// A client with more than this waiting that its socket did not take is dropped.
    pub hard_bytes: usize,
    /// A client that reads nothing for this long while something waits is dropped.
    pub stuck: Duration,
}

/// One address to listen on.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// For logs and the start-up lines.
    pub name: String,
    /// Port 0: any free one.
    pub address: SocketAddr,
    /// How its byte stream is laid out.
    pub format: Format,
    /// What is spoken there.
    pub protocol: Protocol,
    /// How much may wait for one of its clients.
    pub outbox: OutboxLimits,
    /// How much a client may say at once.
    pub read: ReadLimits,
    /// A PROXY header must come first (spec: faf-wire 6).
    pub proxy: bool,
    /// Peers whose forwarded-for header is believed.
    pub trusted: Vec<Cidr>,
}

impl ListenerSettings {
    /// Whether this peer may say for whom it speaks.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(peer))
    }

    /// Whether a connection's address may turn out to be another than its socket's: then it is admitted under that.
    pub(crate) fn may_rename(&self, peer: IpAddr) -> bool {
        self.proxy || self.trusts(peer)
    }
}
