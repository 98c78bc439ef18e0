//! Matches: found, opened, launched, and all the ways they fail (spec: faf-matchmaking 5.1, 8, 10).

use super::{
    searches::{party, players, search, searches, take_all},
    *,
};
use crate::faf::game::state::GameState;

/// Whatever is due within the first wait of a queue.
fn pop(sim: &mut Sim) {
    sim.advance(Duration::from_secs(50));
}

fn state_of(sim: &Sim, conn: ConnId) -> &'static str {
    let session = sim.dialect_of(conn).roles.sessions.table.get(conn);
    session.map_or("GONE", |session| session.state.name())
}

/// What was received, without the broadcasts of ticks and pings.
fn own(received: Vec<Value>) -> Vec<Value> {
    let broadcast = [
        "matchmaker_info",
        "player_info",
        "game_info",
        "ping",
        "update_party",
    ];
    let mut received = received;
    received.retain(|m| !broadcast.contains(&m["command"].as_str().unwrap_or_default()));
    received
}

fn take_own(sim: &mut Sim, conn: ConnId) -> Vec<Value> {
    own(sim.take(conn))
}

/// Two players of the ladder who have been matched. The first is the host: they were in the queue first.
fn duel(sim: &mut Sim, shards: u16) -> (ConnId, ConnId) {
    let conns = players(sim, shards, 2);
    for &conn in &conns {
        searches(sim, conn, "ladder1v1");
    }
    take_all(sim, &conns);
    pop(sim);
    (conns[0], conns[1])
}

/// A duel whose host has opened the game; its number. Both have been told to launch.
fn opened(sim: &mut Sim, host: ConnId, login_id: ConnId) -> u32 {
    let uid = take_own(sim, host)[1]["uid"].as_u64().unwrap() as u32;
    sim.take(login_id);
    state(sim, host, "Idle");
    state(sim, host, "Lobby");
    uid
}

fn cancelled(uid: u32) -> Value {
    json!({"command": "match_cancelled", "game_id": uid})
}

fn wait(sim: &mut Sim, seconds: u64) {
    sim.advance(Duration::from_secs(seconds));
}

fn matches(sim: &Sim) -> usize {
    sim.dialect(0).roles.coordinator.matchmaker.matches.len()
}

