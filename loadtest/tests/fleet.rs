//! A run on several workers, each a process, against a server of a hundred lines.

mod stub;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stub::{Mood, stub};

/// Nothing here takes longer, whatever goes wrong.
const SOON: Duration = Duration::from_secs(30);

/// A started program whose output is read line by line.
struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    lines: Vec<String>,
}

impl Program {
    fn start(options: &str) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_swarm"))
            .args(options.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Program {
            child,
            output,
            lines: Vec::new(),
        }
    }

    /// Reads up to the first line that has this in it.
    fn until(&mut self, what: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).expect("text");
            assert!(length > 0, "it ended before {what:?}: {:#?}", self.lines);
            self.lines.push(line.trim_end().to_owned());
            if line.contains(what) {
                return line;
            }
        }
    }

    /// The whole output, errors included, and the exit code.
    fn end(mut self) -> (String, i32) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("text");
        let mut errors = self.child.stderr.take().expect("a pipe");
        errors.read_to_string(&mut rest).expect("text");
        let status = self.child.wait().expect("it ends");
        let text = format!("{}\n{rest}", self.lines.join("\n"));
        (text, status.code().unwrap_or(-1))
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(status.expect("kill").success());
    }
}

/// Starts whoever leads, and reads where workers join.
fn lead(port: u16, workers: usize, more: &str) -> (Program, String) {
    let mut lead = Program::start(&format!(
        "run --workers {workers} --listen 127.0.0.1:0 --port-json {port} --threads 1 --ramp 1000 --ping-every 200ms {more}"
    ));
    let line = lead.until("waiting for");
    let address = line
        .split_whitespace()
        .last()
        .expect("an address")
        .to_owned();
    (lead, address)
}

fn join(address: &str) -> Program {
    Program::start(&format!("join --lead {address} --wait 5s"))
}

/// A run of so many workers up to its end: its JSON, and what was said.
fn run(workers: usize, more: &str) -> (Value, String) {
    let json = std::env::temp_dir().join(format!("swarm-{}-{workers}.json", std::process::id()));
    let options = format!("--json {} {more}", json.display());
    let (lead, address) = lead(stub(Mood::Fine), workers, &options);
    let workers: Vec<Program> = (0..workers).map(|_| join(&address)).collect();
    let (text, code) = lead.end();
    for worker in workers {
        let (said, code) = worker.end();
        assert_eq!(code, 0, "{said}\n{text}");
    }
    assert_eq!(code, 0, "{text}");
    let figures = std::fs::read(&json).expect("the figures");
    std::fs::remove_file(&json).expect("removed");
    (serde_json::from_slice(&figures).expect("JSON"), text)
}

#[test]
fn three_workers_do_what_one_does() {
    let (figures, text) = run(
        3,
        "--clients 21 --profile watch --hosts 4 --rate 100 -d 2s --slo lost=0,broadcast_p99<1s",
    );
    // 200 changes as scheduled and a last one of each host; 17 watchers, who are told of hosts of all workers.
    let counts = &figures["counts"];
    assert_eq!(counts["changes"], 204, "{text}");
    let number = |name: &str| counts[name].as_u64().expect("a number");
    assert_eq!(
        number("deliveries") + number("coalesced"),
        204 * 17,
        "{text}"
    );
    assert_eq!((number("logins"), number("unsent")), (21, 0));
    assert_eq!(figures["latency_us"]["broadcast"]["count"], 200 * 17);
    assert_eq!(figures["connected"], 21);
    // One series of all: nothing is lost or counted twice, and the last seconds of all workers are one.
    let series = figures["series"].as_array().expect("seconds");
    let sum = |name: &str| -> u64 { series.iter().filter_map(|s| s[name].as_u64()).sum() };
    assert_eq!(
        (sum("logins"), sum("deliveries")),
        (21, number("deliveries"))
    );
    assert!(
        series.iter().any(|second| second["connected"] == 21),
        "{series:#?}"
    );
    assert!(series.len() < 12, "{series:#?}");
    let workers = figures["workers"].as_array().expect("workers");
    assert_eq!(workers.len(), 3);
    for worker in workers {
        assert_eq!(
            (&worker["clients"], &worker["lost"]),
            (&json!(7), &Value::Null)
        );
        // They are on one machine, so that the clocks are the same; the offset is within its bound.
        let offset = worker["clock_offset_us"].as_i64().expect("a number");
        let bound = worker["clock_bound_us"].as_u64().expect("a bound");
        assert!(bound > 0, "{worker}");
        // What differs is when the clocks were started, which is a moment ago.
        assert!(offset.unsigned_abs() < 60_000_000, "{worker}");
    }
    assert!(text.trim_end().ends_with("PASSED"), "{text}");
}

