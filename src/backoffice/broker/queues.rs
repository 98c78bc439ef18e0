//! What waits for the broker: two bounded lock-free queues, filled by shards, emptied by the broker's task.
//!
//! What may be lost never takes room from what may not: each kind has its own lane, bounded by number and by bytes.
//! Nothing here waits or logs, since shards call it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam::queue::ArrayQueue;
use metrics::{Gauge, SharedCounter};
use tokio::sync::Notify;

use lobby::Event;

/// Messages that may be lost and wait to leave: a few ticks' worth, since each tick has three.
const TRANSIENT: usize = 1024;
/// Bytes of one lane: a minute of a very busy lobby's broadcasts, and no danger to the machine.
const LANE_BYTES: usize = 64 << 20;

metrics::metrics! {
    /// What has become of messages. Shards count here as well as the broker's task.
    pub struct Metrics {
        /// Events that the broker has confirmed.
        confirmed: SharedCounter = Sum "muster_broker_confirmed_total";
        /// Events that the broker refused with a negative confirmation; they are not tried again.
        refused: SharedCounter = Sum "muster_broker_refused_total";
        /// Transient events dropped: no connection to the broker, no room, or lost with a connection.
        dropped_transient: SharedCounter = Sum "muster_broker_dropped_transient_total";
        /// Persistent events dropped: no room, or still there at the end.
        dropped_persistent: SharedCounter = Sum "muster_broker_dropped_persistent_total";
        /// Persistent events for which there was no room, or that were still there at the end, but are on disk: the next start
        /// publishes them.
        deferred: SharedCounter = Sum "muster_broker_deferred_total";
        /// Connections made to the broker.
        connections: SharedCounter = Sum "muster_broker_connections_total";
        /// Messages of other services that were passed on to shards.
        incoming: SharedCounter = Sum "muster_broker_incoming_total";
        /// Messages of other services that made no sense.
        heard_bad: SharedCounter = Sum "muster_broker_heard_bad_total";
        /// Whether the broker can be reached and takes events: 1 if it does.
        connected: Gauge = Sum "muster_broker_connected";
        /// Whether the broker is in an alarm and takes nothing: 1 if it is.
        blocked: Gauge = Sum "muster_broker_blocked";
        /// Events handed to the broker that it has not confirmed yet.
        in_hand: Gauge = Sum "muster_broker_in_hand";
        /// Persistent events that wait for the broker.
        backlog: Gauge = Sum "muster_broker_backlog";
    }
}

impl Metrics {
    /// One message that this process does not deliver.
    pub(super) fn dropped(&self, event: &Event) {
        if event.file.is_some() {
            self.deferred.up();
        } else if event.persistent {
            self.dropped_persistent.up();
        } else {
            self.dropped_transient.up();
        }
    }
}

#[derive(Debug)]
struct Queue {
    queue: ArrayQueue<Event>,
    bytes: AtomicUsize,
}

impl Queue {
    fn new(capacity: usize) -> Self {
        Queue {
            queue: ArrayQueue::new(capacity),
            bytes: AtomicUsize::new(0),
        }
    }

    fn push(&self, event: Event) -> Result<(), Event> {
        let size = event.body.len();
        if self.bytes.fetch_add(size, Ordering::AcqRel) + size > LANE_BYTES {
            self.bytes.fetch_sub(size, Ordering::AcqRel);
            return Err(event);
        }
        self.queue.push(event).inspect_err(|event| {
            self.bytes.fetch_sub(event.body.len(), Ordering::AcqRel);
        })
    }

    fn pop(&self) -> Option<Event> {
        let event = self.queue.pop()?;
        self.bytes.fetch_sub(event.body.len(), Ordering::AcqRel);
        Some(event)
    }
}

/// Both queues.
#[derive(Debug)]
pub(super) struct Queues {
    persistent: Queue,
    transient: Queue,
    /// A broker is configured: what must not be lost waits for it.
    configured: AtomicBool,
    /// It is there: what may be lost leaves at once or not at all.
    connected: AtomicBool,
    wake: Notify,
    pub(super) metrics: Metrics,
}

impl Queues {
    /// Room for `backlog` persistent messages.
    pub(super) fn new(backlog: usize) -> Self {
        Queues {
            persistent: Queue::new(backlog),
            transient: Queue::new(TRANSIENT),
            configured: AtomicBool::new(false),
            connected: AtomicBool::new(false),
            wake: Notify::new(),
            metrics: Metrics::default(),
        }
    }