// checklist: faf 339, 359, 370, 371, 374, 379, 383, 391, 394
#[test]
fn a_duel_from_search_to_end() {
    each(|mut sim, shards| {
        let (a, b) = duel(&mut sim, shards);
        let found = json!({"command": "match_found", "queue_name": "ladder1v1"});
        let host = sim.take(a);
        let game = host.iter().rfind(|m| m["command"] == "game_info").unwrap();
        assert_eq!(
            (&game["state"], &game["hosted_at"]),
            (&json!("closed"), &json!(null))
        );
        assert_eq!(
            (&game["teams"], &game["num_players"]),
            (&json!({}), &json!(0))
        );
        assert_eq!(
            (&game["game_type"], &game["max_players"]),
            (&json!("matchmaker"), &json!(2))
        );
        assert_eq!(game["rating_type"], "ladder_1v1");
        let host = own(host);
        assert_eq!(commands(&host), ["match_found", "game_launch"]);
        assert_eq!(host[0], found);
        assert_eq!(
            take_own(&mut sim, b),
            [found],
            "login_ids are not told before the host has opened"
        );
        let launch = &host[1];
        let uid = launch["uid"].as_u64().unwrap() as u32;
        let folder = launch["mapname"].as_str().unwrap().to_owned();
        let entry = launch["map_pool_map_version_id"].as_u64().unwrap();
        assert_eq!(folder, format!("scmp_00{}", entry - 10));
        assert!((1..=4).contains(&launch["faction"].as_u64().unwrap()));
        let mut expected = json!({"command": "game_launch", "args": ["/numgames", 0], "uid": uid,
            "mod": "ladder1v1", "name": "p1 Vs p2", "init_mode": 1, "game_type": "matchmaker",
            "rating_type": "ladder_1v1", "mapname": folder, "team": 2, "faction": launch["faction"],
            "expected_players": 2, "map_position": 1, "map_pool_map_version_id": entry});
        assert_eq!(*launch, expected);
        assert_eq!(state_of(&sim, a), "STARTING_AUTOMATCH");
        let refused = say(&mut sim, b, search("ladder1v1"));
        assert_eq!(
            texts(&refused),
            ["Can't join a queue while p2 is in state STARTING_AUTOMATCH"]
        );
        let join = say(&mut sim, b, json!({"command": "game_join", "uid": uid}));
        assert_eq!(
            texts(&join),
            ["Can't join a game while in state STARTING_AUTOMATCH"]
        );

        state(&mut sim, a, "Idle");
        let opened = state(&mut sim, a, "Lobby");
        assert_eq!(commands(&opened), ["HostGame"]);
        let login_id = take_own(&mut sim, b);
        expected["team"] = json!(3);
        expected["map_position"] = json!(2);
        expected["faction"] = login_id[0]["faction"].clone();
        assert_eq!(login_id, [expected]);
        state(&mut sim, b, "Idle");
        assert_eq!(commands(&state(&mut sim, b, "Lobby")), ["JoinGame"]);
        for (id, army, team) in [(1, 1, 2), (2, 2, 3)] {
            configure(&mut sim, a, id, army, team);
        }
        state(&mut sim, a, "Launching");
        assert_eq!(
            (state_of(&sim, a), state_of(&sim, b)),
            ("PLAYING", "PLAYING")
        );
        assert_eq!(matches(&sim), 0);
        take_all(&mut sim, &[a, b]);
        wait(&mut sim, 200);
        let all = [take_own(&mut sim, a), take_own(&mut sim, b)].concat();
        assert_eq!(all, [json!(null); 0], "nothing is cancelled any more");
        for conn in [a, b] {
            state(&mut sim, conn, "Ended");
        }
        assert_eq!((state_of(&sim, a), state_of(&sim, b)), ("IDLE", "IDLE"));
        searches(&mut sim, a, "ladder1v1");
    });
}

/// A stranger can't join a match's game.
#[test]
fn a_match_is_not_joined_in_that_way() {
    each(|mut sim, shards| {
        let (a, b) = duel(&mut sim, shards);
        let uid = opened(&mut sim, a, b);
        let c = player(&mut sim, 3, 0);
        let refused = say(&mut sim, c, json!({"command": "game_join", "uid": uid}));
        assert_eq!(texts(&refused), ["The game cannot be joined in this way."]);
    });
}

// checklist: faf 358, 360
#[test]
fn a_match_ends_its_players_other_searches() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 4);
        party(&mut sim, &conns, &[1, 2]);
        // The queue for teams of three has two players of the party and nobody to play with.
        searches(&mut sim, conns[0], "gameoptions");
        searches(&mut sim, conns[0], "tmm2v2");
        for &conn in &conns[2..] {
            searches(&mut sim, conn, "tmm2v2");
            searches(&mut sim, conn, "ladder1v1");
        }
        take_all(&mut sim, &conns);
        pop(&mut sim);
        let stop = |queue| json!({"command": "search_info", "queue_name": queue, "state": "stop"});
        let found = |queue| json!({"command": "match_found", "queue_name": queue});
        let matched: Vec<Vec<Value>> = conns.iter().map(|&c| take_own(&mut sim, c)).collect();
        // The ladder popped first.
        for received in &matched[2..] {
            assert_eq!(received[..2], [found("ladder1v1"), stop("tmm2v2")]);
        }
        assert_eq!(matched[0], [json!(null); 0]);
        assert_eq!(state_of(&sim, conns[1]), "SEARCHING_LADDER");
        assert_eq!(
            sim.dialect(0).roles.coordinator.matchmaker.searches.len(),
            2
        );
    });
}

