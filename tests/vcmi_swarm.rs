//! The load tester against the real VCMI lobby, small: nothing is lost, games are relayed, and the figures are there.

#[path = "support/mod.rs"]
mod support;

use clap::Parser as _;
use support::server::{Backend, Server, Setup};
use swarm::cli::{Command, CommandLine};

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
        let line = format!(
            "swarm run --protocol vcmi --port-vcmi {} -n 20 --games 3 --rate 40 -d 1s --grace 20s --threads {shards} \
             --quiet --slo chat_p99<10s,lost=0,relay_round_trip_p50>0us",
            server.listener("vcmi").unwrap().port()
        );
        let Command::Run(arguments) = CommandLine::try_parse_from(line.split_whitespace())
            .unwrap()
            .command
        else {
            unreachable!("it is `run`");
        };
        let plan = arguments.plan().unwrap();
        let report = swarm::run(plan.clone()).unwrap();
        println!("{report}");
        assert!(report.failures().is_empty(), "{report}");
        assert_eq!(report.violations(&plan.goals), []);
        let figure = |name: &str| report.figures()[name];
        assert_eq!(figure("chat_lines"), 40.0);
        assert_eq!(figure("chat_deliveries"), 800.0);
        assert_eq!(figure("games"), 3.0);
        assert!(figure("relayed_bytes") > 1e6, "{report}");
        assert!(figure("relay_round_trip_p50_us") > 0.0 && figure("chat_p99_us") > 0.0);
    }
}