#[test]
fn storms_churns_and_mixtures_are_shared_out() {
    let (figures, text) = run(2, "--clients 40 --profile login -d 10s");
    assert_eq!(figures["counts"]["logins"], 40, "{text}");
    let (figures, text) = run(2, "--clients 20 --profile churn --rate 40 -d 1s");
    assert_eq!(figures["counts"]["logins"], 40, "{text}");
    assert_eq!(figures["latency_us"]["login"]["count"], 40, "{text}");
}

/// Everybody opens a game at the rate of ten a second in all, and has it answered.
const HOSTS: &str = r#"
protocol = "faf"
clients = 12
rate = 10

[[role]]
name = "hosts"
share = 1

[[role.step]]
name = "host"
send = { command = "game_host", title = "{login} {n}", visibility = "public" }
expect = { command = "game_launch" }
measure = "launch"
count = "opened"

[[stage]]
duration = "2s"
"#;

#[test]
fn a_scenario_of_one_s_own_is_shared_out_and_must_be_the_same_everywhere() {
    let file = std::env::temp_dir().join(format!("swarm-hosts-{}.toml", std::process::id()));
    std::fs::write(&file, HOSTS).expect("written");
    let options = format!("--scenario {}", file.display());
    let (figures, text) = run(4, &options);
    assert_eq!(figures["counts"]["opened"], 20, "{text}");
    assert_eq!(figures["counts"]["logins"], 12, "{text}");
    assert_eq!(figures["latency_us"]["launch"]["count"], 20, "{text}");
    let (lead, address) = lead(stub(Mood::Fine), 1, &options);
    std::fs::write(&file, HOSTS.replace("{n}", "{n}.")).expect("written");
    let worker = join(&address);
    let (text, code) = lead.end();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("must be the same on all machines"), "{text}");
    assert_eq!(worker.end().1, 1);
    std::fs::remove_file(&file).expect("removed");
}

