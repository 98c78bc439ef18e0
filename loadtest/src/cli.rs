//! What was typed, and what it means.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use sha2::{Digest as _, Sha256};

use crate::framing::Transport;
use crate::roles::LARGEST_PARTY;
use crate::slo::{self, Goal};
use crate::vcmi;

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
}

/// Which lobby's protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// Forged Alliance Forever.
    Faf,
    /// The VCMI proxy lobby: --clients users chat at --rate lines per second in all, --games games are relayed.
    Vcmi,
}

/// What the clients of a run do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// A few hosts change the titles of their games, everyone else watches. Measures broadcasts.
    Watch,
    /// The daily mix: 80 % watch, 5 % host games and change options, 15 % join games, exchange IceMsg with the host, leave.
    Lobby,
    /// Clients sign in and out again; --rate is sign-ins per second. Latency counts from the intended time of each.
    Churn,
    /// A login storm: everybody at once (or at --ramp per second). Measures connecting until the list of games is there.
    Login,
    /// Pairs of players in one game exchange IceMsg; --rate is messages per second in all. Measures the relay.
    Ice,
    /// Parties of one to four search in the matchmaker's queues, play the matches they are found and search again; some vanish
    /// in the middle. Measures how long a search takes, and checks that everybody ends idle and rated. The server must have
    /// queues with teams of up to four; its own waiting times are the shortest possible search.
    Matchmaking,
    /// Signed in and silent, but for pings. Measures what a connection costs.
    Idle,
}

/// How clients connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TransportChoice {
    /// JSON lines over TCP.
    Json,
    /// QDataStream over TCP.
    Qdatastream,
    /// WebSocket.
    Websocket,
    /// A third of the clients each.
    Mixed,
}

/// The options of `swarm run`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which lobby it is; --profile, --transport, --slo and all about accounts are FAF's only.
    #[arg(long, value_enum, default_value_t = Protocol::Faf)]
    pub protocol: Protocol,
    /// Games of the protocol vcmi, two players each.
    #[arg(long, default_value_t = 4)]
    pub games: usize,
    /// Port of the VCMI lobby.
    #[arg(long, default_value_t = 5002)]
    pub port_vcmi: u16,
    /// How many clients.
    #[arg(long, short = 'n', default_value_t = 1000)]
    pub clients: usize,
    /// What they do.
    #[arg(long, short, value_enum, default_value_t = Profile::Watch)]
    pub profile: Profile,
    /// Changes (sign-ins, messages) per second, all sources together.
    #[arg(long, short, default_value_t = 10.0)]
    pub rate: f64,
    /// Length of the measured phase (for example 30s, 2m, 500ms).
    #[arg(long, short, default_value = "30s", value_parser = duration)]
    pub duration: Duration,
    /// How to connect.
    #[arg(long, short, value_enum, default_value_t = TransportChoice::Json)]
    pub transport: TransportChoice,
    /// Address or name of the server.
    #[arg(long, default_value = "127.0.0.1")]
    pub server: String,
    /// Port for JSON lines.
    #[arg(long, default_value_t = 8002)]
    pub port_json: u16,
    /// Port for QDataStream.
    #[arg(long, default_value_t = 8001)]
    pub port_qdatastream: u16,
    /// Port for WebSocket.
    #[arg(long, default_value_t = 8003)]
    pub port_websocket: u16,
    /// Threads; without it half of the cores, because the server needs the others.
    #[arg(long)]
    pub threads: Option<usize>,
    /// Process of the server; without it the process listening on the port is looked for.
    #[arg(long)]
    pub server_pid: Option<u32>,
    /// Write all figures and the environment here, as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Write percentile distributions here: `out.hgrm` becomes `out-broadcast.hgrm`, `out-login.hgrm` and so on.
    #[arg(long)]
    pub hgrm: Option<PathBuf>,
    /// Goals, such as 'broadcast_p99<250ms,lost=0'; may be given several times. An unknown name lists the known ones.
    #[arg(long)]
    pub slo: Vec<String>,
    /// Logins are this and a number, for a server that lets everybody in.
    #[arg(long, default_value = "swarm")]
    pub login_prefix: String,
    /// Password of these logins.
    #[arg(long, default_value = "swarm", hide_default_value = true)]
    pub password: String,
    /// File with a `login:password` on each line, used instead.
    #[arg(long)]
    pub accounts: Option<PathBuf>,
    /// Sign-ins per second while the clients assemble; 0 is all at once. Default 500, for the profile login 0.
    #[arg(long)]
    pub ramp: Option<f64>,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Hosts of the profile watch.
    #[arg(long, default_value_t = 4)]
    pub hosts: usize,
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
    /// No line each second.
    #[arg(long, short)]
    pub quiet: bool,
}

