//! What two sets of runs differ in, by the files that `--json` wrote, and whether a difference is more than chance.
//!
//! With several runs on both sides the scatter between runs is what chance does, and Welch's test tells whether the means
//! differ by more. With one run a side only its own histogram is known: then the confidence intervals of the quantiles must not
//! touch. That is the weaker statement, because the samples of one run depend on each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;
use serde_json::Value;

use crate::cli::Sides;
use crate::figures;
use crate::outputs;
use crate::page;
use crate::slo::STATISTICS;

/// Standard deviations either side of a quantile's rank: 99 %.
const Z: f64 = 2.576;
/// Two-sided 95 % points of Student's t for 1, 2, … degrees of freedom; further ones hardly differ from the last.
const T: [f64; 12] = [
    12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18,
];
/// Figures without a histogram that are shown.
const OTHERS: [&str; 8] = [
    "deliveries",
    "lost",
    "unsent",
    "closed",
    "login_failures",
    "server_cpu_per_delivery",
    "server_rss",
    "server_bytes_per_connection",
];
/// Settings that two sides should have in common.
const LOAD: [&str; 8] = [
    "protocol",
    "profile",
    "clients",
    "hosts",
    "rate_per_second",
    "duration_s",
    "ramp_per_second",
    "threads",
];

/// A run, as far as it is compared.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) histograms: BTreeMap<String, Histogram<u64>>,
    /// A row a second.
    pub(crate) series: Vec<Value>,
    figures: BTreeMap<String, f64>,
    settings: BTreeMap<String, Value>,
    machine: Vec<Value>,
    was_late: bool,
}

impl Run {
    fn read(path: &Path) -> anyhow::Result<Run> {
        let text = std::fs::read_to_string(path)?;
        let json: Value = serde_json::from_str(&text).context("not JSON")?;
        let object = |name: &str| json[name].as_object().into_iter().flatten();
        ensure!(json["figures"].is_object(), "not what --json writes");
        let mut histograms = BTreeMap::new();
        for (name, latency) in object("latency_us") {
            if let Some(text) = latency["histogram"].as_str() {
                let histogram = figures::decode(text).with_context(|| name.clone())?;
                histograms.insert(name.clone(), histogram);
            }
        }
        let figures = object("figures");
        Ok(Run {
            histograms,
            series: json["series"].as_array().cloned().unwrap_or_default(),
            figures: figures
                .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)))
                .collect(),
            settings: object("settings")
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            machine: ["cpu", "cores", "kernel"]
                .map(|name| json["environment"][name].clone())
                .into(),
            was_late: json["own_lateness"]
                .as_array()
                .is_some_and(|how| !how.is_empty()),
        })
    }

    fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Run>> {
        let read = |path: &PathBuf| {
            Run::read(path).with_context(|| format!("cannot read {}", path.display()))
        };
        paths.iter().map(read).collect()
    }
}

/// Whether a difference is more than chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Significance {
    Yes,
    No,
    /// One run a side, and nothing to tell by.
    Unknown,
}

/// A figure before and after.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// It is a time in microseconds.
    is_time: bool,
    before: f64,
    after: f64,
    pub(crate) significance: Significance,
}

impl Row {
    /// Change in percent; from nothing to something is without bounds.
    fn percent(&self) -> f64 {
        if self.before == self.after {
            0.0
        } else {
            (self.after - self.before) / self.before * 100.0
        }
    }

    /// Before, after, the change, and whether that is more than chance, in words; times in ms.
    pub(crate) fn words(&self) -> [String; 4] {
        let scale = if self.is_time { 1e3 } else { 1.0 };
        let significance = match self.significance {
            Significance::Yes => "yes",
            Significance::No => "no",
            Significance::Unknown => "-",
        };
        let whole = !self.is_time && self.before.fract() == 0.0 && self.after.fract() == 0.0;
        let places = if whole { 0 } else { 3 };
        [
            format!("{:.places$}", self.before / scale),
            format!("{:.places$}", self.after / scale),
            change_of(self),
            significance.to_owned(),
        ]
    }
}

/// Two sets of runs, compared.
#[derive(Debug)]
pub struct Comparison {
    sides: [Vec<Run>; 2],
    rows: Vec<Row>,
    notes: Vec<String>,
    failures: Vec<String>,
}

impl Comparison {
    /// Reads all files, compares, and writes the page that may be asked for.
    pub fn of(sides: &Sides) -> anyhow::Result<Comparison> {
        let html = sides.html.as_deref().map(outputs::create).transpose()?;
        let comparison = Comparison::read(sides)?;
        outputs::fill(html, |out| {
            out.write_all(page::comparison(&comparison).as_bytes())
        })?;
        Ok(comparison)
    }