/// The search of their party in another queue is about to begin when a match is found for them.
#[test]
fn whoever_is_matched_while_another_search_begins_does_not_search_on() {
    for seed in 0..60 {
        let mut sim = simulator(3, seed, Settings::default());
        let conns = players(&mut sim, 3, 2);
        for &conn in &conns {
            searches(&mut sim, conn, "ladder1v1");
        }
        sim.stalled = true;
        pop(&mut sim);
        sim.send(conns[0], search("tmm2v2").to_string());
        sim.stalled = false;
        sim.settle();
        for &conn in &conns {
            assert_eq!(state_of(&sim, conn), "STARTING_AUTOMATCH", "seed {seed}");
        }
        let matchmaker = &sim.dialect(0).roles.coordinator.matchmaker;
        assert!(matchmaker.searches.is_empty(), "seed {seed}");
    }
}

// checklist: faf 357
#[test]
fn whoever_stops_while_matches_are_worked_out_is_not_matched() {
    for seed in 0..30 {
        let mut sim = simulator(2, seed, Settings::default());
        let conns = players(&mut sim, 2, 3);
        for &conn in &conns[..2] {
            searches(&mut sim, conn, "ladder1v1");
        }
        wait(&mut sim, 40);
        take_all(&mut sim, &conns);
        let stop = json!({"command": "game_matchmaking", "state": "stop"});
        sim.send(conns[0], stop.to_string());
        sim.advance(Duration::from_millis(2_000 + seed * 100));
        sim.settle();
        let (first, second) = (take_own(&mut sim, conns[0]), take_own(&mut sim, conns[1]));
        assert_eq!(commands(&first), ["search_info"]);
        assert_eq!(commands(&second), [""; 0]);
    }
}

/// The answer about a snapshot, when one of its two searches has ended meanwhile.
#[test]
fn a_match_with_somebody_who_has_left_is_refused_and_the_other_has_failed_once_more() {
    let mut sim = simulator(1, 1, Settings::default());
    let conns = players(&mut sim, 1, 2);
    for &conn in &conns {
        searches(&mut sim, conn, "ladder1v1");
    }
    let matchmaker = &sim.dialect(0).roles.coordinator.matchmaker;
    let ids: Vec<u64> = matchmaker.searches.keys().copied().collect();
    sim.with(0, |faf, turn| {
        faf.with_coordinator(turn, |coordinator, cx| {
            coordinator.matchmaker.matching = Some((1, ids.clone()));
            let entered = ids.len();
            assert_eq!(entered, 2);
            coordinator.stop_searches(cx, 1);
            let proposal = matcher::Proposal {
                teams: [vec![0], vec![1]],
            };
            coordinator.matched(cx, Some(vec![proposal]));
            assert_eq!(cx.metrics.matches_refused.value(), 1);
            let searches = coordinator.matchmaker.searches.values();
            let left: Vec<u32> = searches.map(|search| search.failed_attempts).collect();
            assert_eq!(left, [1]);
        });
    });
    assert_eq!(matches(&sim), 0);
}

/// Four players in a team game; each with their order to launch. The first is the host.
fn team_game(sim: &mut Sim, shards: u16) -> (Vec<ConnId>, Vec<Value>) {
    let conns = players(sim, shards, 4);
    for &conn in &conns {
        searches(sim, conn, "tmm2v2");
    }
    take_all(sim, &conns);
    pop(sim);
    let mut launches = vec![json!(null); 4];
    let received: Vec<Vec<Value>> = conns.iter().map(|&conn| take_own(sim, conn)).collect();
    let host = received.iter().position(|own| own.len() == 2).unwrap();
    launches[host] = received[host][1].clone();
    state(sim, conns[host], "Idle");
    state(sim, conns[host], "Lobby");
    for (launch, &conn) in launches.iter_mut().zip(&conns) {
        if launch.is_null() {
            *launch = take_own(sim, conn)[0].clone();
        }
    }
    let mut order: Vec<usize> = (0..4).collect();
    order.sort_by_key(|&at| at != host);
    (
        order.iter().map(|&at| conns[at]).collect(),
        order.iter().map(|&at| launches[at].clone()).collect(),
    )
}

