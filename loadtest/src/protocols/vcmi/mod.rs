//! The VCMI proxy lobby: users who chat, and whole games from the room to the relay.
//!
//! | file | what lives there |
//! |---|---|
//! | `session` | one client: a user or a player |
//! | `user` | someone who chats |
//! | `player` | one side of a game, from the room to the relay, and what is measured there |
//! | `dialogue` | what recordings know of this lobby |
//! | `script` | someone who follows a script of the scenario |
//! | `packets` | packets out, messages in |
//!
//! Like the rest of the tester this is a reading of the protocol of its own.

pub(super) mod dialogue;
pub(crate) mod packets;
mod player;
mod script;
mod session;
mod user;

use std::sync::atomic::{AtomicU8, AtomicU64};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use self::session::VcmiSession;
use crate::cli::Arguments;
use crate::fleet::Share;
use crate::latency::Latency;
use crate::metrics::metrics;
use crate::plan::{Plan, Server};
use crate::protocol::{Outcome, Protocol, Setup};
use crate::protocols::chat::{self, Chat, Lines};
use crate::protocols::next;
use crate::protocols::trips::Relayed;
use crate::report::latency_figures;
use crate::scenario::{Kind, Scenario, Size};
use crate::slo::Unit;

type Context = crate::worker::Context<Vcmi>;

/// The roles of this protocol, by the names that scenarios use: who chats at the rate, and who plays.
const KINDS: &[Kind] = &[
    Kind {
        name: "user",
        paced: true,
        transient: false,
    },
    Kind {
        name: "player",
        paced: false,
        transient: false,
    },
];

/// What a launcher is told once it is signed in.
const GREETED: &str = "MSG:System:Here available";

/// Options of this protocol.
#[derive(Debug, clap::Args)]
pub(crate) struct VcmiOptions {
    /// Games of the protocol vcmi, two players each; the profile has 4.
    #[arg(long)]
    games: Option<usize>,
    /// Port of the VCMI lobby.
    #[arg(long, default_value_t = 5002)]
    port_vcmi: u16,
}

/// The protocol, decided for a run.
#[derive(Debug)]
pub(crate) struct Vcmi {
    /// What each client is there for.
    parts: Box<[Part]>,
    /// Who chat.
    users: usize,
    games: usize,
}

/// What one client of a run is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// User number n, who chats.
    User(usize),
    /// Player number n, two in each game.
    Player(usize),
    /// Follows a script of the scenario.
    Script,
}

/// Something a client has to do at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Say a line.
    Chat,
    /// See whether the other player is far enough.
    Look,
    /// Begin a round trip through the relay.
    Trip,
}

/// What the clients of a run share.
#[derive(Debug)]
pub(crate) struct State {
    /// Lines of chat sent.
    lines: Lines,
    games: Vec<Game>,
}

/// What the two players of a game know of each other.
#[derive(Debug, Default)]
struct Game {
    progress: AtomicU8,
    /// Bytes the host's game has sent without pause, known once it has ended.
    sent: AtomicU64,
}

metrics! {
    /// What is measured of this lobby.
    VcmiMetrics
    counts {
        /// Lines of chat sent.
        chat_lines,
        /// Lines of chat that users did not hear.
        chat_lost,
        /// Games whose two sides heard each other.
        games,
        /// Bytes that arrived through relays without pause.
        relayed_bytes,
        /// How long that took, of all games together.
        relay_us,
        /// Players whose game did not end as it must.
        players_broken,
    }
    latencies {
        /// Intended time of a line of chat to its arrival at a user; to the end of the run, if it did not come.
        chat,
        /// Intended time of a small message through the relay to its return, likewise.
        relay_round_trip,
    }
    others {}
}

impl Chat for Vcmi {
    const SAY: Task = Task::Chat;

    fn lines(state: &State) -> &Lines {
        &state.lines
    }

    fn chat(metrics: &mut VcmiMetrics) -> (&mut u64, &mut u64, &mut Latency) {
        let VcmiMetrics {
            chat_lines,
            chat_lost,
            chat,
            ..
        } = metrics;
        (chat_lines, chat_lost, chat)
    }
}

impl Relayed for Vcmi {
    const TRIP: Task = Task::Trip;

    fn games(&self) -> usize {
        self.games
    }

