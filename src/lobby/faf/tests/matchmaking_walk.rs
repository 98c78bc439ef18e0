//! Parties, searches and matches of players who do random things and vanish at any moment, on one, two and three shards:
//! whatever they do, nobody is left in a state they can't leave.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    searches::{players, search, searches},
    walk::settled,
    *,
};
use crate::faf::Metrics;

/// Players of a walk: few, so that they meet.
const PLAYERS: u32 = 9;

/// Queues pop every few seconds.
pub(super) fn quick() -> Settings {
    let mut settings = Settings::default();
    settings.matchmaking.pop.longest = Duration::from_secs(8);
    settings.matchmaking.pop.shortest = Duration::from_secs(2);
    settings.matchmaking.violations.ban_threshold = 50;
    settings
}

fn stop(queue: &str) -> Value {
    json!({"command": "game_matchmaking", "queue_name": queue, "state": "stop"})
}

pub(super) fn frames(rng: &mut SmallRng) -> Vec<Value> {
    let id = rng.random_range(1..PLAYERS);
    let queue = ["ladder1v1", "tmm2v2", "tmm2v2", "gameoptions"][rng.random_range(0..4)];
    let state = |state: &str| game("GameState", json!([state]));
    match rng.random_range(0..40) {
        0..=9 => vec![search(queue)],
        10 => vec![search("ladder1v1"), search("tmm2v2"), search("gameoptions")],
        11 | 12 => vec![stop(queue)],
        13..=15 => vec![json!({"command": "invite_to_party", "recipient_id": id})],
        16 | 17 => vec![json!({"command": "accept_party_invite", "sender_id": id})],
        18 => vec![json!({"command": "leave_party"})],
        19 => vec![json!({"command": "kick_player_from_party", "kicked_player_id": id})],
        20 => vec![json!({"command": "set_party_factions", "factions": [rng.random_range(1..6)]})],
        21..=24 => vec![state("Idle"), state("Lobby")],
        25 => vec![state("Idle")],
        // A host in a hurry.
        26..=31 => {
            let options = (1..PLAYERS).map(|id| game("PlayerOption", json!([id, "Army", id])));
            let first = [state("Idle"), state("Lobby")];
            let last = [state("Launching")];
            first.into_iter().chain(options).chain(last).collect()
        }
        32..=35 => vec![state("Ended")],
        36 => vec![json!({"command": "game_host", "visibility": "public"})],
        37 => {
            let veto = json!({"matchmaker_queue_map_pool_id": 101, "map_pool_map_version_id": 11,
                "veto_tokens_applied": 1});
            vec![json!({"command": "set_player_vetoes", "vetoes": [veto]})]
        }
        38 => vec![json!({"command": "matchmaker_info"})],
        _ => vec![hello(id)],
    }
}

/// Reference data that comes again, sometimes without the queue for teams of two.
fn refresh(sim: &mut Sim, rng: &mut SmallRng) {
    let mut reference = reference();
    if rng.random_bool(0.3) {
        reference.queues.remove(1);
    }
    let reference = Arc::new(reference);
    for shard in 0..sim.shards() {
        sim.tell(shard, News::Reference(reference.clone()));
    }
}

fn walk(seed: u64) -> Sim {
    let shards = (seed % 3) as u16 + 1;
    walk_in(simulator(shards, seed, quick()), seed)
}

/// The same in a simulator that was made for it.
pub(super) fn walk_in(mut sim: Sim, seed: u64) -> Sim {
    let shards = sim.shards();
    sim.eager = seed.is_multiple_of(2);
    let mut rng = SmallRng::seed_from_u64(!seed);
    let mut conns: Vec<ConnId> = (1..PLAYERS)
        .map(|id| {
            let conn = sim.connect(id as u16 % shards);
            sim.send(conn, hello(id).to_string());
            conn
        })
        .collect();
    for _ in 0..400 {
        let at = rng.random_range(0..conns.len());
        match rng.random_range(0..60) {
            0 | 1 => sim.disconnect(conns[at]),
            2..=5 => sim.advance(Duration::from_millis(rng.random_range(1..5000))),
            6 => sim.advance(Duration::from_secs(rng.random_range(1..90))),
            7 if rng.random_bool(0.2) => refresh(&mut sim, &mut rng),
            _ => {
                for frame in frames(&mut rng) {
                    sim.send(conns[at], frame.to_string());
                }
            }
        }
        if sim.client(conns[at]).closed.is_some() {
            conns[at] = sim.connect(rng.random_range(0..shards));
            sim.send(conns[at], hello(rng.random_range(1..PLAYERS)).to_string());
        }
        for _ in 0..rng.random_range(0..12) {
            sim.step();
        }
    }
    sim.settle();
    settled(&mut sim, seed);
    come_to_rest(&mut sim, seed, &conns);
    sim
}

