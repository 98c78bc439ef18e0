//! The lobby of Forged Alliance Forever.
//!
//! | file | what lives there |
//! |---|---|
//! | `plan` | options and profiles → what each client is there for |
//! | `session` | one client: sign-in, ping, and its role |
//! | `roles/` | what a client does once signed in |
//! | `framing/`, `output` | bytes ↔ messages for the three transports |
//! | `dialogue` | what recordings know of this lobby |
//! | `matches` | what searchers know of their matches together |
//! | `markers`, `seen` | probes that carry their intended time, and who has seen which |

pub(super) mod dialogue;
pub(crate) mod framing;
mod markers;
mod matches;
mod output;
mod plan;
mod roles;
mod seen;
mod session;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use clap::ValueEnum as _;
use clap::builder::PossibleValue;
use serde::Deserialize as _;
use serde_json::{Value, json};

use self::framing::{Frame, Needle};
use self::markers::{Marker, Markers};
use self::matches::Matches;
use self::plan::{FafOptions, Part, TransportChoice};
use self::roles::PartyBoard;
use self::seen::Arrival;
use self::session::FafSession;
use crate::cli::Arguments;
use crate::delivery::Fate;
use crate::fleet::Share;
use crate::metrics::{Recorder, metrics};
use crate::plan::Plan;
use crate::protocol::{Outcome, Protocol, Setup};
use crate::scenario::{Kind, Scenario};
use crate::slo::Unit;

pub(crate) use self::plan::Faf;

type Context = crate::worker::Context<Faf>;

/// IceMsg have no final one to wait for; a relay that needs longer than this has lost it.
const ICE_DRAIN: Duration = Duration::from_secs(2);

/// Something a client has to do at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// The regular work of the role.
    Work,
    /// Small talk inside a game.
    Chat,
    /// Leave the game.
    Leave,
    /// Ask the server for a sign of life.
    Ping,
}

/// What everybody may know about a host's game.
#[derive(Debug, Default)]
struct Board {
    uid: AtomicU64,
    open: AtomicBool,
    /// Number of the newest change sent.
    sent: AtomicU32,
}

impl Board {
    /// What clients of other processes must know: the game's number and 1, once it is open, and the newest change.
    fn tally(&self) -> [u64; 2] {
        let open = self.open.load(Ordering::Acquire);
        let game = if open {
            self.uid.load(Ordering::Relaxed) + 1
        } else {
            0
        };
        [game, self.sent.load(Ordering::Acquire).into()]
    }

    fn learn(&self, game: u64, sent: u64) {
        if let Some(uid) = game.checked_sub(1) {
            self.uid.store(uid, Ordering::Relaxed);
            self.open.store(true, Ordering::Release);
        }
        let sent = u32::try_from(sent).unwrap_or(u32::MAX);
        self.sent.fetch_max(sent, Ordering::AcqRel);
    }
}

/// What the clients of a run share.
#[derive(Debug)]
pub(crate) struct State {
    markers: Markers,
    /// Tells broadcasts of games from everything else that may carry a title.
    game_info: Needle,
    boards: Vec<Board>,
    /// Of each party of searchers.
    parties: Vec<PartyBoard>,
    matches: Matches,
}

impl State {
    /// The newest change of each host.
    fn sent(&self) -> impl Iterator<Item = u32> + '_ {
        self.boards
            .iter()
            .map(|board| board.sent.load(Ordering::Acquire))
    }
}

metrics! {
    /// What is measured of this lobby.
    FafMetrics
    counts {
        /// Changes that reached a watcher inside a later one's broadcast.
        coalesced,
        /// Broadcasts of a probe's game that brought no new change.
        repeats,
        /// Broadcasts older than what the watcher had seen.
        stale,
        /// Changes that hosts sent.
        changes,
        /// Games entered.
        joins,
        /// Games that could not be entered in time or were refused.
        join_failures,
        /// IceMsg sent.
        ice_sent,
        /// IceMsg received.
        ice_received,
        /// Times a player was told of a match.
        matched,
        /// Searches that had no match when they were called off in the end.
        unmatched,
        /// Matches whose players were all told to start their games.
        matches_opened,
        /// Times a player was told that his match came to nothing.
        cancelled,
        /// Players in matches that were launched.
        played,
        /// Players that vanished from a match.
        vanished,
        /// Ratings that came after a game.
        rated,
        /// Players who were not idle at the end, although they had left everything.
        stuck,
        /// Players who finished a game and were not rated.
        unrated,
        /// Pings of the server answered.
        pings_answered,
    }
    latencies {
        /// Intended time of a change to the broadcast that covers it, at each watcher: its own, or that of a later change that
        /// overtook it. One that never came counts until the end of the run.
        broadcast,
        /// The same of the newest change in each broadcast only. A server that broadcasts seldom looks good here.
        delivered,
        /// Intended time of a `ping` to its `pong`; to the end of the run, if it did not come.
        ping,
        /// Intended time of an IceMsg to its arrival at the peer; of pairs to the end of the run, if it did not come.
        ice,
        /// When a search was due to its match; to the end of the run, if it had none by then.
        match_wait,
    }
    others {
        /// Quality of the matches, in thousandths.
        quality,
    }
}

