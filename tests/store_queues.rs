//! Matchmaking queues and map pools out of the store, the same tests on both back ends (see `support/bench.rs`).

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, on_both};
use muster::backoffice::faf::store::Store;
use muster::backoffice::store::StoreSettings;
use muster::lobby::faf::matchmaking::{PoolMap, QueueSetup};

fn names(queues: &[QueueSetup]) -> Vec<&str> {
    queues.iter().map(|queue| &*queue.name).collect()
}

async fn queues(bench: &Bench) -> Vec<QueueSetup> {
    bench.store.reference().await.unwrap().queues
}

on_both! {
    // checklist: faf 325
    async fn enabled_queues_with_readable_parameters_are_loaded(bench: &Bench) {
        let queues = queues(bench).await;
        assert_eq!(names(&queues), ["ladder1v1", "tmm2v2", "neroxis1v1", "gameoptions"]);
        let ladder = &queues[0];
        assert_eq!((&*ladder.featured_mod, &*ladder.rating_type), ("ladder1v1", "ladder_1v1"));
        assert_eq!((ladder.id, ladder.team_size, ladder.rating_peak), (1, 1, 1000.0));
        let bounds: Vec<_> = ladder
            .brackets
            .iter()
            .map(|b| (b.id, b.pool.id, b.min_rating, b.max_rating))
            .collect();
        assert_eq!(bounds, [
            (1, 1, None, Some(800.0)),
            (2, 2, Some(800.0), None),
            (3, 3, Some(1000.0), None),
        ]);
        assert_eq!(queues[3].game_options.len(), 2);
        assert!(queues[0].game_options.is_empty());
    }

    // checklist: faf 399
    async fn maps_of_pools_are_vault_maps_and_generated_ones(bench: &Bench) {
        let queues = queues(bench).await;
        let vault = &queues[1].brackets[0].pool.entries;
        let maps: Vec<_> = vault.iter().map(|entry| (entry.id, entry.weight, &entry.map)).collect();
        let scmp = |n: u32| PoolMap::Vault { version_id: n, folder: format!("scmp_00{n}").into() };
        assert_eq!(maps, [(9, 1.0, &scmp(1)), (10, 1.0, &scmp(2)), (11, 1.0, &scmp(3))]);
        // Two good ones; the five with errors are left out.
        let generated = &queues[2].brackets[0].pool.entries;
        let ids: Vec<u32> = generated.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [12, 13]);
        assert!(generated.iter().all(|entry| matches!(entry.map, PoolMap::Generated(_))));
    }

    async fn a_queue_without_a_bracket_is_left_out(bench: &Bench) {
        bench.sql("DELETE FROM matchmaker_queue_map_pool WHERE matchmaker_queue_id = 1").await;
        assert_eq!(names(&queues(bench).await), ["tmm2v2", "neroxis1v1", "gameoptions"]);
    }

    // checklist: faf 400
    async fn vetoes_of_a_bracket_are_loaded(bench: &Bench) {
        bench
            .sql(
                "UPDATE matchmaker_queue_map_pool SET veto_tokens_per_player = 2, max_tokens_per_map = 1, \
                 minimum_maps_after_veto = 1.5 WHERE id = 4",
            )
            .await;
        let vetoes = queues(bench).await[1].brackets[0].vetoes;
        assert_eq!((vetoes.tokens_per_player, vetoes.max_tokens_per_map), (2, 1));
        assert_eq!(vetoes.minimum_maps_after_veto, 1.5);
    }

    async fn the_peak_is_the_mean_of_the_newest_thousand_ratings(bench: &Bench) {
        bench
            .sql("INSERT INTO game_player_stats (id, gameId, playerId, AI, faction, color, team, place, mean, deviation) \
                  VALUES (1, 1, 1, 0, 1, 1, 1, 1, 1500, 500)")
            .await;
        let rows = |mean: u32, count: usize| {
            let row = format!("(1, 2, {mean}, {mean}, 100, 100)");
            format!(
                "INSERT INTO leaderboard_rating_journal (game_player_stats_id, leaderboard_id, rating_mean_before, \
                 rating_mean_after, rating_deviation_before, rating_deviation_after) VALUES {}",
                vec![row; count].join(", ")
            )
        };
        bench.sql(&rows(9999, 5)).await;
        bench.sql(&rows(1000, 500)).await;
        bench.sql(&rows(1200, 500)).await;
        let queues = queues(bench).await;
        assert_eq!(queues[0].rating_peak, 800.0);
        assert_eq!(queues[1].rating_peak, 1000.0);
    }

    // checklist: faf 395
    async fn maps_a_player_has_played_lately_newest_first(bench: &Bench) {
        let now = if bench.store.is_embedded() { "datetime('now', " } else { "DATE_SUB(NOW(), INTERVAL " };
        let ago = |minutes: u32| {
            if bench.store.is_embedded() {
                format!("{now}'-{minutes} minutes')")
            } else {
                format!("{now}{minutes} MINUTE)")
            }
        };
        // Games on maps 1 to 6, the last an hour ago; one on another queue, one on a map that is not known, an old one.
        for (game, minutes, map, queue) in [
            (50_001, 360, "1", 1),
            (50_002, 300, "2", 1),
            (50_003, 240, "3", 1),
            (50_004, 180, "4", 1),
            (50_005, 120, "5", 1),
            (50_006, 60, "6", 1),
            (50_007, 50, "7", 2),
            (50_008, 2000, "8", 1),
        ] {
            bench
                .sql(&format!(
                    "INSERT INTO game_stats (id, startTime, gameType, gameMod, host, mapId, gameName, validity) \
                     VALUES ({game}, {}, 'DEMORALIZATION', 6, 100, {map}, 'x', 0)",
                    ago(minutes)
                ))
                .await;
            bench
                .sql(&format!("INSERT INTO matchmaker_queue_game VALUES ({queue}, {game})"))
                .await;
            bench
                .sql(&format!(
                    "INSERT INTO game_player_stats (gameId, playerId, AI, faction, color, team, place, mean, deviation) \
                     VALUES ({game}, 100, 0, 1, 1, 2, 1, 1500, 500)"
                ))
                .await;
        }
        let played = async |player, limit| bench.store.played_maps(player, 1, limit).await.unwrap();
        assert_eq!(played(100, 4).await, [6, 5, 4, 3]);
        assert_eq!(played(100, 9).await, [6, 5, 4, 3, 2, 1]);
        assert!(played(101, 4).await.is_empty());
    }
}

