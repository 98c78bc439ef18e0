//! Reading the configuration again, and what takes effect at once (spec: faf-lifecycle 16).

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use muster::{
    backoffice::{broker::BrokerSettings, http::page::Page},
    config::{Config, Sources},
    lobbies::Router,
};
use tokio::{signal::unix::Signal, sync::watch};

use super::{
    ctl::Controlled, endpoints::Endpoints, folder::Claim, metrics::Service, office::Renewal,
    orders::Current, outside, page, systemd, tls::Shown,
};

/// Everything that can be changed while the server runs.
pub(super) struct Reload<'a> {
    /// "Read it again."
    pub(super) hangup: Signal,
    /// Among it the same order, by an administrator of a lobby or `muster ctl`.
    pub(super) controlled: Controlled,
    pub(super) sources: Sources,
    pub(super) current: Current,
    pub(super) broker: watch::Sender<Option<BrokerSettings>>,
    pub(super) offices: Renewal,
    pub(super) endpoints: &'a mut Endpoints,
    pub(super) service: Arc<Service>,
    pub(super) claim: Rc<Claim>,
    /// The last game number that was given out.
    pub(super) last_game: Arc<AtomicU32>,
    pub(super) page: Page,
    pub(super) shown: Option<Shown>,
}

/// How often it is looked whether the ports are free.
const RELEASE_CHECK: Duration = Duration::from_millis(5);

impl Reload<'_> {
    /// Reads the files again now and then, on SIGHUP, and when an administrator wants it. Never ends; may be dropped at any await.
    pub(super) async fn run(&mut self) {
        loop {
            let period = self.current.borrow().server.config_refresh;
            tokio::select! {
                () = pause(period) => {}
                _ = self.hangup.recv() => {}
                () = self.controlled.orders.reload.notified() => {}
                () = self.controlled.orders.release.notified() => {
                    let done = self.release().await;
                    let is_done = done.is_ok();
                    self.controlled.orders.released.send_replace(Some(done));
                    if is_done {
                        return std::future::pending().await; // what is configured from now on is the next server's
                    }
                    continue;
                }
            }
            systemd::reloading();
            self.read_again().await;
            if let Some(shown) = &mut self.shown {
                shown.look_again(&self.current.borrow().server.tls, &self.service);
            }
            systemd::ready("serving");
        }
    }

    /// Gives ports and data folder up, so that the next server can start.
    ///
    /// # Errors
    /// In words; then all of it stays.
    async fn release(&mut self) -> Result<(), String> {
        let last_game = self.last_game.load(Ordering::Acquire);
        let released = self.claim.release(last_game);
        released.map_err(|error| format!("the data folder can't be given up: {error}"))?;
        tracing::info!("ports and data folder are the next server's from now on");
        let mesh = &self.controlled.mesh;
        mesh.release_ports();
        self.endpoints.close().await;
        while !mesh.has_released_ports() {
            tokio::time::sleep(RELEASE_CHECK).await;
        }
        Ok(())
    }

    async fn read_again(&mut self) {
        let new = match Config::load(&self.sources) {
            Ok(new) => new,
            Err(error) => {
                tracing::error!(%error, "the configuration stays as it was");
                return;
            }
        };
        // The token may be another one though its file is not.
        if let Err(error) = page::admit(&self.page, &new.http) {
            tracing::error!("{error:#}; the live page's token stays as it was");
        }
        // Its address may have been taken at the start, and be free by now.
        self.endpoints.move_page(&new.http).await;
        let changes = self.current.borrow().changes(&new);
        if changes.is_empty() {
            tracing::debug!("the configuration is unchanged");
            return;
        }
        for note in &new.notes {
            tracing::warn!("{note}");
        }
        for change in &changes {
            let (key, value) = (change.key.name, &change.value);
            if change.key.live {
                tracing::info!(key, value, "changed");
            } else {
                tracing::warn!(key, value, "changed: takes effect at the next start");
            }
        }
        self.apply(new).await;
    }

    async fn apply(&mut self, new: Config) {
        (self.controlled.level)(&new.log.level);
        let broker = outside::broker_settings(&new);
        self.service.configured(&new);
        self.broker.send_if_modified(|known| {
            let changed = *known != broker;
            *known = broker;
            changed
        });
        if self.current.borrow().http.page != new.http.page {
            page::warn_of_strangers(&self.page, &new.http);
        }
        self.endpoints.move_to(&new.http).await;
        self.offices.configured(&new);
        for notice in Router::renewed(&new.lobbies) {
            self.controlled.mesh.tell(|| notice.clone());
        }
        *self.current.borrow_mut() = new;
    }
}

async fn pause(period: Option<Duration>) {
    match period {
        Some(period) => tokio::time::sleep(period).await,
        None => std::future::pending().await,
    }
}