impl FafMetrics {
    /// A match may be whole now, and of this quality.
    fn tell(&mut self, quality: Option<f64>) {
        if let Some(quality) = quality {
            self.matches_opened += 1;
            let thousandths = (quality * 1000.0).round() as u64;
            self.quality.saturating_record(thousandths.max(1));
        }
    }
}

impl Protocol for Faf {
    type Options = FafOptions;
    type State = State;
    type Metrics = FafMetrics;
    type Task = Task;
    type Session = FafSession;

    const NAME: &'static str = "faf";
    const KINDS: &'static [Kind] = plan::KINDS;
    const FIGURES: &'static [(&'static str, Unit)] = &[
        ("match_quality", Unit::Count),
        ("match_quality_low", Unit::Count),
        ("match_quality_median", Unit::Count),
    ];

    fn transports() -> Vec<PossibleValue> {
        let all = TransportChoice::value_variants().iter();
        all.filter_map(clap::ValueEnum::to_possible_value).collect()
    }

    fn setup(
        arguments: &Arguments,
        options: &FafOptions,
        scenario: &mut Scenario,
    ) -> anyhow::Result<Setup<Faf>> {
        plan::setup(arguments, options, scenario)
    }

    fn state(&self, plan: &Plan) -> State {
        State {
            markers: Markers::new(&plan.run_id),
            game_info: Needle::new("\"game_info\""),
            boards: (0..self.hosts + self.pairs)
                .map(|_| Board::default())
                .collect(),
            parties: (0..self.parties).map(|_| PartyBoard::default()).collect(),
            matches: Matches::default(),
        }
    }

    fn group(&self, index: usize) -> Result<usize, &'static str> {
        match self.part(index) {
            // Members of a party stay together, as do the two of a pair.
            Part::Queue { party, .. } => Ok(plan::group_of_party(party)),
            Part::Pair { source, .. } => Ok((source - self.hosts) / 2),
            _ => Ok(index),
        }
    }

    /// Of each host its game, once it is open, and the newest change it has sent.
    fn tally(&self, state: &State, _share: Share) -> Vec<u64> {
        state.boards.iter().flat_map(Board::tally).collect()
    }

    fn learn(&self, state: &State, _share: Share, tally: &[u64]) {
        for (board, told) in state.boards.iter().zip(tally.chunks_exact(2)) {
            board.learn(told[0], told[1]);
        }
    }

    /// Matches that have players of other processes as well.
    fn pieces(&self, state: &State) -> Vec<Value> {
        let parts = state.matches.take().into_iter();
        parts.map(|part| json!(part)).collect()
    }

    fn put_together(
        &self,
        state: &State,
        pieces: &[Value],
        recorder: &mut Recorder<FafMetrics>,
    ) -> anyhow::Result<()> {
        let parts = pieces.iter().map(matches::Part::deserialize);
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        parts.iter().try_for_each(matches::Part::check)?;
        for part in parts {
            recorder.metrics.tell(state.matches.add(part));
        }
        Ok(())
    }

    fn settings(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("hosts", json!(self.hosts)),
            ("joiners", json!(self.joiners)),
        ]
    }

    fn drain(&self) -> Duration {
        if self.pairs > 0 {
            ICE_DRAIN
        } else {
            Duration::ZERO
        }
    }

    fn conclude(&self, recorder: &mut Recorder<FafMetrics>) {
        if self.only_pairs() {
            let metrics = &recorder.metrics;
            recorder.common.lost += metrics.ice_sent.saturating_sub(metrics.ice_received);
        }
    }

    fn figures(&self, outcome: &Outcome<'_, Faf>) -> Vec<(String, f64)> {
        let quality = &outcome.recorder.metrics.quality;
        if quality.is_empty() {
            return Vec::new();
        }
        // From 0 to 1.
        [
            ("match_quality", quality.mean()),
            ("match_quality_low", quality.value_at_quantile(0.1) as f64),
            (
                "match_quality_median",
                quality.value_at_quantile(0.5) as f64,
            ),
        ]
        .map(|(name, thousandths)| (name.to_owned(), thousandths / 1e3))
        .into()
    }

    fn failures(metrics: &FafMetrics) -> Vec<(u64, &'static str)> {
        vec![
            (metrics.stuck, "players not idle at the end"),
            (metrics.unrated, "players not rated after their game"),
        ]
    }

    fn purposes(&self, plan: &Plan, metrics: &FafMetrics) -> Vec<(usize, u64, &'static str)> {
        let due = |clients| if plan.scenario.has_rate() { clients } else { 0 };
        vec![
            (
                due(self.hosts),
                metrics.broadcast.ended(),
                "no change reached a watcher",
            ),
            (due(self.pairs), metrics.ice.ended(), "no IceMsg arrived"),
            (self.joiners, metrics.joins, "nobody entered a game"),
            (self.parties, metrics.matched, "nobody was matched"),
        ]
    }

    fn live(metrics: &FafMetrics) -> Vec<(&'static str, u64)> {
        vec![("ice", metrics.ice_received), ("matched", metrics.matched)]
    }

    fn summary(&self, outcome: &Outcome<'_, Faf>) -> String {
        summary(outcome, &self.figures(outcome))
    }
}

