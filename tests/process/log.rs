//! The log: nobody need read it, and nobody can write it but the server.

use std::io::pipe;

use serde_json::json;

use super::{
    command, launched, logging, metric,
    support::{http::get, player::Player, server::Server},
    until,
};

/// Whoever is there is answered, newcomers are let in, and the end is an orderly one.
fn goes_on(mut server: Server, mut player: Player) {
    for player in [&mut player, &mut Player::connected(&server)] {
        player.send(&json!({"command": "ping"}));
        player.until("pong");
    }
    let health = server.listener("http/health").unwrap();
    until("ready", || {
        get(health, "/ready").is_ok_and(|page| page.status == 200)
    });
    assert_eq!(metric(&server, "muster_panics_total"), 0.0);
    server.terminate().unwrap();
    assert_eq!(server.ended().unwrap(), 0);
}

#[test]
fn a_log_that_nobody_takes_any_more_costs_lines_only() {
    let (reader, writer) = pipe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(&folder, &[]);
    command.stderr(writer);
    let server = launched(command, folder);
    let player = Player::connected(&server);
    drop(reader);
    // Each shard logs what it counts.
    server.signal("USR1").unwrap();
    until("lines are lost", || {
        metric(&server, "muster_log_lines_lost_total") >= 2.0
    });
    goes_on(server, player);
}

#[test]
fn a_reader_of_the_log_that_stands_still_holds_nobody_up() {
    let (_reader, writer) = pipe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(&folder, &["log.level=info,muster_engine=trace"]);
    command.stderr(writer);
    let server = launched(command, folder);
    let mut player = Player::connected(&server);
    until("lines are lost", || {
        for _ in 0..1000 {
            player.send(&json!({"command": "ping"}));
        }
        for _ in 0..1000 {
            player.until("pong");
        }
        metric(&server, "muster_log_lines_lost_total") > 0.0
    });
    goes_on(server, player);
}

#[test]
fn a_file_gets_plain_lines_or_an_object_per_line() {
    let (server, text) = logging(&["log.format=json"]);
    server.signal("USR1").unwrap();
    until("the shards report", || {
        text().matches("rounds=").count() >= 2
    });
    for line in text().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["fields"]["message"].is_string(), "{line}");
    }

    let (server, text) = logging(&[]);
    server.signal("USR1").unwrap();
    until("the shards report", || {
        text().matches("rounds=").count() >= 2
    });
    assert!(!text().contains('\x1b'), "{}", text());
}

#[test]
fn nothing_is_wrong_with_a_first_start() {
    let (mut server, text) = logging(&["server.stop_grace_s=60"]);
    let health = server.listener("http/health").unwrap();
    until("ready", || {
        get(health, "/ready").is_ok_and(|page| page.status == 200)
    });
    server.terminate().unwrap();
    assert_eq!(server.ended().unwrap(), 0);
    let text = text();
    assert!(
        !text.contains(" WARN ") && !text.contains("ERROR"),
        "{text}"
    );
}

#[test]
fn whoever_takes_no_more_of_what_was_asked_for_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut command = command(&folder, &[]);
    let outcome = command
        .arg("--print-config")
        .stdout(writer)
        .output()
        .unwrap();
    assert!(outcome.status.success(), "{outcome:?}");
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), "");
}

#[test]
fn at_debug_the_log_says_who_came_and_why_somebody_was_dropped() {
    let (server, log) = logging(&["log.level=info,muster_engine=debug"]);
    let player = Player::signed_in(&server, "orion");
    until("the sign-in is in the log", || {
        log().contains("signed in as orion, player ")
    });
    drop(player);
    until("the end is in the log", || {
        log().contains("the peer has ended it")
    });
    let mut early = Player::connected(&server);
    early.send(&json!({"command": "game_host"}));
    until("why is in the log", || {
        log().contains("a command that is for players only, before sign-in")
    });
    let line = log();
    let line = line
        .lines()
        .find(|line| line.contains("signed in as"))
        .unwrap();
    assert!(
        line.contains("DEBUG") && line.contains("peer=127.0.0.1"),
        "{line}"
    );
    assert!(!log().contains("WARN"), "{}", log());
}
