//! Databases: one of two back ends chosen by URL, and what every call to one is under. What is asked of it is each dialect's.
//!
//! * `sqlite:PATH` or `sqlite::memory:` — embedded; the file is created and brought up to date by itself.
//! * `mysql://…` or `mariadb://…` — the schema shared with other services (spec: faf-database). It belongs to another
//!   project: it is read and written here, never migrated.
//!
//! Every call ends within [`StoreSettings::call_deadline`].

mod alive;
pub mod care;
mod cause;
mod failure;
mod open;
mod reach;
pub(crate) mod time;
mod transaction;
pub(crate) mod value;

use std::sync::Arc;
use std::time::Duration;

use sqlx::{MySqlPool, SqlitePool};

pub(crate) use cause::{Cause, cause};
pub use failure::{Metrics, StoreError};
pub(crate) use failure::{Watch, is_deadlock};
pub use open::{OpenError, StoreSettings};
pub use reach::reach;
pub(crate) use transaction::begin;

/// How long a question waits for a free or new connection. Short, because somebody waits in front of a login window.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one call may take in all, waiting for a connection included. Longer than [`ACQUIRE_TIMEOUT`] by what a busy
/// but working database needs for a statement.
pub const CALL_DEADLINE: Duration = Duration::from_secs(8);
/// After this the MariaDB or MySQL server itself gives up on a statement, so that what was abandoned here does not go
/// on there.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(8);
/// Connections to a MariaDB or MySQL server for sign-ins; half as many are for what games must have written down, and for
/// everything else. One thread asks, so more would only queue over there.
pub const MAX_CONNECTIONS: u32 = 16;

/// Runs `$body` with one of a database's pools, of whichever back end it is.
macro_rules! on_either {
    ($chosen:expr, $pool:ident => $body:expr) => {
        match &$chosen {
            $crate::store::Pool::Sqlite($pool) => $body,
            $crate::store::Pool::MySql($pool) => $body,
        }
    };
}
pub(crate) use on_either;

/// The two back ends.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    MySql(MySqlPool),
}

/// A database. Shared by reference; every method may be called concurrently.
#[derive(Debug)]
pub(crate) struct Database {
    /// For what only reads.
    pub(crate) read: Pool,
    /// For what writes. The embedded store has one connection that does.
    pub(crate) write: Pool,
    /// For what games must have written down: on a server of its own connections.
    pub(crate) records: Pool,
    /// For signing in to a server, with connections of its own.
    pub(crate) sign_in: Pool,
    pub(crate) watch: Arc<Watch>,
}

impl Database {
    /// Runs one call with the deadline. A failure is counted and logged.
    pub(crate) async fn call<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = sqlx::Result<T>>,
    ) -> Result<T, StoreError> {
        self.watch.call(what, work).await
    }

    /// Whether the database answers at all.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn ready(&self) -> Result<(), StoreError> {
        self.call("ready", async {
            on_either!(self.read, pool => sqlx::query("SELECT 1").execute(pool).await.map(|_| ()))
        })
        .await
    }

    /// Closes all connections; what is under way is finished first, as long as it takes no longer than a call may.
    pub(crate) async fn close(&self) {
        let closing = async {
            for pool in [&self.read, &self.write, &self.records, &self.sign_in] {
                on_either!(*pool, pool => pool.close().await);
            }
        };
        let _ = tokio::time::timeout(self.watch.deadline(), closing).await;
    }

    /// Whether it is embedded.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.read, Pool::Sqlite(_))
    }

    /// How a transaction that writes begins. An embedded one's takes the write lock at once, as one that only reads at
    /// first could not get it later.
    pub(crate) fn begin(&self) -> &'static str {
        if self.is_embedded() {
            "BEGIN IMMEDIATE"
        } else {
            "BEGIN"
        }
    }

    /// Whether a statement is understood: the way to find out which revision of the shared schema this is.
    pub(crate) async fn probe(&self, statement: &'static str) -> sqlx::Result<bool> {
        let outcome =
            on_either!(self.read, pool => sqlx::query(statement).execute(pool).await.map(|_| ()));
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if cause(&error) == Cause::Refused || cause::is_denied(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
impl Database {
    /// Lets an embedded store's file grow no more, as a full disk does, or again: until the connection is closed that writes.
    pub(crate) async fn set_full(&self, is_full: bool) {
        let Pool::Sqlite(pool) = &self.write else {
            panic!("only an embedded store's file can be full")
        };
        let limit = match is_full {
            true => "PRAGMA max_page_count = 1", // SQLite takes what is there for the least
            false => "PRAGMA max_page_count = 1073741823",
        };
        sqlx::raw_sql(limit).execute(pool).await.unwrap();
    }

    /// Changes what an embedded store has in a way that its lobby does not.
    pub(crate) async fn change(&self, text: &'static str) {
        let Pool::Sqlite(pool) = &self.write else {
            panic!("only an embedded store is changed in this way")
        };
        sqlx::raw_sql(text).execute(pool).await.unwrap();
    }
}
