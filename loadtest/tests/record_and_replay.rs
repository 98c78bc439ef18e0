//! `swarm record` and `swarm replay` as programs, against a server of a few lines.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};

const SWARM: &str = env!("CARGO_BIN_EXE_swarm");
const PASSWORD: &str = "open-sesame-4711";
const MACHINE: &str = "machine-of-orion";
const GAME_PASSWORD: &str = "only-for-friends";

/// How the stub behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Fine,
    /// Opens no games.
    Refuses,
    /// Does not answer pings.
    Silent,
}

/// Starts a lobby that opens games for those who sign in; gives its port.
fn stub(mood: Mood) -> u16 {
    static GAMES: AtomicU64 = AtomicU64::new(1_000);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("accepted");
            thread::spawn(move || serve(stream, mood, &GAMES));
        }
    });
    port
}

fn serve(stream: TcpStream, mood: Mood, games: &AtomicU64) {
    let mut out = stream.try_clone().expect("a second handle");
    let mut own = None;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let message: Value = serde_json::from_str(&line).expect("JSON");
        let answers = match message["command"].as_str().expect("a command") {
            "ask_session" => vec![json!({"command": "session", "session": 812_469_452})],
            "hello" => vec![
                json!({"command": "welcome", "me": {"id": 7, "login": message["login"]}}),
                json!({"command": "game_info", "games": []}),
            ],
            "ping" if mood == Mood::Silent => vec![],
            "ping" => vec![json!({"command": "pong"})],
            "game_host" if mood == Mood::Refuses => {
                vec![json!({"command": "notice", "style": "error", "text": "no"})]
            }
            "game_host" => {
                let uid = games.fetch_add(1, Ordering::Relaxed);
                own = Some(uid);
                vec![json!({"command": "game_launch", "uid": uid})]
            }
            // Only of one's own game.
            "restore_game_session" => {
                let right = message["game_id"].as_u64() == own;
                let text = if right { "restored" } else { "whose game?" };
                let style = if right { "info" } else { "error" };
                vec![json!({"command": "notice", "style": style, "text": text})]
            }
            other => panic!("{other}"),
        };
        for answer in answers {
            if out.write_all(format!("{answer}\n").as_bytes()).is_err() {
                return;
            }
        }
    }
}

struct Recorder {
    child: Child,
    address: String,
    file: PathBuf,
}

impl Recorder {
    fn start(name: &str, to: u16) -> Recorder {
        let file = std::env::temp_dir().join(format!("swarm-{name}-{}.jsonl", std::process::id()));
        let mut child = Command::new(SWARM)
            .args(["record", "--listen", "127.0.0.1:0", "--protocol", "faf"])
            .args(["--to", &format!("127.0.0.1:{to}"), "--out"])
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut heading = String::new();
        let stdout = child.stdout.as_mut().expect("piped");
        BufReader::new(stdout)
            .read_line(&mut heading)
            .expect("a heading");
        let address = heading
            .split(' ')
            .find(|word| word.starts_with("127.0.0.1:"))
            .expect("an address");
        Recorder {
            child,
            address: address.to_owned(),
            file,
        }
    }

    /// Ends the recording as Ctrl-C does.
    fn end(self) -> PathBuf {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-INT", &pid]).status();
        assert!(killed.expect("kill is there").success());
        let ended = { self.child }.wait().expect("it ends");
        assert_eq!(ended.code(), Some(0));
        self.file
    }
}

/// Says all this, and waits for the answer to each that has one.
fn talk(address: &str) {
    let stream = TcpStream::connect(address).expect("a proxy");
    let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
    let mut out = stream;
    let mut ask = |message: Value, until: &str| {
        let said = out.write_all(format!("{message}\n").as_bytes());
        said.expect("it takes it");
        loop {
            let line = lines.next().expect("an answer").expect("a line");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            if answer["command"] == until {
                return answer;
            }
        }
    };
    ask(
        json!({"command": "ask_session", "user_agent": "x"}),
        "session",
    );
    let hello =
        json!({"command": "hello", "login": "orion", "password": PASSWORD, "unique_id": MACHINE});
    ask(hello, "game_info");
    ask(json!({"command": "ping"}), "pong");
    let host = json!({"command": "game_host", "title": "duel", "password": GAME_PASSWORD});
    let uid = ask(host, "game_launch")["uid"].clone();
    ask(
        json!({"command": "restore_game_session", "game_id": uid}),
        "notice",
    );
}

