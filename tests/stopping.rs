//! The orderly end, as players and operators see it (spec: faf-lifecycle 14).

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{
    http::get,
    player::Player,
    server::{Backend, Server, Setup},
};

const GOOD_BYE: &str = "The server has been shut down for maintenance but should be back online soon. If you experience \
                        any problems, please restart your client. <br/><br/>We apologize for this interruption.";

fn server(shards: u16, set: &[&str]) -> Server {
    let server = Server::start(&Setup {
        backend: Backend::Sqlite,
        shards,
        set: &set.iter().map(|&pair| pair.to_owned()).collect::<Vec<_>>(),
        sql: &[],
    })
    .unwrap();
    let health = server.listener("http/health").unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while get(health, "/ready").unwrap().status != 200 {
        assert!(Instant::now() < deadline, "not ready");
        std::thread::sleep(Duration::from_millis(5));
    }
    server
}

fn notice(style: &str, text: &str) -> Value {
    json!({"command":"notice","style":style,"text":text})
}

/// A game of his own, launched: it goes on for as long as he says.
fn launched(player: &mut Player, id: u32) {
    player.hosting();
    for (key, value) in [
        ("Army", 1),
        ("Team", 2),
        ("StartSpot", 1),
        ("Faction", 1),
        ("Color", 1),
    ] {
        player.game("PlayerOption", json!([id, key, value]));
    }
    player.game("GameState", json!(["Launching"]));
    while player.until("game_info")["state"] != "playing" {}
}

// checklist: faf 520
#[test]
fn a_server_without_games_ends_at_once_with_two_notices() {
    for shards in [1, 2] {
        let mut server = server(shards, &["server.stop_grace_s=1800"]);
        let mut players = ["orion", "vega"].map(|login| Player::signed_in(&server, login));
        let mut stranger = Player::connected(&server);
        server.terminate().unwrap();
        let soon = "The server will be shutting down for maintenance in 30 minutes! If you're in a game you can \
                    continue to play, however, you will not be able to create any new games until the server has been \
                    restarted.";
        for player in &mut players {
            let told = player.until_closed();
            assert_eq!(told, [notice("info", soon), notice("info", GOOD_BYE)]);
        }
        assert_eq!(stranger.until_closed(), [json!(null); 0]);
        assert_eq!(server.ended().unwrap(), 0);
    }
}

// checklist: faf 509 511 515 516 518
#[test]
fn lobbies_end_live_games_go_on_and_the_last_one_is_waited_for() {
    for shards in [1, 2] {
        let mut server = server(shards, &["server.stop_grace_s=5400"]);
        let mut playing = Player::signed_in(&server, "orion");
        launched(&mut playing, 11);
        let mut hosting = Player::signed_in(&server, "vega");
        hosting.hosting();
        let mut setting_up = Player::signed_in(&server, "lyra");
        setting_up.send(&json!({"command":"game_host","visibility":"public"}));
        setting_up.until("game_launch");

        server.terminate().unwrap();
        let soon = playing.until("notice");
        let text = soon["text"].as_str().unwrap();
        assert!(
            text.starts_with(
                "The server will be shutting down for maintenance in 1 hour and 30 minutes!"
            ),
            "{text}"
        );
        for player in [&mut hosting, &mut setting_up] {
            let mut styles = [player.until("notice"), player.until("notice")]
                .map(|notice| notice["style"].as_str().unwrap().to_owned());
            styles.sort();
            assert_eq!(styles, ["info", "kill"]);
            // Idle again: not a word about his state, only that there are no new games.
            player.send(&json!({"command":"game_host","visibility":"public"}));
            let refused = player.until("disabled");
            assert_eq!(refused["request"], "game_host");
        }
        // Sign-ins are served on.
        let mut late = Player::signed_in(&server, "mira");
        // The game goes on until its last player leaves; then the server ends.
        playing.send(&json!({"command":"ping"}));
        playing.until("pong");
        playing.game("GameState", json!(["Ended"]));
        for player in [&mut playing, &mut hosting, &mut setting_up, &mut late] {
            assert_eq!(
                player.until_closed().last(),
                Some(&notice("info", GOOD_BYE))
            );
        }
        assert_eq!(server.ended().unwrap(), 0);
    }
}

// checklist: faf 510 517
#[test]
fn with_the_option_idle_players_are_sent_away_and_others_stay() {
    let mut server = server(
        2,
        &[
            "server.stop_grace_s=60",
            "faf.shutdown_kick_idle_players=true",
        ],
    );
    let mut playing = Player::signed_in(&server, "orion");
    launched(&mut playing, 11);
    let mut idle = Player::signed_in(&server, "vega");
    server.terminate().unwrap();
    let soon = "The server will be shutting down for maintenance in 1 minute! If you're in a game you can continue to \
                play, otherwise you will be disconnected. If you aren't reconnected automatically please wait a few \
                minutes and try to connect again.";
    assert_eq!(
        idle.until_closed(),
        [notice("info", soon)],
        "no good-bye: the server goes on"
    );
    let mut late = Player::signed_in(&server, "lyra");
    assert_eq!(
        late.until_closed(),
        [json!(null); 0],
        "looked for each second"
    );
    playing.send(&json!({"command":"ping"}));
    playing.until("pong");
    playing.game("GameState", json!(["Ended"]));
    playing.until_closed();
    assert_eq!(server.ended().unwrap(), 0);
}

// checklist: faf 519
#[test]
fn a_second_signal_does_not_wait_for_games() {
    let mut server = server(1, &["server.stop_grace_s=1800"]);
    let mut playing = Player::signed_in(&server, "orion");
    launched(&mut playing, 11);
    server.terminate().unwrap();
    playing.until("notice");
    playing.send(&json!({"command":"ping"}));
    playing.until("pong");
    server.signal("INT").unwrap();
    assert_eq!(playing.until_closed(), [notice("info", GOOD_BYE)]);
    assert_eq!(server.ended().unwrap(), 0);
}

// checklist: faf 518
#[test]
fn games_are_not_waited_for_beyond_the_grace_period() {
    let mut server = server(1, &["server.stop_grace_s=1"]);
    let mut playing = Player::signed_in(&server, "orion");
    launched(&mut playing, 11);
    let begun = Instant::now();
    server.terminate().unwrap();
    let told = playing.until_closed();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(told.last(), Some(&notice("info", GOOD_BYE)));
    assert_eq!(server.ended().unwrap(), 0);
}
