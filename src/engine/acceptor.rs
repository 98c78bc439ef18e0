//! The thread that accepts connections, for all shards: each goes to the shard with the fewest.
//!
//! It waits until a listening socket has somebody and then takes them, so a connection is never in a place from where it
//! can get lost: not in an operation that a ring has under way, and not in the queue of a shard that is stopped.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{
    Settings,
    admission::{Admission, Refusal},
    mesh::{Accepted, Inbound, Mesh, Part},
    metrics::Metrics,
    runtime::{self, Doorbell},
};
use lobby::Dialect;
use metrics::Counter;

/// Pause after `accept` failed, mostly for want of descriptors: at once again would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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
    fn run(self) {
        let _end = self.mesh.ending(Part::Acceptor);
        let mut pause = false;
        while !self.mesh.is_closing() {
            let (listeners, longest): (&[TcpListener], _) = if pause {
                (&[], Some(ACCEPT_PAUSE))
            } else {
                (&self.listeners, None)
            };
            runtime::wait_for_any(&self.bell, listeners, longest);
            pause = (0..self.listeners.len()).any(|listener| !self.accept(listener));
        }
    }

    /// Takes in those who wait at one listening socket, some at a time. False: there is something wrong.
    fn accept(&self, listener: usize) -> bool {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.listeners[listener].accept() {
                Ok((socket, peer)) => {
                    self.take_in(socket.into(), peer.ip().to_canonical(), listener)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                // Somebody who was gone before their turn, or a signal.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    self.metrics.accept_errors.up();
                    let name = &self.settings.listeners[listener].name;
                    tracing::warn!(%error, listener = name, "accept failed");
                    return false;
                }
            }
        }
        true
    }

    fn take_in(&self, socket: std::os::fd::OwnedFd, address: IpAddr, listener: usize) {
        // Behind a proxy the real address comes later; then it is checked.
        let admitted = !self.settings.listeners[listener].may_rename(address);
        if admitted
            && let Err(refusal) = self.admission.enter(address, false, self.started.elapsed())
        {
            return self.metrics.refused(refusal).up();
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

impl Metrics {
    /// What counts those who were refused for this.
    pub(super) fn refused(&self, refusal: Refusal) -> &Counter {
        match refusal {
            Refusal::TooMany => &self.refused_address,
            Refusal::TooFast => &self.refused_rate,
        }
    }
}
