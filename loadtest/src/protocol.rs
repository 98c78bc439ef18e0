//! What a protocol has to provide: its options, what a client of it does, and what it measures. Sockets, schedule, live view,
//! goals and report are the same for all.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValue;
use serde_json::Value;

use crate::cli::Arguments;
use crate::connection::Connection;
use crate::fleet::{self, Gathering, Link, Share};
use crate::live::Second;
use crate::metrics::{Metrics, Recorder};
use crate::plan::{Plan, Server};
use crate::report::{Report, ServerCost};
use crate::scenario::{Cue, Kind, Scenario};
use crate::slo::Unit;
use crate::worker::Context;

/// A lobby's protocol, decided for one run.
pub(crate) trait Protocol: fmt::Debug + Send + Sync + Sized + 'static {
    /// Options of the command line that only this protocol has; the struct needs a name of its own, clap goes by it.
    type Options: clap::Args + fmt::Debug;
    /// What the clients of a run share besides the plan.
    type State: Send + Sync;
    /// What it measures besides what all do.
    type Metrics: Metrics;
    /// What its clients have to do at certain times.
    type Task: Copy + Ord + 'static;
    /// A client's side of its connections.
    type Session: Session<Self>;

    /// What `--protocol` calls it.
    const NAME: &'static str;

    /// The roles that it knows; each client of a run has one.
    const KINDS: &'static [Kind];

    /// Figures of its own that goals may name, besides its metrics.
    const FIGURES: &'static [(&'static str, Unit)] = &[];

    /// How its clients can be told to connect; the first is the default.
    fn transports() -> Vec<PossibleValue> {
        Vec::new()
    }

    /// Checks what was typed and decides what is this protocol's to decide. What was typed changes the scenario, if it is about
    /// that.
    fn setup(
        arguments: &Arguments,
        options: &Self::Options,
        scenario: &mut Scenario,
    ) -> anyhow::Result<Setup<Self>>;

    /// What the clients share at the beginning of a run.
    fn state(&self, plan: &Plan) -> Self::State;

    /// Clients of one group know of each other within one process only, so that a run on several machines leaves them together.
    /// An error says why no other process can run any of them.
    fn group(&self, _index: usize) -> Result<usize, &'static str> {
        Err("its clients know of each other within one process only")
    }

    /// What the clients run here have done and others wait for, or must know: numbers that only grow, as many in each process
    /// of a run. What others have done may be in it as well.
    fn tally(&self, _state: &Self::State, _share: Share) -> Vec<u64> {
        Vec::new()
    }

    /// The clients of other processes have done so much: of each number the largest that any has told.
    fn learn(&self, _state: &Self::State, _share: Share, _tally: &[u64]) {}

    /// What the clients run here know in part only, because those of other processes know the rest. Each piece is taken once,
    /// and after the last second none is left.
    fn pieces(&self, _state: &Self::State) -> Vec<Value> {
        Vec::new()
    }

    /// Whoever leads the run puts together what the clients of all processes know, in a state of its own. An error says that
    /// these pieces make no sense; none of them counts then.
    fn put_together(
        &self,
        _state: &Self::State,
        pieces: &[Value],
        _recorder: &mut Recorder<Self::Metrics>,
    ) -> anyhow::Result<()> {
        anyhow::ensure!(pieces.is_empty(), "pieces of nothing");
        Ok(())
    }

    /// What the report tells of the protocol's own settings.
    fn settings(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// How long to wait at the end for what nobody can know to be missing.
    fn drain(&self) -> Duration {
        Duration::ZERO
    }

    /// Settles what only all threads' measurements together tell.
    fn conclude(&self, _recorder: &mut Recorder<Self::Metrics>) {}

    /// Figures besides its metrics.
    fn figures(&self, _outcome: &Outcome<'_, Self>) -> Vec<(String, f64)> {
        Vec::new()
    }

    /// Counts that fail the run unless they are 0, in words.
    fn failures(_metrics: &Self::Metrics) -> Vec<(u64, &'static str)> {
        Vec::new()
    }

    /// What a run of this plan is for: how many are there for it, how often it has happened, and what is said if that is never.
    fn purposes(&self, _plan: &Plan, _metrics: &Self::Metrics) -> Vec<(usize, u64, &'static str)> {
        Vec::new()
    }

    /// Counts shown each second as so many per second.
    fn live(_metrics: &Self::Metrics) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Lines of the report besides the table of latencies.
    fn summary(&self, outcome: &Outcome<'_, Self>) -> String;
}

/// What one simulated client says and hears. It never waits and never looks at a socket: it is told what has happened, and
/// what it has to say goes into the connection's output.
pub(crate) trait Session<P: Protocol> {
    /// Client `index` of the run.
    fn new(index: usize, context: &Context<P>) -> Self;

    /// Whether it connects with all others at the beginning of the run; if not, it says when.
    fn joins_ramp(&self) -> bool {
        true
    }

    /// The others begin to connect; who does not join them says what it waits for.
    fn on_ramp(&mut self, _connection: &Connection, _context: &Context<P>) {}

    /// A connection to `host` (and the path there that a WebSocket asks for) is being made; what is said now leaves once it is there.
    fn on_connect(&mut self, host: &str, connection: &mut Connection, context: &Context<P>);

    /// Bytes came, cut anywhere. An error ends the connection.
    fn on_bytes(
        &mut self,
        bytes: &[u8],
        connection: &mut Connection,
        context: &Context<P>,
    ) -> anyhow::Result<()>;

    /// A task scheduled for `due_us` is due; the client may have lost its connection since.
    fn on_task(
        &mut self,
        task: P::Task,
        due_us: u64,
        connection: &mut Connection,
        context: &Context<P>,
    );

    /// All output has left: who sends as fast as the socket takes it goes on.
    fn on_drained(&mut self, _connection: &mut Connection, _context: &Context<P>) {}

    /// This client is about to end the connection: last words.
    fn on_close(&mut self, _connection: &mut Connection) {}

    /// The connection is over, by this client's own doing or not.
    fn on_disconnect(&mut self, by_client: bool, _context: &Context<P>) -> Next {
        if by_client { Next::Away } else { Next::Failed }
    }

    /// Nothing is left to prepare; the measured phase may begin.
    fn is_ready(&self) -> bool {
        true
    }

    /// Something is due in the script that this client follows, if it follows one.
    fn on_cue(
        &mut self,
        _cue: Cue,
        _due_us: u64,
        _connection: &mut Connection,
        _context: &Context<P>,
    ) {
    }

    /// The scenario has this client leave as soon as it is not busy.
    fn on_leave(&mut self, _context: &Context<P>) {}

    /// In the middle of something that it ends before it leaves.
    fn is_busy(&self) -> bool {
        false
    }

    /// The measured phase begins at `from_us`: schedules what is to be done first.
    fn on_measure(&mut self, _from_us: u64, _connection: &Connection, _context: &Context<P>) {}

    /// The measured phase is over: one last change, by which others know that they have everything.
    fn on_finish(&mut self, _connection: &mut Connection, _context: &Context<P>) {}

    /// How much this client still waits for.
    fn missing(&self, _connection: &Connection, _context: &Context<P>) -> u64 {
        0
    }

    /// The run is over: counts what never happened.
    fn account(&self, _context: &Context<P>) {}
}

/// What becomes of a client whose connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// All was well; it stays away.
    Away,
    /// It connects again after so many µs.
    Reconnect(u64),
    /// This must not have happened.
    Failed,
}

