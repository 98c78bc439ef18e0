//! One connection to the broker: what is declared on it, a batch that leaves, messages that come.

use std::{io, time::Duration};

use futures_lite::{StreamExt, stream};
use lapin::{
    AsyncTcpStream, BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    Consumer, ExchangeKind,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    },
    tcp::AMQPUriTcpExt,
    types::FieldTable,
    uri::AMQPUri,
};

use super::{
    BrokerSettings,
    socket::{CloseOnDrop, Socket},
};
use lobby::Event;

/// A broker that has not let us in after this time is not there.
const CONNECT: Duration = Duration::from_secs(10);
/// How often that time is looked at.
const CONFIRM_CHECK: Duration = Duration::from_millis(250);
/// A broker that has not said good-bye after this time is left without.
const GOODBYE: Duration = Duration::from_secs(5);
/// Messages the broker sends ahead of their being acknowledged.
const PREFETCH: u16 = 64;
/// AMQP's delivery mode of what the broker keeps in memory only.
const TRANSIENT: u8 = 1;
/// Kept on disk by the broker.
const PERSISTENT: u8 = 2;

/// Routing key of messages for clients (spec: faf-lifecycle 12.3).
const NOTIFY: (&str, &str) = ("client.notify", "request.client.notify");
/// Routing key of changed avatars (spec: faf-lifecycle 12.4).
const AVATAR: (&str, &str) = ("player_avatar.update", "success.player_avatar.update");

/// Why a connection is no longer of use.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The broker's URL is none.
    #[error("the broker's URL is not understood")]
    Url,
    /// The broker, or the way to it.
    #[error("{0}")]
    Amqp(#[from] lapin::Error),
    /// No answer within the deadline.
    #[error("no answer in time")]
    TooSlow,
    /// The broker ended one of our subscriptions.
    #[error("the broker ended a subscription")]
    Cancelled,
}

/// What the broker said about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PublishResult {
    /// It has it.
    Confirmed,
    /// It does not want it.
    Refused,
}

/// A connection with its exchange, queues and subscriptions in place.
pub(super) struct Session {
    pub(super) out: Outgoing,
    pub(super) notifications: Consumer,
    pub(super) avatars: Consumer,
    /// Among other news of the connection: that the broker is in an alarm, and that it no longer is.
    pub(super) news: stream::Boxed<lapin::Event>,
}

/// The way out. When it is dropped, its socket is closed.
pub(super) struct Outgoing {
    connection: Connection,
    publishing: Channel,
    exchange: String,
    /// How long a batch may take to be confirmed. What the broker has not lost arrives twice.
    confirm: Duration,
    _socket: CloseOnDrop,
}

impl Session {
    /// Connects and declares.
    pub(super) async fn open(settings: &BrokerSettings) -> Result<Session, Broken> {
        tokio::time::timeout(CONNECT, Session::connect(settings))
            .await
            .map_err(|_| Broken::TooSlow)?
    }

    async fn connect(settings: &BrokerSettings) -> Result<Session, Broken> {
        let properties =
            ConnectionProperties::default().with_connection_name(settings.name.as_str().into());
        let uri: AMQPUri = settings.url.parse().map_err(|_| Broken::Url)?;
        let socket = Socket::default();
        let close_on_drop = CloseOnDrop(socket.clone());
        let connection = Connection::connector(
            uri,
            lapin::runtime::default_runtime()?,
            async move |uri, runtime| {
                let stream = uri.connect_async(&runtime).await?;
                // The setting takes no URL that asks for TLS.
                let AsyncTcpStream::Plain(plain) = &stream else {
                    return Err(io::Error::from(io::ErrorKind::Unsupported).into());
                };
                socket.opened(plain.get_ref())?;
                Ok(stream)
            },
            properties,
        )
        .await?;
        let news = connection.events_listener().boxed();
        let publishing = connection.create_channel().await?;
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        publishing
            .exchange_declare(
                settings.exchange.as_str().into(),
                ExchangeKind::Topic,
                durable,
                FieldTable::default(),
            )
            .await?;
        publishing
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        let notifications = subscribe(&connection, settings, NOTIFY).await?;
        let avatars = subscribe(&connection, settings, AVATAR).await?;
        Ok(Session {
            out: Outgoing {
                connection,
                publishing,
                exchange: settings.exchange.clone(),
                confirm: settings.confirm,
                _socket: close_on_drop,
            },
            notifications,
            avatars,
            news,
        })
    }
}

