//! The broker at the server's side: its settings, and what becomes of what it says.

use std::sync::Arc;

use muster::{
    backoffice::broker::{BrokerSettings, Incoming, Listener},
    config::Config,
    engine::Mesh,
    lobbies::{Of, Router},
    lobby::faf::news::News,
};

/// What the configuration says of the broker; `None`: there is none.
pub(super) fn broker_settings(config: &Config) -> Option<BrokerSettings> {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    Some(BrokerSettings {
        url: config.broker.url.clone()?,
        exchange: config.broker.exchange.clone(),
        name: format!("muster on {host}"),
        host,
    })
        confirm: config.broker.confirm,
}

/// Passes what the broker says on to the shards.
pub(super) struct ToShards {
    pub(super) mesh: Arc<Mesh<Router>>,
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
