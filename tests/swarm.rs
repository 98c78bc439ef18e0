//! The load tester against the real server: that players of the matchmaker, whatever they do, end idle and rated; and that
//! workers in processes of their own do what one does.

mod support;

use std::{
    process::{Command as Process, Stdio},
    sync::Arc,
};

use clap::Parser as _;
use support::{
    script::Transport,
    server::{Backend, Server, Setup},
};
use swarm::cli::{Command, CommandLine};

/// Starts a server whose queues pop every second or two, and has a queue for teams of four.
fn server_of_searchers(shards: u16) -> Server {
    let set: Vec<String> = [
        "faf.auth=open",
        "faf.tick_ms=100",
        "matchmaking.pop_longest_s=1",
        "matchmaking.pop_shortest_s=0.5",
        "matchmaking.setup_s=4",
        "matchmaking.setup_per_guest_s=0.5",
        // Players who don't know each other's strength yet are good company here.
        "matchmaking.newbie_time_bonus=3",
        "matchmaking.violations_enabled=false",
    ]
    .map(str::to_owned)
    .into();
    // A queue for teams of four besides those of the test data, whose maps everybody may play.
    let sql = [
        "INSERT INTO matchmaker_queue (id, technical_name, featured_mod_id, leaderboard_id, name_key, team_size) \
         VALUES (70, 'tmm4v4', 1, 1, 'matchmaker.tmm4v4', 4)",
        "INSERT INTO matchmaker_queue_map_pool (id, matchmaker_queue_id, map_pool_id) VALUES (70, 70, 3)",
    ]
    .map(str::to_owned);
    Server::start(&Setup {
        backend: Backend::Sqlite,
        shards,
        set: &set,
        sql: &sql,
    })
    .expect("the server starts")
}

/// The options of searchers who play there.
fn searchers(server: &Server, options: &str) -> String {
    let address = server.address(Transport::Json).expect("it listens");
    format!(
        "--profile matchmaking --port-json {} --grace 25s --quiet --threads 1 {options}",
        address.port()
    )
}

/// How many rows of matches and of changed ratings there are.
fn played(server: &Server) -> [u64; 2] {
    ["matchmaker_queue_game", "leaderboard_rating_journal"].map(|table| {
        let query = format!("SELECT CAST(COUNT(*) AS CHAR) FROM {table}");
        let rows = server.database.rows(&query).expect("a count");
        rows[0].parse().expect("a number")
    })
}

/// Lets these clients play against such a server; gives what they saw, and how many rows of matches and of changed ratings
/// there are then.
fn matchmaking(shards: u16, options: &str) -> (swarm::report::Report, [u64; 2]) {
    let server = server_of_searchers(shards);
    let line = format!("swarm run {}", searchers(&server, options));
    let Command::Run(arguments) = CommandLine::try_parse_from(line.split_whitespace())
        .expect("the command line is in order")
        .command
    else {
        unreachable!("it is `run`");
    };
    let report = swarm::run(arguments.plan().expect("a sound plan")).expect("the run works");
    (report, played(&server))
}

// checklist: faf 382, 394
#[test]
fn players_of_the_matchmaker_end_idle_and_rated() {
    let (report, [games, ratings]) = matchmaking(2, "-n 40 -d 12s --seed 3");
    println!("{report}");
    assert_eq!(report.failures(), [""; 0], "{report}");
    assert!(report.count("matches_opened") >= 10, "{report}");
    assert!(
        report.count("played") >= 20 && report.count("rated") >= 20,
        "{report}"
    );
    assert!(report.count("vanished") >= 1, "{report}");
    assert!(report.latency("match_wait").is_some());
    assert!(report.figures()["match_quality"] > 0.0, "{report}");
    assert!(games >= 5, "{games} rows of matches");
    assert!(
        ratings >= report.count("rated"),
        "{ratings} rows of ratings"
    );
}

/// Tells a process of this test program that it is a worker, and of whom.
const LEAD: &str = "MUSTER_TEST_SWARM_LEAD";

/// No test, but the worker that the next one starts.
#[test]
fn a_worker() {
    let Ok(lead) = std::env::var(LEAD) else {
        return;
    };
    let line = ["swarm", "join", "--lead", &lead];
    let Command::Join(options) = CommandLine::try_parse_from(line)
        .expect("the command line is in order")
        .command
    else {
        unreachable!("it is `join`");
    };
    let joining = options.joining().expect("a sound address");
    swarm::fleet::join(&joining, &Arc::default()).expect("it takes part");
}

