//! What Linux tells about the server's process and about this machine. Everything here may be missing (another machine,
//! another user's process); then it is `None`, never a guess.

use std::fs;
use std::path::Path;

use serde::Serialize;

/// Kernel ticks per second as `/proc` reports them: fixed at 100 for user space on Linux.
const USER_HZ: f64 = 100.0;
/// State `LISTEN` in `/proc/net/tcp`.
const TCP_LISTEN: &str = "0A";

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
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        Some(Usage {
            cpu_seconds: cpu_seconds(&stat)?,
            rss_bytes: kib(&rollup, "Rss:").or_else(|| kib(&status, "VmRSS:"))? * 1024,
            pss_bytes: kib(&rollup, "Pss:").map(|kib| kib * 1024),
            threads: kib(&status, "Threads:").unwrap_or(0),
        })
    }
}

/// `utime + stime`: fields 14 and 15, counted after the process name, which may itself hold spaces and brackets.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / USER_HZ)
}

/// The number behind `key` in a `Key:   123 kB` list.
fn kib(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(key))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

/// The process that listens on one of `ports` here, found by the socket's inode.
pub fn listener(ports: &[u16]) -> Option<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|path| fs::read_to_string(path).unwrap_or_default());
    let inodes: Vec<String> = tables
        .iter()
        .flat_map(|table| listening_inodes(table, ports))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let wanted: Vec<String> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let owns = fs::read_dir(entry.path().join("fd"))
            .ok()?
            .flatten()
            .any(|descriptor| {
                fs::read_link(descriptor.path())
                    .is_ok_and(|target| wanted.iter().any(|socket| target == Path::new(socket)))
            });
        owns.then_some(pid)
    })
}

fn listening_inodes(table: &str, ports: &[u16]) -> Vec<String> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let port = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
            (*fields.get(3)? == TCP_LISTEN && ports.contains(&port))
                .then(|| fields.get(9).map(|f| (*f).to_owned()))?
        })
        .collect()
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
        let read = |path: &str| {
            fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let cpuinfo = read("/proc/cpuinfo");
        let cpu = cpuinfo
            .lines()
            .find_map(|line| {
                line.strip_prefix("model name")
                    .and_then(|rest| rest.split_once(':'))
            })
            .map_or_else(
                || "unknown".to_owned(),
                |(_, model)| model.trim().to_owned(),
            );
        Environment {
            kernel: read("/proc/sys/kernel/osrelease"),
            cpu,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_kib: kib(&read("/proc/meminfo"), "MemTotal:"),
            swarm_version: env!("CARGO_PKG_VERSION"),
            git_commit: git_commit(),
            command,
            started_unix: std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            load_average: read("/proc/loadavg"),
        }
    }
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
    fn names_with_brackets_do_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 3 0 99";
        assert_eq!(cpu_seconds(stat), Some(2.0));
    }

    #[test]
    fn finds_its_own_listener() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = socket.local_addr().expect("bound").port();
        assert_eq!(listener(&[port]), Some(std::process::id()));
        drop(socket);
        assert!(Usage::of(std::process::id()).is_some_and(|usage| usage.rss_bytes > 0));
    }

    #[test]
    fn nobody_listens_nowhere() {
        assert!(
            listening_inodes(
                "head\n 0: 00000000:1F42 00000000:0000 01 0 0 0 0 0 77",
                &[8002]
            )
            .is_empty()
        );
        assert_eq!(
            listening_inodes(
                "head\n 0: 00000000:1F42 00000000:0000 0A 0 0 0 0 0 77",
                &[8002]
            ),
            ["77"]
        );
    }
}
