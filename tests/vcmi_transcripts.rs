//! The recorded dialogues of the VCMI proxy lobby (`tests/transcripts/vcmi`), against the real server on one and two shards.
//!
//! Every byte counts: each client must receive exactly what is written down, and nothing else. After a step every user
//! asks the server a question whose answer is known; what came before the answer is all there was. Connections that
//! can't ask (games, launchers that have not signed in) must stay silent for a moment where the dialogue says so.

#[path = "support/mod.rs"]
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use sha2::{Digest, Sha256};
use support::server::{Backend, Server, Setup};

const PATIENCE: Duration = Duration::from_secs(20);
/// How long somebody must be silent.
const SILENCE: Duration = Duration::from_millis(60);
/// Dialogues at one time.
const AT_ONCE: usize = 6;
/// A uuid that the server has not given to anybody.
const NOBODYS: &str = "6b1f0c3e-0000-4000-8000-00000000aa55";
/// A question that changes nothing.
const PROBE: &[u8] = b"\x0c\0\0\0<ROOT>logins";

#[test]
fn every_dialogue_is_replayed_on_one_shard() {
    replay_all(1);
}

#[test]
fn every_dialogue_is_replayed_on_two_shards() {
    replay_all(2);
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/vcmi")
}

fn replay_all(shards: u16) {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    files.sort();
    assert!(files.len() > 50, "only {} dialogues", files.len());
    let queue = std::sync::Mutex::new(files.into_iter());
    let faults = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(file) = queue.lock().unwrap().next() else {
                        return;
                    };
                    if let Err(fault) = replay(&file, shards) {
                        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
                        faults.lock().unwrap().push(format!("{name}: {fault}"));
                    }
                }
            });
        }
    });
    let mut faults = faults.into_inner().unwrap();
    faults.sort();
    assert!(
        faults.is_empty(),
        "on {shards} shards:\n{}",
        faults.join("\n")
    );
}

fn replay(file: &Path, shards: u16) -> Result<(), String> {
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    let lines: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    let lines = lines.map_err(|error| error.to_string())?;
    let set: Vec<String> = lines[0]["set"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|pair| pair.as_str().map(str::to_owned))
        .collect();
    let server = Server::start(&Setup {
        backend: Backend::Sqlite,
        shards,
        set: &set,
        sql: &[],
    })?;
    let mut stage = Stage {
        address: server.listener("vcmi")?,
        clients: BTreeMap::new(),
        uuids: BTreeMap::new(),
    };
    let mut rest = &lines[1..];
    while let Some(first) = rest.first() {
        let number = &first["step"];
        let len = rest
            .iter()
            .take_while(|line| line["step"] == *number)
            .count();
        let (step, later) = rest.split_at(len);
        stage
            .step(step)
            .map_err(|fault| format!("step {number}: {fault}"))?;
        rest = later;
    }
    Ok(())
}

struct Stage {
    address: SocketAddr,
    clients: BTreeMap<String, Client>,
    uuids: BTreeMap<String, String>,
}

struct Client {
    stream: TcpStream,
    /// Received and not yet expected.
    bytes: Vec<u8>,
    /// It has signed in: it can be asked whether that was all.
    user: bool,
    /// What was sent of a packet that is not complete: then it can't.
    unfinished: Vec<u8>,
    over: bool,
}

impl Stage {
    fn step(&mut self, step: &[Value]) -> Result<(), String> {
        let actor = self.act(&step[0])?;
        let mut silent = false;
        for line in step {
            let who = line["who"].as_str().unwrap_or_default();
            match line["op"].as_str().unwrap_or_default() {
                "recv" => self.expect(who, line)?,
                "eof" => self
                    .client(who)?
                    .expect_end()
                    .map_err(|e| format!("{who}: {e}"))?,
                "quiet" => silent = true,
                _ => {}
            }
        }
        // Nobody can say whether the lobby has dealt with it: it is given a moment.
        let unheard = step.len() == 1 && !self.client(&actor).is_ok_and(|c| c.can_be_asked());
        if silent || unheard {
            thread::sleep(SILENCE);
        }
        // Whoever acted first: when it has its answer, the lobby has dealt with what it did.
        let mut users: Vec<String> = self.clients.keys().cloned().collect();
        users.sort_by_key(|who| *who != actor);
        for who in users {
            self.client(&who)?
                .expect_nothing(silent)
                .map_err(|fault| format!("{who}: {fault}"))?;
        }
        Ok(())
    }

