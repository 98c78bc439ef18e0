//! The event broker: RabbitMQ over AMQP 0.9.1 (spec: faf-lifecycle 12).
//!
//! | file | what it is |
//! |---|---|
//! | `outbox` | on disk: what must not be lost, until the broker has it |
//! | `queues` | the bounded queues that shards put messages into |
//! | `session` | one connection: declarations, a batch out, messages in |
//! | `socket` | the socket under it, so that it can be closed whatever the broker does |
//! | `incoming` | what messages from outside mean |
//!
//! A shard never waits: [`Broker::publish`] takes a message or drops it. Without a connection, messages that may be
//! lost are, and those that may not wait in a bounded backlog. A message leaves the backlog when the broker has
//! confirmed it, so after a broken connection it may arrive twice, and it is never lost while there is room. The
//! server runs without a broker.
//!
//! A broker that has stalled is found by what it does not confirm (`broker.confirm_s`), or by its missing heartbeats if there is
//! nothing to confirm. The connection is then given up, and the next one begins with what was not confirmed.
//!
//! A broker in an alarm (out of memory, or of disk) says so and reads nothing more from who publishes. It is waited for
//! on the same connection, however long that takes: what has been sent is then confirmed, and nothing arrives twice.

mod incoming;
mod outbox;
mod queues;
mod session;
mod socket;

use crate::BoxedLocal;
use std::{cell::RefCell, convert::Infallible, sync::Arc, time::Duration};

use futures_lite::{StreamExt, stream};
use lapin::{Consumer, types::FieldTable};
use metrics::{SharedCounter, Source, Visit};
use rand::{RngExt, rngs::SmallRng};
use tokio::sync::watch;

pub use incoming::{Incoming, ParseError};
pub use outbox::Outbox;
pub use queues::Metrics;
pub use session::Broken;

use self::{
    queues::Queues,
    session::{Outgoing, PublishResult, Session},
};
use lobby::Event;
use wire::json::JsonReader;

/// Messages published before their confirmations are waited for.
const BATCH: usize = 256;
/// The end of the process waits this long for the backlog to leave.
const FLUSH: Duration = Duration::from_secs(5);
/// First pause after a failed connection; doubled each time.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// Longest such pause.
const PAUSE_LONGEST: Duration = Duration::from_secs(30);
/// Pause of a server that is about to end and has something to say.
const PAUSE_AT_THE_END: Duration = Duration::from_millis(250);
/// How long a start waits for a broker from which nothing comes. One on the same network has let us in within a tenth of that.
const AWAITED: Duration = Duration::from_secs(2);
/// How often dropped messages are told to the log.
const REPORT: Duration = Duration::from_secs(10);
/// How long messages from outside wait before they are tried on crowded shards again.
const CROWDED: Duration = Duration::from_millis(5);

/// Where the broker is, and what is ours on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerSettings {
    /// `amqp://USER:PASSWORD@HOST:PORT/VHOST`. Not for logs.
    pub url: String,
    /// The topic exchange.
    pub exchange: String,
    /// Name of this host, in the names of queues.
    pub host: String,
    /// Name of the connection, for people who look at the broker.
    pub name: String,
    /// A broker that has not confirmed a batch after this time, and is in no alarm, has lost it.
    pub confirm: Duration,
}

/// Who takes what comes from outside.
pub trait Listener {
    /// Whether there is room for more.
    fn has_room(&self) -> bool;
    /// Takes it.
    fn hear(&self, incoming: Incoming);
}

/// The way to the broker. Shared by the shards, the back office and the task in [`Broker::run`].
#[derive(Debug)]
pub struct Broker {
    queues: Queues,
    /// What is in files until the broker has it.
    outbox: Option<Arc<Outbox>>,
    closing: watch::Sender<bool>,
    /// The broker is in an alarm.
    blocked: watch::Sender<bool>,
    /// There should be a broker, and it has not been tried yet.
    awaited: watch::Sender<bool>,
}

