//! The back office: store, keys, policy server, and the desk that answers with them.

use std::{rc::Rc, sync::Arc};

use anyhow::Context;
use muster::{
    backoffice::{
        faf::{AuthMode, FafDesk},
        keys::KeyRing,
        policy::Policy,
        runner::{self, BackOffice},
        store::{Store, StoreSettings},
    },
    config::{Auth, Config},
    engine::{Inbound, Mesh},
    lobby::{
        Dialect, ShardId, Ticket,
        faf::{Faf, asks::Ask},
    },
};

/// A question, who asked, and under which ticket.
pub(super) type Asked = (ShardId, Ticket, Ask);

/// Questions the back office works on at one time. More would only wait in the database's pool.
const ASKS_AT_ONCE: usize = 64;

/// Starts the back office: store, keys, policy server, and the desk that answers with them.
pub(super) fn open(config: &Config, mesh: Arc<Mesh<Faf>>) -> anyhow::Result<BackOffice<Asked>> {
    let (store_url, faf) = (config.store.url.clone(), config.faf.clone());
    let settings = StoreSettings {
        max_connections: config.store.connections,
        ..StoreSettings::default()
    };
    let setup = move || async move {
        let store = Arc::new(Store::open(&store_url, &settings).await?);
        let keys = Arc::new(KeyRing::new(faf.jwks_url)?);
        let policy = faf
            .policy_server_url
            .as_deref()
            .map(Policy::new)
            .transpose()?;
        let mode = match faf.auth {
            Auth::Database => AuthMode::Database,
            Auth::Open => AuthMode::Open,
        };
        let desk = Rc::new(FafDesk::new(store, keys.clone(), policy, mode));
        if let Err(error) = desk.warm_up().await {
            tracing::warn!(%error, "the database is not there yet: sign-ins are refused until it is");
        }
        tokio::task::spawn_local(async move { keys.keep_fresh().await });
        Ok::<_, anyhow::Error>(move |(shard, ticket, ask): Asked| {
            let (desk, mesh) = (desk.clone(), mesh.clone());
            async move {
                // Somebody is held until the answer comes: a panic on the way must not keep it from coming.
                let otherwise = Faf::refuse(ask.clone());
                let answer = tokio::task::spawn_local(async move { desk.answer(ask).await }).await;
                mesh.post(shard, Inbound::Answer(ticket, answer.unwrap_or(otherwise)));
            }
        })
    };
    runner::spawn(
        runner::questions(config.server.ask_queue),
        ASKS_AT_ONCE,
        setup,
    )
    .context("the back office can't start")
}
