//! Whether a database can be used, found out without anybody waiting for an answer.

use sqlx::{AssertSqlSafe, Executor, SqlitePool};

use super::{Database, Pool, begin, on_either};

impl Database {
    /// Whether the database answers, and an embedded one takes what is written, in the time that a call has. What fails is neither
    /// counted nor logged: nobody asked.
    pub(crate) async fn is_alive(&self) -> bool {
        let trying = async {
            match &self.write {
                Pool::Sqlite(pool) => write_what_is_there(pool).await,
                Pool::MySql(_) => {
                    on_either!(self.read, pool => sqlx::query("SELECT 1").execute(pool).await.map(|_| ()))
                }
            }
        };
        let tried = tokio::time::timeout(self.watch.deadline(), trying).await;
        matches!(tried, Ok(Ok(())))
    }
}

/// Writes the number of the schema over itself: a page goes to the disk, and nothing changes. In a transaction that has the write
/// lock, so that no other process has brought the schema up to date in between.
async fn write_what_is_there(pool: &SqlitePool) -> sqlx::Result<()> {
    let mut transaction = begin(pool, "BEGIN IMMEDIATE").await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await?;
    let written = format!("PRAGMA user_version = {version}");
    transaction
        .execute(sqlx::raw_sql(AssertSqlSafe(written.as_str())))
        .await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::{Connection, SqliteConnection};

    use super::*;
    use crate::store::StoreSettings;

    #[tokio::test]
    async fn a_store_that_takes_nothing_is_not_alive_until_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let url = format!("sqlite:{}?mode=rwc", file.display());
        let settings = StoreSettings {
            acquire_timeout: Duration::from_millis(200),
            call_deadline: Duration::from_millis(500),
            ..StoreSettings::default()
        };
        let database = Database::open(&url, &settings, &["CREATE TABLE t (a)"]).await;
        let database = database.unwrap();
        assert!(database.is_alive().await);
        let mut other = SqliteConnection::connect(&url).await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        assert!(!database.is_alive().await, "somebody else has the lock");
        other.execute("ROLLBACK").await.unwrap();
        // What was given up may still wait for the lock.
        while !database.is_alive().await {}
        let version: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut other)
            .await
            .unwrap();
        assert_eq!(version, 1);
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_not_alive() {
        let settings = StoreSettings {
            acquire_timeout: Duration::from_millis(200),
            ..StoreSettings::default()
        };
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("mysql://a:b@{}/c", nobody.local_addr().unwrap());
        drop(nobody);
        let database = Database::open(&url, &settings, &[]).await.unwrap();
        assert!(!database.is_alive().await);
    }
}
