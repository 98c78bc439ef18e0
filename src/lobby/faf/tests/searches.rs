//! Queues and searches: who may search, what everybody is told of it, and how a search ends without a match
//! (spec: faf-messages 3.6, 3.10, 3.11; faf-matchmaking 4, 5, 9.2).

use super::*;

/// The beginning of a search request.
pub(super) fn search(queue: &str) -> Value {
    json!({"command": "game_matchmaking", "queue_name": queue, "state": "start"})
}

fn stop(queue: &str) -> Value {
    json!({"command": "game_matchmaking", "queue_name": queue, "state": "stop"})
}

fn told(queue: &str, state: &str) -> Value {
    json!({"command": "search_info", "queue_name": queue, "state": state})
}

/// Players p1, p2 … on shards as they come.
pub(super) fn players(sim: &mut Sim, shards: u16, count: u32) -> Vec<ConnId> {
    let conns: Vec<ConnId> = (1..=count)
        .map(|id| player(sim, id, (id % u32::from(shards)) as u16))
        .collect();
    take_all(sim, &conns);
    conns
}

pub(super) fn take_all(sim: &mut Sim, conns: &[ConnId]) -> Vec<Vec<Value>> {
    conns.iter().map(|&conn| sim.take(conn)).collect()
}

/// Makes a party of these, the first being its owner; ids are those of [`players`].
pub(super) fn party(sim: &mut Sim, conns: &[ConnId], members: &[u32]) {
    let conn = |id: u32| conns[id as usize - 1];
    for &id in &members[1..] {
        let invite = json!({"command": "invite_to_party", "recipient_id": id});
        say(sim, conn(members[0]), invite);
        let accept = json!({"command": "accept_party_invite", "sender_id": members[0]});
        say(sim, conn(id), accept);
    }
    tick(sim);
    take_all(sim, conns);
}

/// Begins a search; the first of a connection brings the welcome.
pub(super) fn searches(sim: &mut Sim, conn: ConnId, queue: &str) {
    let said = say(sim, conn, search(queue));
    assert_eq!(said.last(), Some(&told(queue, "start")), "{said:?}");
}

fn state_of(sim: &Sim, conn: ConnId) -> &'static str {
    let session = sim.dialect_of(conn).roles.sessions.table.get(conn);
    session.map_or("GONE", |session| session.state.name())
}

/// The queues of all broadcasts that were received.
fn broadcast(received: &[Value]) -> Vec<&Value> {
    let infos = received
        .iter()
        .filter(|m| m["command"] == "matchmaker_info");
    infos
        .flat_map(|info| info["queues"].as_array().expect("queues is a list"))
        .collect()
}

// checklist: faf 321, 322, 323, 324
#[test]
fn queues_are_shown_on_request() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 1);
        searches(&mut sim, conns[0], "ladder1v1");
        let said = say(&mut sim, conns[0], json!({"command": "matchmaker_info"}));
        assert_eq!(commands(&said), ["matchmaker_info"]);
        let queues = said[0]["queues"].as_array().unwrap();
        let names: Vec<_> = queues
            .iter()
            .map(|q| q["queue_name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["ladder1v1", "tmm2v2", "gameoptions"]);
        let mut keys: Vec<_> = queues[0]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "boundary_75s",
                "boundary_80s",
                "num_players",
                "queue_name",
                "queue_pop_time",
                "queue_pop_time_delta",
                "team_size"
            ]
        );
        assert_eq!(queues[0]["num_players"], 1);
        assert_eq!(queues[0]["boundary_80s"], json!([[300, 700]]));
        assert_eq!(queues[0]["boundary_75s"], json!([[400, 600]]));
        assert_eq!(
            (&queues[0]["team_size"], &queues[1]["team_size"]),
            (&json!(1), &json!(2))
        );
        assert_eq!(queues[1]["boundary_80s"], json!([]));
        // A second has passed since the queues began, with 45 s to wait.
        assert_eq!(queues[0]["queue_pop_time_delta"], json!(44.0));
        assert_eq!(
            queues[0]["queue_pop_time"],
            json!("2024-02-24T17:33:12+00:00")
        );
    });
}

