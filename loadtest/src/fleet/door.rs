//! Where workers join. Anybody may come to this port: whoever does not show the secret in time gets no further, takes a thread
//! and some KiB until then, and there are only so many of them at once. The port closes when the run begins.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::SILENCE;
use super::crew::{Arrival, Crew, Event};
use super::frames::{self, Line, MOST, MOST_OF_STRANGERS, Until};
use super::messages::{ToLead, ToWorker, VERSION};
use super::secret::{Secret, Side, nonce};

/// How long somebody may take to show the secret and compare clocks.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections at once that have not; more are closed at once.
const MOST_STRANGERS: usize = 64;
/// How often it is looked who has come.
const LOOK: Duration = Duration::from_millis(10);
/// What workers have said and was not looked at yet; after that they wait.
const MOST_EVENTS: usize = 1_024;
/// Longest name of a machine that is shown.
const MOST_NAME: usize = 64;

/// An open port for the workers of a run.
#[derive(Debug)]
pub struct Gathering {
    listener: TcpListener,
    pub(super) count: usize,
    secret: Secret,
    patience: Duration,
    /// The options of the run, for the workers.
    pub(super) words: Vec<String>,
    /// The clock that workers compare theirs with.
    pub(super) base: Instant,
}

/// What those who serve connections share.
struct Door {
    secret: Secret,
    base: Instant,
    events: SyncSender<Event>,
    strangers: AtomicUsize,
    closed: AtomicBool,
}

impl Gathering {
    pub(super) fn new(
        listener: TcpListener,
        count: usize,
        secret: Secret,
        patience: Duration,
        words: Vec<String>,
    ) -> Gathering {
        Gathering {
            listener,
            count,
            secret,
            patience,
            words,
            base: Instant::now(),
        }
    }

    /// Where workers join.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits until all workers are there.
    pub(super) fn gather(self, interrupt: &AtomicBool) -> anyhow::Result<Crew> {
        let (events, heard) = sync_channel(MOST_EVENTS);
        let door = Arc::new(Door {
            secret: self.secret,
            base: self.base,
            events,
            strangers: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        });
        self.listener.set_nonblocking(true)?;
        let accepting = {
            let (door, listener) = (door.clone(), self.listener);
            let name = thread::Builder::new().name("fleet-door".to_owned());
            name.spawn(move || accept(&door, &listener))?
        };
        let crew = all_joined(self.count, self.patience, self.base, heard, interrupt);
        door.closed.store(true, Ordering::Release);
        let _ended = accepting.join();
        crew
    }
}

fn all_joined(
    count: usize,
    patience: Duration,
    base: Instant,
    heard: Receiver<Event>,
    interrupt: &AtomicBool,
) -> anyhow::Result<Crew> {
    let mut crew = Crew::new(heard, base);
    let until = Instant::now() + patience;
    while crew.members.len() < count {
        crew.welcome(LOOK);
        ensure!(!interrupt.load(Ordering::Relaxed), "interrupted");
        ensure!(
            Instant::now() < until,
            "{} of {count} workers have joined within {}: start the others with `swarm join`, or give them more time with \
             --workers-timeout",
            crew.members.len(),
            humantime::format_duration(patience)
        );
    }
    Ok(crew)
}

/// Serves each connection in a thread of its own.
fn accept(door: &Arc<Door>, listener: &TcpListener) {
    let mut number = 0;
    while !door.closed.load(Ordering::Acquire) {
        // Whatever went wrong (a connection that is gone again, too many descriptors) need not be so the next time.
        let Ok((stream, address)) = listener.accept() else {
            thread::sleep(LOOK);
            continue;
        };
        if door.strangers.fetch_add(1, Ordering::AcqRel) >= MOST_STRANGERS {
            door.strangers.fetch_sub(1, Ordering::AcqRel);
            continue;
        }
        number += 1;
        let (serving, id) = (door.clone(), number);
        let name = thread::Builder::new().name(format!("fleet-{id}"));
        if name
            .spawn(move || serve(&serving, stream, id, address))
            .is_err()
        {
            door.strangers.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Lets somebody in or not, and hears a worker until its connection ends.
fn serve(door: &Door, stream: TcpStream, id: u64, address: SocketAddr) {
    let admitted = admit(door, &stream);
    door.strangers.fetch_sub(1, Ordering::AcqRel);
    let Ok((line, host, offset)) = admitted else {
        return;
    };
    let line = Arc::new(line);
    let arrival = Arrival {
        id,
        host,
        address,
        line: line.clone(),
        offset,
    };
    if door.events.send(Event::Joined(arrival)).is_err() {
        return;
    }
    let why = loop {
        match frames::read(&stream, MOST) {
            Ok(said) => {
                if let ToLead::Ping { sent_us, .. } = said {
                    echo(door, &line, sent_us);
                }
                let at = Instant::now();
                if door.events.send(Event::Said { id, said, at }).is_err() {
                    return;
                }
            }
            Err(error) => break frames::explain(&error),
        }
    };
    line.close();
    let _nobody_asks = door.events.send(Event::Lost { id, why });
}

fn echo(door: &Door, line: &Line, sent_us: u64) {
    let lead_us = door.base.elapsed().as_micros() as u64;
    line.send(&ToWorker::Echo { sent_us, lead_us });
}

type Admitted = (Line, String, super::offset::Offset);

/// Both sides show that they have the secret, and the worker compares its clock.
fn admit(door: &Door, stream: &TcpStream) -> anyhow::Result<Admitted> {
    stream.set_nonblocking(false)?;
    let line = Line::new(stream.try_clone()?)?;
    let mut from = Until {
        stream,
        deadline: Instant::now() + HANDSHAKE,
    };
    let asked = nonce()?;
    line.send(&ToWorker::Challenge {
        nonce: asked.clone(),
    });
    let ToLead::Hello {
        version,
        host,
        nonce,
        proof,
    } = frames::read(&mut from, MOST_OF_STRANGERS)?
    else {
        anyhow::bail!("no introduction");
    };
    let refused = if !door.secret.is_shown(Side::Worker, [&asked, &nonce], &proof) {
        Some("the secrets differ: --token-file must be the same on all machines".to_owned())
    } else if version != VERSION {
        Some(format!(
            "versions differ: this worker is swarm {version}, whoever leads is swarm {VERSION}"
        ))
    } else {
        None
    };
    if let Some(why) = refused {
        println!("a worker at {} was refused: {why}", stream.peer_addr()?);
        line.send(&ToWorker::Refused { why: why.clone() });
        anyhow::bail!("{why}");
    }
    line.send(&ToWorker::Welcome {
        proof: door.secret.proof(Side::Lead, [&asked, &nonce]),
    });
    let offset = loop {
        match frames::read(&mut from, MOST_OF_STRANGERS)? {
            ToLead::Ping { sent_us, .. } => echo(door, &line, sent_us),
            ToLead::Joined { offset } => break offset,
            _ => anyhow::bail!("no question for the time"),
        }
    };
    stream.set_read_timeout(Some(SILENCE))?;
    let host = host.chars().filter(|letter| !letter.is_control());
    Ok((line, host.take(MOST_NAME).collect(), offset))
}
