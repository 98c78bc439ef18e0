//! What is to be done by clients of this protocol: from the options to each client's part.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use clap::ValueEnum;

use super::framing::Transport;
use super::roles::LARGEST_PARTY;
use crate::cli::Arguments;
use crate::plan::{Server, Workload};
use crate::protocol::Setup;
use crate::scenario::{Kind, Scenario, Size};

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
    /// Address and port of another node of the same lobby; clients take the server and these in turn. May be given several times.
    #[arg(long, value_name = "ADDRESS")]
    also: Vec<SocketAddr>,
    /// Hosts whose changes are watched; without it what the profile has: 4 in watch, 5 % of the clients in lobby.
    #[arg(long)]
    hosts: Option<usize>,
}

/// The protocol, decided for a run.
#[derive(Debug)]
pub(crate) struct Faf {
    /// What each client is there for.
    parts: Box<[Part]>,
    /// Clients whose changes are watched.
    pub(super) hosts: usize,
    /// Clients that join and leave games.
    pub(super) joiners: usize,
    pub(super) pairs: usize,
    /// Parties that search.
    pub(super) parties: usize,
    /// Dealt out in turn.
    pub(super) transports: Vec<Transport>,
}

/// The roles of this protocol, by the names that scenarios use.
pub(super) const KINDS: &[Kind] = &[
    // Sits there, but for pings.
    role("idle", false, true),
    // Watches broadcasts of hosts' games.
    role("watcher", false, true),
    // Opens a game and changes its title at the rate.
    role("host", true, false),
    // Likewise, and another option each time.
    role("busy_host", true, false),
    // Joins a host's game, exchanges IceMsg with the host, leaves.
    role("joiner", false, false),
    // Two by two in a game of their own, exchange IceMsg at the rate.
    role("pair", true, false),
    // In parties of one to four, searches, plays and searches again.
    role("searcher", false, false),
];

const fn role(name: &'static str, paced: bool, transient: bool) -> Kind {
    Kind {
        name,
        paced,
        transient,
    }
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
    /// The same share of the clients each.
    Mixed,
}

/// What one client of a run is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Sits there.
    Idle,
    /// Follows a script of the scenario.
    Script,
    /// Watches broadcasts.
    Watch,
    /// Host number n, whose game's title changes.
    Host {
        /// His number among the hosts.
        number: usize,
        /// Changes another option as well.
        busy: bool,
    },
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
        /// Which game.
        pair: usize,
        /// Number among those who do something at the rate.
        source: usize,
        /// Opens the game the other one joins.
        hosts: bool,
    },
}

impl Faf {
    /// What client `index` does.
    pub(crate) fn part(&self, index: usize) -> Part {
        self.parts[index]
    }

    /// The clients that do something at the rate: hosts, then pairs; in a churn all.
    fn sources(&self, workload: Workload) -> Vec<usize> {
        let clients = |wanted: fn(&Part) -> bool| {
            let parts = self.parts.iter().enumerate();
            parts.filter_map(move |(index, part)| wanted(part).then_some(index))
        };
        if workload == Workload::Churn {
            return clients(|_| true).collect();
        }
        let hosts = clients(|part| matches!(part, Part::Host { .. }));
        let pairs = clients(|part| matches!(part, Part::Pair { .. }));
        hosts.chain(pairs).collect()
    }

    /// Whether pairs are all there is, so that all IceMsg are theirs.
    pub(super) fn only_pairs(&self) -> bool {
        self.pairs > 0 && self.joiners == 0
    }
}

/// Member `number` of the parties of 1, 2, 3, 4, 1, 2 … players; the last is as large as there are players.
fn party(number: usize, players: usize) -> Part {
    let cycle: usize = (1..=LARGEST_PARTY).sum();
    let (cycles, mut seat) = (number / cycle, number % cycle);
    let mut size = 1;
    while seat >= size {
        seat -= size;
        size += 1;
    }
    Part::Queue {
        party: cycles * LARGEST_PARTY + size - 1,
        seat,
        size: size.min(players - (number - seat)),
    }
}

/// The group of a party's members. Parties of each size come to all workers in turn: four that follow each other, one of each
/// size, are four groups that follow each other, and each four begin with another size.
pub(super) fn group_of_party(party: usize) -> usize {
    let (four, place) = (party / LARGEST_PARTY, party % LARGEST_PARTY);
    four * LARGEST_PARTY + (place + four) % LARGEST_PARTY
}

/// Checks what was typed.
pub(super) fn setup(
    arguments: &Arguments,
    options: &FafOptions,
    scenario: &mut Scenario,
) -> anyhow::Result<Setup<Faf>> {
    if let Some(hosts) = options.hosts {
        let busy = scenario.has("busy_host");
        let kind = if busy { "busy_host" } else { "host" };
        scenario
            .set_size(kind, Size::Count(hosts))
            .context("--hosts")?;
    }
    let servers = servers(arguments, options, scenario)?;
    let mut protocol = parts(scenario)?;
    protocol.transports = servers.iter().map(|(transport, _)| *transport).collect();
    Ok(Setup {
        sources: protocol.sources(scenario.workload),
        protocol,
        servers: servers
            .into_iter()
            .map(|(transport, address)| Server {
                transport: transport.name(),
                address,
            })
            .collect(),
    })
}