impl Source for Broker {
    fn each(&self, visit: &mut Visit<'_>) {
        self.metrics().each(visit);
        if let Some(outbox) = &self.outbox {
            outbox.metrics().each(visit);
        }
    }
}

/// Why a session ended.
enum End {
    Lost(Broken),
    Changed,
    Closing,
}

impl Broker {
    /// A way that leads nowhere yet. `backlog`: persistent messages that wait for the broker at most.
    pub fn new(backlog: usize) -> Self {
        Broker {
            queues: Queues::new(backlog),
            outbox: None,
            closing: watch::Sender::new(false),
            blocked: watch::Sender::new(false),
            awaited: watch::Sender::new(false),
        }
    }

    /// The same, which says what it has delivered, so that it goes from disk.
    #[must_use]
    pub fn with_outbox(mut self, outbox: Arc<Outbox>) -> Self {
        self.outbox = Some(outbox);
        self
    }

    /// The same, which is known to have a broker, or none, before [`Broker::run`] learns it.
    #[must_use]
    pub fn expecting(self, is_configured: bool) -> Self {
        self.queues.set_configured(is_configured);
        self.awaited.send_replace(is_configured);
        self
    }

    /// Until messages from outside are heard, or it is known that the broker can't be reached, or it has said nothing for
    /// too long to be waited for.
    pub async fn tried(&self) {
        let _ = self.awaited.subscribe().wait_for(|awaited| !awaited).await;
    }

    /// Whether there is room for more than what happens now: half of the backlog is for that.
    pub fn has_room(&self) -> bool {
        self.queues.has_room()
    }

    /// Takes a message without waiting; false: it was dropped, and counted if a broker is configured.
    pub fn publish(&self, event: Event) -> bool {
        self.queues.push(event)
    }

    /// What has become of messages.
    pub fn metrics(&self) -> &Metrics {
        self.queues.metrics()
    }

    /// Whether the broker is there.
    pub fn is_connected(&self) -> bool {
        self.queues.is_connected()
    }

    /// How many persistent messages wait.
    pub fn backlog(&self) -> usize {
        self.queues.backlog()
    }

    /// Has [`Broker::run`] send what waits and return.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Keeps the connection until [`Broker::close`], then sends what waits, for a few seconds at most, and returns.
    /// Other settings mean another connection. `None`: no broker.
    pub async fn run(
        &self,
        settings: watch::Receiver<Option<BrokerSettings>>,
        listener: impl Listener,
    ) {
        self.run_boxed(settings, &listener).await;
    }

