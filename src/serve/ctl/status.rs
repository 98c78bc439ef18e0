//! How the server is, out of what it counts anyway.

use std::time::Instant;

use muster::{backoffice::http::health::Judge, control_socket::Status};

use super::Controlled;
use crate::serve::{figures::Figures, tls};

/// So full that there is something to do.
const NEARLY: f64 = 0.9;
/// So many games that wait for the store are more than a moment's.
const MANY_GAMES: u64 = 100;

/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

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
            phase: controlled.judging.phase().word().to_owned(),
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
            is_critical: false,
            warnings: Vec::new(),
        };
        let judging = &controlled.judging;
        let spoken: Vec<&str> = {
            let lobbies = super::lobbies_that_are_on(&controlled.current.borrow());
            lobbies.iter().map(|(lobby, _)| *lobby).collect()
        };
        let mut failing = judging.progress.vitals.failing_stores();
        failing.retain(|lobby| spoken.contains(lobby));
        let found = findings(&status, figures, &judging.wanting(), &failing);
        status.is_critical = found.iter().any(|(weight, _)| *weight == Weight::Critical);
        status.warnings = found.into_iter().map(|(_, words)| words).collect();
        status
    }
}

/// What something that was found means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// There is something to look at.
    Warning,
    /// Nobody is served, or nobody can sign in to a lobby.
    Critical,
}

/// What is to be looked at. `wanting` is why the server does not serve as it should, `failing` are the lobbies whose stores do not.
fn findings(
    status: &Status,
    figures: &Figures,
    wanting: &[String],
    failing: &[&str],
) -> Vec<(Weight, String)> {
    use Weight::{Critical, Warning};
    let mut found = Vec::new();
    match status.phase.as_str() {
        "ready" => {}
        "island" => {} // what is wanting says more
        "draining" => found.push((Warning, "the server is draining".to_owned())),
        phase => found.push((Critical, format!("the server is {phase}"))),
    }
    found.extend(wanting.iter().map(|words| (Warning, words.clone())));
    for lobby in failing {
        let words = format!("the store of {lobby} takes nothing: nobody can sign in there");
        found.push((Critical, words));
    }
    found.extend(certificate(figures));
    let full = status.connections as f64 > NEARLY * status.connections_limit as f64;
    let plain = [
        (
            figures.is_on("muster_spool_failing"),
            "the disk takes nothing: the results of games that end now are in memory only"
                .to_owned(),
        ),
        (
            !figures.is_on("muster_shards_alive"),
            "a shard does nothing any more".to_owned(),
        ),
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
    let plain = plain.into_iter().filter(|(is_so, _)| *is_so);
    found.extend(plain.map(|(_, words)| (Warning, words)));
    found
}

/// What is wrong with the certificate that clients are shown, if one is shown.
fn certificate(figures: &Figures) -> Option<(Weight, String)> {
    let expires_s = figures.sum("muster_tls_certificate_expiry_seconds");
    let left_s = expires_s - figures.unix.as_secs_f64();
    let days = (left_s / DAY_S).floor();
    if expires_s > 0.0 && left_s <= 0.0 {
        let words = "the certificate has expired: clients with TLS do not trust it";
        Some((Weight::Critical, words.to_owned()))
    } else if figures.is_on("muster_tls_certificate_unusable") {
        let words = "the new certificate can't be used, and the old one is shown";
        let soon = (expires_s > 0.0).then(|| format!(" for {days} days at the most"));
        Some((
            Weight::Warning,
            words.to_owned() + &soon.unwrap_or_default(),
        ))
    } else if expires_s > 0.0 && days < tls::WARNED_DAYS as f64 {
        Some((
            Weight::Warning,
            format!("the certificate expires within {} days", days + 1.0),
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use metrics::{Gauge, Registry};

    use super::*;

    metrics::metrics! {
        /// What a server shows of itself that is looked at here.
        struct Shown {
            /// Whether every shard still does something.
            alive: Gauge = Sum "muster_shards_alive";
            /// When the certificate expires that is shown.
            expiry: Gauge = Sum "muster_tls_certificate_expiry_seconds";
            /// Whether a newer certificate can't be used.
            unusable: Gauge = Sum "muster_tls_certificate_unusable";
            /// Whether the disk takes nothing.
            spool: Gauge = Sum "muster_spool_failing";
        }
    }

    fn found(
        change: impl FnOnce(&Shown, f64),
        phase: &str,
        failing: &[&str],
    ) -> Vec<(Weight, String)> {
        let shown = Arc::<Shown>::default();
        shown.alive.set(1.0);
        let mut registry = Registry::default();
        registry.add("none", shown.clone());
        let now: Duration = Figures::of(&registry).unix;
        change(&shown, now.as_secs_f64());
        let status = Status {
            phase: phase.to_owned(),
            connections_limit: 9,
            ..Status::default()
        };
        findings(&status, &Figures::of(&registry), &[], failing)
    }

    #[test]
    fn nothing_is_found_where_all_is_well() {
        assert_eq!(found(|_, _| {}, "ready", &[]), []);
        let well = |shown: &Shown, now: f64| shown.expiry.set(now + 8.5 * DAY_S);
        assert_eq!(found(well, "ready", &[]), []);
    }

    #[test]
    fn what_keeps_people_out_is_critical_and_the_rest_a_warning() {
        let one = |found: Vec<(Weight, String)>| {
            assert_eq!(found.len(), 1, "{found:?}");
            found.into_iter().next().unwrap()
        };
        let (weight, words) = one(found(|_, _| {}, "ready", &["faf"]));
        assert_eq!(weight, Weight::Critical);
        assert!(words.contains("store of faf"), "{words}");
        for (phase, expected) in [
            ("starting", Weight::Critical),
            ("stopped", Weight::Critical),
            ("failed", Weight::Critical),
            ("draining", Weight::Warning),
        ] {
            assert_eq!(one(found(|_, _| {}, phase, &[])).0, expected, "{phase}");
        }
        let full = |shown: &Shown, _: f64| shown.spool.set(1.0);
        assert_eq!(one(found(full, "ready", &[])).0, Weight::Warning);
        let soon = |shown: &Shown, now: f64| shown.expiry.set(now + 1.5 * DAY_S);
        let (weight, words) = one(found(soon, "ready", &[]));
        assert_eq!(weight, Weight::Warning);
        assert!(words.ends_with("within 2 days"), "{words}");
        let over = |shown: &Shown, now: f64| shown.expiry.set(now - 1.0);
        assert_eq!(one(found(over, "ready", &[])).0, Weight::Critical);
        let unusable = |shown: &Shown, now: f64| {
            shown.unusable.set(1.0);
            shown.expiry.set(now + 90.5 * DAY_S);
        };
        let (weight, words) = one(found(unusable, "ready", &[]));
        assert_eq!(weight, Weight::Warning);
        assert!(words.ends_with("for 90 days at the most"), "{words}");
    }
}
