//! A process that may not have many descriptors.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Instant,
};

use serde_json::json;

use super::{
    PATIENCE, command, launched, logging, metric,
    support::{http::get, player::Player, script::Transport},
    until,
};

#[test]
fn the_server_keeps_descriptors_for_itself_and_refuses_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let plain = command(&folder, &["limits.connections=1000"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 200 && exec \"$0\" \"$@\""]);
    limited.arg(plain.get_program()).args(plain.get_args());
    limited
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap());
    let server = launched(limited, folder);
    let address = server.address(Transport::Json).unwrap();
    let mut crowd: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    until("some are refused", || {
        metric(&server, "muster_refused_full_total") >= 100.0
    });
    // The last one was refused: it is told at once.
    let last = crowd.last_mut().unwrap();
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(last.read(&mut [0; 16]), Ok(0) | Err(_)));
    assert_eq!(metric(&server, "muster_accept_errors_total"), 0.0);
    let health = server.listener("http/health").unwrap();
    assert_eq!(get(health, "/ready").unwrap().status, 200);
    drop(crowd);
    until("there is room again", || {
        metric(&server, "muster_ended_total") >= metric(&server, "muster_accepted_total")
    });
    let mut player = Player::connected(&server);
    player.send(&json!({"command": "ping"}));
    player.until("pong");
}

/// What a process has open.
fn open_descriptors(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.map(|name| name.parse().unwrap()).collect()
}

/// Has the process open hardly anything further: only what fits in the gaps of what it has open.
fn leave_no_descriptors(pid: u32) {
    let limit = open_descriptors(pid).into_iter().max().unwrap() + 1;
    let mut prlimit = Command::new("prlimit");
    prlimit.args([
        "--pid",
        &pid.to_string(),
        &format!("--nofile={limit}:{limit}"),
    ]);
    assert!(prlimit.status().unwrap().success());
}

/// Comes, and is either in, or told at once that there is no room: the connection ends.
fn arrives(address: SocketAddr) -> io::Result<Option<TcpStream>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let answered = stream
        .write_all(b"{\"command\":\"ping\"}\n")
        .and_then(|()| stream.read(&mut [0; 16]));
    match answered {
        Err(error) if ENDED.contains(&error.kind()) => Ok(None),
        read => Ok((read? > 0).then_some(stream)),
    }
}

/// How writing to a connection that the other side has ended goes wrong.
const ENDED: [io::ErrorKind; 2] = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];

/// Asks on a connection that stays; the first line of the answer.
fn asked(probe: &mut TcpStream) -> String {
    probe
        .write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        probe.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    let answer = String::from_utf8(answer).unwrap();
    answer.lines().next().unwrap().to_owned()
}

// Beyond what the server keeps for itself: somebody lowers the limit, or the reserve was too small.
#[test]
fn without_a_single_descriptor_newcomers_are_refused_and_those_who_are_in_stay() {
    const NEWCOMERS: usize = 300;
    let (server, log) = logging(&[]);
    let address = server.address(Transport::Json).unwrap();
    let mut player = Player::connected(&server);
    let mut probe = TcpStream::connect(server.listener("http/health").unwrap()).unwrap();
    probe.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(asked(&mut probe).contains(" 200"));
    leave_no_descriptors(server.pid());
    // The server opens files for a moment as well, so a place may be free again later.
    let (mut crowd, mut refused) = (Vec::new(), 0);
    let begin = Instant::now();
    while refused < NEWCOMERS {
        match arrives(address).unwrap() {
            Some(stream) => crowd.push(stream),
            None => refused += 1,
        }
        assert!(crowd.len() < NEWCOMERS, "there is room for everybody");
        if refused % 30 == 0 {
            assert!(asked(&mut probe).contains(" 200"));
        }
    }
    let lines = log().matches("accept failed").count();
    let seconds = begin.elapsed().as_secs() as usize + 1;
    assert!(
        (1..=seconds).contains(&lines),
        "{lines} lines in {seconds} s"
    );
    player.send(&json!({"command": "ping"}));
    player.until("pong");
    drop(crowd);
    until("there is room again", || {
        metric(&server, "muster_refused_descriptors_total") >= NEWCOMERS as f64
    });
    let mut newcomer = Player::connected(&server);
    newcomer.send(&json!({"command": "ping"}));
    newcomer.until("pong");
}