    fn round_trips(metrics: &mut VcmiMetrics) -> &mut Latency {
        &mut metrics.relay_round_trip
    }
}

impl Protocol for Vcmi {
    type Options = VcmiOptions;
    type State = State;
    type Metrics = VcmiMetrics;
    type Task = Task;
    type Session = VcmiSession;

    const NAME: &'static str = "vcmi";
    const KINDS: &'static [Kind] = KINDS;
    const FIGURES: &'static [(&'static str, Unit)] = &[
        ("chat_deliveries", Unit::Count),
        ("users", Unit::Count),
        ("sign_in_us", Unit::Time),
        ("relay_mb_per_s_and_game", Unit::Count),
    ];

    fn setup(
        arguments: &Arguments,
        options: &VcmiOptions,
        scenario: &mut Scenario,
    ) -> anyhow::Result<Setup<Vcmi>> {
        if let Some(games) = options.games {
            let size = Size::Besides(2 * games);
            scenario.set_size("player", size).context("--games")?;
        }
        let cast = scenario.cast().map_err(anyhow::Error::msg)?;
        let (mut users, mut players) = (0, 0);
        let part = |index| match scenario.kind_of(cast.member(index)) {
            None => Part::Script,
            Some("user") => Part::User(next(&mut users)),
            Some(_) => Part::Player(next(&mut players)),
        };
        let parts: Box<[Part]> = (0..cast.clients()).map(part).collect();
        let sources = (0..parts.len()).filter(|index| matches!(parts[*index], Part::User(_)));
        let sources = sources.collect();
        ensure!(
            players % 2 == 0,
            "a game of the protocol vcmi has two players"
        );
        Ok(Setup {
            protocol: Vcmi {
                parts,
                users,
                games: players / 2,
            },
            servers: vec![Server {
                transport: "Vcmi",
                address: arguments.tcp_address(options.port_vcmi)?,
            }],
            sources,
        })
    }

    fn state(&self, _plan: &Plan) -> State {
        State {
            lines: Lines::default(),
            games: (0..self.games).map(|_| Game::default()).collect(),
        }
    }

    /// The two players of a game stay together.
    fn group(&self, index: usize) -> Result<usize, &'static str> {
        match self.parts[index] {
            Part::User(number) => Ok(number),
            Part::Player(number) => Ok(number / 2),
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
        vec![("users", json!(self.users)), ("games", json!(self.games))]
    }

    fn figures(&self, outcome: &Outcome<'_, Vcmi>) -> Vec<(String, f64)> {
        let (common, own) = (&outcome.recorder.common, &outcome.recorder.metrics);
        let mut figures = vec![
            ("chat_deliveries".to_owned(), common.deliveries as f64),
            ("users".to_owned(), self.users as f64),
            ("sign_in_us".to_owned(), outcome.assembled_us as f64),
        ];
        for (name, histogram) in [
            ("chat", &own.chat),
            ("relay_round_trip", &own.relay_round_trip),
        ] {
            figures.extend(latency_figures(name, histogram));
        }
        if own.relay_us > 0 {
            // Bytes a microsecond are megabytes a second; of one game while the others do the same.
            let rate = own.relayed_bytes as f64 / own.relay_us as f64;
            figures.push(("relay_mb_per_s_and_game".to_owned(), rate));
        }
        figures.extend(outcome.server_figures());
        figures
    }

    fn failures(metrics: &VcmiMetrics) -> Vec<(u64, &'static str)> {
        vec![(
            metrics.players_broken,
            "players whose game did not end as it must",
        )]
    }

    fn purposes(&self, plan: &Plan, metrics: &VcmiMetrics) -> Vec<(usize, u64, &'static str)> {
        vec![
            chat::purpose::<Vcmi>(self.users, plan, &metrics.chat),
            (
                self.games,
                metrics.relay_round_trip.ended(),
                "nothing went through the relay of any game",
            ),
        ]
    }

    fn live(metrics: &VcmiMetrics) -> Vec<(&'static str, u64)> {
        vec![("trips", metrics.relay_round_trip.len())]
    }

    /// The figures that have always stood here, a line each.
    fn summary(&self, outcome: &Outcome<'_, Vcmi>) -> String {
        outcome.lines(self.figures(outcome))
    }
}