/// What a protocol decides about a run.
pub(crate) struct Setup<P> {
    pub(crate) protocol: P,
    pub(crate) servers: Vec<Server>,
    /// The clients that share the rate of the protocol's own roles, in turn.
    pub(crate) sources: Vec<usize>,
}

/// A finished run, as its protocol sees it.
pub(crate) struct Outcome<'a, P: Protocol> {
    pub(crate) recorder: &'a Recorder<P::Metrics>,
    pub(crate) server: &'a ServerCost,
    /// CPU seconds of the load tester in the measured phase.
    pub(crate) own_cpu_seconds: Option<f64>,
    /// Why the run ended before its time, in words.
    pub(crate) cut: Option<String>,
    /// Length of the measured phase.
    pub(crate) measured_us: u64,
    /// From the first connection until everybody was ready.
    pub(crate) assembled_us: u64,
    /// Clients connected at once.
    pub(crate) connected: i64,
    /// The run second by second.
    pub(crate) series: Vec<Second>,
}

impl<P: Protocol> Outcome<'_, P> {
    /// What the server took: CPU while it was measured, memory at the end.
    pub(crate) fn server_figures(&self) -> impl Iterator<Item = (String, f64)> {
        let finished = self.server.finished;
        let cpu = self.server.ready.zip(finished).map(|(before, after)| {
            let seconds = after.cpu_seconds - before.cpu_seconds;
            ("server_cpu_s".to_owned(), seconds)
        });
        let memory = finished.map(|usage| ("server_rss_bytes".to_owned(), usage.rss_bytes as f64));
        cpu.into_iter().chain(memory)
    }

    /// All counts of the protocol and these figures, a line each.
    pub(crate) fn lines(&self, figures: Vec<(String, f64)>) -> String {
        let counts = self.recorder.metrics.counts().into_iter();
        let counts = counts.map(|(name, count)| (name.to_owned(), count as f64));
        let mut text = String::new();
        for (name, value) in counts.chain(figures) {
            let _infallible = writeln!(text, "{name:<28} {value:>16.1}");
        }
        text
    }
}

/// A protocol whose type is known to itself only.
pub(crate) trait Runnable: fmt::Debug + Send + Sync {
    fn run(self: Arc<Self>, plan: Plan) -> anyhow::Result<Report>;

    /// Has the workers run it.
    fn lead(self: Arc<Self>, plan: Plan, gathering: Gathering) -> anyhow::Result<Report>;

    /// Runs a share of it.
    fn take_part(self: Arc<Self>, plan: Plan, link: &Link) -> anyhow::Result<()>;

    /// Which group a client belongs to, or why there are none.
    fn group_of(&self, index: usize) -> Result<usize, &'static str>;

    /// What `--protocol` calls it.
    fn name(&self) -> &'static str;

    /// Names of all latencies it may measure.
    fn latencies(&self) -> Vec<&'static str>;
}

impl<P: Protocol> Runnable for P {
    fn run(self: Arc<Self>, plan: Plan) -> anyhow::Result<Report> {
        crate::run::execute(plan, self)
    }

    fn lead(self: Arc<Self>, plan: Plan, gathering: Gathering) -> anyhow::Result<Report> {
        fleet::lead::run(plan, self, gathering)
    }

    fn take_part(self: Arc<Self>, plan: Plan, link: &Link) -> anyhow::Result<()> {
        fleet::member::run_share(plan, self, link)
    }

    fn group_of(&self, index: usize) -> Result<usize, &'static str> {
        self.group(index)
    }

    fn name(&self) -> &'static str {
        P::NAME
    }

    fn latencies(&self) -> Vec<&'static str> {
        let recorder = Recorder::<P::Metrics>::default();
        let latencies = recorder.latencies().into_iter();
        latencies.map(|(name, _)| name).collect()
    }
}
