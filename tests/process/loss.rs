//! A part of the server that is lost. `strace` has the kernel refuse one shard's thread its ring and every other one; nothing
//! in the server is made for this. Without `strace`, or where it may trace nobody, nothing is tested here.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use super::{
    PATIENCE, logging,
    support::{http::get, server::Server},
    until,
};

/// The threads of a shard; one of them is the shard's own.
fn threads(server: &Server, shard: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let own = tasks.flatten().filter(|task| {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        name.starts_with(shard)
    });
    own.map(|task| task.file_name().into_string().unwrap())
        .collect()
}

/// Has calls of these threads end as `inject` says; `None` if that is not allowed here.
fn disturb(threads: &[String], inject: &[&str]) -> Option<Child> {
    let mut strace = Command::new("strace");
    strace.args(["-e", "trace=io_uring_enter,io_uring_setup"]);
    for thread in threads {
        strace.args(["-p", thread]);
    }
    for calls in inject {
        strace.args(["-e", &format!("inject={calls}")]);
    }
    let mut child = strace.stderr(Stdio::piped()).spawn().ok()?;
    let mut lines = BufReader::new(child.stderr.take()?)
        .lines()
        .map_while(Result::ok);
    let attached = lines.by_ref().filter(|line| line.contains("attached"));
    let attached = attached.take(threads.len()).count();
    std::thread::spawn(move || lines.count()); // so that it can go on writing
    if attached < threads.len() {
        eprintln!("strace may trace nobody here, passed over");
        let _ = child.kill();
        let _ = child.wait();
        return None;
    }
    Some(child)
}

#[test]
fn a_lost_shard_fails_the_readiness_and_ends_the_process_with_a_reason() {
    let (mut server, log) = logging(&["faf.tick_ms=50"]);
    let health = server.listener("http/health").unwrap();
    assert_eq!(get(health, "/ready").unwrap().status, 200);
    // The other shard is slow to end, so that there is time to see what the probe is told.
    let slow = threads(&server, "shard-1-");
    let Some(mut slow) = disturb(&slow, &["io_uring_enter:delay_exit=500000"]) else {
        return;
    };
    let lost = threads(&server, "shard-0-");
    let never = ["io_uring_enter:error=EBADF", "io_uring_setup:error=ENOMEM"];
    let mut lost = disturb(&lost, &never).unwrap();
    until("the probe is told", || {
        get(health, "/ready").is_ok_and(|page| page.status == 503)
    });
    assert_eq!(server.ended(), Ok(1), "within {PATIENCE:?}");
    for strace in [&mut slow, &mut lost] {
        strace.wait().unwrap(); // it ends with whom it traces
    }
    let log = log();
    for reason in [
        "a shard can't go on",
        "a part of the server has ended",
        "shard 0 has ended by itself",
    ] {
        assert!(log.contains(reason), "{reason} is missing in {log}");
    }
}