/// What each client of the scenario is there for.
fn parts(scenario: &Scenario) -> anyhow::Result<Faf> {
    let cast = scenario.cast().map_err(anyhow::Error::msg)?;
    let kind_of = |index| scenario.kind_of(cast.member(index));
    let count = |kind| {
        (0..cast.clients())
            .filter(|index| kind_of(*index) == Some(kind))
            .count()
    };
    let hosts = count("host") + count("busy_host");
    let (watchers, joiners) = (count("watcher"), count("joiner"));
    let (paired, searchers) = (count("pair"), count("searcher"));
    ensure!(
        hosts == 0 || watchers > 0,
        "hosts need a watcher at least (--clients, --hosts)"
    );
    ensure!(
        watchers + joiners == 0 || hosts > 0,
        "watchers and joiners need a host at least (--clients, --hosts)"
    );
    ensure!(
        paired.is_multiple_of(2),
        "pairs need an even number of clients"
    );
    let mut numbers = [0; KINDS.len()];
    let mut next = |kind: &str| {
        let place = KINDS.iter().position(|known| known.name == kind);
        let number = &mut numbers[place.expect("a role of this protocol")];
        *number += 1;
        *number - 1
    };
    let part = |index| match kind_of(index) {
        None => Part::Script,
        Some("watcher") => Part::Watch,
        // Hosts of both roles are counted together.
        Some(kind @ ("host" | "busy_host")) => Part::Host {
            number: next("host"),
            busy: kind == "busy_host",
        },
        Some("joiner") => Part::Join(next("joiner")),
        Some("pair") => {
            let number = next("pair");
            Part::Pair {
                pair: hosts + number / 2,
                source: hosts + number,
                hosts: number.is_multiple_of(2),
            }
        }
        Some("searcher") => party(next("searcher"), searchers),
        Some(_) => Part::Idle,
    };
    Ok(Faf {
        parts: (0..cast.clients()).map(part).collect(),
        hosts,
        joiners,
        pairs: paired / 2,
        parties: searchers,
        transports: Vec::new(),
    })
}

fn servers(
    arguments: &Arguments,
    options: &FafOptions,
    scenario: &Scenario,
) -> anyhow::Result<Vec<(Transport, SocketAddr)>> {
    let endpoint = arguments.endpoint()?;
    let several = (TransportChoice::Websocket, TransportChoice::Mixed);
    let wanted = arguments.choose_transport(scenario, several)?;
    ensure!(
        options.also.is_empty() || wanted != TransportChoice::Mixed,
        "--also names one port, and --transport mixed needs one for each"
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
    let also = options.also.iter().map(|node| (chosen[0].0, *node));
    Ok(chosen
        .iter()
        .map(|(transport, port)| {
            let port = endpoint.port.unwrap_or(*port);
            (*transport, SocketAddr::new(address, port))
        })
        .chain(also)
        .collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Command, CommandLine};
    use crate::protocol::Protocol as _;

    fn plan(line: &str) -> anyhow::Result<Setup<Faf>> {
        let words = ["swarm", "run"].into_iter().chain(line.split_whitespace());
        let Command::Run(arguments) = CommandLine::try_parse_from(words)?.command else {
            unreachable!("it is `run`");
        };
        let mut scenario = arguments.what.scenario(arguments.protocol)?;
        setup(&arguments, &arguments.options.faf, &mut scenario)
    }

    #[test]
    fn parts_of_a_lobby_add_up() {
        let plan = plan("--profile lobby -n 1000 --transport mixed").expect("valid");
        let count = |wanted: fn(Part) -> bool| {
            (0..1000)
                .filter(|index| wanted(plan.protocol.part(*index)))
                .count()
        };
        assert_eq!(count(|part| matches!(part, Part::Host { .. })), 50);
        assert_eq!(count(|part| matches!(part, Part::Join(_))), 150);
        assert_eq!(count(|part| part == Part::Watch), 800);
        assert_eq!(plan.servers.len(), 3);
    }

    #[test]
    fn clients_take_the_nodes_of_a_lobby_in_turn() {
        let line = "--transport json -n 10 --also 127.0.0.1:9002 --also 127.0.0.1:9012";
        let made = plan(line).expect("valid");
        let ports = made.servers.iter().map(|server| server.address.port());
        assert_eq!(ports.collect::<Vec<_>>(), [8002, 9002, 9012]);
        assert_eq!(made.protocol.transports, [Transport::Json; 3]);
        let mixed = plan("--transport mixed -n 10 --also 127.0.0.1:9002");
        assert!(mixed.is_err_and(|error| error.to_string().contains("needs one for each")));
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

    #[test]
    fn parties_are_shared_out_evenly_and_whole() {
        let plan = plan("--profile matchmaking -n 240").expect("valid");
        for workers in 2..=6 {
            let mut players = vec![0; workers];
            let mut homes = std::collections::BTreeMap::new();
            for index in 0..240 {
                let Part::Queue { party, .. } = plan.protocol.part(index) else {
                    panic!("no party");
                };
                let worker = plan.protocol.group(index).expect("it has one") % workers;
                players[worker] += 1;
                assert_eq!(*homes.entry(party).or_insert(worker), worker);
            }
            let fair = 240 / workers;
            let even = |count: &usize| count.abs_diff(fair) <= fair / 4;
            assert!(players.iter().all(even), "{players:?}");
        }
    }
}
