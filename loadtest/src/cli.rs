//! What was typed, and what it means.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use rand::RngExt as _;
use rand::rngs::SmallRng;

use crate::endpoint::Endpoint;
use crate::fleet::{JoinOptions, LeadOptions};
use crate::metrics::Recorder;
use crate::outputs::Files;
use crate::plan::{Accounts, Plan, Workload};
use crate::protocol::Protocol;
pub use crate::protocols::ProtocolName;
use crate::protocols::{self, ProtocolOptions};
pub use crate::recording::proxy::Record;
pub use crate::replay::ReplayArguments;
use crate::scenario::{Scenario, What};
use crate::slo;
use crate::tls::TlsOptions;
use crate::typed::Typed;
use crate::watching::Watching;

/// Sign-ins per second while the clients of a steady workload assemble, unless told otherwise.
pub(crate) const DEFAULT_RAMP: f64 = 500.0;
/// Longest time that is taken; µs since the start of a run stay far from their limit.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// Length of what tells runs apart: 1.7 million of them.
const RUN_ID_CHARS: u32 = 4;

/// Load tester for lobby servers.
#[derive(Debug, Parser)]
#[command(name = "swarm", version, about)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run clients against a server and report what they saw.
    ///
    /// Exit code 0: all well. 1: the run failed (something was lost, closed or refused). 2: the command line makes no sense.
    /// 3: a goal given with --slo was not met.
    Run(Box<Arguments>),
    /// Stand between clients and a server, and write down what they say to each other, without the secrets.
    ///
    /// Ctrl-C ends it. Exit code 0: the recording is whole. 1: it can't be written any more. 2: the command line makes no sense.
    Record(Record),
    /// Play a recording with many clients and report what they saw; exit codes are those of `run`.
    Replay(Box<ReplayArguments>),
    /// Compare runs by what they wrote with --json: before and after a change, say.
    ///
    /// Exit code 0: nothing that --fail-if names has happened. 2: a file or the command line makes no sense. 3: it has.
    Compare(Sides),
    /// Run a share of the clients of a `swarm run --workers` that waits on this or another machine, then end.
    ///
    /// Exit code 0: the share was run, and the other side has the figures. 1: it could not be, or the other side is gone. 2: the
    /// command line makes no sense.
    Join(JoinOptions),
    /// Scenarios inside the program, which --profile names.
    #[command(subcommand)]
    Profiles(Profiles),
    /// Check scenarios without running them.
    ///
    /// Exit code 2: one of them makes no sense; what and where is told.
    Check {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print who does what when, as the scenario and its seed have it.
    Schedule {
        /// The scenario; without it that of --profile.
        #[arg(value_name = "FILE", conflicts_with_all = ["profile", "scenario"])]
        file: Option<PathBuf>,
        /// What is typed instead of what it says.
        #[command(flatten)]
        arguments: Box<Arguments>,
    },
    /// Write the manual pages.
    Man {
        /// A folder that is there.
        folder: PathBuf,
    },
    /// Print the completions for a shell.
    Completions {
        /// For whom.
        shell: Shell,
    },
}

/// Commands about the scenarios inside the program.
#[derive(Debug, Subcommand)]
pub enum Profiles {
    /// Name all of them.
    List,
    /// Print one, for example faf/lobby: a file to begin with.
    Show {
        /// Its name.
        name: String,
    },
}

/// What is compared.
#[derive(Debug, Args)]
pub struct Sides {
    /// JSON of the runs before; several, separated by commas, tell a change from chance.
    #[arg(value_delimiter = ',', num_args = 1, required = true)]
    pub before: Vec<PathBuf>,
    /// JSON of the runs after.
    #[arg(value_delimiter = ',', num_args = 1, required = true)]
    pub after: Vec<PathBuf>,
    /// What must not happen, such as 'broadcast_p99>+10%' or 'deliveries<-5%'; may be given several times.
    #[arg(long)]
    pub fail_if: Vec<String>,
    /// Write the comparison here as a page with curves; it needs nothing else.
    #[arg(long)]
    pub html: Option<PathBuf>,
}

