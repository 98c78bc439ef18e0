//! What one player may do to others: messages between games, how much a client may say, how long a game may keep others busy,
//! how often signing in may fail.

use super::*;
use crate::faf::{Metrics, model::pace::Pace};

fn metrics(sim: &Sim) -> Vec<Arc<Metrics>> {
    let shards = 0..sim.shards();
    let all = shards.map(|shard| sim.dialect(shard).roles.metrics.clone());
    all.collect()
}

fn over_limit(sim: &Sim) -> u64 {
    metrics(sim).iter().map(|m| m.over_limit.value()).sum()
}

/// Two players in one game, and somebody who hosts another.
fn three(sim: &mut Sim, shards: u16) -> [ConnId; 3] {
    let host = player(sim, 1, 0);
    let guest = player(sim, 2, shards - 1);
    let other = player(sim, 3, shards / 2);
    let uid = hosted(sim, host, json!({}));
    joined(sim, guest, uid);
    hosted(sim, other, json!({}));
    tick(sim);
    for conn in [host, guest, other] {
        sim.take(conn);
    }
    [host, guest, other]
}

#[test]
fn games_talk_to_players_of_the_same_game_only() {
    each(|mut sim, shards| {
        let [host, guest, other] = three(&mut sim, shards);
        for (from, to) in [(other, 1), (other, 2), (host, 3)] {
            say(&mut sim, from, game("IceMsg", json!([to, "x"])));
        }
        for conn in [host, guest, other] {
            assert!(sim.take(conn).is_empty());
        }
        say(&mut sim, host, game("IceMsg", json!([2, "x"])));
        assert_eq!(commands(&sim.take(guest)), ["IceMsg"]);
    });
}

#[test]
fn what_games_say_to_each_other_is_short() {
    each(|mut sim, shards| {
        let [host, guest, _] = three(&mut sim, shards);
        let long = "é".repeat(20 << 10);
        for message in [json!(long), json!({ "a": long }), json!(vec![0; 20_000])] {
            say(&mut sim, host, game("IceMsg", json!([2, message])));
        }
        assert!(sim.take(guest).is_empty());
        assert_eq!(over_limit(&sim), 3);
        say(
            &mut sim,
            host,
            game("IceMsg", json!([2, "x".repeat(30 << 10)])),
        );
        assert_eq!(sim.take(guest).len(), 1);
    });
}

/// Otherwise one player fills what may wait for another.
#[test]
fn games_say_so_much_to_each_other_in_a_second() {
    let mut sim = simulator(2, 1, Settings::default());
    let [host, guest, _] = three(&mut sim, 2);
    let text = json!("x".repeat(30 << 10));
    let said = |sim: &mut Sim| {
        for _ in 0..100 {
            say(sim, host, game("IceMsg", json!([2, text])));
        }
        sim.take(guest).len()
    };
    assert_eq!(said(&mut sim), 35);
    sim.advance(Duration::from_secs(5));
    sim.take(guest);
    assert_eq!(said(&mut sim), 10);
}

#[test]
fn who_says_too_much_is_heard_later() {
    let pace = Pace {
        commands: Some(100),
        bytes: Some(1 << 20),
    };
    let settings = Settings {
        pace,
        ..Settings::default()
    };
    let mut sim = simulator(1, 1, settings);
    let [flooder, other] = [1, 2].map(|id| player(&mut sim, id, 0));
    sim.advance(Duration::from_secs(1));
    sim.take(flooder);
    for _ in 0..4_500 {
        sim.send(flooder, json!({"command": "ping"}).to_string());
    }
    sim.settle();
    let at_once = sim.take(flooder).len();
    assert!((3_990..4_010).contains(&at_once), "{at_once}");
    assert_eq!(say(&mut sim, other, json!({"command": "ping"})).len(), 1);
    sim.advance(Duration::from_secs(2));
    let later = sim.take(flooder).len();
    assert!((190..215).contains(&later), "{later}");
    sim.advance(Duration::from_secs(10));
    assert_eq!(
        at_once + later + sim.take(flooder).len(),
        4_500,
        "nothing is lost"
    );
    assert!(metrics(&sim)[0].pauses.value() > 100);
}

/// An answer of the store does not end a pause, and a pause does not let anybody in before the answer.
#[test]
fn a_pause_and_an_answer_are_both_waited_for() {
    let pace = Pace {
        commands: Some(1),
        bytes: None,
    };
    let settings = Settings {
        pace,
        ..Settings::default()
    };
    let mut sim = simulator(1, 1, settings);
    let conn = player(&mut sim, 1, 0);
    for _ in 0..4_000 {
        sim.send(conn, json!({"command": "ping"}).to_string());
    }
    sim.settle();
    sim.take(conn);
    sim.stalled = true;
    sim.advance(Duration::from_secs(30));
    say(
        &mut sim,
        conn,
        json!({"command": "avatar", "action": "list_avatar"}),
    );
    sim.advance(Duration::from_secs(60));
    assert!(say(&mut sim, conn, json!({"command": "matchmaker_info"})).is_empty());
    sim.stalled = false;
    sim.advance(Duration::from_secs(30));
    assert!(commands(&sim.take(conn)).contains(&"matchmaker_info"));
}

