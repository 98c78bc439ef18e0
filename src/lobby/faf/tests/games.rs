//! Games from launch to their end: what goes into the ledger, what comes of it, and that nothing gets lost or done twice.

use super::*;
use crate::{
    Dialect, Stopping,
    faf::{ledger::Record, validity::Validity},
};

type Shared = Rc<RefCell<Paper>>;

/// On 1, 2 and 3 shards, with a paper to look at.
fn each_with_paper(test: impl Fn(Sim, u16, Shared)) {
    for shards in 1..=3 {
        for seed in 0..3 {
            let paper = Shared::default();
            let sim = simulator_with(shards, seed, Settings::default(), paper.clone());
            test(sim, shards, paper);
        }
    }
}

/// A duel of p1 and p2, launched; gives both connections and the game.
fn launched(sim: &mut Sim, shards: u16, request: Value) -> (ConnId, ConnId, u32) {
    let host = player(sim, 1, 0);
    let login_id = player(sim, 2, shards - 1);
    let uid = hosted(sim, host, request);
    joined(sim, login_id, uid);
    configure(sim, host, 1, 1, 2);
    configure(sim, host, 2, 2, 3);
    state(sim, host, "Launching");
    tick(sim);
    for conn in [host, login_id] {
        sim.take(conn);
    }
    sim.published.clear();
    (host, login_id, uid)
}

fn result(sim: &mut Sim, conn: ConnId, army: i32, text: &str) {
    say(sim, conn, game("GameResult", json!([army, text])));
}

fn both_report(sim: &mut Sim, host: ConnId, login_id: ConnId) {
    for conn in [host, login_id] {
        result(sim, conn, 1, "victory 10");
        result(sim, conn, 2, "recall defeat -5");
    }
}

fn ended(sim: &mut Sim, conn: ConnId) {
    say(sim, conn, game("GameEnded", json!([])));
}

fn minutes(sim: &mut Sim, minutes: u64) {
    sim.advance(Duration::from_secs(60 * minutes));
    sim.published.clear();
}

fn published(sim: &Sim) -> Vec<&'static str> {
    let all = sim.published.iter().map(|event| event.key);
    all.filter(|key| !key.starts_with("broadcast.")).collect()
}

fn body(sim: &Sim, key: &str) -> Value {
    let event = sim.published.iter().find(|event| event.key == key);
    let event = event.unwrap_or_else(|| panic!("{key} was not published"));
    assert!(event.persistent);
    serde_json::from_slice(&event.body).expect("JSON")
}

const RESULTS: &str = "success.gameResults.create";
const RATING: &str = "success.rating.update";

// checklist: faf 218, 219, 220, 221, 223, 224
#[test]
fn a_launch_is_written_down_once_with_its_participants() {
    each_with_paper(|mut sim, shards, paper| {
        let request = json!({"title": "duel", "mapname": "SCMP_009"});
        let (host, login_id, uid) = launched(&mut sim, shards, request);
        for conn in [host, login_id] {
            state(&mut sim, conn, "Launching");
        }
        let paper = paper.borrow();
        assert_eq!(paper.kinds(uid), ["launch"]);
        let Record::Launch(launch) = &paper.records[0].1 else {
            panic!("{:?}", paper.records);
        };
        assert_eq!((launch.host_id, &*launch.name), (1, "duel"));
        assert_eq!(
            (&*launch.folder, &*launch.featured_mod),
            ("scmp_009", "faf")
        );
        assert_eq!(&*launch.victory, "DEMORALIZATION");
        assert_eq!((launch.finding, launch.queue_id), (None, None));
        let placed = launch
            .players
            .iter()
            .map(|p| (p.player_id, p.team, p.place));
        assert_eq!(placed.collect::<Vec<_>>(), [(1, 2, 1), (2, 3, 2)]);
        assert_eq!(paper.validity[&uid], Validity::Valid);
    });
}

