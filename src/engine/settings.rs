//! What the engine is told, and what an operator may choose of it. It reads no file.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::admission::AddressLimits;
use lobby::Protocol;
use settings::Cidr;
use wire::{Format, ReadLimits};

settings::settings! {
    /// Everything the engine is told.
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// How many shards to run, one thread each. 0: one for each core this process may use.
        shards: u16 = "server.shards", number(0, 256), "0", unit("threads");
        /// Pin each shard to its core, if a core is left for everything else. Switch off where several servers share a
        /// machine.
        pin: bool = "server.pin", flag(), "true";
        /// Connections of the whole server; more are closed at once. Each needs a file descriptor.
        connections: usize = "limits.connections", number(1, 10_000_000), "100000", unit("connections");
        /// Limits on one address.
        address_limits: AddressLimits;
        /// Where to listen.
        listeners: Vec<ListenerSettings>, always Vec::new();
        /// Time for the PROXY header and the WebSocket upgrade.
        handshake: Duration, always Duration::from_secs(10);
        /// Makes chance repeatable.
        seed: Option<u64>, always None;
    }
}

impl Settings {
    /// What may wait for a client of this listener.
    pub(crate) fn outbox(&self, listener: u16) -> &OutboxLimits {
        &self.listeners[usize::from(listener)].outbox
    }
}

settings::settings! {
    /// How much may wait for one client that does not read.
    #[derive(Clone, Copy, Debug)]
    pub struct OutboxLimits {
        /// A client with more than this unsent gets no broadcasts until it has drained, and then the present state. Must
        /// be well above what a newcomer is sent: about 0.4 KB for each player online, twice that over QDataStream.
        soft_bytes: usize = "limits.outbox_soft_bytes", number(1024, 1 << 30), "16777216", unit("bytes");
        /// A client with more than this unsent is disconnected. Not below limits.outbox_soft_bytes.
        hard_bytes: usize = "limits.outbox_hard_bytes", number(4096, 1 << 30), "67108864", unit("bytes");
        /// A client that has taken nothing for this long while something waits is disconnected.
        stuck: Duration = "limits.outbox_stuck_s", number(1, 86_400), "60", unit("s");
    }
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
