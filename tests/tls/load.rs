//! The load tester over TLS, small, and a storm of handshakes beside a player.

use clap::Parser as _;
use swarm::cli::{Command, CommandLine};

use crate::server;

/// A run that must go well.
fn run(line: &str) -> swarm::report::Report {
    let words = line.split_whitespace();
    let Command::Run(arguments) = CommandLine::try_parse_from(words).unwrap().command else {
        unreachable!("it is `run`");
    };
    let plan = arguments.plan().unwrap();
    let report = swarm::run(plan.clone()).unwrap();
    assert!(report.failures().is_empty(), "{report}");
    assert_eq!(report.violations(&plan.goals), [], "{report}");
    report
}

#[test]
fn a_small_swarm_of_each_lobby_loses_nothing() {
    let (server, folder) = server(&["faf.auth=open"]);
    let ca = folder.path().join("chain.pem");
    let common = format!(
        "-n 20 --rate 40 -d 1s --grace 20s --threads 1 --quiet --server localhost --tls --tls-ca {}",
        ca.display()
    );
    let port = |name: &str| server.listener(name).unwrap().port();
    let json = port("faf/json/tls");
    run(&format!(
        "swarm run --profile lobby --port-json {json} {common} --slo lost=0"
    ));
    let vcmi = port("vcmi/tls");
    let report = run(&format!(
        "swarm run --protocol vcmi --port-vcmi {vcmi} --games 3 {common} --slo lost=0"
    ));
    assert!(report.figures()["relayed_bytes"] > 1e6, "{report}");
    let cockatrice = port("cockatrice/tcp/tls");
    let report = run(&format!(
        "swarm run --protocol cockatrice --port-cockatrice {cockatrice} --tables 3 --table-rate 10 {common} --slo lost=0"
    ));
    assert!(report.figures()["moves"] >= 3.0, "{report}");
}