// checklist: faf 206, 208
#[test]
fn an_ai_unranks_the_game_unless_its_slot_is_cleared() {
    each_with_paper(|mut sim, shards, paper| {
        for (cleared, finding) in [(3, Some(Validity::HasAiPlayers)), (4, None)] {
            let host = player(&mut sim, 1, 0);
            let login_id = player(&mut sim, 2, shards - 1);
            let uid = hosted(&mut sim, host, json!({"mapname": "scmp_009"}));
            joined(&mut sim, login_id, uid);
            configure(&mut sim, host, 1, 1, 2);
            configure(&mut sim, host, 2, 2, 3);
            say(
                &mut sim,
                host,
                game("AIOption", json!(["AI: Easy", "StartSpot", 4])),
            );
            say(
                &mut sim,
                host,
                game("AIOption", json!(["AI: Easy", "Team", 3])),
            );
            say(&mut sim, host, game("ClearSlot", json!([cleared])));
            state(&mut sim, host, "Launching");
            let paper = paper.borrow();
            let Some((_, Record::Launch(launch))) = paper.records.last() else {
                panic!("{:?}", paper.records);
            };
            assert_eq!(launch.finding, finding, "slot {cleared} cleared");
        }
    });
}

// checklist: faf 222, 225, 472
#[test]
fn observers_are_not_written_down() {
    each_with_paper(|mut sim, shards, paper| {
        let host = player(&mut sim, 1, 0);
        let login_ids = [2, 3, 4, 5].map(|id| player(&mut sim, id, shards - 1));
        let uid = hosted(&mut sim, host, json!({}));
        for login_id in login_ids {
            joined(&mut sim, login_id, uid);
        }
        configure(&mut sim, host, 1, 1, 2);
        configure(&mut sim, host, 2, 2, 3);
        // Without an army, without a team, and not configured at all.
        configure(&mut sim, host, 3, -1, 2);
        say(&mut sim, host, game("PlayerOption", json!([4, "Army", 4])));
        state(&mut sim, host, "Launching");
        let paper = paper.borrow();
        let Record::Launch(launch) = &paper.records[0].1 else {
            panic!("{:?}", paper.records);
        };
        let ids: Vec<u32> = launch.players.iter().map(|p| p.player_id).collect();
        assert_eq!(ids, [1, 2]);
        // The one without a team takes part, though.
        assert_eq!(launch.finding, Some(Validity::MultiTeam));
    });
}

// checklist: faf 236, 238, 440, 441, 474
#[test]
fn a_finished_duel_is_settled_told_and_rated_once() {
    each_with_paper(|mut sim, shards, paper| {
        let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
        minutes(&mut sim, 3);
        both_report(&mut sim, host, login_id);
        ended(&mut sim, host);
        assert_eq!(published(&sim), [""; 0]);
        ended(&mut sim, login_id);
        {
            let paper = paper.borrow();
            assert_eq!(paper.kinds(uid), ["launch", "ended", "finish"]);
            assert_eq!(paper.scores[&(uid, 1)], (10, "VICTORY"));
            assert_eq!(paper.scores[&(uid, 2)], (-5, "DEFEAT"));
        }
        assert_eq!(published(&sim), [RESULTS, RATING, RATING]);
        let army = |player: u32, outcome: &str, metadata: Value| {
            json!({"outcome": outcome, "player_ids": [player], "army_results": [
                {"player_id": player, "army": player, "army_outcome": outcome, "metadata": metadata}]})
        };
        let expected = json!({
            "game_id": uid, "rating_type": "global", "map_id": 7, "featured_mod": "faf", "sim_mod_ids": [],
            "commander_kills": {}, "validity": "VALID",
            "teams": [army(1, "VICTORY", json!([])), army(2, "DEFEAT", json!(["recall"]))],
        });
        assert_eq!(body(&sim, RESULTS), expected);
        let rating = body(&sim, RATING);
        for (key, value) in [
            ("new_rating_mean", 1765.5119),
            ("new_rating_deviation", 429.1919),
            ("old_rating_mean", 1500.0),
            ("old_rating_deviation", 500.0),
        ] {
            let told = rating[key].as_f64().expect("a number");
            assert!((told - value).abs() < 5e-4, "{rating}");
        }
        assert_eq!(
            (&rating["player_id"], &rating["outcome"]),
            (&json!(1), &json!("VICTORY"))
        );
        // Everybody sees the new ratings at the tick; leaving afterwards rates nothing again.
        tick(&mut sim);
        let seen = sim.take(login_id);
        let told = seen.iter().find(|m| m["command"] == "player_info");
        let entries = told.expect("player_info")["players"]
            .as_array()
            .expect("a list");
        assert_eq!(entries.len(), 2);
        for entry in entries {
            assert_eq!(entry["ratings"]["global"]["number_of_games"], 1);
            let mean = entry["global_rating"][0].as_f64().expect("a number");
            let expected = if entry["id"] == 1 {
                1765.5119
            } else {
                1234.4881
            };
            assert!((mean - expected).abs() < 5e-4, "{entry}");
        }
        for conn in [host, login_id] {
            state(&mut sim, conn, "Ended");
        }
        tick(&mut sim);
        assert_eq!(paper.borrow().kinds(uid).len(), 3);
        sim.stop(Stopping::Drain);
        sim.settle();
        assert!((0..shards).all(|shard| sim.dialect(shard).is_drained()));
    });
}

