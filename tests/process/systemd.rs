//! The server under a service manager: what it is told, and the sockets it hands over.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    process::{Command, Stdio},
};

use super::{PATIENCE, command, support::server::signal, until};

/// What comes on a manager's socket, until a message has all of these words in its lines.
fn told(socket: &UnixDatagram, words: &[&str]) -> String {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).expect("it is told in time");
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if words
            .iter()
            .all(|word| text.lines().any(|line| line.starts_with(word)))
        {
            return text;
        }
    }
}

#[test]
fn a_service_manager_is_told_of_start_life_reload_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = command(&folder, &[]);
    command.env("NOTIFY_SOCKET", &path);
    command.env("WATCHDOG_USEC", "800000");
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    told(&socket, &["READY=1", "STATUS=serving"]);
    for _ in 0..3 {
        told(&socket, &["WATCHDOG=1"]);
    }
    signal(child.id(), "HUP").unwrap();
    told(&socket, &["RELOADING=1", "MONOTONIC_USEC="]);
    told(&socket, &["READY=1"]);
    signal(child.id(), "TERM").unwrap();
    told(&socket, &["STOPPING=1", "STATUS=waiting for running games"]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_socket_that_was_opened_for_the_server_is_used() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It comes before the server is there, and waits.
    let early = TcpStream::connect(address).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = command(&folder, &[&format!("faf.json_address={address}")]);
    let mut shell = Command::new("sh");
    let handed_over = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
    shell.args(["-c", handed_over, "sh"]);
    shell.arg(server.get_program()).args(server.get_args());
    for (name, value) in server.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut child = shell
        .stdin(OwnedFd::from(listener))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let lines: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| line != "ready")
        .collect();
    assert!(
        lines.contains(&format!("listening faf/json {address}")),
        "{lines:?}"
    );
    for mut stream in [early, TcpStream::connect(address).unwrap()] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
            .write_all(b"{\"command\":\"ask_session\",\"user_agent\":\"x\"}\n")
            .unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        assert!(answer.contains("\"command\""), "{answer}");
    }
    signal(child.id(), "TERM").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_secret_may_lie_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("url");
    let store = folder.path().join("elsewhere.db");
    std::fs::write(&secret, format!("sqlite:{}?mode=rwc\n", store.display())).unwrap();
    let mut command = command(&folder, &[]);
    command.env("MUSTER_STORE_URL_FILE", &secret);
    let log = File::create(folder.path().join("log")).unwrap();
    let mut child = command.stdout(log).spawn().unwrap();
    until("the store that the file names", || store.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let mut broken = super::command(&folder, &[]);
    broken.env("MUSTER_STORE_URL_FILE", "/nowhere/url");
    let refused = broken.output().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(
        text.contains("/nowhere/url") && text.contains("MUSTER_STORE_URL_FILE"),
        "{text}"
    );
}
