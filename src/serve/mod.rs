//! `muster serve`: from a configuration to a running server, and its orderly end.
//!
//! | file | what it is |
//! |---|---|
//! | `office` | the back offices: stores, keys, policy server, mail, and the handlers that answer |
//! | `endpoints` | control, health, metrics and the live page over HTTP |
//! | `page` | what the live page shows, and does |
//! | `figures` | what is counted, at one moment, found by name |
//! | `metrics`, `process` | who counts; what the process takes of the machine |
//! | `ctl` | what `muster ctl` asks for |
//! | `neighbours` | this server among others of its lobby, or alone |
//! | `shards` | asking the shards, and ordering something of them |
//! | `orders` | what administrators of a lobby may ask of the process |
//! | `outside` | the broker: its settings, and what becomes of what it says |
//! | `judging` | whether the server serves, which `/ready`, `muster ctl` and the live page agree on |
//! | `pulse` | whether every shard still does something |
//! | `systemd` | what the service manager is told, and the sockets it hands over |
//! | `tls` | the certificate that clients are shown |
//! | `reload` | reading the configuration again, and what takes effect at once |
//! | `ending` | signals, the drain, the end |
//! | `folder`, `holder` | who has the data folder, or a port, when it is not us |
//!
//! Three kinds of threads: one per shard, one per back office, and the main one, which serves everything around the lobby
//! (broker, HTTP, configuration, signals) on a tokio runtime of its own, so that none of it delays an answer to a player.

mod ctl;
mod ending;
mod endpoints;
mod figures;
pub(crate) mod folder;
mod holder;
mod judging;
mod metrics;
mod neighbours;
mod office;
mod orders;
mod outside;
mod page;
mod process;
mod pulse;
mod reload;
mod shards;
mod systemd;
mod tls;

use std::{
    cell::RefCell,
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::ExitCode,
    rc::Rc,
    sync::Arc,
};

use ::metrics::Registry;
use anyhow::{Context, bail};
use muster::{
    backoffice::{
        broker::Broker,
        faf::{AuthMode, control::Control},
        http::{
            Counts, Handler,
            health::{Health, Phase},
            metrics::Metrics,
            page::{Page, Wish},
        },
    },
    config::{Config, Sources},
    doctor,
    engine::{self, Engine, Mesh, Outside},
    lobbies::{LobbyMetrics, Of, Router},
    lobby::{ShardId, faf::news::News},
    log::{self, Level, Log},
    settings::HostAddress,
};
use tokio::{
    runtime::Runtime,
    sync::mpsc,
    task::{LocalSet, spawn_blocking},
};

pub(crate) use self::ending::Signals;
use self::{
    ctl::{Controlled, Ctl, Strangers},
    ending::{Stage, Stops},
    endpoints::{Endpoint, Endpoints},
    figures::Figures,
    folder::Claim,
    judging::Judging,
    metrics::{Counting, Service},
    neighbours::{Neighbours, Node, Seat},
    office::{Journals, Offices, Progress},
    orders::Orders,
    outside::Link,
    pulse::Pulse,
    reload::Reload,
    tls::Shown,
};

/// Runs until a signal ends it.
pub(crate) fn serve(
    runtime: &Runtime,
    signals: Signals,
    sources: Sources,
    config: Config,
    log: &Log,
    level: Level,
) -> anyhow::Result<ExitCode> {
    let _ = rlimit::increase_nofile_limit(u64::MAX); // the doctor says if it is still too low
    muster::engine::use_small_pages();
    say_what_starts(&sources, &config);
    let machine = doctor::Machine::read();
    if let Some(failures) = doctor::failures(&doctor::judge(&machine, &config)) {
        bail!("this machine can't run the server:\n{failures}");
    }
    let connections = doctor::connections(&machine, &config);
    say_how_many(connections, &config);
    std::fs::create_dir_all(&config.server.data_dir)
        .with_context(|| format!("can't create {}", config.server.data_dir.display()))?;
    let claim = Rc::new(folder::claim(&config.server.data_dir)?);
    let run = run(
        signals,
        sources,
        &config,
        (connections, claim),
        (log, Rc::new(level)),
    );
    LocalSet::new()
        .block_on(runtime, run)
        .map_err(|error| with_holder(error, &config))?;
    Ok(ExitCode::SUCCESS)
}