/// The options of `swarm run`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub(crate) typed: Typed,
    /// Which lobby it is; --transport means nothing where there is only one.
    #[arg(long, value_enum)]
    pub protocol: Option<ProtocolName>,
    #[command(flatten)]
    pub(crate) what: What,
    /// How to connect; without it the protocol's first.
    #[arg(long, short, value_parser = PossibleValuesParser::new(protocols::transports()))]
    pub transport: Option<String>,
    /// Address or name of the server, or ws:// or wss:// and that; with a port, it is the one that is connected to.
    #[arg(long, default_value = "127.0.0.1")]
    pub server: String,
    /// Threads; without it half of the cores, because the server needs the others.
    #[arg(long)]
    pub threads: Option<usize>,
    /// Process of the server; without it the process listening on the port is looked for.
    #[arg(long)]
    pub server_pid: Option<u32>,
    #[command(flatten)]
    pub(crate) files: Files,
    /// Goals, such as 'broadcast_p99<250ms,lost=0'; may be given several times. An unknown name lists the known ones.
    #[arg(long)]
    pub slo: Vec<String>,
    /// Logins are this and a number, for a server that lets everybody in. Without it it differs from run to run, so that two
    /// of them do not sign each other out.
    #[arg(long)]
    pub login_prefix: Option<String>,
    /// Password of these logins.
    #[arg(long, default_value = "swarm", hide_default_value = true)]
    pub password: String,
    /// File with a `login:password` on each line, used instead.
    #[arg(long)]
    pub accounts: Option<PathBuf>,
    /// Sign-ins per second while the clients assemble; 0 is all at once. Default 500, for a login storm 0.
    #[arg(long)]
    pub ramp: Option<f64>,
    /// Seed of every random choice; without it 1, or what the scenario says.
    #[arg(long)]
    pub seed: Option<u64>,
    /// How long to wait at the end for what has not come yet.
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub grace: Duration,
    /// How long after the last sign-in of the ramp everybody must be ready.
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub setup_timeout: Duration,
    /// Each eighth client sends a `ping` this often; 0s is never.
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub ping_every: Duration,
    /// Connections from one loopback address before the next one is used.
    #[arg(long, default_value_t = 4096)]
    pub per_address: usize,
    /// Pin thread i to core i.
    #[arg(long)]
    pub pin: bool,
    /// Fail a run in which the load tester itself was late, so that its figures are not the server's alone.
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub(crate) watching: Watching,
    /// Whether others run the clients.
    #[command(flatten)]
    pub fleet: LeadOptions,
    #[command(flatten)]
    pub(crate) tls: TlsOptions,
    #[command(flatten)]
    pub(crate) options: ProtocolOptions,
}

