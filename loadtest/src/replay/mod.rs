//! `swarm replay`: plays a recording with many clients, each copy of it with names, passwords and numbers of its own.
//!
//! | file | what lives there |
//! |---|---|
//! | this one | options → the plan; what is measured |
//! | `session` | one client: signs in, then says what is due, once it has heard what the recorded one had heard |
//! | `group` | what the clients of one copy know together |
//!
//! What is said after the sign-ins has its due time like everything else: as it was spaced in the recording, or evenly. It
//! waits for the answers that the recorded client had waited for, and counts from when it was due.

mod group;
mod session;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::{Value, json};

use self::group::Group;
use self::session::ReplaySession;
use crate::cli::{Arguments, DEFAULT_RAMP};
use crate::figures;
use crate::metrics::{Recorder, histogram, merge, metrics};
use crate::plan::{Plan, Server};
use crate::protocol::{Outcome, Protocol, Setup};
use crate::protocols;
use crate::recording::dialect::Transport;
use crate::recording::script::{Recording, Script};
use crate::scenario::{Kind, SLOWEST_RATE, Scenario};
use crate::typed;

type Context = crate::worker::Context<Replay>;

/// Clients, unless told otherwise.
const CLIENTS: usize = 1_000;
/// The measured phase lasts a little longer than what is played in it.
const END_US: u64 = 100_000;

/// Options of a run that mean nothing here, besides those of the protocols, and what stands instead of each.
const MEANINGLESS: [(&str, &str); 5] = [
    ("server", "--to says where to connect"),
    ("protocol", "the recording says which it is"),
    ("profile", "the recording says what is done"),
    ("scenario", "the recording says what is done"),
    (
        "ping_every",
        "clients say that they live as their protocol has it",
    ),
];

/// Why an option of a run means nothing here, if it is one that does not.
fn meaningless(id: &str) -> Option<&'static str> {
    let common = MEANINGLESS.iter().find(|(known, _)| *known == id);
    let own = || protocols::owner_of(id).map(|_| "the recording says what is done, and where");
    common.map(|(_, instead)| *instead).or_else(own)
}

/// The options of `swarm replay`.
#[derive(Debug, clap::Args)]
#[command(mut_args(fit))]
pub struct ReplayArguments {
    #[command(flatten)]
    pub(crate) options: ReplayOptions,
    #[command(flatten)]
    pub(crate) run: Arguments,
}

impl ReplayArguments {
    /// Whether others are to run the clients.
    pub fn fleet(&self) -> &crate::fleet::LeadOptions {
        &self.run.fleet
    }
}

/// What only a replay has.
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayOptions {
    /// The recording.
    file: PathBuf,
    /// Address and port of the server; without it the recorded one.
    #[arg(long)]
    to: Option<String>,
    /// How many times as fast as it was recorded.
    #[arg(long, default_value_t = 1.0, conflicts_with = "rate")]
    speed: f64,
    /// Play only the session of this number.
    #[arg(long)]
    session: Option<u64>,
    /// How long to wait for an answer before going on without it.
    #[arg(long, default_value = "10s", value_parser = crate::cli::duration)]
    answer_timeout: Duration,
    #[arg(skip)]
    prepared: Mutex<Option<Prepared>>,
}

/// What the options have come to.
#[derive(Debug)]
struct Prepared {
    recording: Recording,
    timing: Timing,
    groups: usize,
}

/// When what is said is due.
#[derive(Debug, Clone, Copy)]
struct Timing {
    speed: f64,
    /// Evenly spaced, whatever the recording says.
    paced: bool,
    /// From the beginning of one copy to that of the next.
    offset_us: f64,
}

/// An option of a run as it is of a replay.
fn fit(arg: clap::Arg) -> clap::Arg {
    let help = match arg.get_id().as_str() {
        "rate" => "Messages per second in all, evenly spaced; without it as they were recorded",
        "duration" => "Length of the measured phase; without it as long as it takes",
        "transport" => "How to connect; without it as it was recorded",
        "clients" => {
            "How many clients; each copy of the recording takes as many as it has sessions"
        }
        id => {
            let hide = meaningless(id).is_some() || arg.is_hide_set();
            return arg.hide(hide);
        }
    };
    match arg.get_id().as_str() {
        "rate" | "duration" => arg.default_value("0").hide_default_value(true).help(help),
        "transport" => arg.help(help).value_parser(PossibleValuesParser::new(
            Transport::value_variants()
                .iter()
                .filter_map(ValueEnum::to_possible_value),
        )),
        _ => arg.help(help),
    }
}

