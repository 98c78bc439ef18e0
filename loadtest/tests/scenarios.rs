//! Scenarios against a server of some lines that keeps what it hears: blocking sockets, JSON lines, one thread per connection. The
//! examples of the manual run against such servers of each lobby.

#[path = "scenarios/stubs.rs"]
mod stubs;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser as _;
use serde_json::{Value, json};
use swarm::cli::{Command, CommandLine};
use swarm::plan::Plan;
use swarm::report::Report;
use swarm::scenario::timetable;

/// What clients have said after they had signed in, by their logins.
type Said = BTreeMap<String, Vec<Value>>;

/// A server that answers `say` with `said`, tells everybody titles of games, and stands still from the first `stop` on.
struct Stub {
    port: u16,
    lobby: Arc<Lobby>,
}

#[derive(Default)]
struct Lobby {
    said: Mutex<Said>,
    listeners: Mutex<Vec<TcpStream>>,
    stall: Duration,
    /// It stands still until then.
    until: Mutex<Option<Instant>>,
}

impl Stub {
    fn new(stall: Duration) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let lobby = Arc::new(Lobby {
            stall,
            ..Lobby::default()
        });
        let shared = lobby.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let lobby = shared.clone();
                thread::spawn(move || lobby.serve(stream.expect("accepted")));
            }
        });
        Stub { port, lobby }
    }

    fn said(&self) -> Said {
        self.lobby.said.lock().expect("no panic").clone()
    }
}

impl Lobby {
    fn serve(&self, stream: TcpStream) {
        let mut out = stream.try_clone().expect("a second handle");
        let mut login = String::new();
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            let message: Value = serde_json::from_str(&line).expect("clients send JSON");
            self.stand_still(message["command"] == "stop");
            if message["command"] == "hello" {
                message["login"]
                    .as_str()
                    .expect("a login")
                    .clone_into(&mut login);
                let listener = out.try_clone().expect("a handle for broadcasts");
                self.listeners.lock().expect("no panic").push(listener);
            }
            for answer in self.answers(&login, &message) {
                if out.write_all(format!("{answer}\n").as_bytes()).is_err() {
                    return;
                }
            }
        }
    }

    fn stand_still(&self, begins: bool) {
        let now = Instant::now();
        let mut until = self.until.lock().expect("no panic");
        if begins {
            until.get_or_insert(now + self.stall);
        }
        let rest = until.map(|until| until.saturating_duration_since(now));
        drop(until);
        thread::sleep(rest.unwrap_or_default());
    }

    fn answers(&self, login: &str, message: &Value) -> Vec<Value> {
        match message["command"].as_str().expect("a command") {
            "ask_session" => return vec![json!({"command": "session", "session": 1})],
            "hello" => {
                return vec![
                    json!({"command": "welcome", "me": {"id": 5}, "id": 5}),
                    json!({"command": "game_info", "games": []}),
                ];
            }
            _ => {}
        }
        let mut said = self.said.lock().expect("no panic");
        said.entry(login.to_owned())
            .or_default()
            .push(message.clone());
        match message["command"].as_str() {
            Some("game_host") => vec![json!({"command": "game_launch", "uid": 7})],
            Some("GameState") if message["args"][0] == "Lobby" => {
                vec![json!({"command": "HostGame", "args": ["scmp_007"], "target": "game"})]
            }
            Some("GameOption") if message["args"][0] == "Title" => {
                let title = &message["args"][1];
                let line = json!({"command": "game_info", "uid": 7, "title": title});
                let line = format!("{line}\n");
                let mut listeners = self.listeners.lock().expect("no panic");
                listeners.retain_mut(|listener| listener.write_all(line.as_bytes()).is_ok());
                vec![]
            }
            Some("say") => {
                vec![json!({"command": "said", "number": message["number"], "ticket": 77})]
            }
            _ => vec![],
        }
    }
}

