//! `swarm record`: stands between clients and a server, passes every byte on as it is, and writes down what they say to each
//! other. A message is written before it is passed on, so that no answer can stand before its question.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use clap::ValueEnum as _;

use super::dialect::{Dialect, Side, Transport};
use super::format::{Header, Line, VERSION, What};
use super::mask::Masker;
use super::stream::{Incoming, Stream};
use crate::protocols::ProtocolName;

/// What a thread reads at once.
const CHUNK_BYTES: usize = 64 << 10;
/// First bytes that have not told what a connection speaks.
const FIRST_BYTES: usize = 64;
/// How often it is looked whether somebody has connected, or the recording is over.
const STEP: Duration = Duration::from_millis(5);
/// How often what is written goes to the file.
const FLUSH: Duration = Duration::from_secs(1);
/// How long the server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The options of `swarm record`.
#[derive(Debug, clap::Args)]
pub struct Record {
    /// Which lobby it is. What its clients connect with is recognised.
    #[arg(long, value_enum, default_value_t = ProtocolName::value_variants()[0])]
    pub protocol: ProtocolName,
    /// Where clients connect, such as 127.0.0.1:9002; port 0 is any that is free.
    #[arg(long)]
    pub listen: String,
    /// Where the server listens.
    #[arg(long)]
    pub to: String,
    /// The file to write.
    #[arg(long)]
    pub out: PathBuf,
    /// Connections at once; more are closed.
    #[arg(long, default_value_t = 64)]
    pub sessions: usize,
}

/// What a recording has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Connections recorded.
    pub sessions: u64,
    /// Connections closed because there were too many, or the server did not take them.
    pub refused: u64,
    /// Messages of clients.
    pub from_clients: u64,
    /// Messages of the server.
    pub from_server: u64,
    /// Values that were masked.
    pub masked: u64,
    /// Directions of connections that could not be read to their end.
    pub unreadable: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            sessions,
            refused,
            from_clients,
            from_server,
            masked,
            unreadable,
        } = self;
        write!(
            out,
            "recorded {sessions} sessions, {from_clients} messages of clients and {from_server} of the server, {masked} values masked"
        )?;
        if *refused > 0 {
            write!(out, "; {refused} connections were not taken")?;
        }
        if *unreadable > 0 {
            write!(
                out,
                "; {unreadable} sides of sessions could not be read to the end"
            )?;
        }
        Ok(())
    }
}

/// A recording that has not begun.
#[derive(Debug)]
pub struct Proxy {
    heading: String,
    listener: TcpListener,
    to: SocketAddr,
    sessions: usize,
    tape: Arc<Tape>,
}

impl Record {
    /// Checks everything, opens the file and listens.
    ///
    /// # Errors
    /// What makes no sense, cannot be written or listened at.
    pub fn open(&self) -> anyhow::Result<Proxy> {
        ensure!(self.sessions > 0, "--sessions must be at least 1");
        let to = crate::cli::resolve("--to", &self.to)?;
        let listener = TcpListener::bind(&self.listen)
            .with_context(|| format!("cannot listen at {:?}", self.listen))?;
        listener.set_nonblocking(true)?;
        let file = File::create(&self.out);
        let file = file.with_context(|| format!("cannot write {}", self.out.display()))?;
        let mut file = BufWriter::new(file);
        let began = SystemTime::now().duration_since(UNIX_EPOCH);
        let header = Header {
            swarm_recording: VERSION,
            protocol: self.protocol.name().to_owned(),
            server: to.to_string(),
            began_s: began.unwrap_or_default().as_secs(),
            swarm: env!("CARGO_PKG_VERSION").to_owned(),
        };
        writeln!(file, "{}", serde_json::to_string(&header)?)
            .and_then(|()| file.flush())
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        Ok(Proxy {
            heading: format!(
                "swarm {}: recording {} between {} and {to} into {}; Ctrl-C ends it",
                env!("CARGO_PKG_VERSION"),
                self.protocol.name(),
                listener.local_addr()?,
                self.out.display(),
            ),
            listener,
            to,
            sessions: self.sessions,
            tape: Arc::new(Tape {
                dialect: self.protocol.dialect(),
                start: Instant::now(),
                state: Mutex::new(State {
                    file,
                    masker: Masker::default(),
                    summary: Summary::default(),
                    failed: None,
                }),
                live: Mutex::default(),
                refused: AtomicU64::new(0),
                stopping: AtomicBool::new(false),
            }),
        })
    }
}

