//! The schema: the embedded one's own, and one that another project made.

use super::{
    Bench,
    bench::{mysql_database, run},
    on_both,
};
use crate::{
    cockatrice::store::{Column, Store, Unusable},
    store::StoreSettings,
};

on_both! {
    async fn texts_may_hold_whatever_clients_send(bench: &Bench) {
        let id = bench.who("alicea").await.id;
        for text in ["a\0b", "\0", "ü 字 🎲", "'; DROP TABLE cockatrice_users; --"] {
            bench.store.set(id, Column::Notes(text)).await.unwrap();
            assert_eq!(bench.store.notes(id).await.unwrap(), text);
            bench.store.set(id, Column::RealName(text)).await.unwrap();
            let found = bench.store.find("alicea").await.unwrap().unwrap();
            assert_eq!(&*found.account.real_name, text);
        }
    }
}

#[tokio::test]
async fn the_embedded_store_is_there_again() {
    let bench = Bench::sqlite().await;
    let settings = StoreSettings::default();
    let again = Store::open(&bench.url, "ignored", 3, &settings)
        .await
        .unwrap();
    assert!(again.find("alicea").await.unwrap().is_some());
}

#[tokio::test]
async fn a_schema_that_is_not_known_is_refused() {
    let Ok(server) = std::env::var("MUSTER_TEST_MYSQL") else {
        eprintln!("no MUSTER_TEST_MYSQL, passed over");
        return;
    };
    let url = mysql_database(&server).await;
    let settings = StoreSettings::default();
    let open = async |prefix| Store::open(&url, prefix, 3, &settings).await.map(|_| ());
    assert!(open("cockatrice_").await.is_ok());
    assert!(matches!(open("a b").await, Err(Unusable::Prefix)));
    assert!(matches!(
        open("other_").await,
        Err(Unusable::Version { found: 0 })
    ));
    run(
        &url,
        "ALTER TABLE cockatrice_bans DROP COLUMN visible_reason",
    )
    .await;
    let lacks = open("cockatrice_").await;
    assert!(
        matches!(&lacks, Err(Unusable::Lacks(what)) if what == "columns in bans"),
        "{lacks:?}"
    );
    run(&url, "UPDATE cockatrice_schema_version SET version = 35").await;
    assert!(matches!(
        open("cockatrice_").await,
        Err(Unusable::Version { found: 35 })
    ));
    run(
        &url,
        &format!("DROP DATABASE {}", url.rsplit('/').next().unwrap()),
    )
    .await;
}
