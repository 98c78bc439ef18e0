//! What is shown on the standard output while a run goes on: a screen, lines, or nothing.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::screen::{self, Screen};
use super::{Status, Watching};

/// Shows a run. What it has taken of a terminal it gives back when it goes.
pub(crate) enum Display {
    Screen(Box<Screen>),
    Lines,
    Nothing,
}

impl Display {
    /// A screen if there is one to be had, unless something else is wanted; `interrupt` ends the run.
    pub(crate) fn open(watching: &Watching, interrupt: &Arc<AtomicBool>) -> Display {
        if watching.quiet {
            return Display::Nothing;
        }
        if watching.plain || !screen::is_possible() {
            return Display::Lines;
        }
        // A terminal that does not do what it should still takes lines.
        Screen::open(interrupt.clone())
            .map_or(Display::Lines, |screen| Display::Screen(Box::new(screen)))
    }

    /// Whether nobody else may write on the terminal.
    pub(crate) fn is_screen(&self) -> bool {
        matches!(self, Display::Screen(_))
    }

    /// Does what was asked for at the keyboard; called often.
    pub(crate) fn poll(&mut self) {
        if let Display::Screen(screen) = self {
            screen.poll();
        }
    }

    /// Shows a second.
    pub(crate) fn show(&mut self, status: &Status<'_>) {
        match self {
            Display::Screen(screen) => screen.show(status),
            Display::Lines => {
                if let Some(second) = status.second() {
                    // Whoever has stopped reading wants no more lines; the run goes on.
                    let _unread = writeln!(std::io::stdout(), "{second}");
                }
            }
            Display::Nothing => {}
        }
    }
}
