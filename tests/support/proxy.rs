//! A TCP proxy on loopback that can be cut, stalled, slowed down and mended.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicU64, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Pieces on their way in one direction while the line is slow.
const UNDER_WAY: usize = 1_024;

/// How the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Everything goes through.
    Whole,
    /// Connections end at once, those that there were too.
    Cut,
    /// Connections are accepted and stay, but nothing goes through.
    Stalled,
    /// What is said goes through, and nothing comes back.
    Deaf,
}

/// The proxy; what it has begun ends with the process.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    line: Arc<State>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

/// How the line is, for everybody who carries something over it.
#[derive(Default)]
struct State {
    line: AtomicU8,
    delay_ms: AtomicU64,
}

impl State {
    fn is(&self, line: Line) -> bool {
        self.line.load(Ordering::SeqCst) == line as u8
    }

    /// Waits as long as nothing goes through in a direction.
    fn open(&self, is_back: bool) {
        while self.is(Line::Stalled) || is_back && self.is(Line::Deaf) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Proxy {
    /// In front of somebody.
    pub(crate) fn new(to: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy {
            address: listener.local_addr().unwrap(),
            line: Arc::default(),
            streams: Arc::default(),
        };
        let (line, streams) = (proxy.line.clone(), proxy.streams.clone());
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&to) else {
                    continue; // and is closed
                };
                let copy = |stream: &TcpStream| {
                    let _ = stream.set_nodelay(true);
                    stream.try_clone().unwrap()
                };
                // Whoever cuts the line finds this one in the list, or it finds the line cut.
                let mut streams = streams.lock().unwrap();
                if line.is(Line::Cut) {
                    continue;
                }
                streams.extend([copy(&near), copy(&far)]);
                drop(streams);
                pump(copy(&near), copy(&far), line.clone(), false);
                pump(far, near, line.clone(), true);
            }
        });
        proxy
    }

    /// In front of whom a URL with a user and a path names; and the URL of that.
    pub(crate) fn before(url: &str) -> (Proxy, String) {
        let (head, rest) = url.rsplit_once('@').unwrap();
        let (address, path) = rest.split_once('/').unwrap();
        let proxy = Proxy::new(address.to_owned());
        let url = format!("{head}@{}/{path}", proxy.address);
        (proxy, url)
    }

    /// From now on the line is so.
    pub(crate) fn set(&self, line: Line) {
        self.line.line.store(line as u8, Ordering::SeqCst);
        if line == Line::Cut {
            for stream in self.streams.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// From now on everything takes so much longer in each direction, in its order.
    pub(crate) fn delay(&self, delay: Duration) {
        let delay_ms = delay.as_millis() as u64;
        self.line.delay_ms.store(delay_ms, Ordering::SeqCst);
    }
}

/// Carries bytes in one direction until an end closes: to whom the proxy stands before, or back.
fn pump(mut from: TcpStream, to: TcpStream, line: Arc<State>, is_back: bool) {
    from.set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let (pieces, under_way) = sync_channel(UNDER_WAY);
    let state = line.clone();
    thread::spawn(move || deliver(&under_way, to, &state, is_back));
    thread::spawn(move || {
        let mut bytes = [0; 16 << 10];
        loop {
            match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => {
                    line.open(is_back);
                    let delay = Duration::from_millis(line.delay_ms.load(Ordering::SeqCst));
                    let piece = (Instant::now() + delay, bytes[..count].to_vec());
                    if pieces.send(piece).is_err() {
                        break;
                    }
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
    });
}

/// Writes what has come when it is due, and says that nothing more comes at the end.
fn deliver(
    under_way: &Receiver<(Instant, Vec<u8>)>,
    mut to: TcpStream,
    line: &State,
    is_back: bool,
) {
    for (due, piece) in under_way {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        line.open(is_back);
        if to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