// checklist: faf 233, 237, 246
#[test]
fn those_who_leave_count_as_finished_and_those_who_return_may_report() {
    each_with_paper(|mut sim, shards, paper| {
        let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
        minutes(&mut sim, 3);
        sim.disconnect(login_id);
        sim.settle();
        let again = player(&mut sim, 2, 0);
        say(
            &mut sim,
            again,
            json!({"command": "restore_game_session", "game_id": uid}),
        );
        result(&mut sim, again, 1, "victory 1");
        result(&mut sim, again, 2, "defeat 0");
        ended(&mut sim, host);
        assert_eq!(paper.borrow().kinds(uid), ["launch"]);
        state(&mut sim, again, "Ended");
        assert_eq!(paper.borrow().kinds(uid), ["launch", "ended", "finish"]);
        assert_eq!(paper.borrow().scores[&(uid, 1)], (1, "VICTORY"));
        assert_eq!(published(&sim), [RESULTS, RATING, RATING]);
    });
}

// checklist: faf 235, 439
#[test]
fn results_that_come_after_the_end_do_not_count() {
    each_with_paper(|mut sim, shards, paper| {
        let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
        minutes(&mut sim, 3);
        ended(&mut sim, host);
        ended(&mut sim, login_id);
        both_report(&mut sim, host, login_id);
        say(&mut sim, host, game("EnforceRating", json!([])));
        assert_eq!(paper.borrow().kinds(uid), ["launch", "ended", "finish"]);
        assert_eq!(paper.borrow().validity[&uid], Validity::UnknownResult);
        assert_eq!(published(&sim), [""; 0]);
    });
}

/// The game program reports these when its simulation is over; they were ignored.
#[test]
fn what_the_game_program_sends_when_all_is_over_counts() {
    each_with_paper(|mut sim, shards, paper| {
        let request = json!({"mod": "coop", "mapname": "scmp_coop_123"});
        let (host, login_id, uid) = launched(&mut sim, shards, request);
        both_report(&mut sim, host, login_id);
        ended(&mut sim, host);
        ended(&mut sim, login_id);
        tick(&mut sim);
        let kill = json!([120, 2, "p2", 1, "p1"]);
        for (command, args) in [
            ("OperationComplete", json!([1, 0, "00:11:50"])),
            ("OperationComplete", json!([1, 1, "00:11:51"])),
            ("JsonStats", json!([stats()])),
            ("TeamkillHappened", kill.clone()),
            ("Desync", json!([])),
            ("Desync", json!([])),
        ] {
            say(&mut sim, host, game(command, args));
        }
        state(&mut sim, host, "Ended");
        say(&mut sim, host, game("TeamkillHappened", kill.clone()));
        tick(&mut sim);
        say(&mut sim, login_id, game("TeamkillHappened", kill));
        state(&mut sim, login_id, "Ended");
        tick(&mut sim);
        let kinds = paper.borrow().kinds(uid).join(" ");
        let expected = "launch ended finish operation statistics teamkill desync teamkill";
        assert_eq!(kinds, expected);
        assert_eq!(published(&sim).len(), 3 + 5 + 8);
        sim.stop(Stopping::Drain);
        sim.settle();
        assert!((0..shards).all(|shard| sim.dialect(shard).is_drained()));
        assert!((0..shards).all(|shard| sim.dialect(shard).roles.games.ledger.is_empty()));
    });
}

