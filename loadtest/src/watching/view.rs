//! What the screen shows, in a window of any size: lines of figures, and beside or below them a chart of latency over time.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, LineGauge, Paragraph, Wrap};

use super::{Load, Status};
use crate::live::Second;
use crate::scale::neighbours;
use crate::totals::{Distribution, ERRORS};

/// Columns that the figures take; a window that has this twice has the chart beside them.
const FIGURES: u16 = 58;
/// A chart below the figures with fewer rows shows nothing.
const LEAST_CHART: u16 = 6;
/// Rows of a window that has some to spare.
const ROOMY: u16 = 20;
/// Seconds that the chart goes back.
const SECONDS: usize = 600;
/// Reasons for errors that are shown.
const REASONS: usize = 5;
/// Least latency on the chart, in ms.
const LEAST_MS: f64 = 0.001;

/// The newest state of a run, as it is drawn.
#[derive(Debug, Default)]
pub(super) struct View {
    heading: String,
    left: Duration,
    length: Duration,
    clients: usize,
    second: Option<Second>,
    /// Seconds since the start, and p50, p99 and maximum then as logarithms of ms.
    latencies: Vec<(f64, [Option<f64>; 3])>,
    /// Errors by kind, since the start.
    errors: Vec<(&'static str, u64)>,
    reasons: Vec<(String, u64)>,
    own: Own,
    is_ending: bool,
}

/// How the load tester itself does.
#[derive(Debug, Default)]
struct Own {
    delay: Distribution,
    timer: Distribution,
    /// Bounds of the last second's 99th percentiles in µs.
    delay_p99_us: Option<u64>,
    timer_p99_us: Option<u64>,
    at_s: f64,
    threads: Vec<Load>,
    /// Shares of the last second on a processor.
    busy: Vec<(String, f64)>,
}

impl Own {
    fn update(&mut self, status: &Status<'_>) {
        let news = |name: &str, then: &mut Distribution| {
            let now = status.totals.latency(name).cloned().unwrap_or_default();
            let since = now.since(then);
            *then = now;
            since.below_us(0.99)
        };
        self.delay_p99_us = news("own_delay", &mut self.delay);
        self.timer_p99_us = news("timer_delay", &mut self.timer);
        let at_s = status.second().map_or(0.0, |second| second.at_s);
        let took_s = (at_s - self.at_s).max(1e-3);
        let busy = status.threads.iter().map(|load| {
            let mut threads = self.threads.iter();
            let before = threads.find(|then| then.name == load.name);
            let before = before.map_or(0.0, |then| then.seconds);
            (load.name.clone(), (load.seconds - before) / took_s)
        });
        self.busy = busy
            .filter(|(name, _)| name.starts_with(Load::CLIENTS))
            .collect();
        self.threads = status.threads.to_vec();
        self.at_s = at_s;
    }
}

impl View {
    /// Takes over what has changed.
    pub(super) fn update(&mut self, status: &Status<'_>) {
        status.heading.clone_into(&mut self.heading);
        self.left = status.left;
        self.length = status.length;
        self.clients = status.clients;
        self.second = status.second().cloned();
        let from = status.series.len().saturating_sub(SECONDS);
        let place = |us: Option<u64>| us.map(|us| (us as f64 / 1e3).max(LEAST_MS).log10());
        let latencies = status.series[from..].iter().map(|second| {
            let values = [second.p50_us, second.p99_us, second.max_us];
            (second.at_s, values.map(place))
        });
        self.latencies = latencies.collect();
        let kinds = ERRORS.map(|name| (name, status.totals.count(name)));
        self.errors = kinds.into_iter().filter(|(_, count)| *count > 0).collect();
        self.reasons = status.errors.iter().take(REASONS).cloned().collect();
        self.own.update(status);
    }

    /// The run has been asked to end.
    pub(super) fn ending(&mut self) {
        self.is_ending = true;
    }