/// Everybody searches no more and ends their game; what was on its way to a game runs out of time.
fn come_to_rest(sim: &mut Sim, seed: u64, conns: &[ConnId]) {
    for _ in 0..2 {
        for &conn in conns {
            for queue in ["ladder1v1", "tmm2v2", "gameoptions"] {
                sim.send(conn, stop(queue).to_string());
            }
            sim.send(conn, game("GameState", json!(["Ended"])).to_string());
        }
        sim.advance(Duration::from_secs(200));
    }
    settled(sim, seed);
    let matchmaker = &sim.dialect(0).roles.coordinator.matchmaker;
    assert!(
        matchmaker.matches.is_empty(),
        "seed {seed}: {:?}",
        matchmaker.matches
    );
    assert!(
        matchmaker.searches.is_empty(),
        "seed {seed}: {:?}",
        matchmaker.searches
    );
    assert!(
        matchmaker.entries.is_empty(),
        "seed {seed}: {:?}",
        matchmaker.entries
    );
    assert!(
        matchmaker.queues.iter().all(|queue| queue.players == 0),
        "seed {seed}"
    );
    for shard in 0..sim.shards() {
        let faf = sim.dialect(shard);
        assert!(
            faf.roles.games.games.is_empty(),
            "seed {seed}: {:?}",
            faf.roles.games.games
        );
        assert!(
            faf.roles.waits_for_nothing(),
            "seed {seed}: {:?}",
            faf.roles.games.pending
        );
        for session in faf.roles.sessions.table.iter() {
            assert_eq!(session.state.name(), "IDLE", "seed {seed}");
        }
    }
    for &conn in conns {
        let client = sim.client(conn);
        assert!(client.closed.is_some() || !client.held, "seed {seed}: held");
    }
}

#[test]
fn nobody_is_left_stuck_by_searches_and_matches() {
    let total = Metrics::default();
    for seed in 0..150 {
        let sim = walk(seed);
        for shard in 0..sim.shards() {
            let metrics = &sim.dialect(shard).roles.metrics;
            total.searches.add(metrics.searches.value());
            total
                .searches_cancelled
                .add(metrics.searches_cancelled.value());
            total.matches_found.add(metrics.matches_found.value());
            total.matches_launched.add(metrics.matches_launched.value());
            total
                .matches_timed_out
                .add(metrics.matches_timed_out.value());
            total.matches_aborted.add(metrics.matches_aborted.value());
            total.violations.add(metrics.violations.value());
        }
    }
    // A walk that does nothing proves nothing.
    let Metrics {
        searches,
        matches_found,
        matches_launched,
        matches_timed_out,
        matches_aborted,
        ..
    } = &total;
    let told = metrics::report(&[&total]);
    assert!(
        searches.value() > 1500 && matches_found.value() > 250,
        "{told}"
    );
    assert!(
        matches_launched.value() > 25 && matches_timed_out.value() > 25,
        "{told}"
    );
    assert!(matches_aborted.value() > 25, "{told}");
}

/// A host who has left their match's game is free at once; when the match fails at last they may be in the next one already.
#[test]
fn an_old_match_does_not_free_a_player_of_a_new_one() {
    for shards in 1..=3 {
        let mut sim = simulator(shards, 1, quick());
        let conns = players(&mut sim, shards, 3);
        searches(&mut sim, conns[0], "ladder1v1");
        searches(&mut sim, conns[1], "ladder1v1");
        sim.advance(Duration::from_secs(9));
        // The first match's game has come to its host, and they do not want it.
        let launched = sim.take(conns[0]);
        assert!(commands(&launched).contains(&"game_launch"), "{launched:?}");
        state(&mut sim, conns[0], "Ended");
        searches(&mut sim, conns[0], "ladder1v1");
        searches(&mut sim, conns[2], "ladder1v1");
        sim.advance(Duration::from_secs(9));
        let launched = sim.take(conns[0]);
        assert!(commands(&launched).contains(&"game_launch"), "{launched:?}");
        sim.take(conns[2]);
        sim.advance(Duration::from_secs(50));
        let told = sim.take(conns[0]);
        assert!(commands(&told).contains(&"match_cancelled"), "{told:?}");
        let login_id = conns[2];
        let session = sim.dialect_of(login_id).roles.sessions.table.get(login_id);
        assert_eq!(session.map(|s| s.state.name()), Some("STARTING_AUTOMATCH"));
        assert_eq!(sim.dialect(0).roles.coordinator.matchmaker.matches.len(), 1);
    }
}

/// The server may be told to end at any moment of a walk, and then does.
#[test]
fn a_shutdown_at_any_moment_leaves_nothing_to_wait_for() {
    for seed in 0..60 {
        let shards = (seed % 3) as u16 + 1;
        let mut sim = simulator(shards, seed, quick());
        let mut rng = SmallRng::seed_from_u64(seed);
        let conns: Vec<ConnId> = (1..PLAYERS)
            .map(|id| {
                let conn = sim.connect(id as u16 % shards);
                sim.send(conn, hello(id).to_string());
                conn
            })
            .collect();
        sim.advance(Duration::from_secs(1));
        for &conn in &conns {
            sim.send(
                conn,
                search(["ladder1v1", "tmm2v2"][rng.random_range(0..2)]).to_string(),
            );
        }
        sim.advance(Duration::from_millis(rng.random_range(0..12_000)));
        for _ in 0..rng.random_range(0..30) {
            sim.step();
        }
        sim.stop(crate::Stopping::Drain);
        sim.advance(Duration::from_secs(200));
        for shard in 0..shards {
            let faf = sim.dialect(shard);
            assert!(crate::Dialect::is_drained(faf), "seed {seed}");
            assert!(
                faf.roles.coordinator.matchmaker.matches.is_empty(),
                "seed {seed}"
            );
            for session in faf.roles.sessions.table.iter() {
                assert_eq!(session.state.name(), "IDLE", "seed {seed}");
            }
        }
    }
}