/// Whoever looks into the database when a player has left found no row of their mission.
#[test]
fn a_completed_mission_is_written_down_before_its_player_has_left() {
    for away in [false, true] {
        each_with_paper(|mut sim, shards, paper| {
            let request = json!({"mod": "coop", "mapname": "scmp_coop_123"});
            let (host, login_id, uid) = launched(&mut sim, shards, request);
            ended(&mut sim, host);
            ended(&mut sim, login_id);
            if away {
                paper.borrow_mut().faults = vec![0];
            }
            let done = game("OperationComplete", json!([1, 0, "00:11:50"]));
            sim.send(login_id, done.to_string());
            sim.send(login_id, game("GameState", json!(["Ended"])).to_string());
            let is_in = |sim: &Sim| {
                let session = sim.dialect_of(login_id).roles.sessions.table.get(login_id);
                session.is_some_and(|session| session.link.is_some())
            };
            let is_written = || paper.borrow().kinds(uid).contains(&"operation");
            while !away && !is_written() {
                assert!(is_in(&sim));
                assert!(sim.step());
            }
            sim.settle();
            // With a store that is away nobody waits for longer than one attempt takes.
            assert!(!is_in(&sim));
            sim.advance(Duration::from_secs(2));
            assert!(is_written());
        });
    }
}

// One who loses must not be able to fill the list before the others' games have reported.
#[test]
fn a_flood_of_one_players_reports_left_no_room_for_those_of_the_others() {
    each_with_paper(|mut sim, shards, paper| {
        let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
        minutes(&mut sim, 3);
        for _ in 0..2000 {
            result(&mut sim, login_id, 2, "victory 9");
        }
        both_report(&mut sim, host, host);
        ended(&mut sim, host);
        ended(&mut sim, login_id);
        let paper = paper.borrow();
        assert_eq!(paper.scores[&(uid, 1)].1, "VICTORY");
        assert_eq!(paper.scores[&(uid, 2)].1, "CONFLICTING");
    });
}

// checklist: faf 426, 427
#[test]
fn results_of_unknown_words_and_armies_do_not_count() {
    each_with_paper(|mut sim, shards, paper| {
        let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
        minutes(&mut sim, 3);
        for text in ["score 5", "recall 1", "victory", "victory x", ""] {
            result(&mut sim, host, 1, text);
        }
        result(&mut sim, host, 9, "victory 1");
        ended(&mut sim, host);
        ended(&mut sim, login_id);
        assert_eq!(paper.borrow().validity[&uid], Validity::UnknownResult);
    });
}

// checklist: faf 442, 454
#[test]
fn a_short_game_counts_only_if_that_is_wanted() {
    for enforce in [false, true] {
        each_with_paper(|mut sim, shards, paper| {
            let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
            if enforce {
                say(&mut sim, login_id, game("EnforceRating", json!([])));
            }
            both_report(&mut sim, host, login_id);
            ended(&mut sim, host);
            ended(&mut sim, login_id);
            let expected = if enforce {
                Validity::Valid
            } else {
                Validity::TooShort
            };
            assert_eq!(paper.borrow().validity[&uid], expected);
            assert_eq!(published(&sim).len(), if enforce { 3 } else { 1 });
            assert_eq!(body(&sim, RESULTS)["validity"], expected.name());
        });
    }
}

#[test]
fn how_long_a_game_lasted_does_not_depend_on_who_sets_the_clock() {
    for hour in [-3600, 3600] {
        for (played_minutes, expected) in [(3, Validity::Valid), (0, Validity::TooShort)] {
            each_with_paper(|mut sim, shards, paper| {
                let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
                sim.set_clock(hour);
                minutes(&mut sim, played_minutes);
                both_report(&mut sim, host, login_id);
                ended(&mut sim, host);
                ended(&mut sim, login_id);
                assert_eq!(paper.borrow().validity[&uid], expected, "{hour}");
            });
        }
    }
}

