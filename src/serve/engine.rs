//! The listeners: what each lobby has configured, as the engine wants it.

use muster::{
    config::Config,
    engine::{ListenerSettings, OutboxLimits, Settings},
    lobbies::Router,
    wire::Format,
};

/// The engine's settings, with the listeners of every lobby.
pub(super) fn settings(config: &Config) -> Settings {
    Settings {
        listeners: faf(config).chain(vcmi(config)).collect(),
        ..config.engine.clone()
    }
}

fn faf(config: &Config) -> impl Iterator<Item = ListenerSettings> {
    let settings = &config.faf_listeners;
    settings.listeners().map(|(name, format, address)| {
        let websocket = format == Format::WebSocket;
        ListenerSettings {
            name: name.to_owned(),
            address,
            format,
            protocol: Router::FAF,
            outbox: config.outbox,
            read: settings.read_limits(),
            proxy: settings.proxy && !websocket,
            trusted: if websocket {
                settings.ws_trusted.clone()
            } else {
                Vec::new()
            },
        }
    })
}

fn vcmi(config: &Config) -> Option<ListenerSettings> {
    let settings = &config.vcmi_listener;
    Some(ListenerSettings {
        name: "vcmi".to_owned(),
        address: settings.socket()?,
        format: Format::Packets,
        protocol: Router::VCMI,
        outbox: OutboxLimits {
            // A launcher that misses something can't be told what: it is dropped rather than skipped.
            soft_bytes: settings.outbox_bytes,
            hard_bytes: settings.outbox_bytes,
            stuck: settings.outbox_stuck,
        },
        read: settings.read_limits(),
        proxy: false,
        trusted: Vec::new(),
    })
}