fn summary(outcome: &Outcome<'_, Faf>, figures: &[(String, f64)]) -> String {
    let (common, own) = (&outcome.recorder.common, &outcome.recorder.metrics);
    let seconds = outcome.measured_us as f64 / 1e6;
    let mut text = format!(
        "connected {}, logins {}, changes {}, deliveries {} ({:.0}/s) and {} coalesced, joins {} ({} failed), ice {} of {}\n",
        outcome.connected,
        common.logins,
        own.changes,
        common.deliveries,
        common.deliveries as f64 / seconds.max(1e-6),
        own.coalesced,
        own.joins,
        own.join_failures,
        own.ice_received,
        own.ice_sent,
    );
    if own.matched + own.unmatched > 0 {
        let _infallible = writeln!(
            text,
            "matched {} ({} searches without a match in the end), matches opened {}, played {}, cancelled {}, vanished {}, rated {}",
            own.matched,
            own.unmatched,
            own.matches_opened,
            own.played,
            own.cancelled,
            own.vanished,
            own.rated,
        );
    }
    if let [mean, low, median] = figures {
        let _infallible = writeln!(
            text,
            "quality of the matches: mean {:.3}, p10 {:.3}, p50 {:.3}",
            mean.1, low.1, median.1
        );
    }
    let _infallible = writeln!(
        text,
        "messages in {}, bytes in {}, bytes out {}, pings answered {}",
        common.messages_in, common.bytes_in, common.bytes_out, own.pings_answered
    );
    text
}

/// Books what a watcher got.
fn arrived(arrival: Arrival, marker: Marker, context: &Context) {
    match arrival {
        Arrival::Fresh { after } => {
            let covered = u64::from(after) + 1..marker.sequence.into();
            context.recorder.borrow_mut().metrics.coalesced += covered.end - covered.start;
            let due_us = |sequence| change_due_us(marker.source as usize, sequence, context);
            context.book_all(covered, due_us, Fate::Covered, |metrics| {
                &mut metrics.broadcast
            });
            // The last changes are no load on a schedule: everybody makes them in the same moment, when nothing is measured.
            let due_us = marker.intended_us;
            context.book(due_us, |metrics| &mut metrics.broadcast);
            context.note(due_us, |metrics| &mut metrics.delivered);
        }
        Arrival::Repeat => context.recorder.borrow_mut().metrics.repeats += 1,
        Arrival::Stale => {
            let recorder = &mut *context.recorder.borrow_mut();
            recorder.metrics.stale += 1;
            recorder.common.protocol_errors += 1;
        }
        Arrival::Unknown => context.recorder.borrow_mut().common.protocol_errors += 1,
    }
}

/// When a host's change was due: they count up from 1, whether they could be sent or not.
fn change_due_us(host: usize, sequence: u64, context: &Context) -> u64 {
    let shared = &context.shared;
    shared.measured_from_us() + shared.schedule.due_us(host, sequence - 1)
}

/// Books an IceMsg by the marker in it, and tells it.
fn ice_arrived(text: &[u8], context: &Context) -> Option<Marker> {
    let frame = Frame {
        bytes: text,
        wide: false,
        cut: false,
    };
    context.recorder.borrow_mut().metrics.ice_received += 1;
    let marker = context.state().markers.find(&frame)?;
    context.note(marker.intended_us, |metrics| &mut metrics.ice);
    Some(marker)
}
