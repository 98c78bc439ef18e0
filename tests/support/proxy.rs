//! A TCP proxy on loopback that can be cut, stalled and mended.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

/// How the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Everything goes through.
    Whole,
    /// Connections end at once, those that there were too.
    Cut,
    /// Connections are accepted and stay, but nothing goes through.
    Stalled,
}

/// The proxy; what it has begun ends with the process.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    line: Arc<AtomicU8>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// In front of somebody.
    pub(crate) fn new(to: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy {
            address: listener.local_addr().unwrap(),
            line: Arc::new(AtomicU8::new(Line::Whole as u8)),
            streams: Arc::default(),
        };
        let (line, streams) = (proxy.line.clone(), proxy.streams.clone());
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if line.load(Ordering::SeqCst) == Line::Cut as u8 {
                    continue; // and is closed
                }
                let Ok(far) = TcpStream::connect(&to) else {
                    continue;
                };
                let copy = |stream: &TcpStream| stream.try_clone().unwrap();
                streams.lock().unwrap().extend([copy(&near), copy(&far)]);
                pump(copy(&near), copy(&far), line.clone());
                pump(far, near, line.clone());
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
        self.line.store(line as u8, Ordering::SeqCst);
        if line == Line::Cut {
            for stream in self.streams.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

/// Carries bytes in one direction until an end closes.
fn pump(mut from: TcpStream, mut to: TcpStream, line: Arc<AtomicU8>) {
    from.set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    thread::spawn(move || {
        let mut bytes = [0; 16 << 10];
        loop {
            match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => {
                    while line.load(Ordering::SeqCst) == Line::Stalled as u8 {
                        thread::sleep(Duration::from_millis(5));
                    }
                    if to.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
