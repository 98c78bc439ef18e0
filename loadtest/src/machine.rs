//! What Linux tells about the server's process and about this machine. Everything here may be missing (another machine,
//! another user's process); then it is `None`, never a guess.

use std::collections::HashSet;
use std::fs;

use procfs::net::TcpState;
use procfs::process::{FDTarget, Process, all_processes};
use procfs::{CpuInfo, Current as _, LoadAverage, Meminfo, page_size, ticks_per_second};
use serde::Serialize;

/// A process's use of the machine at one moment.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Usage {
    /// User and system time since its start, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// Proportional share of it, if the kernel tells.
    pub pss_bytes: Option<u64>,
    /// Threads.
    pub threads: u64,
}

impl Usage {
    /// Reads the process `pid`; `None` if it does not exist or may not be looked at.
    pub fn of(pid: u32) -> Option<Usage> {
        let process = Process::new(pid.try_into().ok()?).ok()?;
        let pss_bytes = process.smaps_rollup().ok().and_then(|rollup| {
            let all = rollup.memory_map_rollup;
            all.0.first()?.extension.map.get("Pss").copied()
        });
        Some(Usage {
            pss_bytes,
            ..Usage::of_process(&process)?
        })
    }

    /// The same without the proportional share, which the kernel has to add up: cheap enough to be asked often.
    pub(crate) fn glance(pid: u32) -> Option<Usage> {
        Usage::of_process(&Process::new(pid.try_into().ok()?).ok()?)
    }

    fn of_process(process: &Process) -> Option<Usage> {
        let stat = process.stat().ok()?;
        // Of one that has ended nothing is left but its name.
        if matches!(stat.state, 'Z' | 'X') {
            return None;
        }
        Some(Usage {
            cpu_seconds: (stat.utime + stat.stime) as f64 / ticks_per_second() as f64,
            rss_bytes: stat.rss * page_size(),
            pss_bytes: None,
            threads: stat.num_threads.try_into().unwrap_or(0),
        })
    }
}

/// The process that listens on one of `ports` here, found by the socket's inode.
pub fn listener(ports: &[u16]) -> Option<u32> {
    let tables = [procfs::net::tcp(), procfs::net::tcp6()];
    let sockets = tables.into_iter().flatten().flatten();
    let inodes: HashSet<u64> = sockets
        .filter(|socket| socket.state == TcpState::Listen)
        .filter(|socket| ports.contains(&socket.local_address.port()))
        .map(|socket| socket.inode)
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let owns = |process: &Process| {
        let descriptors = process.fd().into_iter().flatten().flatten();
        let mut targets = descriptors.map(|descriptor| descriptor.target);
        targets.any(|target| matches!(target, FDTarget::Socket(inode) if inodes.contains(&inode)))
    };
    let process = all_processes().ok()?.flatten().find(owns)?;
    u32::try_from(process.pid).ok()
}

/// The machine and the program a result was measured with.
#[derive(Debug, Clone, Serialize)]
pub struct Environment {
    /// Kernel release.
    pub kernel: String,
    /// Model name of the first processor.
    pub cpu: String,
    /// Processors this process may use.
    pub cores: usize,
    /// Memory of the machine in KiB.
    pub memory_kib: Option<u64>,
    /// This program's version.
    pub swarm_version: &'static str,
    /// Commit of the tree the program was started in, if it was one.
    pub git_commit: Option<String>,
    /// The command line, passwords left out.
    pub command: String,
    /// Seconds since 1970 at the start.
    pub started_unix: u64,
    /// Load average at the start: a busy machine explains odd figures.
    pub load_average: String,
}

impl Environment {
    /// Looks around.
    pub fn here(command: String) -> Environment {
        let cpu = CpuInfo::current().ok();
        let cpu = cpu.and_then(|cpu| Some(cpu.model_name(0)?.to_owned()));
        let load = LoadAverage::current().ok();
        let load = load.map(|load| format!("{} {} {}", load.one, load.five, load.fifteen));
        Environment {
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |release| release.trim().to_owned()),
            cpu: cpu.unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_kib: Meminfo::current()
                .ok()
                .map(|memory| memory.mem_total / 1024),
            swarm_version: env!("CARGO_PKG_VERSION"),
            git_commit: git_commit(),
            command,
            started_unix: std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            load_average: load.unwrap_or_else(unknown),
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn git_commit() -> Option<String> {
    let output = std::process::Command::new("git")
        .args(["rev-parse", "HEAD"])
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_its_own_listener() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = socket.local_addr().expect("bound").port();
        assert_eq!(listener(&[port]), Some(std::process::id()));
        drop(socket);
        assert!(Usage::of(std::process::id()).is_some_and(|usage| usage.rss_bytes > 0));
    }

    #[test]
    fn a_process_that_has_ended_uses_nothing_that_could_be_told() {
        let mut child = std::process::Command::new("true")
            .spawn()
            .expect("it is there");
        let pid = child.id();
        // Nobody has asked how it ended: it stays in the table of processes until then.
        while Usage::glance(pid).is_some() {
            std::thread::yield_now();
        }
        assert!(Process::new(pid as i32).is_ok_and(|process| process.stat().is_ok()));
        assert!(Usage::of(pid).is_none());
        child.wait().expect("it has ended");
    }

    #[test]
    fn nobody_listens_on_a_free_port() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = socket.local_addr().expect("bound").port();
        drop(socket);
        assert_eq!(listener(&[port]), None);
    }

    #[test]
    fn the_machine_has_a_name() {
        let here = Environment::here(String::new());
        assert_ne!((&*here.kernel, &*here.cpu), ("unknown", "unknown"));
        assert!(here.memory_kib.is_some_and(|kib| kib > 0));
    }
}
