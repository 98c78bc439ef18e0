//! The io_uring shell around a dialect: shards, connections, outboxes, fan-out, timers, mesh, admission.
//!
//! One shard is one pinned thread with one glommio executor and its own state; shards share nothing but the [`Mesh`].
//! Generic over the dialect: nothing here knows a game or a player. Only this layer touches sockets.
//!
//! | file | what it is |
//! |---|---|
//! | `shard` | one shard's state: turns and how their effects are carried out |
//! | `flush` | the same shard's writing |
//! | `connection` | the task of one connection: reads, and writes what the shard could not |
//! | `table` | a shard's connections by slot |
//! | `relay` | two connections that are relayed to each other |
//! | `outbox` | what is due to one client, in one write |
//! | `fanout` | the broadcasts of one flush |
//! | `sender` | writing to sockets; all unsafe code |
//! | `mesh` | mail between shards |
//! | `listener` | listening sockets |
//! | `timers`, `admission`, `counters` | what they say |

mod admission;
mod connection;
mod counters;
mod fanout;
mod flush;
mod listener;
mod mesh;
mod outbox;
mod relay;
mod sender;
mod shard;
mod table;
mod timers;

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    rc::Rc,
    sync::{Arc, mpsc},
    task::Poll,
    time::{Duration, Instant},
};

use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement, timer::Timer};

pub use admission::AddressLimits;
pub use counters::{Counter, Counters, HANDLING_BOUNDS_S, Handling};
pub use listener::{ListenerSettings, OutboxLimits};
pub use mesh::{INBOX_HIGH, Inbound, Mesh};
pub use relay::Half;

use crate::{
    lobby::{Dialect, ShardId, Ticket},
    wire::ReadLimits,
};
use connection::Shell;
use shard::Shard;

/// Longest that the end of the process waits for clients to read our last words (spec: faf-lifecycle 14), and for what
/// the dialects still have to hand on.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How often the end looks whether they have.
const LAST_WORDS_CHECK: Duration = Duration::from_millis(5);

/// Hands a question to the back office without ever waiting; gives it back if there is no room.
pub type Asker<D> = Arc<
    dyn Fn(ShardId, Ticket, <D as Dialect>::Ask) -> Result<(), <D as Dialect>::Ask> + Send + Sync,
>;

/// Hands an event to the broker without ever waiting; false if it was dropped.
pub type Publisher<D> = Arc<dyn Fn(<D as Dialect>::Event) -> bool + Send + Sync>;

/// The ways out of a shard that are not sockets.
pub struct Outside<D: Dialect> {
    /// Questions to the back office.
    pub ask: Asker<D>,
    /// Events for the broker.
    pub publish: Publisher<D>,
}

impl<D: Dialect> Clone for Outside<D> {
    fn clone(&self) -> Self {
        Outside {
            ask: self.ask.clone(),
            publish: self.publish.clone(),
        }
    }
}

impl<D: Dialect> std::fmt::Debug for Outside<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outside")
    }
}

/// Everything the engine is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads, each with its own share of the connections.
    pub shards: u16,
    /// Each thread stays on one core.
    pub pin: bool,
    /// Where to listen.
    pub listeners: Vec<ListenerSettings>,
    /// Limits on what is read.
    pub read: ReadLimits,
    /// Most connections of one shard.
    pub connections: usize,
    /// Limits on one address, on one shard.
    pub address_limits: AddressLimits,
    /// Time for the PROXY header and the WebSocket upgrade.
    pub handshake: Duration,
    /// Makes chance repeatable.
    pub seed: Option<u64>,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    /// Name and real address of each listener.
    pub addresses: Vec<(String, SocketAddr)>,
    /// What each shard counts.
    pub counters: Vec<Arc<Counters>>,
    threads: Vec<ExecutorJoinHandle<()>>,
}

