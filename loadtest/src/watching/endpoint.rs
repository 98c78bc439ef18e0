//! The metrics address: answers `GET /metrics` with the newest text, in threads of its own.
//!
//! Whoever asks may be a stranger, so everything has a bound: connections at once, the length of a request, and how long it takes
//! to come and its answer to leave. A connection is closed after one answer.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Exposition;
use crate::plan::Plan;

/// Connections answered at once; Prometheus needs one.
const MOST_CONNECTIONS: usize = 4;
/// Longest request; that of Prometheus has some 300 bytes.
const MOST_BYTES: usize = 8 << 10;
/// Header lines of a request.
const MOST_HEADERS: usize = 64;
/// How long a request may take to come, and its answer to leave.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries to take a connection while there are no descriptors left, or the like.
const RETRY: Duration = Duration::from_millis(100);

/// Offers a run's metrics until it goes.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    is_closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Endpoint {
    /// Listens where the plan says, if it does.
    pub fn open(plan: &Plan) -> anyhow::Result<Option<Endpoint>> {
        let Some(address) = plan.watching.metrics_address else {
            return Ok(None);
        };
        Endpoint::listen(address, plan.exposition.clone())
            .with_context(|| format!("cannot offer metrics at {address}"))
            .map(Some)
    }

    fn listen(address: SocketAddr, exposition: Arc<Exposition>) -> io::Result<Endpoint> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let is_closing = Arc::new(AtomicBool::new(false));
        let closing = is_closing.clone();
        let thread = thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || accept(&listener, &exposition, &closing))?;
        Ok(Endpoint {
            address,
            is_closing,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::Release);
        // One last connection, so that the thread looks.
        let woken = TcpStream::connect_timeout(&self.address, PATIENCE).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _panicked = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, exposition: &Arc<Exposition>, is_closing: &AtomicBool) {
    let connections = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if is_closing.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else {
            thread::sleep(RETRY);
            continue;
        };
        if connections.fetch_add(1, Ordering::AcqRel) >= MOST_CONNECTIONS {
            connections.fetch_sub(1, Ordering::AcqRel);
            let _gone = refuse(stream);
            continue;
        }
        let (exposition, counted) = (exposition.clone(), connections.clone());
        let answering = thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || {
                let _gone = answer(stream, &exposition);
                counted.fetch_sub(1, Ordering::AcqRel);
            });
        if answering.is_err() {
            connections.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Too many ask at once; whether this is heard is not waited for.
fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.write_all(
        response(
            "503 Service Unavailable",
            "",
            "too many connections\n",
            true,
        )
        .as_bytes(),
    )
}

/// One request, one answer.
fn answer(mut stream: TcpStream, exposition: &Exposition) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    let answer = loop {
        if let Some(answer) = answer_to(&request, exposition) {
            break answer;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            length => request.extend_from_slice(&chunk[..length]),
        }
    };
    stream.write_all(answer.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)
}

/// The answer, once enough of the request is there.
fn answer_to(request: &[u8], exposition: &Exposition) -> Option<String> {
    let plain = "Content-Type: text/plain; charset=utf-8\r\n";
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    match head.parse(request) {
        Ok(httparse::Status::Partial) if request.len() > MOST_BYTES => {
            let text = "the request is too long\n";
            return Some(response(
                "431 Request Header Fields Too Large",
                plain,
                text,
                true,
            ));
        }
        Ok(httparse::Status::Partial) => return None,
        Ok(httparse::Status::Complete(_)) => {}
        Err(_) => return Some(response("400 Bad Request", plain, "not HTTP\n", true)),
    }
    let path = head.path.unwrap_or_default().split('?').next();
    let with_body = match head.method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => {
            let more = format!("Allow: GET, HEAD\r\n{plain}");
            let text = "only GET and HEAD\n";
            return Some(response("405 Method Not Allowed", &more, text, true));
        }
    };
    if path != Some("/metrics") {
        let text = "metrics are at /metrics\n";
        return Some(response("404 Not Found", plain, text, with_body));
    }
    let kind = "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n";
    Some(response("200 OK", kind, &exposition.text(), with_body))
}

fn response(status: &str, headers: &str, body: &str, with_body: bool) -> String {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    if with_body { head + body } else { head }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        let exposition = Arc::new(Exposition::default());
        exposition.publish("swarm_clients 3\n".to_owned());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Endpoint::listen(address, exposition).expect("a free port")
    }

    fn ask(endpoint: &Endpoint, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(endpoint.address()).expect("it listens");
        stream.write_all(request).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    #[test]
    fn the_newest_text_is_at_its_path_and_nothing_else_anywhere() {
        let endpoint = endpoint();
        for (request, status, ends) in [
            (
                "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
                "200 OK",
                "\r\n\r\nswarm_clients 3\n",
            ),
            (
                "GET /metrics?a=b HTTP/1.0\r\n\r\n",
                "200 OK",
                "swarm_clients 3\n",
            ),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK", "close\r\n\r\n"),
            ("GET / HTTP/1.1\r\n\r\n", "404 Not Found", "/metrics\n"),
            (
                "POST /metrics HTTP/1.1\r\n\r\n",
                "405 Method Not Allowed",
                "HEAD\n",
            ),
            ("\u{0}\u{1}rubbish\r\n\r\n", "400 Bad Request", "HTTP\n"),
        ] {
            let answer = ask(&endpoint, request.as_bytes());
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
                "{request}: {answer}"
            );
            assert!(answer.ends_with(ends), "{request}: {answer}");
        }
    }

    #[test]
    fn a_request_has_a_longest_length() {
        let mut request = b"GET /metrics HTTP/1.1\r\nX: ".to_vec();
        let exposition = Exposition::default();
        assert_eq!(answer_to(&request, &exposition), None);
        request.resize(MOST_BYTES + 1, b'x');
        let answer = answer_to(&request, &exposition).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }

    #[test]
    fn those_who_say_nothing_do_not_take_the_place_of_all_others() {
        let endpoint = endpoint();
        let connect = || TcpStream::connect(endpoint.address()).expect("it listens");
        let silent: Vec<TcpStream> = (0..MOST_CONNECTIONS).map(|_| connect()).collect();
        let mut answer = String::new();
        let mut refused = connect();
        refused.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        // When they are gone there is room again, within a moment.
        drop(silent);
        let until = Instant::now() + PATIENCE;
        let request = b"GET /metrics HTTP/1.1\r\n\r\n";
        while Instant::now() < until {
            let mut stream = connect();
            let (mut answer, _sent) = (String::new(), stream.write_all(request));
            if stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200 ") {
                return;
            }
        }
        panic!("no room");
    }
}