#[test]
fn a_connection_ends_after_some_failures_to_sign_in() {
    each(|mut sim, _| {
        let conn = sim.connect(0);
        let wrong = json!({"command": "hello", "login": "bad", "password": "x", "unique_id": "u"});
        for n in 1..=10 {
            assert!(sim.client(conn).closed.is_none(), "{n}");
            let answer = say(&mut sim, conn, wrong.clone());
            assert_eq!(commands(&answer), ["authentication_failed"]);
        }
        assert!(sim.client(conn).closed.is_some());
        assert_eq!(metrics(&sim)[0].sign_in_closes.value(), 1);
    });
}

/// Everything that a host may set, as long as it may be.
#[test]
fn options_of_a_game_are_bounded_together() {
    each(|mut sim, _| {
        let host = player(&mut sim, 1, 0);
        let uid = hosted(&mut sim, host, json!({}));
        let value = "v".repeat(400);
        let ids = (0..128).map(|id| ("PlayerOption", json!(1_000 + id)));
        let ais = (0..32).map(|ai| ("AIOption", json!(format!("ai{ai}"))));
        for (command, whose) in ids.chain(ais) {
            for key in 0..10 {
                let args = json!([whose, format!("key{key}"), value]);
                sim.send(host, game(command, args).to_string());
            }
        }
        for key in 0..256 {
            let args = json!([format!("key{key}"), "v".repeat(4_000)]);
            sim.send(host, game("GameOption", args).to_string());
        }
        sim.advance(Duration::from_secs(20));
        let all = sim.dialect(0).roles.games.games[&uid].options_bytes();
        assert!((100 << 10..=128 << 10).contains(&all), "{all} bytes");
        assert!(over_limit(&sim) > 1_000);
    });
}

/// spec: faf-messages 4.2 to 4.4: what a full game with many mods sets.
#[test]
fn a_full_game_has_all_its_options() {
    let mut sim = simulator(1, 1, Settings::default());
    let host = player(&mut sim, 1, 0);
    let uid = hosted(&mut sim, host, json!({}));
    for key in 0..100 {
        say(
            &mut sim,
            host,
            game("GameOption", json!([format!("SomeOption{key}"), "a value"])),
        );
    }
    for id in 1..=32 {
        for key in 0..15 {
            let args = json!([id, format!("PlayerOption{key}"), "a value of some length"]);
            say(&mut sim, host, game("PlayerOption", args));
        }
    }
    for ai in 0..16 {
        for key in 0..15 {
            let args = json!([format!("AI: {ai}"), format!("Option{key}"), "a value"]);
            say(&mut sim, host, game("AIOption", args));
        }
    }
    let uids: Vec<String> = (0..100).map(|n| format!("{n:0>36}")).collect();
    say(
        &mut sim,
        host,
        game("GameMods", json!(["uids", uids.join(" ")])),
    );
    tick(&mut sim);
    assert_eq!(over_limit(&sim), 0);
    let game = &sim.dialect(0).roles.games.games[&uid];
    assert_eq!(game.sim_mods.len(), 100);
    assert_eq!(game.player_options.len(), 32);
}

#[test]
fn mods_of_a_game_are_bounded_together() {
    let mut sim = simulator(1, 1, Settings::default());
    let host = player(&mut sim, 1, 0);
    let other = player(&mut sim, 2, 0);
    hosted(&mut sim, host, json!({}));
    let uids: Vec<String> = (0..128).map(|n| format!("{n:\"<250}")).collect();
    say(
        &mut sim,
        host,
        game("GameMods", json!(["uids", uids.join(" ")])),
    );
    sim.take(other);
    tick(&mut sim);
    let told: usize = sim.take_raw(other).iter().map(bytes::Bytes::len).sum();
    assert!(told < 20 << 10, "{told} bytes");
    assert_eq!(over_limit(&sim), 1);
}

/// What everybody is told of a game is long if its host makes it so, and everybody is told it again with each change.
#[test]
fn a_game_that_changes_again_and_again_is_told_less_often() {
    let mut sim = simulator(1, 1, Settings::default());
    let host = player(&mut sim, 1, 0);
    let other = player(&mut sim, 2, 0);
    hosted(&mut sim, host, json!({}));
    let uids: Vec<String> = (0..100).map(|n| format!("{n:0>100}")).collect();
    say(
        &mut sim,
        host,
        game("GameMods", json!(["uids", uids.join(" ")])),
    );
    let mut told = 0;
    for n in 0..100 {
        say(&mut sim, host, game("GameOption", json!(["Key", n])));
        sim.take(other);
        tick(&mut sim);
        told += sim
            .take_raw(other)
            .iter()
            .map(bytes::Bytes::len)
            .sum::<usize>();
    }
    assert!((300 << 10..1_100 << 10).contains(&told), "{told} bytes");
    assert!(metrics(&sim)[0].game_news_deferred.value() > 20);
    say(
        &mut sim,
        host,
        game("GameOption", json!(["Title", "the last one"])),
    );
    sim.take(other);
    sim.advance(Duration::from_secs(60));
    let told = sim.take(other);
    let last = told.iter().rfind(|m| m["command"] == "game_info");
    assert_eq!(
        last.map(|game| game["title"].clone()),
        Some(json!("the last one"))
    );
}
