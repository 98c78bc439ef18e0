//! The end of games when things go wrong: a database that does not answer, a crash, an orderly stop in the middle.

mod support;

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};
use support::{
    exchange::Exchange,
    http,
    player::{Player, hello},
    proxy::{Line, Proxy},
    server::{Backend, Database, Server, Setup, muster},
};

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(60);

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Keeps everybody else from the database as long as it lives.
struct Lock {
    runtime: tokio::runtime::Runtime,
    connection: SqliteConnection,
}

impl Lock {
    fn take(server: &Server) -> Lock {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let options: SqliteConnectOptions = server.database.url().parse().unwrap();
        let connection = runtime.block_on(async {
            let mut connection = options.busy_timeout(PATIENCE).connect().await.unwrap();
            connection.execute("BEGIN IMMEDIATE").await.unwrap();
            connection
        });
        Lock {
            runtime,
            connection,
        }
    }

    fn release(self) {
        self.runtime.block_on(async {
            let mut connection = self.connection;
            connection.execute("ROLLBACK").await.unwrap();
            connection.close().await.unwrap();
        });
    }
}

/// orion and vega in a launched game whose rows are there; its number.
fn playing(server: &Server) -> (Player, Player, u64) {
    let (mut host, guest, uid) = seated(server);
    host.game("GameState", json!(["Launching"]));
    let row = format!("SELECT gameName FROM game_stats WHERE id = {uid}");
    until("the game's row", || {
        !server.database.rows(&row).unwrap().is_empty()
    });
    (host, guest, uid)
}

/// The two in a lobby, ready to launch.
fn seated(server: &Server) -> (Player, Player, u64) {
    let mut host = Player::signed_in(server, "orion");
    let mut guest = Player::signed_in(server, "vega");
    let uid = host.hosting();
    guest.send(&json!({"command":"game_join","uid":uid}));
    guest.until("game_launch");
    for state in ["Idle", "Lobby"] {
        guest.game("GameState", json!([state]));
    }
    guest.until("JoinGame");
    for (id, army, team) in [(11, 1, 2), (12, 2, 3)] {
        for (key, value) in [("Army", army), ("Team", team), ("StartSpot", army)] {
            host.game("PlayerOption", json!([id, key, value]));
        }
    }
    (host, guest, uid)
}

/// Both report, and the game is over.
fn finish(host: &mut Player, guest: &mut Player) {
    host.game("EnforceRating", json!([]));
    for player in [host, guest] {
        player.game("GameResult", json!([1, "victory 10"]));
        player.game("GameResult", json!([2, "defeat -5"]));
        player.game("GameEnded", json!([]));
    }
}

fn start(shards: u16, set: &[&str]) -> Server {
    Server::start(&Setup {
        backend: Backend::Sqlite,
        shards,
        set: &set.iter().map(|&pair| pair.to_owned()).collect::<Vec<_>>(),
        sql: &[],
    })
    .unwrap()
}

fn kept(server: &Server, uid: u64) -> PathBuf {
    server.folder().join(format!("games/{uid}.game"))
}

const RATED: &str = "SELECT login_id || ' ' || total_games || ' ' || won_games FROM leaderboard_rating \
     WHERE login_id IN (11, 12) ORDER BY login_id";

fn is_rated(server: &Server) -> bool {
    server.database.rows(RATED).unwrap() == ["11 1 1", "12 1 0"]
}

#[test]
fn a_crash_before_the_results_are_stored_loses_nothing() {
    for shards in [1, 2] {
        let mut server = start(shards, &[]);
        let (mut host, mut guest, uid) = playing(&server);
        let lock = Lock::take(&server);
        finish(&mut host, &mut guest);
        until("the game to be kept", || kept(&server, uid).exists());
        server.crash();
        lock.release();
        assert!(!is_rated(&server));
        server.restart().unwrap();
        until("the ratings", || is_rated(&server));
        until("the game to be forgotten", || !kept(&server, uid).exists());
        // Once more: nothing is left to do, and nothing is done twice.
        server.crash();
        server.restart().unwrap();
        let mut player = Player::signed_in(&server, "orion");
        player.send(&json!({"command":"ping"}));
        player.until("pong");
        assert!(is_rated(&server));
        let row = format!("SELECT result FROM game_player_stats WHERE gameId = {uid} ORDER BY id");
        assert_eq!(server.database.rows(&row).unwrap(), ["VICTORY", "DEFEAT"]);
    }
}

