//! Can this machine run the server, and how well? The same checks serve `muster doctor` and the start-up.
//!
//! Reading the machine ([`Machine::read`]) and judging it ([`judge`]) are apart, so that every verdict can be tested
//! with made-up machines. It reads `/proc` and `/sys` and tries one io_uring; it changes nothing. What the lobbies need beside the
//! machine ([`lobbies`]), and nodes of one lobby ([`cluster`](fn@cluster)), is for `muster doctor` alone.

mod cluster;
mod lobbies;

use std::{fmt::Write, fs, io};

use config::Config;
use settings::HostAddress;

pub use cluster::cluster;
pub use lobbies::lobbies;

/// Oldest kernel with polls that stay armed.
const KERNEL_NEEDED: (u32, u32) = (5, 13);
/// From here on a ring does its work when its shard asks for it, and interrupts nobody.
const KERNEL_WANTED: (u32, u32) = (6, 1);
/// Locked memory that each executor insists on.
const MEMLOCK_BYTES_PER_SHARD: u64 = 512 << 10;
/// Descriptors of the process whatever its size, twice those of one that has just started: listeners, threads' polls, the
/// broker, keys, files of finished games.
const OWN_DESCRIPTORS: u64 = 64;
/// Descriptors of a shard: rings, bells, and another ring while one is renewed.
const DESCRIPTORS_PER_SHARD: u64 = 8;
/// Files of the embedded store.
const STORE_DESCRIPTORS: u64 = 12;
/// With fewer clients than this it is no server.
const LEAST_CONNECTIONS: u64 = 16;
/// Listen backlog the listeners ask for; `somaxconn` cuts it.
const BACKLOG_WANTED: u64 = 4096;
/// Fewer local ports than this hamper a proxy or a load test on the same machine.
const LOCAL_PORTS_WANTED: u64 = 40_000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// The server runs, but not as well as it could.
    Warn,
    /// The server can't run.
    Fail,
}

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What is there.
    pub found: String,
    /// What should be.
    pub wanted: String,
    /// How bad it is.
    pub verdict: Verdict,
    /// What to do; empty if all is well.
    pub advice: String,
}

/// What the server needs to know of its machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Text of `/proc/sys/kernel/osrelease`.
    pub kernel: String,
    /// What trying an io_uring gave: the system's error number, if it failed.
    pub ring: Result<(), i32>,
    /// `kernel.io_uring_disabled`, on kernels that have it.
    pub io_uring_disabled: Option<u64>,
    /// Soft limit of locked memory in bytes; `None`: unlimited.
    pub memlock_bytes: Option<u64>,
    /// Soft and hard limit of open files; `None`: unlimited.
    pub open_files: (Option<u64>, Option<u64>),
    /// `net.core.somaxconn`.
    pub somaxconn: Option<u64>,
    /// Cores this process may use.
    pub cores: usize,
    /// The chosen word of `transparent_hugepage/enabled`.
    pub huge_pages: Option<String>,
    /// `net.ipv4.ip_local_port_range`.
    pub local_ports: Option<(u64, u64)>,
}

