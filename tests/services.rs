//! Sign-in and the services it leans on: the key server and the policy server, on loopback.

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{
    player::{Player, hello},
    server::{Backend, Server, Setup},
    service::Service,
    tokens,
};

/// The server's pause between two fetches of keys that it lacks, and a margin for a busy machine.
const RETRY: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(60);

const KEYS: &str = include_str!("fixtures/token-keys.jwks.json");

fn server(set: &[String]) -> Server {
    Server::start(&Setup {
        backend: Backend::Sqlite,
        shards: 2,
        set,
        sql: &[],
    })
    .unwrap()
}

fn auth(id: u32) -> Value {
    let token = tokens::token("k1", &json!({"sub": id, "scp": ["lobby"]}));
    json!({"command":"auth","token":token,"unique_id":"some_id"})
}

/// What a connection that sends this is told before it is closed, or up to the list of games.
fn answers(server: &Server, message: &Value) -> Vec<String> {
    let mut player = Player::connected(server);
    player.send(message);
    let mut commands = Vec::new();
    while let Some(message) = player.next() {
        let command = message["command"].as_str().unwrap().to_owned();
        commands.push(command.clone());
        if command == "game_info" {
            break;
        }
    }
    commands
}

const WELCOME: [&str; 5] = [
    "irc_password",
    "welcome",
    "player_info",
    "social",
    "game_info",
];

// checklist: faf 87 88
#[test]
fn keys_are_fetched_at_the_start_and_without_any_on_demand_but_not_at_once() {
    let keys = Service::new(503, "");
    let begun = Instant::now();
    let server = server(&[format!("faf.jwks_url={}/jwks.json", keys.url())]);
    // The fetch of the start has failed a moment ago: nobody asks again so soon.
    let first = answers(&server, &auth(11));
    assert_eq!(first, ["invalid"]);
    let asked = keys.asked();
    assert!(asked[0].starts_with("GET /jwks.json "), "{asked:?}");
    if begun.elapsed() < RETRY {
        assert_eq!(asked.len(), 1);
    }
    keys.answers(200, KEYS);
    let deadline = Instant::now() + PATIENCE;
    while answers(&server, &auth(11)) != WELCOME {
        assert!(Instant::now() < deadline, "the keys are never fetched");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(begun.elapsed() >= RETRY, "not more often than that");
    let fetches = keys.asked().len();
    assert_eq!(fetches, 2);
    // Now there are keys: nobody asks for more.
    assert_eq!(answers(&server, &auth(12)), WELCOME);
    assert_eq!(keys.asked().len(), fetches);
}

// checklist: faf 98
#[test]
fn the_policy_server_is_told_once_for_each_login_and_its_verdict_ignored() {
    let policy = Service::new(200, r#"{"result":"fraudulent"}"#);
    let keys = Service::new(200, KEYS);
    let server = server(&[
        format!("faf.jwks_url={}", keys.url()),
        format!("faf.policy_server_url={}", policy.url()),
        "faf.use_policy_server=true".to_owned(),
    ]);
    let mut orion = Player::connected(&server);
    orion.send(&json!({"command":"ask_session","user_agent":"x","version":"1"}));
    let session = orion.until("session")["session"].clone();
    orion.send(&hello("orion"));
    orion.until("welcome");
    let asked = policy.asked();
    assert_eq!(asked.len(), 1);
    let (head, body) = asked[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /verify HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("content-type: application/json") && head.contains("cache-control: no-cache"),
        "{head}"
    );
    let report: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        report,
        json!({"player_id":11,"uid_hash":"u","session":session})
    );

    policy.answers(200, r#"{"result":"already_associated"}"#);
    assert_eq!(answers(&server, &auth(12)), WELCOME);
    assert_eq!(policy.asked().len(), 2);
    // Who is not let in is not told of.
    let wrong = json!({"command":"hello","login":"vega","password":"0","unique_id":"u"});
    let mut vega = Player::connected(&server);
    vega.send(&wrong);
    vega.until("authentication_failed");
    assert_eq!(policy.asked().len(), 2);
}

// checklist: faf 99
#[test]
fn without_its_policy_server_nobody_gets_in() {
    let policy = Service::new(500, "{}");
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for url in [policy.url(), &nobody] {
        let server = server(&[
            format!("faf.policy_server_url={url}"),
            "faf.use_policy_server=true".to_owned(),
        ]);
        assert_eq!(answers(&server, &hello("orion")), ["invalid"]);
    }
    assert_eq!(policy.asked().len(), 1);
}