// checklist: faf 372, 374, 376
#[test]
fn teams_alternate_on_the_map() {
    each(|mut sim, shards| {
        let (_, launches) = team_game(&mut sim, shards);
        let mut places: Vec<(u64, u64)> = launches
            .iter()
            .map(|l| {
                (
                    l["map_position"].as_u64().unwrap(),
                    l["team"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(places[0].1, 2, "the host is in the first team");
        places.sort_unstable();
        assert_eq!(places, [(1, 2), (2, 3), (3, 2), (4, 3)]);
        for launch in &launches {
            for same in [
                "uid",
                "mapname",
                "mod",
                "name",
                "expected_players",
                "rating_type",
            ] {
                assert_eq!(launch[same], launches[0][same]);
            }
        }
        assert!(launches[0]["name"].as_str().unwrap().starts_with("Team p"));
        assert_eq!(launches[0]["expected_players"], 4);
        let game = sim.dialect(0).roles.directory.picture.games().count();
        assert_eq!(game, 1);
    });
}

// checklist: faf 375
#[test]
fn a_queue_may_set_options_of_its_games() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 6);
        for &conn in &conns {
            searches(&mut sim, conn, "gameoptions");
        }
        take_all(&mut sim, &conns);
        pop(&mut sim);
        let received: Vec<Value> = conns.iter().flat_map(|&c| take_own(&mut sim, c)).collect();
        let launch = received
            .iter()
            .find(|m| m["command"] == "game_launch")
            .unwrap();
        assert_eq!(launch["game_options"], json!({"Share": "ShareUntilDeath"}));
    });
}

// checklist: faf 340, 380, 381
#[test]
fn factions_are_chosen_when_the_match_is_found() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 2);
        let mut with_faction = search("ladder1v1");
        with_faction["faction"] = json!("Seraphim");
        say(&mut sim, conns[0], with_faction.clone());
        with_faction["faction"] = json!(3);
        say(&mut sim, conns[1], with_faction);
        let change = json!({"command": "set_party_factions", "factions": ["aeon"]});
        say(&mut sim, conns[1], change);
        pop(&mut sim);
        let launch = take_own(&mut sim, conns[0]).pop().unwrap();
        assert_eq!(launch["faction"], 4);
        state(&mut sim, conns[0], "Idle");
        state(&mut sim, conns[0], "Lobby");
        let launch = take_own(&mut sim, conns[1]).pop().unwrap();
        assert_eq!(launch["faction"], 2);
    });
}

// checklist: faf 384, 385, 390, 392, 411
#[test]
fn a_host_who_does_not_open() {
    each(|mut sim, shards| {
        let (a, b) = duel(&mut sim, shards);
        let host = take_own(&mut sim, a);
        let uid = host[1]["uid"].as_u64().unwrap() as u32;
        sim.take(b);
        wait(&mut sim, 50);
        assert_eq!(take_own(&mut sim, b), [json!(null); 0]);
        wait(&mut sim, 6);
        let host = sim.take(a);
        assert_eq!(
            host.iter()
                .rfind(|m| m["command"] == "game_info")
                .map(|m| m["state"].clone()),
            Some(json!("closed"))
        );
        let host = own(host);
        assert_eq!(
            commands(&host),
            ["match_cancelled", "search_violation", "notice"]
        );
        assert_eq!(host[0], cancelled(uid));
        assert_eq!(host[1]["count"], 1);
        assert_eq!(
            texts(&host),
            [
                "You have caused a matchmaking connection failure 1 time(s). Multiple failures result in temporary time-outs \
              from matchmaker. Please seek support on the forums or discord for persistent issues."
            ]
        );
        assert_eq!(
            commands(&take_own(&mut sim, b)),
            ["game_launch", "match_cancelled"]
        );
        assert_eq!(state_of(&sim, a), "IDLE");
        assert_eq!(state_of(&sim, b), "STARTING_AUTOMATCH");
        // The guest's game comes to nothing by itself, or by its report.
        if shards == 2 {
            state(&mut sim, b, "Ended");
        } else {
            wait(&mut sim, 61);
        }
        assert_eq!(state_of(&sim, b), "IDLE");
        searches(&mut sim, b, "ladder1v1");
        tick(&mut sim);
        let left: usize = (0..shards)
            .map(|shard| sim.dialect(shard).roles.games.games.len())
            .sum();
        assert_eq!(left, 0);
    });
}

