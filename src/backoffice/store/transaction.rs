//! How transactions begin, and that none is left on a connection that is used again.
//!
//! SQLite ends a transaction by itself when the disk is full or fails, or there is no memory (sqlite.org/c3ref/get_autocommit). The
//! driver's `ROLLBACK` then fails, it counts the transaction as open for good, and each one that begins on that connection
//! fails. So every pool looks at a connection before it gives it away, and closes one with a transaction on it.

use sqlx::{Connection, Error, Pool, SqliteConnection, Transaction};

/// Begins a transaction. Whoever waits for it may be gone by then: it is rolled back, and not left open on a connection that others
/// use, which a server's would otherwise be between its `BEGIN` and the answer.
///
/// # Errors
/// The database's.
pub(crate) async fn begin<DB: sqlx::Database>(
    pool: &Pool<DB>,
    how: &'static str,
) -> sqlx::Result<Transaction<'static, DB>> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(how).await });
    begun.await.unwrap_or(Err(Error::WorkerCrashed))
}

/// Whether a connection may be used again: there is no transaction on it.
pub(super) fn is_clean(connection: &impl Connection) -> bool {
    let is_clean = !connection.is_in_transaction();
    if !is_clean {
        tracing::debug!("a connection is closed on which a transaction ended wrongly");
    }
    is_clean
}

/// Makes the only connection of a database in memory clean: with it the database would go. The driver is given a transaction to roll
/// back, unless there is one still; it does so when another one can't begin.
pub(super) async fn cleaned(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    if connection.is_in_transaction() {
        let _ = sqlx::raw_sql("BEGIN").execute(&mut *connection).await;
        let _ = connection.begin_with("BEGIN").await;
        connection.ping().await?;
    }
    Ok(())
}
