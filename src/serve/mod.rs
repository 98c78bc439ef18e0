//! `muster serve`: from a configuration to a running server, and its orderly end.
//!
//! | file | what it is |
//! |---|---|
//! | `engine` | the configuration as the engine and the dialect want it |
//! | `office` | the back office: store, keys, policy server, and the desk that answers |
//! | `ending` | signals, the drain, the end |

mod ending;
mod engine;
mod office;

use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::{Context, bail};
use muster::{
    config::{Auth, Config},
    doctor,
    engine::{Engine, Mesh, Outside},
    lobby::{ShardId, faf::Faf},
};

/// Runs until a signal ends it.
pub(crate) fn serve(config: &Config) -> anyhow::Result<ExitCode> {
    let _ = rlimit::increase_nofile_limit(u64::MAX); // the doctor says if it is still too low
    if let Some(failures) = doctor::failures(&doctor::judge(&doctor::Machine::read(), config)) {
        bail!("this machine can't run the server:\n{failures}");
    }
    std::fs::create_dir_all(&config.server.data_dir)
        .with_context(|| format!("can't create {}", config.server.data_dir.display()))?;
    let shards = config.server.shards;
    let mesh = Mesh::<Faf>::new(shards);
    let loaded = Arc::new(AtomicBool::new(false));
    let office = office::open(config, mesh.clone(), loaded)?;
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
            // No broker is configured: every event is dropped, and counted.
            publish: Arc::new(|_| false),
        },
        move |shard: ShardId| Faf::new(shard, shards, settings.clone()),
    )
    .context("the engine can't start")?;
    announce(config, &engine);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(ending::wait(config, &mesh))?;
    engine.join();
    office.stop();
    Ok(ExitCode::SUCCESS)
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
