//! What games leave behind in the store, the same tests on both back ends (see `support/bench.rs`).

#[path = "support/bench.rs"]
mod bench;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use bench::{Bench, on_both};
use muster::backoffice::faf::store::{Arrival, Store};
use muster::backoffice::faf::{AuthMode, FafHandler};
use muster::backoffice::spool::Spool;
use muster::backoffice::store::StoreSettings;
use muster::lobby::faf::GameType;
use muster::lobby::faf::achievements::{Statistics, Subject};
use muster::lobby::faf::events::Event;
use muster::lobby::faf::ledger::{Batch, Launch, Launched, Placed, Record, Written};
use muster::lobby::faf::rated_game::RatingChange;
use muster::lobby::faf::ratings::Rating;
use muster::lobby::faf::reference::{FeaturedMod, Leaderboard};
use muster::lobby::faf::results::{ArmyOutcome, ArmyResult, Finished, Outcome, Participant, Rules};
use muster::lobby::faf::validity::{Team, Validity};
use muster::lobby::question::StoreFailure;
use tokio::task::JoinSet;

const GAME: u32 = 42_000;

/// A launched custom game of these players, in turn on team 2 and team 3.
fn launch(players: &[u32]) -> Launch {
    let placed = players
        .iter()
        .enumerate()
        .map(|(place, &player_id)| Placed {
            player_id,
            faction: 1,
            color: 3,
            team: 2 + (place as u8) % 2,
            place: place as u8 + 1,
        });
    Launch {
        host_id: 1,
        victory: "DEMORALIZATION".into(),
        featured_mod: "faf".into(),
        folder: "scmp_007".into(),
        generated_map: false,
        name: "duel".into(),
        at: 1_700_000_000.0,
        rating_type: "global".into(),
        start_rating: Rating::START,
        initial: Validity::Valid,
        finding: None,
        queue_id: None,
        sim_mods: Vec::new(),
        players: placed.collect(),
    }
}

/// The end of that game: team 2 has won.
fn finished(players: &[u32], rating_type: &str) -> Record {
    let team = |place: usize| 2 + (place as i64) % 2;
    let participants = players.iter().enumerate().map(|(place, &id)| Participant {
        id,
        login: format!("p{id}").into(),
        army: place as i64 + 1,
        team: Some(Team::Number(team(place))),
    });
    let reports = (0..players.len()).map(|place| ArmyResult {
        reporter: players[0],
        army: place as i64 + 1,
        outcome: if team(place) == 2 {
            Outcome::Victory
        } else {
            Outcome::Defeat
        },
        score: 5 - place as i64,
        metadata: Vec::new(),
    });
    Record::Finish(Box::new(Finished {
        uid: GAME,
        game_type: GameType::Custom,
        rating_type: rating_type.into(),
        featured_mod: "faf".into(),
        sim_mods: Vec::new(),
        participants: participants.collect(),
        reports: reports.collect(),
        desyncs: 0,
        enforce_rating: true,
        duration_s: 600.0,
        ended_at: 1_700_000_600.0,
        stats: Vec::new(),
        rules: Rules::default(),
    }))
}

fn batch(records: Vec<Record>) -> Batch {
    Batch {
        uid: GAME,
        launched: None,
        records: records.into_iter().map(Arc::new).collect(),
    }
}

async fn handler(bench: &Bench) -> FafHandler {
    let handler = bench.handler(AuthMode::Database);
    handler.refresh().await.unwrap();
    handler
}

/// Writes the records; everything must be settled.
async fn write(handler: &FafHandler, records: Vec<Record>) -> Written {
    let count = records.len();
    let written = handler.write(batch(records), false).await;
    assert!(!written.unavailable);
    assert_eq!(written.done.len(), count);
    written
}

fn keys(written: &Written) -> Vec<&'static str> {
    let events = written.done.iter().flat_map(|done| &done.events);
    events.map(|event: &Event| event.key).collect()
}

fn rated(written: &Written) -> Vec<(u32, String, i64, i64)> {
    let changes = written.done.iter().flat_map(|done| &done.rated);
    let plain = |c: &RatingChange| {
        let (mean, deviation) = (c.new.mean.round() as i64, c.new.deviation.round() as i64);
        (c.player_id, c.rating_type.to_string(), mean, deviation)
    };
    changes.map(plain).collect()
}