#[tokio::test]
async fn an_open_lobbys_store_begins_with_leaderboards_queues_and_maps_and_is_left_alone_after_that()
 {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("muster.db").display());
    let store = Store::open(&url, &StoreSettings::default()).await.unwrap();
    store.seed().await.unwrap();
    let reference = store.reference().await.unwrap();
    assert_eq!(names(&reference.queues), ["ladder1v1", "tmm2v2", "tmm4v4"]);
    for queue in &reference.queues {
        assert_eq!(queue.brackets[0].pool.entries.len(), 40, "{}", queue.name);
    }
    let map = store.map_by_folder("SCMP_007").await.unwrap();
    assert!(map.is_some_and(|map| map.ranked));

    let bench = Bench::with(std::sync::Arc::new(store), &url);
    bench
        .sql("UPDATE matchmaker_queue SET enabled = 0 WHERE id > 1")
        .await;
    bench.store.seed().await.unwrap();
    assert_eq!(names(&queues(&bench).await), ["ladder1v1"]);
}

on_both! {
    async fn a_store_with_leaderboards_of_its_own_is_not_furnished(bench: &Bench) {
        let before = queues(bench).await.len();
        bench.store.seed().await.unwrap();
        assert_eq!(queues(bench).await.len(), before);
    }
}
