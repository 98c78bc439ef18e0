//! What a shard counts. Written by its own thread only, read by anyone.

use std::sync::atomic::{AtomicU64, Ordering};

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

macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident,)+) => {
        /// Everything the engine counts on one shard.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])+ pub $name: Counter,)+
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
    /// Connections refused because the shard's table is full.
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
