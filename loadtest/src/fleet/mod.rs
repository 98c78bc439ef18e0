//! One run on several machines: `swarm run --workers N` leads, `swarm join` runs a share of its clients.
//!
//! | file | what lives there |
//! |---|---|
//! | `frames`, `messages` | what the two say to each other |
//! | `secret` | who may take part |
//! | `offset` | how far two machines' clocks are apart, and how well that is known |
//! | `door` | who leads: waits for workers, and lets strangers in no further |
//! | `crew` | who leads: the workers, what they have said, who is lost |
//! | `lead` | who leads: the run from the first worker to the report |
//! | `merge`, `snapshot` | many workers' figures as those of one |
//! | `link`, `member` | a worker: its connection to whoever leads, and its share of the run |
//!
//! Every worker has the whole plan and the numbers of all clients; it runs those whose group falls to it. So the schedule needs
//! no splitting: change n of all is due n / rate after the agreed beginning, whoever makes it, and any process can tell when
//! somebody else's was due. Times are those of the run's clock, which starts at the same moment everywhere: each worker knows
//! the offset between its machine's clock and that of whoever leads, so no time is ever converted.
//!
//! Whoever leads runs no clients, and must not delay those who do: nothing waits for it but the beginning and the end.

mod crew;
mod door;
mod frames;
pub(crate) mod lead;
mod link;
pub(crate) mod member;
mod merge;
mod messages;
mod offset;
mod secret;
mod snapshot;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use self::secret::Secret;
use crate::cli::duration;
use crate::plan::Plan;
use crate::report::Report;

pub(crate) use self::crew::Standing;
pub use self::door::Gathering;
pub(crate) use self::link::Link;
pub(crate) use self::member::Part;
pub(crate) use self::snapshot::Snapshot;

/// Who is not heard of for this long is lost; everybody says something several times as often.
const SILENCE: Duration = Duration::from_secs(5);
/// From one question for the time to the next.
const PING_EVERY: Duration = Duration::from_millis(500);
/// Workers of a run; a thread each and a line of the report.
const MOST_WORKERS: usize = 256;

/// Which of a run's clients a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Number of the process, from 0.
    pub number: usize,
    /// Processes in all.
    pub of: usize,
}

/// Options of whoever leads.
#[derive(Debug, Clone, clap::Args)]
pub struct LeadOptions {
    /// Share the clients out among so many workers (`swarm join` on this or other machines) instead of running them here.
    #[arg(long)]
    pub workers: Option<usize>,
    /// Where workers join. Anything but loopback needs --token-file.
    #[arg(long, default_value = "127.0.0.1:7601", requires = "workers")]
    pub listen: SocketAddr,
    /// File with the secret that whoever takes part must have; the same on all machines.
    #[arg(long, requires = "workers")]
    pub token_file: Option<PathBuf>,
    /// How long to wait until all workers have joined.
    #[arg(long, default_value = "60s", value_parser = duration, requires = "workers")]
    pub workers_timeout: Duration,
    /// Whoever leads tells its workers the run's number this way.
    #[arg(long, hide = true)]
    pub run_id: Option<String>,
}

impl LeadOptions {
    /// Opens the port for the workers of this plan, if there are to be any. `words` are `run` or `replay` and its options as
    /// they were typed: each worker reads them itself.
    pub fn gathering(&self, plan: &Plan, words: &[String]) -> anyhow::Result<Option<Gathering>> {
        let Some(count) = self.workers else {
            return Ok(None);
        };
        ensure!(
            (1..=MOST_WORKERS).contains(&count),
            "--workers is between 1 and {MOST_WORKERS}"
        );
        shareable(plan, count)?;
        let secret = secret(self.token_file.as_ref(), "--listen", self.listen)?;
        let listener = TcpListener::bind(self.listen)
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        let mut words = words.to_vec();
        words.extend(["--run-id".to_owned(), plan.run_id.clone()]);
        Ok(Some(Gathering::new(
            listener,
            count,
            secret,
            self.workers_timeout,
            words,
        )))
    }
}

/// Options of a worker.
#[derive(Debug, Clone, clap::Args)]
pub struct JoinOptions {
    /// Address of the `swarm run --workers` to take part in.
    #[arg(long)]
    pub lead: String,
    /// File with its secret; any address but loopback needs it.
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// How long to try to reach it.
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub wait: Duration,
}

/// Leads the run of this plan.
pub fn lead(plan: Plan, gathering: Gathering) -> anyhow::Result<Report> {
    plan.protocol.clone().lead(plan, gathering)
}

/// A worker that may begin: its options make sense.
#[derive(Debug)]
pub struct Joining {
    lead: SocketAddr,
    secret: Secret,
    wait: Duration,
}

impl JoinOptions {
    /// Checks everything that can be checked before the first connection.
    pub fn joining(&self) -> anyhow::Result<Joining> {
        use std::net::ToSocketAddrs as _;
        let mut addresses = self
            .lead
            .to_socket_addrs()
            .with_context(|| format!("--lead {:?} is no address and port", self.lead))?;
        let Some(lead) = addresses.next() else {
            bail!("--lead {:?} has no address", self.lead);
        };
        Ok(Joining {
            lead,
            secret: secret(self.token_file.as_ref(), "--lead", lead)?,
            wait: self.wait,
        })
    }
}

/// Takes part in the run that is led there; the flag ends it before its time.
pub fn join(joining: &Joining, interrupt: &Arc<AtomicBool>) -> anyhow::Result<()> {
    member::join(joining, interrupt)
}

/// Anybody on the machine may use loopback; beyond it whoever takes part must know the secret.
fn secret(file: Option<&PathBuf>, option: &str, address: SocketAddr) -> anyhow::Result<Secret> {
    match file {
        Some(file) => Secret::read(file),
        None if address.ip().is_loopback() => Ok(Secret::none()),
        None => bail!(
            "{option} {address} is not loopback: --token-file is needed, with the same secret on all machines"
        ),
    }
}

/// Whether the plan's clients can be shared out among so many, so that each has some.
fn shareable(plan: &Plan, workers: usize) -> anyhow::Result<()> {
    let mut idle = vec![true; workers];
    for index in 0..plan.clients {
        match plan.protocol.group_of(index) {
            Ok(group) => idle[group % workers] = false,
            Err(why) => bail!("--workers: {why}"),
        }
    }
    ensure!(
        !idle.contains(&true),
        "--workers {workers} are too many for {} clients, some of which must stay together",
        plan.clients
    );
    Ok(())
}
