//! The program's log: lines on standard error, which nobody is obliged to read.
//!
//! | file | what it is |
//! |---|---|
//! | `line` | an event as one line, in plain text, with colours, or as JSON; whatever is in it, it stays one line |
//! | `writer` | the thread that writes, and the bounded queue to it |
//!
//! Whoever logs only puts a line into a queue. A reader that stands still, is gone, or a disk that is full costs lines, which
//! are counted, and never anybody's time: no shard waits here. Nothing but this module and what a command was asked for
//! writes to standard error or standard output.

mod line;
mod writer;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal, Write},
    panic::PanicHookInfo,
    sync::Arc,
    time::{Duration, SystemTime},
};

use config::LogFormat;
use metrics::SharedCounter;
use tracing::{Event, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, SubscriberExt},
    reload,
    util::SubscriberInitExt,
};

pub use line::Style;
use writer::Writer;

/// How long an end waits for lines that nobody takes.
const LAST_LINES: Duration = Duration::from_secs(1);

metrics::metrics! {
    /// What is counted of the log.
    pub struct Metrics {
        /// Log lines that were written.
        written: SharedCounter = Sum "muster_log_lines_total";
        /// Log lines that were lost because their reader was too slow or gone, or the disk full.
        lost: SharedCounter = Sum "muster_log_lines_lost_total";
    }
}

/// Sets what is logged from now on.
pub type Level = Box<dyn Fn(&str)>;

/// The running log. Dropped, it writes what is still waiting, for as long as somebody takes it.
pub struct Log {
    writer: Arc<Writer>,
    style: Style,
}

impl Log {
    /// Logs to standard error from now on, panics as well.
    ///
    /// # Errors
    /// No thread is to be had.
    ///
    /// # Panics
    /// If it is started twice.
    pub fn start(level: &str, style: Style) -> io::Result<(Log, Level)> {
        let writer = Writer::start(io::stderr(), style)?;
        let (filtered, handle) = reload::Layer::new(filter(level));
        let lines = Lines {
            writer: writer.clone(),
            style,
        };
        tracing_subscriber::registry()
            .with(filtered)
            .with(lines)
            .init();
        std::panic::set_hook(Box::new(log_panic));
        let level: Level = Box::new(move |level| {
            if let Err(error) = handle.reload(filter(level)) {
                tracing::warn!(%error, "the log's level stays");
            }
        });
        Ok((Log { writer, style }, level))
    }

    /// Puts words for people among the lines, as they are where people read; they may be several lines.
    pub fn notice(&self, text: &str) {
        self.writer.put(line::notice(text, self.style));
    }

    /// What it counts.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.writer.metrics.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.writer.flush(LAST_LINES);
    }
}

/// How lines look on standard error. Text has colours on a terminal of somebody who has not forbidden them
/// (<https://no-color.org>).
pub fn style(format: LogFormat, no_color: Option<&str>) -> Style {
    let colours = io::stderr().is_terminal() && no_color.is_none_or(str::is_empty);
    match format {
        LogFormat::Json => Style::Json,
        LogFormat::Journald => Style::Journal,
        LogFormat::Text if colours => Style::Colours,
        LogFormat::Text => Style::Plain,
    }
}

/// Says something on standard output that the command was asked for. Nobody need be there to hear it.
pub fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Says why nothing was done, as long as there is no log. Nobody need be there to hear it.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether it is what `log.level` takes.
pub fn is_level(text: &str) -> bool {
    settings::log_levels().parse(text).is_some()
}

/// What a level or a list of them lets through. The configuration lets nothing else through; if it did, "info" is meant.
fn filter(level: &str) -> Targets {
    let given = level.split(',').map(str::trim);
    // The parser would take an empty part for everything from everywhere.
    let given: Vec<&str> = given.filter(|part| !part.is_empty()).collect();
    match given.join(",").parse() {
        Ok(targets) if !given.is_empty() => targets,
        _ => Targets::new().with_default(LevelFilter::INFO),
    }
}

/// Each event becomes a line.
struct Lines {
    writer: Arc<Writer>,
    style: Style,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.writer
            .put(line::of(event, self.style, SystemTime::now()));
    }
}

/// In the place of the standard library's, which would write to standard error itself, and wait for it.
fn log_panic(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("?");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let text = info.payload_as_str().unwrap_or("not a text");
    let trace = Backtrace::capture(); // if RUST_BACKTRACE asks for it
    if trace.status() == BacktraceStatus::Captured {
        tracing::error!(thread, place, text, %trace, "panicked");
    } else {
        tracing::error!(thread, place, text, "panicked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_with_empty_parts_are_the_others() {
        assert_eq!(filter("").to_string(), "info");
        assert_eq!(filter("warn,,").to_string(), "warn");
        assert_eq!(
            filter("info, muster_engine=debug").to_string(),
            filter("info,muster_engine=debug").to_string()
        );
    }

    #[test]
    fn a_file_gets_no_colours() {
        // Tests have no terminal.
        assert_eq!(style(LogFormat::Json, None), Style::Json);
        if !io::stderr().is_terminal() {
            assert_eq!(style(LogFormat::Text, None), Style::Plain);
        }
        assert_eq!(style(LogFormat::Text, Some("1")), Style::Plain);
    }
}
