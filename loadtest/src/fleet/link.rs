//! A worker's connection to whoever leads the run: what it has said, what time it is there, and whether it is still there.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

use super::frames::{self, Line, MOST, MOST_OF_STRANGERS, Until};
use super::messages::{ToLead, ToWorker, VERSION};
use super::offset::{Offset, TRIPS, Trips};
use super::secret::{Secret, Side, nonce};
use super::{PING_EVERY, SILENCE};

/// How long the other side may take to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How often it is looked whether the user has had enough.
const LOOK: Duration = Duration::from_millis(50);

/// The share of the run, as whoever leads it has put it.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) number: usize,
    pub(super) of: usize,
    pub(super) words: Vec<String>,
}

/// What whoever leads has said so far.
#[derive(Debug, Default)]
struct Heard {
    order: Option<Order>,
    begin_us: Option<u64>,
    measured_from_us: Option<u64>,
    /// Not looked at yet.
    tallies: VecDeque<(Vec<u64>, bool)>,
    finish: bool,
    stop: bool,
    received: bool,
    /// Why nothing more will be heard.
    gone: Option<String>,
}

/// The connection.
#[derive(Debug)]
pub(crate) struct Link {
    line: Line,
    /// The worker's clock.
    base: Instant,
    trips: Mutex<Trips>,
    /// The offset that the run's clock rests on.
    offset: OnceLock<Offset>,
    heard: Mutex<Heard>,
    news: Condvar,
}

impl Link {
    /// Introduces itself; an error tells why it may not take part.
    pub(super) fn open(lead: SocketAddr, secret: &Secret) -> anyhow::Result<Arc<Link>> {
        let stream = TcpStream::connect_timeout(&lead, CONNECT)
            .with_context(|| format!("nobody leads a run at {lead}"))?;
        let line = Line::new(stream.try_clone()?)?;
        let base = Instant::now();
        let mut from = Until {
            stream: &stream,
            deadline: base + HANDSHAKE,
        };
        introduce(&line, &mut from, secret)
            .with_context(|| format!("cannot take part at {lead}"))?;
        let mut trips = Trips::default();
        for _ in 0..TRIPS {
            let sent_us = since(base);
            line.send(&ToLead::Ping {
                sent_us,
                offset: None,
            });
            match hear(&mut from, MOST)? {
                ToWorker::Echo { sent_us, lead_us } => trips.add(sent_us, lead_us, since(base)),
                ToWorker::Refused { why } | ToWorker::Abort { why } => bail!("{why}"),
                _ => bail!("{lead} does not talk as it should"),
            }
        }
        let offset = trips.best().context("the clocks can't be compared")?;
        line.send(&ToLead::Joined { offset });
        let link = Arc::new(Link {
            line,
            base,
            trips: Mutex::new(trips),
            offset: OnceLock::new(),
            heard: Mutex::default(),
            news: Condvar::new(),
        });
        stream.set_read_timeout(Some(SILENCE))?;
        link.clone().listen(stream, lead)?;
        Ok(link)
    }

    /// Hears and asks from now on, each in a thread of its own, until the connection ends.
    fn listen(self: Arc<Link>, stream: TcpStream, lead: SocketAddr) -> anyhow::Result<()> {
        let asking = self.clone();
        let name = |what| thread::Builder::new().name(format!("fleet-{what}"));
        name("time").spawn(move || {
            while asking.lock().gone.is_none() {
                asking.ask();
                thread::sleep(PING_EVERY);
            }
        })?;
        name("link").spawn(move || {
            let why = loop {
                match frames::read(&stream, MOST) {
                    Ok(ToWorker::Echo { sent_us, lead_us }) => {
                        let back_us = since(self.base);
                        let mut trips = self.trips.lock().unwrap_or_else(PoisonError::into_inner);
                        trips.add(sent_us, lead_us, back_us);
                    }
                    Ok(ToWorker::Abort { why } | ToWorker::Refused { why }) => break why,
                    Ok(said) => self.take(said),
                    Err(error) => {
                        let why = frames::explain(&error);
                        break format!("whoever leads the run at {lead} is lost: {why}");
                    }
                }
            };
            self.lock().gone.get_or_insert(why);
            self.news.notify_all();
            self.line.close();
        })?;
        Ok(())
    }

    fn ask(&self) {
        let offset = self.best();
        self.line.send(&ToLead::Ping {
            sent_us: since(self.base),
            offset,
        });
    }

    fn best(&self) -> Option<Offset> {
        let trips = self.trips.lock().unwrap_or_else(PoisonError::into_inner);
        trips.best()
    }

