//! The thread that accepts connections, for all shards: each goes to the shard with the fewest.
//!
//! It waits until a listening socket has somebody and then takes them, so a connection is never in a place from where it
//! can get lost: not in an operation that a ring has under way, and not in the queue of a shard that is stopped.

use std::{
    fs::File,
    io::{self, ErrorKind},
    net::{IpAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{
    Settings,
    admission::{Admission, BANNED, Refusal},
    mesh::{Accepted, Inbound, Mesh, Part},
    metrics::Metrics,
    runtime::{self, Doorbell},
};
use lobby::Dialect;
use metrics::Counter;

/// Pause after `accept` failed, mostly for want of descriptors: at once again would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Least time between two lines of the log about that.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// Connections taken from one listening socket before the others get their turn.
const ACCEPTS_PER_TURN: usize = 64;

/// The accepting thread, and what ends it.
#[derive(Debug)]
pub(super) struct Acceptor {
    thread: JoinHandle<()>,
}

struct Accepting<D: Dialect> {
    settings: Arc<Settings>,
    listeners: Vec<TcpListener>,
    mesh: Arc<Mesh<D>>,
    admission: Arc<Admission>,
    metrics: Arc<Metrics>,
    bell: Doorbell,
    started: Instant,
    /// Kept open, so that it can be closed when there is no other.
    spare: Option<File>,
    /// When a failure was last logged, and how many there have been since.
    logged: Option<Duration>,
    failures: u64,
}

/// How many of those who wait at a listening socket have been taken in.
enum Taken {
    All,
    /// There may be more.
    Some,
    /// Something is wrong.
    Failed,
}

impl Acceptor {
    /// Starts to accept.
    ///
    /// # Errors
    /// No thread or no descriptor is to be had.
    pub(super) fn start<D: Dialect>(
        settings: Arc<Settings>,
        listeners: Vec<TcpListener>,
        mesh: Arc<Mesh<D>>,
        admission: Arc<Admission>,
        metrics: Arc<Metrics>,
        started: Instant,
    ) -> io::Result<Acceptor> {
        let bell = Doorbell::new()?;
        mesh.set_acceptor(bell.share()?);
        let accepting = Accepting {
            settings,
            listeners,
            mesh,
            admission,
            metrics,
            bell,
            started,
            spare: spare(),
            logged: None,
            failures: 0,
        };
        let thread = std::thread::Builder::new()
            .name("acceptor".into())
            .spawn(move || runtime::or_end_the_process(|| accepting.run()))?;
        Ok(Acceptor { thread })
    }

    /// Waits for its end, which comes with the shards'.
    pub(super) fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the accepting thread ended badly");
        }
    }
}

impl<D: Dialect> Accepting<D> {
    fn run(mut self) {
        let _end = self.mesh.ending(Part::Acceptor);
        let mut pause = false;
        while !self.mesh.is_closing() {
            let (listeners, longest): (&[TcpListener], _) = if pause {
                (&[], Some(ACCEPT_PAUSE))
            } else {
                (&self.listeners, None)
            };
            runtime::wait_for_any(&self.bell, listeners, longest);
            pause = false;
            let mut waiting = false;
            for listener in 0..self.listeners.len() {
                match self.accept(listener) {
                    Taken::All => {}
                    Taken::Some => waiting = true,
                    Taken::Failed => pause = true,
                }
            }
            // Whoever waits at a socket that is closed is refused: first there must be nobody.
            if self.mesh.is_releasing() && !waiting && !pause {
                self.listeners.clear();
                self.mesh.set_released();
            }
        }
    }

    /// Takes in those who wait at one listening socket, some at a time.
    fn accept(&mut self, listener: usize) -> Taken {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.listeners[listener].accept() {
                Ok((socket, peer)) => {
                    self.take_in(socket.into(), peer.ip().to_canonical(), listener)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Taken::All,
                // Somebody who was gone before their turn, or a signal.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    self.failed(listener, &error);
                    if !runtime::is_out_of_descriptors(&error) || !self.refuse(listener) {
                        return Taken::Failed;
                    }
                }
            }
        }
        Taken::Some
    }

    /// Counts a failure, and logs it now and then.
    fn failed(&mut self, listener: usize, error: &io::Error) {
        self.metrics.accept_errors.up();
        self.failures += 1;
        let now = self.started.elapsed();
        if self.logged.is_none_or(|at| now >= at + LOG_PAUSE) {
            let name = &self.settings.listeners[listener].name;
            let times = std::mem::take(&mut self.failures);
            tracing::warn!(%error, listener = name, times, "accept failed");
            self.logged = Some(now);
        }
    }

    /// There is no descriptor for whoever comes next: with the one that is kept for this they are told, by being closed.
    /// False: it is gone as well.
    fn refuse(&mut self, listener: usize) -> bool {
        if self.spare.take().is_none() {
            self.spare = spare();
            return false;
        }
        let refused = self.listeners[listener].accept().is_ok();
        self.spare = spare();
        if refused {
            self.metrics.refused_descriptors.up();
        }
        refused
    }

    fn take_in(&self, socket: std::os::fd::OwnedFd, address: IpAddr, listener: usize) {
        // Behind a proxy the real address comes later; then it is checked.
        let admitted = !self.settings.listeners[listener].may_rename(address);
        if admitted && self.settings.bans.covers(address) {
            self.metrics.refused_banned.up();
            return self.settings.note_refused(address, listener, BANNED);
        }
        if admitted
            && let Err(refusal) = self.admission.enter(address, false, self.started.elapsed())
        {
            self.metrics.refused(refusal).up();
            let why = refusal.words();
            return self.settings.note_refused(address, listener, why);
        }
        let Some(shard) = self.admission.place() else {
            if admitted {
                self.admission.leave(address, false);
            }
            return self.metrics.refused_full.up();
        };
        let accepted = Accepted {
            socket,
            address,
            listener: listener as u16,
            admitted,
        };
        self.mesh.post(shard, Inbound::Accepted(Box::new(accepted)));
    }
}

/// A descriptor to be given up for somebody else.
fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

impl Metrics {
    /// What counts those who were refused for this.
    pub(super) fn refused(&self, refusal: Refusal) -> &Counter {
        match refusal {
            Refusal::TooMany => &self.refused_address,
            Refusal::TooFast => &self.refused_rate,
        }
    }
}