#[test]
fn the_time_of_a_mission_may_be_a_number() {
    each_with_paper(|mut sim, shards, paper| {
        let request = json!({"mod": "coop", "mapname": "scmp_coop_123"});
        let (host, _, _) = launched(&mut sim, shards, request);
        say(
            &mut sim,
            host,
            game("OperationComplete", json!([1, 0, 100])),
        );
        let paper = paper.borrow();
        let Some((_, Record::Operation { time, .. })) = paper.records.last() else {
            panic!("{:?}", paper.records);
        };
        assert_eq!(&**time, "00:01:00");
    });
}

// checklist: faf 456, 457, 491, 492
#[test]
fn desyncs_and_team_kills_are_written_down() {
    each_with_paper(|mut sim, shards, paper| {
        let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
        sim.advance(Duration::from_secs(29));
        for _ in 0..21 {
            say(&mut sim, host, game("Desync", json!([])));
            say(&mut sim, login_id, game("Desync", json!([])));
        }
        for (command, args) in [
            ("TeamkillHappened", json!([120, 2, "p2", 1, "p1"])),
            ("TeamkillHappened", json!([121, 0, "AI", 1, "p1"])),
            ("TeamkillReport", json!([121, 2, "p2", 1, "p1"])),
        ] {
            say(&mut sim, login_id, game(command, args));
        }
        both_report(&mut sim, host, login_id);
        minutes(&mut sim, 3);
        ended(&mut sim, host);
        ended(&mut sim, login_id);
        let paper = paper.borrow();
        let kinds = ["launch", "desync", "desync", "teamkill", "ended", "finish"];
        assert_eq!(paper.kinds(uid), kinds);
        let times = paper.records.iter().filter_map(|(_, record)| match record {
            Record::Desync {
                player_id,
                game_time_s,
            } => Some((*player_id, *game_time_s)),
            _ => None,
        });
        assert_eq!(times.collect::<Vec<_>>(), [(1, Some(30)), (2, Some(30))]);
        assert_eq!(paper.validity[&uid], Validity::TooManyDesyncs);
        assert_eq!(published(&sim), [""; 0]);
    });
}

// checklist: faf 276, 277, 278, 279, 282
#[test]
fn a_coop_mission_is_written_down_once() {
    each_with_paper(|mut sim, shards, paper| {
        let request = json!({"mod": "coop", "mapname": "scmp_coop_123"});
        let (host, login_id, uid) = launched(&mut sim, shards, request);
        let mut say_done = |conn, args| say(&mut sim, conn, game("OperationComplete", args));
        say_done(host, json!([0, 1, "00:10:00"]));
        say_done(host, json!([1, "yes", "00:11:50"]));
        say_done(login_id, json!([1, 0, "00:11:51"]));
        both_report(&mut sim, host, login_id);
        ended(&mut sim, host);
        ended(&mut sim, login_id);
        let paper = paper.borrow();
        assert_eq!(paper.kinds(uid), ["launch", "operation", "ended", "finish"]);
        let Record::Operation {
            folder,
            secondary,
            time,
            players,
        } = &paper.records[1].1
        else {
            panic!("{:?}", paper.records[1]);
        };
        assert_eq!((&**folder, *secondary), ("scmp_coop_123", true));
        assert_eq!((&**time, *players), ("00:11:50", 2));
        assert_eq!(paper.validity[&uid], Validity::CoopNotRanked);
        assert_eq!(published(&sim), [""; 0]);
    });
    each_with_paper(|mut sim, shards, paper| {
        let (host, _, uid) = launched(&mut sim, shards, json!({}));
        say(
            &mut sim,
            host,
            game("OperationComplete", json!([1, 1, "00:11:50"])),
        );
        assert_eq!(paper.borrow().kinds(uid), ["launch"]);
    });
}