impl ReplayArguments {
    /// Reads the recording and checks everything that can be checked before the first connection.
    ///
    /// # Errors
    /// A recording that can't be read or played so, and options that make no sense.
    pub fn plan(&mut self) -> anyhow::Result<Plan> {
        let ReplayArguments { options, run } = self;
        for id in run.typed.ids() {
            if let Some(instead) = meaningless(id) {
                bail!("{} means nothing in a replay: {instead}", typed::option(id));
            }
        }
        let recording = Recording::read(&options.file, options.session)?;
        run.server = options.to.as_ref().unwrap_or(&recording.server).clone();
        let speed = options.speed;
        let wanted = run.what.rate.unwrap_or_default();
        ensure!(
            speed.is_finite() && speed >= 1e-3,
            "--speed must be 0.001 at least"
        );
        ensure!(
            wanted.is_finite() && wanted >= 0.0,
            "--rate must not be negative"
        );
        let clients = run.what.clients.unwrap_or(CLIENTS);
        let groups = clients / recording.scripts.len();
        ensure!(
            groups > 0,
            "--clients {clients}: the recording has {} sessions, and each takes a client; --session plays one",
            recording.scripts.len()
        );
        let things = (recording.measured * groups) as f64;
        let paced = wanted > 0.0;
        let ramp = run.ramp.unwrap_or(DEFAULT_RAMP);
        let offset_us = if ramp > 0.0 && !paced {
            recording.scripts.len() as f64 / ramp * 1e6
        } else {
            0.0
        };
        let length_us = if paced {
            things / wanted * 1e6
        } else {
            recording.length_us as f64 / speed + offset_us * groups.saturating_sub(1) as f64
        };
        let duration = run.what.duration.filter(|duration| !duration.is_zero());
        let whole = Duration::from_micros(length_us as u64 + END_US);
        let duration = duration.unwrap_or(whole);
        let rate = match paced {
            true => wanted,
            // For the heading, and for whether it can be offered.
            false => {
                let rate = (things / duration.as_secs_f64() * 100.0).round() / 100.0;
                rate.max(SLOWEST_RATE)
            }
        };
        let name = options.file.file_name().unwrap_or(options.file.as_os_str());
        let sessions = recording.scripts.len();
        let name = format!(
            "{} ({}, {sessions} sessions)",
            name.to_string_lossy(),
            recording.protocol.name()
        );
        let scenario =
            Scenario::of_one_role(name, recording.protocol, groups * sessions, rate, duration);
        let timing = Timing {
            speed,
            paced,
            offset_us,
        };
        options.prepared = Mutex::new(Some(Prepared {
            recording,
            timing,
            groups,
        }));
        run.plan_of::<Replay>(options, scenario)
    }
}

/// A replay, decided for one run.
pub(crate) struct Replay {
    recording: Recording,
    timing: Timing,
    groups: usize,
    transport: Option<Transport>,
    answer_timeout_us: u64,
    /// How long each kind of message waited for its answer.
    by_kind: Vec<Mutex<Histogram<u64>>>,
}

/// What is played and how, without what has come of it.
impl fmt::Debug for Replay {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Replay")
            .field("recording", &self.recording)
            .field("timing", &self.timing)
            .field("groups", &self.groups)
            .field("transport", &self.transport)
            .field("answer_timeout_us", &self.answer_timeout_us)
            .finish_non_exhaustive()
    }
}

impl Replay {
    /// What client `index` plays, and in which copy of the recording.
    fn part(&self, index: usize) -> (usize, usize) {
        let scripts = self.recording.scripts.len();
        (index % scripts, index / scripts)
    }

    fn script(&self, index: usize) -> &Script {
        &self.recording.scripts[self.part(index).0]
    }

    /// The client of the same copy that plays the session in which this name signed in.
    fn client_named(&self, name: &str, group: usize) -> Option<usize> {
        let scripts = &self.recording.scripts;
        let named = scripts
            .iter()
            .position(|script| script.login.as_deref() == Some(name));
        named.map(|script| group * scripts.len() + script)
    }