// checklist: faf 326, 327, 328, 330, 331, 332
#[test]
fn a_search_begins_and_ends() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 1);
        let a = conns[0];
        let begun = say(
            &mut sim,
            a,
            json!({"command": "game_matchmaking", "state": "start"}),
        );
        assert_eq!(begun.last(), Some(&told("ladder1v1", "start")));
        assert_eq!(state_of(&sim, a), "SEARCHING_LADDER");
        let again = say(&mut sim, a, search("ladder1v1"));
        assert_eq!(
            again,
            [told("ladder1v1", "stop"), told("ladder1v1", "start")]
        );
        let ended = say(&mut sim, a, stop("ladder1v1"));
        assert_eq!(ended, [told("ladder1v1", "stop")]);
        assert_eq!(state_of(&sim, a), "IDLE");
        assert_eq!(say(&mut sim, a, stop("ladder1v1")), [json!(null); 0]);
        assert_eq!(say(&mut sim, a, stop("unknown")), [json!(null); 0]);
        let alias = json!({"command": "game_matchmaking", "mod": "tmm2v2", "state": "start"});
        assert_eq!(say(&mut sim, a, alias), [told("tmm2v2", "start")]);
        // Any other word is checked and then ignored.
        let word = json!({"command": "game_matchmaking", "state": "perhaps"});
        assert_eq!(say(&mut sim, a, word), [json!(null); 0]);
        assert_eq!(state_of(&sim, a), "SEARCHING_LADDER");
    });
}

// checklist: faf 329
#[test]
fn an_unknown_queue_ends_the_connection() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 2);
        party(&mut sim, &conns, &[1, 2]);
        assert!(say(&mut sim, conns[0], search("unknown")).is_empty());
        assert!(sim.client(conns[0]).closed.is_some());
        tick(&mut sim);
        assert_eq!(state_of(&sim, conns[1]), "IDLE");
        let faction = json!({"command": "game_matchmaking", "state": "start", "faction": "core"});
        assert!(say(&mut sim, conns[1], faction).is_empty());
        assert!(sim.client(conns[1]).closed.is_some());
    });
}

// checklist: faf 333, 334
#[test]
fn two_queues_at_once() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 1);
        let a = conns[0];
        searches(&mut sim, a, "ladder1v1");
        searches(&mut sim, a, "tmm2v2");
        assert_eq!(
            say(&mut sim, a, stop("ladder1v1")),
            [told("ladder1v1", "stop")]
        );
        assert_eq!(state_of(&sim, a), "SEARCHING_LADDER");
        assert_eq!(say(&mut sim, a, stop("tmm2v2")), [told("tmm2v2", "stop")]);
        assert_eq!(state_of(&sim, a), "IDLE");
    });
}

// checklist: faf 335, 336, 337
#[test]
fn a_party_searches_together() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 3);
        party(&mut sim, &conns, &[1, 2]);
        let refused = say(&mut sim, conns[1], search("tmm2v2"));
        assert_eq!(
            texts(&refused),
            ["Only the party owner may enter the party into a queue."]
        );
        let refused = say(&mut sim, conns[0], search("ladder1v1"));
        assert_eq!(
            texts(&refused),
            ["Your party is too large to join that queue!"]
        );
        assert_eq!(state_of(&sim, conns[1]), "IDLE");
        searches(&mut sim, conns[0], "tmm2v2");
        assert_eq!(sim.take(conns[1]).last(), Some(&told("tmm2v2", "start")));
        assert_eq!(state_of(&sim, conns[1]), "SEARCHING_LADDER");
        let host = json!({"command": "game_host", "visibility": "public"});
        let refused = say(&mut sim, conns[1], host);
        assert_eq!(
            texts(&refused),
            ["Can't host a game while in state SEARCHING_LADDER"]
        );
        let accept = json!({"command": "accept_party_invite", "sender_id": 1});
        say(
            &mut sim,
            conns[0],
            json!({"command": "invite_to_party", "recipient_id": 3}),
        );
        assert_eq!(texts(&say(&mut sim, conns[2], accept)).len(), 1);
        // A member may end it, for all.
        assert_eq!(
            say(&mut sim, conns[1], stop("tmm2v2")),
            [told("tmm2v2", "stop")]
        );
        assert_eq!(sim.take(conns[0]).last(), Some(&told("tmm2v2", "stop")));
        assert_eq!(
            (state_of(&sim, conns[0]), state_of(&sim, conns[1])),
            ("IDLE", "IDLE")
        );
    });
}