/// A run, fully decided.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Number of clients.
    pub clients: usize,
    /// What they do.
    pub profile: Profile,
    /// Events per second in all.
    pub rate: f64,
    /// Measured phase.
    pub duration: Duration,
    /// Transports, dealt out in turn.
    pub transports: Vec<(Transport, SocketAddr)>,
    /// Threads with clients.
    pub threads: usize,
    /// The server's process, if known beforehand.
    pub server_pid: Option<u32>,
    /// Where to write all figures.
    pub json: Option<PathBuf>,
    /// Where to write distributions.
    pub hgrm: Option<PathBuf>,
    /// What must be met.
    pub goals: Vec<Goal>,
    /// Who signs in.
    pub accounts: Accounts,
    /// Sign-ins per second during assembly; `None` is all at once.
    pub ramp: Option<f64>,
    /// Seed of random choices.
    pub seed: u64,
    /// Clients whose changes are watched.
    pub hosts: usize,
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
    /// No live lines.
    pub quiet: bool,
}

/// Where logins and passwords come from.
#[derive(Debug, Clone)]
pub enum Accounts {
    /// Prefix and number; the same password hash for all.
    Numbered {
        /// What every login begins with.
        prefix: String,
        /// Lower-case hex SHA-256 of the password (spec: faf-messages 3.3).
        password_sha256: String,
    },
    /// Login and password hash of each.
    Listed(Vec<(String, String)>),
}

impl Accounts {
    /// Login and password hash of client `index`.
    pub fn of(&self, index: usize) -> (String, String) {
        match self {
            Accounts::Numbered {
                prefix,
                password_sha256,
            } => (format!("{prefix}{index}"), password_sha256.clone()),
            Accounts::Listed(list) => list[index].clone(),
        }
    }
}

/// What one client of a run is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Sits there.
    Idle,
    /// Watches broadcasts.
    Watch,
    /// Host number n, whose game's title changes.
    Host(usize),
    /// Joiner number n.
    Join(usize),
    /// Signs in and out.
    Churn,
    /// Member of a party that searches matches.
    Queue {
        /// Which party.
        party: usize,
        /// His place in it; 0 is its owner.
        seat: usize,
        /// Members in all.
        size: usize,
    },
    /// Half of pair n.
    Pair {
        /// Which pair.
        pair: usize,
        /// Opens the game the other one joins.
        hosts: bool,
    },
}

impl Plan {
    /// What client `index` does. Hosts come first, so that their games are open when the others arrive.
    pub fn part(&self, index: usize) -> Part {
        match self.profile {
            Profile::Idle | Profile::Login => Part::Idle,
            Profile::Churn => Part::Churn,
            Profile::Matchmaking => self.party(index),
            Profile::Ice => Part::Pair {
                pair: index / 2,
                hosts: index.is_multiple_of(2),
            },
            Profile::Watch | Profile::Lobby if index < self.hosts => Part::Host(index),
            Profile::Watch => Part::Watch,
            Profile::Lobby if index < self.hosts + self.joiners() => Part::Join(index - self.hosts),
            Profile::Lobby => Part::Watch,
        }
    }

