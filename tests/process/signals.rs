//! Signals, whenever they come.

use std::{fs, process::Stdio};

use super::{command, support::server::signal, until};

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
