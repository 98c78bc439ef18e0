//! A transaction of either back end.

use sqlx::{AssertSqlSafe, MySql, Sqlite};

use super::Pool;
use crate::store::{
    begin,
    value::{Row, Statement, bound},
};

/// One that has begun. Dropped, it comes to nothing.
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    MySql(sqlx::Transaction<'static, MySql>),
}

impl Transaction {
    pub(super) async fn begin(pool: &Pool, how: &'static str) -> sqlx::Result<Self> {
        Ok(match pool {
            Pool::Sqlite(pool) => Transaction::Sqlite(begin(pool, how).await?),
            Pool::MySql(pool) => Transaction::MySql(begin(pool, how).await?),
        })
    }

    pub(super) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Transaction::Sqlite(transaction) => transaction.commit().await,
            Transaction::MySql(transaction) => transaction.commit().await,
        }
    }

    pub(super) fn is_embedded(&self) -> bool {
        matches!(self, Transaction::Sqlite(_))
    }

    /// All rows that a statement finds.
    pub(super) async fn rows<T: Row>(
        &mut self,
        (text, values): Statement<'_>,
    ) -> sqlx::Result<Vec<T>> {
        match self {
            Transaction::Sqlite(transaction) => {
                let query = sqlx::query_as(AssertSqlSafe(text));
                bound!(query, values).fetch_all(&mut **transaction).await
            }
            Transaction::MySql(transaction) => {
                let query = sqlx::query_as(AssertSqlSafe(text));
                bound!(query, values).fetch_all(&mut **transaction).await
            }
        }
    }

    /// The first row that a statement finds.
    pub(super) async fn row<T: Row>(
        &mut self,
        statement: Statement<'_>,
    ) -> sqlx::Result<Option<T>> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// The number that a statement finds.
    pub(super) async fn number(&mut self, statement: Statement<'_>) -> sqlx::Result<i64> {
        let found = self.row::<(i64,)>(statement).await?;
        Ok(found.map_or(0, |(number,)| number))
    }

    /// Runs a statement that changes something.
    pub(super) async fn run(&mut self, (text, values): Statement<'_>) -> sqlx::Result<()> {
        match self {
            Transaction::Sqlite(transaction) => {
                let query = sqlx::query(AssertSqlSafe(text));
                bound!(query, values).execute(&mut **transaction).await?;
            }
            Transaction::MySql(transaction) => {
                let query = sqlx::query(AssertSqlSafe(text));
                bound!(query, values).execute(&mut **transaction).await?;
            }
        }
        Ok(())
    }
}
