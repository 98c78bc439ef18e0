//! The whole load tester against a server of a hundred lines: blocking sockets, JSON lines, one thread per connection.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use clap::Parser as _;
use serde_json::{Value, json};
use swarm::cli::{Command, CommandLine};
use swarm::plan::Plan;

/// Every how many ms the stub broadcasts what has changed.
const TICK: Duration = Duration::from_millis(50);

/// How the stub misbehaves.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Fine,
    /// Broadcasts to everybody but the watcher that signed in last.
    ForgetsOne,
    /// Lets nobody in.
    Refuses,
}

#[derive(Default)]
struct Lobby {
    listeners: Vec<TcpStream>,
    titles: Vec<String>,
    dirty: Vec<bool>,
    hosts: Vec<SocketAddr>,
}

/// Starts the stub; gives its port.
fn stub(mood: Mood) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let lobby = Arc::new(Mutex::new(Lobby::default()));
    let ticking = lobby.clone();
    thread::spawn(move || {
        loop {
            thread::sleep(TICK);
            broadcast(&mut ticking.lock().expect("no panic"), mood);
        }
    });
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let lobby = lobby.clone();
            thread::spawn(move || serve(stream.expect("accepted"), number + 1, &lobby, mood));
        }
    });
    port
}

fn broadcast(lobby: &mut Lobby, mood: Mood) {
    let Lobby {
        listeners,
        titles,
        dirty,
        hosts,
    } = lobby;
    // A host that hears nothing loses nothing: the last to sign in may be one, so watchers only.
    let watches = |stream: &TcpStream| stream.peer_addr().is_ok_and(|peer| !hosts.contains(&peer));
    let forgotten = match mood {
        Mood::ForgetsOne => listeners.iter().rposition(watches),
        Mood::Fine | Mood::Refuses => None,
    };
    for (uid, changed) in dirty.iter_mut().enumerate() {
        if std::mem::take(changed) {
            let line =
                json!({"command": "game_info", "uid": uid, "title": titles[uid], "state": "open"});
            for (index, listener) in listeners.iter_mut().enumerate() {
                if forgotten != Some(index) {
                    let _gone = say(listener, &line);
                }
            }
        }
    }
}

fn say(stream: &mut TcpStream, message: &Value) -> std::io::Result<()> {
    stream.write_all(format!("{message}\n").as_bytes())
}

fn serve(stream: TcpStream, id: usize, lobby: &Mutex<Lobby>, mood: Mood) {
    let mut out = stream.try_clone().expect("a second handle");
    let mut uid = None;
    for line in BufReader::new(stream).lines() {
        let Ok(message) =
            line.map(|line| serde_json::from_str::<Value>(&line).expect("clients send JSON"))
        else {
            return;
        };
        let mut lobby = lobby.lock().expect("no panic");
        let answers = match message["command"].as_str().expect("a command") {
            "ask_session" => vec![json!({"command": "session", "session": id})],
            "hello" if mood == Mood::Refuses => {
                let _gone = say(
                    &mut out,
                    &json!({"command": "authentication_failed", "text": "no"}),
                );
                return;
            }
            "hello" => {
                assert_eq!(message["password"].as_str().map(str::len), Some(64));
                lobby
                    .listeners
                    .push(out.try_clone().expect("a handle for broadcasts"));
                vec![
                    json!({"command": "welcome", "me": {"id": id}, "id": id}),
                    json!({"command": "player_info", "players": [{"id": id, "login": message["login"]}]}),
                    json!({"command": "game_info", "games": []}),
                    json!({"command": "ping"}),
                ]
            }
            "game_host" => {
                uid = Some(lobby.titles.len());
                lobby.hosts.extend(out.peer_addr());
                lobby
                    .titles
                    .push(message["title"].as_str().expect("a title").to_owned());
                lobby.dirty.push(true);
                vec![json!({"command": "game_launch", "uid": uid})]
            }
            "GameState" if message["args"][0] == "Lobby" => {
                vec![json!({"command": "HostGame", "args": ["scmp_007"], "target": "game"})]
            }
            "GameOption" if message["args"][0] == "Title" => {
                let uid = uid.expect("only hosts change titles");
                lobby.titles[uid] = message["args"][1].as_str().expect("a title").to_owned();
                lobby.dirty[uid] = true;
                vec![]
            }
            "ping" => vec![json!({"command": "pong"})],
            _ => vec![],
        };
        for answer in answers {
            if say(&mut out, &answer).is_err() {
                return;
            }
        }
    }
}

fn plan(port: u16, more: &str) -> Plan {
    let line = format!(
        "swarm run --quiet --clients 20 --threads 2 --port-json {port} --ramp 1000 --duration 1s --grace 1s \
         --setup-timeout 2s --ping-every 200ms {more}"
    );
    let Command::Run(arguments) = CommandLine::try_parse_from(line.split_whitespace())
        .expect("valid")
        .command;
    arguments.plan().expect("a sound plan")
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
fn a_watcher_left_out_is_noticed() {
    let plan = plan(
        stub(Mood::ForgetsOne),
        "--profile watch --hosts 2 --rate 20 --slo lost=0",
    );
    let report = swarm::run(plan.clone()).expect("the run works");
    assert_eq!(report.count("lost"), 22, "{report}");
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
    let report = swarm::run(plan(port, "--profile idle")).expect("the run ends");
    assert_eq!(report.count("login_failures"), 20, "{report}");
}
