//! The FAF lobby as one of a server's lobbies: its listeners, and a shard of it.

use std::sync::Arc;

use settings::Address;

use super::{Faf, Metrics, news::News, settings::LobbySettings};
use crate::{Listener, Lobby, Opened, Protocol, ShardId};

impl Lobby for Faf {
    type Settings = LobbySettings;
    type Metrics = Metrics;
    const SPREADS: bool = true;

    fn new_shard(
        shard: ShardId,
        shards: u16,
        settings: &LobbySettings,
        metrics: Arc<Metrics>,
    ) -> Self {
        Faf::new(shard, shards, Arc::new(settings.dialect.clone())).reporting_to(metrics)
    }

    fn listeners(settings: &LobbySettings) -> Vec<Listener> {
        let LobbySettings {
            listeners,
            outbox,
            strangers,
            ..
        } = settings;
        let listener = |opened: Opened| {
            let Opened {
                name,
                format,
                address,
                tls,
            } = opened;
            let websocket = format.has_upgrade();
            let trusted = websocket.then(|| listeners.ws_trusted.clone());
            let read = listeners.read_limits(format);
            Listener {
                name,
                address,
                format,
                greeting: b"",
                protocol: Protocol::default(),
                outbox: *outbox,
                strangers: Some(strangers.within(format, *outbox, read.clone())),
                read,
                proxy: listeners.proxy && !websocket,
                trusted: trusted.unwrap_or_default(),
                tls,
            }
        };
        listeners.listeners().map(listener).collect()
    }

    fn addresses(settings: &mut LobbySettings) -> Vec<&mut Address> {
        let listeners = &mut settings.listeners;
        vec![
            &mut listeners.qdatastream_address,
            &mut listeners.json_address,
            &mut listeners.websocket_address,
            &mut listeners.qdatastream_tls_address,
            &mut listeners.json_tls_address,
            &mut listeners.websocket_tls_address,
        ]
    }

    fn renewed(settings: &LobbySettings) -> Option<News> {
        Some(News::Settings(Arc::new(settings.dialect.clone())))
    }
}
