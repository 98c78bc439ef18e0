//! The NATS session: what nodes say to each other goes out here and comes in here. It may lose things and says nothing of it;
//! what must arrive is `cluster`'s business.
//!
//! Subscribed before anything is said, for ever connected anew. Nothing here waits to publish: what the client does not take at
//! once is lost.

use std::{
    future::Future,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event, ServerAddr, Subscriber};
use bytes::Bytes;
use cluster::Subject;
use futures_lite::{StreamExt, future::poll_once};
use tokio::{sync::Notify, task::unconstrained, time::timeout};

use super::settings::{Cluster, Credentials};

/// Messages of one subject that may wait for us; more are lost. The client's own default loses them as silently, and sooner.
const SUBSCRIPTION: usize = 65_536;
/// Messages that may wait to leave. As they are kept until they are acknowledged anyway they take no memory of their own.
const OUTGOING: usize = 4_096;
/// How often the server is asked whether it is there. Of three that it does not answer the connection is given up.
const PING: Duration = Duration::from_secs(1);
/// Time for a connection to be made.
const CONNECTING: Duration = Duration::from_secs(2);
/// First pause before connecting again; doubled each time.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// Longest such pause.
const PAUSE_LONGEST: Duration = Duration::from_secs(1);
/// Time for last words to leave.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Whether there is a connection.
#[derive(Debug, Default)]
struct Link {
    is_up: AtomicBool,
    changed: Notify,
}

impl Link {
    fn hear(&self, event: &Event) {
        let is_up = match event {
            Event::Connected => true,
            Event::Disconnected | Event::Closed => false,
            Event::SlowConsumer(_) => {
                return tracing::warn!(
                    "messages of NATS were lost: this node is too slow for them"
                );
            }
            _ => return, // the client logs it
        };
        self.is_up.store(is_up, Ordering::Release);
        self.changed.notify_one();
    }
}

/// The session.
pub(super) struct Bus {
    client: Client,
    lobby: String,
    subscriptions: [Subscriber; 3],
    link: Arc<Link>,
}

impl Bus {
    /// Begins to connect, as often as it takes.
    ///
    /// # Errors
    /// The file of credentials can't be used, or a server's address is none.
    pub(super) async fn open(settings: &Cluster, name: &str, slot: u8) -> io::Result<Bus> {
        let link = Arc::<Link>::default();
        let heard = link.clone();
        let options = options(settings, name).await?;
        let options = options.event_callback(move |event| {
            heard.hear(&event);
            std::future::ready(())
        });
        let client = connect(options, settings).await?;
        let lobby = &settings.lobby;
        let subjects = [Subject::All, Subject::Node(slot), Subject::Beat];
        let [all, own, beats] = subjects.map(|subject| subject_name(lobby, subject));
        let failed = |error| io::Error::other(format!("NATS: {error}"));
        let subscriptions = [
            client.subscribe(all).await.map_err(failed)?,
            client.subscribe(own).await.map_err(failed)?,
            client.subscribe(beats).await.map_err(failed)?,
        ];
        Ok(Bus {
            client,
            lobby: lobby.clone(),
            subscriptions,
            link,
        })
    }

    /// Whether there is a connection.
    pub(super) fn is_up(&self) -> bool {
        self.link.is_up.load(Ordering::Acquire)
    }

    /// Publishes without waiting. False: it is lost.
    pub(super) fn publish(&self, subject: Subject, payload: Bytes) -> bool {
        if !self.is_up() {
            return false; // it would leave with the next connection, much too late
        }
        let subject = subject_name(&self.lobby, subject);
        // Without a budget: what has its turn used up is no reason to lose a message.
        let mut publishing = pin!(unconstrained(self.client.publish(subject, payload)));
        let polled = publishing
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        matches!(polled, Poll::Ready(Ok(())))
    }

    /// What has come, if something has.
    pub(super) async fn take(&mut self) -> Option<Bytes> {
        for subscription in &mut self.subscriptions {
            if let Some(Some(message)) = poll_once(subscription.next()).await {
                return Some(message.payload);
            }
        }
        None
    }

    /// Waits until something comes, or the connection comes or goes: None. May be dropped at any time.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let [all, own, beats] = &mut self.subscriptions;
        let message = tokio::select! {
            biased;
            message = own.next() => message,
            message = all.next() => message,
            message = beats.next() => message,
            () = self.link.changed.notified() => None,
        };
        message.map(|message| message.payload)
    }

    /// Has everything leave that was published.
    pub(super) async fn flush(&self) {
        if self.is_up() {
            let _ = timeout(LAST_WORDS, self.client.flush()).await; // the others find out without it
        }
    }
}