// checklist: faf 386, 388
#[test]
fn guests_who_do_not_connect() {
    each(|mut sim, shards| {
        let (a, b) = duel(&mut sim, shards);
        let uid = opened(&mut sim, a, b);
        sim.take(b);
        take_own(&mut sim, a);
        wait(&mut sim, 69);
        // The guest's connection to the game ran out of its own time.
        assert_eq!(commands(&take_own(&mut sim, a)), ["DisconnectFromPeer"]);
        wait(&mut sim, 2);
        assert_eq!(take_own(&mut sim, a), [cancelled(uid)]);
        assert_eq!(
            commands(&take_own(&mut sim, b)),
            ["match_cancelled", "search_violation", "notice"]
        );
    });
}

/// Connected is not enough: the host has to have set an option for them.
#[test]
fn guests_the_host_does_not_confirm() {
    each(|mut sim, shards| {
        let (conns, launches) = team_game(&mut sim, shards);
        let uid = launches[0]["uid"].as_u64().unwrap() as u32;
        for &login_id in &conns[1..] {
            state(&mut sim, login_id, "Idle");
            state(&mut sim, login_id, "Lobby");
        }
        let id = sim
            .dialect_of(conns[1])
            .roles
            .sessions
            .table
            .get(conns[1])
            .and_then(|s| s.player.as_ref())
            .map(|p| p.account.id)
            .unwrap();
        configure(&mut sim, conns[0], id, 1, 2);
        take_all(&mut sim, &conns);
        wait(&mut sim, 91);
        assert_eq!(take_own(&mut sim, conns[0]), [cancelled(uid)]);
        assert_eq!(take_own(&mut sim, conns[1]), [cancelled(uid)]);
        for &login_id in &conns[2..] {
            assert_eq!(
                commands(&take_own(&mut sim, login_id)),
                ["match_cancelled", "search_violation", "notice"]
            );
        }
        // Their games are still open (spec: faf-lifecycle 7).
        let refused = say(&mut sim, conns[2], search("ladder1v1"));
        let name = texts(&refused)[0].split(' ').nth(5).unwrap().to_owned();
        assert_eq!(
            texts(&refused),
            [format!(
                "Can't join a queue while {name} is in state JOINING"
            )]
        );
    });
}