    fn transport(&self, script: &Script) -> Transport {
        self.transport.unwrap_or(script.transport)
    }

    fn histogram(&self, kind: usize) -> MutexGuard<'_, Histogram<u64>> {
        let histogram = self.by_kind[kind].lock();
        histogram.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something a client has to do at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Say what comes next.
    Step,
    /// See whether the others are far enough.
    Look,
    /// Go on without an answer that has not come.
    GiveUp,
    /// Say that it lives.
    Alive,
}

/// What the clients of a run share: what those of each copy know together.
#[derive(Debug)]
pub(crate) struct State {
    groups: Vec<Mutex<Group>>,
}

impl State {
    fn group(&self, number: usize) -> MutexGuard<'_, Group> {
        let group = self.groups[number].lock();
        group.unwrap_or_else(PoisonError::into_inner)
    }
}

metrics! {
    /// What is measured of a replay.
    ReplayMetrics
    counts {
        /// Messages sent after the sign-ins.
        said,
        /// Answers of the kind that the recording has.
        answered,
        /// Answers of another kind.
        answered_otherwise,
        /// Answers that did not come.
        unanswered,
        /// Messages sent with a number of the recording, because the server had not given another one in time.
        numbers_unknown,
        /// Messages of the recording that can't be sent again: they were too long, or none.
        not_playable,
    }
    latencies {
        /// Intended time of a message to its answer, which is what followed it in the recording; to the end of the run, if it did
        /// not come.
        answer,
    }
    others {}
}

impl Protocol for Replay {
    type Options = ReplayOptions;
    type State = State;
    type Metrics = ReplayMetrics;
    type Task = Task;
    type Session = ReplaySession;

    const NAME: &'static str = "replay";
    /// What its clients do is in the recording.
    const KINDS: &'static [Kind] = &[];

    fn setup(
        arguments: &Arguments,
        options: &ReplayOptions,
        _: &mut Scenario,
    ) -> anyhow::Result<Setup<Replay>> {
        let prepared = options.prepared.lock().map(|mut prepared| prepared.take());
        let prepared = prepared.ok().flatten();
        let Prepared {
            recording,
            timing,
            groups,
        } = prepared.context("a replay is planned by its own options")?;
        let endpoint = arguments.endpoint()?;
        let port = endpoint.port;
        let port = port.with_context(|| format!("--to {:?} has no port", arguments.server))?;
        let transport = arguments.transport.as_deref().map(|name| {
            let transport = Transport::from_str(name, false).ok();
            let known =
                transport.filter(|transport| recording.dialect.transports().contains(transport));
            known.with_context(|| {
                format!("--transport {name}: the recording's protocol has no such thing")
            })
        });
        let by_url = endpoint.websocket.then_some(Transport::Websocket);
        let transport = transport.transpose()?.or(by_url);
        let kinds = recording.kinds.iter();
        Ok(Setup {
            servers: vec![Server {
                transport: transport.unwrap_or(recording.scripts[0].transport).name(),
                address: (arguments.address()?, port).into(),
            }],
            sources: (0..groups).collect(),
            protocol: Replay {
                timing,
                groups,
                transport,
                answer_timeout_us: options.answer_timeout.as_micros() as u64,
                by_kind: kinds.map(|_| Mutex::new(histogram())).collect(),
                recording,
            },
        })
    }

    fn state(&self, _plan: &Plan) -> State {
        let group = || Mutex::new(Group::new(&self.recording));
        State {
            groups: (0..self.groups).map(|_| group()).collect(),
        }
    }