// checklist: faf 299
#[test]
fn nobody_joins_a_party_that_is_searching() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 2);
        say(
            &mut sim,
            conns[0],
            json!({"command": "invite_to_party", "recipient_id": 2}),
        );
        searches(&mut sim, conns[0], "tmm2v2");
        let accept = json!({"command": "accept_party_invite", "sender_id": 1});
        let refused = say(&mut sim, conns[1], accept);
        assert_eq!(
            texts(&refused).last(),
            Some(&"That party is already in queue")
        );
    });
}

// checklist: faf 338
#[test]
fn a_member_who_is_in_a_game_keeps_all_from_searching() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 3);
        party(&mut sim, &conns, &[1, 2, 3]);
        hosted(&mut sim, conns[2], json!({}));
        let refused = say(&mut sim, conns[0], search("gameoptions"));
        assert_eq!(
            texts(&refused),
            ["Can't join a queue while p3 is in state HOSTING"]
        );
        assert_eq!(
            (state_of(&sim, conns[0]), state_of(&sim, conns[1])),
            ("IDLE", "IDLE")
        );
        // That comes before the unknown queue.
        let refused = say(&mut sim, conns[0], search("unknown"));
        assert_eq!(texts(&refused).len(), 1);
    });
}

// checklist: faf 341, 342
#[test]
fn newcomers_are_welcomed_once() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 8);
        let first = say(&mut sim, conns[0], search("tmm2v2"));
        assert_eq!(commands(&first), ["notice", "search_info"]);
        assert_eq!(first[0]["style"], "info");
        assert!(texts(&first)[0].starts_with("<i>Welcome to the matchmaker</i><br><br><b>The"));
        assert_eq!(
            commands(&say(&mut sim, conns[0], search("ladder1v1"))),
            ["search_info"]
        );
        // p8's rating for tmm_2v2 is taken from their global one, which is known well.
        assert_eq!(
            commands(&say(&mut sim, conns[7], search("tmm2v2"))),
            ["search_info"]
        );
        assert_eq!(
            commands(&say(&mut sim, conns[7], search("ladder1v1"))),
            ["search_info"]
        );
        sim.disconnect(conns[0]);
        tick(&mut sim);
        let back = player(&mut sim, 1, 0);
        assert_eq!(
            commands(&say(&mut sim, back, search("tmm2v2"))),
            ["notice", "search_info"]
        );
    });
}

/// A leaderboard is shown with a player from their first search in it on, but nobody is told of that alone.
// checklist: faf 117
#[test]
fn a_search_opens_a_leaderboard() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 1);
        searches(&mut sim, conns[0], "tmm2v2");
        tick(&mut sim);
        let received = sim.take(conns[0]);
        assert!(
            received.iter().all(|m| m["command"] != "player_info"),
            "{received:?}"
        );
        sim.disconnect(conns[0]);
        tick(&mut sim);
        let a = player(&mut sim, 1, 0);
        searches(&mut sim, a, "tmm2v2");
        for shard in 0..shards {
            let b = sim.connect(shard);
            let welcome = say(&mut sim, b, hello(2 + u32::from(shard)));
            let list = welcome
                .iter()
                .find(|m| m["command"] == "player_info")
                .unwrap();
            let players = list["players"].as_array().unwrap();
            let shown = players.iter().find(|p| p["id"] == 1).unwrap();
            assert_eq!(shown["ratings"]["tmm_2v2"]["rating"], json!([1500, 500]));
        }
    });
}

/// What a leaderboard's ratings begin from is opened with it, down to a stored rating.
#[test]
fn a_search_opens_what_its_leaderboard_begins_from() {
    each(|mut sim, shards| {
        let mut reference = reference();
        reference.leaderboards.push(Leaderboard {
            id: 4,
            name: "tmm_4v4".into(),
            initializer: Some("tmm_2v2".into()),
        });
        reference.queues[1].rating_type = "tmm_4v4".into();
        let reference = Arc::new(reference);
        for shard in 0..shards {
            sim.tell(shard, News::Reference(reference.clone()));
        }
        let conns = players(&mut sim, shards, 1);
        searches(&mut sim, conns[0], "tmm2v2");
        let newcomer = sim.connect(0);
        let told = say(&mut sim, newcomer, hello(2));
        let list = told.iter().find(|m| m["command"] == "player_info");
        let players = list.expect("a list of players")["players"]
            .as_array()
            .cloned();
        let players = players.expect("players are a list");
        let shown = players
            .iter()
            .find(|p| p["id"] == 1)
            .expect("they are there");
        for board in ["tmm_2v2", "tmm_4v4"] {
            assert_eq!(
                shown["ratings"][board]["rating"],
                json!([1500, 500]),
                "{board}"
            );
        }
    });
}

