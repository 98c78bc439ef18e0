//! What the newest version of the replaced server does, and what the specification had wrong (spec: faf-newer).

use super::*;

/// The log is for who looks for cheats: what matters is who asked for what, not whether there is such a game.
#[test]
fn an_attempt_to_join_is_logged_whatever_game_is_named() {
    for shards in 1..=3 {
        let logged = Rc::new(RefCell::new(Vec::new()));
        let mut others = office();
        let log = logged.clone();
        let office = move |ask| {
            if let Ask::Join(Join { game_id, .. }) = &ask {
                log.borrow_mut().push(*game_id);
            }
            others(ask)
        };
        let mut sim = simulator_of(shards, 1, Settings::default(), Box::new(office));
        let joiner = player(&mut sim, 2, shards - 1);
        for uid in [json!(999_999), json!("41"), json!(-1), json!("x")] {
            say(
                &mut sim,
                joiner,
                json!({"command": "game_join", "uid": uid}),
            );
        }
        assert_eq!(*logged.borrow(), [Some(999_999), Some(41), None, None]);
    }
}

/// The notice came after the end of searches, and on one shard lobbies closed before another shard's players knew why.
#[test]
fn at_an_orderly_stop_all_are_told_before_searches_end_and_those_before_lobbies() {
    for shards in 1..=4 {
        for seed in 0..20 {
            let mut sim = simulator(shards, seed, Settings::default());
            sim.eager = seed % 2 == 0;
            let all: Vec<ConnId> = (1..=8)
                .map(|id| player(&mut sim, id, id as u16 % shards))
                .collect();
            let (searching, others) = all.split_at(4);
            for &conn in searching {
                say(
                    &mut sim,
                    conn,
                    json!({"command": "game_matchmaking", "state": "start"}),
                );
            }
            let uid = hosted(&mut sim, others[0], json!({}));
            joined(&mut sim, others[1], uid);
            hosted(&mut sim, others[2], json!({}));
            for &conn in &all {
                sim.take(conn);
            }
            sim.stop(crate::Stopping::Drain);
            // What came when: several may learn of one step at once, but of no later one before all know of it.
            let mut seen: Vec<u8> = Vec::new();
            loop {
                let mut now: Vec<u8> = Vec::new();
                for &conn in &all {
                    let got: Vec<u8> = sim.take(conn).iter().filter_map(step_of).collect();
                    assert!(got.is_sorted(), "{got:?}");
                    now.extend(got);
                }
                now.sort_unstable();
                seen.extend(now);
                if !sim.step() {
                    break;
                }
            }
            let expected = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2];
            assert_eq!(seen, expected, "{shards} shards, seed {seed}");
        }
    }
}

/// Which step of the end a message is of.
fn step_of(message: &Value) -> Option<u8> {
    match (message["command"].as_str()?, message["style"].as_str()) {
        ("notice", Some("info")) => Some(0),
        ("search_info", _) => Some(1),
        ("notice", Some("kill")) => Some(2),
        _ => None,
    }
}
