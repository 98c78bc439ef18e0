//! What the engine is told, and what an operator may choose of it. It reads no file.

use std::{
    net::{IpAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use super::{
    admission::AddressLimits, bans::Bans, memory::MemoryLimits, refusals::Refusals, table::Conn,
    tls::Tls,
};
use lobby::{Listener, OutboxLimits};

settings::settings! {
    /// Everything the engine is told.
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// How many shards to run, one thread each. 0: one for each core this process may use.
        shards: u16 = "server.shards", number(0, 256), "0", unit("threads");
        /// Pin each shard to its core, if a core is left for everything else. Switch off where several servers share a
        /// machine.
        pin: bool = "server.pin", flag(), "true";
        /// Connections of the whole server; more are closed at once. Each needs a file descriptor: if the process may not
        /// have as many, and some for itself, there are fewer.
        connections: usize = "limits.connections", number(1, 10_000_000), "100000", unit("connections");
        /// Limits on one address.
        address_limits: AddressLimits;
        /// What connections may hold together.
        memory: MemoryLimits;
        /// Leading bits of an IPv6 address that limits per address look at: everybody has a network of 64 bits to
        /// themselves, and could otherwise come from any number of addresses.
        ipv6_prefix: u32 = "limits.ipv6_prefix_bits", number(16, 128), "64", unit("bits");
        /// A connection whose peer has acknowledged nothing that was sent for this long is ended: its line is dead. Silent
        /// peers are asked after two thirds of it.
        peer_timeout: Duration = "limits.peer_timeout_s", number(15, 86_400), "90", unit("s");
        /// Where to listen.
        listeners: Vec<Listener>, always Vec::new();
        /// Sockets that were opened for this process before it started; those at a listener's port take its place.
        inherited: Arc<Vec<TcpListener>>, always Arc::default();
        /// Networks that nobody is let in from.
        bans: Arc<Bans>, always Arc::default();
        /// Where it is noted who was turned away.
        refusals: Arc<Refusals>, always Arc::default();
        /// What listeners with TLS show, if there are any.
        tls: Option<Tls>, always None;
        /// Time for the PROXY header, the handshake of TLS and the WebSocket upgrade.
        handshake: Duration, always Duration::from_secs(10);
        /// Makes chance repeatable.
        seed: Option<u64>, always None;
    }
}

impl Settings {
    /// Somebody was turned away at a listener.
    pub(super) fn note_refused(&self, address: IpAddr, listener: usize, why: &'static str) {
        let name = &self.listeners[listener].name;
        self.refusals.note(address, name, why);
    }

    /// What may wait for the client of this connection: by its listener, and whether it has signed in.
    pub(super) fn outbox<S>(&self, conn: &Conn<S>) -> &OutboxLimits {
        self.listeners[usize::from(conn.listener)].outbox(conn.signed_in)
    }
}