/// Somebody searches again before their last game is rated: they are matched by what they are worth then.
#[test]
fn a_rating_that_comes_while_he_searches_counts() {
    use crate::{
        Dialect,
        faf::{
            mail::{Mail, coordinator::CoordinatorMail, session::SessionMail},
            rated_game::RatingChange,
            ratings::Rating,
            results::TeamOutcome,
        },
    };
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 1);
        searches(&mut sim, conns[0], "ladder1v1");
        let change = |rating_type: &str, mean| RatingChange {
            game_id: 1,
            player_id: 1,
            rating_type: rating_type.into(),
            old: Rating::START,
            new: Rating {
                mean,
                deviation: 90.0,
            },
            outcome: TeamOutcome::Victory,
        };
        let changes = [change("ladder_1v1", 1800.0), change("global", 100.0)];
        for shard in 0..shards {
            let changes = changes.to_vec();
            sim.with(shard, move |faf, turn| {
                let here = turn.shard;
                faf.on_mail(turn, here, SessionMail::Rated(changes.clone()).into());
                let rated = CoordinatorMail::Rated(changes);
                faf.on_mail(turn, here, Mail::Coordinator(0, rated));
            });
        }
        let said = say(&mut sim, conns[0], json!({"command": "matchmaker_info"}));
        // With one game a tenth of the way from 500 to 1800: 630.
        assert_eq!(broadcast(&said)[0]["boundary_75s"], json!([[530, 730]]));
    });
}

// checklist: faf 343
#[test]
fn changed_queues_are_broadcast_at_the_tick() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 2);
        tick(&mut sim);
        take_all(&mut sim, &conns);
        sim.published.clear();
        searches(&mut sim, conns[0], "tmm2v2");
        searches(&mut sim, conns[0], "ladder1v1");
        tick(&mut sim);
        let received = sim.take(conns[1]);
        assert_eq!(commands(&received), ["matchmaker_info"]);
        let queues = broadcast(&received);
        let counts: Vec<_> = queues
            .iter()
            .map(|q| {
                (
                    q["queue_name"].as_str().unwrap(),
                    q["num_players"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(counts, [("ladder1v1", 1), ("tmm2v2", 1)]);
        let events: Vec<_> = sim.published.iter().map(|event| event.key).collect();
        assert_eq!(events, ["broadcast.matchmakerInfo.update"]);
        tick(&mut sim);
        assert_eq!(sim.take(conns[1]), [json!(null); 0]);
        say(&mut sim, conns[0], stop("tmm2v2"));
        tick(&mut sim);
        let received = sim.take(conns[1]);
        assert_eq!(broadcast(&received)[0]["num_players"], 0);
    });
}

// checklist: faf 316, 344, 320
#[test]
fn leaving_ends_the_search_of_the_whole_party() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 3);
        party(&mut sim, &conns, &[1, 2, 3]);
        searches(&mut sim, conns[0], "gameoptions");
        take_all(&mut sim, &conns);
        let left = say(&mut sim, conns[2], json!({"command": "leave_party"}));
        assert_eq!(commands(&left), ["search_info", "update_party"]);
        for conn in [conns[0], conns[1]] {
            assert_eq!(sim.take(conn), [told("gameoptions", "stop")]);
            assert_eq!(state_of(&sim, conn), "IDLE");
        }
        searches(&mut sim, conns[0], "gameoptions");
        searches(&mut sim, conns[0], "tmm2v2");
        take_all(&mut sim, &conns);
        sim.disconnect(conns[1]);
        sim.settle();
        assert_eq!(
            sim.take(conns[0]),
            [told("gameoptions", "stop"), told("tmm2v2", "stop")]
        );
        assert_eq!(state_of(&sim, conns[0]), "IDLE");
        let back = player(&mut sim, 2, 0);
        searches(&mut sim, back, "ladder1v1");
    });
}

