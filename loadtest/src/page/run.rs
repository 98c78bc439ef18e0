//! The page of one run.

use serde_json::Value;

use super::chart::{Axis, Chart, Curve, Mark};
use super::{Cell, charts, document, list, percentile_curve, table};
use crate::live::Second;
use crate::report::{Report, statistics};
use crate::shared::Phase;
use crate::slo::{self, Goal, STATISTICS};

/// What the load tester measures of itself.
const OWN: [&str; 2] = ["own_delay", "timer_delay"];

/// The page.
pub fn page(report: &Report, goals: &[Goal]) -> String {
    let violations = report.violations(goals);
    let violations = violations.iter().map(ToString::to_string);
    let failures: Vec<String> = report
        .failures()
        .iter()
        .cloned()
        .chain(violations)
        .collect();
    let errors = report.errors.iter();
    let errors = errors.map(|(error, times)| (format!("{times} ×"), error.clone()));
    let settings = report.settings().iter();
    let settings = settings.map(|(name, value)| (name.clone(), plain(value)));
    let sections = [
        goals_table(report, goals),
        latencies_table(report),
        percentiles(report),
        time_series(report.series()),
        own_lateness(report),
        list("Errors", errors),
        "<div class=\"lists\">".to_owned(),
        counts(report),
        list("Server", [("its process".to_owned(), report.server_line())]),
        list("Configuration", settings),
        environment(report),
        "</div>".to_owned(),
    ];
    document("swarm", report.heading(), &failures, &sections.concat())
}

fn goals_table(report: &Report, goals: &[Goal]) -> String {
    let judged = slo::judge(goals, |goal| report.measured(goal)).into_iter();
    let rows: Vec<Vec<Cell>> = judged
        .map(|(goal, measured, met)| {
            let met = if met {
                Cell::good("met")
            } else {
                Cell::bad("not met")
            };
            vec![goal.into(), measured.into(), met]
        })
        .collect();
    table("Goals", &["goal", "measured", "result"], &rows)
}

fn latencies_table(report: &Report) -> String {
    let mut head = vec!["ms", "count"];
    head.extend(STATISTICS.map(|(name, _)| name));
    let rows: Vec<Vec<Cell>> = report
        .measured_latencies()
        .map(|(name, histogram)| {
            let values = statistics(histogram).map(|(_, us)| format!("{:.3}", us / 1e3));
            let start = [name.to_owned(), histogram.len().to_string()];
            start.into_iter().chain(values).map(Cell::from).collect()
        })
        .collect();
    table("Latencies", &head, &rows)
}

/// Percentile curves of all latencies but the load tester's own: the further right, the rarer.
fn percentiles(report: &Report) -> String {
    let measured = report
        .measured_latencies()
        .filter(|(name, _)| !OWN.contains(name));
    let pictures: Vec<Chart<'_>> = measured
        .map(|(name, histogram)| Chart {
            title: name,
            across: Axis::percentiles(),
            up: Axis::latency(),
            curves: vec![Curve {
                name: name.to_owned(),
                colour: 1,
                points: percentile_curve(histogram),
            }],
            marks: &[],
        })
        .collect();
    charts("Percentiles", &pictures)
}

