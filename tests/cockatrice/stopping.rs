//! An orderly stop while games go on: they are closed in the sight of whoever is in them, and in the store before the process is gone,
//! or on disk until the next start if the store does not answer. On both stores, on one shard and on two.

use std::{fs, process::Command};

use cockatrice::messages::{
    CloseReason, CommandCreateGame, CommandJoinGame, CommandJoinRoom, CommandShutdownServer,
    GameEventBody, GameReplay, ResponseCode as Code, RoomCommandBody, RoomEventBody, ServerMessage,
    SessionCommandBody, SessionEventBody, decode,
};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, Row, SqliteConnection};

use super::{
    begin,
    client::Client,
    office::{Database, embedded, sign_in, until},
    support::{
        proxy::{Line, Proxy},
        server::{Backend, Server, Setup, muster, wait},
    },
    tcp,
};

/// Everything of a game that is over is in the store.
const FINISHED: &str = "SELECT COUNT(*) FROM cockatrice_games WHERE time_finished IS NOT NULL";

/// A server whose users have accounts: annika, who is an administrator, bobbie and carlos.
struct Cards {
    server: Server,
    /// Between the server and the database.
    proxy: Option<Proxy>,
    /// None: the store is the embedded one.
    database: Option<Database>,
}

/// Whether the store is the embedded one; MariaDB is one more if it is there.
fn stores() -> impl Iterator<Item = bool> {
    Backend::all()
        .iter()
        .map(|&backend| backend == Backend::Sqlite)
}

impl Cards {
    fn start(shards: u16, is_embedded: bool, grace_s: u32) -> Cards {
        let database = (!is_embedded).then(|| Database::to_be("stopping").expect("a server"));
        let mut set = vec![
            "cockatrice.enabled=true".to_owned(),
            "cockatrice.auth=sql".to_owned(),
            "cockatrice.tcp_address=127.0.0.1:0".to_owned(),
            "cockatrice.websocket_address=".to_owned(),
            format!("server.stop_grace_s={grace_s}"),
        ];
        let mut proxy = None;
        if let Some(database) = &database {
            database.create();
            let (before, url) = Proxy::before(&database.url());
            proxy = Some(before);
            set.push(format!("cockatrice.store_url={url}"));
        }
        let setup = Setup {
            backend: Backend::Sqlite,
            shards,
            set: &set,
            sql: &[],
        };
        let server = Server::start(&setup).expect("the server starts");
        let cards = Cards {
            server,
            proxy,
            database,
        };
        for (name, right) in [
            ("annika", "administrator"),
            ("bobbie", "user"),
            ("carlos", "user"),
        ] {
            let mut add = cards.muster();
            add.args(["account", "--lobby", "cockatrice", "add", name]);
            add.args(["--password", "secret", "--right", right]);
            assert!(add.output().unwrap().status.success());
        }
        cards
    }

    fn muster(&self) -> Command {
        let mut command = muster(self.server.folder());
        if let Some(database) = &self.database {
            let url = format!("cockatrice.store_url={}", database.url());
            command.args(["--set", &url]);
        }
        command
    }

    fn member(&self, name: &str) -> Client {
        let mut client = tcp(&self.server);
        assert_eq!(sign_in(&mut client, name, "secret"), Code::RespOk);
        let join = CommandJoinRoom { room_id: Some(0) };
        client.session(SessionCommandBody::JoinRoom(join));
        client
    }

    /// The first column of what a query finds.
    fn texts(&self, query: &str) -> Vec<String> {
        let rows = match &self.database {
            Some(database) => wait(async {
                let mut connection = MySqlConnection::connect(&database.url()).await?;
                let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&mut connection);
                rows.await?.iter().map(|row| row.try_get(0)).collect()
            }),
            None => wait(async {
                let mut connection = SqliteConnection::connect(&embedded(&self.server)).await?;
                let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&mut connection);
                rows.await?.iter().map(|row| row.try_get(0)).collect()
            }),
        };
        rows.expect("an answer")
    }

    fn count(&self, query: &str) -> i64 {
        let query = format!("SELECT CAST(({query}) AS CHAR)");
        self.texts(&query)[0].parse().expect("a number")
    }

    /// Games that are on disk until they are in the store.
    fn kept(&self) -> usize {
        let kept = self.server.folder().join("cockatrice/games");
        fs::read_dir(kept).map_or(0, |all| all.flatten().count())
    }

    /// The two games that [`play`] has left are whole in the store.
    fn check(&self) {
        assert_eq!(self.count(FINISHED), 2);
        for (table, rows) in [("games_players", 3), ("replays", 2), ("replays_access", 3)] {
            let query = format!("SELECT COUNT(*) FROM cockatrice_{table}");
            assert_eq!(self.count(&query), rows, "{table}");
        }
        let replays = "SELECT HEX(replay) FROM cockatrice_replays ORDER BY id_game";
        let events: Vec<Vec<String>> = self.texts(replays).iter().map(|hex| events(hex)).collect();
        for events in &events {
            assert_eq!(events.last().map(String::as_str), Some("GameClosed"));
        }
        assert!(events[0].contains(&"RollDie".to_owned()), "{:?}", events[0]);
    }
}