/// Returns when the server has handled what they said.
fn heard(player: &mut Player) {
    player.send(&json!({"command":"ping"}));
    player.until("pong");
}

// The launch's batch waits for the store, and everything after it was in memory only.
#[test]
fn a_crash_lost_an_end_while_the_launch_waited_for_the_store() {
    let mut server = start(2, &[]);
    let (mut host, mut guest, uid) = seated(&server);
    let lock = Lock::take(&server);
    host.game("GameState", json!(["Launching"]));
    heard(&mut host);
    finish(&mut host, &mut guest);
    until("the game to be kept", || kept(&server, uid).exists());
    server.crash();
    lock.release();
    server.restart().unwrap();
    until("the ratings", || is_rated(&server));
    until("the game to be forgotten", || !kept(&server, uid).exists());
}

/// The events that the broker does not have yet, as they are on disk.
fn untold(server: &Server) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    for file in fs::read_dir(server.folder().join("events")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "events") {
            let Ok(text) = fs::read(path) else { continue }; // it has just gone
            let kept: Value = serde_json::from_slice(&text).unwrap();
            events.extend(kept["events"].as_array().unwrap().iter().map(|event| {
                let text = |of: &str| event[of].as_str().unwrap().to_owned();
                (text("key"), serde_json::from_str(&text("body")).unwrap())
            }));
        }
    }
    events
}

/// Killed at any moment of a game's end, with the store locked or not, while others sign in: what has ended is rated, and
/// nothing twice; and the broker will be told of it. `MUSTER_KILLS` says how often.
#[test]
fn killed_at_any_moment_no_ended_game_is_lost_and_none_counts_twice() {
    const TOTAL: &str =
        "SELECT CAST(SUM(total_games) AS TEXT) FROM leaderboard_rating WHERE login_id IN (11, 12)";
    const TWICE: &str = "SELECT CAST(game_player_stats_id AS TEXT) FROM leaderboard_rating_journal \
         GROUP BY game_player_stats_id HAVING COUNT(*) > 1";
    let kills = std::env::var("MUSTER_KILLS").map_or(4, |kills| kills.parse().unwrap());
    let mut rng = SmallRng::seed_from_u64(kills);
    // A broker that takes nothing: whatever it was to be told is on disk.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let broker = format!("broker.url=amqp://u:p@{}/%2f", silent.local_addr().unwrap());
    // Open: its start puts what is missing into the store, and here finds it locked.
    let mut server = start(2, &["faf.auth=open", &broker]);
    for kill in 1..=kills {
        let (mut host, mut guest, uid) = seated(&server);
        // Before the launch, after it, or not at all.
        let locked_at = rng.random_range(0..3);
        let mut lock = (locked_at == 0).then(|| Lock::take(&server));
        host.game("GameState", json!(["Launching"]));
        heard(&mut host);
        if locked_at == 1 {
            lock = Some(Lock::take(&server));
        }
        let mut others: Vec<Player> = (0..8).map(|_| Player::connected(&server)).collect();
        for other in &mut others {
            other.send(&hello("mira"));
        }
        finish(&mut host, &mut guest);
        let row = format!(
            "SELECT result FROM game_player_stats WHERE gameId = {uid} AND after_mean IS NOT NULL"
        );
        until("the end to be on disk", || {
            kept(&server, uid).exists() || server.database.rows(&row).unwrap().len() == 2
        });
        thread::sleep(Duration::from_millis(rng.random_range(0..40)));
        server.crash();
        if rng.random_bool(0.5) {
            drop(lock.take());
        }
        // The next start finds it, even if the store is still locked for a while.
        server.restart().unwrap();
        drop(lock);
        until("the ratings", || {
            server.database.rows(&row).unwrap().len() == 2
        });
        until("the game to be forgotten", || !kept(&server, uid).exists());
        assert_eq!(server.database.rows(TWICE).unwrap(), [""; 0]);
        let total = server.database.rows(TOTAL).unwrap();
        assert_eq!(total, [(2 * kill).to_string()], "kill {kill}");
        let results = untold(&server);
        let results = results
            .iter()
            .filter(|(key, _)| key == "success.gameResults.create");
        let is_told = results.into_iter().any(|(_, body)| body["game_id"] == uid);
        assert!(is_told, "kill {kill}: nobody will be told of it");
    }
}

