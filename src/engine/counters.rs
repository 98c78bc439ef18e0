//! What a shard counts. Written by its own thread only, read by anyone.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use wire::Format;

/// A counter with one writer; reading it from elsewhere is a little late, never wrong.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub(super) fn up(&self) {
        self.add(1);
    }

    /// `n` more.
    pub(super) fn add(&self, n: u64) {
        // One writer: no read-modify-write needed.
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// The count so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the buckets of [`Handling`], in seconds: those of Prometheus' own clients.
pub const HANDLING_BOUNDS_S: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// A histogram of durations with one writer.
#[derive(Debug, Default)]
pub struct Handling {
    buckets: [Counter; HANDLING_BOUNDS_S.len() + 1],
    nanoseconds: Counter,
}

impl Handling {
    /// Counts one.
    pub(super) fn took(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.buckets[HANDLING_BOUNDS_S.partition_point(|&bound| bound < seconds)].up();
        self.nanoseconds
            .add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// How many fell below each bound and above the one before; last, above all.
    pub fn counts(&self) -> Vec<u64> {
        self.buckets.iter().map(Counter::value).collect()
    }

    /// All together, in seconds.
    pub fn seconds(&self) -> f64 {
        self.nanoseconds.value() as f64 / 1e9
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// Everything the engine counts on one shard.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])+ pub $name: Counter,)+
            /// Messages given to connections, by the format of each ([`Format::index`]).
            pub sent: [Counter; Format::ALL.len()],
            /// How long frames took to handle, their effects included.
            pub handling: Handling,
        }

        impl Counters {
            /// Name and value of each, in a fixed order.
            pub fn list(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.value()),)+]
            }
        }
    };
}

counters! {
    /// Connections accepted.
    accepted,
    /// Connections refused because there are as many as there may be.
    refused_full,
    /// Connections refused because their address has too many.
    refused_address,
    /// Connections refused because their address opens them too fast.
    refused_rate,
    /// `accept` failed.
    accept_errors,
    /// Connections ended, for whatever reason.
    ended,
    /// Connections ended because their bytes broke the framing.
    ended_framing,
    /// Connections ended before their handshake was complete.
    ended_handshake,
    /// Connections ended because too much was queued for them.
    ended_outbox_full,
    /// Connections ended because they had not read anything for too long.
    ended_outbox_stuck,
    /// Turns that panicked; each cost one connection.
    panics,
    /// Turns taken.
    turns,
    /// Times the shard looked at its sockets.
    rounds,
    /// Times the ring failed and another took its place.
    rings_renewed,
    /// Frames received.
    frames_in,
    /// Bytes received.
    bytes_in,
    /// Bytes given to the kernel.
    bytes_out,
    /// Messages to single connections.
    messages_out,
    /// Messages to many.
    fan_outs,
    /// Copies of them given to connections.
    deliveries,
    /// Writes that gave several messages or broadcasts to one client at once, or one.
    writes,
    /// Writes that the socket did not take whole.
    writes_blocked,
    /// Broadcasts left out because the reader is slow.
    broadcasts_skipped,
    /// Slow readers that caught up and were sent the present state.
    resyncs,
    /// Mail received from other shards.
    mail_in,
    /// Questions sent to the back office.
    asks,
    /// Questions it could not take on.
    asks_refused,
    /// Events given to the broker's queue.
    published,
    /// Events it could not take on.
    publish_dropped,
    /// Pairs of connections that were relayed to each other.
    relays,
    /// Bytes relayed.
    relayed_bytes,
    /// Times reading paused because some shard's inbox was too long.
    congestion_pauses,
}