fn time_series(series: &[Second]) -> String {
    // The last row is the rest of a second, with everybody gone.
    let whole = series
        .iter()
        .filter(|second| second.phase != Phase::Stop.name());
    let series: Vec<&Second> = whole.collect();
    let curve = |name: &str, colour: usize, value: &dyn Fn(&Second) -> Option<f64>| Curve {
        name: name.to_owned(),
        colour,
        points: series
            .iter()
            .map(|second| (second.at_s, value(second)))
            .collect(),
    };
    let marks = marks(&series);
    let chart = |title, up, curves| Chart {
        title,
        across: Axis::linear("s since the start"),
        up,
        curves,
        marks: &marks,
    };
    let ms = |us: Option<u64>| us.map(|us| us as f64 / 1e3);
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    let pictures = [
        chart(
            "Latency of what arrived",
            Axis::latency(),
            vec![
                curve("p50", 1, &|second| ms(second.p50_us)),
                curve("p99", 2, &|second| ms(second.p99_us)),
                curve("max", 3, &|second| ms(second.max_us)),
            ],
        ),
        chart(
            "What was due",
            Axis::linear("per second"),
            vec![curve("due", 1, &|second| Some(second.due as f64))],
        ),
        chart(
            "What arrived",
            Axis::linear("per second"),
            vec![curve("deliveries", 1, &|second| {
                Some(second.deliveries as f64)
            })],
        ),
        chart(
            "Received",
            Axis::linear("MB/s"),
            vec![curve("received", 1, &|second| {
                Some(second.bytes_in as f64 / 1e6)
            })],
        ),
        chart(
            "Clients connected",
            Axis::linear("clients"),
            vec![curve("connected", 1, &|second| {
                Some(second.connected as f64)
            })],
        ),
        chart(
            "Sign-ins",
            Axis::linear("per second"),
            vec![curve("sign-ins", 1, &|second| Some(second.logins as f64))],
        ),
        chart(
            "Errors",
            Axis::linear("per second"),
            vec![curve("errors", 2, &|second| Some(second.errors as f64))],
        ),
        chart(
            "Server's CPU",
            Axis::linear("cores busy"),
            vec![curve("CPU", 1, &|second| second.server_cpu)],
        ),
        chart(
            "Server's resident memory",
            Axis::linear("MiB"),
            vec![curve("memory", 1, &|second| {
                second.server_rss_bytes.map(mib)
            })],
        ),
    ];
    charts("Over time", &pictures)
}

/// Where each phase after the first begins.
fn marks(series: &[&Second]) -> Vec<Mark> {
    let changes = series
        .windows(2)
        .filter(|pair| pair[0].phase != pair[1].phase);
    changes
        .map(|pair| Mark {
            at: pair[0].at_s,
            name: pair[1].phase.to_owned(),
        })
        .collect()
}

/// How far the figures are the load tester's own doing.
fn own_lateness(report: &Report) -> String {
    let late = report.lateness();
    let said = if late.is_empty() {
        "in time".to_owned()
    } else {
        format!(
            "late: {}, so the figures are not the server's alone",
            late.join("; ")
        )
    };
    let measured = report
        .measured_latencies()
        .filter(|(name, _)| OWN.contains(name));
    let curves = measured
        .enumerate()
        .map(|(place, (name, histogram))| Curve {
            name: name.to_owned(),
            colour: place + 1,
            points: percentile_curve(histogram),
        });
    let picture = Chart {
        title: "How late tasks were done, and threads woke",
        across: Axis::percentiles(),
        up: Axis::latency(),
        curves: curves.collect(),
        marks: &[],
    };
    list("Own lateness", [("load tester".to_owned(), said)]) + &*charts("", &[picture])
}

fn counts(report: &Report) -> String {
    let counts = report.counts().iter().filter(|(_, count)| **count > 0);
    list(
        "Counts",
        counts.map(|(name, count)| ((*name).to_owned(), count.to_string())),
    )
}

/// A setting as people write it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn environment(report: &Report) -> String {
    let environment = &report.environment;
    let memory = environment.memory_kib.map(bytesize::ByteSize::kib);
    let unknown = || "unknown".to_owned();
    let rows = [
        ("begun", begun(environment.started_unix)),
        ("command", environment.command.clone()),
        ("swarm", environment.swarm_version.to_owned()),
        (
            "commit",
            environment.git_commit.clone().unwrap_or_else(unknown),
        ),
        ("kernel", environment.kernel.clone()),
        ("processor", environment.cpu.clone()),
        ("cores", environment.cores.to_string()),
        (
            "memory",
            memory.map_or_else(unknown, |size| size.to_string()),
        ),
        (
            "load average at the start",
            environment.load_average.clone(),
        ),
    ];
    list(
        "Environment",
        rows.map(|(name, value)| (name.to_owned(), value)),
    )
}

fn begun(unix: u64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(unix);
    humantime::format_rfc3339_seconds(time).to_string()
}