/// What a stored replay has recorded.
fn events(hex: &str) -> Vec<String> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("a byte");
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    let replay: GameReplay<'_> = decode(&bytes).expect("a replay");
    let events = replay.event_list.iter().flat_map(|one| &one.event_list);
    let bodies = events.filter_map(|event| event.body.as_ref());
    bodies.map(name_of).collect()
}

fn name_of(body: &GameEventBody<'_>) -> String {
    let text = format!("{body:?}");
    text.split('(').next().unwrap_or_default().to_owned()
}

fn create(client: &mut Client, players: u32) -> i32 {
    let create = CommandCreateGame {
        description: Some("a game".into()),
        max_players: Some(players),
        ..CommandCreateGame::default()
    };
    let answer = client.room(RoomCommandBody::CreateGame(create));
    assert_eq!(answer.response_code, Some(Code::RespOk));
    client.until("the game", |message| {
        match message.session_event.clone()?.body? {
            SessionEventBody::GameJoined(joined) => Some(joined.game_info?.game_id()),
            _ => None,
        }
    })
}

/// A round of annika and bobbie goes on; and a game goes on that has all its players, of whom none is connected.
fn play(cards: &Cards) -> [Client; 2] {
    let (mut ann, mut bob) = (cards.member("annika"), cards.member("bobbie"));
    let game = create(&mut ann, 2);
    let join = CommandJoinGame {
        game_id: Some(game),
        ..CommandJoinGame::default()
    };
    let answer = bob.room(RoomCommandBody::JoinGame(join));
    assert_eq!(answer.response_code, Some(Code::RespOk));
    begin(&mut ann, &mut bob, game);
    let mut carl = cards.member("carlos");
    create(&mut carl, 1);
    drop(carl);
    let open = "SELECT COUNT(*) FROM cockatrice_sessions WHERE end_time IS NULL";
    until("carlos is gone", || cards.count(open) == 2);
    [ann, bob]
}

/// What somebody hears of the end, in a word each.
fn last_words(client: &mut Client) -> Vec<String> {
    let rest = client.rest();
    let words = rest.iter().filter_map(last_word);
    words.collect()
}

fn last_word(message: &ServerMessage<'_>) -> Option<String> {
    if let Some(container) = &message.game_event_container {
        let closed = |body: &GameEventBody<'_>| matches!(body, GameEventBody::GameClosed(_));
        let mut bodies = container
            .event_list
            .iter()
            .filter_map(|event| event.body.as_ref());
        return bodies.any(closed).then(|| "game closed".to_owned());
    }
    if let Some(event) = &message.room_event {
        return match event.body.as_ref()? {
            RoomEventBody::ListGames(list) if list.game_list[0].closed() => {
                Some("game gone".to_owned())
            }
            _ => None,
        };
    }
    match message.session_event.as_ref()?.body.as_ref()? {
        SessionEventBody::ReplayAdded(added) => {
            let replays = added.match_info.as_ref()?.replay_list.iter();
            let is_stored = replays.map(|replay| replay.replay_id()).all(|id| id > 0);
            Some(format!("replay stored {is_stored}"))
        }
        SessionEventBody::ConnectionClosed(closed) => {
            assert_eq!(closed.reason, Some(CloseReason::ServerShutdown));
            Some("good-bye".to_owned())
        }
        _ => None,
    }
}

/// How a server is told to end.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// By a signal, and it does not wait for games.
    Impatiently,
    /// By two signals.
    Twice,
    /// By an administrator in their client.
    InTheLobby,
    /// By an administrator in their client, while it waits for games.
    MeanwhileInTheLobby,
    /// By an operator.
    ByOperator,
}

impl Told {
    fn grace_s(self) -> u32 {
        match self {
            Told::Impatiently | Told::ByOperator => 0,
            Told::Twice | Told::InTheLobby | Told::MeanwhileInTheLobby => 1800,
        }
    }