    /// The parties of the profile matchmaking: of 1, 2, 3, 4, 1, 2 … players; the last is as large as there are clients.
    fn party(&self, index: usize) -> Part {
        let cycle: usize = (1..=LARGEST_PARTY).sum();
        let (cycles, mut seat) = (index / cycle, index % cycle);
        let mut size = 1;
        while seat >= size {
            seat -= size;
            size += 1;
        }
        Part::Queue {
            party: cycles * LARGEST_PARTY + size - 1,
            seat,
            size: size.min(self.clients - (index - seat)),
        }
    }

    /// How many parties there may be.
    pub(crate) fn parties(&self) -> usize {
        if self.profile == Profile::Matchmaking {
            self.clients
        } else {
            0
        }
    }

    /// Clients that join and leave games.
    pub fn joiners(&self) -> usize {
        if self.profile == Profile::Lobby {
            self.clients * 15 / 100
        } else {
            0
        }
    }
}

impl Arguments {
    /// The plan of a run against the VCMI lobby.
    pub fn vcmi_plan(&self) -> anyhow::Result<vcmi::Plan> {
        ensure!(
            self.rate.is_finite() && self.rate > 0.0,
            "--rate must be more than 0"
        );
        ensure!(!self.duration.is_zero(), "--duration must be more than 0");
        ensure!(self.slo.is_empty(), "--slo is for the protocol faf");
        Ok(vcmi::Plan {
            server: (self.address()?, self.port_vcmi).into(),
            server_pid: self.server_pid,
            users: self.clients,
            games: self.games,
            rate: self.rate,
            duration: self.duration,
            grace: self.grace,
        })
    }

    /// Checks everything that can be checked before the first connection.
    pub fn plan(&self) -> anyhow::Result<Plan> {
        ensure!(self.clients > 0, "--clients must be at least 1");
        ensure!(
            self.rate.is_finite() && self.rate > 0.0,
            "--rate must be more than 0"
        );
        ensure!(!self.duration.is_zero(), "--duration must be more than 0");
        ensure!(self.per_address > 0, "--per-address must be at least 1");
        let hosts = match self.profile {
            Profile::Watch => {
                ensure!(
                    self.clients > self.hosts && self.hosts > 0,
                    "profile watch needs a host and a watcher at least"
                );
                self.hosts
            }
            Profile::Lobby => {
                ensure!(
                    self.clients >= 10,
                    "profile lobby needs at least 10 clients"
                );
                (self.clients / 20).max(1)
            }
            Profile::Ice => {
                ensure!(
                    self.clients.is_multiple_of(2),
                    "profile ice needs an even number of clients"
                );
                self.clients / 2
            }
            _ => 0,
        };
        let mut goals = Vec::new();
        for text in &self.slo {
            goals.extend(slo::parse(text)?);
        }
        let ramp = self.ramp.unwrap_or(if self.profile == Profile::Login {
            0.0
        } else {
            500.0
        });
        ensure!(
            ramp.is_finite() && ramp >= 0.0,
            "--ramp must not be negative"
        );
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.unwrap_or((cores / 2).max(1)).min(self.clients);
        ensure!(threads > 0, "--threads must be at least 1");
        Ok(Plan {
            clients: self.clients,
            profile: self.profile,
            rate: self.rate,
            duration: self.duration,
            transports: self.transports()?,
            threads,
            server_pid: self.server_pid,
            json: self.json.clone(),
            hgrm: self.hgrm.clone(),
            goals,
            accounts: self.accounts()?,
            ramp: (ramp > 0.0).then_some(ramp),
            seed: self.seed,
            hosts,
            grace: self.grace,
            setup_timeout: self.setup_timeout,
            ping_every: self.ping_every,
            per_address: self.per_address,
            pin: self.pin,
            quiet: self.quiet,
        })
    }

    fn address(&self) -> anyhow::Result<IpAddr> {
        let mut addresses = (self.server.as_str(), 0)
            .to_socket_addrs()
            .with_context(|| format!("--server {:?} cannot be resolved", self.server))?;
        let first = addresses.next();
        Ok(first
            .with_context(|| format!("--server {:?} has no address", self.server))?
            .ip())
    }

