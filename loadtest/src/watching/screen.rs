//! The terminal: who takes it over, draws on it, and gives it back in every case.
//!
//! Only the main thread draws. It is given back by whoever ends the program first: the main thread when the run is over, the one
//! that panics, or the one that hears a second signal.

use std::io::{self, IsTerminal as _, Stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, TryLockError, mpsc};
use std::thread;
use std::time::Duration;

use procfs::process::Process;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::Status;
use super::view::View;

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Held while something is drawn, so that nothing is drawn once it is given back.
static DRAWING: Mutex<()> = Mutex::new(());
/// How often, and how many times, it is tried to get hold of that before the terminal is given back all the same: whoever draws may
/// be this very thread, which has panicked.
const RETRY: Duration = Duration::from_millis(5);
const RETRIES: u32 = 40;
/// How long a terminal may take to be given back.
const MOMENT: Duration = Duration::from_secs(1);
/// Exit code of a run that is broken off.
const EXIT_FAILED: i32 = 1;
/// Events that are taken at a time; a pasted text must not hold up the run.
const EVENTS: usize = 32;

/// Whether there is a terminal to draw on, and it is for this process to do so.
pub(crate) fn is_possible() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    io::stdout().is_terminal() && !dumb && is_in_foreground()
}

/// A process in the background would be stopped for touching the terminal.
fn is_in_foreground() -> bool {
    let stat = Process::myself().and_then(|process| process.stat());
    stat.is_ok_and(|stat| stat.pgrp == stat.tpgid)
}

/// Gives the terminal back if it was taken; any thread may, at any time.
fn restore() {
    let mut drawing = DRAWING.try_lock();
    for _ in 0..RETRIES {
        if !matches!(drawing, Err(TryLockError::WouldBlock)) {
            break;
        }
        thread::sleep(RETRY);
        drawing = DRAWING.try_lock();
    }
    if TAKEN.swap(false, Ordering::AcqRel) {
        // Where this fails there is no terminal left.
        let _gone = disable_raw_mode();
        let _gone = execute!(io::stdout(), LeaveAlternateScreen, Show);
    }
}

/// Likewise, but waits no longer than a moment for a terminal that takes nothing any more.
pub fn restore_or_give_up() {
    let (done, waiting) = mpsc::channel();
    let restoring = thread::Builder::new().spawn(move || {
        restore();
        done.send(())
    });
    if restoring.is_ok() {
        let _given_up = waiting.recv_timeout(MOMENT);
    }
}

/// A terminal taken over.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    view: View,
    interrupt: Arc<AtomicBool>,
}

impl Screen {
    /// Takes the terminal. `interrupt` is set by who has seen enough.
    pub(crate) fn open(interrupt: Arc<AtomicBool>) -> io::Result<Screen> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let then = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                then(panic);
            }));
        });
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        TAKEN.store(true, Ordering::Release);
        let screen = Screen {
            terminal,
            view: View::default(),
            interrupt,
        };
        // From here on it is given back whatever happens.
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    /// Shows where the run is.
    pub(crate) fn show(&mut self, status: &Status<'_>) {
        self.view.update(status);
        self.draw();
    }

    /// Takes what was typed, and draws anew in a window of another size.
    pub(crate) fn poll(&mut self) {
        for _ in 0..EVENTS {
            if !event::poll(Duration::ZERO).unwrap_or(false) {
                return;
            }
            match event::read() {
                Ok(Event::Key(key)) if ends(&key) => {
                    if self.interrupt.swap(true, Ordering::Relaxed) {
                        // The second time nobody wants to wait for the report.
                        restore();
                        std::process::exit(EXIT_FAILED);
                    }
                    self.view.ending();
                    self.draw();
                }
                Ok(Event::Resize(..)) => self.draw(),
                _ => {}
            }
        }
    }

    fn draw(&mut self) {
        let _drawing = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
        if TAKEN.load(Ordering::Acquire) {
            // A terminal that is gone is noticed by whoever reads the report.
            let _gone = self.terminal.draw(|frame| self.view.draw(frame));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// `q`, or Ctrl-C, which is a key like others here.
fn ends(key: &KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q' | 'Q') => true,
            KeyCode::Char('c') => control,
            _ => false,
        }
}
