//! Whether every part of the server still does something. A shard that has ended is noticed elsewhere (`ending`); this is for
//! one that hangs: the health endpoint says so, and a service manager with a watchdog starts the server anew.

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use muster::{engine::Mesh, lobbies::Router};
use tokio::time::{Instant, sleep};

use super::{metrics::Service, systemd};

/// How often every shard is asked, at least.
const EVERY: Duration = Duration::from_secs(5);
/// Questions within the time after which the service manager gives up, so that a late answer does not end the server.
const WITHIN_WATCHDOG: u32 = 4;
/// A shard that has not answered for this long hangs. The longest turns take a second or two.
const HANGS: Duration = Duration::from_secs(30);

/// What is known of the shards' lives.
#[derive(Debug)]
pub(super) struct Pulse {
    hangs: Cell<bool>,
    service: Arc<Service>,
}

impl Pulse {
    /// All is well.
    pub(super) fn new(service: Arc<Service>) -> Pulse {
        Pulse {
            hangs: Cell::new(false),
            service,
        }
    }

    /// Some shard hangs.
    pub(super) fn is_lost(&self) -> bool {
        self.hangs.get()
    }

    /// Asks now and then. Never ends.
    pub(super) async fn watch(self: Rc<Self>, mesh: Arc<Mesh<Router>>) {
        let watchdog = systemd::watchdog().map(|limit| limit / WITHIN_WATCHDOG);
        let every = watchdog.map_or(EVERY, |pause| pause.min(EVERY));
        let mut last_answer = Instant::now();
        loop {
            mesh.ask_pulse();
            sleep(every).await;
            let Some(shard) = mesh.without_pulse() else {
                last_answer = Instant::now();
                self.service.shards_alive.set(1.0);
                if self.hangs.replace(false) {
                    tracing::warn!("every shard does something again");
                }
                systemd::alive();
                continue;
            };
            if last_answer.elapsed() >= HANGS && !self.hangs.replace(true) {
                self.service.shards_alive.set(0.0);
                tracing::error!(shard = shard.local(), "a shard does nothing any more");
            }
        }
    }
}
