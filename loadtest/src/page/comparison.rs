//! The page of a comparison: what two sets of runs differ in, and the curves of both.

use hdrhistogram::Histogram;
use serde_json::Value;

use super::chart::{Axis, Chart, Curve};
use super::{Cell, charts, document, list, percentile_curve, table};
use crate::compare::{Comparison, Run, Significance};

/// The page.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let [before, after] = comparison.sides();
    let heading = format!(
        "{} and {}, compared; curves of a side are of all its runs together, those over time of each run",
        runs("before", before),
        runs("after", after)
    );
    let notes = comparison.notes().iter();
    let notes = notes.map(|note| ("note".to_owned(), note.clone()));
    let sections = [
        list("Notes", notes),
        differences(comparison),
        percentiles(comparison),
        time_series(comparison),
    ];
    document(
        "swarm compare",
        &heading,
        comparison.failures(),
        &sections.concat(),
    )
}

fn runs(side: &str, runs: &[Run]) -> String {
    match runs.len() {
        1 => format!("a run {side}"),
        several => format!("{several} runs {side}"),
    }
}

fn differences(comparison: &Comparison) -> String {
    let rows: Vec<Vec<Cell>> = comparison
        .rows()
        .map(|row| {
            let [before, after, change, significance] = row.words();
            let significance = match row.significance {
                Significance::Yes => Cell::notable(&significance),
                Significance::No | Significance::Unknown => significance.into(),
            };
            let name = row.name.as_str();
            vec![
                name.into(),
                before.into(),
                after.into(),
                change.into(),
                significance,
            ]
        })
        .collect();
    let head = [
        "times in ms",
        "before",
        "after",
        "change",
        "more than chance",
    ];
    table("Differences", &head, &rows)
}

/// Before and after as one curve each, of every latency that either has.
fn percentiles(comparison: &Comparison) -> String {
    let sides = comparison.sides();
    let mut names: Vec<&str> = Vec::new();
    for name in sides.iter().flatten().flat_map(|run| run.histograms.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let pictures: Vec<Chart<'_>> = names
        .into_iter()
        .map(|name| {
            let curves = both(sides, |runs| {
                let all = together(runs, name);
                vec![all.as_ref().map_or_else(Vec::new, percentile_curve)]
            });
            Chart {
                title: name,
                across: Axis::percentiles(),
                up: Axis::latency(),
                curves,
                marks: &[],
            }
        })
        .collect();
    charts("Percentiles", &pictures)
}

/// All runs' latencies of this name.
fn together(runs: &[Run], name: &str) -> Option<Histogram<u64>> {
    let mut histograms = runs.iter().filter_map(|run| run.histograms.get(name));
    let mut all = histograms.next()?.clone();
    for histogram in histograms {
        // Files of another version may reach further.
        all.auto(true);
        all.add(histogram).ok()?;
    }
    Some(all)
}

type Points = Vec<(f64, Option<f64>)>;

/// The curves of each side in its colour.
fn both(sides: &[Vec<Run>; 2], curves: impl Fn(&[Run]) -> Vec<Points>) -> Vec<Curve> {
    let named = ["before", "after"].into_iter().zip(sides).enumerate();
    named
        .flat_map(|(place, (name, runs))| {
            let curve = move |points| Curve {
                name: name.to_owned(),
                colour: place + 1,
                points,
            };
            curves(runs).into_iter().map(curve)
        })
        .collect()
}

fn time_series(comparison: &Comparison) -> String {
    let chart = |title, up, scale: f64, key: &str| Chart {
        title,
        across: Axis::linear("s since the start"),
        up,
        curves: both(comparison.sides(), |runs| {
            let value = |second: &Value| {
                // The rest of a second, with everybody gone.
                if second["phase"] == "stop" {
                    return None;
                }
                let at_s = second["at_s"].as_f64()?;
                Some((at_s, second[key].as_f64().map(|value| value / scale)))
            };
            let points = |run: &Run| run.series.iter().filter_map(value).collect();
            runs.iter().map(points).collect()
        }),
        marks: &[],
    };
    let pictures = [
        chart("p50 of what arrived", Axis::latency(), 1e3, "p50_us"),
        chart("p99 of what arrived", Axis::latency(), 1e3, "p99_us"),
        chart("Longest of what arrived", Axis::latency(), 1e3, "max_us"),
        chart("What was due", Axis::linear("per second"), 1.0, "due"),
        chart(
            "What arrived",
            Axis::linear("per second"),
            1.0,
            "deliveries",
        ),
        chart("Errors", Axis::linear("per second"), 1.0, "errors"),
        chart(
            "Clients connected",
            Axis::linear("clients"),
            1.0,
            "connected",
        ),
        chart(
            "Server's CPU",
            Axis::linear("cores busy"),
            1.0,
            "server_cpu",
        ),
        chart(
            "Server's resident memory",
            Axis::linear("MiB"),
            1_048_576.0,
            "server_rss_bytes",
        ),
    ];
    charts("Over time", &pictures)
}
