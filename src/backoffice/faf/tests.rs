//! What the ledger does while the store can't write, and afterwards.

use std::{fs, path::Path, sync::Arc};

use lobby::faf::{
    GameType,
    ledger::{Batch, Launch, Placed, Record, Written},
    ratings::Rating,
    results::{ArmyResult, Finished, Outcome, Participant, Rules},
    validity::{Team, Validity},
};

use super::{AuthMode, FafHandler, store::Store};
use crate::{
    keys::KeyRing,
    spool::{self, Spool},
    store::{Pool, StoreSettings},
};

const DATA: &str = include_str!("../../../tests/fixtures/faf-data.sql");
const GAME: u32 = 42_000;
/// More than fits into what the file has: it has to grow.
const LONG: usize = 100_000;

/// A store with the test data.
async fn store(url: &str) -> Arc<Store> {
    let store = Store::open(url, &StoreSettings::default()).await.unwrap();
    store.database.change(DATA).await;
    Arc::new(store)
}

async fn handler(store: &Arc<Store>) -> FafHandler {
    let keys = Arc::new(KeyRing::new(None, Arc::default()).unwrap());
    let handler = FafHandler::new(store.clone(), keys, None, AuthMode::Database);
    handler.refresh().await.unwrap();
    handler
}

/// All that is to be written down of a game of two, which the first has won.
fn game(uid: u32, name_len: usize) -> Batch {
    let players = [(1_u32, 2_u8), (3, 3)];
    let placed = players.iter().map(|&(player_id, team)| Placed {
        player_id,
        faction: 1,
        color: 3,
        team,
        place: team - 1,
    });
    let launch = Launch {
        host_id: 1,
        victory: "DEMORALIZATION".into(),
        featured_mod: "faf".into(),
        folder: "scmp_007".into(),
        generated_map: false,
        name: "x".repeat(name_len).into(),
        at: 1_700_000_000.0,
        rating_type: "global".into(),
        start_rating: Rating::START,
        initial: Validity::Valid,
        finding: None,
        queue_id: None,
        sim_mods: Vec::new(),
        players: placed.collect(),
    };
    let army = |team: u8| i64::from(team) - 1;
    let participants = players.iter().map(|&(id, team)| Participant {
        id,
        login: format!("p{id}").into(),
        army: army(team),
        team: Some(Team::Number(team.into())),
    });
    let reports = players.iter().map(|&(_, team)| ArmyResult {
        reporter: 1,
        army: army(team),
        outcome: match team {
            2 => Outcome::Victory,
            _ => Outcome::Defeat,
        },
        score: 3 - army(team),
        metadata: Vec::new(),
    });
    let finished = Finished {
        uid,
        game_type: GameType::Custom,
        rating_type: "global".into(),
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
    };
    let records = [
        Record::Launch(launch),
        Record::Ended(1_700_000_600.0),
        Record::Finish(Box::new(finished)),
    ];
    Batch {
        uid,
        launched: None,
        records: records.into_iter().map(Arc::new).collect(),
    }
}

async fn is_written_and_rated(store: &Store, uid: u32) -> bool {
    const SQL: &str = "SELECT COUNT(*) FROM game_player_stats p JOIN game_stats g ON g.id = p.gameId \
         WHERE g.id = ? AND g.endTime IS NOT NULL AND p.after_mean IS NOT NULL";
    let Pool::Sqlite(pool) = &store.database.read else {
        panic!("an embedded store")
    };
    let query = sqlx::query_scalar::<_, i64>(SQL).bind(i64::from(uid));
    query.fetch_one(pool).await.unwrap() == 2
}

fn assert_waits(written: &Written) {
    assert!(written.unavailable, "{written:?}");
    assert!(written.done.is_empty() && written.launched.is_none());
}

fn assert_settled(written: &Written) {
    assert!(!written.unavailable, "{written:?}");
    assert_eq!(written.done.len(), 3);
    assert!(written.done.iter().all(|done| !done.refused));
    let counted: Vec<_> = written
        .done
        .iter()
        .filter_map(|done| done.counted.as_deref())
        .collect();
    assert_eq!(counted, ["global"], "once, whatever is rated by it");
    assert!(written.launched.is_some_and(|launched| launched.stored));
}

// The launch was tried once more on a connection that could do nothing any more, and taken for refused: the game was lost.
#[tokio::test]
async fn a_disk_that_was_full_for_a_moment_lost_every_game_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("muster.db").display());
    let store = store(&url).await;
    let games = folder.path().join("games");
    let counted = Arc::new(spool::Metrics::default());
    let spool = Spool::open(&games, counted.clone()).unwrap();
    let opened = handler(&store)
        .await
        .with_spool(spool.clone(), Path::new("nowhere"));
    let (handler, _) = opened.unwrap();
    let batch = game(GAME, LONG);

    // Neither the store nor the folder can take it: it is in memory only, and that is counted.
    let in_its_place = games.join(format!("{GAME}.game"));
    fs::create_dir_all(in_its_place.join("x")).unwrap();
    for times in 1..=3 {
        store.database.set_full(true).await;
        assert_waits(&handler.write(batch.clone(), false).await);
        assert_eq!(counted.failed.value(), times);
    }
    // As soon as there is room for it, it is on disk.
    fs::remove_dir_all(&in_its_place).unwrap();
    store.database.set_full(true).await;
    assert_waits(&handler.write(batch.clone(), false).await);
    assert_eq!(spool.kept::<Batch>().unwrap().len(), 1);

    let written = handler.write(batch, false).await;
    assert_settled(&written);
    assert!(written.off_disk && is_written_and_rated(&store, GAME).await);
    assert!(spool.kept::<Batch>().unwrap().is_empty());
    // And so do others go on.
    assert_settled(&handler.write(game(GAME + 1, LONG), false).await);
}

#[tokio::test]
async fn a_store_in_memory_goes_on_after_there_was_no_memory_for_it() {
    let store = store("sqlite::memory:").await;
    let handler = handler(&store).await;
    store.database.set_full(true).await;
    for _ in 0..3 {
        assert_waits(&handler.write(game(GAME, LONG), false).await);
    }
    store.database.set_full(false).await;
    assert_settled(&handler.write(game(GAME, LONG), false).await);
    assert!(is_written_and_rated(&store, GAME).await);
}

// What the store answers to the first of them is nothing that is known, so it is tried for ever.
#[tokio::test]
async fn a_game_that_can_not_be_settled_held_up_those_left_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("muster.db").display());
    let store = store(&url).await;
    let odd = "CREATE TRIGGER odd BEFORE INSERT ON game_stats WHEN NEW.id = 42000 BEGIN SELECT json('{'); END";
    store.database.change(odd).await;
    let handler = handler(&store).await;
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let left = vec![game(GAME, 1), game(GAME + 1, 1)];
    let replay = handler.replay(left, |done| told.send(done.len()).unwrap());
    let settled = async {
        assert_eq!(hears.recv().await, Some(0));
        assert_eq!(hears.recv().await, Some(3));
    };
    tokio::select! {
        () = replay => panic!("one of them is left"),
        () = settled => {}
    }
    assert!(is_written_and_rated(&store, GAME + 1).await);
    assert!(!is_written_and_rated(&store, GAME).await);
}
