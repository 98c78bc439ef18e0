//! The FAF lobby's store: typed questions to its database.
//!
//! One statement text serves both back ends wherever the dialects agree, which is nearly everywhere. Three habits make that
//! possible: integers are read as `CAST(… AS SIGNED)`, so that the width and sign of a column do not matter; FLOAT
//! columns and times are read as `CAST(… AS CHAR)`, which is also how the reference gets its six significant digits;
//! and whatever is compared with the present is compared in Rust.

mod accounts;
mod admin;
mod avatars;
mod deleting;
mod games;
mod migrations;
mod play;
mod portrait;
mod queues;
mod ratings;
mod reference;
mod rows;
mod seed;
mod sign_ins;
mod vault;

use std::sync::atomic::AtomicBool;

use tokio::sync::OnceCell;

pub use admin::{AccountLine, BanLevel, NewBan};
pub use ratings::Rating;
pub use rows::{Found, Identity};
pub use sign_ins::{Arrival, Who};

use crate::Boxed;
use crate::store::{Database, OpenError, StoreError, StoreSettings};
use play::MapCache;

/// The steps that make the embedded store what it is today. A step that has been released is never changed; a new one is
/// added.
const MIGRATIONS: [&str; 1] = [include_str!("schema-1.sqlite.sql")];
/// The version that an embedded store has which this program has brought up to date.
pub const VERSION: usize = MIGRATIONS.len();

/// The store. Shared by reference; every method may be called concurrently.
#[derive(Debug)]
pub struct Store {
    pub(in crate::faf) database: Database,
    /// Where those wait who sign in.
    sign_ins: sign_ins::Queues,
    maps: MapCache,
    /// Whether `login.avatar_id` exists (spec: faf-database 2.1, N#1095). Found out once.
    has_avatar_id: OnceCell<bool>,
    /// Whether `game_join_log.ip` exists (spec: faf-messages 3.8, N#1048). Found out once.
    has_join_ip: OnceCell<bool>,
    /// The last attempt to join was not noted, and the log tells so.
    join_log_fails: AtomicBool,
    /// Whether `game_stats.gameType` holds names, not numbers (spec: faf-database 2.2, N#1040). Found out once.
    has_victory_names: OnceCell<bool>,
    /// Whether `matchmaker_queue_map_pool` has vetoes (spec: faf-database 2.5, N#1033). Found out once.
    has_vetoes: OnceCell<bool>,
}

impl Store {
    /// Opens the store that `url` names. An embedded one is created and migrated. A MariaDB or MySQL server need not be
    /// up yet: connections are made when they are needed; ask [`Store::ready`].
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open<'a>(
        url: &'a str,
        settings: &'a StoreSettings,
    ) -> Boxed<'a, Result<Self, OpenError>> {
        Box::pin(async move {
            let database = Database::open(url, settings, &MIGRATIONS).await?;
            let sign_ins = sign_ins::Queues::open(&database);
            Ok(Self {
                database,
                sign_ins,
                maps: MapCache::default(),
                has_avatar_id: OnceCell::new(),
                has_join_ip: OnceCell::new(),
                join_log_fails: AtomicBool::new(false),
                has_victory_names: OnceCell::new(),
                has_vetoes: OnceCell::new(),
            })
        })
    }

    /// Whether the database answers at all.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.database.ready().await
    }

    /// Whether the database answers, and an embedded one takes what is written. What fails is neither counted nor logged.
    pub async fn is_alive(&self) -> bool {
        self.database.is_alive().await
    }

    /// Closes all connections; what is under way is finished first, as long as it takes no longer than a call may.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Whether this is the embedded store.
    pub fn is_embedded(&self) -> bool {
        self.database.is_embedded()
    }
}
