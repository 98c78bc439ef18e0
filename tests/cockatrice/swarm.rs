//! The load tester against the real lobby, small: nothing is lost, nothing refused, and no hidden card is told.

use ::swarm::cli::{Command, CommandLine};
use clap::Parser as _;

use super::server;

#[test]
fn a_small_swarm_loses_nothing_and_learns_no_secret() {
    for shards in 1..=2 {
        let server = server(shards);
        let line = format!(
            "swarm run --protocol cockatrice --port-cockatrice {} -n 20 --tables 3 --table-spectators 1 --table-rate 10 \
             --rate 40 -d 1s --grace 20s --threads {shards} --quiet --slo chat_p99<10s,card_move_p99<10s,lost=0",
            server.listener("cockatrice/tcp").unwrap().port()
        );
        let Command::Run(arguments) = CommandLine::try_parse_from(line.split_whitespace())
            .unwrap()
            .command
        else {
            unreachable!("it is `run`");
        };
        let plan = arguments.plan().unwrap();
        let report = ::swarm::run(plan.clone()).unwrap();
        println!("{report}");
        assert!(report.failures().is_empty(), "{report}");
        assert_eq!(report.violations(&plan.goals), []);
        let figure = |name: &str| report.figures()[name];
        assert_eq!(figure("chat_lines"), 40.0);
        assert!(figure("moves") >= 3.0, "{report}");
        assert!(figure("chat_p99_us") > 0.0 && figure("card_move_p99_us") > 0.0);
    }
}
