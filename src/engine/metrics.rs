//! What a shard counts. Written by its own thread only, read by anyone.

use metrics::{Counter, Gauge, IndexedCounter, Latency};
use wire::Format;

/// How a frame's handling is shown besides: in the buckets of Prometheus' own clients, as the replaced server has them.
const REPLACED_BOUNDS_S: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// What formats are called in metrics, in the order of [`Format::index`].
const PROTOCOLS: &[&str] = &{
    let mut names = [""; Format::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = protocol(Format::ALL[at]);
        at += 1;
    }
    names
};

/// How a handshake of TLS ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Handshake {
    Full,
    Resumed,
    Failed,
    Abandoned,
    Late,
}

/// What these are called, in their order.
const HANDSHAKES: &[&str] = &["full", "resumed", "failed", "abandoned", "late"];

metrics::metrics! {
    /// Everything the engine counts on one shard.
    pub struct Metrics {
        /// Connections accepted since the start.
        accepted: Counter = PerShard "muster_accepted_total", Sum "server_lobbyconnections_total";
        /// Connections refused because there are as many as there may be.
        refused_full: Counter = PerShard "muster_refused_full_total";
        /// Connections refused because their address has too many already.
        refused_address: Counter = PerShard "muster_refused_address_total";
        /// Connections refused because their address opens them too fast.
        refused_rate: Counter = PerShard "muster_refused_rate_total";
        /// Connections refused because an operator has banned their network.
        refused_banned: Counter = PerShard "muster_refused_banned_total";
        /// Connections refused because the process had no descriptor left.
        refused_descriptors: Counter = PerShard "muster_refused_descriptors_total";
        /// Connections that the system failed to accept.
        accept_errors: Counter = PerShard "muster_accept_errors_total";
        /// Connections that have ended, for whatever reason.
        ended: Counter = PerShard "muster_ended_total";
        /// Connections ended because their bytes broke the framing.
        ended_framing: Counter = PerShard "muster_ended_framing_total";
        /// Connections ended because of a message, or an upgrade request, that was longer than it may be, or of too many
        /// parts; counted among those of broken framing, too.
        ended_too_long: Counter = PerShard "muster_ended_too_long_total";
        /// Connections ended because all together held too much unfinished input and unsent output, and they most of it.
        ended_memory: Counter = PerShard "muster_ended_memory_total";
        /// Connections of load balancers that looked whether somebody listens: their PROXY header carried no client's address.
        health_checks: Counter = PerShard "muster_health_checks_total";
        /// Connections ended before their handshake was complete.
        ended_handshake: Counter = PerShard "muster_ended_handshake_total";
        /// Handshakes of TLS that were begun, by how they ended: a new session, one that was resumed, an error, a client that
        /// went, or no end in time.
        tls_handshakes: IndexedCounter(HANDSHAKES) = PerShard "muster_tls_handshakes_total" { outcome };
        /// Times a handshake of TLS had to wait because its shard's round had had its share of them.
        tls_deferred: Counter = PerShard "muster_tls_handshakes_deferred_total";
        /// Connections ended because too much was queued for them.
        ended_outbox_full: Counter = PerShard "muster_ended_outbox_full_total";
        /// Connections ended because they had not read anything for too long.
        ended_outbox_stuck: Counter = PerShard "muster_ended_outbox_stuck_total";
        /// Turns that panicked; each cost one connection.
        panics: Counter = PerShard "muster_panics_total";
        /// Turns taken: a frame, mail, an answer or a timer that a dialect has handled.
        turns: Counter = PerShard "muster_turns_total";
        /// Times the shard looked at its sockets.
        rounds: Counter = PerShard "muster_rounds_total";
        /// Times the io_uring failed and another took its place.
        rings_renewed: Counter = PerShard "muster_rings_renewed_total";
        /// Frames received from clients and handled.
        frames_in: Counter = PerShard "muster_frames_in_total";
        /// Bytes received from clients, framing included.
        bytes_in: Counter = PerShard "muster_bytes_in_total";
        /// Bytes given to the kernel for clients.
        bytes_out: Counter = PerShard "muster_bytes_out_total";
        /// Messages to single connections, broadcasts not among them.
        messages_out: Counter = PerShard "muster_messages_out_total";
        /// Broadcasts: messages to many, each counted once.
        fan_outs: Counter = PerShard "muster_fan_outs_total",
            Max "server_broadcasts_total": "Broadcasts, as the busiest shard has seen them: each carries out all.";
        /// Copies of broadcasts that were given to connections.
        deliveries: Counter = PerShard "muster_deliveries_total";
        /// Writes to sockets; one gives a client everything that waits for it.
        writes: Counter = PerShard "muster_writes_total";
        /// Writes that the socket did not take whole.
        writes_blocked: Counter = PerShard "muster_writes_blocked_total";
        /// Broadcasts left out because the reader is slow.
        broadcasts_skipped: Counter = PerShard "muster_broadcasts_skipped_total";
        /// Connections whose sockets have not taken all that they were offered: they read more slowly than they are sent to.
        slow_readers: Gauge = PerShard "muster_slow_readers";
        /// Slow readers that caught up and were sent the present state.
        resyncs: Counter = PerShard "muster_resyncs_total";
        /// Mail received from other shards.
        mail_in: Counter = PerShard "muster_mail_in_total";
        /// Questions sent to the back office.
        asks: Counter = PerShard "muster_asks_total";
        /// Questions that the back office could not take on.
        asks_refused: Counter = PerShard "muster_asks_refused_total";
        /// Events given to the broker's queue.
        published: Counter = PerShard "muster_published_total";
        /// Events that the broker's queue could not take on.
        publish_dropped: Counter = PerShard "muster_publish_dropped_total";
        /// Pairs of connections that were relayed to each other.
        relays: Counter = PerShard "muster_relays_total";
        /// Relays of frames ended because one side's heartbeats had stopped coming.
        relays_silent: Counter = PerShard "muster_relays_silent_total";
        /// Relays ended because nothing had come from either side for too long.
        relays_idle: Counter = PerShard "muster_relays_idle_total";
        /// Bytes relayed between pairs of connections.
        relayed_bytes: Counter = PerShard "muster_relayed_bytes_total";
        /// Pages, orders and evictions that operators have asked for.
        inquiries: Counter = PerShard "muster_inquiries_total";
        /// Connections that an operator has ended, or the end of a drain.
        evicted: Counter = PerShard "muster_evicted_total";
        /// Times reading paused because some shard's inbox was too long.
        congestion_pauses: Counter = PerShard "muster_congestion_pauses_total";
        /// Messages given to connections, by the protocol of each.
        sent: IndexedCounter(PROTOCOLS) = Sum "server_messages_total" { protocol };
        /// How long frames took to handle, their effects included.
        handling: Latency = PerShard "muster_frame_handling_seconds",
            Sum "server_on_message_received_seconds" [REPLACED_BOUNDS_S];
    }
}

/// The replaced server's name of a FAF format's codec (spec: faf-wire 1), and one like it for the others.
const fn protocol(format: Format) -> &'static str {
    match format {
        Format::JsonLines => "SimpleJsonProtocol",
        Format::QDataStream => "QDataStreamProtocol",
        Format::WebSocket => "WebSocketProtocol",
        Format::Packets => "VcmiProxyProtocol",
        Format::WebSocketBinary => "WebSocketBinaryProtocol",
        Format::WebSocketText => "WebSocketTextProtocol",
        Format::PrefixedBigEndian => "PrefixedBigEndianProtocol",
        Format::PrefixedLittleEndian => "PrefixedLittleEndianProtocol",
    }
}
