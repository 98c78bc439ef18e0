//! `muster serve`: from a configuration to a running server, and its orderly end.
//!
//! | file | what it is |
//! |---|---|
//! | `engine` | the configuration as the engine and the dialect want it |
//! | `office` | the back office: store, keys, policy server, and the desk that answers |
//! | `outside` | the broker: its settings, and what becomes of what it says |
//! | `ending` | signals, the drain, the end |
//!
//! Three kinds of threads: one per shard, the back office's, and the main one, which serves everything around the lobby
//! (broker, signals) on a tokio runtime of its own, so that none of it delays an answer to a player.

mod ending;
mod engine;
mod office;
mod outside;

use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, bail};
use muster::{
    backoffice::broker::Broker,
    config::{Auth, Config},
    doctor,
    engine::{Engine, Mesh, Outside},
    lobby::{ShardId, faf::Faf},
};
use tokio::{
    sync::watch,
    task::{LocalSet, spawn_blocking, spawn_local},
};

/// Runs until a signal ends it.
pub(crate) fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    let _ = rlimit::increase_nofile_limit(u64::MAX); // the doctor says if it is still too low
    if let Some(failures) = doctor::failures(&doctor::judge(&doctor::Machine::read(), config)) {
        bail!("this machine can't run the server:\n{failures}");
    }
    std::fs::create_dir_all(&config.server.data_dir)
        .with_context(|| format!("can't create {}", config.server.data_dir.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, run(config))?;
    Ok(ExitCode::SUCCESS)
}

async fn run(config: &Config) -> anyhow::Result<()> {
    let shards = config.server.shards;
    let mesh = Mesh::<Faf>::new(shards);
    let broker = Arc::new(Broker::new(config.broker.backlog));
    let (_broker_settings, wanted) = watch::channel(outside::broker_settings(config));
    let broker_task = spawn_local({
        let (broker, mesh) = (broker.clone(), mesh.clone());
        async move { broker.run(wanted, outside::ToShards { mesh }).await }
    });
    let loaded = Arc::new(AtomicBool::new(false));
    let office = spawn_blocking({
        let (config, mesh) = (config.clone(), mesh.clone());
        move || office::open(&config, mesh, loaded)
    })
    .await??;
    let asker = office.asker();
    let settings = Arc::new(engine::faf_settings(config));
    let engine = Engine::start(
        engine::settings(config),
        mesh.clone(),
        Outside {
            ask: Arc::new(move |shard, ticket, ask| {
                asker
                    .try_ask((shard, ticket, ask))
                    .map_err(|(_, _, ask)| ask)
            }),
            publish: Arc::new({
                let broker = broker.clone();
                move |event| broker.publish(event)
            }),
        },
        move |shard: ShardId| Faf::new(shard, shards, settings.clone()),
    )
    .context("the engine can't start")?;
    announce(config, &engine);
    ending::wait(config, &mesh).await?;
    // From the inside to the outside: whoever still has something to hand on ends before the one he hands it to.
    spawn_blocking(move || engine.join()).await?;
    spawn_blocking(move || office.stop()).await?;
    broker.close();
    broker_task.await?;
    Ok(())
}

/// The lines programs wait for, then a few for people.
fn announce(config: &Config, engine: &Engine) {
    for (name, address) in &engine.addresses {
        println!("listening {name} {address}");
    }
    println!("ready");
    if config.faf.auth == Auth::Open {
        eprintln!("OPEN SIGN-IN: whoever signs in first under a name owns it. Not for the public.");
        eprintln!(
            "Try it:  cargo run --release -p swarm -- run --clients 2000 --profile lobby --duration 20s"
        );
    }
}