/// The owner asks while a member leaves: the party that is left searches, and nobody else is kept.
#[test]
fn a_party_that_changes_while_it_enters() {
    for shards in 1..=3 {
        for seed in 0..40 {
            let mut sim = simulator(shards, seed, Settings::default());
            sim.eager = false;
            let conns = players(&mut sim, shards, 3);
            party(&mut sim, &conns, &[1, 2, 3]);
            sim.send(conns[0], search("gameoptions").to_string());
            sim.send(conns[1], json!({"command": "leave_party"}).to_string());
            for _ in 0..seed % 13 {
                sim.step();
            }
            sim.disconnect(conns[2]);
            sim.settle();
            assert!(!sim.client(conns[0]).held);
            assert_eq!(state_of(&sim, conns[1]), "IDLE", "seed {seed}");
            let coordinator = &sim.dialect(0).roles.coordinator.matchmaker;
            let searching = state_of(&sim, conns[0]) == "SEARCHING_LADDER";
            assert_eq!(
                coordinator.searches.len(),
                usize::from(searching),
                "seed {seed}"
            );
            assert!(coordinator.entries.is_empty());
        }
    }
}

// checklist: faf 345, 346, 347, 349
#[test]
fn queues_pop_and_lonely_searches_fail() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 1);
        searches(&mut sim, conns[0], "tmm2v2");
        let failed = |sim: &Sim| {
            let searches = sim
                .dialect(0)
                .roles
                .coordinator
                .matchmaker
                .searches
                .values();
            searches.map(|search| search.failed_attempts).sum::<u32>()
        };
        let wait = |sim: &mut Sim, seconds| sim.advance(Duration::from_secs(seconds));
        // The queues began a second ago.
        wait(&mut sim, 43);
        assert_eq!(failed(&sim), 0);
        take_all(&mut sim, &conns);
        wait(&mut sim, 1);
        assert_eq!(failed(&sim), 1);
        tick(&mut sim);
        let received = sim.take(conns[0]);
        let names: Vec<_> = broadcast(&received)
            .iter()
            .map(|q| q["queue_name"].clone())
            .collect();
        assert_eq!(names.len(), 3, "each pop is told of: {received:?}");
        let next = broadcast(&received)[1]["queue_pop_time_delta"]
            .as_f64()
            .unwrap();
        assert!((89.0..=90.0).contains(&next), "{next}");
        wait(&mut sim, 88);
        assert_eq!(failed(&sim), 1);
        wait(&mut sim, 1);
        assert_eq!(failed(&sim), 2);
    });
}

/// A queue that is gone from the database: its searches end.
#[test]
fn searches_of_a_queue_that_is_gone_end() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 1);
        searches(&mut sim, conns[0], "tmm2v2");
        searches(&mut sim, conns[0], "ladder1v1");
        let mut smaller = reference();
        smaller.queues.remove(1);
        let smaller = Arc::new(smaller);
        for shard in 0..shards {
            sim.tell(shard, News::Reference(smaller.clone()));
        }
        sim.settle();
        assert_eq!(sim.take(conns[0]), [told("tmm2v2", "stop")]);
        assert_eq!(state_of(&sim, conns[0]), "SEARCHING_LADDER");
        let info = say(&mut sim, conns[0], json!({"command": "matchmaker_info"}));
        assert_eq!(broadcast(&info).len(), 2);
    });
}

fn vetoes(list: &[(i64, i64, i64)]) -> Value {
    let list: Vec<Value> = list
        .iter()
        .map(|(bracket, map, tokens)| {
            json!({"matchmaker_queue_map_pool_id": bracket, "map_pool_map_version_id": map,
                "veto_tokens_applied": tokens})
        })
        .collect();
    json!(list)
}

fn set_vetoes(list: &[(i64, i64, i64)]) -> Value {
    json!({"command": "set_player_vetoes", "vetoes": vetoes(list)})
}

fn stored(forced: bool, list: &[(i64, i64, i64)]) -> Value {
    json!({"command": "vetoes_info", "forced": forced, "vetoes": vetoes(list)})
}