/// The first line: what runs here.
fn say_what_starts(sources: &Sources, config: &Config) {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let file = path(&sources.file)
        .or_else(|| path(&sources.compat_file))
        .or_else(|| path(&sources.servatrice_ini));
    let kind = |url: &str| url.split(':').next().unwrap_or_default().to_owned();
    let listeners = Router::listeners(&config.lobbies).into_iter();
    let listeners: Vec<String> = listeners.map(|listener| listener.name).collect();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        configuration = file.as_deref().unwrap_or("none"),
        store = kind(&config.store.url),
        shards = config.engine.shards,
        listeners = listeners.join(","),
        "muster starts"
    );
}

/// Says how many may be connected, and if those are fewer than was wished for.
fn say_how_many(connections: usize, config: &Config) {
    let (wanted, kept) = (config.engine.connections, doctor::own_descriptors(config));
    if connections < wanted {
        tracing::info!(
            connections,
            kept,
            "limits.connections is {wanted}, but fewer can be had: the process may not open more (LimitNOFILE, `ulimit -n`), \
             and keeps some of that for itself"
        );
    } else {
        tracing::info!(connections, kept, "limits.connections can be had");
    }
}

/// If an address is taken: by whom.
fn with_holder(error: anyhow::Error, config: &Config) -> anyhow::Error {
    let taken = |cause: &(dyn std::error::Error + 'static)| {
        let cause = cause.downcast_ref::<io::Error>();
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::AddrInUse)
    };
    if !error.chain().any(taken) {
        return error;
    }
    let http = [config.http.control, config.http.health, config.http.metrics]; // the page can be done without
    let endpoints = http.into_iter().filter_map(|address| match address {
        HostAddress::Fixed(address) => Some(address),
        _ => None,
    });
    let listeners = Router::listeners(&config.lobbies).into_iter();
    let mut all = listeners.map(|listener| listener.address).chain(endpoints);
    match all.find_map(|address| Some((address, holder::of(address)?))) {
        Some((address, holder)) => error.context(format!("{address} is in use by {holder}")),
        None => error,
    }
}

async fn run(
    mut signals: Signals,
    sources: Sources,
    config: &Config,
    (connections, claim): (usize, Rc<Claim>),
    (log, level): (&Log, Rc<Level>),
) -> anyhow::Result<()> {
    let inherited = systemd::sockets().context("the sockets that were handed over")?;
    let progress = Arc::new(Progress::default());
    let (http, service) = (Arc::<Counts>::default(), Service::new(connections, config));
    let shown = Shown::open(&config.server.tls, &service)?;
    let phase = Rc::new(Stage::new(service.clone()));
    let pulse = Rc::new(Pulse::new(service.clone()));
    let (page, wishes) = page::prepared(&config.http, &http)?;
    let (neighbours, strangers) = (Rc::<Neighbours>::default(), Strangers::default());
    let judging = Judging::of(&progress, &neighbours, &phase, &pulse);
    let Some((health, seat)) = placed(config, &mut signals, &judging, &http).await? else {
        return Ok(()); // told to end: nobody has been served
    };
    let (mesh, journals) = (seat.mesh.clone(), Journals::of(&claim));
    let (mut link, broker) = Link::open(config, &journals.ours, &mesh)?;
    let opening = office::opened(config, journals.clone(), &mesh, &progress, &link.outbox);
    let (offices, config) = opening.await?;
    link.republish(journals.left);
    let (lobbies, orders) = (LobbyMetrics::new(mesh.shards()), Arc::<Orders>::default());
    let outside = (&offices, &link.broker, &orders);
    let sockets = (connections, inherited, &strangers, shown.as_ref());
    let seat = seat.prepared().await?;
    let engine = start_engine(&config, sockets, &mesh, outside, &lobbies)?;
    let mut node = seat.join(&neighbours);
    let counting = (&engine, &lobbies, &offices, &link, &node);
    let registry = registry(counting, &progress, log, (&http, &service));
    let own = (health, vcmi_json_pages(&config, &progress, &http).await?);
    let mut endpoints = endpoints(own, (&mesh, &registry, &page), &config, &http).await?;
    link.broker.tried().await;
    phase.set(Phase::Ready);
    let current = Rc::new(RefCell::new(config));
    let controlled = Controlled {
        strangers,
        neighbours: neighbours.clone(),
        current: current.clone(),
        orders,
        level,
        phase: phase.clone(),
        judging,
        mesh: mesh.clone(),
        registry,
    };
    let ctl = Ctl::open(controlled.clone()).await;
    announce(&current.borrow(), log, &engine, &endpoints);
    let (stops, hangup) = signals.split();
    let reload = Reload {
        hangup,
        controlled,
        sources,
        current,
        broker,
        offices: offices.renewal(),
        endpoints: &mut endpoints,
        service,
        claim,
        last_game: progress.last_game.clone(),
        page,
        shown,
    };
    let inside = (&offices, &*phase, pulse);
    until_the_end(stops, reload, inside, (ctl, wishes), &mut node).await?;
    phase.set(Phase::Stopped);
    wind_down(engine, node, offices, link, endpoints).await
}

