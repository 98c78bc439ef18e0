//! What is allowed to be slow: one tokio thread for SQL, keys and HTTP.
//!
//! Questions come through one bounded lock-free queue; each is worked on by a task of its own, and its answer goes into
//! the asking shard's inbox. Nothing here ever runs on a shard's thread, and nothing a shard does ever waits for it.
//! Everything that goes outside has a deadline, so a server that hangs costs an answer "unavailable" and never a
//! question without an answer.
//!
//! | module | what it is |
//! |---|---|
//! | [`desk`] | answers each kind of question with the others |
//! | [`store`] | accounts, bans, relations, maps and mods in SQL: embedded SQLite, or the shared MariaDB |
//! | [`keys`] | public keys of login tokens, and what makes a token valid |
//! | [`policy`] | the policy server that is told of every login |
//! | [`queue`] | the way in |

pub mod desk;
pub mod keys;
pub mod policy;
pub mod queue;
pub mod store;

use std::{
    io,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::lobby::{
    ShardId, Ticket,
    faf::asks::{Answer, Ask},
};
use desk::{Desk, DeskSettings};
use queue::{Asker, Questions, questions};
use store::{Store, StoreSettings};

/// Questions worked on at one time. More would only wait in the database's pool instead of in our queue.
const AT_ONCE: u32 = 64;

/// How long the end waits for what is being worked on.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// A question, who asked, and under which ticket.
pub type Asked = (ShardId, Ticket, Ask);

/// Everything the back office is told.
#[derive(Clone)]
pub struct OfficeSettings {
    /// The database. May hold a password: not for logs.
    pub store_url: String,
    /// How it is used.
    pub store: StoreSettings,
    /// Sign-in.
    pub desk: DeskSettings,
    /// Questions that may wait.
    pub queue: usize,
}

/// The running back office.
#[derive(Debug)]
pub struct Office {
    asker: Asker<Asked>,
    thread: JoinHandle<()>,
}

/// Starts the thread and returns when the store is open. `deliver` is called with every answer, from that thread.
///
/// # Errors
/// The store can't be opened.
pub fn start(
    settings: OfficeSettings,
    deliver: impl Fn(ShardId, Ticket, Answer) + Send + Sync + 'static,
) -> io::Result<Office> {
    let (asker, questions) = questions(settings.queue);
    let (ready, is_ready) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("backoffice".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            runtime.block_on(async move {
                match open(settings).await {
                    Ok(desk) => {
                        let _ = ready.send(Ok(())); // whoever started us waits for it
                        work(Arc::new(desk), questions, deliver).await;
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            });
        })?;
    is_ready
        .recv()
        .map_err(|_| io::Error::other("the back office ended while starting"))??;
    Ok(Office { asker, thread })
}

impl Office {
    /// The way in, for the shards.
    pub fn asker(&self) -> Asker<Asked> {
        self.asker.clone()
    }

    /// Answers what has been asked, then ends.
    pub fn stop(self) {
        self.asker.close();
        if self.thread.join().is_err() {
            tracing::error!("the back office's thread ended badly");
        }
    }
}

async fn open(settings: OfficeSettings) -> io::Result<Desk> {
    let store = Store::open(&settings.store_url, &settings.store)
        .await
        .map_err(io::Error::other)?;
    Desk::new(store, settings.desk)
        .await
        .map_err(io::Error::other)
}

async fn work(
    desk: Arc<Desk>,
    questions: Questions<Asked>,
    deliver: impl Fn(ShardId, Ticket, Answer) + Send + Sync + 'static,
) {
    let deliver = Arc::new(deliver);
    let places = Arc::new(Semaphore::new(AT_ONCE as usize));
    let mut tasks = JoinSet::new();
    let freshness = tokio::spawn(desk.clone().keep_fresh());
    while let Some((shard, ticket, ask)) = questions.next().await {
        let Ok(place) = places.clone().acquire_owned().await else {
            break;
        };
        let (desk, deliver) = (desk.clone(), deliver.clone());
        tasks.spawn(async move {
            deliver(shard, ticket, desk.answer(ask).await);
            drop(place);
        });
        while tasks.try_join_next().is_some() {}
    }
    freshness.abort();
    if tokio::time::timeout(LAST_ANSWERS, places.acquire_many(AT_ONCE))
        .await
        .is_err()
    {
        tracing::warn!("ending with questions unanswered");
    }
    desk.close().await;
}

/// Seconds since 1970, UTC, with fraction.
pub(crate) fn unix_now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// A client for HTTP services: rustls with ring, and a time-out for the whole exchange.
///
/// # Errors
/// The TLS set-up is refused.
pub(crate) fn http_client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    // The second caller finds a provider in place; which of the two won does not matter.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(timeout).build()
}