    fn run_boxed<'a>(
        &'a self,
        settings: watch::Receiver<Option<BrokerSettings>>,
        listener: &'a dyn Listener,
    ) -> BoxedLocal<'a, ()> {
        Box::pin(self.run_until_closed(settings, listener))
    }

    async fn run_until_closed(
        &self,
        mut settings: watch::Receiver<Option<BrokerSettings>>,
        listener: &dyn Listener,
    ) {
        // What was taken from the queues and is not confirmed yet.
        let hand = RefCell::new(Vec::new());
        let overdue = async {
            self.until_closing().await;
            tokio::time::sleep(FLUSH).await;
        };
        tokio::select! {
            () = self.keep(&mut settings, listener, &hand) => {}
            () = overdue => {}
            () = self.report() => {}
        }
        self.queues.set_connected(false);
        self.tidy().await;
        let mut left = hand.take();
        left.extend(self.queues.take(usize::MAX));
        left.iter()
            .for_each(|event| self.queues.metrics.dropped(event));
        left.retain(|event| event.persistent);
        if !left.is_empty() {
            let on_disk = left.iter().filter(|event| event.file.is_some()).count();
            tracing::warn!(
                events = left.len(),
                on_disk,
                "events were not delivered to the broker before the end; the next start publishes those that are on disk"
            );
        }
    }

    async fn keep(
        &self,
        settings: &mut watch::Receiver<Option<BrokerSettings>>,
        listener: &dyn Listener,
        hand: &RefCell<Vec<Event>>,
    ) {
        let mut rng = rand::make_rng::<SmallRng>();
        let mut pause = PAUSE_FIRST;
        loop {
            let wanted = settings.borrow_and_update().clone();
            self.queues.set_configured(wanted.is_some());
            if let Some(outbox) = &self.outbox {
                outbox.set_wanted(wanted.is_some());
            }
            let nothing_to_say = || hand.borrow().is_empty() && self.queues.backlog() == 0;
            if self.is_closing() && (wanted.is_none() || nothing_to_say()) {
                return;
            }
            let Some(wanted) = wanted else {
                self.await_no_longer();
                tokio::select! {
                    Ok(()) = settings.changed() => {}
                    () = self.until_closing() => {}
                }
                continue;
            };
            let opened = tokio::select! {
                opened = Session::open(&wanted) => opened,
                Ok(()) = settings.changed() => continue,
                never = self.lose_patience() => match never {},
            };
            self.await_no_longer();
            let end = match opened {
                Ok(session) => {
                    tracing::info!(exchange = wanted.exchange, "connected to the broker");
                    self.queues.metrics.connections.up();
                    pause = PAUSE_FIRST;
                    self.queues.set_connected(true);
                    let end = self.serve(session, settings, listener, hand).await;
                    self.queues.set_connected(false);
                    self.set_blocked(false);
                    end
                }
                Err(error) => End::Lost(error),
            };
            let error = match end {
                End::Closing => return,
                End::Changed => continue,
                End::Lost(error) => error,
            };
            self.give_up_transient(hand);
            if self.is_closing() {
                tokio::time::sleep(PAUSE_AT_THE_END).await;
                continue;
            }
            // Servers that lost the same broker do not all come back at the same moment.
            let wait = pause.mul_f64(rng.random_range(0.5..1.0));
            tracing::warn!(%error, again_in_ms = wait.as_millis() as u64, backlog = self.backlog(),
                "no connection to the broker; events that may be lost are dropped");
            pause = (pause * 2).min(PAUSE_LONGEST);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                Ok(()) = settings.changed() => {}
                () = self.until_closing() => {}
            }
        }
    }

    fn await_no_longer(&self) {
        self.awaited.send_replace(false);
    }

    /// An attempt goes on, but nobody waits for what comes of it.
    async fn lose_patience(&self) -> Infallible {
        tokio::time::sleep(AWAITED).await;
        self.await_no_longer();
        std::future::pending().await
    }

    /// One session, until it breaks or is no longer wanted.
    async fn serve(
        &self,
        session: Session,
        settings: &mut watch::Receiver<Option<BrokerSettings>>,
        listener: &dyn Listener,
        hand: &RefCell<Vec<Event>>,
    ) -> End {
        let Session {
            out,
            mut notifications,
            mut avatars,
            mut news,
        } = session;
        let end = tokio::select! {
            sent = self.send(&out, hand) => match sent {
                Ok(()) => End::Closing,
                Err(error) => End::Lost(error),
            },
            error = self.listen(&mut notifications, listener, incoming::notification) => End::Lost(error),
            error = self.listen(&mut avatars, listener, incoming::avatar) => End::Lost(error),
            never = self.heed_alarms(&mut news) => match never {},
            Ok(()) = settings.changed() => End::Changed,
        };
        if !matches!(end, End::Lost(_)) {
            out.close().await;
        }
        end
    }

    /// Learns when the broker takes nothing, and when it does again. Never ends: that a connection does is told elsewhere.
    async fn heed_alarms(&self, news: &mut stream::Boxed<lapin::Event>) -> Infallible {
        while let Some(event) = news.next().await {
            match event {
                lapin::Event::ConnectionBlocked(reason) => {
                    tracing::warn!(
                        reason,
                        backlog = self.backlog(),
                        "the broker is in an alarm; events that may be lost are dropped"
                    );
                    self.set_blocked(true);
                    self.queues.set_connected(false);
                }
                lapin::Event::ConnectionUnblocked => {
                    tracing::info!("the broker's alarm is over");
                    self.queues.set_connected(true);
                    self.set_blocked(false);
                }
                _ => {}
            }
        }
        std::future::pending().await
    }

    /// Sends what comes, in batches, until the connection breaks; when closing, until nothing is left.
    async fn send(&self, out: &Outgoing, hand: &RefCell<Vec<Event>>) -> Result<(), Broken> {
        let mut blocked = self.blocked.subscribe();
        loop {
            // The sender lives as long as this value: there is no other end.
            let _ = blocked.wait_for(|blocked| !*blocked).await;
            if hand.borrow().is_empty() {
                *hand.borrow_mut() = self.queues.take(BATCH);
            }
            self.queues.metrics.in_hand.set(hand.borrow().len() as f64);
            let batch = hand.borrow().clone();
            if batch.is_empty() {
                if self.is_closing() {
                    return Ok(());
                }
                tokio::select! {
                    () = self.queues.filled() => {}
                    () = self.until_closing() => {}
                }
                continue;
            }
            let fates = out.publish(&batch).await?;
            hand.borrow_mut().clear();
            self.queues.metrics.in_hand.set(0.0);
            if let Some(outbox) = &self.outbox {
                outbox.delivered(&batch);
            }
            for (fate, event) in fates.into_iter().zip(&batch) {
                match fate {
                    PublishResult::Confirmed => self.queues.metrics.confirmed.up(),
                    PublishResult::Refused => {
                        self.queues.metrics.refused.up();
                        tracing::warn!(key = event.key, "the broker refused an event");
                    }
                }
            }
            self.tidy().await;
        }
    }

    /// Has what was delivered go from disk.
    async fn tidy(&self) {
        if let Some(outbox) = &self.outbox {
            outbox.tidy().await;
        }
    }

    /// Takes what comes. A message is acknowledged whatever it says, so that it never comes again.
    async fn listen(
        &self,
        consumer: &mut Consumer,
        listener: &dyn Listener,
        understand: impl Fn(
            Option<&FieldTable>,
            Vec<u8>,
            &mut JsonReader,
        ) -> Result<Incoming, ParseError>,
    ) -> Broken {
        let mut reader = JsonReader::default();
        loop {
            while !listener.has_room() {
                tokio::time::sleep(CROWDED).await;
            }
            let mut delivery = match session::next(consumer).await {
                Ok(delivery) => delivery,
                Err(error) => return error,
            };
            let body = std::mem::take(&mut delivery.data);
            match understand(delivery.properties.headers().as_ref(), body, &mut reader) {
                Ok(incoming) => {
                    self.queues.metrics.incoming.up();
                    listener.hear(incoming);
                }
                Err(error) => {
                    self.queues.metrics.heard_bad.up();
                    tracing::debug!(%error, key = %delivery.routing_key, "a message from the broker was dropped");
                }
            }
            if let Err(error) = session::acknowledge(&delivery).await {
                return error;
            }
        }
    }

    /// What may be lost does not wait for the next connection.
    fn give_up_transient(&self, hand: &RefCell<Vec<Event>>) {
        hand.borrow_mut().retain(|event| {
            if !event.persistent {
                self.queues.metrics.dropped(event);
            }
            event.persistent
        });
        self.queues.metrics.in_hand.set(hand.borrow().len() as f64);
    }

    /// Tells the log about dropped messages, now and then.
    async fn report(&self) {
        let count = || {
            let metrics = &self.queues.metrics;
            [&metrics.dropped_transient, &metrics.dropped_persistent].map(SharedCounter::value)
        };
        let mut told = count();
        loop {
            tokio::time::sleep(REPORT).await;
            let now = count();
            if now != told {
                tracing::warn!(
                    transient = now[0] - told[0],
                    persistent = now[1] - told[1],
                    "events for the broker were dropped"
                );
                told = now;
            }
        }
    }

    fn set_blocked(&self, blocked: bool) {
        self.blocked.send_replace(blocked);
        self.queues
            .metrics
            .blocked
            .set(f64::from(u8::from(blocked)));
    }

    fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    async fn until_closing(&self) {
        // The sender lives as long as this value: there is no other end.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }
}
