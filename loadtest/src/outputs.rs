//! The files a run writes, opened before its first connection: a path that can't be written to must not cost the run.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use hdrhistogram::Histogram;

use crate::csv;
use crate::junit;
use crate::page;
use crate::plan::Plan;
use crate::report::Report;
use crate::slo::Goal;

/// What a run is asked to write.
#[derive(Debug, Clone, Default, Args)]
pub struct Files {
    /// Write all figures and the environment here, as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the report here as a page with curves; it needs nothing else.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the run second by second here, as a table with commas.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the verdict here as JUnit does: a test case for each goal and for each reason to fail.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write percentile distributions here: `out.hgrm` becomes `out-broadcast.hgrm`, `out-login.hgrm` and so on.
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,
}

/// A file that is open, and its name.
type Open = (PathBuf, File);

/// The open files of a run.
#[derive(Debug)]
pub struct Outputs {
    json: Option<Open>,
    html: Option<Open>,
    csv: Option<Open>,
    junit: Option<Open>,
    /// A file for each latency that may be measured.
    distributions: Vec<(&'static str, Open)>,
}

impl Outputs {
    /// Opens every file the plan asks for.
    pub fn open(plan: &Plan) -> anyhow::Result<Outputs> {
        let files = &plan.files;
        let open = |path: &Option<PathBuf>| path.as_deref().map(create).transpose();
        let mut distributions = Vec::new();
        if let Some(path) = &files.hgrm {
            let stem = path.with_extension("");
            let own = plan.scenario.own.latencies.iter().copied();
            for name in plan.protocol.latencies().into_iter().chain(own) {
                let path = format!("{}-{name}.hgrm", stem.display());
                distributions.push((name, create(Path::new(&path))?));
            }
        }
        Ok(Outputs {
            json: open(&files.json)?,
            html: open(&files.html)?,
            csv: open(&files.csv)?,
            junit: open(&files.junit)?,
            distributions,
        })
    }

    /// Writes what the run has found; files of latencies that were not measured go.
    pub fn write(self, report: &Report, goals: &[Goal]) -> anyhow::Result<()> {
        fill(self.json, |out| {
            serde_json::to_writer_pretty(&mut *out, &report.to_json(goals))?;
            writeln!(out)
        })?;
        fill(self.html, |out| {
            out.write_all(page::page(report, goals).as_bytes())
        })?;
        fill(self.csv, |out| csv::write(out, report.series()))?;
        fill(self.junit, |out| {
            out.write_all(junit::suite(report, goals).as_bytes())
        })?;
        for (name, file) in self.distributions {
            match report.latency(name) {
                Some(histogram) => fill(Some(file), |out| write_hgrm(out, histogram))?,
                None => remove(&file.0)?,
            }
        }
        Ok(())
    }

    /// The run has found nothing: a test has failed for this reason, and the other files go.
    pub fn give_up(self, heading: &str, why: &str) -> anyhow::Result<()> {
        fill(self.junit, |out| {
            out.write_all(junit::broken(heading, why).as_bytes())
        })?;
        let distributions = self.distributions.into_iter().map(|(_, file)| file);
        let others = [self.json, self.html, self.csv].into_iter().flatten();
        for (path, _) in others.chain(distributions) {
            remove(&path)?;
        }
        Ok(())
    }
}

/// Opens a file that is written later.
pub(crate) fn create(path: &Path) -> anyhow::Result<Open> {
    let file = File::create(path);
    let file = file.with_context(|| format!("cannot write {}", path.display()))?;
    Ok((path.to_owned(), file))
}

/// Writes a file, if it was asked for.
pub(crate) fn fill(
    file: Option<Open>,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> anyhow::Result<()> {
    let Some((path, file)) = file else {
        return Ok(());
    };
    let mut out = BufWriter::new(file);
    write(&mut out)
        .and_then(|()| out.flush())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Removes a file that has stayed empty; a device or a pipe stays.
fn remove(path: &Path) -> anyhow::Result<()> {
    if !path.is_file() {
        return Ok(());
    }
    fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
}

/// The text format of HdrHistogram's plotter, values in milliseconds.
fn write_hgrm(out: &mut impl Write, histogram: &Histogram<u64>) -> io::Result<()> {
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
    Ok(())
}