    fn tell(self, cards: &Cards, [ann, bob]: [&mut Client; 2]) {
        match self {
            Told::Impatiently => cards.server.terminate().expect("a signal"),
            Told::Twice | Told::MeanwhileInTheLobby => {
                cards.server.terminate().expect("a signal");
                for client in [&mut *ann, bob] {
                    client.until("the announcement", |message| {
                        let body = message.session_event.as_ref()?.body.as_ref()?;
                        matches!(body, SessionEventBody::ServerShutdown(_)).then_some(())
                    });
                }
            }
            Told::InTheLobby => {}
            Told::ByOperator => {
                let mut drain = cards.muster();
                let output = drain.args(["ctl", "drain"]).output().unwrap();
                assert!(output.status.success(), "{output:?}");
            }
        }
        match self {
            Told::Twice => cards.server.terminate().expect("a signal"),
            Told::InTheLobby | Told::MeanwhileInTheLobby => {
                let now = CommandShutdownServer::default();
                ann.admin(cockatrice::messages::AdminCommandBody::ShutdownServer(now));
            }
            Told::Impatiently | Told::ByOperator => {}
        }
    }
}

fn ends(shards: u16, is_embedded: bool, told: Told) {
    let mut cards = Cards::start(shards, is_embedded, told.grace_s());
    let [mut ann, mut bob] = play(&cards);
    told.tell(&cards, [&mut ann, &mut bob]);
    for client in [&mut ann, &mut bob] {
        let mut words = last_words(client);
        assert_eq!(words.pop().as_deref(), Some("good-bye"), "{told:?}");
        words.sort();
        let all = [
            "game closed",
            "game gone",
            "game gone",
            "replay stored true",
        ];
        assert_eq!(words, all, "{told:?} on {shards}");
    }
    assert_eq!(cards.server.ended().unwrap(), 0, "{told:?}");
    assert_eq!(cards.kept(), 0, "{told:?}");
    cards.check();
}

/// checklist: 200, 206, 237
#[test]
fn games_that_go_on_are_stored_however_the_server_is_told_to_end() {
    for told in [
        Told::Impatiently,
        Told::Twice,
        Told::InTheLobby,
        Told::MeanwhileInTheLobby,
        Told::ByOperator,
    ] {
        for shards in [1, 2] {
            ends(shards, true, told);
        }
    }
}

#[test]
fn games_that_go_on_are_stored_in_mariadb_as_well() {
    if stores().all(|is_embedded| is_embedded) {
        return eprintln!("no MUSTER_TEST_MYSQL, passed over");
    }
    for (shards, told) in [(1, Told::Twice), (2, Told::Impatiently)] {
        ends(shards, false, told);
    }
}

/// The store does not answer: games are over for whoever is in them, the process ends, and its next start stores them.
#[test]
fn games_that_go_on_outlive_a_stop_without_their_store() {
    for is_embedded in stores() {
        for shards in 1..=2 {
            let mut cards = Cards::start(shards, is_embedded, 0);
            let [mut ann, mut bob] = play(&cards);
            let lock = Lock::take(&cards);
            cards.server.terminate().expect("a signal");
            for client in [&mut ann, &mut bob] {
                let mut words = last_words(client);
                assert_eq!(words.pop().as_deref(), Some("good-bye"));
                words.sort();
                assert_eq!(words, ["game closed", "game gone", "game gone"]);
            }
            assert_eq!(cards.server.ended().unwrap(), 0);
            assert_eq!(cards.kept(), 2);
            lock.release(&cards);
            assert_eq!(cards.count(FINISHED), 0);
            cards.server.restart().expect("it starts again");
            until("the games are stored", || cards.count(FINISHED) == 2);
            until("they are not kept any longer", || cards.kept() == 0);
            cards.check();
        }
    }
}

/// Keeps the server from its store.
enum Lock {
    Embedded(tokio::runtime::Runtime, SqliteConnection),
    Stalled,
}

impl Lock {
    fn take(cards: &Cards) -> Lock {
        if let Some(proxy) = &cards.proxy {
            proxy.set(Line::Stalled);
            return Lock::Stalled;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let connection = runtime.block_on(async {
            let mut connection = SqliteConnection::connect(&embedded(&cards.server)).await?;
            sqlx::query("BEGIN IMMEDIATE")
                .execute(&mut connection)
                .await?;
            Ok::<_, sqlx::Error>(connection)
        });
        Lock::Embedded(runtime, connection.unwrap())
    }

    fn release(self, cards: &Cards) {
        match self {
            Lock::Embedded(runtime, connection) => runtime.block_on(connection.close()).unwrap(),
            Lock::Stalled => {
                let proxy = cards.proxy.as_ref().expect("it is stalled");
                proxy.set(Line::Whole);
            }
        }
    }
}
