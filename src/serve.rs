//! `muster serve`: from a configuration to a running server, and its orderly end.

use std::{
    process::ExitCode,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use muster::{
    backoffice::{
        faf::{AuthMode, FafDesk},
        keys::KeyRing,
        policy::Policy,
        refresh,
        runner::{self, BackOffice},
        store::{Store, StoreSettings},
        unix_now,
    },
    config::{Auth, Config},
    doctor,
    engine::{AddressLimits, Engine, Inbound, ListenerSettings, Mesh, Outside, Settings},
    lobby::{
        Dialect, ShardId, Stopping, Ticket,
        faf::{self, Faf, asks::Ask, news::News},
    },
    wire::{Format, ReadLimits},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A question, who asked, and under which ticket.
type Asked = (ShardId, Ticket, Ask);

/// How often an orderly stop looks whether the last game has ended.
const DRAIN_CHECK: Duration = Duration::from_millis(50);

/// Time for the PROXY header and the WebSocket upgrade.
const HANDSHAKE: Duration = Duration::from_secs(10);

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
    let office = open_office(config, mesh.clone(), loaded)?;
    let asker = office.asker();
    let settings = Arc::new(faf_settings(config));
    let engine = Engine::start(
        engine_settings(config),
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
    runtime.block_on(wait_for_the_end(config, &mesh))?;
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

/// Until the process may end: signals, then the drain (spec: faf-lifecycle 14).
async fn wait_for_the_end(config: &Config, mesh: &Mesh<Faf>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut counters = signal(SignalKind::user_defined1())?;
    loop {
        tokio::select! {
            () = stop_signal(&mut terminate, &mut interrupt) => break,
            _ = counters.recv() => mesh.report(),
        }
    }
    tracing::info!(
        grace_s = config.server.stop_grace.as_secs(),
        "stopping: waiting for running games"
    );
    mesh.stop(Stopping::Drain);
    let drained = async {
        // The shards say so after the turn in which they heard of the drain.
        while !mesh.all_idle() {
            tokio::time::sleep(DRAIN_CHECK).await;
        }
    };
    tokio::select! {
        () = drained => {}
        () = tokio::time::sleep(config.server.stop_grace) => tracing::warn!("games still running after the grace period"),
        () = stop_signal(&mut terminate, &mut interrupt) => tracing::warn!("second signal: not waiting any longer"),
    }
    mesh.stop(Stopping::Now);
    Ok(())
}

async fn stop_signal(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn engine_settings(config: &Config) -> Settings {
    let listeners = config.faf.listeners().map(|(name, address)| {
        let format = match name {
            "faf/qdatastream" => Format::QDataStream,
            "faf/json" => Format::JsonLines,
            _ => Format::WebSocket,
        };
        let websocket = format == Format::WebSocket;
        ListenerSettings {
            name: name.to_owned(),
            address,
            format,
            proxy: config.faf.proxy && !websocket,
            trusted: if websocket {
                config.faf.ws_trusted.clone()
            } else {
                Vec::new()
            },
        }
    });
    let shards = usize::from(config.server.shards);
    Settings {
        shards: config.server.shards,
        pin: config.server.pin,
        listeners: listeners.collect(),
        read: ReadLimits {
            message_bytes: config.limits.message_bytes,
            upgrade_bytes: config.limits.upgrade_bytes,
            ws_path: config.faf.ws_path.clone(),
            ws_forwarded_header: config.faf.ws_forwarded_header.clone(),
        },
        // The kernel spreads connections by chance, so a shard may get more than its share.
        connections: (config.limits.connections / shards)
            .saturating_mul(5)
            .div_ceil(4)
            .max(1),
        address_limits: AddressLimits {
            connections: config.limits.connections_per_address.unwrap_or(u32::MAX),
            opened_per_second: config
                .limits
                .accepts_per_second_per_address
                .unwrap_or(u32::MAX),
        },
        outbox_soft_bytes: config.limits.outbox_soft_bytes,
        outbox_hard_bytes: config.limits.outbox_hard_bytes,
        outbox_stuck: config.limits.outbox_stuck,
        handshake: HANDSHAKE,
        seed: None,
    }
}

fn faf_settings(config: &Config) -> faf::Settings {
    faf::Settings {
        tick: config.faf.tick,
        ping_interval: config.faf.ping_interval,
        login_timeout: config.faf.login_timeout,
        www_url: config.faf.www_url.clone(),
        allow_password_login: config.faf.allow_password_login,
        logins_in_flight: config.limits.logins_in_flight,
        shutdown_grace: config.server.stop_grace,
        shutdown_kick_idle: config.faf.shutdown_kick_idle_players,
        ..faf::Settings::default()
    }
}

/// Loads reference data and has every shard know it; false if it can't be loaded now.
async fn tell_reference(desk: &FafDesk, mesh: &Mesh<Faf>, loaded: &AtomicBool) -> bool {
    let Ok(reference) = desk.refresh().await else {
        return false; // the store has logged why
    };
    mesh.tell(|| News::Reference(reference.clone()));
    loaded.store(true, Ordering::Release);
    true
}

/// Questions the back office works on at one time. More would only wait in the database's pool.
const ASKS_AT_ONCE: usize = 64;

/// Starts the back office: store, keys, policy server, and the desk that answers with them. `loaded` becomes true when
/// reference data has been loaded for the first time.
fn open_office(
    config: &Config,
    mesh: Arc<Mesh<Faf>>,
    loaded: Arc<AtomicBool>,
) -> anyhow::Result<BackOffice<Asked>> {
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
        let known = match desk.warm_up().await {
            Ok(()) => tell_reference(&desk, &mesh, &loaded).await,
            Err(error) => {
                tracing::warn!(%error, "the database is not there yet: sign-ins are refused until it is");
                false
            }
        };
        tokio::task::spawn_local(async move { keys.keep_fresh().await });
        let (reader, told) = (desk.clone(), mesh.clone());
        tokio::task::spawn_local(async move {
            let refresh = async || tell_reference(&reader, &told, &loaded).await;
            refresh::keep_fresh(unix_now, known, refresh).await;
        });
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
