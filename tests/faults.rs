//! The outside fails while players are there: the database is cut off, hangs and comes back; strangers send rubbish.
//!
//! The database needs `MUSTER_TEST_MYSQL` (`tests/with-mariadb cargo test --test faults`).

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use support::{
    player::{Player, hello},
    proxy::{Line, Proxy},
    script::Transport,
    server::{Backend, Server, Setup},
};

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(60);
const AWAY: &str = "Unable to connect to database. Please try again later.";

/// Signs in again and again until the database is there; before that he is told that it is not, and sent away.
fn signed_in_at_last(server: &Server, login: &str) -> Player {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut player = Player::connected(server);
        player.send(&hello(login));
        let first = player.next().expect("an answer");
        if first["command"] == "welcome" {
            player.until("game_info");
            return player;
        }
        assert_eq!(first["text"], AWAY);
        assert!(Instant::now() < deadline, "the database is not found again");
    }
}

/// What a player is told who needs the database now: that it is away, and good-bye.
fn turned_away(mut player: Player, message: &Value) {
    player.send(message);
    let said = player.until_closed();
    assert_eq!(
        said,
        [json!({"command":"notice","style":"error","text":AWAY})],
        "{message}"
    );
}

fn pings(player: &mut Player) {
    player.send(&json!({"command":"ping"}));
    player.until("pong");
}

/// A server whose database is behind a line that can be cut; none without a database to have.
fn behind_a_line() -> Option<(Server, Proxy)> {
    if !Backend::all().contains(&Backend::MySql) {
        eprintln!("no MUSTER_TEST_MYSQL, passed over");
        return None;
    }
    let mut proxy = None;
    let server = Server::start_behind(
        &Setup {
            backend: Backend::MySql,
            shards: 2,
            set: &[],
            sql: &[],
        },
        |url| {
            let (head, rest) = url.rsplit_once('@').expect("a user in the URL");
            let (address, name) = rest.split_once('/').expect("a database in the URL");
            let address = if address.contains(':') {
                address.to_owned()
            } else {
                format!("{address}:3306")
            };
            let made = Proxy::new(address);
            let url = format!("{head}@{}/{name}", made.address);
            proxy = Some(made);
            url
        },
    )
    .unwrap();
    Some((server, proxy.expect("made with the URL")))
}

/// spec: faf-messages 2 (N#1009). Whoever is in stays in and plays on; what a game must have written down is written
/// when the database is back.
// checklist: faf 59
#[test]
fn a_database_that_goes_and_comes_back() {
    let Some((server, proxy)) = behind_a_line() else {
        return;
    };
    let mut orion = Player::signed_in(&server, "orion");
    let uid = orion.hosting();

    for line in [Line::Cut, Line::Stalled] {
        let busy = Player::signed_in(&server, "mira");
        let newcomer = Player::connected(&server);
        proxy.set(line);
        thread::scope(|scope| {
            scope.spawn(|| turned_away(newcomer, &hello("vega")));
            scope.spawn(|| turned_away(busy, &json!({"command":"social_add","friend":13})));
            // Meanwhile whoever is in is served on, and his game too.
            pings(&mut orion);
            orion.game("GameOption", json!(["Title", format!("{line:?}")]));
            while orion.until("game_info")["title"] != format!("{line:?}") {}
        });
        pings(&mut orion);
        proxy.set(Line::Whole);
        drop(signed_in_at_last(&server, "vega"));
        drop(signed_in_at_last(&server, "mira"));
    }

    // A game that is launched while the database is away is written down afterwards, and once.
    proxy.set(Line::Cut);
    for (key, value) in [("Army", 1), ("Team", 2), ("StartSpot", 1)] {
        orion.game("PlayerOption", json!([11, key, value]));
    }
    orion.game("GameState", json!(["Launching"]));
    while orion.until("game_info")["state"] != "playing" {}
    orion.game("GameEnded", json!([]));
    while orion.until("game_info")["state"] != "closed" {}
    proxy.set(Line::Whole);
    let ended = format!("SELECT CAST(COUNT(endTime) AS CHAR) FROM game_stats WHERE id = {uid}");
    let deadline = Instant::now() + PATIENCE;
    while server.database.rows(&ended).unwrap() != ["1"] {
        assert!(Instant::now() < deadline, "the game is not written down");
        thread::sleep(Duration::from_millis(20));
    }
    let seats =
        format!("SELECT CAST(COUNT(*) AS CHAR) FROM game_player_stats WHERE gameId = {uid}");
    assert_eq!(server.database.rows(&seats).unwrap(), ["1"]);
    pings(&mut orion);
}

/// A database that is restarted has closed its connections: they are found out before somebody is sent away for one.
#[test]
fn a_database_that_is_back_at_once_turns_nobody_away() {
    let Some((server, proxy)) = behind_a_line() else {
        return;
    };
    for _ in 0..3 {
        // Several connections are there, and have just been used.
        let names = ["mira", "vega", "lyra", "nova"];
        let there = thread::scope(|scope| {
            let signing_in = names.map(|name| scope.spawn(|| Player::signed_in(&server, name)));
            signing_in.map(|player| player.join().unwrap())
        });
        drop(there);
        proxy.set(Line::Cut);
        proxy.set(Line::Whole);
        // The least that a restart takes.
        thread::sleep(Duration::from_millis(100));
        for name in names {
            drop(Player::signed_in(&server, name));
        }
    }
}

/// Bytes of chance on every transport: the server is rid of them or waits for more, and everybody else is served on.
// checklist: faf 7, 8, 48
#[test]
fn random_bytes_disturb_nobody() {
    let server = Server::start(&Setup {
        backend: Backend::Sqlite,
        shards: 2,
        set: &[],
        sql: &[],
    })
    .unwrap();
    let mut orion = Player::signed_in(&server, "orion");
    let mut rng = SmallRng::seed_from_u64(7);
    let upgrade = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    for round in 0..120 {
        let (transport, front) = match round % 4 {
            0 => (Transport::Json, ""),
            1 => (Transport::QDataStream, "\0\0\0\x0c\0\0\0\x08\0P\0I\0N\0G"),
            2 => (Transport::WebSocket, ""),
            _ => (Transport::WebSocket, upgrade),
        };
        let mut stream = TcpStream::connect(server.address(transport).unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = front.as_bytes().to_vec();
        let few = rng.random_bool(0.5);
        for _ in 0..rng.random_range(1..400) {
            // Half of them mostly small numbers, which make plausible lengths, and pieces of messages.
            bytes.extend(match rng.random_range(0..8) {
                0 if few => b"{\"command\":\"ping\"}\n".to_vec(),
                1..=5 if few => vec![0, rng.random_range(0..20)],
                _ => vec![rng.random()],
            });
        }
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        // Whatever it answers, it comes to an end.
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer);
        let reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(
            ended.as_ref().err().is_none_or(reset),
            "round {round}: {ended:?}"
        );
        if round % 10 == 0 {
            pings(&mut orion);
        }
    }
    pings(&mut orion);
    drop(Player::signed_in(&server, "vega"));
    while orion.until("player_info")["players"][0]["login"] != "vega" {}
}
