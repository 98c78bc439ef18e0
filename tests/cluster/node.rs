//! One node: the real binary in a process of its own, behind a proxy to NATS and another to the database.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    support::{
        http::get,
        proxy::Proxy,
        server::{muster, serve, signal},
    },
    until,
};

/// What all nodes of a test are set to; tests add to it.
const SETTINGS: &[&str] = &[
    "server.shards=2",
    "server.pin=false",
    "server.stop_grace_s=0",
    "log.level=info,async_nats=off,muster_backoffice::faf::store=error",
    "faf.auth=database",
    "faf.tick_ms=50",
    "faf.jwks_url=",
    "faf.json_address=127.0.0.1:0",
    "faf.qdatastream_address=",
    "faf.websocket_address=",
    "vcmi.address=127.0.0.1:0",
    "http.control_address=127.0.0.1:0",
    "http.health_address=127.0.0.1:0",
    "http.metrics_address=127.0.0.1:0",
    "http.page_address=",
];

/// A node that has been started at least once.
pub(crate) struct Node {
    command: Command,
    folder: TempDir,
    /// Nothing while it is dead.
    child: Option<Child>,
    ports: BTreeMap<String, SocketAddr>,
    /// Between it and NATS.
    pub(crate) bus: Proxy,
    /// Between it and the database.
    pub(crate) store: Proxy,
    is_stopped: bool,
}

impl Node {
    /// Made, and not started yet.
    pub(crate) fn new(name: &str, nats: SocketAddr, store_url: &str, set: &[String]) -> Node {
        let folder = tempfile::tempdir().unwrap();
        let bus = Proxy::new(nats.to_string());
        let (store, url) = Proxy::before(store_url);
        let mut command = muster(folder.path());
        let own = [
            format!("store.url={url}"),
            format!("cockatrice.store_url={url}"),
            format!("cluster.url=nats://{}", bus.address),
            format!("cluster.name={name}"),
        ];
        let all = SETTINGS
            .iter()
            .copied()
            .chain(own.iter().map(|pair| &**pair));
        for pair in all.chain(set.iter().map(|pair| &**pair)) {
            command.args(["--set", pair]);
        }
        command.arg("serve").stdout(Stdio::piped());
        Node {
            command,
            folder,
            child: None,
            ports: BTreeMap::new(),
            bus,
            store,
            is_stopped: false,
        }
    }

    /// Starts it, on the folder that it had before, and waits until it is ready.
    pub(crate) fn start(&mut self) {
        self.start_unready();
        until("the node to be ready", || self.is_ready());
    }

    /// The same without waiting.
    pub(crate) fn start_unready(&mut self) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        self.command.stderr(Stdio::from(log));
        match serve(&mut self.command) {
            Ok((child, ports)) => {
                self.child = Some(child);
                self.ports = ports;
            }
            Err(why) => panic!("{why}:\n{}", self.log()),
        }
    }

    /// What `muster ctl` says when it is asked this of the node.
    pub(crate) fn ctl(&self, words: &[&str]) -> String {
        let mut command = muster(self.folder.path());
        let output = command.arg("ctl").args(words).output().unwrap();
        let [said, failed] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        said + &failed
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.is_stopped = false;
    }

    /// Asks it to end, as an operator does.
    pub(crate) fn terminate(&self) {
        signal(self.pid(), "TERM").unwrap();
    }

    /// Its exit status, when it has ended by itself; nothing if a signal has ended it.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let mut status = None;
        let child = self.child.as_mut().expect("it was started");
        until("the node to end", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        self.child = None;
        status.and_then(|status| status.code())
    }

    /// Has it stand still.
    pub(crate) fn stop(&mut self) {
        signal(self.pid(), "STOP").unwrap();
        self.is_stopped = true;
    }

    /// Has it go on.
    pub(crate) fn go_on(&mut self) {
        signal(self.pid(), "CONT").unwrap();
        self.is_stopped = false;
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Whether it can be asked for anything.
    pub(crate) fn runs(&self) -> bool {
        self.child.is_some() && !self.is_stopped
    }

    /// Whether the process is still there.
    pub(crate) fn is_alive(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// The address of a listener.
    pub(crate) fn listener(&self, name: &str) -> SocketAddr {
        let address = self.ports.get(name).copied();
        address.unwrap_or_else(|| panic!("it does not listen on {name}: {:?}", self.ports))
    }

    /// What a path of the health endpoint answers; nothing if nobody answers.
    pub(crate) fn health(&self, path: &str) -> Option<u16> {
        let page = get(self.listener("http/health"), path).ok()?;
        Some(page.status)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.health("/ready") == Some(200)
    }

    /// The sum of a metric over all its series.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.metric_of(name, "")
    }

    /// The sum of those of its series that have this among their labels, as `lease="lead"`.
    pub(crate) fn metric_of(&self, name: &str, label: &str) -> f64 {
        let Ok(page) = get(self.listener("http/metrics"), "/metrics") else {
            return 0.0;
        };
        let values = page.body.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            let is_it = labels.is_empty() || labels.starts_with('{');
            (is_it && labels.contains(label)).then(|| value.parse::<f64>().unwrap())
        });
        values.sum()
    }

    /// Whether it has given up hope of the others.
    pub(crate) fn is_island(&self) -> bool {
        self.metric("muster_cluster_island") == 1.0
    }

    /// Whether it holds a lease, by its own word.
    pub(crate) fn holds(&self, lease: &str) -> bool {
        self.metric_of("muster_cluster_holds", &format!("lease=\"{lease}\"")) == 1.0
    }

    /// Memory that it has in use.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap()
    }

    /// The end of what it has logged.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "== log of {}:\n{}",
                self.folder.path().display(),
                self.log()
            );
        }
        self.kill();
    }
}
