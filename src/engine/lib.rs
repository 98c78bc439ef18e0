//! The io_uring shell around a dialect: shards, connections, outboxes, fan-out, timers, mesh, admission.
//!
//! One shard is one pinned thread with its own ring and its own state; shards share nothing but the [`Mesh`] and, when a
//! connection comes or goes, the count of who is there. Generic over the dialect: nothing here knows a game or a player.
//! Only this layer touches sockets, and of it only `runtime`: everything else runs in the simulator as it is.
//!
//! | file | what it is |
//! |---|---|
//! | `runtime/` | sockets, the ring, threads, the clock; all unsafe code |
//! | `round` | what makes a shard do anything, and in which order |
//! | `arriving` | how a connection comes to a shard |
//! | `shard` | one shard's state: turns and how their effects are carried out |
//! | `reading` | what arrives on a connection, to its end |
//! | `flush` | what leaves |
//! | `relay`, `relay_frames`, `frames` | two connections that are relayed to each other; if their streams are frames; what of such a stream goes on |
//! | `tls/` | TLS: what the server shows, and one connection's part in it |
//! | `secure` | what a shard does about connections that have it |
//! | `table` | a shard's connections by slot |
//! | `input`, `outbox` | what was read of one client and waits; what is due to it, in one write |
//! | `memory`, `strangers` | how much all of a shard's connections may hold; what of a round is for those not signed in |
//! | `topics`, `fanout` | who is in what; the broadcasts of one flush |
//! | `mesh` | mail between shards |
//! | `outward`, `letter` | what leaves for other nodes, and its form |
//! | `neighbours` | what a shard hears of them |
//! | `acceptor`, `admission`, `bans` | who comes in, and where; who does not |
//! | `refusals` | who was turned away, for the log and for operators |
//! | `inquiry`, `operator` | what an operator asks of a shard: lists of its connections, their end |
//! | `timers`, `metrics` | what they say |
//! | `settings`, `outside` | what the engine is told; the ways out of a shard that are not sockets |
//! | `simulator/` | shards on a simulated network, from a seed |

mod acceptor;
mod admission;
mod arriving;
mod bans;
mod fanout;
mod flush;
mod frames;
mod input;
mod inquiry;
mod letter;
mod memory;
mod mesh;
mod metrics;
mod neighbours;
mod operator;
mod outbox;
mod outside;
mod outward;
mod reading;
mod refusals;
mod relay;
mod relay_frames;
mod round;
mod runtime;
mod secure;
mod settings;
mod shard;
#[cfg(test)]
mod simulator;
mod strangers;
mod table;
mod timers;
mod tls;
mod topics;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    time::Instant,
};

pub use self::metrics::Metrics;
pub use admission::AddressLimits;
pub use bans::Bans;
pub use inquiry::{Answer, Eviction, Inquiry, Wish};
pub use memory::MemoryLimits;
pub use mesh::{Accepted, INBOX_HIGH, Inbound, Mesh, MovedSocket, Part, ReturnedSocket};
pub use outside::{Asker, Outside, Publisher};
pub use outward::{LETTER_BYTES, LetterMetrics, Outward, Parcel};
pub use refusals::{Refusals, Refused};
pub use runtime::{since_boot, use_small_pages};
pub use settings::Settings;
pub use tls::{Certificate, Tls};

use acceptor::Acceptor;
use admission::Admission;
use lobby::{Dialect, Listener, ShardId, Stopping};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use runtime::{Ring, Thread};
use shard::{Place, Shard};

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    /// Name and real address of each listener.
    pub addresses: Vec<(String, SocketAddr)>,
    /// What each shard counts, and last, what is counted before a connection has one.
    pub metrics: Vec<Arc<Metrics>>,
    threads: Vec<Thread>,
    acceptor: Option<Acceptor>,
}

impl Engine {
    /// Opens the listeners, starts the shards, and returns when connections are accepted.
    ///
    /// # Errors
    /// An address that can't be listened on, or io_uring that is not allowed.
    pub fn start<D: Dialect>(
        settings: Settings,
        mesh: Arc<Mesh<D>>,
        outside: Outside<D>,
        dialect: impl Fn(ShardId) -> D + Send + Sync + 'static,
    ) -> io::Result<Engine> {
        let started = mesh.outward().map_or_else(Instant::now, Outward::origin);
        let (listeners, addresses) = listen(&settings)?;
        let metrics = || Arc::new(Metrics::default());
        let mut engine = Engine {
            addresses,
            metrics: (0..=settings.shards).map(|_| metrics()).collect(),
            threads: Vec::new(),
            acceptor: None,
        };
        let admission = Admission::new(
            settings.shards,
            settings.connections,
            settings.address_limits,
            settings.ipv6_prefix,
        )
        .of_node(mesh.node());
        let incarnation = incarnation(settings.seed);
        let (settings, admission) = (Arc::new(settings), Arc::new(admission));
        let places = mesh.ids().map(|id| Place {
            id,
            incarnation,
            settings: settings.clone(),
            mesh: mesh.clone(),
            admission: admission.clone(),
            outside: outside.clone(),
            metrics: engine.metrics[id.local()].clone(),
        });
        let outcome = start_shards(places.collect(), dialect, started, &mut engine.threads);
        let outcome = outcome.and_then(|()| {
            if listeners.is_empty() {
                return Ok(());
            }
            let metrics = engine.metrics[usize::from(settings.shards)].clone();
            let (settings, mesh) = (settings.clone(), mesh.clone());
            let acceptor = Acceptor::start(settings, listeners, mesh, admission, metrics, started)?;
            engine.acceptor = Some(acceptor);
            Ok(())
        });
        if let Err(error) = outcome {
            mesh.stop(Stopping::Now);
            engine.join();
            return Err(error);
        }
        Ok(engine)
    }

