//! Cockatrice: users who chat in a room, and tables at which two play and others watch.
//!
//! | file | what lives there |
//! |---|---|
//! | `session` | one client: signs in, enters the room, chats |
//! | `seat` | what it does and hears at a table |
//! | `script` | someone who follows a script of the scenario: messages field by field |
//! | `messages` | what is said, as bytes; frames out of what is heard |
//! | `protobuf` | fields of messages |
//! | `dialogue` | what recordings know of this lobby |
//! | `schema` | messages as JSON, by the names of their fields |
//!
//! Like the rest of the tester this is a reading of the protocol of its own.

pub(super) mod dialogue;
mod messages;
mod protobuf;
mod schema;
mod script;
mod seat;
mod session;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde_json::{Value, json};

use self::messages::Transport;
use self::seat::Role;
use self::session::CockatriceSession;
use crate::cli::Arguments;
use crate::fleet::Share;
use crate::latency::Latency;
use crate::metrics::metrics;
use crate::plan::{Plan, Server};
use crate::protocol::{Outcome, Protocol, Setup};
use crate::protocols::chat::{self, Chat, Lines};
use crate::protocols::next;
use crate::report::latency_figures;
use crate::scenario::{Kind, Scenario, Size};
use crate::slo::Unit;

type Context = crate::worker::Context<Cockatrice>;

/// No player's number in a game.
const NOBODY: i64 = i64::MIN;

/// Options of this protocol.
#[derive(Debug, clap::Args)]
pub(crate) struct CockatriceOptions {
    /// Tables of the protocol cockatrice, two players each; the profile has 4.
    #[arg(long)]
    tables: Option<usize>,
    /// Spectators of each table; the profile has none.
    #[arg(long)]
    table_spectators: Option<usize>,
    /// Commands in a second at each table; two of five are moves of a card.
    #[arg(long, default_value_t = 2.0)]
    table_rate: f64,
    /// Number of the room; those of a Servatrice with rooms in its database begin at 1.
    #[arg(long, default_value_t = 0)]
    room: u32,
    /// Port of the Cockatrice lobby.
    #[arg(long, default_value_t = 4747)]
    port_cockatrice: u16,
    /// Port of the Cockatrice lobby for WebSocket.
    #[arg(long, default_value_t = 4748)]
    port_cockatrice_websocket: u16,
}

/// How clients connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TransportChoice {
    /// The protocol's own framing over TCP.
    Tcp,
    /// WebSocket.
    Websocket,
    /// The same share of the clients each.
    Mixed,
}

/// The protocol, decided for a run.
#[derive(Debug)]
pub(crate) struct Cockatrice {
    /// What each client is there for.
    parts: Box<[Part]>,
    /// Who chat.
    users: usize,
    tables: usize,
    spectators: usize,
    room: u64,
    act_period: Duration,
    /// Dealt out in turn.
    transports: Vec<Transport>,
}

/// What one client of a run is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// User number n, who chats.
    User(usize),
    /// At this table.
    Seat(usize, Role),
    /// Follows a script of the scenario.
    Script,
}

/// Something a client has to do at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Say that it lives.
    Ping,
    /// Say a line.
    Chat,
    /// See whether the table's game is there.
    Look,
    /// Do the next thing at the table.
    Act,
}

/// What the clients of a run share.
#[derive(Debug)]
pub(crate) struct State {
    /// Lines of chat sent.
    lines: Lines,
    tables: Vec<Table>,
}

/// What those at a table know of each other.
#[derive(Debug)]
struct Table {
    /// The game's number and 1; 0 while there is none.
    game: AtomicU64,
    /// Of each player: its number in the game, and the moves it has made.
    players: [(AtomicI64, AtomicU64); 2],
}

impl Table {
    fn new() -> Table {
        let player = || (AtomicI64::new(NOBODY), AtomicU64::new(0));
        Table {
            game: AtomicU64::new(0),
            players: [player(), player()],
        }
    }

    /// Which of the two has this number in the game.
    fn seat_of(&self, player: i32) -> Option<usize> {
        let numbers = &mut self.players.iter();
        numbers.position(|(number, _)| number.load(Ordering::Acquire) == i64::from(player))
    }
}