/// Says how the server is from now on, and takes its place. None: it was told to end before it had one.
async fn placed(
    config: &Config,
    signals: &mut Signals,
    judging: &Judging,
    http: &Arc<Counts>,
) -> anyhow::Result<Option<(Endpoint, Seat)>> {
    let judged = Handler::of_site(Health(judging.clone()));
    let health = Endpoint::open("http/health", config.http.health, judged, http).await?;
    tokio::select! {
        seat = Seat::take(config, &judging.neighbours) => Ok(Some((health, seat?))),
        () = signals.stop() => Ok(None),
    }
}

/// The endpoints beside those that are there already.
async fn endpoints(
    own: (Endpoint, Option<Endpoint>),
    (mesh, registry, page): (&Arc<Mesh<Router>>, &Arc<Registry>, &Page),
    config: &Config,
    http: &Arc<Counts>,
) -> anyhow::Result<Endpoints> {
    let metrics = Handler::of_site(Metrics(registry.clone()));
    let served = [control(mesh), metrics, Handler::of_router(page.router())];
    Endpoints::open(own, served, &config.http, http).await
}

/// Everything that is counted.
fn registry(
    (engine, lobbies, offices, link, node): (&Engine, &LobbyMetrics, &Offices, &Link, &Node),
    progress: &Progress,
    log: &Log,
    (http, service): (&Arc<Counts>, &Arc<Service>),
) -> Arc<Registry> {
    let counting = Counting {
        engine: &engine.metrics,
        lobbies,
        offices: offices.metrics(),
        progress,
        broker: link.broker.clone(),
        neighbours: node.counts(),
        log: log.metrics(),
        http: http.clone(),
        service: service.clone(),
    };
    Arc::new(counting.registry())
}

/// From the inside to the outside: whoever still has something to hand on ends before the one they hand it to.
async fn wind_down(
    engine: Engine,
    node: Node,
    offices: Offices,
    link: Link,
    endpoints: Endpoints,
) -> anyhow::Result<()> {
    spawn_blocking(move || engine.join()).await?;
    node.leave().await;
    spawn_blocking(move || offices.stop()).await?;
    link.close().await?;
    endpoints.stop().await;
    Ok(())
}

/// Serves until a signal ends it.
///
/// # Errors
/// A part of the server is lost.
async fn until_the_end(
    mut stops: Stops,
    mut reload: Reload<'_>,
    (offices, phase, pulse): (&Offices, &Stage, Rc<Pulse>),
    (ctl, wishes): (Ctl, mpsc::Receiver<Wish>),
    node: &mut Node,
) -> anyhow::Result<()> {
    let (current, mesh) = (reload.current.clone(), reload.controlled.mesh.clone());
    let orders = reload.controlled.orders.clone();
    let registry = reload.controlled.registry.clone();
    let connected = || Figures::of(&registry).connections();
    let lost = || {
        let office = || offices.has_ended().then(|| "the back office".to_owned());
        mesh.lost().map(|part| part.to_string()).or_else(office)
    };
    let lobbies = page::spoken(&current.borrow());
    let neighbours = reload.controlled.neighbours.clone();
    let moving = neighbours.send_after_single(&current, phase);
    let catching_up = neighbours.watch_catching_up();
    let shown = page::keep(reload.page.clone(), wishes, ctl.desk(), lobbies);
    let retire = node.retirement();
    let displaced = async {
        let why = node.ended().await;
        ending::displaced(why, &current, &mesh, connected, phase).await
    };
    let end = tokio::select! {
        () = stops.wait(current.clone(), &mesh, connected, phase, (&orders, &*retire)) => Ok(()),
        why = displaced => Err(why),
        lost = ending::loss(lost, &mesh, phase) => Err(lost),
        () = reload.run() => Ok(()),
        () = shown => Ok(()),
        () = moving => Ok(()),
        () = catching_up => Ok(()),
        () = pulse.watch(mesh.clone()) => Ok(()),
    };
    ctl.close().await;
    end
}

