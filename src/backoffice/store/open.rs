//! Opening a database: which back end a URL means, how its connections are set up, and how an embedded one is brought up to
//! date.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlPool, SqlitePool};

use super::{
    ACQUIRE_TIMEOUT, CALL_DEADLINE, Database, MAX_CONNECTIONS, Metrics, Pool, STATEMENT_TIMEOUT,
    begin, care, failure,
    transaction::{cleaned, is_clean},
};

/// Connections to the embedded store's file that read, beside the one that writes.
const SQLITE_READERS: u32 = 3;
/// What SQLite writes at a time, at least.
const PAGE_BYTES: usize = 4096;
/// How long a statement waits for another process that writes to the same file, say `muster account`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that has been used within this time is used again without asking its server whether it is there, which took
/// as many trips as the statements themselves. In a storm of sign-ins every connection is taken again at once. No longer than
/// that: a database that comes back after having closed its connections must not be met with one of these.
const FRESH_FOR: Duration = Duration::from_millis(20);

/// What can be tuned; the defaults are right unless a test wants to be quick.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// See [`ACQUIRE_TIMEOUT`].
    pub acquire_timeout: Duration,
    /// See [`CALL_DEADLINE`].
    pub call_deadline: Duration,
    /// See [`MAX_CONNECTIONS`]. The embedded store has its own number.
    pub max_connections: u32,
    /// Has a MariaDB or MySQL server fill in columns that a statement leaves out, and cut what is too long for its column: what a
    /// schema relies on whose columns are not all known.
    pub lenient: bool,
    /// Makes an embedded store that is not there.
    pub create: bool,
    /// Where failed statements are counted.
    pub metrics: Arc<Metrics>,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            acquire_timeout: ACQUIRE_TIMEOUT,
            call_deadline: CALL_DEADLINE,
            max_connections: MAX_CONNECTIONS,
            lenient: false,
            create: true,
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
    /// There is none, and none is to be made.
    #[error("there is no store {} yet", file.display())]
    Absent {
        /// Where the embedded store would be.
        file: PathBuf,
    },
    /// The file was written by a newer muster.
    #[error("the store's file {} is of version {found}, this program knows up to {known}", file.display())]
    Newer {
        /// The embedded store.
        file: PathBuf,
        /// What the file says.
        found: usize,
        /// What this program can do.
        known: usize,
    },
    /// The embedded store's file can't be opened or brought up to date.
    #[error("the store's file {} can't be opened: {why}", file.display())]
    Embedded {
        /// The embedded store.
        file: PathBuf,
        /// What SQLite says (no database, a full disk), and what the system says where SQLite only knows that it could not.
        why: String,
    },
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
        if url.starts_with("sqlite:") {
            let in_memory = url.contains(":memory:") || url.contains("mode=memory");
            let options = SqliteConnectOptions::from_str(url).map_err(|_| OpenError::Url)?;
            open_sqlite(options, in_memory, settings, migrations).await
        } else if let Some(rest) = url
            .strip_prefix("mysql://")
            .or_else(|| url.strip_prefix("mariadb://"))
        {
            open_mysql(rest, settings)
        } else {
            Err(OpenError::Scheme)
        }
    }

    /// The same for the embedded store in this file, of whatever name: in a URL some characters mean something.
    ///
    /// # Errors
    /// [`OpenError`]
    pub(crate) async fn open_file(
        file: &Path,
        settings: &StoreSettings,
        migrations: &[&'static str],
    ) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::new().filename(file);
        open_sqlite(options, false, settings, migrations).await
    }
}

fn watch(settings: &StoreSettings) -> Arc<failure::Watch> {
    let watch = failure::Watch::new(settings.call_deadline, settings.metrics.clone());
    Arc::new(watch)
}

/// One connection writes, with what it has committed on the disk before it says so: a game that is settled goes from where
/// finished games are kept. Those that read can't write, so that nobody waits for this process's own lock.
async fn open_sqlite(
    options: SqliteConnectOptions,
    in_memory: bool,
    settings: &StoreSettings,
    migrations: &[&'static str],
) -> Result<Database, OpenError> {
    let options = options
        .create_if_missing(settings.create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true);
    let file = options.get_filename().to_owned();
    let embedded = |error: sqlx::Error| OpenError::Embedded {
        why: reason(&error, &file),
        file: file.clone(),
    };
    if !in_memory && !settings.create && !file.exists() {
        return Err(OpenError::Absent { file });
    }
    if !in_memory {
        // If it can't be made, SQLite says why below.
        let _ = care::make_private(&file);
    }
    let pool = |connections| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            // A database in memory is one connection: it must never be dropped for being idle.
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(settings.acquire_timeout)
            .before_acquire(move |connection, _| {
                Box::pin(async move {
                    if in_memory {
                        cleaned(connection).await?;
                    }
                    Ok(in_memory || is_clean(connection))
                })
            })
    };
    let writer = pool(1).connect_with(options.clone()).await;
    let writer = writer.map_err(embedded)?;
    let found = migrate(&writer, migrations).await.map_err(embedded)?;
    if found > migrations.len() {
        return Err(OpenError::Newer {
            file,
            found,
            known: migrations.len(),
        });
    }
    let reader = if in_memory {
        writer.clone()
    } else {
        let options = options.pragma("query_only", "ON");
        let reader = pool(SQLITE_READERS).connect_with(options).await;
        reader.map_err(embedded)?
    };
    Ok(Database {
        read: Pool::Sqlite(reader),
        write: Pool::Sqlite(writer.clone()),
        records: Pool::Sqlite(writer.clone()),
        sign_in: Pool::Sqlite(writer),
        watch: watch(settings),
    })
}

