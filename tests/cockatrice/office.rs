//! Signing in with accounts on the real binary: its store from the start to the next one, one that is not there yet, one that another
//! project made, and what is told of all that.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use cockatrice::messages::{
    CommandCreateGame, CommandJoinRoom, CommandLeaveGame, CommandListRooms, CommandLogin,
    GameCommandBody, Response, ResponseBody, ResponseCode as Code, RoomCommandBody,
    SessionCommandBody, SessionEventBody,
};
use sqlx::{
    AssertSqlSafe, Connection, Executor, MySqlConnection, Row, SqliteConnection, sqlite::SqliteRow,
};

use super::{
    client::Client,
    support::{
        http::get,
        server::{Backend, Server, Setup, muster, wait},
    },
    tcp,
};

const SCHEMA: &str = include_str!("../fixtures/cockatrice-schema.mysql.sql");

/// A server whose users have accounts, with these settings beside.
fn server(set: &[&str]) -> Server {
    let accounts = [
        "cockatrice.enabled=true",
        "cockatrice.auth=sql",
        "cockatrice.tcp_address=127.0.0.1:0",
        "cockatrice.websocket_address=",
        "cockatrice.server_id=3",
        "http.metrics_address=127.0.0.1:0",
    ];
    let set: Vec<String> = accounts
        .iter()
        .chain(set)
        .map(|&pair| pair.to_owned())
        .collect();
    let setup = Setup {
        backend: Backend::Sqlite,
        shards: 2,
        set: &set,
        sql: &[],
    };
    Server::start(&setup).expect("the server starts")
}

/// What comes of signing in.
fn answer(client: &mut Client, name: &str, password: &str) -> Response<'static> {
    let login = CommandLogin {
        user_name: Some(name.to_owned().into()),
        password: (!password.is_empty()).then(|| password.to_owned().into()),
        ..CommandLogin::default()
    };
    client.session(SessionCommandBody::Login(login))
}

/// Its code.
pub(super) fn sign_in(client: &mut Client, name: &str, password: &str) -> Code {
    let answer = answer(client, name, password);
    answer.response_code.expect("a code")
}

fn ready(server: &Server) -> u16 {
    let health = server.listener("http/health").expect("it listens");
    get(health, "/ready").expect("an answer").status
}

/// Waits until it holds.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A number from the server's embedded store.
fn count(server: &Server, query: &str) -> i64 {
    let row: SqliteRow = wait(async {
        let mut connection = SqliteConnection::connect(&embedded(server)).await?;
        sqlx::query(AssertSqlSafe(query))
            .fetch_one(&mut connection)
            .await
    })
    .expect("a count");
    row.get(0)
}

pub(super) fn embedded(server: &Server) -> String {
    format!("sqlite:{}", server.folder().join("cockatrice.db").display())
}

/// How many sessions are open in the embedded store.
fn open_sessions(server: &Server) -> i64 {
    count(
        server,
        "SELECT COUNT(*) FROM cockatrice_sessions WHERE end_time IS NULL",
    )
}

/// Adds an account with the password `secret`.
pub(super) fn add(server: &Server, name: &str, right: &str) {
    let mut add = muster(server.folder());
    add.args(["account", "--lobby", "cockatrice", "add", name]);
    add.args(["--password", "secret", "--right", right]);
    assert!(add.output().unwrap().status.success());
}

#[test]
fn accounts_sign_in_and_sessions_end_with_the_server() {
    let mut server = server(&[]);
    add(&server, "annika", "moderator");
    let mut ann = tcp(&server);
    assert_eq!(
        sign_in(&mut ann, "annika", "wrong"),
        Code::RespWrongPassword
    );
    let answer = answer(&mut ann, "ANNIKA", "secret");
    let Some(ResponseBody::Login(login)) = &answer.body else {
        panic!("{answer:?}");
    };
    let user = login.user_info.as_ref().expect("a record");
    assert_eq!(
        (user.name().to_string(), user.user_level()),
        ("annika".to_owned(), 7)
    );
    let mut guest = tcp(&server);
    assert_eq!(sign_in(&mut guest, "visitor", ""), Code::RespOk);
    until("both sessions are written down", || {
        open_sessions(&server) == 2
    });
    assert_eq!(ready(&server), 200);
    let metrics: SocketAddr = server.listener("http/metrics").expect("it listens");
    let page = get(metrics, "/").expect("a page").body;
    assert!(
        page.contains("muster_cockatrice_mails_sent_total"),
        "{page}"
    );
    server.crash();
    assert_eq!(open_sessions(&server), 2);
    server.restart().expect("it starts again");
    assert_eq!(
        open_sessions(&server),
        0,
        "those of the process before are over"
    );
}

