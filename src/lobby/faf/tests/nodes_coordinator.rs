//! The coordinator goes from node to node: planned, or because its node is lost, cut off, or hard to reach. Nobody is left
//! believing what is not so.

use super::{
    matchmaking_walk::quick,
    nodes_support::*,
    searches::{party, search, searches, take_all},
    *,
};

/// Players p1 … on nodes 0, 1 and 2 by turns, and no broadcasts before now.
fn lobby(count: u32, seed: u64) -> (Sim, Vec<ConnId>) {
    let mut sim = nodes_with(&[1, 2, 1], seed, quick(), Rc::default());
    let conns: Vec<ConnId> = (1..=count)
        .map(|id| player_on(&mut sim, id, ((id - 1) % 3) as u8))
        .collect();
    take_all(&mut sim, &conns);
    (sim, conns)
}

fn stopped(queue: &str) -> Value {
    json!({"command": "search_info", "queue_name": queue, "state": "stop"})
}

fn searching(sim: &Sim, node: u8) -> usize {
    coordinator(sim, node).matchmaker.searches.len()
}

/// Whether each of these is searching, here and at the coordinator.
fn all_search(sim: &Sim, node: u8, conns: &[ConnId]) -> bool {
    let matchmaker = &coordinator(sim, node).matchmaker;
    conns.iter().all(|&conn| {
        let sessions = &sim.dialect_of(conn).roles.sessions;
        let login_id = sessions.login_id(conn).expect("they are signed in");
        let is_known = !matchmaker.searches_of(login_id.player_id).is_empty();
        let is_searching = state_of(sim, conn) == "SEARCHING_LADDER";
        assert_eq!(is_known, is_searching, "{login_id:?}");
        is_searching
    })
}

#[test]
fn a_planned_change_is_noticed_by_nobody() {
    for seed in 0..10 {
        let (mut sim, conns) = lobby(6, seed);
        party(&mut sim, &conns, &[1, 2]);
        searches(&mut sim, conns[0], "tmm2v2");
        searches(&mut sim, conns[2], "tmm2v2");
        take_all(&mut sim, &conns);
        let pops = coordinator(&sim, 0).matchmaker.queues[1].next_pop;
        for node in [1, 2, 0, 2] {
            office_to(&mut sim, node);
            assert!(all_search(&sim, node, &conns[..3]));
            for other in sim.nodes().filter(|&other| other != node) {
                assert!(coordinator(&sim, other).knows_nothing());
            }
        }
        assert_eq!(coordinator(&sim, 2).matchmaker.queues[1].next_pop, pops);
        for told in take_all(&mut sim, &conns) {
            assert_eq!(own(told), [json!(null); 0]);
        }
        // The party is still one, and the search finds its match.
        let kick = json!({"command": "kick_player_from_party", "kicked_player_id": 9});
        assert_eq!(
            texts(&say(&mut sim, conns[0], kick)),
            ["Can't kick a player while in state SEARCHING_LADDER"]
        );
        searches(&mut sim, conns[3], "tmm2v2");
        seconds(&mut sim, 10);
        for &conn in &conns[..4] {
            assert_eq!(state_of(&sim, conn), "STARTING_AUTOMATCH", "seed {seed}");
        }
    }
}

#[test]
fn the_heir_goes_on_with_what_a_lost_coordinator_knew() {
    let (mut sim, conns) = lobby(6, 1);
    let there = [conns[1], conns[2], conns[4], conns[5]];
    party(&mut sim, &conns, &[2, 3]);
    searches(&mut sim, conns[1], "tmm2v2");
    searches(&mut sim, conns[4], "ladder1v1");
    seconds(&mut sim, 1);
    // Who searches with somebody of the lost node searches no more.
    party(&mut sim, &conns, &[6, 4]);
    searches(&mut sim, conns[5], "tmm2v2");
    seconds(&mut sim, 1);
    take_all(&mut sim, &conns);
    sim.lose(0);
    seconds(&mut sim, 2);
    office_to(&mut sim, 2);
    seconds(&mut sim, 3);
    assert!(all_search(&sim, 2, &[conns[1], conns[2], conns[4]]));
    let matchmaker = &coordinator(&sim, 2).matchmaker;
    assert!(
        !all_search(&sim, 2, &[conns[5]]),
        "{:?}",
        matchmaker.searches
    );
    assert_eq!(coordinator(&sim, 2).owner_of(3), Some(2));
    let told = take_own(&mut sim, conns[5]);
    assert!(told.contains(&stopped("tmm2v2")), "{told:?}");
    for conn in there {
        assert!(!sim.client(conn).held);
    }
}

#[test]
fn whoever_gets_the_office_has_what_the_heir_knows() {
    for node in [1, 2] {
        let (mut sim, conns) = lobby(3, 1);
        searches(&mut sim, conns[1], "ladder1v1");
        seconds(&mut sim, 2);
        sim.lose(0);
        seconds(&mut sim, 2);
        office_to(&mut sim, node);
        seconds(&mut sim, 3);
        assert!(all_search(&sim, node, &conns[1..2]), "node {node}");
        assert_eq!(searching(&sim, node), 1);
    }
}

