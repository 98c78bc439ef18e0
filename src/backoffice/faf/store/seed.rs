//! What an open lobby's embedded store begins with, so that its games are rated and its queues run.

use sqlx::Executor;

use super::Store;
use crate::Boxed;
use crate::store::{Pool, StoreError, begin};

const STARTER: &str = include_str!("seed.sqlite.sql");

impl Store {
    /// Puts leaderboards, queues and maps into an embedded store that has no leaderboard. One that has, and any shared
    /// database, is somebody's and stays as it is.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn seed(&self) -> Boxed<'_, Result<(), StoreError>> {
        Box::pin(async move {
            const LEADERBOARDS: &str = "SELECT COUNT(*) FROM leaderboard";
            let Pool::Sqlite(pool) = &self.database.write else {
                return Ok(());
            };
            self.database
                .call("seed", async {
                    // The write lock may be somebody's for long, and only the first start needs it.
                    let there: i64 = sqlx::query_scalar(LEADERBOARDS).fetch_one(pool).await?;
                    if there > 0 {
                        return Ok(());
                    }
                    let mut transaction = begin(pool, self.database.begin()).await?;
                    let leaderboards: i64 = sqlx::query_scalar(LEADERBOARDS)
                        .fetch_one(&mut *transaction)
                        .await?;
                    if leaderboards == 0 {
                        transaction.execute(sqlx::raw_sql(STARTER)).await?;
                    }
                    transaction.commit().await
                })
                .await
        })
    }
}
