//! The configuration of a running server: in another server's words, and read again.

mod support;

use std::{
    fs,
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;
use support::{
    http::get,
    player::{Player, hello},
    server::{Backend, Database, Server, muster},
};

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(30);

/// Until a condition holds.
fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// An address that was free a moment ago.
fn free() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A server with a file of its own and one of the other server's.
fn server(toml: &str, yaml: &str, more: impl FnOnce(&mut Command)) -> Server {
    let database = Database::make(Backend::Sqlite).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let paths = ["muster.toml", "config.yml"].map(|name| folder.path().join(name));
    fs::write(&paths[0], whole(&database, toml)).unwrap();
    fs::write(&paths[1], yaml).unwrap();
    let mut command = muster(folder.path());
    command.arg("--config").arg(&paths[0]);
    command.env("CONFIGURATION_FILE", &paths[1]);
    more(&mut command);
    Server::launch(command, folder, database).unwrap()
}

/// What every server here has in its own file, and more.
fn whole(database: &Database, more: &str) -> String {
    format!(
        "[store]\nurl = {:?}\n[server]\npin = false\nshards = 2\nstop_grace_s = 0\n[vcmi]\nenabled = false\n\
         [broker]\nurl = \"\"\n{more}",
        database.url()
    )
}

/// What it has in the part of the lobby.
const LOBBY: &str = "[faf]\njson_address = \"127.0.0.1:0\"\nqdatastream_address = \"\"\nwebsocket_address = \"\"\n\
                     jwks_url = \"\"\nuse_policy_server = false\ntick_ms = 20\n";

const HTTP: &str = "[http]\ncontrol_address = \"127.0.0.1:0\"\nhealth_address = \"127.0.0.1:0\"\npage_address = \"\"\n";

// checklist: faf 498
#[test]
fn the_other_servers_words_are_honoured_and_ours_win() {
    let toml = format!("{LOBBY}www_url = \"https://ours.example\"\n{HTTP}");
    let yaml = "ALLOW_PASSWORD_LOGIN: false\nWWW_URL: https://theirs.example\nNO_SUCH_KEY: 7\n";
    let server = server(&toml, yaml, |command| {
        command.env("ALLOW_PASSWORD_LOGIN", "true"); // the file is stronger
    });
    let mut orion = Player::connected(&server);
    orion.send(&json!({"command":"ask_session","user_agent":"x","version":"1"}));
    let notice = orion.until("notice");
    assert!(
        notice["text"]
            .as_str()
            .unwrap()
            .contains("https://ours.example"),
        "{notice}"
    );
    orion.send(&hello("orion"));
    let refused = orion.until("notice");
    assert_eq!(refused["style"], "error");
    assert_eq!(orion.next(), None, "password login is off");
}

// checklist: faf 499
#[test]
fn files_are_read_again_and_new_values_take_effect() {
    let toml = format!("{LOBBY}{HTTP}");
    let server = server(
        &toml,
        "ALLOW_PASSWORD_LOGIN: false\nWWW_URL: https://one.example\n",
        |_| {},
    );
    let asked = |server: &Server| {
        let mut player = Player::connected(server);
        player.send(&json!({"command":"ask_session","user_agent":"x","version":"1"}));
        player.until("notice")["text"].as_str().unwrap().to_owned()
    };
    assert!(asked(&server).contains("https://one.example"));

    // Their file, and ours with another address of an endpoint and another interval of broadcasts.
    let (control, health) = (free(), server.listener("http/health").unwrap());
    let folder = server.folder();
    fs::write(folder.join("config.yml"), "WWW_URL: https://two.example\n").unwrap();
    let toml = toml
        .replace(
            "control_address = \"127.0.0.1:0\"",
            &format!("control_address = \"{control}\""),
        )
        .replace("tick_ms = 20", "tick_ms = 35");
    fs::write(folder.join("muster.toml"), whole(&server.database, &toml)).unwrap();
    server.signal("HUP").unwrap();
    until(|| get(control, "/games").is_ok_and(|page| page.status == 200));
    until(|| asked(&server).contains("https://two.example"));
    assert_eq!(
        get(health, "/ready").unwrap().status,
        200,
        "what has not changed stays"
    );

    // A value that has gone falls back to its default: passwords are good again. Broadcasts go on at the new interval.
    let mut orion = Player::signed_in(&server, "orion");
    orion.until("player_info");
    orion.hosting();
    orion.until("game_info");
    let mut vega = Player::signed_in(&server, "vega");
    vega.until("player_info");
    orion.until("player_info");
    drop(vega);
    let gone = orion.until("player_info");
    assert_eq!(gone["players"][0]["state"], "offline");
}

// checklist: faf 499
#[test]
fn a_file_that_is_wrong_changes_nothing_and_a_period_reads_it_again() {
    let toml = format!("{LOBBY}{HTTP}");
    let mut server = server(
        &toml,
        "CONFIGURATION_REFRESH_TIME: 1\nWWW_URL: https://one.example\n",
        |_| {},
    );
    let asked = |server: &Server| {
        let mut player = Player::connected(server);
        player.send(&json!({"command":"ask_session","user_agent":"x","version":"1"}));
        player.until("notice")["text"].as_str().unwrap().to_owned()
    };
    let file = server.folder().join("config.yml");
    fs::write(&file, "WWW_URL: [\n").unwrap();
    server.signal("HUP").unwrap();
    // Nothing tells when a refusal is through; the next good file shows that the server went on reading.
    assert!(asked(&server).contains("https://one.example"));
    fs::write(
        &file,
        "CONFIGURATION_REFRESH_TIME: 1\nWWW_URL: https://three.example\n",
    )
    .unwrap();
    until(|| asked(&server).contains("https://three.example"));
    server.terminate().unwrap();
    assert_eq!(server.ended().unwrap(), 0);
}

// checklist: faf 500
#[test]
fn a_missing_or_empty_file_of_the_other_server_is_tolerated() {
    for missing in [false, true] {
        let toml = format!("{LOBBY}{HTTP}");
        let server = server(&toml, "", |command| {
            if missing {
                command.env("CONFIGURATION_FILE", "/nowhere/config.yml");
            }
        });
        Player::signed_in(&server, "orion");
    }
}
