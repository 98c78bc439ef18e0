//! FAF's back office: store, keys, policy server, and the handler that answers with them.

use std::{
    path::Path,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;
use muster::{
    backoffice::{
        broker::Outbox,
        country::{Countries, Download},
        faf::{AuthMode, FafHandler, settings, store::Store},
        keys::KeyRing,
        policy::Policy,
        refresh,
        runner::BackOffice,
        spool::Spool,
        store::{self, StoreSettings},
        unix_now,
    },
    config::Config,
    engine::{Inbound, Mesh},
    lobbies::{Of, Router},
    lobby::{
        ShardId,
        faf::{
            ledger::Batch,
            news::News,
            questions::{Answer, Ask},
        },
        question::StoreFailure,
    },
};

use super::{Asked, Journals, Left, Progress, vitals};

/// The folder of a journal that games are in.
const GAMES: &str = "games";

/// Starts it: store, keys, policy server, and the handler that answers with them.
pub(super) fn open(
    config: &Config,
    journals: Journals,
    mesh: Arc<Mesh<Router>>,
    progress: Arc<Progress>,
    outbox: Arc<Outbox>,
) -> anyhow::Result<BackOffice<Asked<Ask>>> {
    let asks = config.queue.asks;
    let config = config.clone();
    let setup = move || async move {
        let handler = set_up(&config, journals, &mesh, &progress, outbox).await?;
        Ok::<_, anyhow::Error>(move |(shard, ticket, ask): Asked<Ask>| {
            let (handler, mesh) = (handler.clone(), mesh.clone());
            async move {
                let answer = Of::Faf(answer(handler, ask).await);
                mesh.post(shard, Inbound::Answer(ticket, answer));
            }
        })
    };
    super::start(asks, |(_, _, ask)| ask.lane(), setup)
}

/// Makes the handler, and begins what is done beside its answers.
async fn set_up(
    config: &Config,
    journals: Journals,
    mesh: &Arc<Mesh<Router>>,
    progress: &Arc<Progress>,
    outbox: Arc<Outbox>,
) -> anyhow::Result<Rc<FafHandler>> {
    let sign_in = config.sign_in.clone();
    let store_settings = StoreSettings {
        max_connections: config.store.connections,
        metrics: progress.store.clone(),
        ..StoreSettings::default()
    };
    let store = Arc::new(Store::open(&config.store.url, &store_settings).await?);
    if sign_in.auth == AuthMode::Open {
        store.seed().await?;
    }
    let keys_url = sign_in.keys_url().map(str::to_owned);
    let keys = Arc::new(KeyRing::new(keys_url, progress.keys.clone())?);
    let policy = sign_in.policy_server().map(Policy::new).transpose()?;
    let countries = Arc::new(countries(config.countries.clone()));
    countries.load().await;
    let games = journals.ours.join(GAMES);
    let unread = || {
        format!(
            "unsettled games of an earlier run in {} can't be read",
            games.display()
        )
    };
    let spool = Spool::open(&games, progress.spool.clone()).with_context(unread)?;
    try_out(&store, &spool, progress);
    let (handler, kept) = FafHandler::new(store, keys.clone(), policy, sign_in.auth)
        .with_countries(countries.clone())
        .with_attempt_limits(sign_in.attempts)
        .with_ipv6_prefix(config.engine.ipv6_prefix)
        .with_outbox(outbox)
        .with_spool(spool, &journals.left.path().join(GAMES))
        .with_context(unread)?;
    let handler = handler
        .after_game(journals.left.last_game())
        .with_last_game(progress.last_game.clone())
        .with_numbering((!mesh.is_alone()).then(|| mesh.node()));
    let handler = Rc::new(handler);
    tokio::task::spawn_local(async move { countries.keep_fresh(unix_now).await });
    let known = warm_up(&handler, mesh, progress, &config.store.url).await;
    tokio::task::spawn_local(async move { keys.keep_fresh().await });
    tokio::task::spawn_local(replay(handler.clone(), mesh.clone(), kept, journals.left));
    if let Some(table) = config.store.migrations.clone() {
        let reader = handler.clone();
        tokio::task::spawn_local(async move { reader.warn_of_old_schema(&table).await });
    }
    let (reader, told, progress) = (handler.clone(), mesh.clone(), progress.clone());
    tokio::task::spawn_local(async move {
        let refresh = async || tell_reference(&reader, &told, &progress.loaded).await;
        refresh::keep_fresh(unix_now, known, refresh).await;
    });
    Ok(handler)
}

/// Finds out now and then whether store and disk take what they are given.
fn try_out(store: &Arc<Store>, spool: &Spool, progress: &Progress) {
    let trying = store.clone();
    vitals::watch(
        "FAF's store",
        &progress.vitals,
        |all| &all.faf,
        move || {
            let store = trying.clone();
            async move { store.is_alive().await }
        },
    );
    let tried = spool.clone();
    vitals::watch(
        "the disk for games that are over",
        &progress.vitals,
        |all| &all.spool,
        move || {
            let spool = tried.clone();
            async move { spool.is_well().await }
        },
    );
}

/// Settles what an earlier process has left, and what is left in another journal, once that is nobody's.
async fn replay(handler: Rc<FafHandler>, mesh: Arc<Mesh<Router>>, kept: Vec<Batch>, left: Left) {
    // Any shard can tell what came of it; there is always a first.
    let first = ShardId::new(mesh.node(), 0);
    let tell = |done| mesh.post(first, Inbound::Notice(Of::Faf(News::Settled(done))));
    handler.replay(kept, tell).await;
    let adopt = async |theirs: &Path| handler.adopt(theirs);
    if let Some(kept) = left.adopted(GAMES, adopt).await {
        handler.replay(kept, tell).await;
    }
}

/// Reads what is needed before anything is answered; false if not all of it is known.
async fn warm_up(
    handler: &FafHandler,
    mesh: &Mesh<Router>,
    progress: &Progress,
    url: &str,
) -> bool {
    match handler.warm_up().await {
        Ok(game) => {
            progress.first_game.store(game, Ordering::Release);
            tell_reference(handler, mesh, &progress.loaded).await
        }
        Err(error) => {
            let why = store::reach(url).await.err();
            let why = why.unwrap_or_else(|| error.to_string());
            tracing::warn!(
                why,
                "the database is not there yet: sign-ins are refused until it is"
            );
            false
        }
    }
}

/// Answers in any case: somebody is held until the answer comes, and a panic on the way must not keep it from coming.
async fn answer(handler: Rc<FafHandler>, ask: Ask) -> Answer {
    let otherwise = ask.failed(StoreFailure::Unavailable);
    let answer = tokio::task::spawn_local(async move { handler.handle(ask).await });
    answer.await.unwrap_or(otherwise)
}

/// The country database that was configured.
fn countries(chosen: settings::Countries) -> Countries {
    let download = chosen.license_key.map(|license_key| Download {
        url: chosen.url,
        license_key,
        max_age: chosen.max_age,
    });
    Countries::new(chosen.database, download)
}

/// Loads reference data and has every shard know it; false if it can't be loaded now.
async fn tell_reference(handler: &FafHandler, mesh: &Mesh<Router>, loaded: &AtomicBool) -> bool {
    let Ok(reference) = handler.refresh().await else {
        return false; // the store has logged why
    };
    mesh.tell(|| Of::Faf(News::Reference(reference.clone())));
    loaded.store(true, Ordering::Release);
    true
}