    /// Takes a message without waiting; false: dropped. That is counted, unless no broker is configured: then nobody misses it.
    pub(super) fn push(&self, event: Event) -> bool {
        if !self.configured.load(Ordering::Acquire) && event.file.is_none() {
            return false;
        }
        let (lane, open) = if event.persistent {
            (&self.persistent, &self.configured)
        } else {
            (&self.transient, &self.connected)
        };
        let outcome = if open.load(Ordering::Acquire) {
            lane.push(event)
        } else {
            Err(event)
        };
        match outcome {
            Ok(()) => self.wake.notify_one(),
            Err(ref event) => self.metrics.dropped(event),
        }
        outcome.is_ok()
    }

    /// Up to `most` messages, those first that must not be lost. Empty: nothing waits.
    pub(super) fn take(&self, most: usize) -> Vec<Event> {
        std::iter::from_fn(|| self.persistent.pop().or_else(|| self.transient.pop()))
            .take(most)
            .collect()
    }

    /// Waits until something may be there.
    pub(super) async fn filled(&self) {
        self.wake.notified().await;
    }

    /// Says whether there is a broker at all.
    pub(super) fn set_configured(&self, configured: bool) {
        self.configured.store(configured, Ordering::Release);
    }

    /// Says whether the broker can be reached; if not, what may be lost is.
    pub(super) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Release);
        if !connected {
            while let Some(event) = self.transient.pop() {
                self.metrics.dropped(&event);
            }
        }
    }

    /// Whether the broker can be reached.
    pub(super) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// What is counted, with what is there now.
    pub(super) fn metrics(&self) -> &Metrics {
        let connected = u8::from(self.is_connected());
        self.metrics.connected.set(f64::from(connected));
        self.metrics.backlog.set(self.backlog() as f64);
        &self.metrics
    }

    /// Whether a broker is configured, and less than half of what may wait for it does.
    pub(super) fn has_room(&self) -> bool {
        let queue = &self.persistent.queue;
        self.configured.load(Ordering::Acquire) && queue.len() * 2 < queue.capacity()
    }

    /// How many must not be lost and wait.
    pub(super) fn backlog(&self) -> usize {
        self.persistent.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(persistent: bool, bytes: usize) -> Event {
        Event {
            key: "a.b",
            persistent,
            body: vec![b' '; bytes].into(),
            file: None,
        }
    }

    fn dropped(queues: &Queues) -> (u64, u64) {
        (
            queues.metrics.dropped_transient.value(),
            queues.metrics.dropped_persistent.value(),
        )
    }

    // checklist: faf 501
    #[test]
    fn without_a_broker_everything_is_dropped_and_nothing_counted() {
        let queues = Queues::new(2);
        assert!(!queues.push(event(false, 1)) && !queues.push(event(true, 1)));
        assert_eq!(dropped(&queues), (0, 0));
    }

    #[test]
    fn without_a_connection_only_what_must_not_be_lost_waits_and_not_without_bound() {
        let queues = Queues::new(2);
        queues.set_configured(true);
        assert!(!queues.push(event(false, 1)));
        assert!(queues.push(event(true, 1)) && queues.push(event(true, 1)));
        assert!(!queues.push(event(true, 1)));
        assert_eq!((dropped(&queues), queues.backlog()), ((1, 1), 2));
    }

    #[test]
    fn a_lane_is_bounded_in_bytes_and_room_comes_back() {
        let queues = Queues::new(100);
        queues.set_configured(true);
        queues.set_connected(true);
        assert!(queues.push(event(false, LANE_BYTES)));
        assert!(!queues.push(event(false, 1)));
        assert!(
            queues.push(event(true, 1)),
            "the other lane has its own room"
        );
        let taken: Vec<bool> = queues
            .take(9)
            .iter()
            .map(|event| event.persistent)
            .collect();
        assert_eq!(taken, [true, false]);
        assert!(queues.push(event(false, LANE_BYTES)));
    }

    #[test]
    fn what_is_on_disk_is_not_lost_for_want_of_room() {
        let queues = Queues::new(1);
        queues.set_configured(true);
        let kept = || Event {
            file: Some(1),
            ..event(true, 1)
        };
        assert!(queues.push(kept()) && !queues.push(kept()));
        assert_eq!(dropped(&queues), (0, 0));
        assert_eq!(queues.metrics.deferred.value(), 1);
    }

    #[test]
    fn a_lost_connection_costs_what_may_be_lost() {
        let queues = Queues::new(8);
        queues.set_configured(true);
        queues.set_connected(true);
        assert!(queues.push(event(false, 1)) && queues.push(event(true, 1)));
        queues.set_connected(false);
        assert_eq!((dropped(&queues), queues.take(9).len()), ((1, 0), 1));
    }
}
