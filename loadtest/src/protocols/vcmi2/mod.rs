//! The JSON lobby of VCMI 1.5 and later: users who chat, rooms to which guests are invited, and matches with their relay.
//!
//! | file | what lives there |
//! |---|---|
//! | `session` | one client: one connection of whatever kind |
//! | `account` | a player's connection: registers, signs in, chats |
//! | `room` | a room in which a guest comes and goes: who does which step when, and who sees that it is done |
//! | `table` | a match from the room to its end: its host, its guest, its match server |
//! | `server` | a match server's connection |
//! | `game` | one end of a relay: what goes through it, and what is measured there |
//! | `script` | what a script of the scenario says and hears |
//! | `messages` | messages as bytes |
//! | `dialogue` | what recordings know of this lobby |
//!
//! A match takes five connections and a room three, each a client of its own: those of one know of each other by the run's state.
//! Like the rest of the tester this is a reading of the protocol of its own.

mod account;
pub(super) mod dialogue;
mod game;
mod messages;
mod room;
mod script;
mod server;
mod session;
mod table;

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use self::messages::Identity;
use self::room::Room;
use self::session::Vcmi2Session;
use self::table::Table;
use crate::cli::Arguments;
use crate::connection::{Connection, Stage};
use crate::fleet::Share;
use crate::latency::Latency;
use crate::metrics::metrics;
use crate::plan::{Plan, Server, Workload};
use crate::protocol::{Outcome, Protocol, Setup};
use crate::protocols::chat::{self, Chat, Lines};
use crate::protocols::next;
use crate::protocols::trips::Relayed;
use crate::report::latency_figures;
use crate::scenario::{Kind, Scenario, Size};
use crate::slo::Unit;

type Context = crate::worker::Context<Vcmi2>;

/// Connections of a match, and of a room.
const MATCH_SEATS: usize = 5;
const ROOM_SEATS: usize = 3;
/// Characters that a name of this lobby has at least and at most (spec: vcmi-lobby2 5.1).
const NAME_CHARS: std::ops::RangeInclusive<usize> = 4..=20;
/// How often a client looks whether the others of its match or room are far enough.
const LOOK_US: u64 = 5_000;

/// The roles of this protocol, by the names that scenarios use: who sits there, who chats at the rate, and the connections of
/// rooms and of matches.
const KINDS: &[Kind] = &[
    kind("idle", false, true),
    kind("user", true, false),
    kind("room", false, false),
    kind("match", false, false),
];

const fn kind(name: &'static str, paced: bool, transient: bool) -> Kind {
    Kind {
        name,
        paced,
        transient,
    }
}

/// Options of this protocol.
#[derive(Debug, clap::Args)]
pub(crate) struct Vcmi2Options {
    /// Matches of the protocol vcmi2, five connections each; the profile has 4.
    #[arg(long)]
    matches: Option<usize>,
    /// Rooms of the protocol vcmi2 in which guests come and go, three connections each; the profile has 4.
    #[arg(long)]
    rooms: Option<usize>,
    /// Steps in a second in each of these rooms; six of them open a room, bring a guest in and out again, and end it.
    #[arg(long, default_value_t = 1.0)]
    room_rate: f64,
    /// Port of the JSON lobby of VCMI 1.5 and later.
    #[arg(long, default_value_t = 3031)]
    port_vcmi2: u16,
}

/// The protocol, decided for a run.
#[derive(Debug)]
pub(crate) struct Vcmi2 {
    /// What each client is there for.
    parts: Box<[Part]>,
    /// Who chat.
    users: usize,
    rooms: usize,
    matches: usize,
    step_period: Duration,
}

/// What one client of a run is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Sits there.
    Idle,
    /// User number n, who chats.
    User(usize),
    /// A connection of room n.
    Room(usize, Seat),
    /// A connection of match n.
    Match(usize, Seat),
    /// Follows a script of the scenario.
    Script,
}

/// Which connection of a room or match this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seat {
    /// The host's client.
    Host,
    /// The match server's, by which the room is there.
    Server,
    /// The guest's client.
    Guest,
    /// The match server's for the guest, which is relayed.
    ServerProxy,
    /// The guest's, likewise.
    GuestProxy,
}

