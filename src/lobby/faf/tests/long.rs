//! Nothing that clients are sent is longer than they read, whoever has a hand in it.

use super::*;
use crate::faf::protocol::lists::tests::in_frames;

/// A simulated lobby of this many players, who come without a pause, the first of them before.
fn crowd(shards: u16, players: u32) -> (Sim, Vec<ConnId>) {
    let mut sim = simulator(shards, 1, Settings::default());
    let mut conns = vec![player(&mut sim, 1, 0)];
    // The back office refuses some below.
    for id in 101..100 + players {
        let conn = sim.connect(id as u16 % shards);
        sim.send(conn, hello(id).to_string());
        sim.settle();
        sim.take_raw(conn);
        conns.push(conn);
    }
    (sim, conns)
}

fn frames(sim: &mut Sim, conn: ConnId) -> Vec<Value> {
    let raw = sim.take_raw(conn);
    raw.iter().map(|body| in_frames(body)).collect()
}

fn listed(messages: &[Value], command: &str, list: &str) -> usize {
    let of = messages.iter().filter(|m| m["command"] == command);
    of.filter_map(|m| m[list].as_array()).map(Vec::len).sum()
}

#[test]
fn ticks_newcomers_lists_and_those_after_slow_reading_have_readable_frames() {
    let (mut sim, conns) = crowd(2, 1_500);
    let watcher = conns[0];
    sim.take_raw(watcher);
    tick(&mut sim);
    let told = frames(&mut sim, watcher);
    assert_eq!(listed(&told, "player_info", "players"), 1_499);
    assert!(commands(&told).len() > 1);
    sim.resync(watcher);
    sim.settle();
    let told = frames(&mut sim, watcher);
    assert_eq!(listed(&told, "player_info", "players"), 1_500);
    let newcomer = sim.connect(1);
    sim.send(newcomer, hello(9_000).to_string());
    sim.settle();
    let told = frames(&mut sim, newcomer);
    assert_eq!(listed(&told, "player_info", "players"), 1_501);
}

/// Whatever bounds the parts of a game: what is told of it in everybody's list is bounded as a whole.
#[test]
fn a_game_of_long_words_is_told_without_its_mods_and_teams() {
    let (mut sim, conns) = crowd(1, 1);
    let uid = hosted(&mut sim, conns[0], json!({"title": "long"}));
    configure(&mut sim, conns[0], 1, 1, 2);
    let mut game = sim.dialect(0).roles.games.games[&uid].clone();
    let told = in_frames(&game.body(false));
    assert_eq!(told["teams"], json!({"2": ["p1"]}));
    let long = |n| (format!("{n}-{}", "\u{e9}".repeat(100)), "name".to_owned());
    game.sim_mods = (0..128).map(long).collect();
    let told = in_frames(&game.body(false));
    assert_eq!(
        (&told["uid"], &told["num_players"]),
        (&json!(uid), &json!(1))
    );
    assert_eq!(
        (&told["sim_mods"], &told["teams"]),
        (&json!({}), &json!({}))
    );
    assert!(told.to_string().len() < 4_000);
}

#[test]
fn the_longest_lists_of_friends_and_foes_fit_a_frame() {
    use crate::faf::{model::limits, protocol::message};
    let most: Vec<u32> = (0..limits::RELATIONS as u32)
        .map(|n| u32::MAX - n)
        .collect();
    let channels = [
        "#moderators".to_owned(),
        format!("#{}_clan", "x".repeat(100)),
    ];
    let social = message::encode(&message::Social {
        autojoin: &channels,
        channels: &channels,
        friends: &most,
        foes: &most,
        power: 2,
    });
    in_frames(&social);
}

#[test]
fn queues_in_which_everybody_searches_fit_a_frame() {
    let (mut sim, conns) = crowd(1, 700);
    for &conn in &conns[1..] {
        for queue in ["ladder1v1", "tmm2v2"] {
            let search =
                json!({"command": "game_matchmaking", "state": "start", "queue_name": queue});
            sim.send(conn, search.to_string());
        }
    }
    sim.settle();
    sim.take_raw(conns[0]);
    sim.send(conns[0], json!({"command": "matchmaker_info"}).to_string());
    sim.settle();
    let told = frames(&mut sim, conns[0]);
    let queues = &told.last().expect("an answer")["queues"];
    assert_eq!(queues[0]["num_players"], 699);
    assert_eq!(
        queues[0]["boundary_80s"].as_array().map(Vec::len),
        Some(512)
    );
}