// The store takes nothing while the game ends, and then the process dies.
#[test]
fn a_game_that_is_over_survives_a_crash() {
    let mut server = server(&[]);
    add(&server, "annika", "user");
    let mut ann = tcp(&server);
    assert_eq!(sign_in(&mut ann, "annika", "secret"), Code::RespOk);
    ann.session(SessionCommandBody::JoinRoom(CommandJoinRoom {
        room_id: Some(0),
    }));
    let create = CommandCreateGame {
        description: Some("a game of one".into()),
        max_players: Some(1),
        ..CommandCreateGame::default()
    };
    let created = ann.room(RoomCommandBody::CreateGame(create));
    assert_eq!(created.response_code, Some(Code::RespOk));
    let game = ann.until("the game", |message| {
        match message.session_event.clone()?.body? {
            SessionEventBody::GameJoined(joined) => Some(joined.game_info?.game_id()),
            _ => None,
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let lock = runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&embedded(&server)).await.unwrap();
        connection.execute("BEGIN IMMEDIATE").await.unwrap();
        connection
    });
    let leave = GameCommandBody::LeaveGame(CommandLeaveGame::default());
    ann.game(game, leave);
    let kept = server.folder().join("cockatrice/games");
    // One that is still being written does not count.
    let is_whole =
        |entry: &std::fs::DirEntry| !entry.file_name().to_string_lossy().ends_with(".new");
    let files = || std::fs::read_dir(&kept).map_or(0, |all| all.flatten().filter(is_whole).count());
    until("the game is on disk", || files() > 0);
    server.crash();
    runtime.block_on(lock.close()).unwrap();
    assert_eq!(count(&server, "SELECT COUNT(*) FROM cockatrice_replays"), 0);
    server.restart().expect("it starts again");
    until("the game is stored", || {
        count(
            &server,
            "SELECT COUNT(*) FROM cockatrice_games WHERE time_finished IS NOT NULL",
        ) == 1
    });
    assert_eq!(count(&server, "SELECT COUNT(*) FROM cockatrice_replays"), 1);
    assert_eq!(
        count(&server, "SELECT COUNT(*) FROM cockatrice_replays_access"),
        1
    );
    until("it is not kept any longer", || files() == 0);
}

#[test]
fn without_its_database_the_server_starts_and_refuses_sign_ins() {
    // Nothing listens there.
    let server = server(&["cockatrice.store_url=mysql://nobody@127.0.0.1:1/cards"]);
    assert_eq!(ready(&server), 503);
    let mut ann = tcp(&server);
    for _ in 0..2 {
        let code = sign_in(&mut ann, "annika", "secret");
        assert_eq!(code, Code::RespInternalError);
    }
}

/// A database of a MariaDB server, gone with this value.
pub(super) struct Database {
    server: String,
    name: String,
}

impl Database {
    /// A name for one, if there is a server.
    pub(super) fn to_be(what: &str) -> Option<Database> {
        let server = std::env::var("MUSTER_TEST_MYSQL").ok()?;
        let server = server.trim_end_matches('/').to_owned();
        let name = format!("muster_cards_{what}_{}", std::process::id());
        Some(Database { server, name })
    }

    pub(super) fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    fn run(&self, text: &str) {
        wait(async {
            let mut connection = MySqlConnection::connect(&format!("{}/", self.server)).await?;
            let text = sqlx::raw_sql(AssertSqlSafe(text));
            connection.execute(text).await?;
            connection.close().await
        })
        .expect("it is understood");
    }

    pub(super) fn create(&self) {
        let name = &self.name;
        self.run(&format!("CREATE DATABASE {name}; USE {name}; {SCHEMA}"));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.run(&format!("DROP DATABASE IF EXISTS {}", self.name));
    }
}

#[test]
fn a_database_that_comes_later_is_used_from_then_on() {
    let Some(database) = Database::to_be("later") else {
        eprintln!("no MUSTER_TEST_MYSQL, passed over");
        return;
    };
    let server = server(&[&format!("cockatrice.store_url={}", database.url())]);
    assert_eq!(ready(&server), 503);
    let mut ann = tcp(&server);
    assert_eq!(sign_in(&mut ann, "visitor", ""), Code::RespInternalError);
    database.create();
    until("it is ready", || ready(&server) == 200);
    assert_eq!(sign_in(&mut ann, "visitor", ""), Code::RespOk);
}

/// Names of the rooms that a user is told.
fn rooms(server: &Server) -> Vec<String> {
    let mut ann = tcp(server);
    assert_eq!(sign_in(&mut ann, "visitor", ""), Code::RespOk);
    ann.session(SessionCommandBody::ListRooms(CommandListRooms::default()));
    ann.until("rooms", |message| {
        match message.session_event.clone()?.body? {
            SessionEventBody::ListRooms(told) => {
                let rooms = told.room_list.iter();
                Some(rooms.map(|room| room.name().to_string()).collect())
            }
            _ => None,
        }
    })
}

#[test]
fn rooms_are_those_of_the_database_or_of_the_start_before() {
    let Some(database) = Database::to_be("rooms") else {
        eprintln!("no MUSTER_TEST_MYSQL, passed over");
        return;
    };
    database.create();
    database.run(&format!(
        "INSERT INTO {}.cockatrice_rooms (id, id_server, name, descr, permissionlevel, privlevel, auto_join, join_message, \
         chat_history_size) VALUES (4, 3, 'Cards', 'Play', 'NONE', 'NONE', 1, '', 5), (5, 3, 'Staff', '', 'MODERATOR', 'NONE', 0, \
         '', 0)",
        database.name
    ));
    let mut server = server(&[
        &format!("cockatrice.store_url={}", database.url()),
        "cockatrice.rooms_in_store=true",
    ]);
    assert_eq!(rooms(&server), ["Cards", "Staff"]);
    server.crash();
    database.run(&format!("DROP TABLE {}.cockatrice_rooms", database.name));
    server.restart().expect("it starts again");
    assert_eq!(rooms(&server), ["Cards", "Staff"]);
}
