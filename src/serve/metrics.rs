//! Who counts in this process: what is listed here is what the metrics endpoint shows.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use metrics::{Gauge, LabelledGauge, Registry};
use muster::{
    backoffice::{broker::Broker, http, runner},
    config::Config,
    engine,
    lobbies::LobbyMetrics,
    lobby::faf,
    log,
};

use super::{neighbours, office::Progress, process::Process};

metrics::metrics! {
    /// What the server says of itself.
    pub(super) struct Service {
        /// The running server: its version, when it started, and the last game's number then.
        build: LabelledGauge(1) =
            Sum "build_info" { version, python_version, start_time, game_uid };
        /// Connections that the server takes at one time, which may be fewer than the configuration allows.
        connections: Gauge = Sum "muster_connections_limit";
        /// Whether a broker is configured: 1 if there is one.
        broker: Gauge = Sum "muster_broker_configured";
        /// Whether the server is going to end and waits for running games: 1 if it does.
        draining: Gauge = Sum "muster_draining";
        /// Whether every shard has answered of late when it was asked whether it still does anything: 1 if so.
        shards_alive: Gauge = Sum "muster_shards_alive";
        /// When the certificate expires that clients with TLS are shown: time since 1970-01-01 UTC; 0 if there is none.
        certificate_expiry: Gauge = Sum "muster_tls_certificate_expiry_seconds";
        /// Whether the files of the certificate can't be used and an older one is shown: 1 if so.
        certificate_unusable: Gauge = Sum "muster_tls_certificate_unusable";
    }
}

impl Service {
    /// A server that may have so many connections.
    pub(super) fn new(connections: usize, config: &Config) -> Arc<Self> {
        let service = Service::default();
        service.connections.set(connections as f64);
        service.configured(config);
        Arc::new(service)
    }

    /// What the configuration says, at the start or when it was read again.
    pub(super) fn configured(&self, config: &Config) {
        let broker = config.broker.url.is_some();
        self.broker.set(f64::from(u8::from(broker)));
    }

    /// The server is ready to serve.
    pub(super) fn started(&self, last_game: u32) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let started = faf::iso8601(now.unwrap_or_default()); // 2026-11-24T06:30:00…
        let started = format!("{} {}", &started[5..10], &started[11..16]);
        let labels = [
            env!("CARGO_PKG_VERSION"),
            "none",
            &started,
            &last_game.to_string(),
        ];
        self.build.of(&labels).set(1.0);
        self.shards_alive.set(1.0);
    }
}

/// Everybody who counts.
pub(super) struct Counting<'a> {
    /// By shard; last, what is counted before a connection has one.
    pub(super) engine: &'a [Arc<engine::Metrics>],
    pub(super) lobbies: &'a LobbyMetrics,
    pub(super) offices: Vec<Arc<runner::Metrics>>,
    pub(super) progress: &'a Progress,
    pub(super) broker: Arc<Broker>,
    /// Of a node among others.
    pub(super) neighbours: Option<neighbours::Counts>,
    pub(super) log: Arc<log::Metrics>,
    pub(super) http: Arc<http::Counts>,
    pub(super) service: Arc<Service>,
}

impl Counting<'_> {
    /// What is shown of them.
    pub(super) fn registry(self) -> Registry {
        let mut registry = Registry::default();
        if let Some((acceptor, shards)) = self.engine.split_last() {
            registry.add_shards(shards);
            registry.add("none", acceptor.clone());
        }
        self.lobbies.add_to(&mut registry);
        for office in self.offices {
            registry.add("none", office);
        }
        registry.add("none", self.progress.store.clone());
        registry.add("none", self.progress.spool.clone());
        registry.add("none", self.progress.keys.clone());
        registry.add("none", self.progress.mail.clone());
        registry.add("none", self.progress.vitals.clone());
        registry.add("none", self.broker);
        if let Some((cluster, letters)) = self.neighbours {
            registry.add("none", cluster);
            registry.add("none", letters);
        }
        registry.add("none", self.log);
        registry.add("none", self.http);
        let last_game = self.progress.first_game.load(Ordering::Acquire);
        self.service.started(last_game);
        registry.add("none", self.service);
        registry.add("none", Arc::<Process>::default());
        registry
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use metrics::{Combination, Definition, Kind};

    use super::*;

    fn definitions() -> Vec<(&'static Definition, Kind)> {
        let counting = Counting {
            engine: &[Arc::default(), Arc::default()],
            lobbies: &LobbyMetrics::new(1),
            offices: vec![Arc::default()],
            progress: &Progress::default(),
            broker: Arc::new(Broker::new(1)),
            neighbours: Some((Arc::default(), Arc::default())),
            log: Arc::default(),
            http: Arc::default(),
            service: Arc::default(),
        };
        counting.registry().definitions()
    }

    /// As the text format has them: https://prometheus.io/docs/concepts/data_model.
    fn is_name(name: &str) -> bool {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(known)
    }

    #[test]
    fn every_metric_is_explained_and_well_named() {
        for (definition, kind) in definitions() {
            let Definition {
                name, help, labels, ..
            } = definition;
            assert!(is_name(name), "{name}");
            assert!(help.split_whitespace().count() > 3, "{name}: {help}");
            assert!(
                help.ends_with('.') && !help.contains('\n'),
                "{name}: {help}"
            );
            assert!(kind != Kind::Counter || name.ends_with("_total"), "{name}");
            let mut names: Vec<&str> = labels.iter().map(|label| label.name).collect();
            assert!(
                names.iter().all(|name| is_name(name) && *name != "le"),
                "{name}: {names:?}"
            );
            let own = definition.combination == Combination::PerShard;
            names.extend(own.then_some("shard"));
            let different: BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!(different.len(), names.len(), "{name}: {names:?}");
        }
    }

    /// Only what differs in a label that is always the same may share a name, and nothing else may differ then.
    #[test]
    fn every_name_means_one_thing() {
        type Meaning = (&'static str, Kind, Combination, Vec<&'static str>);
        let mut meanings: BTreeMap<&str, Meaning> = BTreeMap::new();
        let mut series = BTreeMap::new();
        for (definition, kind) in definitions() {
            let labels = definition.labels.iter();
            let meaning = (
                definition.help,
                kind,
                definition.combination,
                labels.clone().map(|label| label.name).collect(),
            );
            let known = meanings.entry(definition.name).or_insert(meaning.clone());
            assert_eq!(*known, meaning, "{}", definition.name);
            let fixed: Vec<_> = labels.map(|label| label.fixed).collect();
            let known = *series.entry((definition.name, fixed)).or_insert(definition);
            assert!(
                std::ptr::eq(known, definition),
                "{} is twice there",
                definition.name
            );
        }
        assert!(meanings.len() > 100, "{} names", meanings.len());
    }
}
