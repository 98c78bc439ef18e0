//! A seed gives the same run twice in one process: no effect's order depends on a hash.

use crate::Stopping;

use super::{
    matchmaking_walk,
    walk::{SHARDS, party_frames, random_frames, walk_in},
    *,
};

/// Every effect of a run, as text, on the shard that it came from.
fn effects(mut sim: Sim, run: impl FnOnce(Sim)) -> Vec<String> {
    let effects = Rc::new(RefCell::new(Vec::new()));
    let seen = effects.clone();
    sim.observer = Some(Box::new(move |shard, effect| {
        seen.borrow_mut().push(format!("{shard:?} {effect:?}"));
    }));
    run(sim);
    effects.take()
}

/// Maps differ in their hasher's keys, where those are drawn: it takes two runs to see it.
fn same_twice(settings: fn() -> Settings, seed: u64, run: fn(Sim, u64)) {
    let once = || effects(simulator(SHARDS, seed, settings()), |sim| run(sim, seed));
    let (first, second) = (once(), once());
    assert!(first.len() > 100, "only {} effects", first.len());
    let differ = first.iter().zip(&second).find(|(a, b)| a != b);
    assert_eq!(differ, None, "seed {seed}");
    assert_eq!(first.len(), second.len(), "seed {seed}");
}

#[test]
fn a_walk_of_games_can_be_taken_twice() {
    for seed in 0..6 {
        same_twice(Settings::default, seed, |sim, seed| {
            walk_in(sim, seed, 14, random_frames);
        });
    }
}

#[test]
fn a_walk_of_parties_can_be_taken_twice() {
    for seed in 0..6 {
        same_twice(Settings::default, seed, |sim, seed| {
            walk_in(sim, seed, 6, party_frames);
        });
    }
}

#[test]
fn a_walk_of_searches_can_be_taken_twice() {
    for seed in 0..12 {
        same_twice(matchmaking_walk::quick, seed, |sim, seed| {
            matchmaking_walk::walk_in(sim, seed);
        });
    }
}

/// Everything that goes through all games: the list of those to abandon, the books to keep.
#[test]
fn an_orderly_end_can_be_had_twice() {
    for seed in 0..6 {
        same_twice(Settings::default, seed, |mut sim, _| {
            let conns: Vec<ConnId> = (0..24).map(|n| sim.connect(n % SHARDS)).collect();
            for (n, &conn) in conns.iter().enumerate() {
                sim.send(conn, hello(n as u32 + 20).to_string());
                sim.send(
                    conn,
                    json!({"command": "game_host", "visibility": "public"}).to_string(),
                );
                let states: &[&str] = match n % 2 {
                    0 => &["Idle", "Lobby"],
                    _ => &["Idle", "Lobby", "Launching"],
                };
                for state in states {
                    sim.send(conn, game("GameState", json!([state])).to_string());
                }
            }
            sim.advance(Duration::from_secs(3));
            sim.stalled = true;
            for &conn in conns.iter().step_by(3) {
                sim.send(conn, game("GameState", json!(["Ended"])).to_string());
            }
            sim.settle();
            sim.stop(Stopping::Drain);
            sim.stop(Stopping::Now);
        });
    }
}
