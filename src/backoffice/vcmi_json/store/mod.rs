//! The store of VCMI's JSON lobby (spec: vcmi-lobby2 8): the reference's tables, in a file of SQLite or on a MariaDB or MySQL
//! server.
//!
//! One text of a statement serves both back ends. Three habits make that possible: integers and times are read as `CAST(… AS
//! SIGNED)` and `CAST(… AS CHAR)`; times are written by this program, in UTC; lists are put in order by the running number, as
//! times are whole seconds. Cookies are stored as hashes only: those are random enough that a fast one will do.

mod begin;
mod statistics;
mod steps;
mod transaction;

use std::sync::atomic::AtomicU32;

pub use statistics::{Chat, RoomLine, Statistics};
#[cfg(test)]
pub(super) use steps::PUZZLING;

use sha2::{Digest, Sha256};

use self::transaction::Transaction;
use crate::{
    Boxed,
    store::{Database, OpenError, Pool, StoreSettings, time},
};

/// The steps that make the embedded store what it is today. A step that has been released is never changed; a new one is added.
const MIGRATIONS: [&str; 1] = [include_str!("schema-1.sqlite.sql")];
/// The version that an embedded store has which this program has brought up to date.
pub const VERSION: usize = MIGRATIONS.len();

/// The same tables for a server, where they are made if they are not there.
const ON_A_SERVER: &str = include_str!("schema.mysql.sql");

/// What stored cookies begin with that are hashes.
const HASHED: &str = "sha256:";

/// The store. Shared by reference; every method may be called concurrently.
#[derive(Debug)]
pub struct Store {
    pub(super) database: Database,
    /// How often in a row steps have failed for a reason that is not known.
    puzzling: AtomicU32,
}

impl Store {
    /// Opens the store that `url` names. An embedded one is created and migrated. A MariaDB or MySQL server need not be up yet.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open<'a>(
        url: &'a str,
        settings: &'a StoreSettings,
    ) -> Boxed<'a, Result<Self, OpenError>> {
        Box::pin(async move {
            let database = Database::open(url, settings, &MIGRATIONS).await?;
            let puzzling = AtomicU32::new(0);
            Ok(Store { database, puzzling })
        })
    }

    /// Whether the database answers, and an embedded one takes what is written. What fails is neither counted nor logged.
    pub async fn is_alive(&self) -> bool {
        self.database.is_alive().await
    }

    /// Closes all connections; what is under way is finished first, as long as it takes no longer than a call may.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// A transaction that writes. To be used within a call.
    async fn writing(&self) -> sqlx::Result<Transaction> {
        Transaction::begin(&self.database.records, self.database.begin()).await
    }

    /// A transaction that only reads.
    async fn reading(&self) -> sqlx::Result<Transaction> {
        Transaction::begin(&self.database.read, "BEGIN").await
    }
}

/// What is stored of a cookie.
fn hashed(cookie: &str) -> String {
    use std::fmt::Write as _;
    let mut out = HASHED.to_owned();
    for byte in Sha256::digest(cookie.as_bytes()) {
        let _ = write!(out, "{byte:02x}"); // into a String: cannot fail
    }
    out
}

/// Unix seconds as the database writes them.
fn moment(at: u64) -> String {
    time::format(at as f64)
}

/// Unix seconds of a database's time; 0 of none.
fn seconds(text: Option<&str>) -> u64 {
    text.and_then(time::parse)
        .map_or(0, |at| at.max(0.0) as u64)
}