    /// The clients of a copy stay together.
    fn group(&self, index: usize) -> Result<usize, &'static str> {
        Ok(self.part(index).1)
    }

    /// How long each kind of message waited since it was asked last: its number, and a histogram.
    fn pieces(&self, _state: &State) -> Vec<Value> {
        let kinds = 0..self.by_kind.len();
        let pieces = kinds.filter_map(|kind| {
            let mut waited = self.histogram(kind);
            if waited.is_empty() {
                return None;
            }
            // Into memory, which does not fail.
            let text = figures::encode_fast(&waited).ok()?;
            waited.reset();
            Some(json!([kind, text]))
        });
        pieces.collect()
    }

    fn put_together(
        &self,
        _state: &State,
        pieces: &[Value],
        _recorder: &mut Recorder<ReplayMetrics>,
    ) -> anyhow::Result<()> {
        let mut told = Vec::new();
        for piece in pieces {
            let (kind, text): (usize, String) = Deserialize::deserialize(piece)?;
            ensure!(kind < self.by_kind.len(), "no message is of kind {kind}");
            told.push((kind, figures::decode_own(&text)?));
        }
        for (kind, waited) in told {
            merge(&mut self.histogram(kind), &waited);
        }
        Ok(())
    }

    fn settings(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("recorded_protocol", json!(self.recording.protocol.name())),
            ("sessions", json!(self.recording.scripts.len())),
            ("copies", json!(self.groups)),
            ("speed", json!(self.timing.speed)),
        ]
    }

    fn failures(metrics: &ReplayMetrics) -> Vec<(u64, &'static str)> {
        vec![
            (metrics.unanswered, "answers that did not come"),
            (metrics.answered_otherwise, "answers other than recorded"),
            (
                metrics.numbers_unknown,
                "messages with a number that the server had not given",
            ),
            (metrics.not_playable, "messages that can't be sent again"),
        ]
    }

    fn purposes(&self, _plan: &Plan, metrics: &ReplayMetrics) -> Vec<(usize, u64, &'static str)> {
        let there = self.recording.measured;
        vec![(there, metrics.said, "nothing of the recording was said")]
    }

    fn live(metrics: &ReplayMetrics) -> Vec<(&'static str, u64)> {
        vec![("said", metrics.said), ("answered", metrics.answered)]
    }

    fn summary(&self, outcome: &Outcome<'_, Replay>) -> String {
        use std::fmt::Write as _;

        let (common, own) = (&outcome.recorder.common, &outcome.recorder.metrics);
        let mut text = format!(
            "{} copies, connected {} at once, logins {}, said {}, answered {} as recorded and {} otherwise, unanswered {}\n",
            self.groups,
            outcome.connected,
            common.logins,
            own.said,
            own.answered,
            own.answered_otherwise,
            own.unanswered,
        );
        let _infallible = writeln!(
            text,
            "{:<40} {:>9} {:>9} {:>9} {:>9}",
            "ms", "answers", "p50", "p99", "max"
        );
        for (number, kind) in self.recording.kinds.iter().enumerate() {
            let histogram = self.histogram(number);
            if histogram.is_empty() {
                continue;
            }
            let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
            let _infallible = writeln!(
                text,
                "{kind:<40} {:>9} {:>9.3} {:>9.3} {:>9.3}",
                histogram.len(),
                at(0.5),
                at(0.99),
                at(1.0),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use crate::cli::{Command, CommandLine};

    #[test]
    fn options_that_mean_nothing_in_a_replay_are_refused_before_anything_is_read() {
        for (line, told) in [
            (
                "--scenario /nowhere",
                "--scenario means nothing in a replay",
            ),
            ("--server 127.0.0.1", "--to says"),
            ("--ping-every 5s", "--ping-every means nothing"),
            ("--also 127.0.0.1:1", "--also means nothing"),
            ("--table-rate 2", "--table-rate means nothing"),
        ] {
            let words = ["swarm", "replay", "/nowhere"].into_iter();
            let parsed = CommandLine::try_parse_from(words.chain(line.split(' ')));
            let Command::Replay(mut arguments) = parsed.expect(line).command else {
                unreachable!("it is `replay`");
            };
            let error = arguments.plan().expect_err(line).to_string();
            assert!(error.contains(told), "{line}: {error}");
        }
    }

    #[test]
    fn help_shows_nothing_that_is_refused_or_internal() {
        let mut all = CommandLine::command();
        let replay = all.find_subcommand_mut("replay").expect("there is one");
        let help = replay.render_long_help().to_string();
        for hidden in [
            "--run-id",
            "--scenario",
            "--also",
            "--hosts",
            "--port-vcmi2",
        ] {
            assert!(!help.contains(&format!("{hidden} ")), "{hidden}: {help}");
        }
        assert!(help.contains("--speed"), "{help}");
    }
}