impl Outgoing {
    /// Publishes a batch and waits until the broker has confirmed all of it; during an alarm, as long as that takes.
    pub(super) async fn publish(&self, batch: &[Event]) -> Result<Vec<PublishResult>, Broken> {
        let exchange = self.exchange.as_str();
        let whole = async {
            let mut confirms = Vec::with_capacity(batch.len());
            for event in batch {
                let mode = if event.persistent {
                    PERSISTENT
                } else {
                    TRANSIENT
                };
                let properties = BasicProperties::default()
                    .with_content_type("application/json".into())
                    .with_delivery_mode(mode);
                let confirm = self.publishing.basic_publish(
                    exchange.into(),
                    event.key.into(),
                    BasicPublishOptions::default(),
                    &event.body,
                    properties,
                );
                confirms.push(confirm.await?);
            }
            let mut fates = Vec::with_capacity(confirms.len());
            for confirm in confirms {
                fates.push(match confirm.await? {
                    Confirmation::Nack(_) => PublishResult::Refused,
                    Confirmation::Ack(_) | Confirmation::NotRequested => PublishResult::Confirmed,
                });
            }
            Ok(fates)
        };
        tokio::select! {
            fates = whole => fates,
            () = self.overdue() => Err(Broken::TooSlow),
        }
    }

    /// Until a batch should have been confirmed. The time of an alarm does not count, since the broker reads nothing then.
    async fn overdue(&self) {
        let mut left = self.confirm;
        while !left.is_zero() {
            tokio::time::sleep(CONFIRM_CHECK).await;
            left = if self.connection.status().blocked() {
                self.confirm
            } else {
                left.saturating_sub(CONFIRM_CHECK)
            };
        }
    }

    /// Says good-bye. A broker that does not answer is not waited for long, one that does not read not at all.
    pub(super) async fn close(self) {
        if self.connection.status().blocked() {
            return;
        }
        let goodbye = self.connection.close(200, "OK".into());
        if !matches!(tokio::time::timeout(GOODBYE, goodbye).await, Ok(Ok(()))) {
            tracing::debug!("the broker did not say good-bye");
        }
    }
}

/// A queue of this host for one routing key, and the subscription to it, on a channel of its own.
async fn subscribe(
    connection: &Connection,
    settings: &BrokerSettings,
    (subject, key): (&str, &str),
) -> Result<Consumer, Broken> {
    let queue = format!("{}.lobby.{subject}.{}", settings.exchange, settings.host);
    let channel = declare(connection, &queue).await?;
    channel
        .queue_bind(
            queue.as_str().into(),
            settings.exchange.as_str().into(),
            key.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    channel
        .basic_qos(PREFETCH, BasicQosOptions::default())
        .await?;
    let consumer = channel
        .basic_consume(
            queue.as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    Ok(consumer)
}

/// Declares a queue that goes away with its last reader. One that is there already with other properties, made by the
/// server this one replaces, is used as it is. A refusal costs the channel, hence the second one.
async fn declare(connection: &Connection, queue: &str) -> Result<Channel, Broken> {
    let channel = connection.create_channel().await?;
    let ours = QueueDeclareOptions {
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel
        .queue_declare(queue.into(), ours, FieldTable::default())
        .await;
    if declared.is_ok() {
        return Ok(channel);
    }
    let channel = connection.create_channel().await?;
    let as_it_is = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(queue.into(), as_it_is, FieldTable::default())
        .await?;
    Ok(channel)
}

/// The next message of a subscription.
pub(super) async fn next(consumer: &mut Consumer) -> Result<Delivery, Broken> {
    match consumer.next().await {
        Some(delivery) => Ok(delivery?),
        None => Err(Broken::Cancelled),
    }
}

/// Tells the broker that a message was dealt with, whatever was made of it.
pub(super) async fn acknowledge(delivery: &Delivery) -> Result<(), Broken> {
    delivery.ack(BasicAckOptions::default()).await?;
    Ok(())
}
