//! Signals, whenever they come.

use std::{fs, process::Stdio};

use serde_json::json;

use super::{
    asked, command, logging,
    support::{
        player::{Player, hello},
        server::signal,
    },
    until,
};

/// Whether a process has a handler for a signal, as the kernel says.
fn heeds(pid: u32, signal: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
    caught & 1 << (signal - 1) != 0
}

#[test]
fn a_signal_during_the_start_is_heard_after_it() {
    for (name, number) in [("HUP", 1), ("TERM", 15), ("INT", 2), ("USR1", 10)] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(&folder, &[]);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        until("the signal is heeded", || heeds(child.id(), number));
        signal(child.id(), name).unwrap();
        // It neither ends the process nor gets lost: what ends it is an orderly end.
        if !matches!(name, "TERM" | "INT") {
            signal(child.id(), "TERM").unwrap();
        }
        assert_eq!(child.wait().unwrap().code(), Some(0), "{name}");
        assert!(
            folder.path().join("muster.db").exists(),
            "{name}: it had started"
        );
    }
}

// USR2 of a supervisor that meant something else ended the server.
#[test]
fn a_signal_that_means_nothing_ends_nothing() {
    let (mut server, log) = logging(&["faf.auth=open"]);
    for name in ["USR2", "ALRM", "VTALRM", "PROF", "IO", "PWR", "STKFLT"] {
        server.signal(name).unwrap();
        let line = format!("signal={name}");
        until("the signal is in the log", || log().contains(&line));
    }
    Player::signed_in(&server, "orion");
    server.terminate().unwrap();
    assert_eq!(server.ended(), Ok(0));
}

// The kernel ends a process that writes beyond RLIMIT_FSIZE and has no handler for XFSZ.
#[test]
fn a_file_that_may_not_grow_is_as_a_full_disk() {
    let (mut server, log) = logging(&["faf.auth=open"]);
    let mut orion = Player::signed_in(&server, "orion");
    let written = fs::metadata(server.folder().join("muster.db-wal")).unwrap();
    let pid = format!("--pid={}", server.pid());
    let limit = |bytes: &str| asked("prlimit", &[&pid, &format!("--fsize={bytes}:")]);
    if limit(&written.len().to_string()).is_none() {
        return;
    }
    let mut vega = Player::connected(&server);
    vega.send(&hello("vega"));
    let refusal = vega.until("notice");
    let text = refusal["text"].as_str().unwrap();
    assert!(text.contains("Unable to connect to database"), "{text}");
    until("the reason is in the log", || log().contains("LimitFSIZE"));
    orion.send(&json!({"command":"ping"}));
    orion.until("pong");
    limit("unlimited");
    Player::signed_in(&server, "vega");
    server.terminate().unwrap();
    assert_eq!(server.ended(), Ok(0));
}