/// All games and players, as the shards know them.
fn control(mesh: &Arc<Mesh<Router>>) -> Handler {
    let mesh = mesh.clone();
    Handler::of_site(Control::new(mesh.shards(), move |news: News| {
        mesh.tell(|| Of::Faf(news.clone()))
    }))
}

/// The HTTP interface of VCMI's JSON lobby, if that is there.
async fn vcmi_json_pages(
    config: &Config,
    progress: &Progress,
    http: &Arc<Counts>,
) -> anyhow::Result<Option<Endpoint>> {
    if !config.lobbies.vcmi_json.dialect.enabled {
        return Ok(None);
    }
    let pages = Handler::of_site(office::pages(config, progress).await?);
    let address = config.vcmi_json.http;
    Ok(Some(
        Endpoint::open("vcmi-json/http", address, pages, http).await?,
    ))
}

/// What the engine is told of sockets that is no setting: how many, those handed over, who may not come, what TLS shows.
type Sockets<'a> = (usize, Vec<TcpListener>, &'a Strangers, Option<&'a Shown>);

fn start_engine(
    config: &Config,
    (connections, inherited, strangers, shown): Sockets<'_>,
    mesh: &Arc<Mesh<Router>>,
    (offices, broker, orders): (&Offices, &Arc<Broker>, &Arc<Orders>),
    lobbies: &LobbyMetrics,
) -> anyhow::Result<Engine> {
    let (broker, orders) = (broker.clone(), orders.clone());
    let shards = config.engine.shards;
    let (settings, metrics) = (config.lobbies.clone(), lobbies.clone());
    Engine::start(
        engine::Settings {
            listeners: Router::listeners(&config.lobbies),
            inherited: Arc::new(inherited),
            bans: strangers.bans.clone(),
            refusals: strangers.refusals.clone(),
            connections,
            tls: shown.map(Shown::tls),
            ..config.engine.clone()
        },
        mesh.clone(),
        Outside {
            ask: Arc::new(offices.ask()),
            // Lobbies that publish nothing need no arm.
            publish: Arc::new(move |event| match event {
                Of::Faf(event) => broker.publish(event),
                Of::Cockatrice(event) => orders.take(event),
            }),
        },
        move |shard: ShardId| Router::new_shard(shard, shards, &settings, &metrics),
    )
    .context("the engine can't start")
}

/// The lines programs wait for, then a few for people.
fn announce(config: &Config, log: &Log, engine: &Engine, endpoints: &Endpoints) {
    let endpoints: Vec<(&str, SocketAddr)> = endpoints.listening().collect();
    let listeners = engine.addresses.iter();
    let listeners = listeners.map(|(name, address)| (name.as_str(), *address));
    let listening = listeners.chain(endpoints);
    let lines = listening.map(|(name, address)| format!("listening {name} {address}\n"));
    log::say(&(lines.collect::<String>() + "ready\n"));
    systemd::ready("serving");
    let has_faf = config.lobbies.faf.listeners.listeners().next().is_some();
    if has_faf && config.sign_in.auth == AuthMode::Open {
        log.notice(
            "OPEN SIGN-IN: whoever signs in first under a name owns it. Not for the public.\n\
             Try it:  cargo run --release -p swarm -- run --clients 2000 --profile lobby --duration 20s",
        );
    }
}
