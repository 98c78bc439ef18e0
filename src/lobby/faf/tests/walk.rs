//! Many clients do random things on three shards while mail is late; afterwards everything must fit together.

use metrics::report;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::*;
use crate::faf::{Metrics, consistency};

pub(super) const SHARDS: u16 = 3;

/// One or a few frames; `uid` is a game that somebody has heard of.
pub(super) fn random_frames(rng: &mut SmallRng, uid: u32) -> Vec<Value> {
    let id = rng.random_range(1..14);
    let state = |state: &str| game("GameState", json!([state]));
    let host = json!({"command": "game_host",
        "visibility": if id % 3 == 0 { "friends" } else { "public" },
        "enforce_rating_range": id % 4 == 0, "rating_min": 100});
    let join = json!({"command": "game_join", "uid": uid});
    let command = |command: &str| json!({"command": command, "foe": id});
    match rng.random_range(0..40) {
        0 => vec![hello(id)],
        1 => vec![json!({"command": "auth", "token": format!("p{id}"), "unique_id": ""})],
        2 => vec![host],
        3..=5 => vec![host, state("Idle"), state("Lobby")],
        6..=8 => vec![join],
        9..=17 => vec![join, state("Idle"), state("Lobby")],
        18 | 19 => vec![json!({"command": "restore_game_session", "game_id": uid})],
        20 => vec![state("Idle")],
        21 => vec![state("Lobby")],
        22 => vec![state("Launching")],
        23..=27 => vec![state("Ended")],
        28..=31 => vec![game("PlayerOption", json!([id, "Army", 1]))],
        32 | 33 => vec![game("IceMsg", json!([id, "x"]))],
        34 => vec![game("GameEnded", json!([]))],
        35 => vec![command("social_add")],
        36 => vec![command("social_remove")],
        37 => vec![game("GameResult", json!([1, "victory 10"]))],
        38 => vec![json!({"command": "game_join", "uid": 1})],
        _ => vec![game("GameMods", json!(["uids", "a b"]))],
    }
}

/// The same for parties, among few players so that they meet.
pub(super) fn party_frames(rng: &mut SmallRng, _: u32) -> Vec<Value> {
    let id = rng.random_range(1..6);
    match rng.random_range(0..12) {
        0 => vec![hello(id)],
        1..=4 => vec![json!({"command": "invite_to_party", "recipient_id": id})],
        5..=7 => vec![json!({"command": "accept_party_invite", "sender_id": id})],
        8 => vec![json!({"command": "kick_player_from_party", "kicked_player_id": id})],
        9 => vec![json!({"command": "leave_party"})],
        10 => vec![json!({"command": "set_party_factions", "factions": [id]})],
        _ => vec![
            json!({"command": "game_host", "visibility": "public"}),
            game("GameState", json!(["Ended"])),
        ],
    }
}

#[test]
fn random_walk_comes_to_rest() {
    let total = Metrics::default();
    for seed in 0..150 {
        let sim = walk(seed, 14, random_frames);
        for shard in 0..SHARDS {
            let metrics = &sim.dialect(shard).roles.metrics;
            total.games_hosted.add(metrics.games_hosted.value());
            total.joins.add(metrics.joins.value());
            total.evictions.add(metrics.evictions.value());
            total.setup_timeouts.add(metrics.setup_timeouts.value());
        }
    }
    // A walk that does nothing proves nothing.
    let Metrics {
        games_hosted,
        joins,
        evictions,
        setup_timeouts,
        ..
    } = &total;
    let told = report(&[&total]);
    assert!(games_hosted.value() > 500 && joins.value() > 300, "{told}");
    assert!(
        evictions.value() > 300 && setup_timeouts.value() > 100,
        "{told}"
    );
}

#[test]
fn parties_come_to_rest() {
    let total = Metrics::default();
    for seed in 0..150 {
        let sim = walk(seed, 6, party_frames);
        for shard in 0..SHARDS {
            let metrics = &sim.dialect(shard).roles.metrics;
            total.party_joins.add(metrics.party_joins.value());
            total.evictions.add(metrics.evictions.value());
        }
    }
    assert!(
        total.party_joins.value() > 500 && total.evictions.value() > 300,
        "{}",
        report(&[&total])
    );
}

/// A walk of players with ids below `ids`.
fn walk(seed: u64, ids: u32, frames: fn(&mut SmallRng, u32) -> Vec<Value>) -> Sim {
    let sim = simulator(SHARDS, seed, Settings::default());
    walk_in(sim, seed, ids, frames)
}

/// The same in a simulator that was made for it.
pub(super) fn walk_in(
    mut sim: Sim,
    seed: u64,
    ids: u32,
    frames: fn(&mut SmallRng, u32) -> Vec<Value>,
) -> Sim {
    sim.eager = seed.is_multiple_of(3);
    let mut rng = SmallRng::seed_from_u64(!seed);
    let mut conns: Vec<ConnId> = (0..ids as u16 - 2)
        .map(|i| sim.connect(i % SHARDS))
        .collect();
    for (i, &conn) in conns.iter().enumerate() {
        sim.send(conn, hello(i as u32 + 1).to_string());
    }
    for _ in 0..400 {
        let at = rng.random_range(0..conns.len());
        match rng.random_range(0..60) {
            0 => sim.disconnect(conns[at]),
            1 => sim.advance(Duration::from_millis(rng.random_range(1..2500))),
            2 => sim.advance(Duration::from_secs(rng.random_range(1..40))),
            _ => {
                let shard = rng.random_range(0..SHARDS);
                let games: Vec<u32> = sim
                    .dialect(shard)
                    .roles
                    .directory
                    .picture
                    .games()
                    .map(|g| g.uid)
                    .collect();
                let uid = *games
                    .get(rng.random_range(0..games.len().max(1)))
                    .unwrap_or(&100);
                for frame in frames(&mut rng, uid) {
                    sim.send(conns[at], frame.to_string());
                }
            }
        }
        if sim.client(conns[at]).closed.is_some() {
            conns[at] = sim.connect(rng.random_range(0..SHARDS));
            sim.send(conns[at], hello(rng.random_range(1..ids)).to_string());
        }
        for _ in 0..rng.random_range(0..12) {
            sim.step();
        }
    }
    sim.settle();
    settled(&mut sim, seed);
    // Everybody's game ends, and with the last tick everything about games is gone.
    for &conn in &conns {
        sim.send(conn, game("GameState", json!(["Ended"])).to_string());
    }
    sim.advance(Duration::from_secs(3));
    settled(&mut sim, seed);
    consistency::check_no_games(&sim, seed);
    for &conn in &conns {
        assert!(
            sim.client(conn).closed.is_some() || !sim.client(conn).held,
            "seed {seed}: held"
        );
        sim.disconnect(conn);
    }
    sim.advance(Duration::from_secs(2));
    consistency::check_nobody(&sim, seed);
    sim
}

/// Ticks have told everybody everything, and it fits together.
pub(super) fn settled(sim: &mut Sim, seed: u64) {
    sim.advance(Duration::from_secs(2));
    consistency::check(sim, seed);
}
