//! A run while it goes on: metrics, the screen of a terminal, lines.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{ChildStdin, ChildStdout};

use super::*;

/// How long anything may take to show.
const PATIENCE: Duration = Duration::from_secs(60);
/// A terminal's alternate screen is entered, left, and the cursor is shown again.
const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";
const SHOW: &str = "\u{1b}[?25h";

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

fn scrape(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn metrics_are_there_while_the_run_goes_on() {
    let port = free_port();
    let options = format!("{WATCH} -d 60s --metrics-address 127.0.0.1:{port}");
    let mut first = program(stub(Mood::Fine), &options);
    let output = wait_for_load(&mut first);
    let until = Instant::now() + PATIENCE;
    let wanted = [
        "swarm_phase{phase=\"measure\"} 1",
        "swarm_clients 20",
        "swarm_clients_connected 20",
        "swarm_logins_total 20",
        "swarm_errors_total{kind=\"protocol_errors\"} 0",
        "swarm_latency_seconds_count{latency=\"login\"} 20",
    ];
    let has = |answer: &str, line: &str| answer.lines().any(|known| known == line);
    let mut answer = scrape(port);
    while !wanted.iter().all(|line| has(&answer, line)) && Instant::now() < until {
        thread::sleep(Duration::from_millis(100));
        answer = scrape(port);
    }
    for line in wanted {
        assert!(has(&answer, line), "{line} in {answer}");
    }
    for part in [
        "HTTP/1.1 200 OK\r\n",
        "swarm_latency_seconds_bucket{latency=\"broadcast\",le=\"+Inf\"}",
        "swarm_latency_seconds_bucket{latency=\"own_delay\",le=\"0.001\"}",
        "swarm_thread_cpu_seconds_total{thread=\"worker-0\"}",
        "swarm_events_total{event=\"changes\"}",
    ] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    // The address is taken now, and that is said before the first connection.
    let second = program(1, &options).wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(
        said.contains("cannot offer metrics at 127.0.0.1:"),
        "{said}"
    );
    assert_eq!((second.status.code(), second.stdout.len()), (Some(2), 0));
    signal("INT", &first);
    assert_eq!(end(first, output).1, 1);
}

#[test]
fn a_quiet_run_says_nothing_but_its_report() {
    let mut program = program(stub(Mood::Fine), &format!("{WATCH} -d 2s --quiet"));
    let output = BufReader::new(program.stdout.take().expect("a pipe"));
    let (lines, status) = end(program, output);
    assert_eq!(status, 0, "{lines:#?}");
    let live = |line: &String| line.contains("deliveries/s");
    assert!(!lines.iter().any(live), "{lines:#?}");
}

/// The program on a terminal of its own, in a shell that tells whether the terminal is as it was.
struct OnTerminal {
    script: Child,
    keys: ChildStdin,
    output: ChildStdout,
    seen: String,
}

impl OnTerminal {
    fn start(port: u16, more: &str) -> OnTerminal {
        let swarm = env!("CARGO_BIN_EXE_swarm");
        let run = format!("{swarm} run --clients 20 --port-json {port} --ramp 1000 --threads 1");
        let shell = format!(
            "stty cols 60 rows 22; before=$(stty -g); \
             sh -c 'echo pid $$.; exec {run} {WATCH} -d 60s {more}'; \
             echo code $?.; [ \"$before\" = \"$(stty -g)\" ] && echo same terminal"
        );
        let mut script = std::process::Command::new("script")
            .args(["--quiet", "--command", &shell, "/dev/null"])
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("script of util-linux");
        OnTerminal {
            keys: script.stdin.take().expect("a pipe"),
            output: script.stdout.take().expect("a pipe"),
            script,
            seen: String::new(),
        }
    }

    /// Reads until this is on the screen.
    fn wait_for(&mut self, text: &str) {
        let mut chunk = [0; 4096];
        while !self.seen.contains(text) {
            let length = self.output.read(&mut chunk).expect("output");
            assert!(length > 0, "{text} in {:?}", self.seen);
            self.seen += &String::from_utf8_lossy(&chunk[..length]);
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).expect("a terminal");
    }

    /// Sends a signal to the program, not to the shell.
    fn signal(&self, name: &str) {
        let (_, rest) = self.seen.split_once("pid ").expect("it was told");
        let (pid, _) = rest.split_once('.').expect("it was told");
        let kill = std::process::Command::new("kill")
            .args([&format!("-{name}"), pid])
            .status();
        assert!(kill.expect("kill").success());
    }

    /// Waits for the end; gives everything that was seen.
    fn end(mut self) -> String {
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).expect("output");
        self.seen += &String::from_utf8_lossy(&rest);
        self.script.wait().expect("it ends");
        self.seen
    }
}

/// The screen has been left once, before these words, and the terminal is as it was.
fn is_restored(seen: &str, then: &str) {
    assert_eq!(
        (seen.matches(ENTER).count(), seen.matches(LEAVE).count()),
        (1, 1),
        "{seen:?}"
    );
    let (_, after) = seen.split_once(LEAVE).expect("left");
    assert!(after.contains(SHOW), "{seen:?}");
    assert!(after.contains(then), "{then} in {after:?}");
    assert!(after.contains("same terminal"), "{after:?}");
}

#[test]
fn a_terminal_has_a_screen_and_gets_its_report_when_a_key_ends_the_run() {
    for key in [b'q', 3] {
        let mut terminal = OnTerminal::start(stub(Mood::Fine), "");
        terminal.wait_for("latency of what arrived");
        terminal.wait_for("own threads");
        terminal.press(&[key]);
        let seen = terminal.end();
        is_restored(&seen, "FAILED: interrupted");
        assert!(seen.contains("code 1."), "{seen:?}");
        assert!(!seen.contains("logins/s"), "no lines besides: {seen:?}");
    }
}

#[test]
fn a_second_key_ends_it_at_once_and_the_terminal_is_as_it_was() {
    // It would wait for the one left out for as long as it may.
    let mut terminal = OnTerminal::start(stub(Mood::ForgetsOne), "--grace 60s");
    terminal.wait_for("deliveries/s");
    terminal.press(b"q");
    terminal.wait_for("ending");
    terminal.press(b"q");
    let seen = terminal.end();
    is_restored(&seen, "code 1.");
    assert!(!seen.contains("FAILED"), "{seen:?}");
}

#[test]
fn signals_give_the_terminal_back() {
    let mut terminal = OnTerminal::start(stub(Mood::ForgetsOne), "--grace 60s");
    terminal.wait_for("deliveries/s");
    terminal.signal("TERM");
    // Until the first has been heard a second one would be lost in it.
    terminal.wait_for("finish");
    terminal.signal("INT");
    let seen = terminal.end();
    is_restored(&seen, "code 1.");
    assert!(!seen.contains("FAILED"), "{seen:?}");
}

#[test]
fn a_terminal_may_have_lines_instead() {
    let mut terminal = OnTerminal::start(stub(Mood::Fine), "--plain");
    terminal.wait_for("measure  connected");
    terminal.press(&[3]);
    let seen = terminal.end();
    assert!(
        !seen.contains(ENTER) && seen.contains("FAILED: interrupted"),
        "{seen:?}"
    );
}
