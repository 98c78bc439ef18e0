//! The whole load tester against a server of a hundred lines.

#[path = "against_a_stub/files.rs"]
mod files;
mod stub;
#[path = "against_a_stub/watching.rs"]
mod watching;

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser as _;
use serde_json::Value;
use stub::{Mood, stub};
use swarm::cli::{Command, CommandLine};
use swarm::plan::Plan;

/// Options of a run of the program that lasts for some seconds.
const WATCH: &str = "--profile watch --hosts 2 --rate 20";

fn plan(port: u16, more: &str) -> Plan {
    let line = format!(
        "swarm run --quiet --clients 20 --threads 2 --port-json {port} --ramp 1000 --duration 1s --grace 1s \
         --setup-timeout 2s --ping-every 200ms {more}"
    );
    let Command::Run(arguments) = CommandLine::try_parse_from(line.split_whitespace())
        .expect("valid")
        .command
    else {
        unreachable!("it is `run`");
    };
    arguments.plan().expect("a sound plan")
}

/// A plan whose run must not take as long as it could.
fn long_plan(port: u16, more: &str) -> Plan {
    let mut plan = plan(port, more);
    plan.duration = Duration::from_secs(60);
    plan.grace = Duration::from_secs(60);
    plan
}

#[test]
fn all_changes_arrive_and_closer_ones_coalesce() {
    let plan = plan(
        stub(Mood::Fine),
        "--profile watch --hosts 2 --rate 100 --slo broadcast_p99<1s,lost=0",
    );
    let report = swarm::run(plan.clone()).expect("the run works");
    assert_eq!(report.failures(), [""; 0], "{report}");
    assert_eq!(report.violations(&plan.goals), []);
    // 100 changes as scheduled, and a final one of each host.
    assert_eq!(report.count("changes"), 102);
    assert_eq!(
        report.count("deliveries") + report.count("coalesced"),
        102 * 18
    );
    // Fifty changes per second of a host and twenty ticks: most of them travel together.
    assert!(
        report.count("coalesced") > report.count("deliveries") / 2,
        "{report}"
    );
    assert!(
        report.count("pings_answered") >= 20 && report.latency("ping").is_some(),
        "{report}"
    );
    // A change waits for half a tick on average, and no longer than one on a machine with nothing else to do.
    assert!(report.figures()["broadcast_p50"] < 500_000.0, "{report}");
    assert_eq!(report.connected, 20);
}

#[test]
fn a_stall_counts_for_every_change_that_was_due_in_it() {
    let port = stub(Mood::Stalls);
    let goal = "--slo broadcast_p99<1s";
    let mut plan = plan(port, &format!("{WATCH} {goal}"));
    plan.duration = Duration::from_secs(5);
    plan.grace = Duration::from_secs(20);
    let report = swarm::run(plan.clone()).expect("the run works");
    assert_eq!(report.failures(), [""; 0], "{report}");
    let broadcast = report.latency("broadcast").expect("changes came");
    let delivered = report.latency("delivered").expect("changes came");
    // 100 changes to 18 watchers, of which 40 were due in the stall: 36 of them waited for more than 0.2 s.
    assert_eq!(broadcast.len(), 1800, "{report}");
    let waited = broadcast.count_between(200_000, u64::MAX);
    assert!((34 * 18..60 * 18).contains(&waited), "{waited}: {report}");
    assert!(broadcast.max() >= 1_900_000, "{report}");
    // What has come itself shows little of it.
    assert!(
        delivered.count_between(200_000, u64::MAX) < waited / 4,
        "{report}"
    );
    assert_eq!(report.violations(&plan.goals).len(), 1, "{report}");
}

#[test]
fn a_watcher_left_out_is_noticed() {
    let plan = plan(
        stub(Mood::ForgetsOne),
        "--profile watch --hosts 2 --rate 20 --slo lost=0",
    );
    let report = swarm::run(plan.clone()).expect("the run works");
    assert_eq!(report.count("lost"), 22, "{report}");
    // It has waited for each until the end, the patience of a second included.
    let broadcast = report.latency("broadcast").expect("changes came");
    assert_eq!(broadcast.len(), 20 * 18, "{report}");
    assert!(broadcast.max() >= 1_900_000, "{report}");
    assert_eq!(report.violations(&plan.goals).len(), 1);
    assert!(!report.failures().is_empty());
}

#[test]
fn refused_sign_ins_fail_the_run_with_their_reason() {
    let plan = plan(stub(Mood::Refuses), "--profile login --slo login_p99<1s");
    let report = swarm::run(plan.clone()).expect("the run ends");
    assert_eq!(report.count("login_failures"), 20, "{report}");
    assert!(
        report.to_string().contains("authentication_failed"),
        "{report}"
    );
    assert_eq!(report.violations(&plan.goals).len(), 1);
}