    /// Does what a step begins with; returns who did it.
    fn act(&mut self, line: &Value) -> Result<String, String> {
        let who = line["who"].as_str().unwrap_or_default().to_owned();
        match line["op"].as_str().unwrap_or_default() {
            "open" => {
                let client = Client::connect(self.address).map_err(|error| error.to_string())?;
                self.clients.insert(who.clone(), client);
            }
            "send" => {
                let bytes = self.bytes(line)?;
                let client = self.client(&who)?;
                let sent = client.stream.write_all(&bytes);
                sent.map_err(|error| format!("{who} can't send: {error}"))?;
                client.count(&bytes);
            }
            "close" => match line["how"].as_str().unwrap_or_default() {
                "shutdown" => {
                    let client = self.client(&who)?;
                    client.user = false;
                    let end = client.stream.shutdown(Shutdown::Write);
                    end.map_err(|error| error.to_string())?;
                }
                how => {
                    let client = self.clients.remove(&who).ok_or("nobody to close")?;
                    if how == "rst" {
                        let linger =
                            socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO));
                        linger.map_err(|error| error.to_string())?;
                    }
                }
            },
            "wait" => {
                // Real time: the server was told to forget sessions after less than this.
                thread::sleep(Duration::from_millis(
                    line["ms"].as_u64().unwrap_or_default(),
                ));
            }
            other => return Err(format!("a step can't begin with {other}")),
        }
        Ok(who)
    }

    fn client(&mut self, who: &str) -> Result<&mut Client, String> {
        self.clients
            .get_mut(who)
            .ok_or_else(|| format!("nobody is called {who}"))
    }

    /// Bytes to send, or to be received if every uuid in them is known already.
    fn bytes(&self, line: &Value) -> Result<Vec<u8>, String> {
        if let Some(sum) = line["sha256"].as_str() {
            let blocks = blocks(line["len"].as_u64().unwrap_or_default() as usize);
            let found = blocks.into_iter().find(|block| sha256(block) == sum);
            return found.ok_or_else(|| "a block that nobody can make".to_owned());
        }
        let hex = line["hex"].as_str().ok_or("no bytes")?;
        let mut out = Vec::new();
        for part in parts(hex) {
            match part {
                Part::Bytes(bytes) => out.extend(bytes),
                Part::Uuid(name) => {
                    // One that the server has not given is nobody's.
                    let uuid = self.uuids.get(name).map_or(NOBODYS, String::as_str);
                    out.extend_from_slice(uuid.as_bytes());
                }
            }
        }
        Ok(out)
    }

    fn expect(&mut self, who: &str, line: &Value) -> Result<(), String> {
        let one = [line.clone()];
        let messages = line["msgs"]
            .as_array()
            .map_or(&one[..], |messages| messages);
        for message in messages {
            if let Some(sum) = message["sha256"].as_str() {
                let len = message["len"].as_u64().unwrap_or_default() as usize;
                let got = self
                    .client(who)?
                    .take(len)
                    .map_err(|e| format!("{who}: {e}"))?;
                if sha256(&got) != sum {
                    return Err(format!("{who}: another block of {len} bytes"));
                }
                continue;
            }
            for part in parts(message["hex"].as_str().ok_or("no bytes")?) {
                let expected = match &part {
                    Part::Bytes(bytes) => Some(bytes.clone()),
                    Part::Uuid(name) => self.uuids.get(*name).map(|uuid| uuid.clone().into_bytes()),
                };
                let len = expected.as_ref().map_or(36, Vec::len);
                let client = self.client(who)?;
                let got = client.take(len).map_err(|fault| {
                    format!("{who} should receive {}, but {fault}", message["text"])
                })?;
                match (expected, part) {
                    (Some(expected), _) if got == expected => {}
                    (None, Part::Uuid(name)) => {
                        let uuid = String::from_utf8(got).map_err(|_| "a uuid that is no text")?;
                        self.uuids.insert(name.to_owned(), uuid);
                    }
                    _ => {
                        let rest = client.so_far();
                        return Err(format!(
                            "{who} should receive {}, not {:?}…{rest:?}",
                            message["text"],
                            String::from_utf8_lossy(&got)
                        ));
                    }
                }
            }
            let text = message["text"].as_str().unwrap_or_default();
            if text.contains("Here available") {
                self.client(who)?.user = true;
            }
        }
        Ok(())
    }
}