// The game was settled and forgotten, and what it had to tell was in memory only.
#[test]
fn a_crash_lost_what_the_broker_had_not_been_told_of_a_settled_game() {
    // Whoever has no broker tests as far as the disk.
    let exchange = Exchange::make().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("amqp://u:p@{}/%2f", silent.local_addr().unwrap());
    let (proxy, url) = Proxy::before(exchange.as_ref().map_or(&nobody, |exchange| &exchange.url));
    proxy.set(Line::Stalled);
    let name = exchange.as_ref().map_or("x", |exchange| &exchange.name);
    let broker = [
        format!("broker.url={url}"),
        format!("broker.exchange={name}"),
    ];
    let mut server = start(2, &broker.each_ref().map(String::as_str));
    let (mut host, mut guest, uid) = playing(&server);
    finish(&mut host, &mut guest);
    until("the ratings", || is_rated(&server));
    until("the events to be kept", || !untold(&server).is_empty());
    until("the game to be forgotten", || !kept(&server, uid).exists());
    server.crash();
    assert!(!untold(&server).is_empty());
    proxy.set(Line::Whole);
    server.restart().unwrap();
    let Some(mut exchange) = exchange else {
        eprintln!("no MUSTER_TEST_AMQP, not tested to the end");
        assert!(!untold(&server).is_empty());
        return;
    };
    for key in ["success.gameResults.create", "success.rating.update"] {
        let told = |(of, body): &(String, Value)| of == key && body["game_id"] == uid;
        exchange.take(told).unwrap();
    }
    until("the events to go", || untold(&server).is_empty());
}

// checklist: faf 476
#[test]
fn an_orderly_stop_waits_until_the_last_game_is_rated() {
    let mut server = start(2, &["server.stop_grace_s=60"]);
    let (mut host, mut guest, uid) = playing(&server);
    let lock = Lock::take(&server);
    finish(&mut host, &mut guest);
    until("the game to be kept", || kept(&server, uid).exists());
    server.terminate().unwrap();
    host.until("notice");
    lock.release();
    assert_eq!(server.ended().unwrap(), 0);
    assert!(is_rated(&server));
    assert!(!kept(&server, uid).exists());
}

#[test]
fn a_stop_without_patience_leaves_the_game_for_the_next_start() {
    let mut server = start(1, &["server.stop_grace_s=0"]);
    let (mut host, mut guest, uid) = playing(&server);
    let lock = Lock::take(&server);
    finish(&mut host, &mut guest);
    until("the game to be kept", || kept(&server, uid).exists());
    server.terminate().unwrap();
    assert_eq!(server.ended().unwrap(), 0);
    assert!(kept(&server, uid).exists());
    let files = fs::read_dir(server.folder().join("games")).unwrap().count();
    assert_eq!(files, 1);
    lock.release();
    assert!(!is_rated(&server));
    server.restart().unwrap();
    until("the ratings", || is_rated(&server));
    until("the game to be forgotten", || !kept(&server, uid).exists());
}