// checklist: faf 387, 393
#[test]
fn whoever_closes_the_game_before_the_launch() {
    each(|mut sim, shards| {
        let (a, b) = duel(&mut sim, shards);
        let uid = opened(&mut sim, a, b);
        state(&mut sim, b, "Idle");
        state(&mut sim, b, "Lobby");
        take_all(&mut sim, &[a, b]);
        sim.send(b, game("GameState", json!(["Ended"])).to_string());
        sim.settle();
        assert_eq!(
            commands(&take_own(&mut sim, a)),
            ["DisconnectFromPeer", "match_cancelled"]
        );
        let closer = take_own(&mut sim, b);
        assert_eq!(closer[0], cancelled(uid));
        assert_eq!(
            commands(&closer),
            ["match_cancelled", "search_violation", "notice"]
        );
        assert_eq!(state_of(&sim, b), "IDLE");
        let refused = say(&mut sim, a, search("ladder1v1"));
        assert_eq!(
            texts(&refused),
            ["Can't join a queue while p1 is in state HOSTING"]
        );
        // Late words of the dead game have no effect.
        say(&mut sim, a, game("GameState", json!(["Launching"])));
        assert_ne!(state_of(&sim, a), "PLAYING");
        state(&mut sim, a, "Ended");
        searches(&mut sim, a, "ladder1v1");
        tick(&mut sim);
        let left: usize = (0..shards)
            .map(|shard| sim.dialect(shard).roles.games.games.len())
            .sum();
        assert_eq!(left, 0);
    });
}

/// A game can be launched that was never opened for others; then nobody has told them of it.
#[test]
fn a_host_who_launches_without_opening_does_not_leave_his_guest_waiting() {
    each(|mut sim, shards| {
        let (a, b) = duel(&mut sim, shards);
        let uid = take_own(&mut sim, a)[1]["uid"].as_u64().unwrap() as u32;
        state(&mut sim, a, "Idle");
        configure(&mut sim, a, 1, 1, 2);
        state(&mut sim, a, "Launching");
        sim.take(b);
        wait(&mut sim, 70);
        let told = take_own(&mut sim, b);
        assert_eq!(commands(&told), ["game_launch", "match_cancelled"]);
        assert_eq!(told[1], cancelled(uid));
        wait(&mut sim, 70);
        assert_eq!(state_of(&sim, b), "IDLE");
        assert_eq!(matches(&sim), 0);
    });
}

/// The host closes the game they have just opened: the guest is told to launch it all the same, and then that it is over.
// checklist: faf 387
#[test]
fn a_host_who_closes_his_game() {
    each(|mut sim, shards| {
        let (a, b) = duel(&mut sim, shards);
        sim.take(b);
        take_own(&mut sim, a);
        state(&mut sim, a, "Idle");
        sim.take(a);
        state(&mut sim, a, "Ended");
        sim.settle();
        assert_eq!(
            commands(&take_own(&mut sim, b)),
            ["game_launch", "match_cancelled"]
        );
        // The host's messages came with their `Ended`; they have a violation.
        assert!(sim.dialect(0).roles.metrics.violations.value() == 1);
        assert_eq!(matches(&sim), 0);
    });
}

// checklist: faf 388
#[test]
fn players_who_are_lost() {
    each(|mut sim, shards| {
        // A host before they have opened is waited for.
        let (a, b) = duel(&mut sim, shards);
        sim.take(b);
        state(&mut sim, a, "Idle");
        sim.disconnect(a);
        wait(&mut sim, 40);
        assert_eq!(take_own(&mut sim, b), [json!(null); 0]);
        wait(&mut sim, 20);
        assert_eq!(
            commands(&take_own(&mut sim, b)),
            ["game_launch", "match_cancelled"]
        );
        assert_eq!(sim.dialect(0).roles.metrics.violations.value(), 1);
    });
    each(|mut sim, shards| {
        // A guest who is not there to be told.
        let (a, b) = duel(&mut sim, shards);
        sim.disconnect(b);
        let uid = opened(&mut sim, a, b);
        sim.settle();
        let received = take_own(&mut sim, a);
        assert!(received.contains(&cancelled(uid)) || received.is_empty());
        assert_eq!(matches(&sim), 0);
        assert_eq!(sim.dialect(0).roles.metrics.violations.value(), 1);
        assert_eq!(sim.dialect(0).roles.metrics.matches_aborted.value(), 1);
    });
    each(|mut sim, shards| {
        // The host after they have opened.
        let (a, b) = duel(&mut sim, shards);
        let uid = opened(&mut sim, a, b);
        sim.take(b);
        sim.disconnect(a);
        sim.settle();
        assert_eq!(take_own(&mut sim, b), [cancelled(uid)]);
    });
    each(|mut sim, shards| {
        // Both, before anything has begun.
        let (a, b) = duel(&mut sim, shards);
        sim.disconnect(a);
        sim.disconnect(b);
        wait(&mut sim, 120);
        assert_eq!(matches(&sim), 0);
        let left: usize = (0..shards)
            .map(|shard| sim.dialect(shard).roles.games.games.len())
            .sum();
        assert_eq!(left, 0);
    });
}