metrics! {
    /// What is measured of this lobby.
    CockatriceMetrics
    counts {
        /// Lines of chat sent.
        chat_lines,
        /// Lines of chat that users did not hear.
        chat_lost,
        /// Cards moved.
        moves,
        /// Moves that others at the table did not see.
        moves_lost,
        /// Commands that the server refused.
        commands_refused,
        /// Hidden cards that were told to somebody who may not see them.
        hidden_told,
    }
    latencies {
        /// Intended time of a line of chat to its arrival at a user; to the end of the run, if it did not come.
        chat,
        /// Intended time of a card's move to its arrival at somebody at the table, likewise.
        card_move,
    }
    others {}
}

/// The roles of this protocol, by the names that scenarios use: who chats at the rate, who plays two at a table, and who
/// watches a table.
const KINDS: &[Kind] = &[
    kind("user", true),
    kind("player", false),
    kind("spectator", false),
];

const fn kind(name: &'static str, paced: bool) -> Kind {
    Kind {
        name,
        paced,
        transient: false,
    }
}

impl Cockatrice {
    /// What the clients of the scenario are there for.
    fn new(scenario: &Scenario, act_period: Duration) -> anyhow::Result<Cockatrice> {
        let cast = scenario.cast().map_err(anyhow::Error::msg)?;
        let kind_of = |index| scenario.kind_of(cast.member(index));
        let count = |kind| {
            (0..cast.clients())
                .filter(|index| kind_of(*index) == Some(kind))
                .count()
        };
        let (players, spectators) = (count("player"), count("spectator"));
        ensure!(players % 2 == 0, "two players sit at a table");
        ensure!(spectators == 0 || players > 0, "spectators need players");
        let tables = players / 2;
        let mut numbers = [0, 0, 0];
        let part = |index| match kind_of(index) {
            None => Part::Script,
            Some("player") => {
                let player = next(&mut numbers[1]);
                Part::Seat(player / 2, Role::Player((player % 2) as u8))
            }
            Some("spectator") => Part::Seat(next(&mut numbers[2]) % tables, Role::Spectator),
            Some(_) => Part::User(next(&mut numbers[0])),
        };
        Ok(Cockatrice {
            parts: (0..cast.clients()).map(part).collect(),
            users: count("user"),
            tables,
            spectators,
            room: 0,
            act_period,
            transports: vec![Transport::Tcp],
        })
    }

    /// The clients that chat.
    fn chatting(&self) -> Vec<usize> {
        let parts = self.parts.iter().enumerate();
        let users = parts.filter(|(_, part)| matches!(part, Part::User(_)));
        users.map(|(index, _)| index).collect()
    }

    fn transport(&self, index: usize) -> Transport {
        self.transports[index % self.transports.len()]
    }

    fn act_period_us(&self) -> u64 {
        self.act_period.as_micros() as u64
    }

    /// When a table's step is due, counted from the beginning of the measured phase: tables take turns.
    fn step_us(&self, table: usize, step: u64) -> u64 {
        let offset = self.act_period_us() * table as u64 / self.tables.max(1) as u64;
        offset + step * self.act_period_us()
    }
}

/// Where clients connect, and how.
fn listeners(
    arguments: &Arguments,
    options: &CockatriceOptions,
    scenario: &Scenario,
) -> anyhow::Result<Vec<(Transport, Server)>> {
    let several = (TransportChoice::Websocket, TransportChoice::Mixed);
    let wanted = arguments.choose_transport(scenario, several)?;
    let (address, typed) = (arguments.address()?, arguments.endpoint()?.port);
    let listener = |transport, name, port: u16| {
        let address = (address, typed.unwrap_or(port)).into();
        let server = Server {
            transport: name,
            address,
        };
        (transport, server)
    };
    let tcp = listener(Transport::Tcp, "Cockatrice", options.port_cockatrice);
    let port = options.port_cockatrice_websocket;
    let websocket = listener(Transport::Websocket, "Websocket", port);
    Ok(match wanted {
        TransportChoice::Tcp => vec![tcp],
        TransportChoice::Websocket => vec![websocket],
        TransportChoice::Mixed => vec![tcp, websocket],
    })
}

impl Chat for Cockatrice {
    const SAY: Task = Task::Chat;

    fn lines(state: &State) -> &Lines {
        &state.lines
    }

    fn chat(metrics: &mut CockatriceMetrics) -> (&mut u64, &mut u64, &mut Latency) {
        let CockatriceMetrics {
            chat_lines,
            chat_lost,
            chat,
            ..
        } = metrics;
        (chat_lines, chat_lost, chat)
    }
}