#[test]
fn a_database_that_comes_back_is_told_everything() {
    let server = start(2, &[]);
    let (mut host, mut guest, uid) = playing(&server);
    let lock = Lock::take(&server);
    host.game("TeamkillHappened", json!([120, 12, "vega", 11, "orion"]));
    finish(&mut host, &mut guest);
    until("the game to be kept", || kept(&server, uid).exists());
    lock.release();
    until("the ratings", || is_rated(&server));
    until("the game to be forgotten", || !kept(&server, uid).exists());
    // Both are told of it, whatever they were told before.
    loop {
        let info = guest.until("player_info");
        let entry = &info["players"][0];
        if entry["number_of_games"] == 1 {
            break;
        }
    }
    let kills = format!("SELECT CAST(gametime AS TEXT) FROM teamkills WHERE game_id = {uid}");
    assert_eq!(server.database.rows(&kills).unwrap(), ["120"]);
}

/// A server whose folder and database are on a small disk that it alone sees, and where others reach that. `None`: here nobody may
/// have such a disk.
fn on_a_small_disk() -> Option<(Server, PathBuf)> {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().display();
    let mount = format!("mount -t tmpfs -o size=16m tmpfs {disk}");
    let mut trial = Command::new("unshare");
    let tried = trial.args(["-rm", "sh", "-c", &mount]).status();
    if !tried.is_ok_and(|status| status.success()) {
        return None;
    }
    let database = Database::make(Backend::Sqlite).unwrap();
    let Database::Sqlite(filled) = &database else {
        unreachable!("it was just made")
    };
    let filled = filled.path().display();
    let script = format!("{mount} && cp {filled}/* {disk} && exec \"$@\"");
    let plain = muster(folder.path());
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script, "sh"]);
    command.arg(plain.get_program()).args(plain.get_args());
    for (name, _) in plain.get_envs() {
        command.env_remove(name);
    }
    let store = format!("store.url=sqlite:{disk}/muster.db");
    for pair in [
        store.as_str(),
        "server.shards=2",
        "server.pin=false",
        "server.stop_grace_s=0",
        "log.level=error",
        "faf.jwks_url=",
        "faf.json_address=127.0.0.1:0",
        "faf.qdatastream_address=127.0.0.1:0",
        "faf.websocket_address=127.0.0.1:0",
        "vcmi.address=127.0.0.1:0",
        "http.control_address=127.0.0.1:0",
        "http.health_address=127.0.0.1:0",
        "http.metrics_address=127.0.0.1:0",
        "http.page_address=",
    ] {
        command.args(["--set", pair]);
    }
    command.stdin(Stdio::null());
    let server = Server::launch(command, folder, database).unwrap();
    let root = PathBuf::from(format!("/proc/{}/root", server.pid()));
    let disk = root.join(server.folder().strip_prefix("/").unwrap());
    Some((server, disk))
}

/// The same as [`is_rated`], of a copy; one that was made while the server wrote may say no.
fn is_rated_on(disk: &Path) -> bool {
    let copy = tempfile::tempdir().unwrap();
    for name in ["muster.db", "muster.db-wal"] {
        let _ = fs::copy(disk.join(name), copy.path().join(name));
    }
    Database::Sqlite(copy).rows(RATED).unwrap_or_default() == ["11 1 1", "12 1 0"]
}

// The launch was refused, with it the end, and so was everything until a restart.
#[test]
fn a_disk_that_was_full_for_a_moment_lost_the_games_of_that_moment() {
    let Some((server, disk)) = on_a_small_disk() else {
        eprintln!("no mount namespace may be had, passed over");
        return;
    };
    let metrics = server.listener("http/metrics").unwrap();
    let (mut host, mut guest, uid) = seated(&server);
    let filling = disk.join("filling");
    let mut file = File::create(&filling).unwrap();
    let full = loop {
        if let Err(error) = file.write_all(&[0; 4096]) {
            break error.kind();
        }
    };
    assert_eq!(full, ErrorKind::StorageFull);
    host.game("GameState", json!(["Launching"]));
    heard(&mut host);
    finish(&mut host, &mut guest);
    until("the game to be in memory only, and counted", || {
        let page = http::get(metrics, "/metrics").unwrap().body;
        let counted = |line: &str| {
            line.strip_prefix("muster_spool_failed_total ")?
                .parse()
                .ok()
        };
        page.lines()
            .find_map(counted)
            .is_some_and(|times: f64| times > 0.0)
    });
    drop(file); // what nobody can name takes room as long as somebody has it open
    fs::remove_file(&filling).unwrap();
    until("the ratings", || is_rated_on(&disk));
    let kept = disk.join(format!("games/{uid}.game"));
    until("the game to be forgotten", || !kept.exists());
}

