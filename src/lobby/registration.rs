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
    /// Whether one lobby of it may be on several nodes. The others live on one of them.
    const SPREADS: bool = false;

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

/// How much may wait for a connection, and how much it may say at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How much may wait for it.
    pub outbox: OutboxLimits,
    /// How much it may say at once.
    pub read: ReadLimits,
}

/// One way to speak a lobby's protocol: what a dialect names, and of which its listeners are made.
#[derive(Clone, Copy, Debug)]
pub struct Spoken {
    /// What its listener is announced as (`listening faf/json 127.0.0.1:8002`).
    pub name: &'static str,
    /// How its byte stream is laid out.
    pub format: Format,
    /// Where, as it is.
    pub plain: Address,
    /// Where with TLS before it, beside the other or instead of it. That has a setting of its own, so that clients of both
    /// kinds can come while a deployment moves from one to the other, and neither changes where the other is found.
    pub tls: Address,
}

/// A listener that is on.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What it is announced as.
    pub name: String,
    /// How its byte stream is laid out.
    pub format: Format,
    /// Where.
    pub address: SocketAddr,
    /// With TLS.
    pub tls: bool,
}

impl Spoken {
    /// Its listeners that are on, that with TLS under the name of the other with `/tls` behind it.
    pub fn opened(self) -> impl Iterator<Item = Opened> {
        let Spoken {
            name,
            format,
            plain,
            tls,
        } = self;
        [(plain, false), (tls, true)]
            .into_iter()
            .filter_map(move |(address, tls)| {
                Some(Opened {
                    name: if tls {
                        format!("{name}/tls")
                    } else {
                        name.to_owned()
                    },
                    format,
                    address: address.socket()?,
                    tls,
                })
            })
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
    /// What a client is sent as soon as its connection is there, as it is, in front of every message.
    pub greeting: &'static [u8],
    /// What is spoken there. A router's list fills it in.
    pub protocol: Protocol,
    /// How much may wait for one of its clients.
    pub outbox: OutboxLimits,
    /// How much a client may say at once.
    pub read: ReadLimits,
    /// What holds instead of both until a client has signed in ([`Turn::signed_in`](crate::Turn::signed_in)). None: nobody
    /// signs in here, or it makes no difference.
    pub strangers: Option<Box<Limits>>,
    /// A PROXY header must come first (spec: faf-wire 6).
    pub proxy: bool,
    /// Peers whose forwarded-for header is believed.
    pub trusted: Vec<Cidr>,
    /// TLS comes before everything but a PROXY header.
    pub tls: bool,
}

impl Listener {
    /// How much may wait for a client that has, or has not, signed in.
    pub fn outbox(&self, signed_in: bool) -> &OutboxLimits {
        match &self.strangers {
            Some(limits) if !signed_in => &limits.outbox,
            _ => &self.outbox,
        }
    }

    /// How much it may say at once.
    pub fn read(&self, signed_in: bool) -> &ReadLimits {
        match &self.strangers {
            Some(limits) if !signed_in => &limits.read,
            _ => &self.read,
        }
    }

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
    /// How much a connection costs before it has signed in: anybody may have many of them.
    #[derive(Clone, Copy, Debug)]
    pub struct StrangerLimits {
        /// Longest message of a client that has not signed in; twice that over QDataStream, which takes two bytes for each
        /// character. What signing in takes is two fields of 16 KiB at the most, real ones a few KiB. A longer message
        /// ends the connection.
        message_bytes: usize = "limits.stranger_message_bytes", number(1024, 1 << 30), "32768", unit("bytes");
        /// A client that has not signed in and has more than this unsent is disconnected; with half of it, it is not read
        /// from until it has read.
        outbox_bytes: usize = "limits.stranger_outbox_bytes", number(4096, 1 << 30), "65536", unit("bytes");
    }
}

impl StrangerLimits {
    /// What holds for strangers where clients have these limits: never more than those.
    pub fn within(self, format: Format, outbox: OutboxLimits, read: ReadLimits) -> Box<Limits> {
        let hard_bytes = self.outbox_bytes.min(outbox.hard_bytes);
        let outbox = OutboxLimits {
            soft_bytes: (self.outbox_bytes / 2).min(outbox.soft_bytes),
            hard_bytes,
            ..outbox
        };
        let wire_bytes = self.message_bytes * format.bytes_per_character();
        let read = ReadLimits {
            message_bytes: wire_bytes.min(read.message_bytes),
            skipped_bytes: 0, // what they send too much of ends them
            ..read
        };
        Box::new(Limits { outbox, read })
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