#[test]
fn a_search_that_nobody_inherited_is_over_and_its_player_told() {
    let (mut sim, conns) = lobby(3, 1);
    seconds(&mut sim, 1);
    searches(&mut sim, conns[1], "ladder1v1");
    sim.take(conns[1]);
    sim.lose(0); // within the second in which the heir was told
    seconds(&mut sim, 2);
    office_to(&mut sim, 1);
    seconds(&mut sim, 3);
    assert_eq!(state_of(&sim, conns[1]), "IDLE");
    let told = take_own(&mut sim, conns[1]);
    assert!(told.contains(&stopped("ladder1v1")), "{told:?}");
    searches(&mut sim, conns[1], "ladder1v1");
}

#[test]
fn a_match_that_was_being_opened_fails_and_nobody_is_to_blame() {
    let (mut sim, conns) = lobby(3, 1);
    searches(&mut sim, conns[1], "ladder1v1");
    searches(&mut sim, conns[2], "ladder1v1");
    // The back office finds the match, and hangs when it is to give its game a number.
    sim.stalled = true;
    seconds(&mut sim, 5);
    sim.stalled = false;
    while coordinator(&sim, 0).matchmaker.matches.is_empty() {
        assert!(sim.step());
    }
    sim.stalled = true;
    seconds(&mut sim, 2);
    take_all(&mut sim, &conns);
    sim.lose(0);
    sim.stalled = false;
    seconds(&mut sim, 2);
    office_to(&mut sim, 1);
    seconds(&mut sim, 3);
    for &conn in &conns[1..] {
        assert_eq!(state_of(&sim, conn), "IDLE");
        let told = take_own(&mut sim, conn);
        let cancelled = json!({"command": "match_cancelled", "game_id": null});
        assert!(told.contains(&cancelled), "{told:?}");
        searches(&mut sim, conn, "ladder1v1");
    }
    assert!(coordinator(&sim, 1).matchmaker.matches.is_empty());
    assert_eq!(coordinator(&sim, 1).matchmaker.violations.iter().count(), 0);
}

/// A match's game is its host's shard's: it goes on whatever becomes of the coordinator.
#[test]
fn a_match_with_a_game_goes_on_under_the_next_coordinator() {
    for (is_planned, launches) in [(true, true), (true, false), (false, true), (false, false)] {
        let (mut sim, conns) = lobby(3, 1);
        searches(&mut sim, conns[1], "ladder1v1");
        searches(&mut sim, conns[2], "ladder1v1");
        seconds(&mut sim, 9);
        let host = own(sim.take(conns[1]));
        assert!(commands(&host).contains(&"game_launch"), "{host:?}");
        state(&mut sim, conns[1], "Idle");
        state(&mut sim, conns[1], "Lobby");
        if !is_planned {
            sim.lose(0);
            seconds(&mut sim, 2);
        }
        office_to(&mut sim, 2);
        seconds(&mut sim, 3);
        assert_eq!(coordinator(&sim, 2).matchmaker.matches.len(), 1);
        take_all(&mut sim, &conns);
        if launches {
            state(&mut sim, conns[2], "Idle");
            state(&mut sim, conns[2], "Lobby");
            configure(&mut sim, conns[1], 2, 1, 2);
            configure(&mut sim, conns[1], 3, 2, 3);
            state(&mut sim, conns[1], "Launching");
            assert_eq!(state_of(&sim, conns[2]), "PLAYING");
            let told = take_own(&mut sim, conns[2]);
            assert!(!commands(&told).contains(&"match_cancelled"));
        } else {
            seconds(&mut sim, 100);
            let told = take_own(&mut sim, conns[2]);
            assert!(commands(&told).contains(&"match_cancelled"), "{told:?}");
            // The guest never came.
            assert_eq!(coordinator(&sim, 2).matchmaker.violations.iter().count(), 1);
        }
        assert!(coordinator(&sim, 2).matchmaker.matches.is_empty());
    }
}

#[test]
fn a_guest_whose_node_is_lost_while_they_are_called_is_not_to_blame() {
    let (mut sim, conns) = lobby(3, 1);
    searches(&mut sim, conns[1], "ladder1v1");
    searches(&mut sim, conns[2], "ladder1v1");
    seconds(&mut sim, 9);
    sim.cut(2);
    state(&mut sim, conns[1], "Idle");
    state(&mut sim, conns[1], "Lobby");
    sim.take(conns[1]);
    seconds(&mut sim, 3);
    let told = take_own(&mut sim, conns[1]);
    assert!(commands(&told).contains(&"match_cancelled"), "{told:?}");
    assert_eq!(coordinator(&sim, 0).matchmaker.violations.iter().count(), 0);
    seconds(&mut sim, 5);
    assert_eq!(state_of(&sim, conns[2]), "IDLE");
}