    /// Draws all of it that there is room for.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        // A second line for what does not fit into the first, where there is room.
        let is_long = self.heading.chars().count() > area.width.into();
        let heading_rows = if is_long && area.height >= ROOMY {
            2
        } else {
            1
        };
        let [head, phase, body, foot] = Layout::vertical([
            Constraint::Length(heading_rows),
            Constraint::Length(1),
            Constraint::Min(0),
            Constraint::Length(1),
        ])
        .areas(area);
        let heading = Paragraph::new(self.heading.as_str()).wrap(Wrap { trim: true });
        frame.render_widget(heading.style(Modifier::BOLD), head);
        self.draw_phase(frame, phase);
        let figures = self.figures();
        let rows = figures.len() as u16;
        let [left, right] = if area.width >= 2 * FIGURES {
            Layout::horizontal([Constraint::Length(FIGURES), Constraint::Min(0)]).areas(body)
        } else {
            Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(body)
        };
        frame.render_widget(Paragraph::new(figures), left);
        if right.height >= LEAST_CHART {
            self.draw_chart(frame, right);
        }
        let foot_text = if self.is_ending {
            "ending; once more: at once, without a report"
        } else {
            "q or Ctrl-C: end the run, with its report"
        };
        frame.render_widget(Line::from(foot_text).style(Modifier::DIM), foot);
    }

    fn draw_phase(&self, frame: &mut Frame<'_>, area: Rect) {
        let Some(second) = &self.second else {
            return frame.render_widget(Line::from("starting"), area);
        };
        let (left_s, length_s) = (self.left.as_secs_f64(), self.length.as_secs_f64());
        let done = if length_s > 0.0 {
            1.0 - left_s / length_s
        } else {
            0.0
        };
        let left = humantime::format_duration(Duration::from_secs(left_s.ceil() as u64));
        let gauge = LineGauge::default()
            .label(format!("{:<8} {left} left", second.phase))
            .ratio(done.clamp(0.0, 1.0))
            .filled_style(Color::Cyan)
            .unfilled_style(Color::DarkGray);
        frame.render_widget(gauge, area);
    }