/// A simulator whose queues play in these brackets.
fn with_brackets(shards: u16, seed: u64, change: impl Fn(&mut Bracket)) -> Sim {
    let mut sim = simulator(shards, seed, Settings::default());
    let mut reference = reference();
    for queue in &mut reference.queues {
        queue.brackets.iter_mut().for_each(&change);
    }
    let reference = Arc::new(reference);
    for shard in 0..shards {
        sim.tell(shard, News::Reference(reference.clone()));
    }
    sim
}

// checklist: faf 389, 397
#[test]
fn a_match_without_a_map() {
    let no_bracket = |bracket: &mut Bracket| bracket.min_rating = Some(9000.0);
    let no_maps = |bracket: &mut Bracket| bracket.pool = Arc::new(MapPool::new(1, "".into(), []));
    for change in [&no_bracket as &dyn Fn(&mut Bracket), &no_maps] {
        for shards in 1..=3 {
            let mut sim = with_brackets(shards, 1, change);
            let (a, b) = duel(&mut sim, shards);
            for conn in [a, b] {
                assert_eq!(
                    take_own(&mut sim, conn),
                    [
                        json!({"command": "match_found", "queue_name": "ladder1v1"}),
                        json!({"command": "match_cancelled", "game_id": null})
                    ]
                );
                assert_eq!(state_of(&sim, conn), "IDLE");
            }
            assert_eq!(sim.dialect(0).roles.metrics.violations.value(), 0);
        }
    }
}

// checklist: faf 405
#[test]
fn maps_that_both_have_vetoed_are_not_played() {
    let rules = VetoRules {
        tokens_per_player: 1,
        max_tokens_per_map: 1,
        minimum_maps_after_veto: 1.0,
    };
    for seed in 0..20 {
        let mut sim = with_brackets(2, seed, |bracket| bracket.vetoes = rules);
        let conns = players(&mut sim, 2, 2);
        for (&conn, map) in conns.iter().zip([11, 12]) {
            let veto = json!({"matchmaker_queue_map_pool_id": 101, "map_pool_map_version_id": map,
                "veto_tokens_applied": 1});
            let set = json!({"command": "set_player_vetoes", "vetoes": [veto]});
            assert_eq!(say(&mut sim, conn, set), [json!(null); 0]);
            searches(&mut sim, conn, "ladder1v1");
        }
        pop(&mut sim);
        let launch = take_own(&mut sim, conns[0]).pop().unwrap();
        assert_eq!(launch["map_pool_map_version_id"], 13);
        assert_eq!(launch["mapname"], "scmp_003");
    }
}

/// A guest of matches who is never there.
fn violate(sim: &mut Sim, a: ConnId, b: ConnId) {
    for conn in [a, b] {
        searches(sim, conn, "ladder1v1");
    }
    take_all(sim, &[a, b]);
    // The ladder pops within its longest wait.
    let is_launched = |sim: &mut Sim| commands(&take_own(sim, a)).contains(&"game_launch");
    let waited = (0..95).find(|_| {
        wait(sim, 1);
        is_launched(sim)
    });
    assert!(waited.is_some(), "no match");
    state(sim, a, "Idle");
    state(sim, a, "Lobby");
    wait(sim, 71);
    state(sim, a, "Ended");
    wait(sim, 1);
}

