//! The Cockatrice lobby's store (spec: cockatrice-behaviour 16): typed questions to its database.
//!
//! One text of a statement serves both back ends. Three habits make that possible: integers and times are read as `CAST(… AS
//! SIGNED)` and `CAST(… AS CHAR)`; times are written by this program, in UTC; whatever is compared with the present is compared in
//! Rust. Names of accounts are compared without case by the columns themselves. On a server every statement is one that a session
//! without strict mode understands, as the schema relies on that.
//!
//! Columns that the specification does not name are read from the database (`reading`) and matched by what they are for (`columns`, `shape`, `tables`); statements about them are
//! composed of what was found (`compose`).

mod accounts;
mod art;
mod columns;
mod comments;
mod compose;
mod decks;
mod games;
mod log;
mod log_columns;
mod mail;
mod moderation;
mod reading;
mod replays;
mod report_columns;
mod reports;
mod rooms;
mod schema;
mod sessions;
mod shape;
mod sql;
mod status;
mod tables;

pub use accounts::NewAccount;
pub(super) use accounts::{Column, Found};
pub(super) use comments::{Comment, Missed};
pub(super) use decks::{File, Folder, MOST_DECKS};
pub(super) use log::{Said, Search};
pub(super) use mail::Waiting;
pub(super) use moderation::Ban;
pub(super) use replays::Match;
pub(super) use reports::{Of, Report, Stats};
pub use schema::SCHEMA_VERSION;
pub(super) use sessions::{Alt, Visit};
pub use shape::Gap;

use std::sync::{Arc, RwLock};

use self::tables::Tables;
use crate::{
    Boxed,
    store::{Database, OpenError, StoreError, StoreSettings, time},
    unix_now,
};

/// The steps that make the embedded store what it is today. A step that has been released is never changed; a new one is added.
const MIGRATIONS: [&str; 2] = [
    include_str!("schema-1.sqlite.sql"),
    include_str!("schema-2.sqlite.sql"),
];
/// The version that an embedded store has which this program has brought up to date.
pub const VERSION: usize = MIGRATIONS.len();

/// What the embedded store's tables' names begin with.
const PREFIX: &str = "cockatrice_";

/// The store. Shared by reference; every method may be called concurrently.
#[derive(Debug)]
pub struct Store {
    pub(in crate::cockatrice) database: Database,
    prefix: String,
    /// The id of this server in tables that several share.
    server: i64,
    /// What is known of the tables that need not be there, once they have been looked at.
    tables: RwLock<Option<Arc<Tables>>>,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The database itself.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A server that is not there, or does not answer.
    #[error("the database can't be reached")]
    Unreached,
    /// A prefix that is no name.
    #[error("a prefix of tables has letters, digits and _ only, at most 32")]
    Prefix,
    /// A schema of another version.
    #[error("the database's schema is of version {found}, this program needs {SCHEMA_VERSION}")]
    Version {
        /// What it says.
        found: i64,
    },
    /// Columns that are not there.
    #[error("the database's schema lacks {0}")]
    Lacks(String),
}

impl Store {
    /// Opens the store that `url` names. An embedded one is created and migrated. A MariaDB or MySQL server need not be up yet;
    /// if it is, its schema is looked at. `prefix`: what its tables' names begin with. `server`: this server's id there.
    ///
    /// # Errors
    /// [`Unusable`]
    pub fn open<'a>(
        url: &'a str,
        prefix: &'a str,
        server: u32,
        settings: &'a StoreSettings,
    ) -> Boxed<'a, Result<Self, Unusable>> {
        Box::pin(async move {
            if !is_prefix(prefix) {
                return Err(Unusable::Prefix);
            }
            let settings = StoreSettings {
                lenient: true,
                ..settings.clone()
            };
            let database = Database::open(url, &settings, &MIGRATIONS).await?;
            let embedded = database.is_embedded();
            let store = Store {
                database,
                prefix: if embedded { PREFIX } else { prefix }.to_owned(),
                server: server.into(),
                tables: RwLock::default(),
            };
            match store.check_schema().await {
                Ok(()) | Err(Unusable::Unreached) => Ok(store),
                Err(error) => Err(error),
            }
        })
    }

    /// Whether it is there, and its schema is one that is known.
    ///
    /// # Errors
    /// [`Unusable`]
    pub fn look(&self) -> Boxed<'_, Result<(), Unusable>> {
        Box::pin(self.check_schema())
    }

    /// What a server does before it uses the store: looks at the schema, if it is another project's, and ends the sessions that an
    /// earlier process of this server has left open, which is none that began after this moment.
    ///
    /// # Errors
    /// [`Unusable`]
    pub fn begin(&self, begun: f64) -> Boxed<'_, Result<(), Unusable>> {
        Box::pin(async move {
            self.check_schema().await?;
            let closed = self.close_sessions_before(begun).await;
            closed.map(|_| ()).map_err(|_| Unusable::Unreached)
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

/// Whether tables' names may begin with it: it becomes part of statements.
pub(super) fn is_prefix(text: &str) -> bool {
    text.len() <= 32 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The present, as the database writes it.
fn now() -> String {
    time::format(unix_now())
}

/// The moment so many seconds ago.
fn ago(seconds: f64) -> String {
    time::format(unix_now() - seconds)
}

/// Unix seconds of a database's time; 0 of none.
fn seconds(text: Option<&str>) -> u64 {
    text.and_then(time::parse)
        .map_or(0, |at| at.max(0.0) as u64)
}
