//! One way to run a statement on either back end: its text, with `~` where the tables' prefix goes, and its values.

use sqlx::AssertSqlSafe;

use super::{Store, compose::Composed};
pub(super) use crate::store::value::{Row, Statement, Value, values};
use crate::store::{Pool, StoreError, begin, value::bound};

/// What a statement has done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    /// Rows that it found to change.
    pub(super) rows: u64,
    /// The id of the row that it has put in.
    pub(super) id: i64,
}

/// Which connections a statement runs on.
#[derive(Clone, Copy, Debug)]
pub(super) enum On {
    /// Those that read.
    Read,
    /// Those that write.
    Write,
    /// Those of sign-ins.
    SignIn,
    /// Those of what must be written down.
    Records,
}

impl Store {
    fn pool(&self, on: On) -> &Pool {
        match on {
            On::Read => &self.database.read,
            On::Write => &self.database.write,
            On::SignIn => &self.database.sign_in,
            On::Records => &self.database.records,
        }
    }

    /// A statement's text with the tables' prefix.
    pub(super) fn prefixed(&self, text: &str) -> String {
        text.replace('~', &self.prefix)
    }

    /// All rows that a statement finds.
    pub(super) async fn rows<T: Row>(
        &self,
        on: On,
        what: &'static str,
        (text, values): Statement<'_>,
    ) -> Result<Vec<T>, StoreError> {
        self.rows_of(on, what, self.prefixed(text), values).await
    }

    /// The same, for a text that was put together of parts of this program's own.
    pub(super) async fn rows_of<T: Row>(
        &self,
        on: On,
        what: &'static str,
        text: String,
        values: Vec<Value<'_>>,
    ) -> Result<Vec<T>, StoreError> {
        let text = self.prefixed(&text);
        self.database
            .call(what, async {
                match self.pool(on) {
                    Pool::Sqlite(pool) => {
                        let query = sqlx::query_as(AssertSqlSafe(text));
                        bound!(query, values).fetch_all(pool).await
                    }
                    Pool::MySql(pool) => {
                        let query = sqlx::query_as(AssertSqlSafe(text));
                        bound!(query, values).fetch_all(pool).await
                    }
                }
            })
            .await
    }

    /// The first row that a statement finds.
    pub(super) async fn row<T: Row>(
        &self,
        on: On,
        what: &'static str,
        statement: Statement<'_>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.rows(on, what, statement).await?.into_iter().next())
    }

    /// Runs a statement that changes something.
    pub(super) async fn run(
        &self,
        on: On,
        what: &'static str,
        (text, values): Statement<'_>,
    ) -> Result<Done, StoreError> {
        self.run_of(on, what, (text.to_owned(), values)).await
    }

    /// The same, for a text that was put together of parts of this program's own.
    pub(super) async fn run_of(
        &self,
        on: On,
        what: &'static str,
        statement: Composed<'_>,
    ) -> Result<Done, StoreError> {
        let done = self.run_all_of(on, what, vec![statement]).await?;
        done.into_iter()
            .next()
            .ok_or(StoreError::Unfit("a statement that was not run"))
    }

    /// Runs statements, all of them or none.
    pub(super) async fn run_all(
        &self,
        on: On,
        what: &'static str,
        statements: Vec<Statement<'_>>,
    ) -> Result<Vec<Done>, StoreError> {
        let statements = statements.into_iter();
        let statements = statements.map(|(text, values)| (text.to_owned(), values));
        let statements = statements.collect();
        self.run_all_of(on, what, statements).await
    }

    /// The same, for texts that were put together of parts of this program's own.
    pub(super) async fn run_all_of(
        &self,
        on: On,
        what: &'static str,
        statements: Vec<Composed<'_>>,
    ) -> Result<Vec<Done>, StoreError> {
        let how = self.database.begin();
        let mut done = Vec::with_capacity(statements.len());
        self.database
            .call(what, async {
                match self.pool(on) {
                    Pool::Sqlite(pool) => {
                        let mut transaction = begin(pool, how).await?;
                        for (text, values) in statements {
                            let query = sqlx::query(AssertSqlSafe(self.prefixed(&text)));
                            let ran = bound!(query, values).execute(&mut *transaction).await?;
                            done.push(Done {
                                rows: ran.rows_affected(),
                                id: ran.last_insert_rowid(),
                            });
                        }
                        transaction.commit().await
                    }
                    Pool::MySql(pool) => {
                        let mut transaction = begin(pool, how).await?;
                        for (text, values) in statements {
                            let query = sqlx::query(AssertSqlSafe(self.prefixed(&text)));
                            let ran = bound!(query, values).execute(&mut *transaction).await?;
                            done.push(Done {
                                rows: ran.rows_affected(),
                                id: i64::try_from(ran.last_insert_id()).unwrap_or(0),
                            });
                        }
                        transaction.commit().await
                    }
                }
            })
            .await?;
        Ok(done)
    }
}
