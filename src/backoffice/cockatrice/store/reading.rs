//! Reads what tables and columns there are: once, when the schema is looked at.

use std::sync::{Arc, PoisonError};

use super::{
    Store,
    columns::{Column, Columns},
    shape::{Gap, Shape, Table},
    sql::{On, values},
    tables::Tables,
};
use crate::store::StoreError;

impl Store {
    /// The columns of a table. There are none if there is no such table.
    pub(super) async fn columns(&self, table: &str) -> Result<Columns, StoreError> {
        type Row = (String, String, i64);
        let text = match self.is_embedded() {
            true => {
                "SELECT name, lower(type), 1 - \"notnull\" FROM pragma_table_info(?) ORDER BY cid"
            }
            false => {
                "SELECT CAST(column_name AS CHAR), LOWER(CAST(data_type AS CHAR)), \
                 CAST(is_nullable = 'YES' AS SIGNED) FROM information_schema.columns \
                 WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position"
            }
        };
        let table = format!("{}{table}", self.prefix);
        let rows: Vec<Row> = self
            .rows(On::Read, "columns", (text, values![&*table]))
            .await?;
        let accounts = self.columns_of_accounts(&table).await?;
        let column = |(name, kind, nullable): Row| {
            let is_account = accounts.contains(&name);
            Column::new(name, &kind, nullable != 0, is_account)
        };
        Ok(Columns::new(rows.into_iter().map(column)))
    }

    /// Those of them that are foreign keys to accounts. The embedded store has none.
    async fn columns_of_accounts(&self, table: &str) -> Result<Vec<String>, StoreError> {
        if self.is_embedded() {
            return Ok(Vec::new());
        }
        let text = "SELECT CAST(column_name AS CHAR) FROM information_schema.key_column_usage \
             WHERE table_schema = DATABASE() AND table_name = ? AND referenced_table_name = ? \
             AND referenced_column_name = 'id'";
        let users = format!("{}users", self.prefix);
        let rows: Vec<(String,)> = self
            .rows(On::Read, "foreign keys", (text, values![table, users]))
            .await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }

    /// Reads all tables that the lobby can do without, and keeps what was read.
    pub(super) async fn read_tables(&self) -> Result<Arc<Tables>, StoreError> {
        let tables = Arc::new(self.all_tables().await?);
        let mut kept = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(tables.clone());
        Ok(tables)
    }

    /// The tables as they were when the schema was looked at; looks at them if it has not been yet.
    pub(super) async fn tables(&self) -> Result<Arc<Tables>, StoreError> {
        let kept = || {
            let kept = self.tables.read().unwrap_or_else(PoisonError::into_inner);
            kept.clone()
        };
        match kept() {
            Some(tables) => Ok(tables),
            None => self.read_tables().await,
        }
    }

    /// What the database of a server does not have, and the lobby does without.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn gaps(&self) -> Result<Vec<Gap>, StoreError> {
        match self.is_embedded() {
            true => Ok(Vec::new()),
            false => Ok(self.tables().await?.gaps()),
        }
    }

    async fn all_tables(&self) -> Result<Tables, StoreError> {
        Ok(Tables {
            reports: self.table().await?,
            comments: self.table().await?,
            log: self.table().await?,
            audit: self.table().await?,
            analytics: self.table().await?,
            messages: self.table().await?,
            art: self.table().await?,
            requests: self.table().await?,
            activations: self.table().await?,
            warnings: self.table().await?,
            uptime: self.table().await?,
        })
    }

    async fn table<T: Shape>(&self) -> Result<Table<T>, StoreError> {
        let columns = self.columns(T::PURPOSE.table).await?;
        Ok(Table::of(&columns))
    }
}
