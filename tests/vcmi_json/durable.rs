//! What survives an orderly end and a crash, on either kind of database; an existing file of the reference's form.

use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};

use super::{client::Client, matches, server, server_on};
use crate::support::server::{Backend, Server, wait};

fn connect(server: &Server) -> Client {
    Client::connect(server.listener("vcmi-json").expect("it listens"))
}

fn said(all: &[Value]) -> Vec<String> {
    let history = all.iter().find(|one| one["type"] == "chatHistory");
    let messages = history.and_then(|one| one["messages"].as_array());
    let messages = messages.expect("a history").iter();
    let text = |one: &Value| one["messageText"].as_str().map(str::to_owned);
    messages.filter_map(text).collect()
}

/// What a client has been told is in the store, whatever happens to the process right then. checklist: vcmi-json 97, 98
#[test]
fn what_was_told_survives_a_crash() {
    for &backend in Backend::all() {
        let url = match backend {
            Backend::Sqlite => None,
            Backend::MySql => std::env::var("MUSTER_TEST_MYSQL").ok(),
        };
        let name = format!("muster_json_{}", std::process::id());
        let more = url.as_ref().map(|url| {
            let url = url.trim_end_matches('/');
            wait(async {
                let mut connection = sqlx::MySqlConnection::connect(&format!("{url}/")).await?;
                let text = format!("CREATE OR REPLACE DATABASE {name}");
                connection
                    .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(text.as_str())))
                    .await?;
                connection.close().await
            })
            .expect("a database of its own");
            format!("vcmi_json.store_url={url}/{name}")
        });
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let mut server = server_on(backend, 2, &more);
        let mut table = matches::table(&server);
        for at in 0..20 {
            let text = format!("line {at}");
            table.host.send(&json!({
                "type": "sendChatMessage", "channelType": "global", "channelName": "english", "messageText": text
            }));
        }
        for _ in 0..20 {
            table.host.until("chatMessage");
        }
        table.host.send(&json!({
            "type": "sendChatMessage", "channelType": "player", "channelName": table.ids[1].0, "messageText": "psst"
        }));
        table.host.until("chatMessage");
        table.control.send(&json!({ "type": "gameStarted" }));
        loop {
            let rooms = table.host.until("activeGameRooms");
            if rooms["gameRooms"][0]["status"] == "busy" {
                break;
            }
        }
        server.crash();
        server.restart().expect("it starts again");
        let mut host = connect(&server);
        let all = host.login(&table.ids[0].0, &table.ids[0].1);
        let expected: Vec<String> = (0..20).map(|at| format!("line {at}")).collect();
        assert_eq!(said(&all), expected);
        let matches = &all[all.len() - 1]["matchesHistory"];
        assert_eq!(matches[0]["status"], "closed");
        assert_eq!(matches[0]["participants"].as_array().map(Vec::len), Some(2));
        host.send(&json!({
            "type": "requestChatHistory", "channelType": "player", "channelName": table.ids[1].0
        }));
        let history = host.until("chatHistory");
        assert_eq!(history["messages"][0]["messageText"], "psst");
        let mut other = connect(&server);
        other.send(&json!({
            "type": "clientRegister", "displayName": "HOSTING", "language": "x", "version": "1"
        }));
        assert_eq!(other.message()["reason"], "Account name already in use");
        // By itself MariaDB takes it for the one without a blank.
        let with_blank = format!("{} ", table.ids[0].0);
        let refused = connect(&server).login(&with_blank, &table.ids[0].1);
        assert_eq!(refused[0]["reason"], "Account not found", "{backend:?}");
    }
}

/// checklist: vcmi-json 87, 88
#[test]
fn a_file_of_the_reference_is_taken_over_and_its_cookies_are_hashed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("vcmiLobby.db");
    let run = |statement: &'static str| {
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true);
        wait(async {
            let mut connection = options.disable_statement_logging().connect().await?;
            let rows = sqlx::raw_sql(statement).fetch_all(&mut connection).await?;
            connection.close().await?;
            let first = rows.first();
            Ok(first.and_then(|row| sqlx::Row::try_get::<String, _>(row, 0).ok()))
        })
        .expect("it runs")
    };
    run("CREATE TABLE accounts (id INTEGER PRIMARY KEY AUTOINCREMENT, accountID TEXT, displayName TEXT, online INTEGER NOT NULL,
            lastLoginTime TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL, creationTime TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL);
         CREATE TABLE accountCookies (id INTEGER PRIMARY KEY AUTOINCREMENT, accountID TEXT, cookieUUID TEXT,
            creationTime TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL);
         CREATE TABLE chatMessages (id INTEGER PRIMARY KEY AUTOINCREMENT, senderName TEXT, channelType TEXT, channelName TEXT,
            messageText TEXT, creationTime TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL);
         INSERT INTO accounts (accountID, displayName, online) VALUES ('old-id', 'veteran', 1);
         INSERT INTO accountCookies (accountID, cookieUUID) VALUES ('old-id', 'old-cookie');
         INSERT INTO chatMessages (senderName, channelType, channelName, messageText) VALUES ('old-id', 'global', 'english', 'old line');");
    let url = format!("vcmi_json.store_url=sqlite:{}", file.display());
    let server = server(1, &[&url]);
    let mut client = connect(&server);
    let all = client.login("old-id", "old-cookie");
    assert_eq!(all[0]["displayName"], "veteran", "{all:?}");
    assert_eq!(said(&all), ["old line"]);
    let stored = run("SELECT cookieUUID FROM accountCookies").expect("a cookie");
    assert!(stored.starts_with("sha256:"), "{stored}");
    let bytes = std::fs::read(&file).expect("it can be read");
    let plain = bytes.windows(10).any(|window| window == b"old-cookie");
    assert!(!plain, "nothing of it is left in the file");
}

/// checklist: vcmi-json 101
#[test]
fn a_stranger_who_says_nothing_is_disconnected() {
    let server = server(2, &["vcmi_json.handshake_s=1"]);
    let mut silent = connect(&server);
    assert_eq!(silent.frame(), None);
    // Too long a frame ends it long before that.
    let server = super::server(1, &[]);
    let mut long = connect(&server);
    long.send_raw(&((64u32 << 20) + 1).to_le_bytes());
    assert_eq!(long.frame(), None);
}