    fn read(sides: &Sides) -> anyhow::Result<Comparison> {
        let before = Run::read_all(&sides.before)?;
        let after = Run::read_all(&sides.after)?;
        let conditions: Vec<Condition> = sides
            .fail_if
            .iter()
            .map(|text| Condition::parse(text))
            .collect::<Result<_, _>>()?;
        let rows = rows(&before, &after);
        let several = before.len() > 1 && after.len() > 1;
        let mut failures = Vec::new();
        for condition in &conditions {
            let row = rows.iter().find(|row| row.name == condition.name);
            let Some(row) = row else {
                let known: Vec<&str> = rows.iter().map(|row| &*row.name).collect();
                bail!(
                    "--fail-if {}: not in both; there are: {}",
                    condition.typed,
                    known.join(", ")
                );
            };
            // By chance is no reason to fail, where that can be told.
            let chance = several && row.significance == Significance::No;
            if condition.holds(row) && !chance {
                let (change, typed) = (change_of(row), &condition.typed);
                failures.push(format!("{typed}: it is {change}"));
            }
        }
        Ok(Comparison {
            notes: notes(&before, &after),
            sides: [before, after],
            rows,
            failures,
        })
    }

    /// The runs before, and those after.
    pub(crate) fn sides(&self) -> &[Vec<Run>; 2] {
        &self.sides
    }

    /// Figures that are not 0 on both sides.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        let rows = self.rows.iter();
        rows.filter(|row| row.before != 0.0 || row.after != 0.0)
    }

    /// Why the two sides may differ for other reasons than the server.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What `--fail-if` names and has happened.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }
}

/// Why the two sides may differ for other reasons than the server.
fn notes(before: &[Run], after: &[Run]) -> Vec<String> {
    let mut notes = Vec::new();
    let all = || before.iter().chain(after);
    for name in LOAD {
        let values: BTreeSet<String> = all()
            .map(|run| {
                run.settings
                    .get(name)
                    .map_or_else(String::new, Value::to_string)
            })
            .collect();
        if values.len() > 1 {
            let values: Vec<String> = values.into_iter().collect();
            notes.push(format!(
                "not the same load: {name} is {}",
                values.join(" and ")
            ));
        }
    }
    if all().any(|run| run.machine != before[0].machine) {
        notes.push("not the same machine".to_owned());
    }
    let late = all().filter(|run| run.was_late).count();
    if late > 0 {
        notes.push(format!(
            "in {late} of the runs the load tester itself was late"
        ));
    }
    if before.len() == 1 || after.len() == 1 {
        let what = "significance is that within the runs only: three a side and more tell what chance does between them";
        notes.push(what.to_owned());
    }
    notes
}

