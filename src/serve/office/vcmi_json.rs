//! The back office of VCMI's JSON lobby: its store, and the handler that answers.

use std::{
    rc::Rc,
    sync::{Arc, atomic::Ordering},
};

use anyhow::Context;
use muster::{
    backoffice::{
        runner::BackOffice,
        store::StoreSettings,
        vcmi_json::{Handler, http::Pages, store::Store},
    },
    config::Config,
    engine::{Inbound, Mesh},
    lobbies::{Of, Router},
    lobby::{
        question::StoreFailure,
        vcmi_json::questions::{Answer, Ask},
    },
};

use super::{Asked, Progress, vitals};

/// Whether the lobby is there.
pub(super) fn is_wanted(config: &Config) -> bool {
    config.lobbies.vcmi_json.dialect.enabled
}

/// Starts it. A database server need not be there yet: the lobby asks for what a start does until it is done.
pub(super) fn open(
    config: &Config,
    mesh: Arc<Mesh<Router>>,
    progress: Arc<Progress>,
) -> anyhow::Result<BackOffice<Asked<Ask>>> {
    progress.json_awaited.store(true, Ordering::Release);
    let asks = config.queue.asks;
    let config = config.clone();
    let setup = move || async move {
        let store = Arc::new(store(&config, &progress, config.store.connections).await?);
        let trying = store.clone();
        vitals::watch(
            "VCMI's JSON store",
            &progress.vitals,
            |all| &all.vcmi_json,
            move || {
                let store = trying.clone();
                async move { store.is_alive().await }
            },
        );
        let handler = Rc::new(Handler::new(store, progress.json_awaited.clone()));
        Ok::<_, anyhow::Error>(move |(shard, ticket, ask): Asked<Ask>| {
            let (handler, mesh) = (handler.clone(), mesh.clone());
            async move {
                let answer = Of::VcmiJson(answer(handler, ask).await);
                mesh.post(shard, Inbound::Answer(ticket, answer));
            }
        })
    };
    super::start(asks, |(_, _, ask)| ask.lane(), setup)
}

/// Answers in any case: somebody is held until the answer comes, and a panic on the way must not keep it from coming.
async fn answer(handler: Rc<Handler>, ask: Ask) -> Answer {
    let otherwise = ask.failed(StoreFailure::Unavailable);
    let answer = tokio::task::spawn_local(async move { handler.handle(ask).await });
    answer.await.unwrap_or(otherwise)
}

async fn store(
    config: &Config,
    progress: &Progress,
    connections: u32,
) -> Result<Store, anyhow::Error> {
    let settings = StoreSettings {
        max_connections: connections,
        metrics: progress.store.clone(),
        ..StoreSettings::default()
    };
    let store = Store::open(&config.vcmi_json.store_url, &settings).await;
    store.context("the store of VCMI's JSON lobby")
}

/// What its HTTP interface serves: few read at one time, so it needs few connections.
pub(crate) async fn pages(config: &Config, progress: &Progress) -> anyhow::Result<Pages> {
    Ok(Pages::new(store(config, progress, 2).await?))
}
