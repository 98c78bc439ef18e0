//! How far the shared schema has been migrated: by another project, with Flyway, whose history is a table (spec: faf-newer,
//! "Newer" 6). Nothing here migrates anything.

use sqlx::AssertSqlSafe;

use super::Store;
use crate::store::{Pool, StoreError};

/// The migration that the newest reference server wants at least.
const WANTED: i64 = 136;

impl Store {
    /// Warns if the shared schema is older than what this server is meant for, or not known to be new enough. The embedded
    /// store sees to its own. `table`: where the migrations are listed.
    pub async fn warn_of_old_schema(&self, table: &str) {
        if self.is_embedded() {
            return;
        }
        match self.newest_migration(table).await {
            Ok(Some(version)) if version >= WANTED => {}
            Ok(Some(version)) => tracing::warn!(
                version,
                wanted = WANTED,
                "the database's schema is old: what it lacks does not work"
            ),
            Ok(None) => tracing::warn!(
                table,
                wanted = WANTED,
                "no successful migration of the database's schema is listed: it may be too old"
            ),
            Err(error) => tracing::warn!(%error, table, "the migrations could not be read"),
        }
    }

    /// The number of the newest migration that has succeeded; `None` if there is none, or no such table, or no server.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn newest_migration(&self, table: &str) -> Result<Option<i64>, StoreError> {
        let Pool::MySql(pool) = &self.database.read else {
            return Ok(None);
        };
        // A name, not a value: it can't be bound. What is no plain name is no table.
        if !table.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Ok(None);
        }
        let sql = format!(
            "SELECT CAST(MAX(CAST(version AS UNSIGNED)) AS SIGNED) FROM {table} WHERE success = 1"
        );
        let query = sqlx::query_scalar(AssertSqlSafe(sql.as_str()));
        let watch = &self.database.watch;
        let newest = watch.call_quietly(watch.deadline(), query.fetch_one(pool));
        match newest.await {
            Err(StoreError::Refused(_)) => Ok(None),
            outcome => outcome,
        }
    }
}
