//! A process that may not have many descriptors.

use std::{io::Read, net::TcpStream, process::Command};

use serde_json::json;

use super::{
    PATIENCE, command, launched, metric,
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
