//! The Cockatrice lobby as one of a server's lobbies: its listeners, and a shard of it.

use std::sync::Arc;

use settings::{Address, Cidr};

use super::{Cockatrice, Metrics, news::News, protocol::GREETING, settings::LobbySettings};
use crate::{Listener, Lobby, Opened, OutboxLimits, Protocol, ShardId};

/// Networks of one's own, where a reverse proxy may be.
const OWN_NETWORKS: [&str; 5] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
];

impl Lobby for Cockatrice {
    type Settings = LobbySettings;
    type Metrics = Metrics;
    const SPREADS: bool = true;

    fn new_shard(
        shard: ShardId,
        shards: u16,
        settings: &LobbySettings,
        metrics: Arc<Metrics>,
    ) -> Self {
        Cockatrice::new(shard, shards, Arc::new(settings.dialect.clone())).reporting_to(metrics)
    }

    fn listeners(settings: &LobbySettings) -> Vec<Listener> {
        let (strangers, settings) = (settings.strangers, &settings.listener);
        let outbox = OutboxLimits {
            // One limit: what happened while a client did not read can't be told as a state afterwards, so nothing is left out
            // before it is ended.
            soft_bytes: settings.outbox_bytes,
            hard_bytes: settings.outbox_bytes,
            stuck: settings.outbox_stuck,
        };
        let own = OWN_NETWORKS
            .iter()
            .filter_map(|network| network.parse().ok());
        let own: Vec<Cidr> = own.collect();
        let listener = |opened: Opened| {
            let Opened {
                name,
                format,
                address,
                tls,
            } = opened;
            let read = settings.read_limits(format);
            let forwarded = format.has_upgrade() && !settings.websocket_ip_header.is_empty();
            Listener {
                name,
                address,
                format,
                greeting: if format.has_upgrade() { b"" } else { GREETING },
                protocol: Protocol::default(),
                outbox,
                strangers: Some(strangers.within(format, outbox, read.clone())),
                read,
                proxy: false,
                trusted: if forwarded { own.clone() } else { Vec::new() },
                tls,
            }
        };
        settings.listeners().map(listener).collect()
    }

    fn addresses(settings: &mut LobbySettings) -> Vec<&mut Address> {
        let listener = &mut settings.listener;
        vec![
            &mut listener.tcp_address,
            &mut listener.websocket_address,
            &mut listener.tcp_tls_address,
            &mut listener.websocket_tls_address,
        ]
    }

    fn renewed(settings: &LobbySettings) -> Option<News> {
        Some(News::Settings(Arc::new(settings.dialect.clone())))
    }
}