#[test]
fn two_workers_lose_nothing_of_any_lobby() {
    let set: Vec<String> = [
        "faf.auth=open",
        "faf.tick_ms=100",
        "cockatrice.enabled=true",
        "cockatrice.tcp_address=127.0.0.1:0",
        "cockatrice.websocket_address=127.0.0.1:0",
        "vcmi_json.enabled=true",
        "vcmi_json.tcp_address=127.0.0.1:0",
        "vcmi_json.http_address=",
    ]
    .map(str::to_owned)
    .into();
    let server = Server::start(&Setup {
        backend: Backend::Sqlite,
        shards: 2,
        set: &set,
        sql: &[],
    })
    .expect("the server starts");
    let json = server.address(Transport::Json).expect("it listens").port();
    let port = |name: &str| server.listener(name).expect("it listens").port();
    let (vcmi, vcmi2) = (port("vcmi"), port("vcmi-json"));
    let (cockatrice, websocket) = (port("cockatrice/tcp"), port("cockatrice/websocket"));
    for (options, counts) in [
        (
            format!("--port-json {json} --profile watch --hosts 3"),
            &[("changes", 43), ("logins", 20)][..],
        ),
        (
            format!("--port-json {json} --profile lobby --hosts 3"),
            &[("changes", 43), ("logins", 20)],
        ),
        (
            format!("--port-json {json} --profile ice"),
            &[("ice_sent", 40), ("ice_received", 40)],
        ),
        (
            format!("--protocol vcmi --port-vcmi {vcmi} --games 2"),
            &[("chat_lines", 40), ("deliveries", 40 * 20), ("games", 2)],
        ),
        (
            format!("--protocol vcmi2 --port-vcmi2 {vcmi2} --matches 2 --rooms 2 --room-rate 5"),
            &[
                ("chat_lines", 40),
                ("chat_lost", 0),
                ("games", 2),
                ("room_steps", 10),
            ],
        ),
        (
            format!("--protocol cockatrice --port-cockatrice {cockatrice} --tables 2"),
            &[("chat_lines", 40), ("chat_lost", 0)],
        ),
        (
            format!(
                "--protocol cockatrice --transport mixed --port-cockatrice {cockatrice} \
                 --port-cockatrice-websocket {websocket} --tables 2 --table-spectators 1"
            ),
            &[("chat_lines", 40), ("chat_lost", 0), ("logins", 26)],
        ),
        (
            format!(
                "--protocol cockatrice --server ws://127.0.0.1:{websocket}/servatrice --tables 2"
            ),
            &[("chat_lines", 40), ("chat_lost", 0), ("logins", 24)],
        ),
    ] {
        let report = on_two_workers(&options);
        assert_eq!(report.failures(), [""; 0], "{options}: {report}");
        for (name, count) in counts {
            assert_eq!(report.count(name), *count, "{name} of {options}: {report}");
        }
    }
}

/// Twenty clients at forty things a second, for a second.
fn on_two_workers(options: &str) -> swarm::report::Report {
    on_workers(
        2,
        &format!("-n 20 --rate 40 -d 1s --grace 20s --threads 1 --quiet {options}"),
    )
}

#[test]
fn players_of_a_match_may_be_of_different_workers() {
    let server = server_of_searchers(2);
    let options = searchers(&server, "-n 60 -d 10s --seed 5");
    let report = on_workers(3, &options);
    let [games, ratings] = played(&server);
    println!("{report}");
    assert_eq!(report.failures(), [""; 0], "{report}");
    assert!(games >= 8, "{games} rows of matches");
    // Every match that was played had all of its players told to start, most of them by several workers.
    assert!(report.count("matches_opened") >= games, "{report}");
    assert!(report.figures()["match_quality"] > 0.0, "{report}");
    assert!(
        ratings >= report.count("rated"),
        "{ratings} rows of ratings"
    );
    assert!(report.count("played") >= 40, "{report}");
    let waits = report.latency("match_wait").expect("they have searched");
    let searches = report.count("matched") + report.count("unmatched");
    assert_eq!(waits.len(), searches, "{report}");
}

/// A run on so many workers, each a process.
fn on_workers(count: usize, options: &str) -> swarm::report::Report {
    let line = format!("swarm run --workers {count} --listen 127.0.0.1:0 {options}");
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let Command::Run(arguments) = CommandLine::try_parse_from(&words)
        .expect("the command line is in order")
        .command
    else {
        unreachable!("it is `run`");
    };
    let plan = arguments.plan().expect("a sound plan");
    let gathering = arguments.fleet.gathering(&plan, &words[1..]);
    let gathering = gathering.expect("a free port").expect("it has workers");
    let lead = gathering.address().expect("it listens").to_string();
    let workers: Vec<_> = (0..count)
        .map(|_| {
            let program = std::env::current_exe().expect("this program");
            Process::new(program)
                .args(["--exact", "a_worker"])
                .env(LEAD, &lead)
                .stdout(Stdio::null())
                .spawn()
                .expect("it starts")
        })
        .collect();
    let report = swarm::fleet::lead(plan, gathering).expect("the run works");
    for mut worker in workers {
        assert!(worker.wait().expect("it ends").success(), "{report}");
    }
    report
}
