//! A back office that fails, refuses and keeps everybody waiting, while clients do whatever they like: afterwards no
//! player is left in a state they can't leave.

use std::cell::Cell;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    robustness::{self, values, with},
    walk::{SHARDS, party_frames, random_frames, settled},
    *,
};

/// An office that does its work, or says that the database is away, or that a statement failed.
fn moody(seed: u64, moody: Rc<Cell<bool>>) -> impl FnMut(Ask) -> Answer {
    let paper = Paper {
        keeps_get_lost: true,
        ..Paper::default()
    };
    let mut office = office_with(Rc::new(RefCell::new(paper)));
    let mut rng = SmallRng::seed_from_u64(seed);
    move |ask| match rng.random_range(0..10) {
        0 | 1 if moody.get() => ask.failed(StoreFailure::Unavailable),
        2 if moody.get() => ask.failed(StoreFailure::Failed),
        _ => office(ask),
    }
}

/// Any message there is, in order or with something wrong in it.
fn any_frames(rng: &mut SmallRng, uid: u32) -> Vec<String> {
    let plain = |frames: Vec<Value>| frames.iter().map(Value::to_string).collect();
    let broken = |rng: &mut SmallRng, message: &Value, paths: &[String]| {
        let Some(path) = paths.get(rng.random_range(0..paths.len().max(1))) else {
            return message.to_string();
        };
        // The huge ones at the end are for other tests: they only take time.
        let values = values();
        let value = &values[rng.random_range(0..values.len() - 4)].0;
        with(
            message,
            path,
            rng.random_bool(0.8).then_some(value.as_str()),
        )
    };
    match rng.random_range(0..10) {
        0..=4 => plain(random_frames(rng, uid)),
        5 | 6 => plain(party_frames(rng, uid)),
        7 => {
            let (text, _, fields) = robustness::LOBBY[rng.random_range(0..robustness::LOBBY.len())];
            let message: Value = serde_json::from_str(text).expect("the table holds JSON");
            let paths: Vec<String> = fields.iter().map(|field| field.0.to_owned()).collect();
            vec![if rng.random_bool(0.7) {
                text.to_owned()
            } else {
                broken(rng, &message, &paths)
            }]
        }
        _ => {
            let (command, args) = robustness::GAME[rng.random_range(0..robustness::GAME.len())];
            let args: Value = serde_json::from_str(args).expect("the table holds JSON");
            let count = args.as_array().map_or(0, Vec::len);
            let message = game(command, args);
            let paths: Vec<String> = (0..count).map(|at| format!("args/{at}")).collect();
            vec![if rng.random_bool(0.7) {
                message.to_string()
            } else {
                broken(rng, &message, &paths)
            }]
        }
    }
}

#[test]
fn nobody_is_left_in_a_state_he_cannot_leave() {
    let (mut hosted, mut store_errors) = (0, 0);
    for seed in 0..60 {
        let sim = troubled_walk(seed);
        for shard in 0..SHARDS {
            hosted += sim.dialect(shard).roles.metrics.games_hosted.value();
            store_errors += sim.dialect(shard).roles.metrics.store_errors.value();
        }
    }
    // A walk that meets no trouble proves nothing.
    assert!(
        hosted > 300 && store_errors > 300,
        "{hosted} games, {store_errors} errors"
    );
}

fn troubled_walk(seed: u64) -> Sim {
    let trouble = Rc::new(Cell::new(true));
    let office = Box::new(moody(seed, trouble.clone()));
    let mut sim = simulator_of(SHARDS, seed, Settings::default(), office);
    sim.eager = seed.is_multiple_of(3);
    let mut rng = SmallRng::seed_from_u64(!seed);
    let mut conns: Vec<ConnId> = (0..8).map(|i| sim.connect(i % SHARDS)).collect();
    for (i, &conn) in conns.iter().enumerate() {
        sim.send(conn, hello(i as u32 + 1).to_string());
    }
    for _ in 0..400 {
        let at = rng.random_range(0..conns.len());
        match rng.random_range(0..60) {
            0 => sim.disconnect(conns[at]),
            1 => sim.advance(Duration::from_millis(rng.random_range(1..2500))),
            2 => sim.advance(Duration::from_secs(rng.random_range(1..40))),
            3 => sim.stalled = !sim.stalled,
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
                for frame in any_frames(&mut rng, uid) {
                    sim.send(conns[at], frame);
                }
            }
        }
        if sim.client(conns[at]).closed.is_some() {
            conns[at] = sim.connect(rng.random_range(0..SHARDS));
            sim.send(conns[at], hello(rng.random_range(1..9)).to_string());
        }
        for _ in 0..rng.random_range(0..12) {
            sim.step();
        }
    }
    // The trouble is over.
    sim.stalled = false;
    trouble.set(false);
    sim.settle();
    settled(&mut sim, seed);
    // Everybody does what ends whatever they are in; nobody's game process ever comes up again.
    for &conn in &conns {
        sim.send(conn, game("GameState", json!(["Ended"])).to_string());
        sim.send(conn, json!({"command": "leave_party"}).to_string());
        sim.send(
            conn,
            json!({"command": "game_matchmaking", "state": "stop"}).to_string(),
        );
    }
    sim.advance(Duration::from_secs(200));
    settled(&mut sim, seed);
    for shard in 0..SHARDS {
        let faf = sim.dialect(shard);
        assert!(
            faf.roles.waits_for_nothing(),
            "seed {seed}: {:?}",
            faf.roles.games.pending
        );
        assert!(
            faf.roles.games.games.is_empty(),
            "seed {seed}: {:?}",
            faf.roles.games.games
        );
    }
    for &conn in &conns {
        if sim.client(conn).closed.is_some() {
            continue;
        }
        assert!(!sim.client(conn).held, "seed {seed}: held");
        let signed_in = sim
            .dialect_of(conn)
            .roles
            .sessions
            .table
            .players()
            .any(|(s, _)| s.conn == conn && !s.old_client);
        if signed_in {
            let said = say(
                &mut sim,
                conn,
                json!({"command": "game_host", "visibility": "public"}),
            );
            assert!(
                commands(&said).contains(&"game_launch"),
                "seed {seed}: {said:?}"
            );
        }
    }
    sim
}
