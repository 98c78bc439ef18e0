//! What the server under test publishes for good, as another service hears it from a real broker.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures_lite::StreamExt;
use lapin::{
    Connection, ConnectionProperties, Consumer, ExchangeKind,
    options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use serde_json::Value;
use tokio::runtime::Runtime;

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(20);
/// Everything that is not a broadcast: results and ratings.
const PATTERN: &str = "success.#";

/// A message: its routing key and its body.
pub(crate) type Published = (String, Value);

/// An exchange of its own, and somebody who listens there.
pub(crate) struct Exchange {
    pub(crate) url: String,
    pub(crate) name: String,
    runtime: Runtime,
    _connection: Connection,
    consumer: Consumer,
    /// Heard and not taken yet.
    waiting: Vec<Published>,
}

impl Exchange {
    /// At the broker that `MUSTER_TEST_AMQP` names, if it does.
    pub(crate) fn make() -> Result<Option<Exchange>, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Ok(url) = std::env::var("MUSTER_TEST_AMQP") else {
            return Ok(None);
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("muster-replay-{}-{number}", std::process::id());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let listening = runtime.block_on(listen(&url, &name));
        let (connection, consumer) = listening.map_err(|error| error.to_string())?;
        Ok(Some(Exchange {
            url,
            name,
            runtime,
            _connection: connection,
            consumer,
            waiting: Vec::new(),
        }))
    }

    /// Takes the message that fits, which may be on its way.
    pub(crate) fn take(&mut self, mut fits: impl FnMut(&Published) -> bool) -> Result<(), String> {
        loop {
            if let Some(at) = self.waiting.iter().position(&mut fits) {
                self.waiting.remove(at);
                return Ok(());
            }
            let next = self
                .runtime
                .block_on(async { tokio::time::timeout(PATIENCE, self.consumer.next()).await });
            let delivery = match next {
                Err(_) => return Err(format!("it does not come; there is {:?}", self.waiting)),
                Ok(None) => return Err("the broker is gone".into()),
                Ok(Some(delivery)) => delivery.map_err(|error| error.to_string())?,
            };
            let body = serde_json::from_slice(&delivery.data).map_err(|error| error.to_string())?;
            self.waiting.push((delivery.routing_key.to_string(), body));
        }
    }

    /// What was heard and is not taken.
    pub(crate) fn left(&self) -> &[Published] {
        &self.waiting
    }
}

async fn listen(url: &str, name: &str) -> lapin::Result<(Connection, Consumer)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let durable = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let none = FieldTable::default;
    channel
        .exchange_declare(name.into(), ExchangeKind::Topic, durable, none())
        .await?;
    let exclusive = QueueDeclareOptions {
        exclusive: true,
        ..QueueDeclareOptions::default()
    };
    let queue = channel.queue_declare("".into(), exclusive, none()).await?;
    let queue = queue.name().as_str();
    channel
        .queue_bind(
            queue.into(),
            name.into(),
            PATTERN.into(),
            QueueBindOptions::default(),
            none(),
        )
        .await?;
    let no_ack = BasicConsumeOptions {
        no_ack: true,
        ..BasicConsumeOptions::default()
    };
    let consumer = channel
        .basic_consume(queue.into(), "".into(), no_ack, none())
        .await?;
    Ok((connection, consumer))
}
