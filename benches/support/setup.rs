//! An engine with one shard and one listener, for benchmarks that measure the shard.

use std::{net::Ipv4Addr, time::Duration};

use muster::{
    engine::{AddressLimits, MemoryLimits, Settings},
    lobby::{Listener, OutboxLimits, Protocol},
    wire::{Format, ReadLimits},
};

/// JSON lines on any free port, for so many connections, with limits that none of them reaches.
#[allow(dead_code, reason = "some benchmarks speak another format")]
pub(crate) fn one_shard(connections: usize) -> Settings {
    let outbox = OutboxLimits {
        soft_bytes: 1 << 20,
        hard_bytes: 1 << 24,
        stuck: Duration::from_secs(60),
    };
    one_shard_of(Format::JsonLines, outbox, connections)
}

/// The same in another format, with other limits of what waits for a client.
pub(crate) fn one_shard_of(format: Format, outbox: OutboxLimits, connections: usize) -> Settings {
    Settings {
        inherited: std::sync::Arc::default(),
        bans: std::sync::Arc::default(),
        refusals: std::sync::Arc::default(),
        tls: None,
        shards: 1,
        pin: true,
        listeners: vec![Listener {
            name: "bench".into(),
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            format,
            greeting: b"",
            protocol: Protocol::default(),
            outbox,
            read: ReadLimits::default(),
            strangers: None,
            proxy: false,
            trusted: Vec::new(),
            tls: false,
        }],
        connections,
        memory: MemoryLimits::default(),
        address_limits: AddressLimits {
            connections: None,
            opened_per_second: None,
        },
        ipv6_prefix: 64,
        peer_timeout: Duration::from_secs(90),
        handshake: Duration::from_secs(10),
        seed: Some(1),
    }
}