impl Machine {
    /// Looks at the machine this runs on. What can't be read is left out.
    pub fn read() -> Machine {
        let file = |path: &str| fs::read_to_string(path).ok();
        let limits = file("/proc/self/limits").unwrap_or_default();
        let open_files = limit(&limits, "Max open files");
        Machine {
            kernel: file("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            ring: io_uring::IoUring::new(8)
                .map(drop)
                .map_err(|error| error.raw_os_error().unwrap_or(0)),
            io_uring_disabled: file("/proc/sys/kernel/io_uring_disabled")
                .as_deref()
                .and_then(first_number),
            memlock_bytes: limit(&limits, "Max locked memory").map_or(Some(0), |(soft, _)| soft),
            open_files: open_files.unwrap_or((Some(1024), Some(1024))),
            somaxconn: file("/proc/sys/net/core/somaxconn")
                .as_deref()
                .and_then(first_number),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            huge_pages: file("/sys/kernel/mm/transparent_hugepage/enabled")
                .as_deref()
                .and_then(chosen),
            local_ports: file("/proc/sys/net/ipv4/ip_local_port_range")
                .as_deref()
                .and_then(port_range),
        }
    }
}

/// All checks, the ones that stop the server first.
pub fn judge(machine: &Machine, config: &Config) -> Vec<Check> {
    vec![
        kernel(machine),
        ring(machine),
        memlock(machine, config.engine.shards),
        open_files(machine, config),
        somaxconn(machine),
        cores(machine, config.engine.shards),
        huge_pages(machine),
        local_ports(machine),
    ]
}

/// The failures as one plain text, if there are any: what start-up says before it gives up.
pub fn failures(checks: &[Check]) -> Option<String> {
    let failed: Vec<_> = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Fail)
        .collect();
    let line = |check: &&Check| {
        format!(
            "{}: found {}, wanted {}. {}",
            check.name, check.found, check.wanted, check.advice
        )
    };
    (!failed.is_empty()).then(|| failed.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// The checks for people.
pub fn table(checks: &[Check]) -> String {
    let mut out = String::new();
    for check in checks {
        let mark = match check.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        let _ = writeln!(
            out,
            "{mark}  {:<18} {} (wanted: {})",
            check.name, check.found, check.wanted
        );
        if !check.advice.is_empty() {
            let _ = writeln!(out, "      {}", check.advice);
        }
    }
    out
}

/// The checks for programs: a JSON array.
pub fn json(checks: &[Check]) -> String {
    serde_json::to_string_pretty(checks).expect("checks are plain text")
}

/// A check that is as it should be, unless `verdict` says otherwise; advice is dropped if all is well.
fn check(
    name: &'static str,
    found: String,
    wanted: String,
    verdict: Verdict,
    advice: &str,
) -> Check {
    let advice = if verdict == Verdict::Ok { "" } else { advice };
    Check {
        name,
        found,
        wanted,
        verdict,
        advice: advice.to_owned(),
    }
}

fn ok_or(good: bool, otherwise: Verdict) -> Verdict {
    if good { Verdict::Ok } else { otherwise }
}

fn kernel(machine: &Machine) -> Check {
    let verdict = match version(&machine.kernel) {
        Some(version) if version >= KERNEL_WANTED => Verdict::Ok,
        Some(version) if version >= KERNEL_NEEDED => Verdict::Warn,
        Some(_) => Verdict::Fail,
        None => Verdict::Warn,
    };
    let wanted = format!(
        "{}.{} or newer, at least {}.{}",
        KERNEL_WANTED.0, KERNEL_WANTED.1, KERNEL_NEEDED.0, KERNEL_NEEDED.1
    );
    check(
        "kernel",
        machine.kernel.clone(),
        wanted,
        verdict,
        "Install a newer kernel.",
    )
}

fn ring(machine: &Machine) -> Check {
    let wanted = "a ring can be made".to_owned();
    let Err(error) = machine.ring else {
        return check("io_uring", "works".into(), wanted, Verdict::Ok, "");
    };
    let advice = match (machine.io_uring_disabled, error) {
        (Some(2), _) => {
            "kernel.io_uring_disabled = 2 forbids it to everybody: run `sysctl kernel.io_uring_disabled=0` and keep \
             it in /etc/sysctl.d (tuning/README.md)."
        }
        (Some(1), libc::EPERM) => {
            "kernel.io_uring_disabled = 1 allows it only to the group kernel.io_uring_group: put the server's user \
             in that group, or set the former to 0 (tuning/README.md)."
        }
        (_, libc::EPERM | libc::EACCES) => {
            "A seccomp or security profile forbids it, as the default profiles of Docker and containerd do: add the \
             rule in tuning/seccomp.json to the container's profile (tuning/README.md)."
        }
        (_, libc::ENOSYS) => {
            "The kernel has no io_uring, or a sandbox hides it (gVisor, a seccomp profile): use another kernel or \
             runtime, or tuning/seccomp.json."
        }
        (_, libc::ENOMEM) => {
            "The limit of locked memory is too low: raise LimitMEMLOCK / `ulimit -l` (tuning/limits.conf)."
        }
        _ => "See tuning/README.md, section io_uring.",
    };
    let found = io::Error::from_raw_os_error(error).to_string();
    check("io_uring", found, wanted, Verdict::Fail, advice)
}

fn memlock(machine: &Machine, shards: u16) -> Check {
    let wanted = MEMLOCK_BYTES_PER_SHARD * u64::from(shards);
    let found = machine
        .memlock_bytes
        .map_or("unlimited".into(), |bytes| format!("{bytes} bytes"));
    let enough = machine.memlock_bytes.is_none_or(|bytes| bytes >= wanted);
    check(
        "locked memory",
        found,
        format!("{wanted} bytes or more"),
        ok_or(enough, Verdict::Warn),
        "Raise LimitMEMLOCK in the unit (tuning/muster.service) or memlock in limits.conf (tuning/limits.conf); \
         otherwise rings may fail to register their buffers.",
    )
}

fn open_files(machine: &Machine, config: &Config) -> Check {
    let connections = config.engine.connections;
    let own = own_descriptors(config);
    let wanted = connections as u64 + own;
    let (soft, hard) = machine.open_files;
    let shown = |limit: Option<u64>| limit.map_or("unlimited".into(), |limit| limit.to_string());
    // Start-up raises the soft limit to the hard one, so the hard one decides.
    let verdict = match hard {
        Some(hard) if hard < own + LEAST_CONNECTIONS => Verdict::Fail,
        Some(hard) if hard < wanted => Verdict::Warn,
        _ => Verdict::Ok,
    };
    check(
        "open files",
        format!("{} (hard limit {})", shown(soft), shown(hard)),
        format!("{wanted} for limits.connections = {connections}"),
        verdict,
        "Raise LimitNOFILE in the unit (tuning/muster.service) or nofile in limits.conf, or lower \
         limits.connections: beyond the limit connections are refused.",
    )
}

/// Descriptors that are kept for the server itself: no client gets them.
pub fn own_descriptors(config: &Config) -> u64 {
    // A database server's pools have so many in all, at the most.
    let store = (2 * u64::from(config.store.connections)).max(STORE_DESCRIPTORS);
    let own = [
        true,
        lobbies::has_accounts(config),
        config.lobbies.vcmi_json.dialect.enabled,
    ];
    let store = store * own.into_iter().filter(|has| *has).count() as u64;
    let http = &config.http;
    let json = match config.lobbies.vcmi_json.dialect.enabled {
        true => config.vcmi_json.http,
        false => HostAddress::Off,
    };
    let endpoints = [http.control, http.health, http.metrics, http.page, json];
    let open = endpoints
        .iter()
        .filter(|address| **address != HostAddress::Off);
    let endpoints = open.count() as u64 * backoffice::http::CONNECTIONS as u64;
    OWN_DESCRIPTORS + DESCRIPTORS_PER_SHARD * u64::from(config.engine.shards) + store + endpoints
}

/// How many may be connected: what was configured, or as many as there are descriptors for.
pub fn connections(machine: &Machine, config: &Config) -> usize {
    let wanted = config.engine.connections;
    let (_, hard) = machine.open_files;
    hard.map_or(wanted, |hard| {
        let left = hard.saturating_sub(own_descriptors(config));
        wanted.min(usize::try_from(left).unwrap_or(usize::MAX))
    })
}

fn somaxconn(machine: &Machine) -> Check {
    check(
        "somaxconn",
        machine
            .somaxconn
            .map_or("unknown".into(), |n| n.to_string()),
        format!("{BACKLOG_WANTED} or more"),
        ok_or(
            machine.somaxconn.is_some_and(|n| n >= BACKLOG_WANTED),
            Verdict::Warn,
        ),
        "Set net.core.somaxconn (tuning/99-muster.conf): when all clients reconnect at once, a short backlog drops \
         them.",
    )
}

fn cores(machine: &Machine, shards: u16) -> Check {
    check(
        "cores",
        machine.cores.to_string(),
        format!("one for each of {shards} shards"),
        ok_or(machine.cores >= usize::from(shards), Verdict::Warn),
        "Lower server.shards or give the process more cores: shards that share a core wait for each other.",
    )
}

fn huge_pages(machine: &Machine) -> Check {
    let found = machine
        .huge_pages
        .clone()
        .unwrap_or_else(|| "unknown".into());
    let verdict = ok_or(found != "always", Verdict::Warn);
    check(
        "huge pages",
        found,
        "madvise or never".into(),
        verdict,
        "`echo madvise > /sys/kernel/mm/transparent_hugepage/enabled`: \"always\" makes memory of many small \
         connections swell and compaction cause pauses.",
    )
}

fn local_ports(machine: &Machine) -> Check {
    let ports = machine
        .local_ports
        .map(|(low, high)| (high + 1).saturating_sub(low));
    check(
        "local ports",
        ports.map_or("unknown".into(), |ports| ports.to_string()),
        format!("{LOCAL_PORTS_WANTED} or more"),
        ok_or(
            ports.is_none_or(|ports| ports >= LOCAL_PORTS_WANTED),
            Verdict::Warn,
        ),
        "Widen net.ipv4.ip_local_port_range (tuning/99-muster.conf) if a proxy or a load test runs on this machine.",
    )
}

/// Major and minor of a kernel release such as `6.1.0-13-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Soft and hard value of a row of `/proc/self/limits`; inner `None`: unlimited.
fn limit(limits: &str, name: &str) -> Option<(Option<u64>, Option<u64>)> {
    let row = limits.lines().find_map(|line| line.strip_prefix(name))?;
    let mut values = row.split_whitespace().map(|value| value.parse().ok());
    Some((values.next()?, values.next()?))
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// The word in brackets: `always [madvise] never`.
fn chosen(text: &str) -> Option<String> {
    Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())
}

fn port_range(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Sources;

    fn good() -> Machine {
        Machine {
            kernel: "6.1.0-13-amd64".into(),
            ring: Ok(()),
            io_uring_disabled: Some(0),
            memlock_bytes: None,
            open_files: (Some(1024), Some(1 << 20)),
            somaxconn: Some(4096),
            cores: 64,
            huge_pages: Some("madvise".into()),
            local_ports: Some((1024, 65535)),
        }
    }

    fn config() -> Config {
        let flags = [("server.shards".to_owned(), "4".to_owned())];
        Config::load(&Sources {
            flags: flags.to_vec(),
            ..Sources::default()
        })
        .unwrap()
    }

    fn verdict(machine: &Machine, name: &str) -> Verdict {
        judge(machine, &config())
            .into_iter()
            .find(|check| check.name == name)
            .unwrap()
            .verdict
    }

    #[test]
    fn a_good_machine_gets_no_advice() {
        let checks = judge(&good(), &config());
        assert!(
            checks
                .iter()
                .all(|check| check.verdict == Verdict::Ok && check.advice.is_empty()),
            "{checks:?}"
        );
        assert_eq!(failures(&checks), None);
    }

    #[test]
    fn each_shortage_is_found() {
        let with = |change: fn(&mut Machine)| {
            let mut machine = good();
            change(&mut machine);
            machine
        };
        assert_eq!(
            verdict(&with(|m| m.kernel = "5.4.0".into()), "kernel"),
            Verdict::Fail
        );
        assert_eq!(
            verdict(&with(|m| m.kernel = "5.15.0".into()), "kernel"),
            Verdict::Warn
        );
        assert_eq!(
            verdict(&with(|m| m.memlock_bytes = Some(65536)), "locked memory"),
            Verdict::Warn
        );
        assert_eq!(
            verdict(&with(|m| m.open_files.1 = Some(4096)), "open files"),
            Verdict::Warn
        );
        assert_eq!(
            verdict(&with(|m| m.open_files.1 = Some(150)), "open files"),
            Verdict::Fail
        );
        assert_eq!(
            verdict(&with(|m| m.somaxconn = Some(128)), "somaxconn"),
            Verdict::Warn
        );
        assert_eq!(verdict(&with(|m| m.cores = 3), "cores"), Verdict::Warn);
        assert_eq!(
            verdict(
                &with(|m| m.huge_pages = Some("always".into())),
                "huge pages"
            ),
            Verdict::Warn
        );
        assert_eq!(
            verdict(
                &with(|m| m.local_ports = Some((32768, 60999))),
                "local ports"
            ),
            Verdict::Warn
        );
    }

    #[test]
    fn the_server_keeps_some_descriptors_for_itself() {
        let with = |hard| {
            let mut machine = good();
            machine.open_files.1 = hard;
            connections(&machine, &config())
        };
        assert_eq!((with(None), with(Some(1 << 20))), (100_000, 100_000));
        let own = own_descriptors(&config());
        assert_eq!(with(Some(own + 400)), 400);
        assert_eq!(with(Some(10)), 0);
    }

    #[test]
    fn a_forbidden_ring_says_who_forbids_it() {
        let advice = |disabled, error| {
            let machine = Machine {
                ring: Err(error),
                io_uring_disabled: disabled,
                ..good()
            };
            failures(&judge(&machine, &config())).expect("must fail")
        };
        assert!(advice(Some(2), libc::EPERM).contains("io_uring_disabled = 2"));
        assert!(advice(Some(1), libc::EPERM).contains("io_uring_group"));
        assert!(advice(Some(0), libc::EPERM).contains("tuning/seccomp.json"));
        assert!(advice(None, libc::ENOSYS).contains("no io_uring"));
        assert!(advice(None, libc::ENOMEM).contains("locked memory"));
    }

    #[test]
    fn files_of_the_kernel_are_read() {
        assert_eq!(version("6.18.5-generic"), Some((6, 18)));
        assert_eq!(version("5.15"), Some((5, 15)));
        assert_eq!(version("linux"), None);
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n\
                      Max locked memory         unlimited            unlimited            bytes     \n";
        assert_eq!(
            limit(limits, "Max open files"),
            Some((Some(1024), Some(524_288)))
        );
        assert_eq!(limit(limits, "Max locked memory"), Some((None, None)));
        assert_eq!(limit(limits, "Max nothing"), None);
        assert_eq!(
            chosen("always [madvise] never\n").as_deref(),
            Some("madvise")
        );
        assert_eq!(port_range("32768\t60999\n"), Some((32768, 60999)));
    }

    #[test]
    fn this_machine_can_be_read() {
        let checks = judge(&Machine::read(), &config());
        assert!(version(&checks[0].found).is_some(), "{:?}", checks[0]);
        assert!(table(&checks).lines().count() >= checks.len());
        assert!(json(&checks).starts_with('['));
    }
}