impl Protocol for Cockatrice {
    type Options = CockatriceOptions;
    type State = State;
    type Metrics = CockatriceMetrics;
    type Task = Task;
    type Session = CockatriceSession;

    const NAME: &'static str = "cockatrice";
    const KINDS: &'static [Kind] = KINDS;
    const FIGURES: &'static [(&'static str, Unit)] =
        &[("users", Unit::Count), ("tables", Unit::Count)];

    fn transports() -> Vec<PossibleValue> {
        let all = TransportChoice::value_variants().iter();
        all.filter_map(ValueEnum::to_possible_value).collect()
    }

    fn setup(
        arguments: &Arguments,
        options: &CockatriceOptions,
        scenario: &mut Scenario,
    ) -> anyhow::Result<Setup<Cockatrice>> {
        let rate = options.table_rate;
        ensure!(
            (0.001..=1_000.0).contains(&rate),
            "--table-rate is between 0.001 and 1000 commands a second"
        );
        if let Some(tables) = options.tables {
            let size = Size::Besides(2 * tables);
            scenario.set_size("player", size).context("--tables")?;
        }
        if let Some(spectators) = options.table_spectators {
            let players = Cockatrice::new(scenario, Duration::ZERO)?.tables;
            let size = Size::Besides(spectators * players);
            scenario
                .set_size("spectator", size)
                .context("--table-spectators")?;
        }
        let mut protocol = Cockatrice::new(scenario, Duration::from_secs_f64(1.0 / rate))?;
        protocol.room = options.room.into();
        let listeners = listeners(arguments, options, scenario)?;
        protocol.transports = listeners.iter().map(|(transport, _)| *transport).collect();
        Ok(Setup {
            sources: protocol.chatting(),
            protocol,
            servers: listeners.into_iter().map(|(_, server)| server).collect(),
        })
    }

    fn state(&self, _plan: &Plan) -> State {
        State {
            lines: Lines::default(),
            tables: (0..self.tables).map(|_| Table::new()).collect(),
        }
    }

    /// Those at a table stay together.
    fn group(&self, index: usize) -> Result<usize, &'static str> {
        match self.parts[index] {
            Part::User(number) => Ok(number),
            Part::Seat(table, _) => Ok(table),
            Part::Script => Ok(index),
        }
    }

    fn tally(&self, state: &State, share: Share) -> Vec<u64> {
        state.lines.tally(share)
    }

    fn learn(&self, state: &State, share: Share, tally: &[u64]) {
        state.lines.learn(share, tally);
    }

    fn settings(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("users", json!(self.users)),
            ("tables", json!(self.tables)),
            (
                "table_spectators",
                json!(self.spectators / self.tables.max(1)),
            ),
            ("table_rate", json!(1.0 / self.act_period.as_secs_f64())),
        ]
    }

    fn figures(&self, outcome: &Outcome<'_, Cockatrice>) -> Vec<(String, f64)> {
        let own = &outcome.recorder.metrics;
        let mut figures = vec![
            ("users".to_owned(), self.users as f64),
            ("tables".to_owned(), self.tables as f64),
        ];
        for (name, histogram) in [("chat", &own.chat), ("card_move", &own.card_move)] {
            figures.extend(latency_figures(name, histogram));
        }
        figures.extend(outcome.server_figures());
        figures
    }

    fn failures(metrics: &CockatriceMetrics) -> Vec<(u64, &'static str)> {
        vec![
            (metrics.commands_refused, "commands refused"),
            (
                metrics.hidden_told,
                "hidden cards told to those who may not see them",
            ),
        ]
    }

    fn purposes(
        &self,
        plan: &Plan,
        metrics: &CockatriceMetrics,
    ) -> Vec<(usize, u64, &'static str)> {
        vec![
            chat::purpose::<Cockatrice>(self.users, plan, &metrics.chat),
            (
                self.tables,
                metrics.card_move.ended(),
                "no card was moved at any table",
            ),
        ]
    }

    fn live(metrics: &CockatriceMetrics) -> Vec<(&'static str, u64)> {
        vec![("moves", metrics.moves)]
    }

    fn summary(&self, outcome: &Outcome<'_, Cockatrice>) -> String {
        outcome.lines(self.figures(outcome))
    }
}