const SEATS: [Seat; MATCH_SEATS] = [
    Seat::Host,
    Seat::Server,
    Seat::Guest,
    Seat::ServerProxy,
    Seat::GuestProxy,
];

/// Something a client has to do at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Show that it lives.
    Beat,
    /// Say a line.
    Chat,
    /// See whether the others are far enough.
    Look,
    /// Do the next step in a room.
    Act,
    /// Begin a round trip through the relay.
    Trip,
}

/// What the clients of a run share.
#[derive(Debug)]
pub(crate) struct State {
    /// Lines of chat sent.
    lines: Lines,
    rooms: Vec<Room>,
    matches: Vec<Table>,
}

/// The two players of a room or a match, each known once it has registered.
#[derive(Debug, Default)]
struct Players {
    host: OnceLock<Identity>,
    guest: OnceLock<Identity>,
}

impl Players {
    /// Both, once both are known.
    fn both(&self) -> Option<(&Identity, &Identity)> {
        Some((self.host.get()?, self.guest.get()?))
    }

    /// Who sits there is this player.
    fn meet(&self, seat: Seat, identity: &Identity) {
        let known = match seat {
            Seat::Guest => &self.guest,
            _ => &self.host,
        };
        let _an_account_stays_what_it_is = known.set(identity.clone());
    }
}

metrics! {
    /// What is measured of this lobby.
    Vcmi2Metrics
    counts {
        /// Lines of chat sent.
        chat_lines,
        /// Lines of chat that users did not hear.
        chat_lost,
        /// Rooms opened in which guests come and go.
        rooms_opened,
        /// Steps done in these rooms.
        room_steps,
        /// Those whose effect nobody was told.
        room_steps_lost,
        /// Matches whose two sides heard each other.
        games,
        /// Bytes that arrived through relays without pause, both ways.
        relayed_bytes,
        /// How long that took, of all games and ways together.
        relay_us,
        /// Ways through relays on which other bytes arrived than were sent.
        relays_unequal,
        /// Clients of matches for whom these did not end as they must.
        players_broken,
        /// Requests that the lobby refused.
        refused,
    }
    latencies {
        /// Intended time of a line of chat to its arrival at a user; to the end of the run, if it did not come.
        chat,
        /// Intended time of a match server's sign-in with a new room to its answer, likewise.
        room_login,
        /// Intended time of the opening of a room to its answer, likewise.
        room_open,
        /// Intended time of an invitation to its arrival at the guest, likewise.
        room_invite,
        /// Intended time of a guest's coming to the news of it at the match server, likewise.
        room_join,
        /// Intended time of a guest's going to the first list of rooms at the guest without it, likewise.
        room_leave,
        /// Intended time of a match server's end to the first list of rooms at the host without its room, likewise.
        room_close,
        /// Intended time of a small message through the relay to its return, likewise.
        relay_round_trip,
    }
    others {}
}

impl Vcmi2 {
    /// What the clients of the scenario are there for.
    fn new(scenario: &Scenario, step_period: Duration) -> anyhow::Result<Vcmi2> {
        let cast = scenario.cast().map_err(anyhow::Error::msg)?;
        let (mut users, mut rooms, mut matches) = (0, 0, 0);
        let part = |index| match scenario.kind_of(cast.member(index)) {
            None => Part::Script,
            Some("idle") => Part::Idle,
            Some("user") => Part::User(next(&mut users)),
            Some("room") => {
                let seat = next(&mut rooms);
                Part::Room(seat / ROOM_SEATS, SEATS[seat % ROOM_SEATS])
            }
            Some(_) => {
                let seat = next(&mut matches);
                Part::Match(seat / MATCH_SEATS, SEATS[seat % MATCH_SEATS])
            }
        };
        let parts = (0..cast.clients()).map(part).collect();
        ensure!(
            rooms % ROOM_SEATS == 0,
            "a room of the protocol vcmi2 has {ROOM_SEATS} connections, and {rooms} are not so many rooms"
        );
        ensure!(
            matches % MATCH_SEATS == 0,
            "a match of the protocol vcmi2 has {MATCH_SEATS} connections, and {matches} are not so many matches"
        );
        Ok(Vcmi2 {
            parts,
            users,
            rooms: rooms / ROOM_SEATS,
            matches: matches / MATCH_SEATS,
            step_period,
        })
    }