impl Proxy {
    /// Where clients connect.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What is recorded where.
    pub fn heading(&self) -> &str {
        &self.heading
    }

    /// Records until `interrupt` is set.
    ///
    /// # Errors
    /// The file can't be written any more.
    pub fn run(self, interrupt: &AtomicBool) -> anyhow::Result<Summary> {
        let mut threads: Vec<thread::JoinHandle<()>> = Vec::new();
        let mut next_flush = Instant::now() + FLUSH;
        while !interrupt.load(Ordering::Relaxed) && !self.tape.has_failed() {
            match self.listener.accept() {
                Ok((client, _)) => self.take(client, &mut threads),
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(STEP),
                // Too many descriptors, say; the others go on.
                Err(_) => thread::sleep(FLUSH),
            }
            if Instant::now() >= next_flush {
                next_flush = Instant::now() + FLUSH;
                threads.retain(|thread| !thread.is_finished());
                self.tape.flush();
            }
        }
        self.tape.hang_up();
        for thread in threads {
            let _a_panic_has_told_itself = thread.join();
        }
        self.tape.finish()
    }

    fn take(&self, client: TcpStream, threads: &mut Vec<thread::JoinHandle<()>>) {
        let tape = self.tape.clone();
        if tape.live().len() >= self.sessions {
            tape.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let to = self.to;
        let number = tape.state().summary.sessions + 1;
        tape.state().summary.sessions = number;
        let us = tape.us();
        if let Ok(second) = client.try_clone() {
            tape.live().insert(number, vec![second]);
        }
        threads.push(thread::spawn(move || {
            if connect(number, us, client, to, &tape).is_err() {
                tape.refused.fetch_add(1, Ordering::Relaxed);
            }
            tape.live().remove(&number);
        }));
    }
}

/// One connection from its beginning to its end.
fn connect(
    number: u64,
    us: u64,
    client: TcpStream,
    to: SocketAddr,
    tape: &Arc<Tape>,
) -> io::Result<()> {
    let server = TcpStream::connect_timeout(&to, CONNECT_TIMEOUT)?;
    // The listener does not wait; what it accepts may.
    client.set_nonblocking(false)?;
    for socket in [&client, &server] {
        socket.set_nodelay(true)?;
    }
    let talk = Arc::new(Mutex::new(Talk::new(number, us, tape.dialect)));
    if let Some(sockets) = tape.live().get_mut(&number) {
        sockets.push(server.try_clone()?);
    }
    if tape.stopping.load(Ordering::Acquire) {
        return Ok(());
    }
    let (heard, answers) = (server.try_clone()?, client.try_clone()?);
    let other = {
        let (talk, tape) = (talk.clone(), tape.clone());
        thread::spawn(move || pass(Side::Server, heard, answers, &talk, &tape))
    };
    pass(Side::Client, client, server, &talk, tape);
    let _a_panic_has_told_itself = other.join();
    Ok(())
}

/// Reads one side until its end, writes down what it says and passes it on.
fn pass(side: Side, mut from: TcpStream, mut to: TcpStream, talk: &Mutex<Talk>, tape: &Tape) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let length = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        lock(talk).hear(side, &chunk[..length], tape);
        if to.write_all(&chunk[..length]).is_err() {
            break;
        }
    }
    lock(talk).close(side, tape);
    let _gone = to.shutdown(Shutdown::Write);
    let _gone = from.shutdown(Shutdown::Read);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where everything is written.
#[derive(Debug)]
struct Tape {
    dialect: &'static dyn Dialect,
    start: Instant,
    state: Mutex<State>,
    /// The sockets of each connection.
    live: Mutex<HashMap<u64, Vec<TcpStream>>>,
    refused: AtomicU64,
    stopping: AtomicBool,
}

#[derive(Debug)]
struct State {
    file: BufWriter<File>,
    masker: Masker,
    summary: Summary,
    failed: Option<io::Error>,
}

