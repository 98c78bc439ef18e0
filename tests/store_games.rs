//! What games leave behind in the store, the same tests on both back ends (see `support/bench.rs`).

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, on_both};
use muster::lobby::faf::{
    asks::StoreError,
    reference::{FeaturedMod, Leaderboard},
};

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
        assert_eq!(outcome, Err(StoreError::Unavailable), "{number}");
    }
    bench.sql("DROP TRIGGER not_now").await;
    let outcome = bench.store.add_teamkill(77_777, 60, 1, 2).await;
    assert_eq!(outcome, Err(StoreError::Failed), "no such game");
    bench.drop_database().await;
}