/// A time that the column does not take used up the game's row: nobody's good one was written down any more.
// checklist: faf 277
#[test]
fn a_refused_mission_leaves_the_row_to_the_others() {
    // At the same moment too: that the one is refused is not known when the other comes.
    for at_once in [false, true] {
        each_with_paper(|mut sim, shards, paper| {
            paper.borrow_mut().refuses_times = true;
            let request = json!({"mod": "coop", "mapname": "scmp_coop_123"});
            let (host, login_id, uid) = launched(&mut sim, shards, request);
            let done = |time| game("OperationComplete", json!([1, 0, time])).to_string();
            sim.send(login_id, done("soon"));
            if !at_once {
                sim.settle();
                let session = sim.dialect_of(login_id).roles.sessions.table.get(login_id);
                assert!(session.is_some_and(|session| session.link.is_none()));
            }
            sim.send(host, done("00:11:50"));
            sim.settle();
            let paper = paper.borrow();
            let times = paper.records.iter().filter_map(|(_, record)| match record {
                Record::Operation { time, .. } => Some(&**time),
                _ => None,
            });
            let taken: Vec<&str> = times.filter(|time| *time != "soon").collect();
            assert_eq!(taken, ["00:11:50"], "{uid}");
        });
    }
}

/// Statistics of a UEF game of p1 and p2.
fn stats() -> String {
    let mut units = json!({});
    for category in [
        "air",
        "land",
        "naval",
        "experimental",
        "transportation",
        "sacu",
        "cdr",
        "tech1",
        "tech2",
        "tech3",
        "engineer",
    ] {
        units[category] = json!({"built": 0, "lost": 0, "kills": 0});
    }
    let army = |name| {
        json!({"type": "Human", "name": name, "faction": 1, "general": {"score": 1}, "blueprints": {},
               "units": units})
    };
    json!({"stats": [army("p1"), army("p2")]}).to_string()
}

// checklist: faf 477, 488, 490
#[test]
fn statistics_are_looked_at_once_for_each_participant_with_a_result() {
    each_with_paper(|mut sim, shards, paper| {
        let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
        minutes(&mut sim, 3);
        result(&mut sim, host, 2, "defeat -5");
        for text in ["{", "[]", &stats()] {
            say(&mut sim, login_id, game("JsonStats", json!([text])));
        }
        // The loser is known; the winner comes with their result, and nothing comes twice.
        assert_eq!(paper.borrow().kinds(uid), ["launch", "statistics"]);
        assert_eq!(published(&sim).len(), 6);
        say(
            &mut sim,
            login_id,
            game("JsonStats", json!(["{\"stats\":"])),
        );
        both_report(&mut sim, host, login_id);
        ended(&mut sim, host);
        ended(&mut sim, login_id);
        let kinds = ["launch", "statistics", "statistics", "ended", "finish"];
        assert_eq!(paper.borrow().kinds(uid), kinds);
        let told = published(&sim);
        let count = |key: &str| told.iter().filter(|told| **told == key).count();
        assert_eq!(count("request.achievement.update"), 5 + 8);
        assert_eq!(count("request.event.update"), 1 + 2);
        assert_eq!(
            body(&sim, RESULTS)["commander_kills"],
            json!({"p1": 0, "p2": 0})
        );
    });
}

/// Reports that no reader takes.
const UNREADABLE: [&str; 8] = [
    r#"{"stats":[{"type":"Human""#,
    r#"{"stats":[1,]}"#,
    r#"{"stats":[nope]}"#,
    r#"{"stats":5}"#,
    r#"{"stats":null}"#,
    r#"{"x":{"stats":[]}}"#,
    r#"["stats"]"#,
    "",
];

/// One that was cut off used up the turn of everybody who had a result, and the good ones after it told nothing.
// checklist: faf 488
#[test]
fn statistics_that_can_not_be_read_take_nobodys_turn() {
    let deep = format!(r#"{{"stats":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    for text in UNREADABLE.into_iter().chain([&*deep]) {
        each_with_paper(|mut sim, shards, paper| {
            let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
            minutes(&mut sim, 3);
            say(&mut sim, login_id, game("JsonStats", json!([text])));
            both_report(&mut sim, host, login_id);
            say(&mut sim, login_id, game("JsonStats", json!([text])));
            assert_eq!(paper.borrow().kinds(uid), ["launch"], "{text:.40}");
            say(&mut sim, host, game("JsonStats", json!([stats()])));
            assert_eq!(published(&sim).len(), 5 + 8 + 1 + 2, "{text:.40}");
        });
    }
}