fn recording(name: &str) -> PathBuf {
    let recorder = Recorder::start(name, stub(Mood::Fine));
    talk(&recorder.address);
    recorder.end()
}

fn replay(file: &PathBuf, to: u16, options: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(SWARM)
        .arg("replay")
        .arg(file)
        .args(["--to", &format!("127.0.0.1:{to}"), "--quiet"])
        .args(options)
        .output()
        .expect("it runs");
    let said = [stdout, stderr].concat();
    (status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn a_recording_is_played_by_fifty_and_has_no_secret() {
    let file = recording("whole");
    let text = std::fs::read_to_string(&file).expect("a recording");
    for secret in [PASSWORD, MACHINE, GAME_PASSWORD, "812469452"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(text.contains("[masked game password 1]"), "{text}");
    for options in [
        &["-n", "50"][..],
        &["-n", "50", "--speed", "4"],
        &["-n", "50", "--rate", "400"],
    ] {
        let (code, said) = replay(&file, stub(Mood::Fine), options);
        assert_eq!(code, Some(0), "{said}");
        let expected = "said 150, answered 150 as recorded and 0 otherwise, unanswered 0";
        assert!(said.contains(expected), "{said}");
    }
    std::fs::remove_file(file).expect("it was there");
}

#[test]
fn a_recording_is_played_by_several_workers() {
    let file = recording("shared");
    let mut lead = Command::new(SWARM)
        .arg("replay")
        .arg(&file)
        .args(["--to", &format!("127.0.0.1:{}", stub(Mood::Fine))])
        .args(["-n", "50", "--workers", "2", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = BufReader::new(lead.stdout.take().expect("piped"));
    let mut text = String::new();
    while !text.contains("waiting for") {
        let length = said.read_line(&mut text).expect("text");
        assert!(length > 0, "{text}");
    }
    let address = text.split_whitespace().last().expect("an address");
    let join = || {
        Command::new(SWARM)
            .args(["join", "--lead", address])
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts")
    };
    for mut worker in [join(), join()] {
        assert!(worker.wait().expect("it ends").success());
    }
    said.read_to_string(&mut text).expect("text");
    assert!(lead.wait().expect("it ends").success(), "{text}");
    let expected = "said 150, answered 150 as recorded and 0 otherwise, unanswered 0";
    assert!(text.contains(expected), "{text}");
    // The table of kinds is of both workers.
    let hosts = text.lines().find(|line| line.starts_with("game_host "));
    let hosts = hosts.expect("a row").split_whitespace().nth(1);
    assert_eq!(hosts, Some("50"), "{text}");
    std::fs::remove_file(file).expect("it was there");
}

#[test]
fn what_is_answered_otherwise_or_not_at_all_is_counted() {
    let file = recording("moods");
    let (code, said) = replay(&file, stub(Mood::Refuses), &["-n", "3"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("3 × game_host: answered with notice error"),
        "{said}"
    );
    let silent = [
        "-n",
        "3",
        "--answer-timeout",
        "200ms",
        "--slo",
        "unanswered=0",
    ];
    let (code, said) = replay(&file, stub(Mood::Silent), &silent);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("3 answers that did not come"), "{said}");
    assert!(
        said.contains("answered 6 as recorded"),
        "the others go on: {said}"
    );
    std::fs::remove_file(file).expect("it was there");
}

#[test]
fn nonsense_is_a_sentence() {
    let file = recording("nonsense");
    for (options, expected) in [
        (&["-n", "0"][..], "--clients 0"),
        (&["--session", "9"], "session 9"),
        (&["--speed", "0"], "--speed"),
        (&["--transport", "tcp"], "--transport tcp: the recording"),
        (&["--rate", "nan"], "--rate"),
    ] {
        let (code, said) = replay(&file, 1, options);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
    std::fs::remove_file(&file).expect("it was there");
    let (code, said) = replay(&file, 1, &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("cannot read"), "{said}");
}
