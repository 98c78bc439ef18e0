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
        let settings = StoreSettings {
            create,
            ..StoreSettings::default()
        };
        let database = Database::open_file(&Self::file(folder), &settings, &MIGRATIONS).await?;
        Ok(OperatorStore { database })
    }

    /// Closes it.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A folder `lobby%20data` had its bans in `lobby data`, and `a?b` in a file `a`.
    #[tokio::test]
    async fn the_folder_may_have_any_name() {
        let top = tempfile::tempdir().unwrap();
        for name in [
            "lobby%20data",
            "a?b",
            "a#b",
            "a b",
            "mode=memory",
            "file:x",
            "%",
            "plätze",
        ] {
            let folder = top.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let store = OperatorStore::open(&folder, true).await.unwrap();
            store.close().await;
            let of_top = std::fs::read_dir(top.path()).unwrap().count();
            assert!(OperatorStore::file(&folder).exists(), "{name}");
            assert_eq!(of_top, 1, "{name}");
            let again = OperatorStore::open(&folder, false).await;
            again.unwrap().close().await;
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }
}