impl Client {
    fn connect(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream,
            bytes: Vec::new(),
            user: false,
            unfinished: Vec::new(),
            over: false,
        })
    }

    /// Keeps what was sent of a packet that is not complete.
    fn count(&mut self, bytes: &[u8]) {
        self.unfinished.extend_from_slice(bytes);
        while let Some(head) = self.unfinished.first_chunk::<4>() {
            let end = 4 + u32::from_le_bytes(*head) as usize;
            if self.unfinished.len() < end {
                return;
            }
            self.unfinished.drain(..end);
        }
    }

    fn can_be_asked(&self) -> bool {
        self.user && self.unfinished.is_empty()
    }

    /// Reads once, for at most this long. False: nothing came.
    fn read(&mut self, wait: Duration) -> Result<bool, String> {
        let mut buffer = [0; 65_536];
        self.stream
            .set_read_timeout(Some(wait.max(Duration::from_millis(1))))
            .map_err(|error| error.to_string())?;
        match self.stream.read(&mut buffer) {
            Ok(0) => self.over = true,
            Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(false);
            }
            Err(e) if e.kind() == ErrorKind::ConnectionReset => self.over = true,
            Err(e) => return Err(e.to_string()),
        }
        Ok(true)
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn take(&mut self, len: usize) -> Result<Vec<u8>, String> {
        let deadline = Instant::now() + PATIENCE;
        while self.bytes.len() < len {
            if self.over {
                return Err(format!(
                    "the connection has ended after {:?}",
                    self.so_far()
                ));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("only {:?} came", self.so_far()));
            }
            self.read(left)?;
        }
        Ok(self.bytes.drain(..len).collect())
    }

    fn expect_end(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !self.over {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("the connection has not ended".into());
            }
            self.read(left)?;
        }
        self.user = false;
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(format!("{:?} before the end", self.so_far()))
        }
    }

    /// Nothing has come but what was expected: a user's answer is the next thing.
    fn expect_nothing(&mut self, silent: bool) -> Result<(), String> {
        if self.over {
            return Ok(());
        }
        if !self.can_be_asked() {
            if silent {
                self.read(Duration::from_millis(1))?;
            }
            return match (self.over, self.bytes.is_empty()) {
                (false, true) => Ok(()),
                (true, _) => Err("the connection has ended".into()),
                _ => Err(format!("{:?} was not expected", self.so_far())),
            };
        }
        self.stream
            .write_all(PROBE)
            .map_err(|error| error.to_string())?;
        let head = self.take(":>>MSG:System:1".len())?;
        if head.starts_with(b":>>MSG:System:") && head[14].is_ascii_digit() {
            // The number may have more digits; nothing else follows it.
            while self.bytes.first().is_some_and(u8::is_ascii_digit) {
                self.bytes.remove(0);
            }
            if self.bytes.is_empty() {
                return Ok(());
            }
        }
        let rest = self.so_far();
        Err(format!(
            "{:?} was not expected",
            String::from_utf8_lossy(&head).into_owned() + rest.as_str()
        ))
    }
}

enum Part<'a> {
    Bytes(Vec<u8>),
    Uuid(&'a str),
}

/// Hexadecimal bytes with `{U1}` in between.
fn parts(hex: &str) -> Vec<Part<'_>> {
    let mut out = Vec::new();
    let mut rest = hex;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('{') {
            let (name, later) = inside.split_once('}').expect("a brace ends");
            out.push(Part::Uuid(name));
            rest = later;
            continue;
        }
        let end = rest.find('{').unwrap_or(rest.len());
        let bytes = rest.as_bytes()[..end].chunks(2).map(|two| {
            let digits = std::str::from_utf8(two).expect("hexadecimal is ASCII");
            u8::from_str_radix(digits, 16).expect("hexadecimal")
        });
        out.push(Part::Bytes(bytes.collect()));
        rest = &rest[end..];
    }
    out
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Everything of this length that a dialogue writes down by its checksum only.
fn blocks(len: usize) -> Vec<Vec<u8>> {
    let up: Vec<u8> = (0..len).map(|i| (i * 7 + (i >> 8)) as u8).collect();
    let down = up.iter().rev().copied().collect();
    let packet = |body: Vec<u8>| [&(body.len() as u32).to_le_bytes()[..], &body].concat();
    let chat = packet([&b"<MSG>"[..], &vec![b'x'; len.saturating_sub(9)]].concat());
    let alive = packet(b"<ALIVE>".repeat(len.saturating_sub(4) / 7));
    vec![up, down, chat, alive]
}

/// The names in a folder's table are those of its files; every file says what it shows.
#[test]
fn every_dialogue_has_a_title() {
    let mut titles = BTreeSet::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_none_or(|extension| extension != "jsonl")
        {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let head: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert_eq!(head["scenario"], name.as_str());
        let title = head["title"].as_str().unwrap_or_default().to_owned();
        assert!(titles.insert(title), "{name} has the title of another");
    }
}
