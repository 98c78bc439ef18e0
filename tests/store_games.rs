//! What games leave behind in the store, the same tests on both back ends (see `support/bench.rs`).

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, on_both};
use muster::lobby::faf::reference::{FeaturedMod, Leaderboard};

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
