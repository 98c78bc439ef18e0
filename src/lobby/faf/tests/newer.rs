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

/// Deliberate: the replaced server says `HostGame`, or `JoinGame`, once more.
#[test]
fn a_second_lobby_of_a_host_ends_the_game_and_of_a_guest_does_nothing() {
    for shards in 1..=3 {
        let mut sim = simulator(shards, 1, Settings::default());
        let host = player(&mut sim, 1, 0);
        let guest = player(&mut sim, 2, shards - 1);
        let uid = hosted(&mut sim, host, json!({}));
        joined(&mut sim, guest, uid);
        sim.take(host);
        assert!(state(&mut sim, guest, "Lobby").is_empty());
        assert!(sim.take(host).is_empty());
        assert!(state(&mut sim, host, "Lobby").is_empty());
        tick(&mut sim);
        let told = sim.take(guest);
        assert_eq!(told.last().expect("news")["state"], "closed");
    }
}

/// Somebody comes to join; gives the last text that they read.
fn joins(sim: &mut Sim, id: u32, uid: u32) -> String {
    let conn = player(sim, id, sim.shards() - 1);
    let said = say(sim, conn, json!({"command": "game_join", "uid": uid}));
    sim.disconnect(conn);
    let texts = texts(&said);
    texts
        .last()
        .map_or(String::new(), |text| (*text).to_owned())
}

#[test]
fn checks_of_a_join_are_made_in_their_order() {
    for shards in 1..=3 {
        let mut sim = simulator(shards, 1, Settings::default());
        let host = player(&mut sim, 1, 0);
        let uid = hosted(&mut sim, host, json!({"password": "secret"}));
        // p90 is banned, p6 a foe of the host.
        assert!(joins(&mut sim, 90, 99_999).starts_with("You are banned"));
        assert_eq!(joins(&mut sim, 2, 99_999), "The host has left the game.");
        assert_eq!(
            joins(&mut sim, 6, uid),
            "You cannot join games hosted by this player."
        );
        assert_eq!(
            joins(&mut sim, 2, uid),
            "Bad password (it's case sensitive)."
        );
        state(&mut sim, host, "Launching");
        assert_eq!(
            joins(&mut sim, 6, uid),
            "You cannot join games hosted by this player."
        );
        assert_eq!(
            joins(&mut sim, 2, uid),
            "The game you are trying to join is not ready."
        );
    }
}

#[test]
fn answers_of_parties_that_have_no_handler_are_accepted() {
    let mut sim = simulator(1, 1, Settings::default());
    let conn = player(&mut sim, 1, 0);
    for command in ["unready_party", "is_ready_response"] {
        assert!(say(&mut sim, conn, json!({"command": command})).is_empty());
    }
    assert_eq!(
        commands(&say(&mut sim, conn, json!({"command": "ping"}))),
        ["pong"]
    );
}
