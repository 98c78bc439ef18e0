//! The back office: everything that may be slow, on one tokio thread of its own.
//!
//! | module | what it is |
//! |---|---|
//! | `attempts` | how often signing in may fail, for an address and for an account |
//! | [`cluster`](mod@cluster) | a lobby on several machines: NATS, locks in the database, the node that uses them |
//! | [`cockatrice`] | what only the Cockatrice lobby has: accounts, decks, replays, moderation |
//! | [`faf`] | what only the FAF lobby has: its questions' answers, its tables |
//! | [`store`] | databases: embedded SQLite, or the shared MariaDB; deadlines and failures of calls |
//! | [`keys`] | the public keys that login tokens are checked with, and the check |
//! | [`policy`] | the policy server that is told of every login |
//! | [`broker`] | RabbitMQ: events out, messages of other services in |
//! | [`country`] | which country an address is in, by a file that is kept fresh |
//! | [`refresh`] | what is loaded again every ten minutes |
//! | [`operator`] | what operators have done, and whom they keep out |
//! | [`spool`] | finished games that are not settled yet, on disk |
//! | [`http`] | what operators and their programs read: health, metrics |
//! | [`runner`] | the thread, and the bounded queue that questions come through |
//! | [`vcmi_json`] | what only VCMI's JSON lobby has: accounts, chat, rooms, its HTTP interface |
//! | [`settings`](mod@settings) | what an operator may choose about all of it |
//!
//! Nothing here may ever run on a shard's thread: a shard asks through [`runner::Asker::try_ask`], which never waits,
//! and gets its answer as mail. Everything that goes outside has a deadline, so that a server that hangs costs an
//! answer "unavailable" and never a question without an answer.

mod attempts;
pub mod broker;
pub mod cluster;
pub mod cockatrice;
pub mod country;
mod disk;
pub mod faf;
pub mod http;
pub mod keys;
pub mod operator;
pub mod policy;
pub mod refresh;
pub mod runner;
pub mod settings;
mod signature;
pub mod spool;
pub mod store;
pub mod vcmi_json;

pub use attempts::AttemptLimits;

use std::{
    pin::Pin,
    time::{SystemTime, UNIX_EPOCH},
};

/// What the rest of the program awaits. Code of a bare future is compiled by whoever awaits it, once more and for
/// speed: with all of SQL, AMQP and HTTP in it that took longer than the engine.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The same for what stays on its thread.
pub type BoxedLocal<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Accounts that something is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// The one of this name.
    Account(&'a str),
    /// All whose names begin so.
    Prefix(&'a str),
}

/// Seconds since 1970, UTC, with fraction.
pub fn unix_now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// A client for the HTTP services next to this server: rustls with ring and the roots that browsers trust, and a
/// time-out for the whole exchange.
///
/// # Errors
/// If the TLS set-up is refused.
pub(crate) fn http_client(timeout: std::time::Duration) -> reqwest::Result<reqwest::Client> {
    let ring = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(ring.into())
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_root_certificates(
            webpki_roots::TLS_SERVER_ROOTS
                .iter()
                .cloned()
                .collect::<rustls::RootCertStore>(),
        )
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(timeout)
        .build()
}
