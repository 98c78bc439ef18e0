//! Cockatrice: users who chat in a room, and tables at which two play and others watch.
//!
//! | file | what lives there |
//! |---|---|
//! | `session` | one client: signs in, enters the room, chats |
//! | `seat` | what it does and hears at a table |
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
mod seat;
mod session;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use self::seat::{Role, Seat};
use self::session::CockatriceSession;
use crate::cli::Arguments;
use crate::fleet::Share;
use crate::metrics::metrics;
use crate::plan::{Plan, Server, Workload};
use crate::protocol::{Outcome, Protocol, Setup};
use crate::protocols::chat::{Chat, Lines};
use crate::report::latency_figures;
use crate::slo::Unit;

type Context = crate::worker::Context<Cockatrice>;

/// No player's number in a game.
const NOBODY: i64 = i64::MIN;

/// Options of this protocol.
#[derive(Debug, clap::Args)]
pub(crate) struct CockatriceOptions {
    /// Tables of the protocol cockatrice, two players each.
    #[arg(long, default_value_t = 4)]
    tables: usize,
    /// Spectators of each table.
    #[arg(long, default_value_t = 0)]
    table_spectators: usize,
    /// Commands in a second at each table; two of five are moves of a card.
    #[arg(long, default_value_t = 2.0)]
    table_rate: f64,
    /// Number of the room; those of a Servatrice with rooms in its database begin at 1.
    #[arg(long, default_value_t = 0)]
    room: u32,
    /// Port of the Cockatrice lobby.
    #[arg(long, default_value_t = 4747)]
    port_cockatrice: u16,
}

/// The protocol, decided for a run.
#[derive(Debug)]
pub(crate) struct Cockatrice {
    /// Who chat.
    users: usize,
    tables: usize,
    spectators: usize,
    room: u64,
    act_period: Duration,
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

impl Cockatrice {
    /// Clients at tables.
    fn seats(&self) -> usize {
        self.tables * (2 + self.spectators)
    }

    /// Where that client sits, if it does not chat.
    fn seat(&self, index: usize) -> Option<Seat> {
        if index >= self.seats() {
            return None;
        }
        let role = match index % (2 + self.spectators) {
            player @ 0..2 => Role::Player(player as u8),
            _ => Role::Spectator,
        };
        Some(Seat::new(index / (2 + self.spectators), role))
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

impl Chat for Cockatrice {
    const SAY: Task = Task::Chat;

    fn lines(state: &State) -> &Lines {
        &state.lines
    }

    fn chat(metrics: &mut CockatriceMetrics) -> (&mut u64, &mut u64, &mut Histogram<u64>) {
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
    const FIGURES: &'static [(&'static str, Unit)] = &[
        ("users", Unit::Count),
        ("tables", Unit::Count),
        ("server_cpu_s", Unit::Count),
        ("server_rss_bytes", Unit::Bytes),
    ];

    fn setup(
        arguments: &Arguments,
        options: &CockatriceOptions,
    ) -> anyhow::Result<Setup<Cockatrice>> {
        let rate = options.table_rate;
        anyhow::ensure!(
            (0.001..=1_000.0).contains(&rate),
            "--table-rate is between 0.001 and 1000 commands a second"
        );
        let protocol = Cockatrice {
            users: arguments.clients,
            tables: options.tables,
            spectators: options.table_spectators,
            room: options.room.into(),
            act_period: Duration::from_secs_f64(1.0 / rate),
        };
        let clients = protocol.seats() + arguments.clients;
        Ok(Setup {
            protocol,
            servers: vec![Server {
                transport: "Cockatrice",
                address: arguments.tcp_address(options.port_cockatrice)?,
            }],
            clients,
            sources: arguments.clients.max(1),
            workload: Workload::Steady,
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
        Ok(match index.checked_sub(self.seats()) {
            Some(user) => user,
            None => index / (2 + self.spectators),
        })
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
            ("table_spectators", json!(self.spectators)),
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

    fn live(metrics: &CockatriceMetrics) -> Vec<(&'static str, u64)> {
        vec![("moves", metrics.moves)]
    }

    fn summary(&self, outcome: &Outcome<'_, Cockatrice>) -> String {
        outcome.lines(self.figures(outcome))
    }
}
