//! Opening a database: which back end a URL means, how its connections are set up, and how an embedded one is brought up to
//! date.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Executor, MySqlPool, SqlitePool};

use super::{
    ACQUIRE_TIMEOUT, CALL_DEADLINE, Database, MAX_CONNECTIONS, Metrics, Pool, STATEMENT_TIMEOUT,
    failure,
};

/// Connections to the embedded store's file: one writer at a time anyway, a few readers beside it.
const SQLITE_CONNECTIONS: u32 = 4;
/// How long a statement waits for another process that writes to the same file, say `muster account`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What can be tuned; the defaults are right unless a test wants to be quick.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// See [`ACQUIRE_TIMEOUT`].
    pub acquire_timeout: Duration,
    /// See [`CALL_DEADLINE`].
    pub call_deadline: Duration,
    /// See [`MAX_CONNECTIONS`]. The embedded store has its own number.
    pub max_connections: u32,
    /// Where failed statements are counted.
    pub metrics: Arc<Metrics>,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            acquire_timeout: ACQUIRE_TIMEOUT,
            call_deadline: CALL_DEADLINE,
            max_connections: MAX_CONNECTIONS,
            metrics: Arc::default(),
        }
    }
}

/// Why a store could not be opened. None of these tells the URL, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither `sqlite:` nor `mysql://` nor `mariadb://`.
    #[error("the store's URL must start with sqlite:, mysql:// or mariadb://")]
    Scheme,
    /// Not understood as a URL of its kind.
    #[error("the store's URL is not understood")]
    Url,
    /// The file was written by a newer muster.
    #[error("the embedded store is of version {found}, this program knows up to {known}")]
    Newer {
        /// What the file says.
        found: i64,
        /// What this program can do.
        known: usize,
    },
    /// The embedded store's file can't be opened or brought up to date.
    #[error("the embedded store can't be opened")]
    Embedded(#[source] sqlx::Error),
}

impl Database {
    /// Opens the database that `url` names. An embedded one is created, and brought up to date by those of the `migrations`
    /// that it has not seen; their number is kept in `PRAGMA user_version`. A MariaDB or MySQL server need not be up yet:
    /// connections are made when they are needed; ask [`Database::ready`].
    ///
    /// # Errors
    /// [`OpenError`]
    pub(crate) async fn open(
        url: &str,
        settings: &StoreSettings,
        migrations: &[&'static str],
    ) -> Result<Self, OpenError> {
        let pool = if url.starts_with("sqlite:") {
            Pool::Sqlite(open_sqlite(url, settings, migrations).await?)
        } else if let Some(rest) = url
            .strip_prefix("mysql://")
            .or_else(|| url.strip_prefix("mariadb://"))
        {
            Pool::MySql(open_mysql(rest, settings)?)
        } else {
            return Err(OpenError::Scheme);
        };
        let watch = failure::Watch::new(settings.call_deadline, settings.metrics.clone());
        Ok(Database {
            pool,
            watch: Arc::new(watch),
        })
    }
}

async fn open_sqlite(
    url: &str,
    settings: &StoreSettings,
    migrations: &[&'static str],
) -> Result<SqlitePool, OpenError> {
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| OpenError::Url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true);
    let pool = SqlitePoolOptions::new()
        // A database in memory is one connection: it must not be doubled, and never be dropped for being idle.
        .max_connections(if in_memory { 1 } else { SQLITE_CONNECTIONS })
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(settings.acquire_timeout)
        .connect_with(options)
        .await
        .map_err(OpenError::Embedded)?;
    migrate(&pool, migrations).await?;
    Ok(pool)
}

/// Does the steps that are missing, each together with its number or not at all. Two processes that start at once are
/// kept apart by the write lock.
async fn migrate(pool: &SqlitePool, migrations: &[&'static str]) -> Result<(), OpenError> {
    let mut transaction = pool
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(OpenError::Embedded)?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await
        .map_err(OpenError::Embedded)?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > migrations.len() {
        return Err(OpenError::Newer {
            found,
            known: migrations.len(),
        });
    }
    for (step, text) in migrations.iter().enumerate().skip(done) {
        transaction
            .execute(sqlx::raw_sql(*text))
            .await
            .map_err(OpenError::Embedded)?;
        let number = format!("PRAGMA user_version = {}", step + 1);
        transaction
            .execute(sqlx::raw_sql(AssertSqlSafe(number.as_str())))
            .await
            .map_err(OpenError::Embedded)?;
    }
    transaction.commit().await.map_err(OpenError::Embedded)
}

fn open_mysql(rest: &str, settings: &StoreSettings) -> Result<MySqlPool, OpenError> {
    // UTC, and counts of matched rather than of changed rows (spec: faf-database 1); the latter is how this driver
    // always connects.
    let mut options = MySqlConnectOptions::from_str(&format!("mysql://{rest}"))
        .map_err(|_| OpenError::Url)?
        .timezone(Some("+00:00".to_owned()));
    if !rest.contains("collation=") {
        // What a server takes by itself depends on its version.
        options = options.collation("utf8mb4_unicode_ci");
    }
    Ok(MySqlPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.acquire_timeout)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // MariaDB counts seconds, MySQL milliseconds under another name and for SELECT only. A server that
                // knows neither is still of use: the deadline here holds anyway.
                let seconds = STATEMENT_TIMEOUT.as_secs();
                let mariadb = format!("SET SESSION max_statement_time = {seconds}");
                if connection
                    .execute(sqlx::raw_sql(AssertSqlSafe(mariadb.as_str())))
                    .await
                    .is_err()
                {
                    let mysql = format!("SET SESSION max_execution_time = {}", seconds * 1_000);
                    let _ = connection
                        .execute(sqlx::raw_sql(AssertSqlSafe(mysql.as_str())))
                        .await;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options))
}