/// A run of these options alone.
fn run_of(line: &str) -> (swarm::report::Report, Plan) {
    let line = format!("swarm run --quiet --threads 1 --grace 1s {line}");
    let parsed = CommandLine::try_parse_from(line.split_whitespace());
    let Command::Run(arguments) = parsed.expect("valid").command else {
        unreachable!("it is `run`");
    };
    let plan = arguments.plan().expect("a sound plan");
    (swarm::run(plan.clone()).expect("the run ends"), plan)
}

#[test]
fn a_search_that_nobody_matches_meets_no_goal_and_passes_no_run() {
    let port = stub(Mood::Fine);
    let goals = "--slo match_wait_p99<60s --slo match_wait_max>1ms";
    let line = format!("--profile matchmaking -n 1 -d 1s --port-json {port} {goals}");
    let (report, plan) = run_of(&line);
    assert_eq!(report.count("unmatched"), 1, "{report}");
    let violations = report.violations(&plan.goals);
    let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
    let what = "match_wait_p99<60s violated: nothing was measured: 1 wait did not come to an end";
    // That it takes longer than a millisecond is known.
    assert_eq!(told, [what]);
    let verdict = report.verdict(&[]);
    assert!(verdict.contains("nobody was matched"), "{verdict}");
    assert!(
        report
            .to_string()
            .contains("match_wait: 1 of 1 did not come to an end"),
        "{report}"
    );
    let json = report.to_json(&plan.goals);
    assert_eq!(json["latency_us"]["match_wait"]["open"], 1);
}

#[test]
fn a_server_that_never_answers_what_was_asked_passes_no_run() {
    // Joiners are never let into a game, and nothing goes wrong with anything else.
    let (report, _) = run_of(&format!(
        "--profile lobby -n 20 -d 1s --port-json {}",
        stub(Mood::Fine)
    ));
    let failures = report.failures();
    assert_eq!(failures, ["nobody entered a game"], "{report}");
}

#[test]
fn churn_keeps_its_schedule() {
    let report =
        swarm::run(plan(stub(Mood::Fine), "--profile churn --rate 40")).expect("the run works");
    assert_eq!(report.failures(), [""; 0], "{report}");
    assert_eq!(report.count("logins"), 40, "{report}");
}

