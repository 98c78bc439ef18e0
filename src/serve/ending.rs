//! Signals, and the end: an orderly one (spec: faf-lifecycle 14), or that of a server which has lost a part of itself.

use std::{cell::Cell, io, sync::Arc, time::Duration};

use muster::{
    backoffice::http::health::Phase, control_socket, engine::Mesh, lobbies::Router, lobby::Stopping,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep, timeout},
};

use super::{
    metrics::Service,
    orders::{Current, Orders},
    shards::{Eviction, Shards},
    systemd,
};

/// How often an orderly stop looks whether the last game has ended.
const DRAIN_CHECK: Duration = Duration::from_millis(50);
/// How often a server that has been released looks whether the next one is there, and then who is in no game.
const SUCCESSOR_CHECK: Duration = Duration::from_millis(250);
const IDLE_CHECK: Duration = Duration::from_secs(1);
/// How long what still runs may take to end in the sight of clients. All that must not be lost of it is on disk long before; a
/// store that hangs is not waited for.
const OUTCOME: Duration = Duration::from_secs(5);
/// How long other nodes have to take over what this one does for all.
const HAND_OVER: Duration = Duration::from_secs(10);
/// How often it is looked whether every part is alive.
const LOSS_CHECK: Duration = Duration::from_millis(250);
/// Time for the shards to say good-bye where the process ends for want of something.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A stray signal is told at most this often.
const STRAY_EVERY: Duration = Duration::from_secs(1);
/// Signals that would end the process and mean nothing to it, and what is said of them. With a handler, unlike one that is
/// ignored, whatever the server starts has them as they were.
const STRAYS: [(i32, &str); 8] = [
    (libc::SIGUSR2, "USR2"),
    (libc::SIGALRM, "ALRM"),
    (libc::SIGVTALRM, "VTALRM"),
    (libc::SIGPROF, "PROF"),
    (libc::SIGIO, "IO"),
    (libc::SIGPWR, "PWR"),
    (libc::SIGSTKFLT, "STKFLT"),
    (libc::SIGXFSZ, "XFSZ"),
];

/// Hears those that mean nothing, so that they end nothing. To be called inside a runtime.
fn hear_strays() -> io::Result<()> {
    for (number, name) in STRAYS {
        let mut stray = signal(SignalKind::from_raw(number))?;
        tokio::spawn(async move {
            while stray.recv().await.is_some() {
                match number {
                    // The write has failed with EFBIG, which is handled where it was made.
                    libc::SIGXFSZ => tracing::error!(
                        "a file can't grow: it has reached the limit of this process (LimitFSIZE, ulimit -f)"
                    ),
                    _ => tracing::warn!(signal = name, "a signal that means nothing here"),
                }
                sleep(STRAY_EVERY).await;
            }
        });
    }
    Ok(())
}

/// The signals that mean something to the server. From when this is made on none of them ends the process by itself; one
/// that comes before somebody listens is heard then.
pub(crate) struct Signals {
    pub(super) hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    counters: Signal,
}

impl Signals {
    /// Begins to heed them, and to let those pass that mean nothing. To be called inside a runtime.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn heed() -> io::Result<Signals> {
        hear_strays()?;
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            counters: signal(SignalKind::user_defined1())?,
        })
    }
}

/// How far the life of the server is, and the metric of it.
#[derive(Debug)]
pub(super) struct Stage {
    phase: Cell<Phase>,
    service: Arc<Service>,
}

impl Stage {
    /// It is starting.
    pub(super) fn new(service: Arc<Service>) -> Stage {
        Stage {
            phase: Cell::new(Phase::Starting),
            service,
        }
    }

    /// Where it is now.
    pub(super) fn get(&self) -> Phase {
        self.phase.get()
    }

    /// It goes on.
    pub(super) fn set(&self, phase: Phase) {
        self.phase.set(phase);
        let draining = phase == Phase::Draining;
        self.service.draining.set(f64::from(u8::from(draining)));
    }
}

/// Those of them that concern the end.
pub(super) struct Stops {
    terminate: Signal,
    interrupt: Signal,
    counters: Signal,
}

impl Signals {
    /// Until one comes that ends the process. May be dropped at any time.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Those for the end, and the one for the configuration.
    pub(super) fn split(self) -> (Stops, Signal) {
        let stops = Stops {
            terminate: self.terminate,
            interrupt: self.interrupt,
            counters: self.counters,
        };
        (stops, self.hangup)
    }
}