impl Arguments {
    /// Checks everything that can be checked before the first connection.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        let scenario = self.what.scenario(self.protocol)?;
        protocols::check_options(&self.typed, scenario.protocol)?;
        protocols::plan(self, scenario)
    }

    /// Likewise, by this scenario if there is one.
    pub fn plan_for(mut self, scenario: Option<PathBuf>) -> anyhow::Result<Plan> {
        self.what.scenario = scenario.or(self.what.scenario);
        self.plan()
    }

    /// The plan of a run of this protocol.
    pub(crate) fn plan_of<P: Protocol>(
        &self,
        options: &P::Options,
        mut scenario: Scenario,
    ) -> anyhow::Result<Plan> {
        ensure!(self.per_address > 0, "--per-address must be at least 1");
        let endpoint = self.endpoint()?;
        let setup = P::setup(self, options, &mut scenario)?;
        let cast = scenario.cast().map_err(anyhow::Error::msg)?;
        ensure!(cast.clients() > 0, "--clients must be at least 1");
        let ramp = self.ramp.or(scenario.ramp);
        let ramp = ramp.unwrap_or(match scenario.workload {
            Workload::SignIn => 0.0,
            Workload::Steady | Workload::Churn => DEFAULT_RAMP,
        });
        ensure!(
            ramp.is_finite() && ramp >= 0.0,
            "--ramp must not be negative"
        );
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or((cores / 2).max(1));
        ensure!(threads > 0, "--threads must be at least 1");
        let run_id = self.fleet.run_id.clone().unwrap_or_else(run_id);
        Ok(Plan {
            run_id: run_id.clone(),
            clients: cast.clients(),
            rate: scenario.highest_rate(),
            sources: setup.sources.len().max(1),
            source_clients: setup.sources.into(),
            duration: scenario.duration,
            workload: scenario.workload,
            servers: setup.servers,
            threads: threads.min(cast.clients()),
            server_pid: self.server_pid,
            files: self.files.clone(),
            goals: self.goals::<P>(&scenario)?,
            accounts: self.accounts(&run_id, cast.clients())?,
            ramp: (ramp > 0.0).then_some(ramp),
            seed: self.seed.or(scenario.seed).unwrap_or(1),
            grace: self.grace,
            setup_timeout: self.setup_timeout,
            ping_every: self.ping_every,
            per_address: self.per_address,
            pin: self.pin,
            strict: self.strict,
            interrupt: Arc::default(),
            measuring: Arc::default(),
            watching: self.watching.clone(),
            exposition: Arc::default(),
            tls: self.tls.plan(&endpoint.host, endpoint.secure)?,
            path: endpoint.path,
            share: None,
            protocol: Arc::new(setup.protocol),
            scenario: Arc::new(scenario),
            cast: Arc::new(cast),
        })
    }

    fn goals<P: Protocol>(&self, scenario: &Scenario) -> anyhow::Result<Vec<slo::Goal>> {
        let recorder = Recorder::<P::Metrics>::default();
        let own = &scenario.own;
        let latencies = recorder.latencies().into_iter().map(|(name, _)| name);
        let counts = recorder.counts().into_iter().map(|(name, _)| name);
        let (latencies, counts): (Vec<&str>, Vec<&str>) = (latencies.collect(), counts.collect());
        for name in own.latencies.iter().chain(&own.counts) {
            ensure!(
                !latencies.contains(name) && !counts.contains(name),
                "{}: `{name}` is measured anyway, so a script's figure needs another name",
                scenario.name
            );
        }
        let latencies = own.latencies.iter().chain(&latencies).copied();
        let counts = own.counts.iter().chain(&counts).copied();
        let known = slo::names(latencies, counts, P::FIGURES);
        let mut goals = Vec::new();
        for (place, text) in &scenario.slo {
            let some = slo::parse(text, &known);
            goals.extend(some.map_err(|error| anyhow::anyhow!("{place}{error}"))?);
        }
        for text in &self.slo {
            let some = slo::parse(text, &known)?;
            ensure!(!some.is_empty(), "--slo {text:?} is no goal");
            goals.extend(some);
        }
        Ok(goals)
    }

    /// The server as it was typed.
    pub(crate) fn endpoint(&self) -> anyhow::Result<Endpoint> {
        Endpoint::parse("--server", &self.server)
    }

    /// Where a server listens that has one port and speaks over TCP: `port`, unless that is said with its address.
    pub(crate) fn tcp_address(&self, port: u16) -> anyhow::Result<SocketAddr> {
        let endpoint = self.endpoint()?;
        ensure!(
            !endpoint.websocket,
            "--server {:?}: clients of --protocol {} speak over TCP only",
            self.server,
            self.protocol.unwrap_or_default().name()
        );
        Ok((self.address()?, endpoint.port.unwrap_or(port)).into())
    }

    /// How clients connect to a server that speaks over more than TCP: as was typed, as the server's URL says, or as the scenario does.
    pub(crate) fn choose_transport<T: ValueEnum + PartialEq>(
        &self,
        scenario: &Scenario,
        (websocket, mixed): (T, T),
    ) -> anyhow::Result<T> {
        let endpoint = self.endpoint()?;
        let by_url = endpoint.websocket.then_some("websocket");
        let named = self.transport.as_deref().or(by_url);
        let wanted: T = choice("transport", named.or(scenario.transport.as_deref()))?;
        ensure!(
            !endpoint.websocket || wanted == websocket,
            "--server {:?} is a WebSocket's, and --transport is not",
            self.server
        );
        ensure!(
            endpoint.port.is_none() || wanted != mixed,
            "--server {:?} has one port, and --transport mixed needs one for each",
            self.server
        );
        Ok(wanted)
    }

    /// The address of the server.
    pub(crate) fn address(&self) -> anyhow::Result<IpAddr> {
        let host = self.endpoint()?.host;
        let mut addresses = (host, 0)
            .to_socket_addrs()
            .with_context(|| format!("--server {:?} cannot be resolved", self.server))?;
        let first = addresses.next();
        Ok(first
            .with_context(|| format!("--server {:?} has no address", self.server))?
            .ip())
    }

    fn accounts(&self, run_id: &str, clients: usize) -> anyhow::Result<Accounts> {
        let Some(path) = &self.accounts else {
            return Ok(Accounts::Numbered {
                prefix: self
                    .login_prefix
                    .clone()
                    .unwrap_or_else(|| login_prefix(run_id)),
                password: self.password.clone(),
            });
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut list = Vec::new();
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let Some((login, password)) = line.trim().split_once(':') else {
                bail!("{}:{}: not login:password", path.display(), number + 1);
            };
            list.push((login.to_owned(), password.to_owned()));
        }
        ensure!(
            list.len() >= clients,
            "{} has {} accounts for {clients} clients",
            path.display(),
            list.len(),
        );
        Ok(Accounts::Listed(list))
    }
}