    /// Waits for every thread to end.
    pub fn join(self) {
        for thread in self.threads {
            if let Err(error) = thread.join() {
                tracing::error!(%error, "a shard's thread ended badly");
            }
        }
        if let Some(acceptor) = self.acceptor {
            acceptor.join();
        }
    }
}

/// Drawn anew for each life of the process.
fn incarnation(seed: Option<u64>) -> u16 {
    let mut rng: StdRng = seed.map_or_else(rand::make_rng, StdRng::seed_from_u64);
    rng.random()
}

/// Listening sockets; name and real address of each.
type Opened = (Vec<TcpListener>, Vec<(String, SocketAddr)>);

/// Opens every listener. Also says name and real address of each.
fn listen(settings: &Settings) -> io::Result<Opened> {
    let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
    for listener in &settings.listeners {
        let Listener { name, address, .. } = listener;
        if listener.tls && settings.tls.is_none() {
            let error = format!("{name} has nothing to encrypt with: there is no certificate");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
        }
        let strangers = listener.strangers.is_some();
        let inherited = inherited(&settings.inherited, *address);
        let opened = runtime::listen(*address, inherited, strangers, settings.peer_timeout)
            .map_err(|e| io::Error::new(e.kind(), format!("{name} on {address}: {e}")))?;
        addresses.push((name.clone(), opened.local_addr()?));
        listeners.push(opened);
    }
    Ok((listeners, addresses))
}

/// The socket that was opened for this address beforehand: at its port, and one of the two is for every address, or both are
/// for the same.
fn inherited(all: &[TcpListener], address: SocketAddr) -> Option<&TcpListener> {
    all.iter().find(|socket| {
        socket.local_addr().is_ok_and(|there| {
            let any = there.ip().is_unspecified() || address.ip().is_unspecified();
            there.port() == address.port() && (any || there.ip() == address.ip())
        })
    })
}

/// Starts a thread for each shard, and returns when all have had their first turn.
fn start_shards<D: Dialect>(
    places: Vec<Place<D, Ring>>,
    dialect: impl Fn(ShardId) -> D + Send + Sync + 'static,
    started: Instant,
    threads: &mut Vec<Thread>,
) -> io::Result<()> {
    let cpus = runtime::allowed_cpus();
    let dialect = Arc::new(dialect);
    let (ready, is_ready) = mpsc::channel();
    for place in places {
        let cpu = cpus.get(place.id.local()).copied();
        // A pinned thread can't step aside: without a core for everything else it would only wait for it.
        let pins = place.settings.pin && usize::from(place.settings.shards) < cpus.len();
        let (dialect, ready) = (dialect.clone(), ready.clone());
        let name = format!("shard-{}", place.id.local());
        let thread = runtime::spawn(&name, cpu.filter(|_| pins), move || {
            run_shard(place, pins && cpu.is_some(), &*dialect, started, &ready);
        })?;
        threads.push(thread);
    }
    drop(ready);
    for _ in 0..threads.len() {
        is_ready
            .recv()
            .map_err(|_| io::Error::other("a shard ended while starting"))??;
    }
    Ok(())
}

/// The life of a shard, on its own thread, which may have a core of its own. `ready` hears once whether it has begun.
fn run_shard<D: Dialect>(
    place: Place<D, Ring>,
    own_core: bool,
    dialect: &impl Fn(ShardId) -> D,
    started: Instant,
    ready: &mpsc::Sender<io::Result<()>>,
) {
    let (id, mesh) = (place.id, place.mesh.clone());
    let _end = mesh.ending(Part::Shard(id));
    let opened = Ring::new(started).and_then(|ring| {
        mesh.inbox(id).set_bell(ring.bell()?);
        Ok(ring.on_a_core_of_its_own(own_core))
    });
    match opened {
        Ok(ring) => {
            let shard = Shard::new(place, dialect(id), ring);
            let begun = || drop(ready.send(Ok(()))); // nobody waits only if another shard failed
            if let Err(error) = round::serve(shard, begun) {
                tracing::error!(%error, shard = id.local(), "a shard can't go on");
            }
        }
        Err(error) => drop(ready.send(Err(error))),
    }
}