#[test]
fn a_killed_worker_fails_the_run_and_what_it_told_stays() {
    let options = "--clients 20 --profile watch --hosts 2 --rate 20 -d 60s --grace 2s";
    let (mut lead, address) = lead(stub(Mood::Fine), 2, options);
    let mut first = join(&address);
    lead.until("has joined");
    let second = join(&address);
    let line = first.until("worker ");
    let number = line
        .split_whitespace()
        .nth(1)
        .expect("its number")
        .to_owned();
    // Seconds in which it has said what it has seen.
    for _ in 0..3 {
        lead.until("measure ");
    }
    let killed = Instant::now();
    first.signal("KILL");
    let lost = lead.until("LOST: ");
    assert!(killed.elapsed() < Duration::from_secs(3), "said at once");
    assert!(lost.contains(&format!("worker {number} (")), "{lost}");
    assert!(
        lost.contains("after the beginning of the measured phase"),
        "{lost}"
    );
    let (text, code) = lead.end();
    assert!(killed.elapsed() < SOON);
    assert_eq!(code, 1, "{text}");
    let verdict = text.trim_end().lines().last().expect("a verdict");
    assert!(
        verdict.starts_with(&format!("FAILED: worker {number} (")),
        "{verdict}"
    );
    assert!(text.contains(", LOST"), "{text}");
    // All have signed in, and it has told so.
    assert!(text.contains("logins 20, "), "{text}");
    let (said, code) = second.end();
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_silent_worker_is_lost() {
    let options = "--clients 20 --profile watch --hosts 2 --rate 20 -d 60s --grace 1s";
    let (mut lead, address) = lead(stub(Mood::Fine), 2, options);
    let (first, mut second) = (join(&address), join(&address));
    lead.until("measure ");
    second.signal("STOP");
    let lost = lead.until("LOST: ");
    assert!(lost.contains("silent for too long"), "{lost}");
    let (text, code) = lead.end();
    assert_eq!(code, 1, "{text}");
    assert_eq!(first.end().1, 0);
    // Once it goes on, it finds out.
    second.signal("CONT");
    let (said, code) = (second.until("FAILED: "), second.end().1);
    assert!(said.contains("whoever leads the run"), "{said}");
    assert_eq!(code, 1);
}

#[test]
fn workers_do_not_outlive_whoever_leads() {
    let options = "--clients 20 --profile watch --hosts 2 --rate 20 -d 60s";
    let (mut lead, address) = lead(stub(Mood::Fine), 2, options);
    let workers = [join(&address), join(&address)];
    lead.until("measure ");
    lead.signal("KILL");
    let killed = Instant::now();
    for worker in workers {
        let (said, code) = worker.end();
        assert_eq!(code, 1, "{said}");
        let verdict = said.trim_end().lines().last().expect("a verdict");
        assert!(
            verdict.starts_with("FAILED: whoever leads the run"),
            "{verdict}"
        );
    }
    assert!(killed.elapsed() < Duration::from_secs(10));
    drop(lead);
}

#[test]
fn a_server_that_dies_and_ctrl_c_end_the_run_with_its_report() {
    let options = "--clients 20 --profile watch --hosts 2 --rate 20 -d 60s --grace 5s";
    let begun = Instant::now();
    let (dies, address) = lead(stub(Mood::Dies), 2, options);
    let workers = [join(&address), join(&address)];
    let (text, code) = dies.end();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the server closed all connections"), "{text}");
    workers.into_iter().for_each(|worker| drop(worker.end()));
    for by_lead in [true, false] {
        let (mut lead, address) = lead(stub(Mood::Fine), 2, options);
        let workers = [join(&address), join(&address)];
        lead.until("measure ");
        if by_lead { &lead } else { &workers[0] }.signal("INT");
        let (text, code) = lead.end();
        assert_eq!(code, 1, "{text}");
        let verdict = text.trim_end().lines().last().expect("a verdict");
        assert!(
            verdict.starts_with("FAILED: ") && verdict.contains("interrupted"),
            "{text}"
        );
        assert!(!verdict.contains("lost"), "{text}");
        workers.into_iter().for_each(|worker| drop(worker.end()));
    }
    assert!(begun.elapsed() < 2 * SOON);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_sentence() {
    for (options, words) in [
        ("run --workers 0", "--workers is between 1"),
        (
            "run --workers 5 -n 4 --profile idle",
            "too many for 4 clients",
        ),
        (
            "run --workers 2 -n 20 --listen 0.0.0.0:0",
            "--token-file is needed",
        ),
        ("run -n 20 --listen 127.0.0.1:0", "--workers"),
        ("join --lead 192.0.2.1:7601", "--token-file is needed"),
        ("join --lead nowhere", "no address and port"),
        (
            "join --lead 127.0.0.1:1 --token-file /nonexistent",
            "cannot read",
        ),
    ] {
        let (text, code) = Program::start(options).end();
        assert_eq!(code, 2, "{options}: {text}");
        assert!(text.contains(words), "{options}: {text}");
    }
    let (text, code) = Program::start("join --lead 127.0.0.1:1 --wait 0s").end();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("nobody leads a run at 127.0.0.1:1"), "{text}");
    let (lead, _) = lead(1, 2, "--workers-timeout 300ms");
    let (text, code) = lead.end();
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("0 of 2 workers have joined within 300ms"),
        "{text}"
    );
}

fn say(stream: &mut TcpStream, message: &Value) {
    let text = message.to_string();
    let length = (text.len() as u32).to_be_bytes();
    stream.write_all(&length).expect("it reads");
    stream.write_all(text.as_bytes()).expect("it reads");
}

