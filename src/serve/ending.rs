//! Signals, and the orderly end (spec: faf-lifecycle 14).

use std::time::Duration;

use muster::{engine::Mesh, lobbies::Router, lobby::Stopping};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::reload::Current;

/// How often an orderly stop looks whether the last game has ended.
const DRAIN_CHECK: Duration = Duration::from_millis(50);

/// Until the process may end: signals, then the drain.
pub(super) async fn wait(current: Current, mesh: &Mesh<Router>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut counters = signal(SignalKind::user_defined1())?;
    loop {
        tokio::select! {
            () = stop_signal(&mut terminate, &mut interrupt) => break,
            _ = counters.recv() => mesh.report(),
        }
    }
    let grace = current.borrow().server.stopping.grace;
    tracing::info!(
        grace_s = grace.as_secs(),
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
        biased;
        () = drained => tracing::info!("no game is running any more"),
        () = stop_signal(&mut terminate, &mut interrupt) => tracing::warn!("second signal: not waiting any longer"),
        () = tokio::time::sleep(grace) => tracing::warn!("the grace period is over"),
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
