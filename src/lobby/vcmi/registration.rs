//! The VCMI lobby as one of a server's lobbies: its listener, and a shard of it.

use std::sync::Arc;

use settings::Address;

use super::{Metrics, Vcmi, settings::LobbySettings};
use crate::{Listener, Lobby, Opened, OutboxLimits, Protocol, ShardId};

impl Lobby for Vcmi {
    type Settings = LobbySettings;
    type Metrics = Metrics;

    fn new_shard(
        shard: ShardId,
        shards: u16,
        settings: &LobbySettings,
        metrics: Arc<Metrics>,
    ) -> Self {
        Vcmi::new(shard, shards, Arc::new(settings.dialect.clone())).reporting_to(metrics)
    }

    fn listeners(settings: &LobbySettings) -> Vec<Listener> {
        let strangers = settings.strangers;
        let settings = &settings.listener;
        let read = settings.read_limits();
        let outbox = OutboxLimits {
            // Nobody is dropped for what another one says: who is behind misses chat, and is told of users and rooms when it
            // has read what waits.
            soft_bytes: settings.outbox_bytes / 2,
            hard_bytes: settings.outbox_bytes,
            stuck: settings.outbox_stuck,
        };
        let listener = |opened: Opened| Listener {
            name: opened.name,
            address: opened.address,
            format: opened.format,
            greeting: b"",
            protocol: Protocol::default(),
            outbox,
            strangers: Some(strangers.within(opened.format, outbox, read.clone())),
            read: read.clone(),
            proxy: false,
            trusted: Vec::new(),
            tls: opened.tls,
        };
        settings.listeners().map(listener).collect()
    }

    fn addresses(settings: &mut LobbySettings) -> Vec<&mut Address> {
        let listener = &mut settings.listener;
        vec![&mut listener.address, &mut listener.tls_address]
    }
}
