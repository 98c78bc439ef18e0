//! The VCMI lobby as one of a server's lobbies: its listener, and a shard of it.

use std::sync::Arc;

use settings::Address;
use wire::Format;

use super::{Metrics, Vcmi, settings::LobbySettings};
use crate::{Listener, Lobby, OutboxLimits, Protocol, ShardId};

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
        let (format, read) = (Format::Packets, settings.read_limits());
        let outbox = OutboxLimits {
            // Nobody is dropped for what another one says: who is behind misses chat, and is told of users and rooms when it
            // has read what waits.
            soft_bytes: settings.outbox_bytes / 2,
            hard_bytes: settings.outbox_bytes,
            stuck: settings.outbox_stuck,
        };
        let listener = |address| Listener {
            name: "vcmi".to_owned(),
            address,
            format,
            greeting: b"",
            protocol: Protocol::default(),
            outbox,
            strangers: Some(strangers.within(format, outbox, read.clone())),
            read,
            proxy: false,
            trusted: Vec::new(),
        };
        settings.socket().map(listener).into_iter().collect()
    }

    fn addresses(settings: &mut LobbySettings) -> Vec<&mut Address> {
        vec![&mut settings.listener.address]
    }
}
