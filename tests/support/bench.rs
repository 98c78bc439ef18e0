//! A store with the test data on either back end, and the macro that runs each test on both.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use muster::backoffice::faf::store::{Arrival, Identity, Store};
use muster::backoffice::faf::{AttemptLimits, AuthMode, FafHandler};
use muster::backoffice::keys::KeyRing;
use muster::backoffice::store::StoreSettings;
use muster::lobby::faf::questions::Account;
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, SqliteConnection};

const SCHEMA: &str = include_str!("../fixtures/faf-schema.mysql.sql");
const DATA: &str = include_str!("../fixtures/faf-data.sql");

/// A store with the test data, and a way to look behind its back.
pub(crate) struct Bench {
    pub(crate) store: Arc<Store>,
    pub(crate) url: String,
    _folder: Option<tempfile::TempDir>,
}

pub(crate) const UNLIMITED: AttemptLimits = AttemptLimits {
    per_address: None,
    per_account: None,
};

impl Bench {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("muster.db").display());
        let store = Arc::new(Store::open(&url, &StoreSettings::default()).await.unwrap());
        let bench = Self {
            store,
            url,
            _folder: Some(folder),
        };
        bench.sql(DATA).await;
        bench
    }

    pub(crate) async fn mysql(server: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "muster_{}_{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let mut connection = MySqlConnection::connect(server).await.unwrap();
        let create = format!("CREATE DATABASE {name}");
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(create.as_str())))
            .await
            .unwrap();
        let url = format!("{}/{name}", server.trim_end_matches('/'));
        let store = Arc::new(Store::open(&url, &StoreSettings::default()).await.unwrap());
        let bench = Self {
            store,
            url,
            _folder: None,
        };
        bench.sql(SCHEMA).await;
        bench.sql(DATA).await;
        bench
    }

    /// Another look at a database that is there already.
    pub(crate) fn with(store: Arc<Store>, url: &str) -> Self {
        Self {
            store,
            url: url.to_owned(),
            _folder: None,
        }
    }

    pub(crate) async fn sql(&self, text: &str) {
        if self.store.is_embedded() {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            connection
                .execute(sqlx::raw_sql(AssertSqlSafe(text)))
                .await
                .unwrap();
        } else {
            let mut connection = MySqlConnection::connect(&self.url).await.unwrap();
            connection
                .execute(sqlx::raw_sql(AssertSqlSafe(text)))
                .await
                .unwrap();
        }
    }

    /// One text, or the word for nothing.
    pub(crate) async fn look(&self, query: &str) -> String {
        let text: Option<String> = if self.store.is_embedded() {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(AssertSqlSafe(query))
                .fetch_one(&mut connection)
                .await
                .unwrap()
        } else {
            let mut connection = MySqlConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(AssertSqlSafe(query))
                .fetch_one(&mut connection)
                .await
                .unwrap()
        };
        text.unwrap_or_else(|| "NULL".to_owned())
    }

    /// All that is shown of a player who signs in.
    pub(crate) async fn shown(&self, id: u32) -> Account {
        let arrival = Arrival {
            who: Identity {
                id,
                login: "somebody".to_owned(),
            },
            from: Ipv4Addr::LOCALHOST.into(),
            user_agent: None,
        };
        self.store.enter(arrival).await.unwrap()
    }

    /// One that lets anybody try to sign in as often as they like: many do so at once here.
    pub(crate) fn handler(&self, mode: AuthMode) -> FafHandler {
        FafHandler::new(
            self.store.clone(),
            Arc::new(KeyRing::new(None, Arc::default()).unwrap()),
            None,
            mode,
        )
        .with_attempt_limits(UNLIMITED)
    }

    pub(crate) async fn drop_database(&self) {
        self.store.close().await;
        if !self.store.is_embedded() {
            let name = self.url.rsplit('/').next().unwrap();
            self.sql(&format!("DROP DATABASE {name}")).await;
        }
    }
}

/// Defines each test twice: `name::sqlite`, and `name::mysql`, which is passed over without a server.
macro_rules! on_both {
    ($(async fn $name:ident($bench:ident: &Bench) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn body($bench: &Bench) $body

            #[tokio::test]
            pub(crate) async fn sqlite() {
                body(&Bench::sqlite().await).await;
            }

            #[tokio::test]
            async fn mysql() {
                let Ok(server) = std::env::var("MUSTER_TEST_MYSQL") else {
                    eprintln!("no MUSTER_TEST_MYSQL, passed over");
                    return;
                };
                let bench = Bench::mysql(&server).await;
                body(&bench).await;
                bench.drop_database().await;
            }
        }
    )+};
}
pub(crate) use on_both;
