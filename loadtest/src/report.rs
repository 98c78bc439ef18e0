//! The end of a run: a table for people, files for programs.

use std::collections::BTreeMap;
use std::fmt;

use bytesize::ByteSize;
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::json;

use crate::figures;
use crate::fleet::Standing;
use crate::latency::Latency;
use crate::live::Second;
use crate::machine::{Environment, Usage};
use crate::metrics::Common;
use crate::plan::{Plan, Workload};
use crate::protocol::{Outcome, Protocol};
use crate::slo::{self, Goal, Measured, STATISTICS, Violation};

/// Name of the check of a run that is strict.
const OWN_LATENESS: &str = "own lateness";
/// The load tester was late if one task of a hundred was later than this,
const LATE_P99_US: u64 = 20_000;
/// or any by this much,
const LATE_MAX_US: u64 = 250_000;
/// or if its threads had less than a tenth of their time left.
const BUSY_SHARE: f64 = 0.9;

/// What the run cost the server, as far as it could be seen.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ServerCost {
    /// The server's process.
    pub pid: Option<u32>,
    /// Before the first connection.
    pub before: Option<Usage>,
    /// With everybody connected, before the measured phase.
    pub ready: Option<Usage>,
    /// At the end of the measured phase.
    pub measured: Option<Usage>,
    /// At the end, everybody still connected.
    pub finished: Option<Usage>,
    /// CPU seconds of the measured phase.
    pub cpu_seconds: Option<f64>,
    /// CPU microseconds of the measured phase and the wait after it, for each broadcast that reached a watcher.
    pub cpu_us_per_delivery: Option<f64>,
    /// CPU microseconds from the first connection to the last sign-in, for each sign-in.
    pub cpu_us_per_login: Option<f64>,
    /// Growth of resident memory for each connection, while they were made.
    pub bytes_per_connection: Option<f64>,
    /// Why that could not be told.
    pub not_measurable: Option<&'static str>,
}

impl ServerCost {
    /// Compares four looks at the server: before, ready, measured, finished. In a `storm` signing in is what is measured.
    pub(crate) fn new(
        pid: Option<u32>,
        [before, ready, measured, finished]: [Option<Usage>; 4],
        storm: bool,
        memory: Result<f64, &'static str>,
        counts: &Common,
    ) -> ServerCost {
        let cpu =
            |from: Option<Usage>, to: Option<Usage>| Some(to?.cpu_seconds - from?.cpu_seconds);
        let per = |seconds: Option<f64>, events: u64| {
            seconds
                .filter(|_| events > 0)
                .map(|seconds| seconds * 1e6 / events as f64)
        };
        let cpu_seconds = cpu(if storm { before } else { ready }, measured);
        let signing_in = if storm {
            cpu(before, finished)
        } else {
            cpu(before, ready)
        };
        ServerCost {
            pid,
            before,
            ready,
            measured,
            finished,
            cpu_seconds,
            cpu_us_per_delivery: per(cpu(ready, finished), counts.deliveries),
            cpu_us_per_login: per(signing_in, counts.logins),
            bytes_per_connection: memory.ok(),
            not_measurable: memory.err(),
        }
    }
}

/// Something that makes a run a failure if it happens.
#[derive(Debug)]
pub(crate) struct Check {
    /// What it is about, whatever the outcome.
    pub(crate) name: &'static str,
    /// What happened, if it did.
    pub(crate) failure: Option<String>,
}

