//! A store with some accounts on either back end, and the macro that runs each test on both.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use cockatrice::{
    accounts::{hash, salt_of},
    messages::{Response, ResponseBody, ResponseCode, decode, encode},
};
use lobby::cockatrice::questions::{
    Answer, Ask, Outcome, Password, Refusal, SignIn, SignedIn, Who,
};
use settings::{Group as _, Values};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, SqliteConnection};
use tokio::sync::watch;

use super::player::accounts::ACCOUNTS;
use crate::{
    AttemptLimits,
    cockatrice::{
        CockatriceHandler,
        rules::Rules,
        settings::Accounts,
        store::{NewAccount, Store},
    },
    store::StoreSettings,
};

const SCHEMA: &str = include_str!("../../../../tests/fixtures/cockatrice-schema.mysql.sql");
/// Other shapes of the tables whose columns the specification does not name.
pub(super) const IDS: &str =
    include_str!("../../../../tests/fixtures/cockatrice-variants/ids.mysql.sql");
pub(super) const NAMES: &str =
    include_str!("../../../../tests/fixtures/cockatrice-variants/names.mysql.sql");
const SALT: &str = "0123456789abcdef";
/// What two of the accounts are besides.
const BESIDES: &str = "UPDATE cockatrice_users SET privlevel = 'VIP' WHERE name = 'vipvera'; \
    UPDATE cockatrice_users SET active = 0, token = 'TOKEN0123456789a' WHERE name = 'inacta'";

pub(super) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const UNLIMITED: AttemptLimits = AttemptLimits {
    per_address: None,
    per_account: None,
};

/// A handler, and a way to look behind its back.
pub(super) struct Bench {
    pub(super) handler: CockatriceHandler,
    pub(super) store: Arc<Store>,
    pub(super) url: String,
    folder: Option<tempfile::TempDir>,
}

/// The settings' defaults, with names as short as those of the recorded dialogues.
pub(super) fn settings() -> Accounts {
    let mut settings = Accounts::read(&Values::defaults(&Accounts::keys()));
    settings.names.min_length = 4;
    settings.names.punctuation = "_.-".to_owned();
    settings.names.words = "badword".to_owned();
    settings
}

/// A handler that goes by these settings, until others are told.
pub(super) fn handler(
    store: Arc<Store>,
    settings: Accounts,
    attempts: AttemptLimits,
) -> (CockatriceHandler, watch::Sender<Arc<Rules>>) {
    let (renewal, holding) = watch::channel(Arc::new(Rules::new(settings).unwrap()));
    (CockatriceHandler::new(store, holding, attempts), renewal)
}

/// An empty database of the reference's schema; its URL.
pub(super) async fn mysql_database(server: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("muster_cockatrice_{}_{number}", std::process::id());
    let url = format!("{}/{name}", server.trim_end_matches('/'));
    let create = format!("CREATE DATABASE {name}");
    run(server, &create).await;
    run(&url, SCHEMA).await;
    url
}

pub(super) async fn run(url: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        let text = sqlx::raw_sql(AssertSqlSafe(text));
        connection.execute(text).await.unwrap();
    } else {
        let mut connection = MySqlConnection::connect(url).await.unwrap();
        let text = sqlx::raw_sql(AssertSqlSafe(text));
        connection.execute(text).await.unwrap();
    }
}