/// Does the steps that are missing, each together with its number or not at all. Two processes that start at once are
/// kept apart by the write lock, which one with nothing to do does not take: somebody may have it for long. Gives the
/// number of the last step that was done, perhaps by a newer program.
async fn migrate(pool: &SqlitePool, migrations: &[&'static str]) -> sqlx::Result<usize> {
    const DONE: &str = "PRAGMA user_version";
    let number = |found: i64| usize::try_from(found).unwrap_or(usize::MAX);
    let found = number(sqlx::query_scalar(DONE).fetch_one(pool).await?);
    if found >= migrations.len() {
        return Ok(found);
    }
    let mut transaction = begin(pool, "BEGIN IMMEDIATE").await?;
    let found: i64 = sqlx::query_scalar(DONE)
        .fetch_one(&mut *transaction)
        .await?;
    let found = number(found);
    for (step, text) in migrations.iter().enumerate().skip(found) {
        transaction.execute(sqlx::raw_sql(*text)).await?;
        let number = format!("PRAGMA user_version = {}", step + 1);
        transaction
            .execute(sqlx::raw_sql(AssertSqlSafe(number.as_str())))
            .await?;
    }
    transaction.commit().await?;
    Ok(found.max(migrations.len()))
}

/// What SQLite says, and what the system says of the same file.
fn reason(error: &sqlx::Error, file: &Path) -> String {
    let said = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    };
    match try_out(file) {
        Ok(()) => said,
        Err(error) => format!("{said}: {error}"),
    }
}

/// What the embedded store needs: a file that can be read and written, and a folder that takes files beside it.
fn try_out(file: &Path) -> io::Result<()> {
    if let Err(error) = File::options().read(true).write(true).open(file)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let beside = file.with_extension("tried");
    let written = File::create(&beside).and_then(|mut new| {
        new.write_all(&[0; PAGE_BYTES])?;
        new.sync_all()
    });
    let _ = fs::remove_file(&beside); // not there if it could not be made
    written
}

/// Three pools, so that whatever holds up one kind of question leaves the others their connections.
fn open_mysql(rest: &str, settings: &StoreSettings) -> Result<Database, OpenError> {
    // UTC, and counts of matched rather than of changed rows (spec: faf-database 1); the latter is how this driver
    // always connects.
    let mut options = MySqlConnectOptions::from_str(&format!("mysql://{rest}"))
        .map_err(|_| OpenError::Url)?
        .timezone(Some("+00:00".to_owned()));
    if !rest.contains("collation=") {
        // What a server takes by itself depends on its version.
        options = options.collation("utf8mb4_unicode_ci");
    }
    let pool = |connections| Pool::MySql(mysql_pool(connections, settings, options.clone()));
    let some = settings.max_connections.div_ceil(2);
    let general = pool(some);
    Ok(Database {
        read: general.clone(),
        write: general,
        records: pool(some),
        sign_in: pool(settings.max_connections),
        watch: watch(settings),
    })
}

fn mysql_pool(
    connections: u32,
    settings: &StoreSettings,
    options: MySqlConnectOptions,
) -> MySqlPool {
    let lenient = settings.lenient;
    MySqlPoolOptions::new()
        .max_connections(connections)
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                let is_there = used.idle_for < FRESH_FOR || connection.ping().await.is_ok();
                Ok(is_there && is_clean(connection))
            })
        })
        .acquire_timeout(settings.acquire_timeout)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if lenient {
                    let mode = "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION'";
                    connection.execute(sqlx::raw_sql(mode)).await?;
                }
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
        .connect_lazy_with(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(url: &str) -> String {
        let opened = Database::open(url, &StoreSettings::default(), &[]).await;
        opened.expect_err("must be refused").to_string()
    }

    #[tokio::test]
    async fn a_store_that_cant_be_opened_says_which_file_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("muster.db");
        fs::write(&file, "this is no database ".repeat(100)).unwrap();
        let text = refusal(&format!("sqlite:{}", file.display())).await;
        assert!(text.contains("muster.db"), "{text}");
        assert!(text.ends_with("file is not a database"), "{text}");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        let text = refusal(&format!("sqlite:{}", file.display())).await;
        assert!(
            text.contains("muster.db") && text.contains("Is a directory"),
            "{text}"
        );
        let text = refusal("sqlite:/nowhere/at/all/muster.db").await;
        assert!(
            text.contains("/nowhere/at/all/muster.db") && text.contains("No such file"),
            "{text}"
        );
    }
}
