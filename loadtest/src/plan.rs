//! A run, fully decided.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::chance;
use crate::fleet::Share;
use crate::outputs::Files;
use crate::protocol::Runnable;
use crate::scenario::{Cast, Scenario, Script};
use crate::schedule::Schedule;
use crate::slo::Goal;
use crate::tls::Tls;
use crate::watching::{Exposition, Watching};

/// What a run does, whatever the protocol; what its clients do is the protocol's.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Tells this run's names and messages from those of another one against the same server.
    pub run_id: String,
    /// Number of clients, at all times together.
    pub clients: usize,
    /// Events per second in all, when they are most.
    pub rate: f64,
    /// How many clients share the rate of the protocol's own roles between them, or one.
    pub sources: usize,
    /// Which they are.
    pub(crate) source_clients: Arc<[usize]>,
    /// Measured phase.
    pub duration: Duration,
    /// What is measured.
    pub workload: Workload,
    /// Where to connect, dealt out in turn.
    pub servers: Vec<Server>,
    /// Threads with clients.
    pub threads: usize,
    /// The server's process, if known beforehand.
    pub server_pid: Option<u32>,
    /// What to write.
    pub files: Files,
    /// What must be met.
    pub goals: Vec<Goal>,
    /// Who signs in.
    pub accounts: Accounts,
    /// Sign-ins per second during assembly; `None` is all at once.
    pub ramp: Option<f64>,
    /// Seed of random choices.
    pub seed: u64,
    /// Patience at the end.
    pub grace: Duration,
    /// Patience at the beginning.
    pub setup_timeout: Duration,
    /// Time between two pings of a client that pings.
    pub ping_every: Duration,
    /// Connections per source address.
    pub per_address: usize,
    /// Threads are tied to cores.
    pub pin: bool,
    /// A run in which the load tester itself was late has failed.
    pub strict: bool,
    /// Set from outside to end the run before its time; what was measured is reported.
    pub interrupt: Arc<AtomicBool>,
    /// Set by the run once its measured phase has begun, for whoever waits for that.
    pub measuring: Arc<AtomicBool>,
    /// How the run is watched.
    pub watching: Watching,
    /// Its metrics while it goes on.
    pub(crate) exposition: Arc<Exposition>,
    /// Which path a WebSocket asks for, if that was said.
    pub(crate) path: String,
    /// How connections are encrypted, if they are.
    pub(crate) tls: Option<Tls>,
    /// Which of its clients are run here; all of them, if there is no share.
    pub share: Option<Share>,
    pub(crate) protocol: Arc<dyn Runnable>,
    /// What the clients do, and when.
    pub(crate) scenario: Arc<Scenario>,
    /// Who they are.
    pub(crate) cast: Arc<Cast>,
}

impl Plan {
    /// Numbers of the clients that are run here.
    pub(crate) fn own_clients(&self, protocol: &dyn Runnable) -> Vec<usize> {
        let mine = |index: &usize| match self.share {
            None => true,
            Some(share) => {
                let group = protocol.group_of(*index);
                group.is_ok_and(|group| group % share.of == share.number)
            }
        };
        (0..self.clients).filter(mine).collect()
    }

    /// How many clients there are before the measured phase begins.
    pub(crate) fn at_start(&self) -> usize {
        self.cast.at_start().min(self.clients)
    }

    /// The script that this client follows, if it follows one.
    pub(crate) fn script(&self, client: usize) -> Option<&Arc<Script>> {
        self.scenario.script(self.cast.member(client).role)
    }

    /// When turns of scripts are due, of each role in which they are due at a rate.
    pub(crate) fn arrivals(&self) -> Vec<(usize, Schedule)> {
        let until_us = self.duration.as_micros() as u64;
        let scripts = self.scenario.paced_scripts();
        scripts
            .map(|(role, script)| {
                // Roles do not follow each other's draws.
                let seed = chance::bits(&[self.seed, role as u64]);
                let spread = (seed, until_us);
                let schedule = Schedule::new(&script.rate, 1, script.arrivals, spread);
                (role, schedule)
            })
            .collect()
    }

    /// The first line of a run: what runs against what.
    pub fn heading(&self) -> String {
        let servers = self.servers.iter();
        let servers = servers.map(|server| {
            let transport = server.transport.to_lowercase();
            match &self.tls {
                Some(tls) => format!("{transport} {} ({tls})", server.address),
                None => format!("{transport} {}", server.address),
            }
        });
        let stages = self.scenario.stages.len();
        let (most, stages) = if stages > 1 {
            ("up to ", format!(" in {stages} stages"))
        } else {
            ("", String::new())
        };
        format!(
            "swarm {}: protocol {}, profile {}, {most}{} clients to {}, {}{stages}, seed {}, run {}",
            env!("CARGO_PKG_VERSION"),
            self.protocol.name(),
            self.scenario.name,
            self.clients,
            servers.collect::<Vec<_>>().join(", "),
            self.pace(most),
            self.seed,
            self.run_id,
        )
    }

    /// How much is due, and for how long.
    fn pace(&self, most: &str) -> String {
        let (rate, duration) = (self.rate, humantime::format_duration(self.duration));
        match (self.workload, self.ramp) {
            (Workload::SignIn, None) => format!("all signing in at once within {duration}"),
            (Workload::SignIn, Some(ramp)) => {
                format!("{ramp} signing in a second, the last within {duration}")
            }
            (Workload::Churn, _) => format!("{most}{rate} sign-ins a second for {duration}"),
            (Workload::Steady, _) if rate == 0.0 => format!("for {duration}"),
            (Workload::Steady, _) => format!("{most}{rate} a second for {duration}"),
        }
    }
}

/// An address of the server, and what is spoken there.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// Name of the transport, for the report.
    pub transport: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Which part of a run is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// Everybody signs in; then what the clients do.
    Steady,
    /// The sign-ins themselves, all of them at the pace of the ramp.
    SignIn,
    /// Sign-ins at the rate: clients sign in, stay a moment, and leave.
    Churn,
}

/// Where logins and passwords come from.
#[derive(Debug, Clone)]
pub enum Accounts {
    /// Prefix and number; the same password for all.
    Numbered {
        /// What every login begins with.
        prefix: String,
        /// The password.
        password: String,
    },
    /// Login and password of each.
    Listed(Vec<(String, String)>),
}

impl Accounts {
    /// Login and password of client `index`.
    pub fn of(&self, index: usize) -> (String, String) {
        match self {
            Accounts::Numbered { prefix, password } => {
                (format!("{prefix}{index}"), password.clone())
            }
            Accounts::Listed(list) => list[index].clone(),
        }
    }
}
