//! `muster ctl top`: a screen that shows how busy the server is, once a second.

mod view;

use std::{
    io::{self, IsTerminal as _},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::bail;
use muster::{
    control_socket::{Reply, Request, Top},
    log,
};
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};

use self::view::View;

/// Nobody reads faster, and the server has something else to do.
const LEAST: Duration = Duration::from_millis(200);
/// What is asked in a row without an answer until this gives up.
const FAILURES: u32 = 10;

/// Shows it until a key ends it.
pub(super) fn run(folder: &Path, every: Duration) -> anyhow::Result<ExitCode> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        bail!("top needs a terminal; --json writes the figures once");
    }
    let mut view = View::of(asked(folder)?);
    // Given back even by a panic.
    let mut terminal = ratatui::try_init()?;
    let outcome = show(&mut terminal, folder, every.max(LEAST), &mut view);
    ratatui::restore();
    outcome
}

/// The figures once, for programs.
pub(super) fn once(folder: &Path) -> anyhow::Result<ExitCode> {
    let top = asked(folder)?;
    log::say(&format!("{}\n", serde_json::to_string_pretty(&top)?));
    Ok(ExitCode::SUCCESS)
}

fn asked(folder: &Path) -> anyhow::Result<Top> {
    match super::ask(folder, &Request::Top)? {
        Reply::Top(top) => Ok(*top),
        Reply::Refused(why) => bail!("{why}"),
        _ => bail!("the server is of another version"),
    }
}

fn show(
    terminal: &mut DefaultTerminal,
    folder: &Path,
    every: Duration,
    view: &mut View,
) -> anyhow::Result<ExitCode> {
    let (mut next, mut failures) = (Instant::now() + every, 0);
    loop {
        terminal.draw(|frame| view.draw(frame))?;
        if event::poll(next.saturating_duration_since(Instant::now()))? {
            if is_the_end(&event::read()?) {
                return Ok(ExitCode::SUCCESS);
            }
            continue;
        }
        next = Instant::now() + every;
        match asked(folder) {
            Ok(top) => {
                failures = 0;
                view.update(top);
            }
            Err(error) if failures < FAILURES => {
                failures += 1;
                view.trouble(format!("{error:#}"));
            }
            Err(error) => return Err(error),
        }
    }
}

/// q, Escape or Ctrl-C.
fn is_the_end(event: &Event) -> bool {
    let Event::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press,
        ..
    }) = event
    else {
        return false;
    };
    match code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}