/// Four of them drove out the good one that had come before.
#[test]
fn statistics_that_can_not_be_read_take_no_room() {
    for text in UNREADABLE {
        each_with_paper(|mut sim, shards, _| {
            let (host, login_id, _) = launched(&mut sim, shards, json!({}));
            minutes(&mut sim, 3);
            say(&mut sim, host, game("JsonStats", json!([stats()])));
            for _ in 0..6 {
                say(&mut sim, login_id, game("JsonStats", json!([text])));
            }
            both_report(&mut sim, host, login_id);
            ended(&mut sim, host);
            ended(&mut sim, login_id);
            let kills = &body(&sim, RESULTS)["commander_kills"];
            assert_eq!(*kills, json!({"p1": 0, "p2": 0}), "{text:.40}");
            assert_eq!(published(&sim).len(), 5 + 8 + 1 + 2 + 3, "{text:.40}");
        });
    }
}

// checklist: faf 481
#[test]
fn statistics_of_games_with_cheats_are_not_looked_at() {
    each_with_paper(|mut sim, _, paper| {
        let host = player(&mut sim, 1, 0);
        let uid = hosted(&mut sim, host, json!({}));
        configure(&mut sim, host, 1, 1, 2);
        say(
            &mut sim,
            host,
            game("GameOption", json!(["CheatsEnabled", "False"])),
        );
        state(&mut sim, host, "Launching");
        result(&mut sim, host, 1, "victory 1");
        say(&mut sim, host, game("JsonStats", json!([stats()])));
        assert_eq!(paper.borrow().kinds(uid), ["launch"]);
    });
}

#[test]
fn a_store_that_is_away_delays_and_loses_nothing() {
    // Away at the launch, halfway through, at the results; and answers that get lost.
    for (faults, lost_answers) in [
        (vec![0, 0, 0], 0),
        (vec![0, 1, 2, 0, 1], 0),
        (vec![], 1),
        (vec![1], 3),
    ] {
        each_with_paper(|mut sim, shards, paper| {
            paper.borrow_mut().faults = faults.clone();
            paper.borrow_mut().lost_answers = lost_answers;
            let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
            say(&mut sim, host, game("EnforceRating", json!([])));
            say(
                &mut sim,
                login_id,
                game("TeamkillHappened", json!([120, 2, "p2", 1, "p1"])),
            );
            both_report(&mut sim, host, login_id);
            ended(&mut sim, host);
            ended(&mut sim, login_id);
            sim.stop(Stopping::Drain);
            sim.advance(Duration::from_secs(300));
            assert!((0..shards).all(|shard| sim.dialect(shard).is_drained()));
            let paper = paper.borrow();
            let kinds = paper.kinds(uid);
            assert_eq!(kinds.last(), Some(&"finish"), "{kinds:?}");
            if lost_answers == 0 {
                assert_eq!(kinds, ["launch", "teamkill", "ended", "finish"]);
            }
            for id in [1, 2] {
                assert_eq!(paper.ratings[&(id, "global".to_owned())].1, 1, "rated once");
            }
        });
    }
}

// checklist: faf 476
#[test]
fn a_stop_waits_until_everything_is_settled() {
    each_with_paper(|mut sim, shards, paper| {
        let (host, login_id, _) = launched(&mut sim, shards, json!({}));
        minutes(&mut sim, 3);
        both_report(&mut sim, host, login_id);
        paper.borrow_mut().faults = vec![0; 3];
        sim.stop(Stopping::Drain);
        ended(&mut sim, host);
        ended(&mut sim, login_id);
        tick(&mut sim);
        let stops = |sim: &Sim| (0..shards).all(|shard| sim.dialect(shard).is_drained());
        assert!(!stops(&sim));
        sim.advance(Duration::from_secs(60));
        assert!(stops(&sim));
        assert_eq!(published(&sim), [RESULTS, RATING, RATING]);
    });
}

#[test]
fn what_is_not_settled_at_the_very_end_is_kept() {
    each_with_paper(|mut sim, shards, paper| {
        let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
        both_report(&mut sim, host, login_id);
        paper.borrow_mut().faults = vec![0; 100];
        ended(&mut sim, host);
        ended(&mut sim, login_id);
        sim.stop(Stopping::Now);
        sim.settle();
        let paper = paper.borrow();
        assert_eq!(paper.kept.len(), 1);
        assert_eq!((paper.kept[0].uid, paper.kept[0].records.len()), (uid, 2));
        let launched = paper.kept[0].launched.expect("it was launched");
        assert_eq!(launched.validity, Validity::Valid);
    });
}