impl Engine {
    /// Opens the listeners, starts the shards, and returns when all of them accept connections.
    ///
    /// # Errors
    /// An address that can't be listened on, or io_uring that is not allowed.
    pub fn start<D: Dialect>(
        settings: Settings,
        mesh: Arc<Mesh<D>>,
        outside: Outside<D>,
        dialect: impl Fn(ShardId) -> D + Send + Sync + 'static,
    ) -> io::Result<Engine> {
        let started = Instant::now();
        let mut addresses = Vec::new();
        let mut sockets: Vec<Vec<_>> = (0..settings.shards).map(|_| Vec::new()).collect();
        for listener in &settings.listeners {
            let opened = listener::bind(listener, settings.shards).map_err(|e| {
                io::Error::new(
                    e.kind(),
                    format!("{} on {}: {e}", listener.name, listener.address),
                )
            })?;
            addresses.push((listener.name.clone(), opened[0].local_addr()?));
            for (shard, socket) in opened.into_iter().enumerate() {
                sockets[shard].push(socket);
            }
        }
        let cpus = allowed_cpus();
        let settings = Arc::new(settings);
        let dialect = Arc::new(dialect);
        let (ready, is_ready) = mpsc::channel();
        let mut threads = Vec::new();
        let mut all_counters = Vec::new();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let id = ShardId(index as u16);
            let counters = Arc::new(Counters::default());
            all_counters.push(counters.clone());
            let placement = match cpus.get(index) {
                Some(&cpu) if settings.pin && usize::from(settings.shards) <= cpus.len() => {
                    Placement::Fixed(cpu)
                }
                _ => Placement::Unbound,
            };
            let (settings, mesh, outside) = (settings.clone(), mesh.clone(), outside.clone());
            let (dialect, ready) = (dialect.clone(), ready.clone());
            let thread = LocalExecutorBuilder::new(placement)
                .name(&format!("shard-{index}"))
                .io_memory(1 << 20) // for files; sockets never use it
                .spawn(move || async move {
                    match Shard::new(
                        id,
                        dialect(id),
                        settings.clone(),
                        mesh.clone(),
                        outside,
                        counters,
                        started,
                    ) {
                        Ok(shard) => run_shard(shard, sockets, &settings, &mesh, ready).await,
                        Err(error) => drop(ready.send(Err(error))),
                    }
                    mesh.set_ended(id);
                })
                .map_err(|error| io::Error::other(error.to_string()))?;
            threads.push(thread);
        }
        for _ in &threads {
            is_ready
                .recv()
                .map_err(|_| io::Error::other("a shard ended while starting"))??;
        }
        Ok(Engine {
            addresses,
            counters: all_counters,
            threads,
        })
    }

    /// Waits for every shard's thread to end.
    pub fn join(self) {
        for thread in self.threads {
            if let Err(error) = thread.join() {
                tracing::error!(%error, "a shard's thread ended badly");
            }
        }
    }
}

/// The executor's main task: everything of a shard from its first turn to its last connection.
async fn run_shard<D: Dialect>(
    shard: Shard<D>,
    sockets: Vec<std::net::TcpListener>,
    settings: &Settings,
    mesh: &Arc<Mesh<D>>,
    ready: mpsc::Sender<io::Result<()>>,
) {
    let id = shard.id;
    let shell = Shell::new(shard);
    shell.shard.borrow_mut().run(Shard::start);
    glommio::spawn_local(run_timers(shell.clone())).detach();
    for (socket, listener) in sockets.into_iter().zip(&settings.listeners) {
        glommio::spawn_local(listener::accept(
            shell.clone(),
            socket,
            Rc::new(listener.clone()),
        ))
        .detach();
    }
    let _ = ready.send(Ok(())); // nobody waits any more only if another shard failed
    drain_until_end(&shell, mesh, id).await;
    let deadline = Instant::now() + LAST_WORDS;
    while !shell.shard.borrow().is_done() && Instant::now() < deadline {
        Timer::new(LAST_WORDS_CHECK).await;
        shell.shard.borrow_mut().run(|_| ());
    }
    shell.shard.borrow().report();
}

/// Takes in mail whenever the shard was asleep, until the process is to end.
async fn drain_until_end<D: Dialect>(shell: &Shell<D>, mesh: &Mesh<D>, id: ShardId) {
    poll_fn(|cx| {
        let mut shard = shell.shard.borrow_mut();
        shard.run(|_| ());
        if shard.ending {
            return Poll::Ready(());
        }
        if !mesh.inbox(id).sleep(cx.waker()) {
            cx.waker().wake_by_ref(); // more has come: after the others had their turn
        }
        Poll::Pending
    })
    .await;
}

/// Wakes the shard at its deadlines.
async fn run_timers<D: Dialect>(shell: Rc<Shell<D>>) {
    let mut armed: Option<(Duration, Timer)> = None;
    poll_fn(|cx| {
        loop {
            let next = {
                let mut shard = shell.shard.borrow_mut();
                if shard.timers.next().is_some_and(|at| at <= shard.mono()) {
                    shard.run(Shard::wake_due);
                    cx.waker().wake_by_ref(); // others first, even if the next is due already
                    return Poll::Pending;
                }
                shard.timer_waker = Some(cx.waker().clone());
                shard
                    .timers
                    .next()
                    .map(|at| (at, at.saturating_sub(shard.mono())))
            };
            let Some((at, left)) = next else {
                armed = None;
                return Poll::<()>::Pending;
            };
            let (armed_at, timer) = armed.get_or_insert_with(|| (at, Timer::new(left)));
            if *armed_at != at {
                armed = None;
                continue;
            }
            match std::pin::Pin::new(timer).poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(_) => armed = None,
            }
        }
    })
    .await;
}

/// Cores this process may run on.
fn allowed_cpus() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .unwrap_or_default();
    list.trim().split(',').flat_map(cpu_range).collect()
}

fn cpu_range(range: &str) -> Vec<usize> {
    let mut ends = range.splitn(2, '-').map(|end| end.trim().parse::<usize>());
    match (ends.next(), ends.next()) {
        (Some(Ok(first)), Some(Ok(last))) => (first..=last).collect(),
        (Some(Ok(only)), None) => vec![only],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_read() {
        assert_eq!(cpu_range("0-3"), [0, 1, 2, 3]);
        assert_eq!(cpu_range("7"), [7]);
        assert_eq!(cpu_range(""), Vec::<usize>::new());
    }
}
