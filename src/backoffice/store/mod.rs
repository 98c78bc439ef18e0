//! The store: typed questions to a SQL database, one of two back ends chosen by URL.
//!
//! * `sqlite:PATH` or `sqlite::memory:` — embedded; the file is created and brought up to date by itself.
//! * `mysql://…` or `mariadb://…` — the schema shared with other services (spec: faf-database). It belongs to another
//!   project: it is read and written here, never migrated.
//!
//! One statement text serves both wherever the dialects agree, which is nearly everywhere. Three habits make that
//! possible: integers are read as `CAST(… AS SIGNED)`, so that the width and sign of a column do not matter; FLOAT
//! columns and times are read as `CAST(… AS CHAR)`, which is also how the reference gets its six significant digits;
//! and whatever is compared with the present is compared in Rust.
//!
//! Every call ends within [`StoreSettings::call_deadline`].

mod accounts;
mod admin;
mod avatars;
mod failure;
mod games;
mod open;
mod play;
mod portrait;
mod queues;
mod ratings;
mod reference;
mod seed;
mod sign_ins;
mod time;
mod vault;

use std::sync::Arc;
use std::time::Duration;

use sqlx::{MySqlPool, SqlitePool};
use tokio::sync::OnceCell;

use lobby::question::StoreFailure;

pub use accounts::{Found, Identity};
pub use admin::{AccountLine, BanLevel, NewBan};
pub use failure::Failures;
pub use open::{OpenError, StoreSettings};
pub use ratings::Rating;
pub use sign_ins::{Arrival, Who};

use play::MapCache;

/// How long a question waits for a free or new connection. Short, because somebody waits in front of a login window.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one call may take in all, waiting for a connection included. Longer than [`ACQUIRE_TIMEOUT`] by what a busy
/// but working database needs for a statement.
pub const CALL_DEADLINE: Duration = Duration::from_secs(8);
/// After this the MariaDB or MySQL server itself gives up on a statement, so that what was abandoned here does not go
/// on there.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(8);
/// Connections to a MariaDB or MySQL server. One thread asks, so more would only queue over there.
pub const MAX_CONNECTIONS: u32 = 16;

/// Runs `$body` with the pool of whichever back end is in use.
macro_rules! on_either {
    ($store:expr, $pool:ident => $body:expr) => {
        match &$store.pool {
            $crate::store::Pool::Sqlite($pool) => $body,
            $crate::store::Pool::MySql($pool) => $body,
        }
    };
}
use on_either;

/// The two back ends.
#[derive(Debug)]
enum Pool {
    Sqlite(SqlitePool),
    MySql(MySqlPool),
}

/// The store. Shared by reference; every method may be called concurrently.
#[derive(Debug)]
pub struct Store {
    pool: Pool,
    watch: Arc<failure::Watch>,
    /// Where those wait who sign in, if several of them are handled at once.
    sign_ins: Option<sign_ins::Desk>,
    maps: MapCache,
    /// Whether `login.avatar_id` exists (spec: faf-database 2.1, N#1095). Found out once.
    has_avatar_id: OnceCell<bool>,
    /// Whether `game_join_log.ip` exists (spec: faf-messages 3.8, N#1048). Found out once.
    has_join_ip: OnceCell<bool>,
    /// Whether `game_stats.gameType` holds names, not numbers (spec: faf-database 2.2, N#1040). Found out once.
    has_victory_names: OnceCell<bool>,
    /// Whether `matchmaker_queue_map_pool` has vetoes (spec: faf-database 2.5, N#1033). Found out once.
    has_vetoes: OnceCell<bool>,
}

impl Store {
    /// Whether the database answers at all.
    ///
    /// # Errors
    /// [`StoreFailure`]
    pub async fn ready(&self) -> Result<(), StoreFailure> {
        self.call("ready", async {
            on_either!(self, pool => sqlx::query("SELECT 1").execute(pool).await.map(|_| ()))
        })
        .await
    }

    /// Closes all connections; what is under way is finished first, as long as it takes no longer than a call may.
    pub async fn close(&self) {
        let closing = async { on_either!(self, pool => pool.close().await) };
        let _ = tokio::time::timeout(self.watch.deadline(), closing).await;
    }

    /// Whether this is the embedded store.
    pub fn is_embedded(&self) -> bool {
        matches!(self.pool, Pool::Sqlite(_))
    }

    /// How a transaction that writes begins. The embedded store's takes the write lock at once, as one that only reads at
    /// first could not get it later.
    fn begin(&self) -> &'static str {
        if self.is_embedded() {
            "BEGIN IMMEDIATE"
        } else {
            "BEGIN"
        }
    }

    /// Whether a statement is understood: the way to find out which revision of the shared schema this is.
    async fn probe(&self, statement: &'static str) -> sqlx::Result<bool> {
        let outcome =
            on_either!(self, pool => sqlx::query(statement).execute(pool).await.map(|_| ()));
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if failure::kind(&error) == StoreFailure::Failed => Ok(false),
            Err(error) => Err(error),
        }
    }
}