/// What a subject is called.
fn subject_name(lobby: &str, subject: Subject) -> String {
    match subject {
        Subject::All => format!("muster.{lobby}.all"),
        Subject::Node(slot) => format!("muster.{lobby}.to.{slot}"),
        Subject::Beat => format!("muster.{lobby}.beat"),
    }
}

/// Where `muster doctor` hears itself: below `muster.`, since servers permit nothing else to nodes (tuning/cluster).
fn doctor_subject(lobby: &str) -> String {
    format!("muster.{lobby}.doctor.{}", std::process::id())
}

async fn options(settings: &Cluster, name: &str) -> io::Result<ConnectOptions> {
    let options = ConnectOptions::new()
        .name(name)
        .subscription_capacity(SUBSCRIPTION)
        .client_capacity(OUTGOING)
        .ping_interval(PING)
        .connection_timeout(CONNECTING)
        .max_reconnects(None)
        .reconnect_delay_callback(pause);
    match settings.proof() {
        None => Ok(options),
        Some(Credentials::User { name, password }) => Ok(options.user_and_password(name, password)),
        Some(Credentials::File(path)) => options.credentials_file(&path).await.map_err(|error| {
            let text = format!("cluster.credentials: {}: {error}", path.display());
            io::Error::new(error.kind(), text)
        }),
    }
}

/// Before another attempt.
fn pause(attempts: usize) -> Duration {
    match u32::try_from(attempts).unwrap_or(u32::MAX) {
        0 | 1 => Duration::ZERO,
        attempts => (PAUSE_FIRST * 2_u32.pow((attempts - 2).min(10))).min(PAUSE_LONGEST),
    }
}

async fn connect(options: ConnectOptions, settings: &Cluster) -> io::Result<Client> {
    let servers: Result<Vec<ServerAddr>, _> = settings.servers().map(str::parse).collect();
    let servers = servers.map_err(|error| io::Error::other(format!("cluster.url: {error}")))?;
    let connecting = options.retry_on_initial_connect().connect(servers).await;
    connecting.map_err(|error| io::Error::other(format!("cluster.url: {error}")))
}

/// What `muster doctor` finds out about NATS.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) version: String,
    pub(super) max_payload: usize,
    pub(super) round_trip: Duration,
}

/// Looks at the servers, once.
///
/// # Errors
/// In words: why they can't be reached or do not pass on.
pub(super) async fn look(settings: &Cluster) -> Result<Found, String> {
    let looking = async {
        let options = options(settings, "muster doctor").await;
        let options = options.map_err(|error| error.to_string())?;
        let servers: Result<Vec<ServerAddr>, _> = settings.servers().map(str::parse).collect();
        let servers = servers.map_err(|error| error.to_string())?;
        let client = options.connect(servers).await;
        let client = client.map_err(|error| error.to_string())?;
        let inbox = doctor_subject(&settings.lobby);
        let subscribed = client.subscribe(inbox.clone()).await;
        let mut subscribed = subscribed.map_err(|error| error.to_string())?;
        let sent = std::time::Instant::now();
        let published = client.publish(inbox, Bytes::from_static(b"muster")).await;
        published.map_err(|error| error.to_string())?;
        subscribed.next().await.ok_or("the connection was lost")?;
        let info = client.server_info();
        Ok(Found {
            version: info.version,
            max_payload: info.max_payload,
            round_trip: sent.elapsed(),
        })
    };
    let looked = timeout(2 * CONNECTING, looking).await;
    looked.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_those_of_the_lobby() {
        assert_eq!(subject_name("l", Subject::All), "muster.l.all");
        assert_eq!(subject_name("l", Subject::Node(63)), "muster.l.to.63");
        assert_eq!(subject_name("l", Subject::Beat), "muster.l.beat");
    }

    #[test]
    fn pauses_grow_to_a_second() {
        assert_eq!(pause(1), Duration::ZERO);
        assert_eq!(pause(2), Duration::from_millis(50));
        assert_eq!(pause(4), Duration::from_millis(200));
        assert_eq!(pause(usize::MAX), PAUSE_LONGEST);
    }
}
