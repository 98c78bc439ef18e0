//! `muster ctl`: what an operator asks of a running server.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Output, Stdio},
};

use sqlx::{ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};

use super::{
    logging, metric, said,
    support::{
        self, PATIENCE,
        server::{Server, muster},
    },
    until,
};

pub(super) fn ctl(server: &Server, words: &[&str]) -> Output {
    let mut command = muster(server.folder());
    command.arg("ctl").args(words).output().expect("it runs")
}

#[test]
fn a_running_server_says_how_it_is() {
    let (server, _) = logging(&[]);
    let socket = server.folder().join("ctl.sock");
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "its owner's alone");
    let _player = std::net::TcpStream::connect(server.listener("faf/json").unwrap()).unwrap();
    let status = || -> serde_json::Value {
        let output = ctl(&server, &["status", "--json"]);
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    until("the connection is counted", || status()["connections"] == 1);
    let status = status();
    assert_eq!(status["phase"], "ready");
    assert_eq!(status["shards"], 2);
    assert_eq!(status["broker"], serde_json::Value::Null);
    assert_eq!(status["warnings"], serde_json::json!([]));
    assert!(status["resident_bytes"].as_u64().unwrap() > 1 << 20);
    let words = said(&ctl(&server, &["status"]));
    assert!(
        words.contains("ready") && words.contains("connections   1 of"),
        "{words}"
    );
    let checked = ctl(&server, &["check"]);
    assert_eq!(checked.status.code(), Some(0));
    assert!(
        said(&checked).starts_with("OK: 1 connected | connections=1;"),
        "{}",
        said(&checked)
    );
}

