//! The files a run writes, opened before its first connection: a path that can't be written to must not cost the run.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use hdrhistogram::Histogram;

use crate::plan::Plan;
use crate::report::Report;
use crate::slo::Goal;

/// The open files of a run.
#[derive(Debug)]
pub struct Outputs {
    json: Option<(PathBuf, File)>,
    /// A file for each latency that may be measured.
    distributions: Vec<(&'static str, PathBuf, File)>,
}

impl Outputs {
    /// Opens every file the plan asks for.
    pub fn open(plan: &Plan) -> anyhow::Result<Outputs> {
        let create = |path: PathBuf| {
            let file = File::create(&path);
            let file = file.with_context(|| format!("cannot write {}", path.display()))?;
            anyhow::Ok((path, file))
        };
        let mut distributions = Vec::new();
        if let Some(path) = &plan.hgrm {
            let stem = path.with_extension("");
            for name in plan.protocol.latencies() {
                let (path, file) = create(format!("{}-{name}.hgrm", stem.display()).into())?;
                distributions.push((name, path, file));
            }
        }
        Ok(Outputs {
            json: plan.json.clone().map(create).transpose()?,
            distributions,
        })
    }

    /// Writes what the run has found; files of latencies that were not measured go.
    pub fn write(self, report: &Report, goals: &[Goal]) -> anyhow::Result<()> {
        if let Some((path, mut file)) = self.json {
            let text = serde_json::to_string_pretty(&report.to_json(goals))?;
            writeln!(file, "{text}").with_context(|| format!("cannot write {}", path.display()))?;
        }
        for (name, path, file) in self.distributions {
            match report.latency(name) {
                Some(histogram) => write_hgrm(file, histogram),
                None => fs::remove_file(&path),
            }
            .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// The text format of HdrHistogram's plotter, values in milliseconds.
fn write_hgrm(file: File, histogram: &Histogram<u64>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut total = 0;
    for step in histogram.iter_quantiles(5) {
        total += step.count_since_last_iteration();
        let (value, quantile) = (
            step.value_iterated_to() as f64 / 1e3,
            step.quantile_iterated_to(),
        );
        if quantile < 1.0 {
            writeln!(
                out,
                "{value:>12.3} {quantile:>2.12} {total:>10} {:>14.2}",
                1.0 / (1.0 - quantile)
            )?;
        } else {
            writeln!(out, "{value:>12.3} {quantile:>2.12} {total:>10}")?;
        }
    }
    writeln!(
        out,
        "#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]",
        histogram.mean() / 1e3,
        histogram.stdev() / 1e3
    )?;
    writeln!(
        out,
        "#[Max     = {:>12.3}, Total count    = {:>12}]",
        histogram.max() as f64 / 1e3,
        histogram.len()
    )?;
    out.flush()
}