/// Everything a run found out.
#[derive(Debug)]
pub struct Report {
    /// Where it was measured.
    pub environment: Environment,
    /// What it cost the server.
    pub server: ServerCost,
    /// Clients connected at once.
    pub connected: i64,
    /// Length of the measured phase.
    pub measured_us: u64,
    /// Why things failed, and how often.
    pub errors: BTreeMap<String, u64>,
    settings: serde_json::Map<String, serde_json::Value>,
    latencies: Vec<(&'static str, Latency)>,
    counts: BTreeMap<&'static str, u64>,
    figures: BTreeMap<String, f64>,
    checks: Vec<Check>,
    failures: Vec<String>,
    /// How the load tester itself was late, if it was.
    lateness: Vec<String>,
    /// The protocol's own lines.
    summary: String,
    /// What the scenario's scripts counted.
    own: Vec<(&'static str, u64)>,
    heading: String,
    series: Vec<Second>,
    /// Who ran the clients, if others did.
    crew: Vec<Standing>,
}

impl Report {
    /// Puts together what the run found.
    pub(crate) fn new<P: Protocol>(
        plan: &Plan,
        protocol: &P,
        environment: Environment,
        outcome: &Outcome<'_, P>,
        errors: BTreeMap<String, u64>,
    ) -> Report {
        let mut settings = common_settings(plan);
        let own = protocol.settings().into_iter();
        settings.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let latencies = outcome.recorder.latencies().into_iter();
        let mut figures = common_figures(outcome);
        figures.extend(protocol.figures(outcome));
        let lateness = lateness(
            plan,
            &outcome.recorder.common,
            outcome.own_cpu_seconds,
            outcome.measured_us,
        );
        let mut checks = checks(plan, protocol, outcome);
        if plan.strict {
            checks.push(own_lateness(&lateness));
        }
        let failures = checks.iter().filter_map(|check| check.failure.clone());
        let failures = failures.collect();
        Report {
            environment,
            server: outcome.server.clone(),
            connected: outcome.connected,
            measured_us: outcome.measured_us,
            errors,
            settings,
            latencies: latencies
                .map(|(name, latency)| (name, latency.clone()))
                .collect(),
            counts: outcome.recorder.counts().into_iter().collect(),
            figures,
            checks,
            failures,
            lateness,
            summary: protocol.summary(outcome),
            own: outcome.recorder.own.counts().to_vec(),
            heading: plan.heading(),
            series: outcome.series.clone(),
            crew: Vec::new(),
        }
    }

    /// The same of a run whose clients were run by others: how they stood at its end, and how late each was.
    pub(crate) fn with_crew(mut self, crew: Vec<Standing>, strict: bool) -> Report {
        // Taken together, one that was late could hide behind the others.
        self.lateness = crew.iter().flat_map(Standing::lateness).collect();
        self.checks.retain(|check| check.name != OWN_LATENESS);
        if strict {
            self.checks.push(own_lateness(&self.lateness));
        }
        let lost: Vec<String> = crew.iter().filter_map(Standing::loss).collect();
        let workers = Check {
            name: "workers",
            failure: (!lost.is_empty()).then(|| lost.join("; ")),
        };
        self.checks.insert(0, workers);
        let failures = self.checks.iter();
        self.failures = failures.filter_map(|check| check.failure.clone()).collect();
        self.crew = crew;
        self
    }

    /// All figures by the names goals use: times in µs, sizes in bytes.
    pub fn figures(&self) -> &BTreeMap<String, f64> {
        &self.figures
    }

    /// What makes the run a failure whatever the goals say.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// What could have made it a failure, and what has.
    pub(crate) fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// What was counted under this name; 0 if there is no such count.
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// The latencies of this name, in µs.
    pub fn latency(&self, name: &str) -> Option<&Histogram<u64>> {
        self.measured_latencies()
            .find_map(|(known, histogram)| (known == name).then_some(histogram))
    }

    /// Everything counted.
    pub(crate) fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// What the run was told to do, by name.
    pub(crate) fn settings(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.settings
    }

    /// How the load tester itself was late, if it was.
    pub(crate) fn lateness(&self) -> &[String] {
        &self.lateness
    }

    /// What ran against what.
    pub fn heading(&self) -> &str {
        &self.heading
    }

    /// The run second by second.
    pub fn series(&self) -> &[Second] {
        &self.series
    }

    /// The histograms that hold something.
    pub(crate) fn measured_latencies(
        &self,
    ) -> impl Iterator<Item = (&'static str, &Histogram<u64>)> {
        self.latencies
            .iter()
            .filter(|(_, latency)| !latency.is_empty())
            .map(|(name, latency)| (*name, &**latency))
    }

    /// The latencies of which some did not come to an end.
    pub(crate) fn open_latencies(&self) -> impl Iterator<Item = (&'static str, &Latency)> {
        let latencies = self.latencies.iter();
        let open = latencies.filter(|(_, latency)| latency.open_count() > 0);
        open.map(|(name, latency)| (*name, latency))
    }

    /// What was measured of a goal's figure. Of a latency nothing counts that was given up before the limit.
    pub fn measured(&self, goal: &Goal) -> Measured {
        let mut open = self.open_latencies();
        let found = open.find_map(|(name, latency)| {
            let statistic = goal.name().strip_prefix(name)?.strip_prefix('_')?;
            let decided = latency.decided(goal.limit());
            let value = statistics(&decided)
                .find(|(known, _)| *known == statistic)?
                .1;
            Some(Measured {
                value: (!decided.is_empty()).then_some(value),
                open: latency.open_count(),
            })
        });
        found.unwrap_or_else(|| Measured {
            value: self.figures.get(goal.name()).copied(),
            open: 0,
        })
    }

    /// Goals that were not met.
    pub fn violations(&self, goals: &[Goal]) -> Vec<Violation> {
        slo::check(goals, |goal| self.measured(goal))
    }

    /// The last line: `PASSED`, or `FAILED` and all reasons.
    pub fn verdict(&self, goals: &[Goal]) -> String {
        let violations = self.violations(goals);
        let violations = violations.iter().map(ToString::to_string);
        let reasons: Vec<String> = self.failures.iter().cloned().chain(violations).collect();
        if reasons.is_empty() {
            "PASSED".to_owned()
        } else {
            format!("FAILED: {}", reasons.join("; "))
        }
    }

    /// How many waits of this latency did not come to an end.
    fn open_count(&self, name: &str) -> u64 {
        let mut open = self.open_latencies();
        open.find_map(|(known, latency)| (known == name).then(|| latency.open_count()))
            .unwrap_or(0)
    }

    /// Everything, for programs.
    pub fn to_json(&self, goals: &[Goal]) -> serde_json::Value {
        json!({
            "settings": self.settings,
            "environment": self.environment,
            "measured_s": self.measured_us as f64 / 1e6,
            "connected": self.connected,
            "latency_us": self.measured_latencies()
                .map(|(name, histogram)| (name.to_owned(), json_of(histogram, self.open_count(name))))
                .collect::<serde_json::Map<_, _>>(),
            "counts": self.counts,
            "figures": self.figures,
            "server": self.server,
            "complaints": self.errors,
            "failures": self.failures,
            "own_lateness": self.lateness,
            "series": self.series,
            "workers": self.crew,
            "violations": self.violations(goals).iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

fn common_settings(plan: &Plan) -> serde_json::Map<String, serde_json::Value> {
    let transports: Vec<String> = plan
        .servers
        .iter()
        .map(|server| format!("{} {}", server.transport, server.address))
        .collect();
    [
        ("protocol", json!(plan.protocol.name())),
        ("profile", json!(plan.scenario.name)),
        ("run_id", json!(plan.run_id)),
        ("clients", json!(plan.clients)),
        ("rate_per_second", json!(plan.rate)),
        ("about", json!(plan.scenario.about)),
        ("stages", json!(plan.scenario.stages)),
        ("duration_s", json!(plan.duration.as_secs_f64())),
        ("ramp_per_second", json!(plan.ramp)),
        ("threads", json!(plan.threads)),
        ("transports", json!(transports)),
        ("seed", json!(plan.seed)),
        ("goals", json!(plan.goals.len())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

fn common_figures<P: Protocol>(outcome: &Outcome<'_, P>) -> BTreeMap<String, f64> {
    let mut figures = BTreeMap::new();
    for (name, histogram) in outcome.recorder.latencies() {
        if !histogram.is_empty() {
            let all = statistics(histogram);
            figures.extend(all.map(|(statistic, value)| (format!("{name}_{statistic}"), value)));
        }
    }
    for (name, value) in outcome.recorder.counts() {
        figures.insert(name.to_owned(), value as f64);
    }
    let closed = outcome.recorder.common.closed_by_server as f64;
    figures.extend(outcome.server_figures());
    figures.insert("closed".to_owned(), closed);
    figures.insert("connected".to_owned(), outcome.connected as f64);
    let server = outcome.server;
    let rss = server.finished.map(|usage| usage.rss_bytes as f64);
    for (name, value) in [
        ("server_cpu_per_delivery", server.cpu_us_per_delivery),
        ("server_rss", rss),
        ("server_bytes_per_connection", server.bytes_per_connection),
    ] {
        figures.extend(value.map(|value| (name.to_owned(), value)));
    }
    figures
}

/// Everything that could make the run a failure, and whether it did.
fn checks<P: Protocol>(plan: &Plan, protocol: &P, outcome: &Outcome<'_, P>) -> Vec<Check> {
    let counts = &outcome.recorder.common;
    let common = [
        (counts.lost, "changes or messages lost"),
        (
            counts.unsent,
            "changes, messages or sign-ins due and never sent",
        ),
        (counts.closed_by_server, "connections closed by the server"),
        (counts.login_failures, "sign-ins failed"),
        (counts.setup_failures, "games or pairs not set up"),
        (counts.protocol_errors, "protocol errors"),
        (counts.checks_failed, "checks of answers failed"),
    ];
    let counted = common
        .into_iter()
        .chain(P::failures(&outcome.recorder.metrics))
        .map(|(count, what)| Check {
            name: what,
            failure: (count > 0).then(|| format!("{count} {what}")),
        });
    let cut = Check {
        name: "the run came to its end",
        failure: outcome.cut.clone(),
    };
    let nobody = Check {
        name: "somebody could sign in",
        failure: (counts.logins == 0).then(|| "nobody could sign in".to_owned()),
    };
    let checks = [cut].into_iter().chain(counted).chain([nobody]);
    checks.chain(in_vain(plan, protocol, outcome)).collect()
}

/// What a run was for and did not happen even once: that nothing went wrong with it says nothing then. A run that was ended before
/// its time has failed anyway, and clients that only sign in are there for nothing else.
fn in_vain<P: Protocol>(plan: &Plan, protocol: &P, outcome: &Outcome<'_, P>) -> Vec<Check> {
    if outcome.cut.is_some() || plan.workload != Workload::Steady {
        return Vec::new();
    }
    let recorder = outcome.recorder;
    let scripts = plan.scenario.scripts();
    let turns = (
        scripts,
        recorder.common.script_turns,
        "no turn of a script began",
    );
    let purposes = protocol.purposes(plan, &recorder.metrics).into_iter();
    let purposes = purposes.chain([turns]).filter(|(there, _, _)| *there > 0);
    let purposes = purposes.map(|(_, count, what)| Check {
        name: what,
        failure: (count == 0).then(|| what.to_owned()),
    });
    let waits = recorder.latencies().into_iter();
    let waits =
        waits.filter(|(name, all)| *name != "login" && all.open_count() > 0 && all.ended() == 0);
    let waits: Vec<String> = waits
        .map(|(name, all)| format!("{name}: none of {} waits came to an end", all.len()))
        .collect();
    let waits = Check {
        name: "something of each latency came",
        failure: (!waits.is_empty()).then(|| waits.join("; ")),
    };
    purposes.chain([waits]).collect()
}

/// Of a run that must not have a late load tester: whether it had one.
fn own_lateness(lateness: &[String]) -> Check {
    let late = !lateness.is_empty();
    Check {
        name: OWN_LATENESS,
        failure: late.then(|| "the load tester itself was late".to_owned()),
    }
}

/// How late the load tester itself was, where that can't be told from a slow server any more.
pub(crate) fn lateness(
    plan: &Plan,
    common: &Common,
    own_cpu_seconds: Option<f64>,
    measured_us: u64,
) -> Vec<String> {
    let mut told = Vec::new();
    for (what, histogram) in [
        ("tasks were done", &common.own_delay),
        (
            "while clients signed in, tasks were done",
            &common.assembly_delay,
        ),
        ("sleeping threads woke", &common.timer_delay),
    ] {
        let (p99_us, max_us) = (histogram.value_at_quantile(0.99), histogram.max());
        if p99_us > LATE_P99_US || max_us > LATE_MAX_US {
            let (p99, max) = (p99_us as f64 / 1e3, max_us as f64 / 1e3);
            told.push(format!("{what} up to {max:.0} ms late (p99 {p99:.0} ms)"));
        }
    }
    let available = plan.threads as f64 * measured_us as f64 / 1e6;
    if let Some(used) = own_cpu_seconds
        && used > available * BUSY_SHARE
        && available > 0.0
    {
        let share = used / available * 100.0;
        told.push(format!("its threads were busy {share:.0} % of the time"));
    }
    told
}

/// The statistics of a histogram by name.
pub(crate) fn statistics(histogram: &Histogram<u64>) -> impl Iterator<Item = (&'static str, f64)> {
    STATISTICS.iter().map(|(name, quantile)| {
        let value = quantile.map_or_else(
            || histogram.mean(),
            |quantile| histogram.value_at_quantile(quantile) as f64,
        );
        (*name, value)
    })
}

/// The statistics of a latency as figures in µs, if anything was measured.
pub(crate) fn latency_figures(
    name: &str,
    histogram: &Histogram<u64>,
) -> impl Iterator<Item = (String, f64)> {
    let measured = (!histogram.is_empty()).then(|| statistics(histogram));
    let figure = move |(statistic, us)| (format!("{name}_{statistic}_us"), us);
    measured.into_iter().flatten().map(figure)
}

fn json_of(histogram: &Histogram<u64>, open: u64) -> serde_json::Value {
    let mut all = serde_json::Map::new();
    all.insert("count".to_owned(), json!(histogram.len()));
    all.insert("open".to_owned(), json!(open));
    if let Ok(text) = figures::encode(histogram) {
        all.insert("histogram".to_owned(), json!(text));
    }
    all.insert("min".to_owned(), json!(histogram.min()));
    for (name, quantile) in STATISTICS {
        let value = quantile.map_or_else(
            || json!(histogram.mean()),
            |q| json!(histogram.value_at_quantile(q)),
        );
        all.insert(name.to_owned(), value);
    }
    serde_json::Value::Object(all)
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = STATISTICS.map(|(name, _)| format!("{name:>10}")).join(" ");
        writeln!(out, "\n{:<16} {:>10} {names}", "ms", "count")?;
        for (name, histogram) in self.measured_latencies() {
            write!(out, "{name:<16} {:>10}", histogram.len())?;
            for (_, value) in statistics(histogram) {
                write!(out, " {:>10.3}", value / 1e3)?;
            }
            writeln!(out)?;
        }
        for (name, latency) in self.open_latencies() {
            let (open, all) = (latency.open_count(), latency.len());
            let how = "counted until the end of the run, and for no goal that they do not miss";
            writeln!(out, "{name}: {open} of {all} did not come to an end: {how}")?;
        }
        writeln!(out, "\n{}", self.summary.trim_end())?;
        if !self.own.is_empty() {
            let counts = self.own.iter();
            let counts: Vec<String> = counts
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            writeln!(out, "of the scenario: {}", counts.join(", "))?;
        }
        writeln!(out, "server: {}", self.server_line())?;
        for (error, times) in &self.errors {
            writeln!(out, "{times:>8} × {error}")?;
        }
        for standing in &self.crew {
            writeln!(out, "{standing}")?;
        }
        for how in &self.lateness {
            let why = "so the figures are not the server's alone";
            writeln!(out, "the load tester's own lateness: {how}, {why}")?;
        }
        Ok(())
    }
}

impl Report {
    /// What the run cost the server, in a line.
    pub(crate) fn server_line(&self) -> String {
        let server = &self.server;
        let Some(pid) = server.pid else {
            return "its process is not known here".to_owned();
        };
        let cpu = server
            .cpu_seconds
            .map(|seconds| format!("{seconds:.2} s CPU while measured"));
        let delivery = server
            .cpu_us_per_delivery
            .map(|us| format!("{us:.2} µs per delivery"));
        let login = server
            .cpu_us_per_login
            .map(|us| format!("{us:.1} µs per login"));
        let memory = server
            .finished
            .map(|usage| format!("RSS {}", ByteSize(usage.rss_bytes)));
        let gone = server.before.is_some() && server.finished.is_none();
        let memory = memory.or_else(|| gone.then(|| "gone at the end".to_owned()));
        let connection = server
            .bytes_per_connection
            .map(|bytes| format!("{} per connection", ByteSize(bytes as u64)));
        let why = server
            .not_measurable
            .map(|why| format!("memory per connection not measurable: {why}"));
        let parts = [cpu, delivery, login, memory, connection, why];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("pid {pid}, {}", parts.join(", "))
    }
}
