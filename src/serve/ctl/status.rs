//! How the server is, out of what it counts anyway.

use std::time::Instant;

use muster::control_socket::Status;

use super::Controlled;
use crate::serve::figures::Figures;

/// So full that there is something to do.
const NEARLY: f64 = 0.9;
/// So many games that wait for the store are more than a moment's.
const MANY_GAMES: u64 = 100;

/// When the server was there.
#[derive(Debug)]
pub(super) struct Started {
    at: Instant,
}

impl Started {
    pub(super) fn now() -> Started {
        Started { at: Instant::now() }
    }

    pub(super) fn status(
        &self,
        controlled: &Controlled,
        figures: &Figures,
        drains_in_s: Option<u64>,
    ) -> Status {
        let whole = |name: &str| figures.whole(name);
        let is_on = |name: &str| figures.is_on(name);
        let mut status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            phase: controlled.phase.get().word().to_owned(),
            uptime_s: self.at.elapsed().as_secs(),
            drains_in_s,
            shards: controlled.mesh.shards(),
            connections: figures.connections(),
            connections_limit: whole("muster_connections_limit"),
            faf_players: whole("server_user_online"),
            games_to_settle: whole("server_rating_service_backlog"),
            broker: is_on("muster_broker_configured").then(|| is_on("muster_broker_connected")),
            cpu_s: figures.sum("process_cpu_seconds_total"),
            resident_bytes: whole("process_resident_memory_bytes"),
            panics: whole("muster_panics_total"),
            warnings: Vec::new(),
        };
        status.warnings = warnings(&status, is_on("muster_shards_alive"));
        if is_on("muster_cluster_island") {
            let text = "this node has lost touch with the others of its lobby";
            status.warnings.push(text.to_owned());
        }
        status
    }
}

fn warnings(status: &Status, alive: bool) -> Vec<String> {
    let full = status.connections as f64 > NEARLY * status.connections_limit as f64;
    let found = [
        (
            status.phase != "ready",
            format!("the server is {}", status.phase),
        ),
        (!alive, "a shard does nothing any more".to_owned()),
        (
            status.broker == Some(false),
            "the broker takes nothing".to_owned(),
        ),
        (full, "nearly as many are connected as may be".to_owned()),
        (
            status.games_to_settle > MANY_GAMES,
            format!("{} games wait for the store", status.games_to_settle),
        ),
        (
            status.panics > 0,
            format!("{} turns have panicked", status.panics),
        ),
    ];
    let found = found.into_iter();
    found
        .filter_map(|(is_so, words)| is_so.then_some(words))
        .collect()
}