#[test]
fn nobody_listening_is_a_failure_not_a_hang() {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a port")
        .port();
    let begun = Instant::now();
    let error = swarm::run(plan(port, "--profile idle")).expect_err("nobody is there");
    let told = error.to_string();
    assert!(told.contains("no server for json can be reached"), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_rate_beyond_all_means_ends_at_once() {
    let begun = Instant::now();
    let port = stub(Mood::Fine);
    for options in ["watch --hosts 2 --rate 2e6", "churn --rate 30000"] {
        let plan = long_plan(port, &format!("--profile {options}"));
        let error = swarm::run(plan).expect_err("nobody can do that");
        assert!(error.to_string().contains("cannot be offered"), "{error:#}");
    }
    assert!(begun.elapsed() < Duration::from_secs(30));
    // That is said before the first connection.
    let error = swarm::run(long_plan(1, "--rate 1e9 --hosts 2")).expect_err("nobody can");
    assert!(error.to_string().contains("cannot be offered"), "{error:#}");
}

#[test]
fn a_server_that_dies_is_told_with_its_time_and_what_was_measured() {
    let begun = Instant::now();
    let plan = long_plan(stub(Mood::Dies), WATCH);
    let report = swarm::run(plan).expect("the run ends");
    let why = report.failures().first().expect("it has failed");
    let told = why.starts_with("the server closed all connections");
    assert!(told && !why.contains("before"), "{why}");
    assert!(report.count("deliveries") > 0, "{report}");
    assert_eq!(report.count("closed_by_server"), 20, "{report}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_churn_ends_with_its_server() {
    let begun = Instant::now();
    let mut plan = long_plan(stub(Mood::Leaves), "--profile churn --rate 20");
    plan.grace = Duration::from_secs(1);
    let report = swarm::run(plan).expect("the run ends");
    let why = report.failures().first().expect("it has failed");
    assert!(
        why.starts_with("the server closed all connections"),
        "{why}"
    );
    assert!(report.count("logins") > 0, "{report}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn an_interrupted_run_reports_what_was_measured() {
    let plan = long_plan(stub(Mood::Fine), WATCH);
    let interrupt = plan.interrupt.clone();
    let run = thread::spawn(move || swarm::run(plan).expect("the run ends"));
    thread::sleep(Duration::from_secs(4));
    interrupt.store(true, Ordering::Relaxed);
    let report = run.join().expect("no panic");
    assert!(report.failures()[0].starts_with("interrupted"), "{report}");
    assert_eq!(report.failures().len(), 1, "{report}");
    assert!(report.count("deliveries") > 0, "{report}");
    assert!(report.measured_us < 60_000_000 && report.measured_us > 0);
}

/// Starts the program itself.
fn program(port: u16, more: &str) -> Child {
    let options =
        format!("run --clients 20 --port-json {port} --ramp 1000 --grace 5s --threads 1 {more}");
    std::process::Command::new(env!("CARGO_BIN_EXE_swarm"))
        .args(options.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// Reads the program's output up to the first live line with changes that have arrived.
fn wait_for_load(program: &mut Child) -> BufReader<std::process::ChildStdout> {
    let mut output = BufReader::new(program.stdout.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("measure") || line.contains("- ms") {
        line.clear();
        assert!(output.read_line(&mut line).expect("text") > 0, "it ended");
    }
    output
}

fn signal(name: &str, program: &Child) {
    let pid = program.id().to_string();
    let status = std::process::Command::new("kill")
        .args([&format!("-{name}"), &pid])
        .status();
    assert!(status.expect("kill").success());
}

/// The rest of the output, and the exit code.
fn end(mut program: Child, output: BufReader<std::process::ChildStdout>) -> (Vec<String>, i32) {
    let lines = output.lines().map(|line| line.expect("text")).collect();
    let status = program.wait().expect("it ends");
    (lines, status.code().expect("no signal ended it"))
}

#[test]
fn a_late_load_tester_says_so_and_fails_if_that_is_asked_for() {
    let port = stub(Mood::Fine);
    for (strict, code) in [("", 0), ("--strict", 1)] {
        let mut program = program(port, &format!("{WATCH} -d 4s {strict}"));
        let output = wait_for_load(&mut program);
        signal("STOP", &program);
        thread::sleep(Duration::from_secs(1));
        signal("CONT", &program);
        let (lines, status) = end(program, output);
        let own = |line: &String| line.starts_with("the load tester's own lateness");
        assert!(lines.iter().any(own), "{lines:#?}");
        assert_eq!(status, code, "{lines:#?}");
        let verdict = lines.last().expect("a verdict");
        assert_eq!(verdict == "PASSED", code == 0, "{verdict}");
        assert_eq!(verdict.starts_with("FAILED: "), code != 0, "{verdict}");
    }
}

#[test]
fn ctrl_c_ends_the_run_and_not_its_report() {
    let folder = std::env::temp_dir().join(format!("swarm-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (json, hgrm) = (folder.join("out.json"), folder.join("out.hgrm"));
    let files = format!("--json {} --hgrm {}", json.display(), hgrm.display());
    for name in ["INT", "TERM"] {
        let mut program = program(stub(Mood::Fine), &format!("{WATCH} -d 60s {files}"));
        let output = wait_for_load(&mut program);
        signal(name, &program);
        let (lines, status) = end(program, output);
        assert_eq!(status, 1, "{lines:#?}");
        let verdict = lines.last().expect("a verdict");
        assert!(verdict.starts_with("FAILED: interrupted"), "{lines:#?}");
        let figures = std::fs::read(&json).expect("the figures");
        let figures: Value = serde_json::from_slice(&figures).expect("JSON");
        assert!(
            figures["failures"][0]
                .as_str()
                .is_some_and(|why| why.starts_with("interrupted"))
        );
        let broadcast = &figures["latency_us"]["broadcast"];
        let histogram = broadcast["histogram"].as_str().expect("a histogram");
        assert!(histogram.starts_with("HISTFAAA"), "{histogram}");
        let series = figures["series"].as_array().expect("seconds");
        let sum = |name: &str| -> u64 { series.iter().filter_map(|s| s[name].as_u64()).sum() };
        assert_eq!(
            Some(sum("deliveries")),
            figures["counts"]["deliveries"].as_u64()
        );
        assert_eq!((sum("logins"), sum("errors")), (20, 0));
        assert!(series.iter().any(|second| second["p99_us"].is_u64()));
        assert!(folder.join("out-broadcast.hgrm").exists());
        assert!(
            !folder.join("out-ice.hgrm").exists(),
            "nothing was measured"
        );
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn files_are_opened_before_the_first_connection() {
    for option in ["--json", "--hgrm", "--html", "--csv", "--junit"] {
        // Nobody listens there, and that is not what is told.
        let mut program = program(1, &format!("{WATCH} {option} /nonexistent/out.json"));
        let output = BufReader::new(program.stdout.take().expect("a pipe"));
        let (lines, status) = end(program, output);
        assert_eq!((lines.len(), status), (0, 2), "{option} {lines:#?}");
    }
}

#[test]
fn the_first_line_tells_what_runs_and_the_last_how_it_ended() {
    let mut program = program(1, &format!("{WATCH} --seed 7"));
    let output = BufReader::new(program.stdout.take().expect("a pipe"));
    let (lines, status) = end(program, output);
    let [heading, verdict] = &lines[..] else {
        panic!("{lines:#?}");
    };
    for part in [
        "protocol faf, profile watch",
        "json 127.0.0.1:1,",
        "seed 7",
        "run ",
    ] {
        assert!(heading.contains(part), "{heading}");
    }
    assert!(verdict.starts_with("FAILED: no server"), "{verdict}");
    assert_eq!(status, 1);
}

#[test]
fn nobody_has_to_read_to_the_end() {
    let mut program = program(stub(Mood::Fine), &format!("{WATCH} -d 2s"));
    drop(wait_for_load(&mut program));
    let output = program.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*told), (Some(0), ""));
}
