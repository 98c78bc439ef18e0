//! VCMI's JSON lobby as one of a server's lobbies: its listener, and a shard of it.

use std::sync::Arc;

use settings::Address;
use wire::{Format, ReadLimits};

use super::{Metrics, VcmiJson, settings::LobbySettings};
use crate::{Limits, Listener, Lobby, Opened, OutboxLimits, Protocol, ShardId};

impl Lobby for VcmiJson {
    type Settings = LobbySettings;
    type Metrics = Metrics;

    fn new_shard(
        shard: ShardId,
        shards: u16,
        settings: &LobbySettings,
        metrics: Arc<Metrics>,
    ) -> Self {
        VcmiJson::new(shard, shards, Arc::new(settings.dialect.clone())).reporting_to(metrics)
    }

    fn listeners(settings: &LobbySettings) -> Vec<Listener> {
        let (format, read) = (
            Format::PrefixedLittleEndian,
            settings.listener.read_limits(),
        );
        let listener = &settings.listener;
        let outbox = OutboxLimits {
            soft_bytes: listener.outbox_bytes / 2,
            hard_bytes: listener.outbox_bytes,
            stuck: listener.outbox_stuck,
        };
        let strangers = settings.strangers.within(format, outbox, read.clone());
        // A match server's mods come before it has signed in.
        let strangers = Limits {
            read: ReadLimits {
                message_bytes: listener.stranger_message_bytes,
                ..strangers.read
            },
            ..*strangers
        };
        let listener = |opened: Opened| Listener {
            name: opened.name,
            address: opened.address,
            format,
            greeting: b"",
            protocol: Protocol::default(),
            outbox,
            strangers: Some(Box::new(strangers.clone())),
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
