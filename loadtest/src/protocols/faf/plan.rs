//! What is to be done by clients of this protocol: from the options to each client's part.

use std::net::SocketAddr;

use anyhow::ensure;
use clap::ValueEnum;

use super::framing::Transport;
use super::roles::LARGEST_PARTY;
use crate::cli::{Arguments, choice};
use crate::plan::{Server, Workload};
use crate::protocol::Setup;

/// Hosts of the profile watch, unless told otherwise.
const DEFAULT_HOSTS: usize = 4;

/// Options of this protocol.
#[derive(Debug, clap::Args)]
pub(crate) struct FafOptions {
    /// Port for JSON lines.
    #[arg(long, default_value_t = 8002)]
    port_json: u16,
    /// Port for QDataStream.
    #[arg(long, default_value_t = 8001)]
    port_qdatastream: u16,
    /// Port for WebSocket.
    #[arg(long, default_value_t = 8003)]
    port_websocket: u16,
    /// Hosts whose changes are watched: 4 in the profile watch, 5 % of the clients in the profile lobby, unless told otherwise.
    #[arg(long)]
    hosts: Option<usize>,
}

/// The protocol, decided for a run.
#[derive(Debug)]
pub(crate) struct Faf {
    pub(super) profile: Profile,
    pub(super) clients: usize,
    /// Clients whose changes are watched.
    pub(super) hosts: usize,
    /// Dealt out in turn.
    pub(super) transports: Vec<Transport>,
}

/// What the clients of a run do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
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
pub(crate) enum TransportChoice {
    /// JSON lines over TCP.
    Json,
    /// QDataStream over TCP.
    Qdatastream,
    /// WebSocket.
    Websocket,
    /// A third of the clients each.
    Mixed,
}

/// What one client of a run is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Sits there.
    Idle,
    /// Watches broadcasts.
    Watch,
    /// Host number n, whose game's title changes.
    Host(usize),
    /// Joiner number n.
    Join(usize),
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

impl Faf {
    /// What client `index` does. Hosts come first, so that their games are open when the others arrive.
    pub(crate) fn part(&self, index: usize) -> Part {
        match self.profile {
            Profile::Idle | Profile::Login | Profile::Churn => Part::Idle,
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
    pub(crate) fn joiners(&self) -> usize {
        if self.profile == Profile::Lobby {
            joiners(self.clients)
        } else {
            0
        }
    }
}

/// 15 % of the clients of the profile lobby.
fn joiners(clients: usize) -> usize {
    clients * 15 / 100
}

/// Checks what was typed.
pub(super) fn setup(arguments: &Arguments, options: &FafOptions) -> anyhow::Result<Setup<Faf>> {
    let profile = choice("profile", arguments.profile.as_deref())?;
    ensure!(arguments.clients > 0, "--clients must be at least 1");
    let hosts = match profile {
        Profile::Watch => {
            let hosts = options.hosts.unwrap_or(DEFAULT_HOSTS);
            ensure!(
                arguments.clients > hosts && hosts > 0,
                "profile watch needs a host and a watcher at least"
            );
            hosts
        }
        Profile::Lobby => {
            ensure!(
                arguments.clients >= 10,
                "profile lobby needs at least 10 clients"
            );
            let hosts = options.hosts.unwrap_or((arguments.clients / 20).max(1));
            ensure!(
                arguments.clients - joiners(arguments.clients) > hosts && hosts > 0,
                "profile lobby needs a host and a watcher at least, and 15 % of its clients join games"
            );
            hosts
        }
        Profile::Ice => {
            ensure!(
                arguments.clients.is_multiple_of(2),
                "profile ice needs an even number of clients"
            );
            arguments.clients / 2
        }
        _ => 0,
    };
    let servers = servers(arguments, options)?;
    Ok(Setup {
        clients: arguments.clients,
        sources: match profile {
            Profile::Churn | Profile::Ice => arguments.clients,
            _ => hosts.max(1),
        },
        workload: match profile {
            Profile::Churn => Workload::Churn,
            Profile::Login => Workload::SignIn,
            _ => Workload::Steady,
        },
        protocol: Faf {
            profile,
            clients: arguments.clients,
            hosts,
            transports: servers.iter().map(|(transport, _)| *transport).collect(),
        },
        servers: servers
            .into_iter()
            .map(|(transport, address)| Server {
                transport: transport.name(),
                address,
            })
            .collect(),
    })
}

fn servers(
    arguments: &Arguments,
    options: &FafOptions,
) -> anyhow::Result<Vec<(Transport, SocketAddr)>> {
    let endpoint = arguments.endpoint()?;
    let by_url = endpoint.websocket.then_some("websocket");
    let named = arguments.transport.as_deref().or(by_url);
    let wanted: TransportChoice = choice("transport", named)?;
    ensure!(
        !endpoint.websocket || wanted == TransportChoice::Websocket,
        "--server {:?} is a WebSocket's, and --transport is not",
        arguments.server
    );
    ensure!(
        endpoint.port.is_none() || wanted != TransportChoice::Mixed,
        "--server {:?} has one port, and --transport mixed needs three",
        arguments.server
    );
    let address = arguments.address()?;
    let json = (Transport::Json, options.port_json);
    let qdatastream = (Transport::Qdatastream, options.port_qdatastream);
    let websocket = (Transport::Websocket, options.port_websocket);
    let chosen = match wanted {
        TransportChoice::Json => vec![json],
        TransportChoice::Qdatastream => vec![qdatastream],
        TransportChoice::Websocket => vec![websocket],
        TransportChoice::Mixed => vec![json, qdatastream, websocket],
    };
    Ok(chosen
        .into_iter()
        .map(|(transport, port)| {
            let port = endpoint.port.unwrap_or(port);
            (transport, SocketAddr::new(address, port))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Command, CommandLine};

    fn plan(line: &str) -> anyhow::Result<Setup<Faf>> {
        let words = ["swarm", "run"].into_iter().chain(line.split_whitespace());
        let Command::Run(arguments) = CommandLine::try_parse_from(words)?.command else {
            unreachable!("it is `run`");
        };
        setup(&arguments, &arguments.options.faf)
    }

    #[test]
    fn parts_of_a_lobby_add_up() {
        let plan = plan("--profile lobby -n 1000 --transport mixed").expect("valid");
        let count = |wanted: fn(Part) -> bool| {
            (0..1000)
                .filter(|index| wanted(plan.protocol.part(*index)))
                .count()
        };
        assert_eq!(count(|part| matches!(part, Part::Host(_))), 50);
        assert_eq!(count(|part| matches!(part, Part::Join(_))), 150);
        assert_eq!(count(|part| part == Part::Watch), 800);
        assert_eq!(plan.servers.len(), 3);
    }

    #[test]
    fn parties_have_one_owner_and_all_their_members() {
        let plan = plan("--profile matchmaking -n 23").expect("valid");
        let mut parties = std::collections::BTreeMap::new();
        for index in 0..23 {
            let Part::Queue { party, seat, size } = plan.protocol.part(index) else {
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
}