    /// Two figures to a line, and what is wrong at the end.
    fn figures(&self) -> Vec<Line<'static>> {
        let Some(second) = &self.second else {
            return Vec::new();
        };
        let per_s = |name: &str, count: u64| (format!("{name}/s"), count.to_string());
        let mut cells = vec![
            (
                "connected".to_owned(),
                format!("{} of {}", second.connected, self.clients),
            ),
            per_s("sign-ins", second.logins),
            per_s("due", second.due),
            per_s("deliveries", second.deliveries),
            (
                "received".to_owned(),
                format!("{:.2} MB/s", second.bytes_in as f64 / 1e6),
            ),
        ];
        cells.extend(second.own.iter().map(|(name, count)| per_s(name, *count)));
        let cpu = second.server_cpu.map(|cores| format!("{cores:.2} cores"));
        let memory = second
            .server_rss_bytes
            .map(|bytes| bytesize::ByteSize(bytes).to_string());
        let unknown = || "unknown".to_owned();
        if !cells.len().is_multiple_of(2) {
            cells.push((String::new(), String::new()));
        }
        cells.extend([
            ("server CPU".to_owned(), cpu.unwrap_or_else(unknown)),
            ("memory".to_owned(), memory.unwrap_or_else(unknown)),
            ("own tasks p99".to_owned(), bound(self.own.delay_p99_us)),
            ("timers p99".to_owned(), bound(self.own.timer_p99_us)),
        ]);
        let mut lines: Vec<Line<'static>> = cells.chunks(2).map(pair).collect();
        lines.insert(0, latency_line(second));
        lines.push(self.threads_line());
        lines.extend(self.error_lines(second));
        lines
    }

    fn threads_line(&self) -> Line<'static> {
        let busy = self.own.busy.iter();
        let busy: Vec<String> = busy
            .map(|(name, share)| {
                format!(
                    "{} {:.0} %",
                    name.trim_start_matches(Load::CLIENTS),
                    share * 100.0
                )
            })
            .collect();
        Line::from(vec![name("own threads", 14), Span::raw(busy.join(", "))])
    }

    fn error_lines(&self, second: &Second) -> Vec<Line<'static>> {
        let red = Style::new().fg(Color::Red);
        if self.errors.is_empty() && self.reasons.is_empty() {
            return vec![Line::from(vec![name("errors", 14), Span::raw("none")])];
        }
        let kinds = self
            .errors
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        let summary = format!("{}/s  {kinds}", second.errors);
        let mut lines = vec![Line::from(vec![
            name("errors", 14),
            Span::styled(summary, red),
        ])];
        let reasons = self.reasons.iter();
        lines.extend(reasons.map(|(why, times)| {
            // A server may say anything, even what a terminal would do.
            let why: String = why.chars().filter(|c| !c.is_control()).collect();
            Line::from(format!("{times:>8} × {why}"))
        }));
        lines
    }

    fn draw_chart(&self, frame: &mut Frame<'_>, area: Rect) {
        let styles = [Color::Blue, Color::Yellow, Color::Magenta];
        let lines: Vec<Vec<(f64, f64)>> = (0..3)
            .map(|which| {
                let points = self.latencies.iter();
                points
                    .filter_map(|(at_s, values)| Some((*at_s, values[which]?)))
                    .collect()
            })
            .collect();
        let all = || lines.iter().flatten().map(|point| point.1);
        let least = all().fold(f64::INFINITY, f64::min);
        let most = all().fold(f64::NEG_INFINITY, f64::max);
        let block = Block::bordered()
            .title("latency of what arrived, ms")
            .border_style(Modifier::DIM);
        if !least.is_finite() {
            return frame.render_widget(Paragraph::new("nothing yet").block(block), area);
        }
        let (from, to) = (neighbours(least).0, neighbours(most).1);
        let to = to.max(from + f64::log10(5.0));
        let labels = [from, (from + to) / 2.0, to].map(|place| short(10_f64.powf(place)));
        let since_s = self.latencies.first().map_or(0.0, |(at_s, _)| *at_s);
        let until_s = self
            .latencies
            .last()
            .map_or(1.0, |(at_s, _)| *at_s)
            .max(since_s + 1.0);
        let sets = ["p50", "p99", "max"].into_iter().zip(&lines).zip(styles);
        let sets = sets.map(|((name, points), colour)| {
            Dataset::default()
                .name(name)
                .marker(Marker::Braille)
                .graph_type(GraphType::Line)
                .style(colour)
                .data(points)
        });
        let across = [since_s, until_s].map(|at_s| format!("{at_s:.0} s"));
        let chart = Chart::new(sets.rev().collect())
            .block(block)
            .x_axis(Axis::default().bounds([since_s, until_s]).labels(across))
            .y_axis(Axis::default().bounds([from, to]).labels(labels));
        frame.render_widget(chart, area);
    }
}

fn name(text: &str, width: usize) -> Span<'static> {
    Span::styled(format!("{text:<width$}"), Modifier::DIM)
}

fn pair(cells: &[(String, String)]) -> Line<'static> {
    let spans = cells
        .iter()
        .flat_map(|(what, value)| [name(what, 14), Span::raw(format!("{value:<15}"))]);
    Line::from(spans.collect::<Vec<_>>())
}

fn latency_line(second: &Second) -> Line<'static> {
    let values = [
        ("p50", second.p50_us),
        ("p99", second.p99_us),
        ("max", second.max_us),
    ];
    let mut spans = vec![name("latency", 14)];
    for (statistic, us) in values {
        let ms = us.map_or_else(|| "-".to_owned(), |us| format!("{:.1} ms", us as f64 / 1e3));
        spans.extend([name(statistic, 4), Span::raw(format!("{ms:<11}"))]);
    }
    Line::from(spans)
}

/// A number with two digits that matter, or all before the point.
fn short(value: f64) -> String {
    let places = (1.0 - value.log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A percentile that is known by its bucket.
fn bound(us: Option<u64>) -> String {
    us.map_or_else(|| "-".to_owned(), |us| format!("≤ {} ms", us as f64 / 1e3))
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