// checklist: faf 400, 401, 403, 404
#[test]
fn vetoes_are_stored_as_far_as_the_pools_allow() {
    each(|mut sim, shards| {
        let a = players(&mut sim, shards, 1)[0];
        assert_eq!(
            say(&mut sim, a, set_vetoes(&[(101, 11, 1)])),
            [json!(null); 0]
        );
        assert_eq!(
            say(&mut sim, a, set_vetoes(&[(101, 11, 2), (102, 21, 1)])),
            [stored(false, &[(101, 11, 1), (102, 21, 1)])]
        );
        for nothing in [[(101, 11, 0)], [(101, 99, 1)], [(7, 11, 1)]] {
            assert_eq!(say(&mut sim, a, set_vetoes(&nothing)), [stored(false, &[])]);
        }
        assert_eq!(say(&mut sim, a, set_vetoes(&[])), [json!(null); 0]);
    });
}

// checklist: faf 402
#[test]
fn broken_vetoes_are_refused() {
    each(|mut sim, shards| {
        let a = players(&mut sim, shards, 1)[0];
        let whole = json!({"matchmaker_queue_map_pool_id": 101, "map_pool_map_version_id": 11,
            "veto_tokens_applied": 1});
        let with = |key: &str, value: Value| {
            let mut veto = whole.clone();
            veto[key] = value;
            json!([veto])
        };
        for broken in [
            json!({}),
            json!([1]),
            json!([{"map_pool_map_version_id": 11, "veto_tokens_applied": 1}]),
            with("veto_tokens_applied", json!(-1)),
            with("veto_tokens_applied", json!(1.5)),
            with("map_pool_map_version_id", json!("11")),
        ] {
            let refused = say(
                &mut sim,
                a,
                json!({"command": "set_player_vetoes", "vetoes": broken}),
            );
            assert_eq!(texts(&refused), ["invalid veto data"], "{broken}");
        }
        let refused = say(&mut sim, a, json!({"command": "set_player_vetoes"}));
        assert_eq!(texts(&refused), ["invalid veto data"]);
    });
}

// checklist: faf 408, 409
#[test]
fn a_changed_configuration_cuts_vetoes_and_ends_searches_if_it_takes_any() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 2);
        let (a, b) = (conns[0], conns[1]);
        say(&mut sim, a, set_vetoes(&[(101, 11, 1), (102, 21, 1)]));
        say(&mut sim, b, set_vetoes(&[(101, 13, 1)]));
        searches(&mut sim, a, "tmm2v2");
        searches(&mut sim, b, "tmm2v2");
        let mut changed = reference();
        // No tokens in the first queue's bracket any more; its third map is gone.
        let bracket = &mut changed.queues[0].brackets[0];
        bracket.vetoes.tokens_per_player = 0;
        let rows = bracket.pool.entries[..2].to_vec();
        bracket.pool = Arc::new(MapPool::new(1, "pool".into(), rows));
        let changed = Arc::new(changed);
        for shard in 0..shards {
            sim.tell(shard, News::Reference(changed.clone()));
        }
        sim.settle();
        assert_eq!(
            sim.take(a),
            [stored(true, &[(102, 21, 1)]), told("tmm2v2", "stop")]
        );
        assert_eq!(sim.take(b), [stored(false, &[])]);
        assert_eq!(
            (state_of(&sim, a), state_of(&sim, b)),
            ("IDLE", "SEARCHING_LADDER")
        );
    });
}

#[test]
fn in_a_shutdown_nobody_searches_any_more() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 2);
        searches(&mut sim, conns[0], "ladder1v1");
        sim.stop(crate::Stopping::Drain);
        sim.settle();
        let received = sim.take(conns[0]);
        assert!(
            received.contains(&told("ladder1v1", "stop")),
            "{received:?}"
        );
        assert_eq!(state_of(&sim, conns[0]), "IDLE");
        let refused = say(&mut sim, conns[0], search("ladder1v1"));
        assert_eq!(
            refused,
            [json!({"command": "disabled", "request": "game_matchmaking"})]
        );
        assert_eq!(state_of(&sim, conns[0]), "IDLE");
        let info = say(&mut sim, conns[0], json!({"command": "matchmaker_info"}));
        assert_eq!(info, [json!({"command": "matchmaker_info", "queues": []})]);
    });
}
