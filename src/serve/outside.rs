//! The broker at the server's side: its settings, what waits for it on disk, and what becomes of what it says.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use muster::{
    backoffice::broker::{Broker, BrokerSettings, Incoming, Listener, Outbox},
    config::Config,
    engine::Mesh,
    lobbies::{Of, Router},
    lobby::faf::{events, news::News},
};
use tokio::{
    sync::watch,
    task::{JoinHandle, spawn_local},
};

use super::folder::Left;

/// The folder of a journal that events are in.
const EVENTS: &str = "events";

/// What the configuration says of the broker; `None`: there is none.
pub(super) fn broker_settings(config: &Config) -> Option<BrokerSettings> {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    Some(BrokerSettings {
        url: config.broker.url.clone()?,
        exchange: config.broker.exchange.clone(),
        name: format!("muster on {host}"),
        host,
        confirm: config.broker.confirm,
    })
}

/// The running way to the broker.
pub(super) struct Link {
    pub(super) broker: Arc<Broker>,
    /// Events that the broker does not have yet, on disk.
    pub(super) outbox: Arc<Outbox>,
    task: JoinHandle<()>,
    republishing: Option<JoinHandle<()>>,
}

impl Link {
    /// Begins to connect, as often as it takes; settings that are sent take the place of those there are.
    ///
    /// # Errors
    /// The folder of events can't be read.
    pub(super) fn open(
        config: &Config,
        journal: &Path,
        mesh: &Arc<Mesh<Router>>,
    ) -> anyhow::Result<(Link, watch::Sender<Option<BrokerSettings>>)> {
        let (broker, outbox) = broker(config, journal)?;
        let (settings, wanted) = watch::channel(broker_settings(config));
        let (running, mesh) = (broker.clone(), mesh.clone());
        let link = Link {
            broker,
            outbox,
            task: spawn_local(async move { running.run(wanted, ToShards { mesh }).await }),
            republishing: None,
        };
        Ok((link, settings))
    }

    /// Publishes what an earlier process has left there, once there is a broker, and what is left in another journal, once that
    /// is nobody's.
    pub(super) fn republish(&mut self, left: Left) {
        let (broker, outbox) = (self.broker.clone(), self.outbox.clone());
        self.republishing = Some(spawn_local(async move {
            let publish = |event| broker.publish(event);
            outbox.republish(|| broker.has_room(), publish).await;
            let adopt = async |theirs: &Path| outbox.adopt(theirs).await;
            if left.adopted(EVENTS, adopt).await.is_some() {
                outbox.republish(|| broker.has_room(), publish).await;
            }
        }));
    }

    /// Ends it, when nobody has anything to publish any more.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        if let Some(republishing) = self.republishing {
            republishing.abort();
        }
        self.broker.close();
        self.task.await?;
        Ok(())
    }
}

/// The broker's place, and the folder of events that it does not have yet.
fn broker(config: &Config, journal: &Path) -> anyhow::Result<(Arc<Broker>, Arc<Outbox>)> {
    let folder = journal.join(EVENTS);
    let outbox = Outbox::open(&folder, config.broker.backlog, events::kept_key);
    let unread = || {
        format!(
            "events of an earlier run in {} can't be read",
            folder.display()
        )
    };
    let outbox = Arc::new(outbox.with_context(unread)?);
    // Known before anything is settled: the broker's task learns it at its first turn only.
    outbox.set_wanted(config.broker.url.is_some());
    let broker = Broker::new(config.broker.backlog)
        .with_outbox(outbox.clone())
        .expecting(config.broker.url.is_some());
    Ok((Arc::new(broker), outbox))
}

/// Passes what the broker says on to the shards.
struct ToShards {
    mesh: Arc<Mesh<Router>>,
}

impl Listener for ToShards {
    fn has_room(&self) -> bool {
        !self.mesh.congested()
    }

    fn hear(&self, heard: Incoming) {
        match heard {
            Incoming::Notify { to, body } => self.tell(|| News::Notify {
                to,
                body: body.clone(),
            }),
            Incoming::Avatar { player_id } => self.tell(|| News::AvatarChanged { player_id }),
        }
    }
}

impl ToShards {
    fn tell(&self, mut news: impl FnMut() -> News) {
        self.mesh.tell(|| Of::Faf(news()));
    }
}