    fn transports(&self) -> anyhow::Result<Vec<(Transport, SocketAddr)>> {
        let address = self.address()?;
        let all = [
            (TransportChoice::Json, Transport::Json, self.port_json),
            (
                TransportChoice::Qdatastream,
                Transport::Qdatastream,
                self.port_qdatastream,
            ),
            (
                TransportChoice::Websocket,
                Transport::Websocket,
                self.port_websocket,
            ),
        ];
        Ok(all
            .into_iter()
            .filter(|(choice, _, _)| {
                self.transport == TransportChoice::Mixed || self.transport == *choice
            })
            .map(|(_, transport, port)| (transport, SocketAddr::new(address, port)))
            .collect())
    }

    fn accounts(&self) -> anyhow::Result<Accounts> {
        let Some(path) = &self.accounts else {
            return Ok(Accounts::Numbered {
                prefix: self.login_prefix.clone(),
                password_sha256: sha256_hex(&self.password),
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
            list.push((login.to_owned(), sha256_hex(password)));
        }
        ensure!(
            list.len() >= self.clients,
            "{} has {} accounts for {} clients",
            path.display(),
            list.len(),
            self.clients
        );
        Ok(Accounts::Listed(list))
    }
}

fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `500ms`, `30s`, `2m`, or a bare number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..digits]
        .parse()
        .map_err(|_| format!("{text:?} is not a duration such as 30s"))?;
    let factor = match &text[digits..] {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("unknown unit {unit:?}; use ms, s, m or h")),
    };
    Duration::try_from_secs_f64(number * factor).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> anyhow::Result<Plan> {
        let words = ["swarm", "run"].into_iter().chain(line.split_whitespace());
        let Command::Run(arguments) = CommandLine::try_parse_from(words)?.command;
        arguments.plan()
    }

    #[test]
    fn parts_of_a_lobby_add_up() {
        let plan = plan("--profile lobby -n 1000 --transport mixed").expect("valid");
        let count =
            |wanted: fn(Part) -> bool| (0..1000).filter(|index| wanted(plan.part(*index))).count();
        assert_eq!(count(|part| matches!(part, Part::Host(_))), 50);
        assert_eq!(count(|part| matches!(part, Part::Join(_))), 150);
        assert_eq!(count(|part| part == Part::Watch), 800);
        assert_eq!(plan.transports.len(), 3);
    }

    #[test]
    fn parties_have_one_owner_and_all_their_members() {
        let plan = plan("--profile matchmaking -n 23").expect("valid");
        let mut parties = std::collections::BTreeMap::new();
        for index in 0..23 {
            let Part::Queue { party, seat, size } = plan.part(index) else {
                panic!("no party");
            };
            let members: &mut Vec<(usize, usize)> = parties.entry(party).or_default();
            members.push((seat, size));
        }
        for members in parties.values() {
            let seats: Vec<usize> = members.iter().map(|member| member.0).collect();
            assert_eq!(seats, (0..members.len()).collect::<Vec<_>>());
            assert!(
                members.iter().all(|member| member.1 == members.len()),
                "{members:?}"
            );
        }
        let sizes: Vec<usize> = parties.values().map(Vec::len).collect();
        assert_eq!(sizes, [1, 2, 3, 4, 1, 2, 3, 4, 1, 2]);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "-n 0",
            "--rate 0",
            "--profile ice -n 3",
            "--profile watch -n 4",
            "--slo what<1s",
            "-d 5parsecs",
        ] {
            assert!(plan(line).is_err(), "{line}");
        }
    }

    #[test]
    fn passwords_travel_hashed() {
        let (login, password) = plan("--password abc").expect("valid").accounts.of(7);
        assert_eq!(login, "swarm7");
        assert!(password.starts_with("ba7816bf8f01cfea"));
    }
}
