//! The load tester against VCMI's real JSON lobby, small: nothing is lost, guests come and go in rooms, matches are relayed both ways,
//! and the figures are there.

#[path = "support/mod.rs"]
mod support;

use clap::Parser as _;
use support::server::{Backend, Server, Setup};
use swarm::cli::{Command, CommandLine};
use swarm::report::Report;

fn server(shards: u16) -> Server {
    let set = [
        "vcmi_json.enabled=true",
        "vcmi_json.tcp_address=127.0.0.1:0",
        "vcmi_json.http_address=127.0.0.1:0",
    ];
    Server::start(&Setup {
        backend: Backend::Sqlite,
        shards,
        set: &set.map(str::to_owned),
        sql: &[],
    })
    .expect("the server starts")
}

/// A run of clients of this lobby that must not fail, and meets its goals.
fn swarm(server: &Server, options: &str) -> Report {
    let port = server.listener("vcmi-json").expect("it listens").port();
    let line =
        format!("swarm run --protocol vcmi2 --port-vcmi2 {port} --grace 30s --quiet {options}");
    let Command::Run(arguments) = CommandLine::try_parse_from(line.split_whitespace())
        .expect("the command line is in order")
        .command
    else {
        unreachable!("it is `run`");
    };
    let plan = arguments.plan().expect("a sound plan");
    let report = swarm::run(plan.clone()).expect("the run works");
    println!("{report}");
    assert_eq!(report.failures(), [""; 0], "{report}");
    assert_eq!(report.violations(&plan.goals), [], "{report}");
    report
}

#[test]
fn users_rooms_and_matches_lose_nothing() {
    for shards in 1..=2 {
        let server = server(shards);
        let report = swarm(
            &server,
            &format!(
                "-n 20 --rooms 2 --room-rate 10 --matches 3 --rate 40 -d 2s --threads {shards} \
                 --slo chat_p99<10s,lost=0,relay_round_trip_p50>0us,room_join_p99<20s,relay_mb_per_s_and_way>0"
            ),
        );
        // Users, and both players of each room and each match, hear every line.
        assert_eq!(report.count("chat_lines"), 80, "{report}");
        assert_eq!(report.latency("chat").map(|all| all.len()), Some(80 * 30));
        // Twenty steps of each in two seconds: three rooms from beginning to end, and the fourth is opened.
        assert_eq!(report.count("room_steps"), 40, "{report}");
        assert_eq!(report.count("rooms_opened"), 2 * 4, "{report}");
        let steps = ["login", "open", "invite", "join", "leave", "close"];
        let seen = steps.map(|step| {
            let all = report.latency(&format!("room_{step}"));
            all.map_or(0, |all| all.len())
        });
        assert_eq!(seen, [8, 8, 6, 6, 6, 6], "{report}");
        assert_eq!(report.count("games"), 3, "{report}");
        assert_eq!(report.count("relays_unequal"), 0, "{report}");
        assert!(report.count("relayed_bytes") > 2_000_000, "{report}");
    }
}

#[test]
fn sign_ins_at_once_and_at_a_rate_are_all_let_in() {
    let server = server(2);
    let report = swarm(&server, "--profile login -n 60 --threads 2");
    assert_eq!(report.count("logins"), 60, "{report}");
    // Sixty accounts, each of which signs in twice: with a new account, and with the cookie it got.
    let report = swarm(&server, "--profile churn -n 30 --rate 30 -d 2s");
    assert_eq!(report.count("logins"), 60, "{report}");
}