    /// The clients that do something at the rate: who chats; in a churn all.
    fn sources(&self, workload: Workload) -> Vec<usize> {
        let parts = self.parts.iter().enumerate();
        let all = workload == Workload::Churn;
        let sources = parts.filter(|(_, part)| all || matches!(part, Part::User(_)));
        sources.map(|(index, _)| index).collect()
    }

    /// When a room's step is due, counted from the beginning of the measured phase: rooms take turns.
    fn step_us(&self, room: usize, step: u64) -> u64 {
        let period_us = self.step_period.as_micros() as u64;
        let offset_us = period_us * room as u64 / self.rooms.max(1) as u64;
        step.saturating_mul(period_us).saturating_add(offset_us)
    }
}

/// The lobby has refused something; whether that was a sign-in, which ends the connection.
fn refused(message: &[u8], connection: &mut Connection, context: &Context) -> bool {
    let why = messages::text(message, "\"reason\"").unwrap_or("without a reason");
    if connection.stage() == Stage::SigningIn {
        connection.refuse(format!("refused: {why}"));
        connection.close();
        return true;
    }
    context.recorder.borrow_mut().metrics.refused += 1;
    context
        .shared
        .record_error(format!("a request was refused: {why}"));
    false
}

/// Names that are none in this lobby are told before the first connection.
fn check_names(arguments: &Arguments, clients: usize) -> anyhow::Result<()> {
    let Some(prefix) = &arguments.login_prefix else {
        return Ok(());
    };
    let longest = prefix.len() + clients.saturating_sub(1).to_string().len();
    ensure!(
        prefix.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && NAME_CHARS.contains(&(prefix.len() + 1))
            && longest <= *NAME_CHARS.end(),
        "--login-prefix {prefix:?}: names of the protocol vcmi2 are {} to {} letters and digits, their numbers among them",
        NAME_CHARS.start(),
        NAME_CHARS.end()
    );
    Ok(())
}

impl Chat for Vcmi2 {
    const SAY: Task = Task::Chat;

    fn lines(state: &State) -> &Lines {
        &state.lines
    }

    fn chat(metrics: &mut Vcmi2Metrics) -> (&mut u64, &mut u64, &mut Latency) {
        let Vcmi2Metrics {
            chat_lines,
            chat_lost,
            chat,
            ..
        } = metrics;
        (chat_lines, chat_lost, chat)
    }
}

impl Relayed for Vcmi2 {
    const TRIP: Task = Task::Trip;

    fn games(&self) -> usize {
        self.matches
    }

    fn round_trips(metrics: &mut Vcmi2Metrics) -> &mut Latency {
        &mut metrics.relay_round_trip
    }
}

impl Protocol for Vcmi2 {
    type Options = Vcmi2Options;
    type State = State;
    type Metrics = Vcmi2Metrics;
    type Task = Task;
    type Session = Vcmi2Session;

