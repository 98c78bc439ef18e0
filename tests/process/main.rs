//! The process itself, as whoever runs it sees it: its start, its end, its log, its descriptors. Of the real binary.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod care;
mod ctl;
mod descriptors;
mod endpoints;
mod folder;
mod log;
mod loss;
mod manual;
mod operator;
mod packages;
mod page;
mod signals;
mod systemd;
mod tuning;

use std::{
    fs::File,
    process::{Command, Output, Stdio},
};

use support::{
    PATIENCE,
    server::{Backend, Database, Server, muster},
    until,
};
use tempfile::TempDir;

/// The command of a server with ports and a folder of its own, two shards, and these settings.
fn command(folder: &TempDir, set: &[&str]) -> Command {
    let mut command = muster(folder.path());
    let own = [
        "server.shards=2",
        "server.pin=false",
        "server.stop_grace_s=0",
        "faf.json_address=127.0.0.1:0",
        "faf.qdatastream_address=127.0.0.1:0",
        "faf.websocket_address=127.0.0.1:0",
        "vcmi.address=127.0.0.1:0",
        "http.control_address=127.0.0.1:0",
        "http.health_address=127.0.0.1:0",
        "http.metrics_address=127.0.0.1:0",
        "http.page_address=127.0.0.1:0",
    ];
    for pair in own.iter().chain(set) {
        command.args(["--set", pair]);
    }
    command
}

/// What a command said, where it succeeds and where it does not.
fn said(output: &Output) -> String {
    let both = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// What a program says, if this machine has it; a test that can't ask says so and has checked less.
fn asked(program: &str, words: &[&str]) -> Option<Output> {
    match Command::new(program).args(words).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("NOT CHECKED, {program} can't be run: {error}");
            None
        }
    }
}

/// The server of a command, ready.
fn launched(command: Command, folder: TempDir) -> Server {
    let database = Database::make(Backend::Sqlite).unwrap(); // it has its own
    Server::launch(command, folder, database).unwrap()
}

/// A server of whose log nothing is wanted but its text.
fn logging(set: &[&str]) -> (Server, impl Fn() -> String + use<>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut command = command(&folder, set);
    command.stderr(Stdio::from(File::create(&path).unwrap()));
    let server = launched(command, folder);
    (server, move || std::fs::read_to_string(&path).unwrap())
}

/// The sum of a metric over all its series.
fn metric(server: &Server, name: &str) -> f64 {
    let page = support::http::get(server.listener("http/metrics").unwrap(), "/metrics").unwrap();
    let of_this = page.body.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = rest.rsplit_once(' ')?;
        (labels.is_empty() || labels.starts_with('{')).then(|| value.parse::<f64>().unwrap())
    });
    of_this.sum()
}