#[test]
fn nobody_there_is_said_and_monitored() {
    let (mut server, _) = logging(&[]);
    server.crash();
    // The socket of a server that crashed lies there.
    assert!(server.folder().join("ctl.sock").exists());
    let status = ctl(&server, &["status"]);
    assert!(!status.status.success());
    assert!(
        said(&status).contains("no server runs"),
        "{}",
        said(&status)
    );
    let checked = ctl(&server, &["check"]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(
        said(&checked).starts_with("CRITICAL: no server runs"),
        "{}",
        said(&checked)
    );
    server.restart().unwrap();
    assert_eq!(ctl(&server, &["check"]).status.code(), Some(0));
}

#[test]
fn an_end_is_planned_put_off_and_done() {
    let (server, log) = logging(&[]);
    let none = ctl(&server, &["drain", "--cancel"]);
    assert!(!none.status.success() && said(&none).contains("no end is planned"));
    let planned = ctl(
        &server,
        &["drain", "--in", "15m", "--reason", "a new kernel"],
    );
    assert!(said(&planned).contains("in 900 s"), "{}", said(&planned));
    let status = said(&ctl(&server, &["status"]));
    assert!(status.contains("ready, ends in 8"), "{status}");
    assert!(ctl(&server, &["drain", "--cancel"]).status.success());
    assert!(!said(&ctl(&server, &["status"])).contains("ends in"));
    let far = ctl(&server, &["drain", "--in", "30days"]);
    assert!(!far.status.success() && said(&far).contains("more than a week"));
    assert!(ctl(&server, &["drain"]).status.success());
    until("the server ends", || {
        log().contains("stopping: waiting for running games")
    });
    until("the socket goes", || {
        !server.folder().join("ctl.sock").exists()
    });
    // What was done is known afterwards, too.
    let audit = |words: &[&str]| -> Vec<serde_json::Value> {
        let output = ctl(&server, &[&["audit", "--json"], words].concat());
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let entries = audit(&[]);
    assert_eq!(entries.len(), 5, "{entries:?}");
    assert_eq!(entries[0]["outcome"], "refused");
    assert_eq!(
        (&entries[1]["action"], &entries[1]["reason"]),
        (&"drain".into(), &"a new kernel".into())
    );
    assert!(
        entries
            .iter()
            .all(|entry| entry["uid"].is_u64() && entry["at"].is_f64())
    );
    assert_eq!(audit(&["--last", "1"]).len(), 1);
    assert_eq!(audit(&["--since", "1h"]).len(), 5);
    assert_eq!(audit(&["--on", "orion"]), [] as [serde_json::Value; 0]);
    let words = said(&ctl(&server, &["audit"]));
    assert!(
        words.contains("WHO") && words.contains("a new kernel"),
        "{words}"
    );
}

#[test]
fn levels_change_at_once_and_rubbish_is_refused() {
    let (server, log) = logging(&[]);
    let refused = ctl(&server, &["log-level", "loud"]);
    assert!(
        refused.status.code() == Some(2) && said(&refused).contains("no level"),
        "{}",
        said(&refused)
    );
    assert!(ctl(&server, &["log-level", "debug"]).status.success());
    assert!(ctl(&server, &["reload"]).status.success());
    until("a line of debugging", || {
        log().contains("the configuration is unchanged")
    });
    let path = server.folder().join("ctl.sock");
    for rubbish in [
        &b"\n"[..],
        b"{\"do\":\"explode\"}\n",
        &[b'x'; 100_000],
        b"\xff\xfe\n",
    ] {
        use std::{
            io::{Read, Write},
            os::unix::net::UnixStream,
        };
        let mut stream = UnixStream::connect(&path).unwrap();
        let _ = stream.write_all(rubbish); // it may not read all of it
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.is_empty() || answer.contains("refused"), "{answer}");
    }
    assert_eq!(ctl(&server, &["check"]).status.code(), Some(0));
}

/// What `check` ends with, and what it says on standard output.
fn checked(server: &Server) -> (Option<i32>, String) {
    let output = ctl(server, &["check"]);
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
fn check_tells_of_a_database_that_was_never_there() {
    let nobody = "127.0.0.1:1"; // no test can have got that port
    let (server, log) = logging(&[
        &format!("store.url=mysql://muster:secret@{nobody}/faf"),
        "faf.auth=database",
    ]);
    let (code, said_of_it) = checked(&server);
    assert_eq!(code, Some(2), "{said_of_it}");
    assert!(
        said_of_it.starts_with("CRITICAL: the server is starting")
            && said_of_it.contains("the store of faf has not been reached yet"),
        "{said_of_it}"
    );
    let status = said(&ctl(&server, &["status"]));
    assert!(status.contains(": starting"), "{status}");
    let ready = support::http::get(server.listener("http/health").unwrap(), "/ready").unwrap();
    assert_eq!(ready.status, 503);
    let page = super::page::status(&server);
    assert_eq!(page["status"]["phase"], "starting");
    assert_eq!(page["health"][0]["well"], false);
    let why = "127.0.0.1:1 as user muster: ";
    assert!(
        log().contains(why) && !log().contains("secret"),
        "{}",
        log()
    );
    let url = format!("store.url=mysql://muster:secret@{nobody}/faf");
    let mut doctor = muster(server.folder());
    let examined = doctor.args(["--set", &url, "doctor"]).output().unwrap();
    assert!(said(&examined).contains(why), "{}", said(&examined));
}

#[test]
fn a_server_that_starts_is_not_called_none() {
    let folder = tempfile::tempdir().unwrap();
    // A node waits for the database of its lobby before it does anything else.
    let set = [
        "store.url=mysql://muster:secret@127.0.0.1:1/faf",
        "faf.auth=database",
        "cluster.url=nats://127.0.0.1:1",
        "vcmi.address=",
    ];
    let mut server = super::command(&folder, &set);
    let mut server = server
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let text = format!(
        "CRITICAL: the server, process {}, does not answer",
        server.id()
    );
    until("it is known to start", || {
        let mut command = muster(folder.path());
        said(&command.args(["ctl", "check"]).output().unwrap()).starts_with(&text)
    });
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn check_tells_of_a_store_and_a_disk_that_take_nothing_until_they_do() {
    let (server, _) = logging(&[]);
    until("all is well", || checked(&server).0 == Some(0));
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let file = server.folder().join("muster.db");
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(PATIENCE);
    let mut other = runtime.block_on(options.connect()).unwrap();
    runtime.block_on(other.execute("BEGIN IMMEDIATE")).unwrap();
    until("the store is missed", || {
        metric(&server, "muster_store_failing") > 0.0
    });
    let (code, said_of_it) = checked(&server);
    assert_eq!(code, Some(2), "{said_of_it}");
    assert!(
        said_of_it.starts_with("CRITICAL: the store of faf takes nothing"),
        "{said_of_it}"
    );
    runtime.block_on(other.execute("ROLLBACK")).unwrap();
    until("the store is back", || checked(&server).0 == Some(0));

    let (games, away) = (server.folder().join("games"), server.folder().join("away"));
    fs::rename(&games, &away).unwrap();
    until("the disk is missed", || checked(&server).0 == Some(1));
    let said_of_it = checked(&server).1;
    assert!(
        said_of_it.starts_with("WARNING: the disk takes nothing"),
        "{said_of_it}"
    );
    fs::rename(&away, &games).unwrap();
    until("the disk is back", || checked(&server).0 == Some(0));
}

#[test]
fn a_wrong_configuration_keeps_nobody_from_a_server_that_runs() {
    let (server, _) = logging(&[]);
    let file = server.folder().join("wrong.toml");
    let folder = server.folder().display();
    let text = format!("[server]\ndata_dir = \"{folder}\"\n[faf]\nno_such_key = 1\n");
    fs::write(&file, text).unwrap();
    let asked = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_muster"));
        command.arg("--config").arg(&file).arg("ctl").args(words);
        command.output().expect("it runs")
    };
    for words in [&["status"][..], &["check"], &["players"], &["audit"]] {
        let output = asked(words);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
        assert!(!output.stdout.is_empty(), "{words:?}");
        let beside = String::from_utf8_lossy(&output.stderr);
        assert!(beside.contains("no_such_key"), "{words:?}: {beside}");
    }
    fs::remove_file(&file).unwrap();
    let output = asked(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        output.stdout.starts_with(b"CRITICAL: "),
        "{}",
        said(&output)
    );
}
