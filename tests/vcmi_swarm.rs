//! The load tester against the real VCMI lobby, small: nothing is lost, games are relayed, and the figures are there.

#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use support::server::{Backend, Server, Setup};

/// checklist: vcmi 102
#[test]
fn a_small_swarm_loses_nothing() {
    for shards in 1..=2 {
        let server = Server::start(&Setup {
            backend: Backend::Sqlite,
            shards,
            set: &[],
            sql: &[],
        })
        .unwrap();
        let report = swarm::vcmi::run(swarm::vcmi::Plan {
            server: server.listener("vcmi").unwrap(),
            server_pid: None,
            users: 20,
            games: 3,
            rate: 40.0,
            duration: Duration::from_secs(1),
            grace: Duration::from_secs(20),
        })
        .unwrap();
        assert!(report.failures().is_empty(), "{report}");
        let figure = |name: &str| report.figures()[name];
        assert_eq!(figure("chat_lines"), 40.0);
        assert_eq!(figure("chat_deliveries"), 800.0);
        assert_eq!(figure("games"), 3.0);
        assert!(figure("relayed_bytes") > 1e6, "{report}");
        assert!(figure("relay_round_trip_p50_us") > 0.0 && figure("chat_p99_us") > 0.0);
    }
}