/// Every figure that all runs have.
fn rows(before: &[Run], after: &[Run]) -> Vec<Row> {
    let latencies = before[0].histograms.keys().flat_map(|latency| {
        STATISTICS.iter().map(move |(statistic, quantile)| {
            (format!("{latency}_{statistic}"), Some((latency, *quantile)))
        })
    });
    let known: Vec<_> = latencies
        .chain(OTHERS.map(|name| (name.to_owned(), None)))
        .chain(before[0].figures.keys().map(|name| (name.clone(), None)))
        .collect();
    let mut rows: Vec<Row> = Vec::new();
    for (name, source) in known {
        let values = |runs: &[Run]| -> Option<Vec<f64>> {
            runs.iter()
                .map(|run| run.figures.get(&name).copied())
                .collect()
        };
        let (Some(ours), Some(theirs)) = (values(before), values(after)) else {
            continue;
        };
        if rows.iter().any(|row| row.name == name) {
            continue;
        }
        let significance = match source {
            _ if ours.len() + theirs.len() > 2 => welch(&ours, &theirs),
            Some((latency, quantile)) => within(
                &before[0].histograms[latency],
                after[0].histograms.get(latency),
                quantile,
            ),
            None if ours == theirs => Significance::No,
            None => Significance::Unknown,
        };
        rows.push(Row {
            name,
            is_time: source.is_some(),
            before: mean(&ours),
            after: mean(&theirs),
            significance,
        });
    }
    rows
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Welch's t-test of two sets of runs, at 5 %. A side of one run is taken to scatter as the other does.
fn welch(before: &[f64], after: &[f64]) -> Significance {
    let variance = |values: &[f64]| {
        let mean = mean(values);
        let squares = values.iter().map(|value| (value - mean).powi(2));
        (values.len() > 1).then(|| squares.sum::<f64>() / (values.len() - 1) as f64)
    };
    let (ours, theirs) = (variance(before), variance(after));
    let (Some(v1), Some(v2)) = (ours.or(theirs), theirs.or(ours)) else {
        return Significance::Unknown;
    };
    let (n1, n2) = (before.len() as f64, after.len() as f64);
    let (e1, e2) = (v1 / n1, v2 / n2);
    let freedom = match (ours, theirs) {
        (Some(_), Some(_)) if e1 + e2 > 0.0 => {
            (e1 + e2).powi(2) / (e1 * e1 / (n1 - 1.0) + e2 * e2 / (n2 - 1.0))
        }
        _ => n1.max(n2) - 1.0,
    };
    let t = T[(freedom.floor().max(1.0) as usize).min(T.len()) - 1];
    if (mean(after) - mean(before)).abs() > t * (e1 + e2).sqrt() {
        Significance::Yes
    } else {
        Significance::No
    }
}

/// Whether the confidence intervals of a quantile (or of the mean) in two histograms leave each other alone.
fn within(
    before: &Histogram<u64>,
    after: Option<&Histogram<u64>>,
    quantile: Option<f64>,
) -> Significance {
    // A maximum is one sample.
    let Some(after) = after.filter(|_| quantile != Some(1.0)) else {
        return Significance::Unknown;
    };
    let interval = |histogram: &Histogram<u64>| {
        let count = histogram.len() as f64;
        let Some(quantile) = quantile else {
            let error = Z * histogram.stdev() / count.sqrt();
            return (histogram.mean() - error, histogram.mean() + error);
        };
        let error = Z * (quantile * (1.0 - quantile) / count).sqrt();
        let at = |quantile: f64| histogram.value_at_quantile(quantile.clamp(0.0, 1.0)) as f64;
        (at(quantile - error), at(quantile + error))
    };
    let ((low, high), (other_low, other_high)) = (interval(before), interval(after));
    if high < other_low || other_high < low {
        Significance::Yes
    } else {
        Significance::No
    }
}

/// What must not happen: `broadcast_p99>+10%`.
#[derive(Debug)]
struct Condition {
    name: String,
    more: bool,
    /// In percent, or in the figure's own unit.
    change: f64,
    relative: bool,
    typed: String,
}

impl Condition {
    fn parse(text: &str) -> anyhow::Result<Condition> {
        let wrong = || format!("--fail-if {text:?}: write for example 'broadcast_p99>+10%'");
        let at = text.find(['<', '>']).with_context(wrong)?;
        let (name, amount) = (text[..at].trim(), text[at + 1..].trim());
        let negative = amount.starts_with('-');
        let amount = amount.trim_start_matches(['+', '-']);
        let relative = amount.ends_with('%');
        let plain = amount.strip_suffix('%').unwrap_or(amount).trim();
        let change = match plain.parse::<f64>() {
            Ok(number) => number,
            Err(_) if relative => bail!(wrong()),
            Err(_) => humantime::parse_duration(plain)
                .map(|time| time.as_micros() as f64)
                .or_else(|_| {
                    plain
                        .parse::<bytesize::ByteSize>()
                        .map(|size| size.0 as f64)
                })
                .map_err(|_| anyhow::anyhow!(wrong()))?,
        };
        ensure!(!name.is_empty() && change.is_finite(), wrong());
        Ok(Condition {
            name: name.to_owned(),
            more: text[at..].starts_with('>'),
            change: if negative { -change } else { change },
            relative,
            typed: text.to_owned(),
        })
    }

    fn holds(&self, row: &Row) -> bool {
        let change = if self.relative {
            row.percent()
        } else {
            row.after - row.before
        };
        if self.more {
            change > self.change
        } else {
            change < self.change
        }
    }
}

/// A row's change in words.
fn change_of(row: &Row) -> String {
    match row.percent() {
        percent if percent.is_finite() => format!("{percent:+.1} %"),
        _ => "new".to_owned(),
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = &self.sides;
        writeln!(
            out,
            "{:<32} {:>14} {:>14} {:>10}  more than chance",
            "times in ms",
            format!("before ({})", before.len()),
            format!("after ({})", after.len()),
            "change"
        )?;
        for row in self.rows() {
            let [before, after, change, significance] = row.words();
            writeln!(
                out,
                "{:<32} {before:>14} {after:>14} {change:>10}  {significance}",
                row.name
            )?;
        }
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        if self.failures.is_empty() {
            writeln!(out, "PASSED")
        } else {
            writeln!(out, "FAILED: {}", self.failures.join("; "))
        }
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
