//! What a run against the VCMI lobby saw.

use std::{collections::BTreeMap, fmt};

use hdrhistogram::Histogram;

use super::Run;
use crate::{procfs::Usage, slo::STATISTICS};

/// Figures by name; times in microseconds.
#[derive(Clone, Debug)]
pub struct Report {
    figures: BTreeMap<String, f64>,
    failures: Vec<String>,
}

impl Report {
    pub(super) fn new(run: &Run, signed_in_us: u64, usage: Option<(Usage, Usage)>) -> Report {
        let mut figures = BTreeMap::new();
        for (name, histogram) in [("chat", &run.chat), ("relay_round_trip", &run.trips)] {
            latencies(name, &histogram.borrow(), &mut figures);
        }
        let users = run.plan.users as u64;
        let lost = (run.sent.get() * users).saturating_sub(run.heard.get());
        for (name, value) in [
            ("chat_lines", run.sent.get()),
            ("chat_deliveries", run.heard.get()),
            ("chat_lost", lost),
            ("users", users),
            ("sign_in_us", signed_in_us),
            ("games", run.joined.get()),
            ("relayed_bytes", run.relayed.get()),
        ] {
            figures.insert(name.to_owned(), value as f64);
        }
        if run.relay_us.get() > 0 {
            // Bytes a microsecond are megabytes a second; of one game while the others do the same.
            let rate = run.relayed.get() as f64 / run.relay_us.get() as f64;
            figures.insert("relay_mb_per_s_and_game".to_owned(), rate);
        }
        if let Some((before, after)) = usage {
            let cpu = after.cpu_seconds - before.cpu_seconds;
            figures.insert("server_cpu_s".to_owned(), cpu);
            figures.insert("server_rss_bytes".to_owned(), after.rss_bytes as f64);
        }
        let mut failures = run.errors.borrow().clone();
        if lost > 0 {
            failures.push(format!("{lost} lines of chat were not heard"));
        }
        Report { figures, failures }
    }

    /// Everything measured, by name.
    pub fn figures(&self) -> &BTreeMap<String, f64> {
        &self.figures
    }

    /// What went wrong, in words.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Figures and failures as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "figures": self.figures, "failures": self.failures })
    }
}

fn latencies(name: &str, histogram: &Histogram<u64>, figures: &mut BTreeMap<String, f64>) {
    if histogram.is_empty() {
        return;
    }
    for (statistic, quantile) in STATISTICS {
        let value = quantile.map_or_else(
            || histogram.mean(),
            |quantile| histogram.value_at_quantile(quantile) as f64,
        );
        figures.insert(format!("{name}_{statistic}_us"), value);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.figures {
            writeln!(f, "{name:<28} {value:>16.1}")?;
        }
        for failure in &self.failures {
            writeln!(f, "FAILED {failure}")?;
        }
        Ok(())
    }
}