impl Tape {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn live(&self) -> MutexGuard<'_, HashMap<u64, Vec<TcpStream>>> {
        lock(&self.live)
    }

    fn us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn has_failed(&self) -> bool {
        self.state().failed.is_some()
    }

    /// Writes a line; secrets go here.
    fn write(&self, us: u64, session: u64, mut what: What) {
        let State {
            file,
            masker,
            summary,
            failed,
        } = &mut *self.state();
        match &mut what {
            What::Client(message) => {
                summary.from_clients += 1;
                masker.mask(self.dialect, Side::Client, message);
            }
            What::Server(message) => {
                summary.from_server += 1;
                masker.mask(self.dialect, Side::Server, message);
            }
            What::Unreadable { .. } => summary.unreadable += 1,
            What::Opened(_) | What::Raw { .. } | What::Closed(_) => {}
        }
        let line = Line { us, session, what };
        let written = serde_json::to_string(&line).map_err(io::Error::other);
        if let Err(error) = written.and_then(|text| writeln!(file, "{text}")) {
            failed.get_or_insert(error);
        }
    }

    fn flush(&self) {
        let State { file, failed, .. } = &mut *self.state();
        if let Err(error) = file.flush() {
            failed.get_or_insert(error);
        }
    }

    /// Ends all connections.
    fn hang_up(&self) {
        self.stopping.store(true, Ordering::Release);
        for socket in self.live().values().flatten() {
            let _gone = socket.shutdown(Shutdown::Both);
        }
    }

    fn finish(&self) -> anyhow::Result<Summary> {
        self.flush();
        let state = &mut *self.state();
        if let Some(error) = state.failed.take() {
            return Err(error).context("the recording can't be written any more");
        }
        Ok(Summary {
            masked: state.masker.masked(),
            refused: self.refused.load(Ordering::Relaxed),
            ..state.summary.clone()
        })
    }
}

/// What is known of one connection.
#[derive(Debug)]
struct Talk {
    number: u64,
    opened_us: u64,
    dialect: &'static dyn Dialect,
    /// What each side has said before it was clear what they speak.
    first: [Vec<u8>; 2],
    streams: Option<[Option<Stream>; 2]>,
    closed: bool,
}

fn place(side: Side) -> usize {
    match side {
        Side::Client => 0,
        Side::Server => 1,
    }
}

impl Talk {
    fn new(number: u64, opened_us: u64, dialect: &'static dyn Dialect) -> Talk {
        Talk {
            number,
            opened_us,
            dialect,
            first: [Vec::new(), Vec::new()],
            streams: None,
            closed: false,
        }
    }

    fn hear(&mut self, side: Side, bytes: &[u8], tape: &Tape) {
        if self.streams.is_some() {
            return self.read(side, bytes, tape);
        }
        let first = &mut self.first[place(side)];
        first.extend_from_slice(bytes);
        let transport = self.dialect.transport_of(side, first);
        let undecided = first.len() < FIRST_BYTES;
        if transport.is_none() && undecided {
            return;
        }
        let transport = transport.unwrap_or(self.dialect.transports()[0]);
        self.open(transport, tape);
        for side in [Side::Server, Side::Client] {
            let first = std::mem::take(&mut self.first[place(side)]);
            if !first.is_empty() {
                self.read(side, &first, tape);
            }
        }
    }

    fn open(&mut self, transport: Transport, tape: &Tape) {
        let stream = |side| Some(Stream::new(self.dialect, transport, side));
        self.streams = Some([stream(Side::Client), stream(Side::Server)]);
        tape.write(self.opened_us, self.number, What::Opened(transport));
    }

    fn read(&mut self, side: Side, bytes: &[u8], tape: &Tape) {
        let (us, number) = (tape.us(), self.number);
        let Some(streams) = &mut self.streams else {
            return;
        };
        let Some(stream) = &mut streams[place(side)] else {
            return;
        };
        let outcome = stream.push(bytes, &mut |incoming| match incoming {
            Incoming::Message(message) => {
                let what = match side {
                    Side::Client => What::Client(message),
                    Side::Server => What::Server(message),
                };
                tape.write(us, number, what);
            }
            Incoming::Raw(bytes) => tape.write(us, number, What::Raw { from: side, bytes }),
            Incoming::Opened | Incoming::Ping(_) => {}
        });
        let is_pipe = stream.is_pipe();
        if let Err(why) = outcome {
            streams[place(side)] = None;
            tape.write(us, number, What::Unreadable { from: side, why });
        }
        if is_pipe && let Some(answers) = &mut streams[place(Side::Server)] {
            answers.become_raw();
        }
    }

    fn close(&mut self, side: Side, tape: &Tape) {
        if self.streams.is_none() {
            self.open(self.dialect.transports()[0], tape);
        }
        if !std::mem::replace(&mut self.closed, true) {
            tape.write(tape.us(), self.number, What::Closed(side));
        }
    }
}
