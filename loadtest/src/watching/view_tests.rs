//! The screen as a grid of characters, in windows of any size.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::live::Live;
use crate::metrics::{Common, Recorder};
use crate::totals::Totals;

/// A run of some seconds, with errors or without.
fn view(errors: &[(String, u64)]) -> View {
    let live = Live::new(1, std::iter::empty(), true);
    let mut recorder = Recorder::<Common>::default();
    recorder.common.login_failures = errors.len() as u64;
    let mut series = Vec::new();
    let mut view = View::default();
    for at in 1..=30 {
        recorder.delivered(20_000 + at * 1_000);
        recorder.common.own_delay.saturating_record(400);
        recorder.common.timer_delay.saturating_record(1_500);
        live.publish(0, &mut recorder, vec![("ice", at)]);
        let mut second = live.second(at as f64, "measure", 300);
        second.server_cpu = Some(0.25);
        second.server_rss_bytes = Some(48 << 20);
        series.push(second);
        let totals = live.totals();
        let threads = ["main", "worker-0"].map(|name| Load {
            name: name.to_owned(),
            seconds: at as f64 / 2.0,
        });
        view.update(&status(&series, &totals, errors, &threads));
    }
    view
}

fn status<'a>(
    series: &'a [Second],
    totals: &'a Totals,
    errors: &'a [(String, u64)],
    threads: &'a [Load],
) -> Status<'a> {
    Status {
        heading: "swarm 0.1.0: protocol faf, profile lobby",
        left: Duration::from_millis(89_500),
        length: Duration::from_secs(120),
        clients: 400,
        series,
        totals,
        errors,
        threads,
        server_cpu_s: None,
    }
}

/// The screen's lines.
fn draw(view: &View, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a grid");
    terminal.draw(|frame| view.draw(frame)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect();
    (0..height).map(row).collect()
}

fn line<'a>(lines: &'a [String], start: &str) -> &'a str {
    let mut found = lines.iter().filter(|line| line.starts_with(start));
    found
        .next()
        .unwrap_or_else(|| panic!("{start} in {lines:#?}"))
}

#[test]
fn everything_is_on_a_narrow_screen() {
    let lines = draw(&view(&[]), 60, 24);
    assert!(lines[0].starts_with("swarm 0.1.0"), "{lines:#?}");
    assert!(
        line(&lines, "measure").starts_with("measure  1m 30s left "),
        "{lines:#?}"
    );
    for (start, rest) in [
        ("latency", "p50 50.0 ms    p99 50.0 ms    max 50.0 ms"),
        ("connected", "300 of 400     sign-ins/s    0"),
        ("due", "1              deliveries/s  1"),
        ("received", "0.00 MB/s      ice/s         1"),
        ("server CPU", "0.25 cores     memory        48.0 MiB"),
        ("own tasks p99", "≤ 0.5 ms       timers p99    ≤ 2 ms"),
        ("own threads", "0 50 %"),
        ("errors", "none"),
    ] {
        let (line, count) = (line(&lines, start), start.chars().count());
        let told: String = line.chars().skip(14.max(count)).collect();
        assert_eq!(told.trim_end(), rest, "{lines:#?}");
    }
    assert!(
        lines
            .iter()
            .any(|line| line.contains("latency of what arrived, ms")),
        "{lines:#?}"
    );
    assert!(lines[23].starts_with("q or Ctrl-C"), "{lines:#?}");
}

#[test]
fn a_wide_screen_has_the_chart_beside_the_figures() {
    let lines = draw(&view(&[]), 140, 30);
    assert!(
        lines[2].starts_with("latency ") && lines[2].contains('┌'),
        "{lines:#?}"
    );
    let dots = |line: &String| line.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
    assert!(lines.iter().any(dots), "{lines:#?}");
    for word in ["p50", "p99", "max", "30 s", "│20 ", "│45 ", "│100"] {
        assert!(
            lines.iter().any(|line| line.contains(word)),
            "{word} in {lines:#?}"
        );
    }
}

#[test]
fn no_size_breaks_the_screen() {
    let failing = [("x".repeat(300), 3), ("\u{1b}[2J<b>".to_owned(), 1)];
    for view in [View::default(), view(&[]), view(&failing)] {
        for width in [1, 2, 10, 59, 60, 61, 115, 116, 250] {
            for height in 1..40 {
                draw(&view, width, height);
            }
        }
    }
}

#[test]
fn numbers_on_the_chart_are_short() {
    let words = [0.001, 0.0316, 0.5, 3.16, 20.0, 141.4, 5000.0].map(short);
    assert_eq!(words, ["0.001", "0.032", "0.5", "3.2", "20", "141", "5000"]);
}

#[test]
fn errors_are_told_by_kind_and_reason_and_do_nothing_to_the_terminal() {
    let failing = [("sign-in: \u{1b}[2Jno".to_owned(), 7)];
    let mut view = view(&failing);
    view.ending();
    let lines = draw(&view, 80, 24);
    assert!(
        line(&lines, "errors").contains("login_failures 1"),
        "{lines:#?}"
    );
    assert!(
        line(&lines, "       7").contains("× sign-in: [2Jno"),
        "{lines:#?}"
    );
    assert!(lines[23].starts_with("ending"), "{lines:#?}");
}