/// The rows of a statement that puts each into one text, joined.
async fn rows(bench: &Bench, columns: &str, rest: &str) -> String {
    let columns: Vec<String> = columns
        .split(", ")
        .map(|c| format!("COALESCE(CAST({c} AS CHAR), '-')"))
        .collect();
    let (text, aggregate) = if bench.store.is_embedded() {
        (
            columns.join(" || ' ' || "),
            "SELECT GROUP_CONCAT(line, ', ') FROM",
        )
    } else {
        let text = format!("CONCAT_WS(' ', {})", columns.join(", "));
        (
            text,
            "SELECT GROUP_CONCAT(line ORDER BY n SEPARATOR ', ') FROM",
        )
    };
    let order = rest
        .rsplit_once("ORDER BY ")
        .map_or("1", |(_, order)| order);
    let inner = format!("(SELECT {text} AS line, {order} AS n FROM {rest}) all_lines");
    bench.look(&format!("{aggregate} {inner}")).await
}

const GLOBAL_RATINGS: &str =
    "leaderboard_rating WHERE leaderboard_id = 1 AND login_id IN (1, 3, 5) ORDER BY login_id";

on_both! {
    async fn reference_data_is_loaded_as_a_whole(bench: &Bench) {
        bench.sql("UPDATE mod_version SET ranked = 1 WHERE id IN (2, 6)").await;
        let reference = bench.store.reference().await.unwrap();
        let board = |id, name: &str, initializer: Option<&str>| Leaderboard {
            id,
            name: name.to_owned(),
            initializer: initializer.map(str::to_owned),
        };
        assert_eq!(reference.leaderboards, [
            board(1, "global", None),
            board(2, "ladder_1v1", None),
            board(3, "tmm_2v2", Some("global")),
        ]);
        let featured = |id, name: &str| FeaturedMod { id, name: name.to_owned() };
        assert_eq!(reference.featured_mods, [
            featured(1, "faf"),
            featured(6, "ladder1v1"),
            featured(24, "gw"),
            featured(25, "coop"),
        ]);
        // The hidden one does not count.
        assert_eq!(reference.ranked_mods.into_iter().collect::<Vec<_>>(), ["bar"]);
    }

    async fn games_are_written_down_in_the_middle_of_many_sign_ins(bench: &Bench) {
        if !bench.store.is_embedded() {
            return; // there, all wait for a connection in turn; how many do is the handler's to limit
        }
        let handler = handler(bench).await;
        let sign_ins = 5_000;
        let mut waiting = JoinSet::new();
        for n in 0..sign_ins {
            let store = bench.store.clone();
            waiting.spawn(async move {
                let found = store.welcome(&format!("new-{n}"), "x").await.unwrap().unwrap();
                let (from, user_agent) = (IpAddr::V4(Ipv4Addr::LOCALHOST), None);
                store.enter(Arrival { who: found.identity, from, user_agent }).await.unwrap();
            });
        }
        waiting.join_next().await.unwrap().unwrap();
        let written = write(&handler, vec![Record::Launch(launch(&[1, 3])), finished(&[1, 3], "global")]).await;
        assert_eq!(rated(&written).len(), 2);
        let ended = std::iter::from_fn(|| waiting.try_join_next()).count();
        assert!(ended < sign_ins / 2, "{ended} went before it");
        while let Some(ended) = waiting.join_next().await {
            ended.unwrap();
        }
    }

    // checklist: faf 223, 224, 225, 226, 227, 382
    async fn a_launch_gives_the_game_its_rows_once(bench: &Bench) {
        let handler = handler(bench).await;
        let launch = Launch {
            victory: "DECAPITATION".into(),
            rating_type: "tmm_2v2".into(),
            queue_id: Some(2),
            sim_mods: vec!["bar".into(), "EA040F8E-857A-4566-9879-0D37420A5B9D".into(), "unknown".into()],
            ..launch(&[3, 5])
        };
        let stored = Launched { validity: Validity::Valid, map_id: Some(7), stored: true };
        for _ in 0..2 {
            let written = write(&handler, vec![Record::Launch(launch.clone())]).await;
            assert_eq!(written.launched, Some(stored));
        }
        let game = rows(bench, "gameType, gameMod, host, mapId, gameName, validity, startTime, endTime", "game_stats WHERE id = 42000").await;
        assert_eq!(game, "DECAPITATION 1 1 7 duel 0 2023-11-14 22:13:20 -");
        // The rating before: begun from the global one, and the default.
        let players = rows(
            bench,
            "playerId, AI, faction, color, team, place, ABS(mean - 1650) < 1, ABS(deviation - 212.5) < 1, score, result, after_mean",
            "game_player_stats WHERE gameId = 42000 ORDER BY id",
        ).await;
        assert_eq!(players, "3 0 1 3 2 1 1 1 0 UNKNOWN -, 5 0 1 3 3 2 0 0 0 UNKNOWN -");
        assert_eq!(rows(bench, "matchmaker_queue_id", "matchmaker_queue_game WHERE game_stats_id = 42000").await, "2");
        assert_eq!(rows(bench, "mod_id, times_played", "mod_stats ORDER BY mod_id").await, "1 1, 2 0, 3 2");
    }

    // checklist: faf 448, 449, 450
    async fn the_map_decides_unless_something_else_does(bench: &Bench) {
        let handler = handler(bench).await;
        bench.sql("UPDATE map_version SET ranked = 0 WHERE filename = 'maps/scmp_001.zip'").await;
        let sneaky = "neroxis_map_generator_sneaky_map";
        for (uid, folder, generated_map, finding, expected) in [
            (1, "SCMP_001", false, None, (Validity::BadMap, Some(1))),
            (2, "scmp_001", false, Some(Validity::NoFogOfWar), (Validity::NoFogOfWar, Some(1))),
            (3, "scmp_002", false, None, (Validity::Valid, Some(2))),
            (4, "nowhere", false, None, (Validity::BadMap, None)),
            (5, "neroxis_map_generator_1.0_a_b", true, None, (Validity::Valid, None)),
            (6, sneaky, false, None, (Validity::BadMap, Some(46))),
        ] {
            let uid = GAME + uid;
            let launch = Launch { folder: folder.into(), generated_map, finding, ..launch(&[1, 3]) };
            let batch = Batch { uid, ..batch(vec![Record::Launch(launch)]) };
            let launched = handler.write(batch, false).await.launched.unwrap();
            assert_eq!((launched.validity, launched.map_id), expected, "{folder}");
            let stored = rows(bench, "validity", &format!("game_stats WHERE id = {uid}")).await;
            assert_eq!(stored, expected.0.number().to_string(), "{folder}");
        }
        let coop = Launch { initial: Validity::CoopNotRanked, folder: "nowhere".into(), ..launch(&[1]) };
        let written = write(&handler, vec![Record::Launch(coop)]).await;
        assert_eq!(written.launched.unwrap().validity, Validity::CoopNotRanked);
    }

    async fn a_launch_that_can_not_be_written_leaves_nothing_and_is_not_rated(bench: &Bench) {
        let handler = handler(bench).await;
        let unknown = Launch { featured_mod: "nomads".into(), ..launch(&[1, 3]) };
        // What is known of the game is told all the same.
        let bad = Launch { finding: Some(Validity::BadMod), ..unknown.clone() };
        for (launch, refused, told) in [
            (unknown, false, (true, "OTHER_UNRANK")),
            (bad, false, (true, "BAD_MOD")),
            (launch(&[1, 999_999]), true, (false, "OTHER_UNRANK")),
            (Launch { queue_id: Some(99), ..launch(&[1, 3]) }, true, (false, "OTHER_UNRANK")),
        ] {
            let written = write(&handler, vec![Record::Launch(launch), Record::Ended(0.0), finished(&[1, 3], "global")]).await;
            assert!(!written.launched.unwrap().stored);
            assert_eq!(written.done[0].refused, refused);
            assert_eq!(keys(&written), ["success.gameResults.create"]);
            let results: serde_json::Value = serde_json::from_slice(&written.done[2].events[0].body).unwrap();
            assert_eq!((results["map_id"].is_u64(), results["validity"].as_str().unwrap()), told);
            assert_eq!(rows(bench, "id", "game_stats WHERE id = 42000").await, "NULL");
            assert_eq!(rows(bench, "id", "game_player_stats").await, "NULL");
        }
        // A number that is somebody else's game.
        let theirs = Batch { uid: 41_955, ..batch(vec![Record::Launch(Launch { host_id: 3, ..launch(&[1, 3]) })]) };
        assert!(handler.write(theirs, false).await.done[0].refused);
        assert_eq!(rows(bench, "gameName", "game_stats WHERE id = 41955").await, "The last game");
    }

    // checklist: faf 224
    async fn an_older_schema_gets_the_victory_by_number(bench: &Bench) {
        if bench.store.is_embedded() {
            return;
        }
        bench.sql("DELETE FROM game_stats; ALTER TABLE game_stats MODIFY gameType ENUM('0', '1', '2', '3', '4', '5') NOT NULL").await;
        let handler = handler(bench).await;
        for (uid, victory, number) in [(1, "DEMORALIZATION", "0"), (2, "SANDBOX", "3"), (3, "DECAPITATION", "0")] {
            let launch = Launch { victory: victory.into(), ..launch(&[1, 3]) };
            handler.write(Batch { uid, ..batch(vec![Record::Launch(launch)]) }, false).await;
            assert_eq!(rows(bench, "gameType", &format!("game_stats WHERE id = {uid}")).await, number);
        }
    }

    // checklist: faf 276, 277, 280, 281, 457, 492
    async fn what_happens_during_a_game_is_written_once(bench: &Bench) {
        let handler = handler(bench).await;
        let operation = |time: &str, secondary| Record::Operation {
            folder: "scmp_coop_123.v0002".into(),
            secondary,
            time: time.into(),
            players: 2,
        };
        let coop = Launch { initial: Validity::CoopNotRanked, featured_mod: "coop".into(), ..launch(&[1, 3]) };
        for _ in 0..2 {
            write(&handler, vec![
                Record::Launch(coop.clone()),
                Record::Desync { player_id: 1, game_time_s: Some(30) },
                Record::Desync { player_id: 3, game_time_s: None },
                Record::Teamkill { game_time_s: 120, victim: 3, killer: 1 },
                operation("00:11:50", true),
                operation("00:12:00", false),
                Record::Ended(1_700_000_123.9),
            ]).await;
        }
        assert_eq!(rows(bench, "player_id, game_time", "game_desync WHERE game_id = 42000 ORDER BY player_id").await, "1 30, 3 -");
        assert_eq!(rows(bench, "teamkiller, victim, gametime", "teamkills WHERE game_id = 42000").await, "1 3 120");
        let missions = rows(bench, "mission, secondary, time, player_count", "coop_leaderboard WHERE gameuid = 42000").await;
        assert_eq!(missions, "1 1 00:11:50 2");
        assert_eq!(rows(bench, "endTime", "game_stats WHERE id = 42000").await, "2023-11-14 22:15:23");
        // A victim that does not exist is refused; a mission under other rules, or on no mission's map, is not noted.
        let mut refused = batch(vec![
            Record::Teamkill { game_time_s: 1, victim: 999_999, killer: 1 },
            operation("00:00:01", true),
        ]);
        refused.uid = GAME + 1;
        refused.launched = Some(Launched { validity: Validity::WrongDifficulty, map_id: None, stored: true });
        let done = handler.write(refused, false).await.done;
        assert_eq!([done[0].refused, done[1].refused], [true, false]);
        assert_eq!(bench.look("SELECT CAST(COUNT(*) AS CHAR) FROM coop_leaderboard").await, "1");
    }

    // checklist: faf 438, 440, 441, 443, 461, 465, 466, 467, 468, 471
    async fn a_finished_game_is_written_and_rated_once(bench: &Bench) {
        let handler = handler(bench).await;
        let records = || vec![Record::Launch(launch(&[5, 1])), finished(&[5, 1], "global")];
        let first = write(&handler, records()).await;
        assert_eq!(keys(&first), ["success.gameResults.create", "success.rating.update", "success.rating.update"]);
        // Once more, as after an acknowledgement that got lost: the same is told, and nothing counts twice.
        let again = write(&handler, records()).await;
        assert_eq!(keys(&again), keys(&first));
        assert_eq!(rated(&again), rated(&first));
        let [winner, loser] = [&first.done[1].rated[0], &first.done[1].rated[1]];
        assert_eq!((winner.player_id, loser.player_id), (5, 1));
        assert_eq!((winner.old, loser.old.mean), (Rating::START, 2000.0));
        assert!(winner.new.mean > 1500.0 && loser.new.mean < 2000.0);

        let stats = rows(
            bench,
            "playerId, score, result, mean = 1500, after_mean > mean, after_deviation < deviation, scoreTime > '2024'",
            "game_player_stats WHERE gameId = 42000 ORDER BY id",
        ).await;
        assert_eq!(stats, "5 5 VICTORY 1 1 1 1, 1 4 DEFEAT 0 0 1 1");
        let ratings = rows(bench, "login_id, total_games, won_games, mean > 1500", GLOBAL_RATINGS).await;
        assert_eq!(ratings, "1 6 0 1, 3 2 0 1, 5 1 1 1");
        let journal = rows(
            bench,
            "p.playerId, j.leaderboard_id, j.rating_mean_before = 1500, j.rating_deviation_before = 125, j.rating_mean_after > j.rating_mean_before",
            "leaderboard_rating_journal j JOIN game_player_stats p ON p.id = j.game_player_stats_id ORDER BY j.id",
        ).await;
        assert_eq!(journal, "5 1 1 0 1, 1 1 0 1 0");
    }

    // checklist: faf 461, 454
    async fn an_invalid_game_keeps_its_results_and_its_new_validity(bench: &Bench) {
        let handler = handler(bench).await;
        let Record::Finish(mut short) = finished(&[5, 1], "global") else { unreachable!() };
        (short.enforce_rating, short.duration_s) = (false, 10.0);
        let written = write(&handler, vec![Record::Launch(launch(&[5, 1])), Record::Finish(short)]).await;
        assert_eq!(keys(&written), ["success.gameResults.create"]);
        assert_eq!(rows(bench, "validity", "game_stats WHERE id = 42000").await, "9");
        assert_eq!(rows(bench, "result", "game_player_stats WHERE gameId = 42000 ORDER BY id").await, "VICTORY, DEFEAT");
        assert_eq!(bench.look("SELECT CAST(COUNT(*) AS CHAR) FROM leaderboard_rating_journal").await, "0");
    }

    // checklist: faf 465, 469, 470, 473
    async fn a_ladder_game_lifts_global_ratings_too(bench: &Bench) {
        let handler = handler(bench).await;
        let written = write(&handler, vec![Record::Launch(launch(&[5, 7])), finished(&[5, 7], "ladder_1v1")]).await;
        let change = |id, board: &str, mean, deviation| (id, board.to_owned(), mean, deviation);
        assert_eq!(rated(&written), [
            change(5, "ladder_1v1", 1766, 429),
            change(7, "ladder_1v1", 1234, 429),
            change(5, "global", 1766, 429),
        ]);
        let update = &written.done[1].events[1].body;
        let update: serde_json::Value = serde_json::from_slice(update).unwrap();
        assert_eq!((&update["game_id"], &update["rating_type"]), (&GAME.into(), &"ladder_1v1".into()));
        let ratings = rows(bench, "login_id, leaderboard_id, total_games, won_games", "leaderboard_rating WHERE login_id IN (5, 7) ORDER BY id").await;
        assert_eq!(ratings, "5 2 1 1, 7 2 1 0, 5 1 1 1");
        assert_eq!(rows(bench, "leaderboard_id", "leaderboard_rating_journal ORDER BY id").await, "2, 2, 1");
    }

    async fn rows_that_are_not_the_players_keep_ratings_from_being_stored(bench: &Bench) {
        let handler = handler(bench).await;
        // Player 7 had no team at launch, say: he has no row.
        let written = write(&handler, vec![Record::Launch(launch(&[5])), finished(&[5, 7], "global")]).await;
        assert_eq!(keys(&written).len(), 3, "the outside is told all the same");
        assert!(rated(&written).is_empty());
        let ratings = rows(bench, "login_id, total_games, mean = 1500", "leaderboard_rating WHERE login_id IN (5, 7) ORDER BY login_id").await;
        assert_eq!(ratings, "5 0 1, 7 0 1");
        assert_eq!(bench.look("SELECT CAST(COUNT(*) AS CHAR) FROM leaderboard_rating_journal").await, "0");
    }

    // checklist: faf 464, 475
    async fn a_game_that_can_not_be_rated_stops_nothing(bench: &Bench) {
        let handler = handler(bench).await;
        let written = write(&handler, vec![Record::Launch(launch(&[5, 1])), finished(&[5, 1], "no_such_board")]).await;
        assert_eq!(keys(&written), ["success.gameResults.create"]);
        let mut next = batch(vec![Record::Launch(launch(&[5, 1])), finished(&[5, 1], "global")]);
        next.uid = GAME + 1;
        let Record::Finish(mut game) = finished(&[5, 1], "global") else { unreachable!() };
        game.uid = GAME + 1;
        next.records[1] = Arc::new(Record::Finish(game));
        assert_eq!(rated(&handler.write(next, false).await).len(), 2);
    }

    async fn games_that_end_together_are_rated_one_after_the_other(bench: &Bench) {
        let handler = Arc::new(handler(bench).await);
        let rate = |uid: u32| {
            let handler = handler.clone();
            async move {
                let Record::Finish(mut game) = finished(&[5, 7], "global") else { unreachable!() };
                game.uid = uid;
                let mut batch = batch(vec![Record::Launch(launch(&[5, 7])), Record::Finish(game)]);
                batch.uid = uid;
                // As the shard does: until it is settled.
                loop {
                    let written = handler.write(batch.clone(), false).await;
                    if !written.unavailable {
                        return rated(&written).len();
                    }
                }
            }
        };
        let counts = tokio::join!(rate(50_001), rate(50_002), rate(50_003), rate(50_004), rate(50_005));
        assert_eq!(counts, (2, 2, 2, 2, 2));
        let games = rows(bench, "login_id, total_games, won_games", "leaderboard_rating WHERE login_id IN (5, 7) ORDER BY login_id").await;
        assert_eq!(games, "5 5 5, 7 5 0");
        // Each began where the one before had ended.
        let chain = bench.look(
            "SELECT CAST(COUNT(*) AS CHAR) FROM leaderboard_rating_journal a JOIN leaderboard_rating_journal b \
             ON ABS(a.rating_mean_after - b.rating_mean_before) < 0.01 AND b.id > a.id",
        ).await;
        assert_eq!(chain, "8");
    }

    async fn a_store_that_is_away_settles_nothing_and_keeps_the_game(bench: &Bench) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path(), Arc::default()).unwrap();
        let (handler, kept) = bench.handler(AuthMode::Database).with_spool(spool.clone(), Path::new("nowhere")).unwrap();
        assert!(kept.is_empty());
        handler.refresh().await.unwrap();
        // The launch is written, then the store goes.
        let launched = write(&handler, vec![Record::Launch(launch(&[5, 1]))]).await.launched;
        bench.store.close().await;
        let mut rest = batch(vec![
            Record::Ended(1_700_000_600.0),
            finished(&[5, 1], "global"),
            Record::Statistics(Statistics {
                texts: Vec::new(),
                rating_type: "global".into(),
                players: vec![Subject { id: 1, login: "test".into(), outcome: ArmyOutcome::Defeat }],
            }),
        ]);
        rest.launched = launched;
        for _ in 0..2 {
            let written = handler.write(rest.clone(), false).await;
            assert!(written.unavailable && written.done.is_empty());
            assert_eq!(written.launched, launched);
        }
        drop(handler);

        // The next start finds it, does not give its number out again, and settles it.
        let store = Arc::new(Store::open(&bench.url, &StoreSettings::default()).await.unwrap());
        let again = Bench::with(store, &bench.url);
        let (handler, kept) = again.handler(AuthMode::Database).with_spool(spool.clone(), Path::new("nowhere")).unwrap();
        assert_eq!(kept.len(), 1);
        let mut events = Vec::new();
        handler.replay(kept, |done| {
            events.extend(done.into_iter().flat_map(|done| done.events).map(|event| event.key));
        }).await;
        assert_eq!(events, ["success.gameResults.create", "success.rating.update", "success.rating.update"]);
        assert!(spool.kept::<Batch>().unwrap().is_empty());
        let games = rows(&again, "login_id, total_games", GLOBAL_RATINGS).await;
        assert_eq!(games, "1 6, 3 2, 5 1");
        again.store.close().await;
    }
}