// The launch waits for the store, and so does everything after it; the process may be killed at any moment.
#[test]
fn an_end_was_only_in_memory_while_an_earlier_batch_waited() {
    each_with_paper(|mut sim, shards, paper| {
        paper.borrow_mut().faults = vec![0; 100];
        let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
        both_report(&mut sim, host, login_id);
        assert!(paper.borrow().kept.is_empty(), "it is not over");
        ended(&mut sim, host);
        ended(&mut sim, login_id);
        let kept = paper.borrow().kept.clone();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].uid, uid);
        let first = kept[0].records.first().expect("a record");
        assert!(matches!(**first, Record::Launch(_)));
        let end = |record: &Arc<Record>| matches!(**record, Record::Finish(_));
        assert!(kept[0].records.iter().any(end));
        // It is kept until it is settled, and no longer.
        sim.advance(Duration::from_secs(120));
        assert_eq!(paper.borrow().kept.len(), 1);
        paper.borrow_mut().faults.clear();
        sim.advance(Duration::from_secs(60));
        assert!(paper.borrow().kept.is_empty());
        assert_eq!(published(&sim), [RESULTS]);
    });
}

#[test]
fn a_full_disk_keeps_no_result_from_the_store() {
    each_with_paper(|mut sim, shards, paper| {
        paper.borrow_mut().disk_is_full = true;
        let (host, login_id, _) = launched(&mut sim, shards, json!({}));
        minutes(&mut sim, 3);
        both_report(&mut sim, host, login_id);
        ended(&mut sim, host);
        ended(&mut sim, login_id);
        tick(&mut sim);
        assert_eq!(published(&sim), [RESULTS, RATING, RATING]);
    });
}

// The store is away, and the end comes while people play: their games end with their connections.
#[test]
fn games_that_ended_with_the_process_were_neither_written_nor_kept() {
    each_with_paper(|mut sim, shards, paper| {
        paper.borrow_mut().faults = vec![0; 100];
        let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
        both_report(&mut sim, host, login_id);
        paper.borrow_mut().ending = true;
        sim.stop(Stopping::Now);
        sim.settle();
        let paper = paper.borrow();
        let kept = paper.kept.iter().rfind(|batch| batch.uid == uid);
        let kept = kept.expect("it is kept");
        assert!(matches!(*kept.records[0], Record::Launch(_)));
        assert!(matches!(
            **kept.records.last().expect("a record"),
            Record::Finish(_)
        ));
    });
}

#[test]
fn a_launch_the_store_refuses_ends_the_hosts_game_and_is_not_rated() {
    each_with_paper(|mut sim, shards, paper| {
        paper.borrow_mut().refuses_launches = true;
        let (host, login_id, uid) = launched(&mut sim, shards, json!({}));
        minutes(&mut sim, 3);
        // The host is out and may host again; the other plays on.
        let request = json!({"command": "game_host", "visibility": "public"});
        assert_eq!(commands(&say(&mut sim, host, request)), ["game_launch"]);
        result(&mut sim, login_id, 1, "victory 10");
        ended(&mut sim, login_id);
        assert_eq!(paper.borrow().validity[&uid], Validity::OtherUnrank);
        assert_eq!(published(&sim), [RESULTS]);
    });
}

#[test]
fn a_game_that_is_not_launched_leaves_nothing() {
    each_with_paper(|mut sim, _, paper| {
        let host = player(&mut sim, 1, 0);
        hosted(&mut sim, host, json!({}));
        configure(&mut sim, host, 1, 1, 2);
        result(&mut sim, host, 1, "victory 1");
        say(
            &mut sim,
            host,
            game("TeamkillHappened", json!([120, 2, "p2", 1, "p1"])),
        );
        state(&mut sim, host, "Ended");
        tick(&mut sim);
        assert!(paper.borrow().records.is_empty());
    });
}