/// At most six characters: names of Cockatrice have twelve, and there may be a million of clients.
fn login_prefix(run_id: &str) -> String {
    format!("sw{run_id}")
}

/// Letters and digits that another run hardly has; short, because the names of some lobbies are.
fn run_id() -> String {
    let number = rand::make_rng::<SmallRng>().random_range(0..36_u32.pow(RUN_ID_CHARS));
    let digits = (0..RUN_ID_CHARS).map(|place| number / 36_u32.pow(place) % 36);
    digits
        .filter_map(|digit| char::from_digit(digit, 36))
        .collect()
}

/// An address and port.
pub(crate) fn resolve(option: &str, text: &str) -> anyhow::Result<SocketAddr> {
    let mut addresses = text
        .to_socket_addrs()
        .with_context(|| format!("{option} {text:?} is no address and port"))?;
    addresses
        .next()
        .with_context(|| format!("{option} {text:?} has no address"))
}

/// `500ms`, `30s`, `2m`, `1h 30m`, or a bare number of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?,
        Err(_) => humantime::parse_duration(text)
            .map_err(|error| format!("{error}; write for example 30s"))?,
    };
    if duration > LONGEST {
        return Err("longer than a year".to_owned());
    }
    Ok(duration)
}

/// The named variant of a list of choices, or the first; what another protocol knows is none of this one's.
pub(crate) fn choice<T: ValueEnum>(option: &str, name: Option<&str>) -> anyhow::Result<T> {
    match name {
        None => Ok(T::value_variants()[0].clone()),
        Some(name) => T::from_str(name, false)
            .map_err(|_| anyhow::anyhow!("--{option} {name}: this protocol has no such thing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> anyhow::Result<Plan> {
        let words = ["swarm", "run"].into_iter().chain(line.split_whitespace());
        let Command::Run(arguments) = CommandLine::try_parse_from(words)?.command else {
            unreachable!("it is `run`");
        };
        arguments.plan()
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "-n 0",
            "--rate 0",
            "--profile ice -n 3",
            "--profile watch -n 4",
            "--profile dance",
            "--slo ,",
            "--slo what<1s",
            "--slo chat_p99<1s",
            "--protocol vcmi --slo broadcast_p99<1s",
            "--protocol vcmi -n 0 --games 0",
            "--protocol vcmi2 --login-prefix no-name",
            "--protocol vcmi2 --login-prefix seventeenletters0 -n 10000",
            "--protocol vcmi2 --login-prefix ab",
            "--protocol vcmi2 --room-rate 0",
            "--protocol vcmi2 --profile login --rooms 1",
            "--protocol vcmi2 --slo broadcast_p99<1s",
            "-d 5parsecs",
            "-d 900y",
            "-d 1e300",
            "--rate 1e-300",
        ] {
            assert!(plan(line).is_err(), "{line}");
        }
    }

    #[test]
    fn options_of_another_protocol_are_refused() {
        for (line, told) in [
            (
                "--rooms 4",
                "--rooms is an option of the protocol vcmi2, and this run is one of faf",
            ),
            (
                "--protocol vcmi --table-rate 2",
                "of the protocol cockatrice",
            ),
            ("--protocol cockatrice --hosts 4", "of the protocol faf"),
            // The default, but typed.
            ("--port-vcmi2 3031", "of the protocol vcmi2"),
        ] {
            let error = plan(line).expect_err(line).to_string();
            assert!(error.contains(told), "{line}: {error}");
        }
        plan("--protocol vcmi2 --rooms 4 --server 127.0.0.1").expect("its own");
    }

    #[test]
    fn a_profile_is_listed_with_each_protocol_that_has_it() {
        use clap::CommandFactory as _;

        let mut all = CommandLine::command();
        let run = all.find_subcommand_mut("run").expect("there is one");
        let profile = run.get_arguments().find(|arg| arg.get_id() == "profile");
        let values = profile.expect("there is one").get_possible_values();
        let help = |name: &str| {
            let value = values.iter().find(|value| value.get_name() == name);
            value
                .and_then(|value| value.get_help())
                .expect(name)
                .to_string()
        };
        for protocol in ["faf: ", "vcmi: ", "vcmi2: ", "cockatrice: "] {
            assert!(help("lobby").contains(protocol), "{}", help("lobby"));
        }
        assert!(help("watch").starts_with("faf: "), "{}", help("watch"));
    }

    #[test]
    fn a_run_announces_what_it_does() {
        for (line, said) in [
            ("--profile login -d 5s", "all signing in at once within 5s,"),
            (
                "--profile login -d 5s --ramp 50",
                "50 signing in a second, the last within 5s,",
            ),
            (
                "--profile churn --rate 7 -d 5s",
                " 7 sign-ins a second for 5s,",
            ),
            ("--profile idle -d 5s", "8002, for 5s,"),
            ("--profile watch --rate 7 -d 5s", "8002, 7 a second for 5s,"),
        ] {
            let heading = plan(&format!("--server 127.0.0.1 {line}"))
                .expect(line)
                .heading();
            assert!(heading.contains(said), "{line}: {heading}");
        }
    }

    #[test]
    fn two_runs_have_other_names_unless_told_otherwise() {
        let logins = || plan("--seed 1").expect("valid").accounts.of(99_999).0;
        let (one, other) = (logins(), logins());
        assert_ne!(one, other);
        assert!(
            one.len() <= 12 && one.chars().all(char::is_alphanumeric),
            "{one}"
        );
        let named = plan("--login-prefix eve").expect("valid");
        assert_eq!(named.accounts.of(7).0, "eve7");
    }

    #[test]
    fn the_heading_tells_what_runs_against_what() {
        let plan = plan("--server [::1] --profile lobby --seed 7 -d 90s").expect("valid");
        let heading = plan.heading();
        for part in [
            "faf",
            "lobby",
            "json [::1]:8002",
            "1m 30s",
            "seed 7",
            &plan.run_id,
        ] {
            assert!(heading.contains(part), "{part}: {heading}");
        }
    }

    #[test]
    fn times_are_written_as_people_do() {
        let seconds = |text| duration(text).map(|time| time.as_secs_f64());
        let written = ["500ms", "30s", "2m", "1.5s", "90", "0s", "0.25", "1h 30m"];
        let read = [0.5, 30.0, 120.0, 1.5, 90.0, 0.0, 0.25, 5_400.0];
        assert_eq!(written.map(seconds), read.map(Ok));
    }

    #[test]
    fn an_address_may_stand_in_brackets() {
        for line in ["--server [::1]", "--server ::1"] {
            let plan = plan(line).expect("valid");
            assert_eq!(plan.servers[0].address.to_string(), "[::1]:8002");
        }
    }

    #[test]
    fn goals_are_those_of_the_protocol() {
        let line = "--slo broadcast_p99<1s,lost=0,closed=0,server_rss<1MiB,joins>=0";
        assert_eq!(plan(line).expect("valid").goals.len(), 5);
        let line = "--protocol vcmi --slo chat_p99<1s,lost=0,relay_mb_per_s_and_game>1";
        assert_eq!(plan(line).expect("valid").goals.len(), 3);
        let line = "--protocol vcmi2 --slo chat_p99<1s,room_join_p99<1s,relay_mb_per_s_and_way>1";
        assert_eq!(plan(line).expect("valid").goals.len(), 3);
    }

    #[test]
    fn rooms_and_matches_are_besides_the_users() {
        let line = "--protocol vcmi2 -n 10 --rooms 2 --matches 3 --login-prefix abc";
        let plan = plan(line).expect("valid");
        assert_eq!(plan.clients, 10 + 2 * 3 + 3 * 5);
        assert_eq!(plan.sources, 10);
    }
}