// checklist: faf 412, 413, 414, 415, 416, 417, 418, 420
#[test]
fn violators_are_banned_from_searching_for_a_while() {
    for shards in 1..=3 {
        let mut sim = simulator(shards, 4, Settings::default());
        let conns = players(&mut sim, shards, 3);
        let (a, b) = (conns[0], conns[1]);
        violate(&mut sim, a, b);
        take_all(&mut sim, &conns);
        violate(&mut sim, a, b);
        let second = take_own(&mut sim, b);
        let notice = texts(&second).last().unwrap().to_string();
        assert!(
            notice.ends_with("persistent issues. You can queue again in 10 minutes"),
            "{notice}"
        );

        let refused = say(&mut sim, b, search("ladder1v1"));
        assert_eq!(
            commands(&refused),
            ["search_timeout", "search_info", "notice"]
        );
        assert_eq!(refused[0]["timeouts"][0]["player"], 2);
        assert!(
            refused[0]["timeouts"][0]["expires_at"]
                .as_str()
                .unwrap()
                .ends_with("+00:00")
        );
        assert_eq!(refused[1]["state"], "stop");
        assert_eq!(texts(&refused), ["Player p2 is timed out for 9 minutes"]);
        assert_eq!(state_of(&sim, b), "IDLE");

        // Logging in again does not help, and their party may not search either.
        sim.disconnect(b);
        tick(&mut sim);
        let b = player(&mut sim, 2, 0);
        let conns = [a, b, conns[2]];
        party(&mut sim, &conns, &[1, 2]);
        let refused = say(&mut sim, a, search("tmm2v2"));
        assert_eq!(
            commands(&refused),
            ["search_timeout", "search_info", "notice"]
        );
        assert_eq!(
            commands(&take_own(&mut sim, b)),
            ["search_timeout", "search_info", "notice"]
        );
        say(&mut sim, b, json!({"command": "leave_party"}));

        wait(&mut sim, 600);
        violate(&mut sim, a, b);
        let refused = say(&mut sim, b, search("ladder1v1"));
        assert_eq!(texts(&refused), ["Player p2 is timed out for 29 minutes"]);
        wait(&mut sim, 3600);
        searches(&mut sim, b, "ladder1v1");
    }
}

// checklist: faf 421
#[test]
fn violations_can_be_switched_off() {
    let mut settings = Settings::default();
    settings.matchmaking.violations.enabled = false;
    let mut sim = simulator(2, 4, settings);
    let conns = players(&mut sim, 2, 2);
    for _ in 0..3 {
        violate(&mut sim, conns[0], conns[1]);
    }
    let received = take_own(&mut sim, conns[1]);
    assert!(received.iter().all(|m| m["command"] != "search_violation"));
    searches(&mut sim, conns[1], "ladder1v1");
}

#[test]
fn a_shutdown_cancels_matches_that_have_not_begun_and_blames_nobody() {
    each(|mut sim, shards| {
        let (a, b) = duel(&mut sim, shards);
        let uid = opened(&mut sim, a, b);
        take_all(&mut sim, &[a, b]);
        sim.stop(crate::Stopping::Drain);
        sim.settle();
        let host = take_own(&mut sim, a);
        assert!(host.contains(&cancelled(uid)), "{host:?}");
        assert!(host.iter().any(|m| m["style"] == "kill"), "{host:?}");
        let login_id = take_own(&mut sim, b);
        assert!(login_id.contains(&cancelled(uid)), "{login_id:?}");
        assert_eq!(matches(&sim), 0);
        assert_eq!(sim.dialect(0).roles.metrics.violations.value(), 0);
        assert_eq!((state_of(&sim, a), state_of(&sim, b)), ("IDLE", "IDLE"));
        tick(&mut sim);
        let open = |shard| {
            sim.dialect(shard)
                .roles
                .games
                .games
                .values()
                .any(|g| g.state != GameState::Ended)
        };
        assert!(!(0..shards).any(open));
    });
}
