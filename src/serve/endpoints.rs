//! The HTTP endpoints: where each listens, and what it serves.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use muster::{
    backoffice::{
        http::{self, Counts, Handler},
        settings::Http,
    },
    settings::HostAddress,
};
use tokio::{
    net::lookup_host,
    sync::watch,
    task::{JoinHandle, spawn_local},
};

/// A running endpoint.
pub(super) struct Endpoint {
    name: &'static str,
    wanted: HostAddress,
    address: Option<SocketAddr>,
    change: watch::Sender<Option<SocketAddr>>,
    task: JoinHandle<()>,
}

impl Endpoint {
    /// Listens, if it is to, and serves from now on.
    pub(super) async fn open(
        name: &'static str,
        wanted: HostAddress,
        handler: Handler,
        counts: &Arc<Counts>,
    ) -> anyhow::Result<Endpoint> {
        let resolved = resolve(wanted).await?;
        let listener = match resolved {
            Some(address) => Some(http::bind(name, address).await?),
            None => None,
        };
        let address = listener.as_ref().map(|listener| listener.local_addr());
        let (change, changed) = watch::channel(resolved);
        Ok(Endpoint {
            name,
            wanted,
            address: address.transpose()?,
            change,
            task: spawn_local(http::keep(name, listener, changed, handler, counts.clone())),
        })
    }

    /// The same for one that players don't need: where it can't listen, the server does without it until the configuration is
    /// read again.
    async fn open_or_do_without(
        name: &'static str,
        wanted: HostAddress,
        handler: Handler,
        counts: &Arc<Counts>,
    ) -> anyhow::Result<Endpoint> {
        match Endpoint::open(name, wanted, handler.clone(), counts).await {
            Ok(endpoint) => Ok(endpoint),
            Err(error) => {
                tracing::warn!("{error:#}; the server runs without it");
                Endpoint::open(name, HostAddress::Off, handler, counts).await
            }
        }
    }

    /// Its name and the real address it was opened on.
    pub(super) fn listening(&self) -> Option<(&'static str, SocketAddr)> {
        Some((self.name, self.address?))
    }

    /// Listens elsewhere, if that is another place.
    pub(super) async fn move_to(&mut self, wanted: HostAddress) {
        if wanted == self.wanted {
            return;
        }
        match resolve(wanted).await {
            Ok(address) => {
                self.wanted = wanted;
                self.change.send_replace(address);
            }
            Err(error) => tracing::warn!("{}: {error:#}; it stays where it was", self.name),
        }
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        drop(self.change);
        if let Err(error) = self.task.await {
            tracing::error!(%error, name = self.name, "an endpoint ended badly");
        }
    }
}

/// All of them.
pub(super) struct Endpoints {
    control: Endpoint,
    health: Endpoint,
    metrics: Endpoint,
    page: Endpoint,
    /// Of VCMI's JSON lobby, if that is there.
    vcmi_json: Option<Endpoint>,
}

impl Endpoints {
    /// Opens those that are to be there, beside the one for health and that of VCMI's JSON lobby.
    pub(super) async fn open(
        (health, vcmi_json): (Endpoint, Option<Endpoint>),
        [control, metrics, page]: [Handler; 3],
        wanted: &Http,
        counts: &Arc<Counts>,
    ) -> anyhow::Result<Endpoints> {
        Ok(Endpoints {
            control: Endpoint::open("http/control", wanted.control, control, counts).await?,
            health,
            metrics: Endpoint::open("http/metrics", wanted.metrics, metrics, counts).await?,
            page: Endpoint::open_or_do_without("http/page", wanted.page, page, counts).await?,
            vcmi_json,
        })
    }

    /// Name and real address of each that is open.
    pub(super) fn listening(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let all = [&self.control, &self.health, &self.metrics, &self.page];
        let all = all.into_iter().chain(&self.vcmi_json);
        all.filter_map(Endpoint::listening)
    }

    /// Listens where the configuration says now.
    pub(super) async fn move_to(&mut self, wanted: &Http) {
        self.control.move_to(wanted.control).await;
        self.health.move_to(wanted.health).await;
        self.metrics.move_to(wanted.metrics).await;
        self.move_page(wanted).await;
    }

    /// The same for the live page alone.
    pub(super) async fn move_page(&mut self, wanted: &Http) {
        self.page.move_to(wanted.page).await;
    }

    /// Listens nowhere any more.
    pub(super) async fn close(&mut self) {
        let all = [
            &mut self.control,
            &mut self.health,
            &mut self.metrics,
            &mut self.page,
        ];
        for endpoint in all.into_iter().chain(&mut self.vcmi_json) {
            endpoint.move_to(HostAddress::Off).await;
        }
    }

    /// Ends them; the last is the one that says whether the server is there.
    pub(super) async fn stop(self) {
        if let Some(vcmi_json) = self.vcmi_json {
            vcmi_json.stop().await;
        }
        self.control.stop().await;
        self.page.stop().await;
        self.metrics.stop().await;
        self.health.stop().await;
    }
}

/// The address meant; a host's own name may stand for several, the first one counts.
async fn resolve(wanted: HostAddress) -> anyhow::Result<Option<SocketAddr>> {
    match wanted {
        HostAddress::Off => Ok(None),
        HostAddress::Fixed(address) => Ok(Some(address)),
        HostAddress::Host(port) => {
            let host = gethostname::gethostname().to_string_lossy().into_owned();
            let mut found = lookup_host((host.as_str(), port))
                .await
                .with_context(|| format!("this host's name, {host}, has no address"))?;
            Ok(found.next())
        }
    }
}