    const NAME: &'static str = "vcmi2";
    const KINDS: &'static [Kind] = KINDS;
    const FIGURES: &'static [(&'static str, Unit)] = &[
        ("users", Unit::Count),
        ("rooms", Unit::Count),
        ("matches", Unit::Count),
        ("sign_in_us", Unit::Time),
        ("relay_mb_per_s_and_way", Unit::Count),
    ];

    fn setup(
        arguments: &Arguments,
        options: &Vcmi2Options,
        scenario: &mut Scenario,
    ) -> anyhow::Result<Setup<Vcmi2>> {
        let rate = options.room_rate;
        ensure!(
            (0.001..=1_000.0).contains(&rate),
            "--room-rate is between 0.001 and 1000 steps a second"
        );
        for (option, count, kind, seats) in [
            ("--matches", options.matches, "match", MATCH_SEATS),
            ("--rooms", options.rooms, "room", ROOM_SEATS),
        ] {
            if let Some(count) = count {
                let size = Size::Besides(seats * count);
                scenario.set_size(kind, size).context(option)?;
            }
        }
        let protocol = Vcmi2::new(scenario, Duration::from_secs_f64(1.0 / rate))?;
        check_names(arguments, protocol.parts.len())?;
        Ok(Setup {
            sources: protocol.sources(scenario.workload),
            protocol,
            servers: vec![Server {
                transport: "Vcmi2",
                address: arguments.tcp_address(options.port_vcmi2)?,
            }],
        })
    }

    fn state(&self, _plan: &Plan) -> State {
        State {
            lines: Lines::default(),
            rooms: (0..self.rooms).map(|_| Room::default()).collect(),
            matches: (0..self.matches).map(|_| Table::default()).collect(),
        }
    }

    /// The connections of a room, and those of a match, stay together.
    fn group(&self, index: usize) -> Result<usize, &'static str> {
        match self.parts[index] {
            Part::Idle | Part::Script => Ok(index),
            Part::User(number) | Part::Room(number, _) | Part::Match(number, _) => Ok(number),
        }
    }

    fn tally(&self, state: &State, share: Share) -> Vec<u64> {
        state.lines.tally(share)
    }

    fn learn(&self, state: &State, share: Share, tally: &[u64]) {
        state.lines.learn(share, tally);
    }

    fn settings(&self) -> Vec<(&'static str, Value)> {
        let rate = 1.0 / self.step_period.as_secs_f64();
        vec![
            ("users", json!(self.users)),
            ("rooms", json!(self.rooms)),
            ("room_rate", json!(rate)),
            ("matches", json!(self.matches)),
        ]
    }

    fn figures(&self, outcome: &Outcome<'_, Vcmi2>) -> Vec<(String, f64)> {
        let own = &outcome.recorder.metrics;
        let mut figures = vec![
            ("users".to_owned(), self.users as f64),
            ("rooms".to_owned(), self.rooms as f64),
            ("matches".to_owned(), self.matches as f64),
            ("sign_in_us".to_owned(), outcome.assembled_us as f64),
        ];
        for (name, histogram) in [
            ("chat", &own.chat),
            ("room_open", &own.room_open),
            ("room_join", &own.room_join),
            ("room_leave", &own.room_leave),
            ("relay_round_trip", &own.relay_round_trip),
        ] {
            figures.extend(latency_figures(name, histogram));
        }
        if own.relay_us > 0 {
            // Bytes a microsecond are megabytes a second; of one way while all others do the same.
            let rate = own.relayed_bytes as f64 / own.relay_us as f64;
            figures.push(("relay_mb_per_s_and_way".to_owned(), rate));
        }
        figures.extend(outcome.server_figures());
        figures
    }

    fn failures(metrics: &Vcmi2Metrics) -> Vec<(u64, &'static str)> {
        vec![
            (metrics.refused, "requests refused"),
            (
                metrics.relays_unequal,
                "ways through relays on which other bytes arrived than were sent",
            ),
            (
                metrics.players_broken,
                "clients of matches that did not end as they must",
            ),
        ]
    }

    fn purposes(&self, plan: &Plan, metrics: &Vcmi2Metrics) -> Vec<(usize, u64, &'static str)> {
        vec![
            chat::purpose::<Vcmi2>(self.users, plan, &metrics.chat),
            (
                self.rooms,
                metrics.room_steps,
                "nothing was done in any room",
            ),
            (
                self.matches,
                metrics.relay_round_trip.ended(),
                "nothing went through the relay of any match",
            ),
        ]
    }

    fn live(metrics: &Vcmi2Metrics) -> Vec<(&'static str, u64)> {
        vec![
            ("steps", metrics.room_steps),
            ("trips", metrics.relay_round_trip.len()),
        ]
    }

    fn summary(&self, outcome: &Outcome<'_, Vcmi2>) -> String {
        outcome.lines(self.figures(outcome))
    }
}