fn hear(stream: &mut TcpStream) -> Value {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("a message");
    let mut text = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut text).expect("a whole message");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn strangers_neither_stop_nor_crash_whoever_leads() {
    let file = std::env::temp_dir().join(format!("swarm-token-{}", std::process::id()));
    std::fs::write(&file, "a secret of some length\n").expect("written");
    let token = format!("--token-file {}", file.display());
    let options = format!("{token} --clients 20 --profile watch --hosts 2 --rate 20 -d 1s");
    let (lead, address) = lead(stub(Mood::Fine), 2, &options);
    let connect = || TcpStream::connect(&address).expect("it listens");
    // Silent ones, and ones that say what nobody expects.
    let silent: Vec<TcpStream> = (0..20).map(|_| connect()).collect();
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0, 0, 0, 2, b'{', b'}'],
        &[255; 64],
        &[0, 0, 0, 0],
    ] {
        let mut stream = connect();
        stream.write_all(nonsense).expect("it reads");
    }
    let hello = |version: &str, proof: &str| json!({"Hello": {"version": version, "host": "\u{1b}[31mred", "nonce": "x", "proof": proof}});
    let mut stranger = connect();
    assert!(hear(&mut stranger)["Challenge"]["nonce"].is_string());
    say(&mut stranger, &hello("0", "AAAA"));
    let refused = hear(&mut stranger);
    let why = refused["Refused"]["why"].as_str().expect("why");
    assert!(why.contains("secrets differ"), "{why}");
    // Who has no secret, or another one.
    let other = std::env::temp_dir().join(format!("swarm-other-{}", std::process::id()));
    std::fs::write(&other, "another secret of some length").expect("written");
    for token in [String::new(), format!("--token-file {}", other.display())] {
        let (text, code) = Program::start(&format!("join --lead {address} {token}")).end();
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("the secrets differ"), "{text}");
    }
    let workers = [(); 2].map(|()| Program::start(&format!("join --lead {address} {token}")));
    let (text, code) = lead.end();
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    for worker in workers {
        assert_eq!(worker.end().1, 0);
    }
    drop(silent);
    std::fs::remove_file(&file).expect("removed");
    std::fs::remove_file(&other).expect("removed");
}

/// Reads the messages of whoever leads up to one of this name.
fn hear_of(stream: &mut TcpStream, name: &str) -> Value {
    loop {
        let message = hear(stream);
        if message == name || message.get(name).is_some() {
            return message;
        }
    }
}

#[test]
fn another_version_is_refused_and_a_worker_that_talks_nonsense_is_lost() {
    let options = "--clients 20 --profile watch --hosts 2 --rate 20 -d 1s --workers-timeout 20s";
    let (mut lead, address) = lead(stub(Mood::Fine), 2, options);
    // Without a secret anybody may take part, who knows how: it is that of an empty key.
    let introduce = |version: &str| {
        let mut stream = TcpStream::connect(&address).expect("it listens");
        let challenge = hear(&mut stream);
        let nonce = challenge["Challenge"]["nonce"]
            .as_str()
            .expect("a nonce")
            .to_owned();
        let claim = format!("swarm Worker {} {nonce} x", nonce.len());
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"");
        let proof = ring::hmac::sign(&key, claim.as_bytes());
        let proof = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, proof);
        let hello = json!({"version": version, "host": "odd", "nonce": "x", "proof": proof});
        say(&mut stream, &json!({ "Hello": hello }));
        stream
    };
    let mut old = introduce("0.0.1");
    let refused = hear(&mut old);
    let why = refused["Refused"]["why"].as_str().expect("why");
    assert!(
        why.contains("versions differ") && why.contains("0.0.1"),
        "{why}"
    );
    let version = why.rsplit("is swarm ").next().expect("its own").to_owned();
    let mut odd = introduce(&version);
    hear_of(&mut odd, "Welcome");
    say(
        &mut odd,
        &json!({"Joined": {"offset": {"us": i64::MIN, "bound_us": u64::MAX}}}),
    );
    let worker = join(&address);
    hear_of(&mut odd, "Prepare");
    odd.write_all(&[0, 0, 0, 3, b'?', b'?', b'?'])
        .expect("it reads");
    let (text, code) = (lead.until("FAILED: "), lead.end().1);
    assert!(text.contains("odd") && text.contains("nonsense"), "{text}");
    assert_eq!(code, 1);
    let (said, code) = worker.end();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("nonsense"), "{said}");
}