#[test]
fn a_lane_that_breaks_leaves_nobody_searching_in_vain() {
    for seed in 0..40 {
        let (mut sim, conns) = lobby(6, seed);
        sim.late = Duration::from_secs(2);
        for &conn in &conns {
            sim.send(conn, search("tmm2v2").to_string());
        }
        sim.advance(Duration::from_millis(200 * (seed % 5)));
        for _ in 0..seed {
            sim.step();
        }
        sim.break_lane(0, 1);
        sim.advance(Duration::from_secs(5));
        sim.late = Duration::ZERO;
        seconds(&mut sim, 60);
        for &conn in &conns {
            assert!(!sim.client(conn).held, "seed {seed}");
            all_search(&sim, 0, &[conn]);
        }
    }
}

#[test]
fn who_searches_on_a_node_that_is_cut_off_searches_no_more() {
    let (mut sim, conns) = lobby(3, 1);
    searches(&mut sim, conns[1], "ladder1v1");
    sim.take(conns[1]);
    sim.cut(1);
    seconds(&mut sim, 3);
    assert_eq!(searching(&sim, 0), 0);
    seconds(&mut sim, 6);
    assert_eq!(state_of(&sim, conns[1]), "IDLE");
    assert!(take_own(&mut sim, conns[1]).contains(&stopped("ladder1v1")));
    back(&mut sim, 1);
    searches(&mut sim, conns[1], "ladder1v1");
}

#[test]
fn violations_outlive_the_coordinator() {
    let (mut sim, conns) = lobby(3, 1);
    sim.with(0, |faf, turn| {
        faf.with_coordinator(turn, |coordinator, cx| {
            for _ in 0..60 {
                coordinator.register_violations(cx, &[2]);
            }
        });
    });
    seconds(&mut sim, 2);
    take_all(&mut sim, &conns);
    sim.lose(0);
    seconds(&mut sim, 2);
    office_to(&mut sim, 2);
    seconds(&mut sim, 3);
    let refused = own(say(&mut sim, conns[1], search("ladder1v1")));
    assert_eq!(commands(&refused)[0], "search_timeout", "{refused:?}");
}

/// A node is in office while it is alone, which ends when it joins a lobby that has a coordinator: nobody will ever ask for what
/// it knew then.
#[test]
fn a_node_that_has_joined_has_nothing_to_hand_over() {
    let (mut sim, _) = lobby(6, 1);
    sim.lose(1);
    seconds(&mut sim, 3);
    back(&mut sim, 1);
    seconds(&mut sim, 3);
    assert!(sim.dialect(sim.first_shard(0)).is_coordinator());
    sim.stop_node(1, crate::Stopping::Drain);
    seconds(&mut sim, 1);
    let mut shards = sim.shards_of(1);
    assert!(shards.all(|shard| crate::Dialect::has_handed_over(sim.dialect_on(shard))));
}

/// A node of several is to end: its players search no more, and its lobbies close; the others go on.
#[test]
fn an_orderly_stop_concerns_the_node_that_stops() {
    for node in [0, 1] {
        let (mut sim, conns) = lobby(6, 1);
        let there = conns[usize::from(node)];
        let others = [conns[2], conns[5]];
        searches(&mut sim, there, "tmm2v2");
        for conn in others {
            searches(&mut sim, conn, "tmm2v2");
        }
        let host = conns[usize::from(node) + 3];
        hosted(&mut sim, host, json!({}));
        take_all(&mut sim, &conns);
        let all = |sim: &Sim, holds: fn(&Faf) -> bool| {
            sim.shards_of(node)
                .all(|shard| holds(sim.dialect_on(shard)))
        };
        sim.stop_node(node, crate::Stopping::Drain);
        // Node 0 has the office.
        assert_eq!(all(&sim, crate::Dialect::has_handed_over), node != 0);
        office_to(&mut sim, 2);
        seconds(&mut sim, 3);
        assert!(all(&sim, crate::Dialect::has_handed_over));
        assert_eq!(state_of(&sim, there), "IDLE", "node {node}");
        assert!(take_own(&mut sim, there).contains(&stopped("tmm2v2")));
        assert_eq!(state_of(&sim, host), "IDLE");
        assert!(all_search(&sim, 2, &others));
        let refused = say(&mut sim, there, search("tmm2v2"));
        assert_eq!(commands(&own(refused)), ["disabled"]);
        assert!(all(&sim, crate::Dialect::is_drained));
    }
}

/// A node may take itself for an island for a moment, with nothing else changed: letters go on all the while.
#[test]
fn a_moments_doubt_of_a_node_changes_nothing() {
    for node in [0, 1] {
        let (mut sim, conns) = lobby(6, 1);
        searches(&mut sim, conns[1], "ladder1v1");
        searches(&mut sim, conns[2], "tmm2v2");
        take_all(&mut sim, &conns);
        for doubts in [true, false] {
            let standing = crate::Standing {
                is_island: doubts,
                is_in_touch: !doubts,
                ..crate::Standing::clone(sim.standing(node))
            };
            sim.believe(node, standing);
            sim.settle();
        }
        seconds(&mut sim, 3);
        assert!(all_search(&sim, 0, &conns[1..3]), "node {node}");
        for told in take_all(&mut sim, &conns) {
            assert_eq!(own(told), [json!(null); 0]);
        }
        searches(&mut sim, conns[4], "tmm2v2");
        assert!(all_search(&sim, 0, &conns[4..5]));
    }
}
