//! What operators have done, and whom they keep out: a small embedded store in the data folder, beside those of the lobbies.
//!
//! | file | what it is |
//! |---|---|
//! | `audit` | who has done what, on whom, why and when |
//! | `sanctions` | networks and names that are kept out, and names that are silenced, for whoever has no store for that |
//!
//! Both are bounded: the audit by number and age, sanctions by number.

mod audit;
mod sanctions;

use std::path::{Path, PathBuf};

use crate::store::{Database, OpenError, StoreSettings};

pub use audit::{Entry, KEPT, KEPT_FOR, KEPT_OF_STRANGERS, Search};
pub use sanctions::{Kind, MOST, Sanction};

/// The steps that make the store what it is today. One that has been released is never changed.
const MIGRATIONS: [&str; 1] = [include_str!("schema-1.sqlite.sql")];

/// The store. Shared by reference; every method may be called concurrently.
#[derive(Debug)]
pub struct OperatorStore {
    database: Database,
}

impl OperatorStore {
    /// Where it is in a data folder.
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("operator.db")
    }

    /// Opens it. `create` makes one where there is none.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn open(folder: &Path, create: bool) -> Result<OperatorStore, OpenError> {
        let url = format!("sqlite:{}", Self::file(folder).display());
        let settings = StoreSettings {
            create,
            ..StoreSettings::default()
        };
        let database = Database::open(&url, &settings, &MIGRATIONS).await?;
        Ok(OperatorStore { database })
    }

    /// Closes it.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
