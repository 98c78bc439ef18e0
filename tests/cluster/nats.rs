//! A `nats-server` of a test's own, which it may kill and start again; and somebody who says on it what he likes.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::until;

/// Debian's program, wherever it is; only root looks in `sbin`.
pub(crate) fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders
        .map(|folder| folder.join("nats-server"))
        .find(|program| program.is_file())
}

/// The server; it ends with this value.
pub(crate) struct Nats {
    program: PathBuf,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Nats {
    /// One on a port that is free.
    pub(crate) fn start(program: PathBuf) -> Nats {
        for _ in 0..5 {
            let address = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .unwrap();
            // Somebody else may be quicker; then it ends at once.
            if let Some(child) = launch(&program, address) {
                return Nats {
                    program,
                    address,
                    child,
                };
            }
        }
        panic!("nats-server does not start");
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on its port.
    pub(crate) fn restart(&mut self) {
        until("the port of NATS", || {
            match launch(&self.program, self.address) {
                Some(child) => {
                    self.child = child;
                    true
                }
                None => false,
            }
        });
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the program; nothing if it ends before it answers.
fn launch(program: &Path, address: SocketAddr) -> Option<Child> {
    let mut child = Command::new(program)
        .args(["--addr", "127.0.0.1", "--port", &address.port().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut has_ended = false;
    until("nats-server to answer", || {
        has_ended = child.try_wait().unwrap().is_some();
        has_ended || Stranger::greeted(address).is_some()
    });
    (!has_ended).then_some(child)
}

/// Somebody on the bus who is no node.
pub(crate) struct Stranger {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Stranger {
    /// Connected, if the server is there.
    fn greeted(address: SocketAddr) -> Option<Stranger> {
        let stream = TcpStream::connect(address).ok()?;
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).ok()?;
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut info = String::new();
        reader.read_line(&mut info).ok()?;
        info.starts_with("INFO ")
            .then_some(Stranger { stream, reader })
    }

    /// Connected to a server that is there.
    pub(crate) fn connect(address: SocketAddr) -> Stranger {
        let mut stranger = Stranger::greeted(address).expect("NATS is there");
        stranger.say(b"CONNECT {\"verbose\":false}\r\n");
        stranger.settled();
        stranger
    }

    fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Returns when the server has taken everything that was said.
    pub(crate) fn settled(&mut self) {
        self.say(b"PING\r\n");
        loop {
            let mut line = String::new();
            assert!(
                self.reader.read_line(&mut line).unwrap() > 0,
                "NATS hung up"
            );
            match line.trim_end() {
                "PONG" => return,
                "PING" => self.say(b"PONG\r\n"),
                "" | "+OK" => {}
                other => panic!("NATS says {other}"),
            }
        }
    }

    /// Says something on a subject.
    pub(crate) fn publish(&mut self, subject: &str, bytes: &[u8]) {
        let head = format!("PUB {subject} {}\r\n", bytes.len());
        self.say(&[head.as_bytes(), bytes, b"\r\n"].concat());
    }

    /// Hears what is said on subjects that fit a pattern, so many messages of it: subject and bytes.
    pub(crate) fn overheard(&mut self, pattern: &str, count: usize) -> Vec<(String, Vec<u8>)> {
        self.say(format!("SUB {pattern} 1\r\nUNSUB 1 {count}\r\n").as_bytes());
        let mut heard = Vec::new();
        while heard.len() < count {
            let mut line = String::new();
            assert!(
                self.reader.read_line(&mut line).unwrap() > 0,
                "NATS hung up"
            );
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["PING"] => self.say(b"PONG\r\n"),
                ["MSG", subject, .., len] => {
                    let mut bytes = vec![0; len.parse::<usize>().unwrap() + 2];
                    std::io::Read::read_exact(&mut self.reader, &mut bytes).unwrap();
                    bytes.truncate(bytes.len() - 2);
                    heard.push((subject.to_owned(), bytes));
                }
                _ => panic!("NATS says {line}"),
            }
        }
        heard
    }
}
