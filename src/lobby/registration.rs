//! What a server has to know of a dialect to have it as one of its lobbies: its settings, where it is spoken, what it
//! counts, how a shard of it is made.
//!
//! Plain data: nothing here opens a listener.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use metrics::Source;
use settings::{Address, Cidr, Group};
use wire::{Format, ReadLimits};

use super::{Dialect, Protocol, ShardId};

/// A dialect that can be one of a server's lobbies, by a line in a [`router!`](crate::router!)'s list.
pub trait Lobby: Dialect {
    /// Everything that an operator may choose about it, where it listens included.
    type Settings: Group + Clone + Send + Sync + 'static;
    /// What each of its shards counts.
    type Metrics: Source + Default + Send + Sync + 'static;

    /// A shard's state, as it is when the process starts.
    fn new_shard(
        shard: ShardId,
        shards: u16,
        settings: &Self::Settings,
        metrics: Arc<Self::Metrics>,
    ) -> Self;
    /// Where it is spoken.
    fn listeners(settings: &Self::Settings) -> Vec<Listener>;
    /// The addresses of its listeners in the settings, for whoever knows what their "auto" means.
    fn addresses(settings: &mut Self::Settings) -> Vec<&mut Address>;
    /// What every shard is told when settings have changed that may change while the server runs.
    fn renewed(settings: &Self::Settings) -> Option<Self::Notice> {
        let _ = settings;
        None
    }
}

/// An address that a lobby is spoken at.
#[derive(Clone, Debug)]
pub struct Listener {
    /// For logs and the start-up lines.
    pub name: String,
    /// Port 0: any free one.
    pub address: SocketAddr,
    /// How its byte stream is laid out.
    pub format: Format,
    /// What is spoken there. A router's list fills it in.
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

impl Listener {
    /// Whether this peer may say for whom it speaks.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(peer))
    }

    /// Whether a connection's address may turn out to be another than its socket's: then it is admitted under that.
    pub fn may_rename(&self, peer: IpAddr) -> bool {
        self.proxy || self.trusts(peer)
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