// Read-only after a failover, a cluster that is not ready, a disk that is full, a row that somebody else was quicker to
// change: a result that is refused for good is lost, one that is told to come again is not.
#[tokio::test]
async fn a_database_that_could_not_write_just_then_was_taken_for_one_that_refuses() {
    let Ok(server) = std::env::var("MUSTER_TEST_MYSQL") else {
        eprintln!("no MUSTER_TEST_MYSQL, passed over");
        return;
    };
    let bench = Bench::mysql(&server).await;
    for number in [
        1020, 1021, 1047, 1114, 1180, 1206, 1290, 1412, 1615, 1792, 1836,
    ] {
        bench.sql("DROP TRIGGER IF EXISTS not_now").await;
        let trigger = format!(
            "CREATE TRIGGER not_now BEFORE INSERT ON teamkills FOR EACH ROW \
             SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'not now'"
        );
        bench.sql(&trigger).await;
        let outcome = bench.store.add_teamkill(1, 60, 1, 2).await;
        assert_eq!(
            outcome.map_err(StoreFailure::from),
            Err(StoreFailure::Unavailable),
            "{number}"
        );
    }
    bench.sql("DROP TRIGGER not_now").await;
    let outcome = bench.store.add_teamkill(77_777, 60, 1, 2).await;
    assert_eq!(
        outcome.map_err(StoreFailure::from),
        Err(StoreFailure::Failed),
        "no such game"
    );
    bench.drop_database().await;
}