/// A file of this name with this text.
fn file(name: &str, text: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("swarm-scenarios-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn plan(port: u16, name: &str, text: &str, more: &str) -> anyhow::Result<Plan> {
    let path = file(name, text);
    // The port of a lobby of another protocol is among `more`.
    let port = if text.contains("protocol = \"faf\"") {
        format!("--port-json {port}")
    } else {
        String::new()
    };
    let line = format!(
        "swarm run --quiet {port} --grace 5s --setup-timeout 5s --ping-every 0s --scenario {} {more}",
        path.display()
    );
    let Command::Run(arguments) = CommandLine::try_parse_from(line.split_whitespace())?.command
    else {
        unreachable!("it is `run`");
    };
    arguments.plan()
}

fn run(stub: &Stub, name: &str, text: &str, more: &str) -> Report {
    let plan = plan(stub.port, name, text, more).expect("a sound scenario");
    swarm::run(plan).expect("the run works")
}

const TALK: &str = r#"
protocol = "faf"
clients = 6
rate = 60
ramp = 0
slo = ["answer_p99<2s", "ask_failed=0"]

[[role]]
name = "talker"
share = 1
arrivals = "poisson"

[[role.step]]
name = "ask"
send = { command = "say", number = "{n}", text = "{text 12} {rand 1 1000}" }
expect = { command = "said", number = "{n}" }
capture = { ticket = "ticket" }
measure = "answer"
count = "answered"

[[role.step]]
wait = { exponential = "20ms" }
send = { command = "thank", ticket = "{ticket}", me = "{me}", to = "{login}/{client}" }

[[stage]]
duration = "2s"
"#;

#[test]
fn own_messages_are_answered_measured_and_counted() {
    let stub = Stub::new(Duration::ZERO);
    let plan = plan(stub.port, "talk.toml", TALK, "--threads 1").expect("sound");
    let report = swarm::run(plan.clone()).expect("the run works");
    assert_eq!(report.failures(), [""; 0], "{report}");
    assert_eq!(report.violations(&plan.goals), [], "{report}");
    let answers = report.latency("answer").expect("measured").len();
    assert!((80..160).contains(&answers), "{report}");
    assert_eq!(report.count("answered"), answers, "{report}");
    assert_eq!(report.figures()["ask_failed"], 0.0);
    let said = stub.said();
    assert_eq!(said.len(), 6);
    for (login, said) in said {
        let thanks = said
            .iter()
            .find(|said| said["command"] == "thank")
            .expect("thanks");
        assert_eq!((&thanks["ticket"], &thanks["me"]), (&json!(77), &json!(5)));
        assert!(thanks["to"].as_str().expect("text").starts_with(&login));
    }
}

#[test]
fn the_seed_alone_decides_what_is_said_and_when() {
    let heard = |more: &str| {
        let stub = Stub::new(Duration::ZERO);
        let more = format!("--login-prefix t {more}");
        let report = run(&stub, "seeds.toml", TALK, &more);
        assert_eq!(report.failures(), [""; 0], "{report}");
        stub.said()
    };
    let once = heard("--threads 1");
    assert_eq!(once, heard("--threads 3"));
    assert_ne!(once, heard("--threads 3 --seed 2"));
    let told = |more: &str| {
        let plan = plan(1, "told.toml", TALK, more).expect("sound");
        timetable(&plan).expect("short")
    };
    assert_eq!(told("--threads 1"), told("--threads 3"));
    assert_ne!(told(""), told("--seed 2"));
    // The timetable says as many turns as were heard.
    let asked = once
        .values()
        .flatten()
        .filter(|said| said["command"] == "say");
    assert_eq!(told("").matches(": ask\n").count(), asked.count());
}

#[test]
fn a_stall_counts_for_all_that_was_due_in_it_however_patient_a_script_is() {
    let text = r#"
protocol = "faf"
clients = 5
rate = { talker = 100 }

[[role]]
name = "stopper"
count = 1
think = "1h"
[[role.step]]
wait = "1s"
send = { command = "stop" }

[[role]]
name = "talker"
share = 1
[[role.step]]
name = "ask"
send = { command = "say", number = "{n}" }
expect = { command = "said" }
within = "500ms"
measure = "answer"
may_fail = true

[[stage]]
duration = "5s"
"#;
    // The stopper's first turn is somewhere in an hour: told to stop by somebody else.
    let text = text
        .replace("think = \"1h\"", "arrivals = \"fixed\"")
        .replace(
            "rate = { talker = 100 }",
            "rate = { talker = 100, stopper = 0.1 }",
        );
    let stub = Stub::new(Duration::from_secs(2));
    let report = run(&stub, "stall.toml", &text, "--threads 1");
    assert_eq!(report.failures(), [""; 0], "{report}");
    let answer = report.latency("answer").expect("measured");
    // 500 in all, of which 200 were due while nothing was answered: nine tenths of them waited for more than 0.2 s.
    assert_eq!(answer.len(), 500, "{report}");
    let waited = answer.count_between(200_000, u64::MAX);
    assert!((170..330).contains(&waited), "{waited}: {report}");
    assert!(answer.max() >= 1_900_000, "{report}");
    assert!(report.count("ask_failed") > 0, "{report}");
    assert_eq!(report.count("checks_failed"), 0, "it may fail: {report}");
}

#[test]
fn an_answer_that_is_another_fails_its_check_and_the_run() {
    let stub = Stub::new(Duration::ZERO);
    let text = TALK.replace(
        r#"number = "{n}" }
capture"#,
        r#"number = { min = 1 } }
within = "1500ms"
capture"#,
    );
    let plan = plan(stub.port, "another.toml", &text, "--threads 1").expect("sound");
    let report = swarm::run(plan.clone()).expect("the run works");
    // The first turn of each has the number 0.
    assert_eq!(report.count("ask_failed"), 6, "{report}");
    assert_eq!(
        report.failures(),
        ["6 checks of answers failed"],
        "{report}"
    );
    assert!(
        report
            .to_string()
            .contains("check ask: no answer within 1.5s"),
        "{report}"
    );
    // It has been waited for until the end, which is another goal's concern.
    let violations = report.violations(&plan.goals);
    let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(
        told.contains(&"ask_failed=0 violated: measured 6".to_owned()),
        "{told:?}"
    );
}

#[test]
fn what_is_computed_is_said_left_out_and_checked() {
    let text = r#"
protocol = "faf"
clients = 1
rate = 10
ramp = 0

[[role]]
name = "talker"
share = 1
[[role.step]]
name = "ask"
if = "n % 2 == 0"
compute = { number = "n * 100 + client", dice = "rand(1, 6)" }
send = { command = "say", number = "{number}", dice = "{dice}" }
expect = { command = "said", number = "{number}" }
capture = { ticket = "ticket" }
check = "ticket == 77 && dice <= 6"
count = "asked"

[[role.step]]
name = "late"
check = "n < 9"
wait = "1ms"

[[stage]]
duration = "1s"
"#;
    let stub = Stub::new(Duration::ZERO);
    let report = run(&stub, "computed.toml", text, "--threads 1");
    // Of ten turns each second one asks, and the last one's check fails.
    assert_eq!(report.count("asked"), 5, "{report}");
    assert_eq!(
        (report.count("ask_failed"), report.count("late_failed")),
        (0, 1)
    );
    assert!(
        report
            .to_string()
            .contains("check late: n < 9 does not hold"),
        "{report}"
    );
    let said: Vec<Value> = stub.said().into_values().flatten().collect();
    let numbers: Vec<&Value> = said.iter().map(|said| &said["number"]).collect();
    assert_eq!(numbers, [0, 200, 400, 600, 800]);
    let error =
        plan(1, "unknown.toml", &text.replace("n * 100", "m * 100"), "").expect_err("unknown");
    assert!(
        error.to_string().contains("unknown.toml:13: `number`"),
        "{error}"
    );
}

#[test]
fn clients_come_and_go_as_the_stages_say() {
    let text = r#"
protocol = "faf"
clients = 0
rate = 0

[[role]]
name = "talker"
share = 1
[[role.step]]
name = "ask"
send = { command = "say", number = "{client}" }
expect = { command = "said", number = "{client}" }
measure = "answer"

[[stage]]
name = "up"
duration = "1s"
clients = 20
rate = 100

[[stage]]
name = "hold"
duration = "1s"

[[stage]]
name = "down"
duration = "1s"
clients = 2
rate = 10
"#;
    let stub = Stub::new(Duration::ZERO);
    let report = run(&stub, "stages.toml", text, "--threads 2");
    assert_eq!(report.failures(), [""; 0], "{report}");
    assert_eq!(
        (report.count("logins"), report.count("login_failures")),
        (20, 0)
    );
    assert_eq!(stub.said().len(), 20, "everybody has had a turn");
    // 50 on the way up, 100 at the top, 55 on the way down.
    let answers = report.latency("answer").expect("measured").len();
    assert!((203..=206).contains(&answers), "{answers} {report}");
    let connected = report.series().iter().map(|second| second.connected).max();
    assert!(connected >= Some(15), "{report}");
    // When they were most, and not in the end.
    assert!((18..=20).contains(&report.connected), "{report}");
    let last = report
        .series()
        .iter()
        .rfind(|second| second.phase == "finish" || second.phase == "measure");
    assert!(
        last.is_some_and(|last| last.connected < 15),
        "{:?}",
        report.series()
    );
}

#[test]
fn who_comes_waits_for_what_is_due_from_then_on_and_who_leaves_has_seen_it() {
    let text = r#"
protocol = "faf"
clients = 6
rate = 100
ramp = 0

[[role]]
is = "host"
count = 2

[[role]]
is = "watcher"
share = 1

[[stage]]
duration = "1s"
clients = 26

[[stage]]
duration = "1s"

# One more would be there for no time at all.
[[stage]]
duration = "0s"
clients = 27

[[stage]]
duration = "1s"
clients = 6
"#;
    let stub = Stub::new(Duration::ZERO);
    let report = run(&stub, "watchers.toml", text, "--threads 2");
    assert_eq!(report.failures(), [""; 0], "{report}");
    assert_eq!((report.count("logins"), report.count("stale")), (26, 0));
    // Four watchers have 300 changes each; twenty more 200 on an average, and who leaves some more.
    let seen = report.latency("broadcast").expect("measured");
    assert!(
        (5_000..5_600).contains(&seen.len()),
        "{} {report}",
        seen.len()
    );
    // What was due before they came is not theirs.
    assert!(seen.max() < 900_000, "{report}");
    assert_eq!(
        (report.count("lost"), report.count("changes")),
        (0, 302),
        "{report}"
    );
}

#[test]
fn who_thinks_has_turns_of_its_own() {
    let text = TALK.replace("rate = 60\n", "").replace(
        "arrivals = \"poisson\"",
        "think = { uniform = [\"100ms\", \"300ms\"] }",
    );
    let stub = Stub::new(Duration::ZERO);
    let plan = plan(stub.port, "think.toml", &text, "--threads 2").expect("sound");
    let told = timetable(&plan).expect("short");
    let told = told.matches(": ask\n").count() as u64;
    let report = swarm::run(plan).expect("the run works");
    assert_eq!(report.failures(), [""; 0], "{report}");
    assert_eq!(report.count("answered"), told, "{report}");
    assert!((50..70).contains(&told), "{told}");
}

#[test]
fn mistakes_are_told_with_file_line_and_the_nearest_word() {
    for (from, to, line, told) in [
        ("clients = 6", "client = 6", 3, "did you mean `clients`?"),
        ("protocol =", "protocl =", 2, "did you mean `protocol`?"),
        ("duration =", "duratoin =", 26, "did you mean `duration`?"),
        ("\"faf\"", "\"fav\"", 2, "did you mean `faf`?"),
        (
            "arrivals = \"poisson\"",
            "arrivals = \"poison\"",
            11,
            "did you mean `poisson`?",
        ),
        (
            "command = \"said\"",
            "command = \"{logn}\"",
            16,
            "did you mean `login`?",
        ),
        ("capture =", "captur =", 17, "did you mean `capture`?"),
        ("share = 1", "count = 7", 1, "7 clients have a role"),
        ("\"2s\"\n", "\"2 parsecs\"\n", 26, "duration"),
        ("answer_p99<2s", "anser_p99<2s", 6, "unknown figure"),
        ("ramp = 0", "workload = \"churn\"", 8, "can only be idle"),
        ("share = 1", "share = 0", 1, "6 of 6 `clients` have no role"),
        ("rate = 60\n", "", 7, "neither a `rate` nor `think`"),
        (
            "measure = \"answer\"",
            "measure = \"login\"",
            0,
            "`login` is measured anyway",
        ),
        ("rate = 60", "rate = { walker = 60 }", 4, "talker"),
        ("[[stage]]", "[[stage]", 25, ""),
    ] {
        assert!(TALK.contains(from), "{from}");
        let error = plan(1, "slip.toml", &TALK.replacen(from, to, 1), "").expect_err(to);
        let error = format!("{error:#}");
        let place = format!("slip.toml:{line}: ");
        assert!(
            error.contains(told) && (line == 0 || error.contains(&place)),
            "{to}: {error}"
        );
    }
}

#[test]
fn what_is_typed_is_instead_of_what_the_file_says() {
    let typed = plan(1, "typed.toml", TALK, "-n 9 --rate 5 -d 7s --seed 3").expect("sound");
    assert_eq!((typed.clients, typed.seed), (9, 3));
    assert_eq!((typed.rate, typed.duration), (5.0, Duration::from_secs(7)));
    let error = plan(1, "other.toml", TALK, "--protocol vcmi").expect_err("another");
    assert!(error.to_string().contains("protocol faf"), "{error}");
}

/// The scenarios in the manual, by their protocols.
fn examples() -> Vec<(String, String)> {
    let manual = include_str!("../../docs/scenarios.md");
    let blocks = manual.split("```toml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    let protocol = |block: &str| {
        let line = block
            .lines()
            .find_map(|line| line.strip_prefix("protocol = "));
        line.expect("a protocol").trim_matches('"').to_owned()
    };
    blocks
        .map(|block| (protocol(block), block.to_owned()))
        .collect()
}

#[test]
fn the_examples_of_the_manual_run_and_pass() {
    let examples = examples();
    let protocols: Vec<&str> = examples
        .iter()
        .map(|(protocol, _)| protocol.as_str())
        .collect();
    assert_eq!(protocols, ["faf", "vcmi", "vcmi2", "cockatrice"]);
    for (protocol, text) in &examples {
        let stub = Stub::new(Duration::ZERO);
        let options = match protocol.as_str() {
            "faf" => "--transport json".to_owned(),
            // A game through the relay is more than a stub has.
            "vcmi" => format!("--games 0 --port-vcmi {}", stubs::vcmi()),
            "vcmi2" => format!("--port-vcmi2 {}", stubs::vcmi2()),
            _ => format!("--port-cockatrice {}", stubs::cockatrice()),
        };
        let name = format!("{protocol}.toml");
        let plan = plan(stub.port, &name, text, &options).expect("sound");
        assert!(!plan.goals.is_empty(), "{protocol}");
        let report = swarm::run(plan.clone()).expect("the run works");
        assert_eq!(report.failures(), [""; 0], "{protocol}: {report}");
        assert_eq!(report.violations(&plan.goals), [], "{protocol}: {report}");
    }
}

#[test]
fn no_two_have_one_name_whatever_their_roles() {
    let text = r#"
protocol = "vcmi"
clients = 6
rate = { user = 5 }

[[role]]
name = "talkers"
count = 3
think = { uniform = ["100ms", "300ms"] }
[[role.step]]
name = "echo"
send = "<MSG>{login} says {n};"
expect = { 0 = "MSGCH", 1 = "{login}" }
measure = "echo"

[[role]]
is = "user"
share = 1

[[stage]]
duration = "1s"
"#;
    let stub = Stub::new(Duration::ZERO);
    let options = format!("--port-vcmi {}", stubs::vcmi());
    let report = run(&stub, "names.toml", text, &options);
    assert_eq!(report.failures(), [""; 0], "{report}");
    assert_eq!(report.count("logins"), 6, "{report}");
}