impl Stops {
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Until somebody does not want to wait any longer for what running games, or other nodes, still do. Gives who.
    async fn hurry(&mut self, orders: &Orders) -> &'static str {
        tokio::select! {
            () = self.stop() => "second signal",
            () = orders.stop.notified() => "an administrator has ordered the end",
        }
    }

    /// Ends what still runs, and whoever it concerns hears so; then everybody at once.
    async fn end_at_once(&mut self, mesh: &Mesh<Router>) {
        tokio::select! {
            () = end_work(mesh) => {}
            () = self.stop() => tracing::warn!("another signal: not waiting for anything"),
        }
        mesh.stop(Stopping::Now);
    }

    /// Until the process may end: signals, then the drain.
    pub(super) async fn wait(
        &mut self,
        current: Current,
        mesh: &Arc<Mesh<Router>>,
        connections: impl Fn() -> u64,
        phase: &Stage,
        (orders, retire): (&Orders, &dyn Fn()),
    ) {
        loop {
            tokio::select! {
                () = orders.stop.notified() => {
                    // Everybody was told long before.
                    tracing::info!("stopping at once, as an administrator has ordered");
                    phase.set(Phase::Draining);
                    systemd::stopping("ending at once");
                    return self.end_at_once(mesh).await;
                }
                () = orders.drain.notified() => break,
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.counters.recv() => mesh.report(),
            }
        }
        phase.set(Phase::Draining);
        let grace = current.borrow().server.stopping.grace;
        tracing::info!(
            grace_s = grace.as_secs(),
            "stopping: waiting for running games"
        );
        systemd::stopping("waiting for running games");
        retire(); // other nodes take over what one does for all
        mesh.stop(Stopping::Drain);
        tokio::select! {
            biased;
            () = until(|| mesh.all_handed_over()) => {}
            who = self.hurry(orders) => {
                tracing::warn!("{who}: not waiting for other nodes to take over");
                return self.end_at_once(mesh).await;
            }
            () = sleep(HAND_OVER) => tracing::warn!(
                "no other node has asked for what this one did for all: some of it is lost"
            ),
        }
        let sending = async {
            match orders.has_released() {
                true => send_idle_on(&current, mesh).await,
                false => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = sending => {} // it never ends
            () = until(|| mesh.all_idle()) => tracing::info!("no game is running any more"),
            who = self.hurry(orders) => {
                tracing::warn!("{who}: not waiting any longer");
                return self.end_at_once(mesh).await;
            }
            () = sleep(grace) => tracing::warn!("the grace period is over"),
        }
        tokio::select! {
            () = evict(&current, mesh, connections) => {}
            () = self.stop() => tracing::warn!("second signal: ending everybody at once"),
        }
        mesh.stop(Stopping::Now);
    }
}

/// Until all shards say so; they do after the turn in which they heard of the drain.
async fn until(all: impl Fn() -> bool) {
    while !all() {
        sleep(DRAIN_CHECK).await;
    }
}

/// Sends whoever is in no game to the server that has taken this one's place, once that one serves, some at a time; and whoever
/// comes out of a game later. Before that nobody would take them. Never ends.
async fn send_idle_on(current: &Current, mesh: &Arc<Mesh<Router>>) {
    let socket = control_socket::path(&current.borrow().server.data_dir);
    while !socket.exists() {
        sleep(SUCCESSOR_CHECK).await;
    }
    tracing::info!("the next server is there: whoever is in no game is sent to it");
    let shards = Shards::of(mesh.clone());
    loop {
        let per_s = current.borrow().server.stopping.evicted_per_s;
        shards.end_idle(per_s).await;
        sleep(IDLE_CHECK).await;
    }
}

/// Ends what still runs, and waits until clients have heard what comes of that.
async fn end_work(mesh: &Mesh<Router>) {
    mesh.stop(Stopping::Evict);
    let heard = timeout(OUTCOME, until(|| mesh.all_silent()));
    if heard.await.is_err() {
        tracing::warn!("not everybody has heard what has become of their game: it takes too long");
    }
}

/// Ends what still runs, then all connections, some at a time.
async fn evict(current: &Current, mesh: &Arc<Mesh<Router>>, connections: impl Fn() -> u64) {
    end_work(mesh).await;
    let per_s = current.borrow().server.stopping.evicted_per_s;
    let shards = Shards::of(mesh.clone());
    Eviction::of(&shards, connections(), per_s).run().await;
}

/// This server is none of its lobby any more: what it serves somebody else does by now, and its clients are to go there. As an
/// orderly end that waits for no game. Gives back why.
pub(super) async fn displaced(
    why: anyhow::Error,
    current: &Current,
    mesh: &Arc<Mesh<Router>>,
    connections: impl Fn() -> u64,
    phase: &Stage,
) -> anyhow::Error {
    tracing::error!("{why:#}: everybody is sent away, and the process ends");
    phase.set(Phase::Draining);
    systemd::stopping("sending everybody away");
    evict(current, mesh, connections).await;
    mesh.stop(Stopping::Now);
    last_words(mesh).await;
    why
}

/// Waits until every shard has ended, or has had its time.
async fn last_words(mesh: &Mesh<Router>) {
    let _ = timeout(LAST_WORDS, until(|| mesh.all_ended())).await; // they have had their time
}

/// Until `lost` says that a part of the server has ended which nobody told to. Then nothing of it can be relied on, and those
/// who are on the other shards are told good-bye.
pub(super) async fn loss(
    lost: impl Fn() -> Option<String>,
    mesh: &Mesh<Router>,
    phase: &Stage,
) -> anyhow::Error {
    let lost = loop {
        match lost() {
            Some(lost) => break lost,
            None => sleep(LOSS_CHECK).await,
        }
    };
    phase.set(Phase::Failed);
    tracing::error!(%lost, "a part of the server has ended: so does the process");
    mesh.stop(Stopping::Now);
    last_words(mesh).await;
    anyhow::anyhow!("{lost} has ended by itself; the log says why")
}