/// A server that has given ports and folder to the next one, and the next one.
fn followed(server: &Server) -> Server {
    let released = muster(server.folder()).args(["ctl", "release"]).output();
    let released = released.unwrap();
    assert!(released.status.success(), "{released:?}");
    let mut set = vec![
        format!("server.data_dir={}", server.folder().display()),
        format!("store.url={}", server.database.url()),
    ];
    for (key, listener) in [
        ("faf.json_address", "faf/json"),
        ("faf.websocket_address", "faf/websocket"),
        ("vcmi.address", "vcmi"),
        ("http.control_address", "http/control"),
        ("http.health_address", "http/health"),
    ] {
        set.push(format!("{key}={}", server.listener(listener).unwrap()));
    }
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    start(1, &set)
}

const GRACE: &str = "server.stop_grace_s=600";

#[test]
fn an_end_that_has_begun_is_not_called_off() {
    let server = start(1, &[GRACE]);
    let _playing = playing(&server);
    let ctl = |words: &[&str]| {
        let output = muster(server.folder()).arg("ctl").args(words).output();
        let output = output.unwrap();
        let text = [&*output.stdout, &*output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    assert_eq!(ctl(&["drain"]).0, Some(0));
    until("the end to begin", || {
        ctl(&["status"]).1.contains(": draining")
    });
    let (code, text) = ctl(&["drain", "--cancel"]);
    assert!(code == Some(1) && text.contains("has begun"), "{text}");
    assert_eq!(ctl(&["check"]).0, Some(1), "there is something to look at");
}

#[test]
fn the_next_server_takes_players_while_the_last_games_of_the_one_before_go_on() {
    let mut server = start(2, &[GRACE]);
    let (mut host, mut guest, uid) = playing(&server);
    let mut idle = Player::signed_in(&server, "lyra");
    let next = followed(&server);
    // Whoever is in no game is told, and sent to the next server as soon as that serves.
    let mut told = Vec::new();
    while let Some(message) = idle.next() {
        told.extend(message["text"].as_str().map(str::to_owned));
    }
    let is_told = |text: &str| told.iter().any(|one| one.contains(text));
    assert!(is_told("otherwise you will be disconnected"), "{told:?}");
    assert!(!is_told("until the server has been restarted"), "{told:?}");
    // There is one server for whoever comes now; it gives out other numbers.
    let mut player = Player::signed_in(&next, "lyra");
    let another = player.hosting();
    assert!(another > uid, "{another} after {uid}");
    // What was begun before ends where it began, and that server with it.
    finish(&mut host, &mut guest);
    assert_eq!(server.ended().unwrap(), 0);
    assert!(is_rated(&server));
    assert!(!kept(&server, uid).exists());
    player.send(&json!({"command":"ping"}));
    player.until("pong");
    next.terminate().unwrap();
}

#[test]
fn what_a_server_leaves_that_dies_after_the_next_has_begun_is_settled_by_that() {
    let mut server = start(1, &[GRACE]);
    let (mut host, mut guest, uid) = playing(&server);
    let next = followed(&server);
    let lock = Lock::take(&server);
    finish(&mut host, &mut guest);
    until("the game to be kept", || kept(&server, uid).exists());
    server.crash();
    lock.release();
    until("the ratings", || is_rated(&server));
    let taken_over = server.folder().join(format!("beside/games/{uid}.game"));
    until("the game to be forgotten", || {
        !kept(&server, uid).exists() && !taken_over.exists()
    });
    let mut player = Player::signed_in(&next, "orion");
    player.send(&json!({"command":"ping"}));
    player.until("pong");
}
