//! Signals, and the orderly end (spec: faf-lifecycle 14).

use std::time::Duration;

use muster::{
    config::Config,
    engine::Mesh,
    lobby::{Stopping, faf::Faf},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often an orderly stop looks whether the last game has ended.
const DRAIN_CHECK: Duration = Duration::from_millis(50);

/// Until the process may end: signals, then the drain (spec: faf-lifecycle 14).
pub(super) async fn wait(config: &Config, mesh: &Mesh<Faf>) -> anyhow::Result<()> {
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