    fn take(&self, said: ToWorker) {
        let mut heard = self.lock();
        match said {
            ToWorker::Prepare { number, of, words } => {
                heard.order = Some(Order { number, of, words });
            }
            ToWorker::Begin { at_us } => heard.begin_us = Some(at_us),
            ToWorker::Measure { from_us } => heard.measured_from_us = Some(from_us),
            ToWorker::Tally { numbers, complete } => heard.tallies.push_back((numbers, complete)),
            ToWorker::Finish => heard.finish = true,
            ToWorker::Stop => heard.stop = true,
            ToWorker::Received => heard.received = true,
            // Of the introduction, or handled where it came.
            ToWorker::Challenge { .. }
            | ToWorker::Welcome { .. }
            | ToWorker::Refused { .. }
            | ToWorker::Echo { .. }
            | ToWorker::Abort { .. } => {}
        }
        self.news.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn send(&self, message: &impl Serialize) {
        self.line.send(message);
    }

    pub(super) fn close(&self) {
        self.line.close();
    }

    /// The share that is to be run here.
    pub(super) fn order(&self, interrupt: &AtomicBool) -> anyhow::Result<Order> {
        self.wait(interrupt, |heard| heard.order.clone())
    }

    /// When the run's clock starts, by this machine's.
    pub(super) fn beginning(&self, interrupt: &AtomicBool) -> anyhow::Result<Instant> {
        let begin_us = self.wait(interrupt, |heard| heard.begin_us)?;
        let offset = self.best().context("the clocks can't be compared")?;
        let offset = *self.offset.get_or_init(|| offset);
        let begin_us = begin_us.saturating_add_signed(offset.us.saturating_neg());
        let beginning = self.base.checked_add(Duration::from_micros(begin_us));
        beginning.context("the run begins at a time that makes no sense")
    }

    /// The offset that the run's clock rests on.
    pub(super) fn offset(&self) -> Option<Offset> {
        self.offset.get().copied()
    }

    /// The findings have arrived.
    pub(super) fn received(&self, interrupt: &AtomicBool) -> anyhow::Result<()> {
        self.wait(interrupt, |heard| heard.received.then_some(()))
    }

    fn wait<T>(
        &self,
        interrupt: &AtomicBool,
        said: impl Fn(&Heard) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut heard = self.lock();
        loop {
            if let Some(said) = said(&heard) {
                return Ok(said);
            }
            if let Some(why) = &heard.gone {
                bail!("{why}");
            }
            ensure!(!interrupt.load(Ordering::Relaxed), "interrupted");
            let woken = self.news.wait_timeout(heard, LOOK);
            heard = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// When the measured phase begins, once all are ready.
    pub(crate) fn measured_from_us(&self) -> Option<u64> {
        self.lock().measured_from_us
    }

    /// The measured phase is to end now.
    pub(crate) fn is_over(&self) -> bool {
        let heard = self.lock();
        heard.finish || heard.stop
    }

    /// The run is to end now.
    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().stop
    }

    /// Why nothing more will be heard of whoever leads.
    pub(super) fn gone(&self) -> Option<String> {
        self.lock().gone.clone()
    }

    /// What the clients of all have done; whether this is all that they will do.
    pub(super) fn next_tally(&self) -> Option<(Vec<u64>, bool)> {
        self.lock().tallies.pop_front()
    }
}

/// Each side shows that it has the secret.
fn introduce(line: &Line, from: &mut Until<'_>, secret: &Secret) -> anyhow::Result<()> {
    let said = hear(from, MOST_OF_STRANGERS)?;
    let ToWorker::Challenge { nonce: asked } = said else {
        return refusal(said);
    };
    let own = nonce()?;
    line.send(&ToLead::Hello {
        version: VERSION.to_owned(),
        host: super::member::host(),
        nonce: own.clone(),
        proof: secret.proof(Side::Worker, [&asked, &own]),
    });
    let said = hear(from, MOST_OF_STRANGERS)?;
    let ToWorker::Welcome { proof } = said else {
        return refusal(said);
    };
    ensure!(
        secret.is_shown(Side::Lead, [&asked, &own], &proof),
        "the other side does not have the secret"
    );
    Ok(())
}

fn refusal(said: ToWorker) -> anyhow::Result<()> {
    match said {
        ToWorker::Refused { why } => bail!("{why}"),
        _ => bail!("it does not talk as it should"),
    }
}

fn hear(from: &mut Until<'_>, most: usize) -> anyhow::Result<ToWorker> {
    frames::read(from, most).map_err(|error| anyhow::anyhow!("{}", frames::explain(&error)))
}

fn since(base: Instant) -> u64 {
    base.elapsed().as_micros() as u64
}