impl Bench {
    pub(super) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("cockatrice.db").display());
        Bench::of(url, Some(folder)).await
    }

    /// On a server, whose schema these statements change before it is looked at.
    pub(super) async fn mysql(server: &str, variant: &str) -> Self {
        let url = mysql_database(server).await;
        run(&url, variant).await;
        Bench::of(url, None).await
    }

    async fn of(url: String, folder: Option<tempfile::TempDir>) -> Self {
        let store = Store::open(&url, "cockatrice_", 3, &StoreSettings::default()).await;
        let store = Arc::new(store.unwrap());
        for (name, password, admin, email, country, real_name) in ACCOUNTS {
            let new = NewAccount {
                name,
                password: &hash(password, SALT),
                email,
                country,
                real_name,
                token: None,
                admin,
            };
            store.create(&new).await.unwrap().unwrap();
        }
        run(&url, BESIDES).await;
        let (handler, _) = handler(store.clone(), settings(), UNLIMITED);
        Bench {
            handler,
            store,
            url,
            folder,
        }
    }

    /// Another handler of the same store.
    pub(super) fn with(&self, change: impl FnOnce(&mut Accounts)) -> CockatriceHandler {
        let mut settings = settings();
        change(&mut settings);
        handler(self.store.clone(), settings, UNLIMITED).0
    }

    /// Another handler, and the way to have it go by other rules.
    pub(super) fn renewable(&self) -> (CockatriceHandler, watch::Sender<Arc<Rules>>) {
        handler(self.store.clone(), settings(), UNLIMITED)
    }

    pub(super) async fn sql(&self, text: &str) {
        run(&self.url, text).await;
    }

    /// One text, or the word for nothing.
    pub(super) async fn look(&self, query: &str) -> String {
        let text: Option<String> = if self.url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            let query = sqlx::query_scalar(AssertSqlSafe(query));
            query.fetch_one(&mut connection).await.unwrap()
        } else {
            let mut connection = MySqlConnection::connect(&self.url).await.unwrap();
            let query = sqlx::query_scalar(AssertSqlSafe(query));
            query.fetch_one(&mut connection).await.unwrap()
        };
        text.unwrap_or_else(|| "NULL".to_owned())
    }

    /// The column of a table that has this in its name.
    pub(super) async fn column(&self, table: &str, part: &str) -> String {
        let (names, also) = match self.store.is_embedded() {
            true => ("name FROM pragma_table_info", ""),
            false => (
                "CAST(column_name AS CHAR) FROM information_schema.columns",
                "table_schema = DATABASE() AND table_name",
            ),
        };
        self.look(&match also {
            "" => format!("SELECT {names}('{table}') WHERE name LIKE '%{part}%'"),
            also => {
                format!("SELECT {names} WHERE {also} = '{table}' AND column_name LIKE '%{part}%'")
            }
        })
        .await
    }

    pub(super) async fn end(self) {
        self.store.close().await;
        if self.folder.is_none() {
            let name = self.url.rsplit('/').next().unwrap();
            self.sql(&format!("DROP DATABASE {name}")).await;
        }
    }

    /// Whoever has this account.
    pub(super) async fn who(&self, name: &str) -> Who {
        let found = self.store.find(name).await.unwrap().unwrap();
        Who {
            id: found.account.id,
            is_moderator: found.account.level().is_moderator(),
            name: found.account.name,
            address: "192.0.2.7".into(),
            client_id: format!("cid-{name}").into(),
            showed_password: false,
        }
    }

    /// What comes of a command.
    pub(super) async fn outcome(&self, ask: impl Into<Ask>) -> Outcome {
        outcome(&self.handler, ask).await
    }

    pub(super) async fn code(&self, ask: impl Into<Ask>) -> ResponseCode {
        self.outcome(ask).await.code
    }

    pub(super) async fn sign_in(&self, name: &str, password: &str) -> Result<SignedIn, Refusal> {
        sign_in(&self.handler, name, Password::Plain(password.into())).await
    }
}

pub(super) async fn outcome(handler: &CockatriceHandler, ask: impl Into<Ask>) -> Outcome {
    match handler.handle(ask.into()).await {
        Answer::Register(outcome)
        | Answer::ChangeAccount(outcome)
        | Answer::AskDecks(outcome)
        | Answer::AskReplays(outcome)
        | Answer::AskReports(outcome)
        | Answer::Moderate(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn sign_in(
    handler: &CockatriceHandler,
    name: &str,
    password: Password,
) -> Result<SignedIn, Refusal> {
    let ask = SignIn {
        name: name.into(),
        password,
        client_id: format!("cid-{name}").into(),
        address: HERE,
        counted: Some(HERE),
    };
    match handler.handle(ask.into()).await {
        Answer::SignIn(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// The hash that a client sends.
pub(super) fn hashed(password: &str, stored: &str) -> Password {
    Password::Hashed(hash(password, salt_of(stored)).into())
}

/// What a response says, as a client reads it.
pub(super) fn said(outcome: &Outcome, look: impl FnOnce(ResponseBody<'_>)) {
    let content = outcome.body.as_ref().expect("a content");
    let shell = Response {
        cmd_id: Some(1),
        response_code: Some(outcome.code),
        body: None,
    };
    let mut bytes = encode(&shell);
    bytes.extend_from_slice(content);
    let response: Response<'_> = decode(&bytes).expect("a response");
    look(response.body.expect("a known content"));
}

/// Runs a test on a server, or passes it over without one.
pub(super) async fn on_server(variant: &str, body: impl AsyncFnOnce(&Bench)) {
    let Ok(server) = std::env::var("MUSTER_TEST_MYSQL") else {
        eprintln!("no MUSTER_TEST_MYSQL, passed over");
        return;
    };
    let bench = Bench::mysql(&server, variant).await;
    body(&bench).await;
    bench.end().await;
}

/// Defines each test twice: `name::sqlite`, and `name::mysql`, which is passed over without a server.
macro_rules! on_both {
    ($(async fn $name:ident($bench:ident: &Bench) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn body($bench: &Bench) $body

            #[tokio::test]
            async fn sqlite() {
                body(&Bench::sqlite().await).await;
            }

            #[tokio::test]
            async fn mysql() {
                crate::cockatrice::tests::bench::on_server("", body).await;
            }
        }
    )+};
}
pub(super) use on_both;

/// The same, and on a server with other shapes of the tables whose columns the specification does not name.
macro_rules! on_all {
    ($(async fn $name:ident($bench:ident: &Bench) $body:block)+) => {$(
        mod $name {
            use super::*;
            use crate::cockatrice::tests::bench::{IDS, NAMES, on_server};

            async fn body($bench: &Bench) $body

            #[tokio::test]
            async fn sqlite() {
                body(&Bench::sqlite().await).await;
            }

            #[tokio::test]
            async fn mysql() {
                on_server("", body).await;
            }

            #[tokio::test]
            async fn ids() {
                on_server(IDS, body).await;
            }

            #[tokio::test]
            async fn names() {
                on_server(NAMES, body).await;
            }
        }
    )+};
}
pub(super) use on_all;
