//! A service next to the server under test: answers every request the same way, and keeps what it was asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A loopback HTTP server. It goes on to the end of the test program.
#[derive(Clone)]
pub(crate) struct Service(Arc<Shared>);

struct Shared {
    url: String,
    answer: Mutex<(u16, String)>,
    asked: Mutex<Vec<String>>,
}

impl Service {
    /// One that answers with this status and body.
    pub(crate) fn new(status: u16, body: &str) -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Service(Arc::new(Shared {
            url: format!("http://{}", listener.local_addr().unwrap()),
            answer: Mutex::new((status, body.to_owned())),
            asked: Mutex::default(),
        }));
        let serving = service.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let service = serving.clone();
                thread::spawn(move || service.serve(stream));
            }
        });
        service
    }

    pub(crate) fn url(&self) -> &str {
        &self.0.url
    }

    /// Answers differently from now on.
    pub(crate) fn answers(&self, status: u16, body: &str) {
        *self.0.answer.lock().unwrap() = (status, body.to_owned());
    }

    /// What was asked so far: head and body of each request.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.0.asked.lock().unwrap().clone()
    }

    /// One request, then the connection ends.
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut request = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            let end = line.trim().is_empty();
            request.push_str(&line);
            if end {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        request.push_str(&String::from_utf8(body).ok()?);
        self.0.asked.lock().unwrap().push(request);
        let (status, body) = self.0.answer.lock().unwrap().clone();
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body.as_str()).as_bytes()).ok()
    }
}
