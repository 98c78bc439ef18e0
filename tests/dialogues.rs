//! Scripted dialogues: what clients of the real server see, over every transport, on one shard and on two.
//!
//! The scripts are `tests/dialogues/*.txt`; their form is described in `tests/dialogues/README.md`. Nothing sleeps:
//! waiting is for a message, and "nothing came" is proved by the answer to a ping.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{
    client::{Client, Received},
    pattern::{Captures, filled, matches},
    script::{Line, Script, Step, Transport, read},
    server::{Backend, Server, Setup, password},
};

/// Broadcasts come when they come; `a<` passes over them unless the pattern names them.
const BROADCASTS: &[&str] = &["player_info", "game_info", "matchmaker_info", "ping"];

/// How long the database may take to say what it should.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const POLL: Duration = Duration::from_millis(10);

macro_rules! dialogues {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            play(stringify!($name));
        })*

        #[test]
        fn every_script_has_a_test_and_can_be_read() {
            let named: BTreeSet<String> = [$(stringify!($name).to_owned()),*].into();
            let found: BTreeSet<String> = scripts().collect();
            assert_eq!(named, found);
            for name in named {
                read(&script_path(&name)).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    };
}

dialogues! {
    admin, configuration, country, gate, hosting, ice, join_order, join_rules, launch, leaving, login, matchmaking, party, proxy,
    qdatastream_vectors, restore, results, results_coop, social, wire_vectors,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues")
}

fn script_path(name: &str) -> PathBuf {
    folder().join(format!("{name}.txt"))
}

fn scripts() -> impl Iterator<Item = String> {
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
}

/// Plays a script over each of its transports on one shard and on two, each time with a fresh server; with MariaDB
/// over the first transport on one shard, since shards and transports know nothing of databases.
fn play(name: &str) {
    let script = read(&script_path(name)).unwrap_or_else(|error| panic!("{error}"));
    let mut failures = String::new();
    let mut plays: Vec<(Backend, Transport, u16)> = Vec::new();
    for &backend in Backend::all() {
        let whole = backend == Backend::Sqlite;
        for (nth, &transport) in script.transports.iter().enumerate() {
            let shards: &[u16] = if whole { &[1, 2] } else { &[1] };
            if whole || nth == 0 {
                plays.extend(shards.iter().map(|&shards| (backend, transport, shards)));
            }
        }
    }
    for (backend, transport, shards) in plays {
        if let Err(error) = perform(&script, backend, transport, shards) {
            let _ = writeln!(
                failures,
                "{name} over {}, {shards} shard(s), {}: {error}",
                transport.name(),
                backend.name()
            );
        }
    }
    assert!(
        !script.transports.is_empty(),
        "{name}: no `# transports:` line"
    );
    assert!(failures.is_empty(), "\n{failures}");
}

fn perform(
    script: &Script,
    backend: Backend,
    transport: Transport,
    shards: u16,
) -> Result<(), String> {
    let server = Server::start(&Setup {
        backend,
        shards,
        set: &script.set,
        sql: &script.sql,
    })?;
    let mut stage = Stage {
        server,
        transport,
        clients: BTreeMap::new(),
        captures: Captures::new(),
        heard: Vec::new(),
    };
    for line in &script.lines {
        stage.step(line).map_err(|error| {
            let heard = stage
                .heard
                .iter()
                .rev()
                .take(12)
                .rev()
                .cloned()
                .collect::<Vec<_>>()
                .join("\n    ");
            format!("{}: {error}\n  heard last:\n    {heard}", line.place)
        })?;
    }
    Ok(())
}

/// A dialogue on its way.
struct Stage {
    server: Server,
    transport: Transport,
    clients: BTreeMap<String, Client>,
    captures: Captures,
    /// For the report of a failure.
    heard: Vec<String>,
}

impl Stage {
    fn step(&mut self, line: &Line) -> Result<(), String> {
        let who = line.client.as_str();
        match &line.step {
            Step::Connect(transport) => self.connect(who, transport.unwrap_or(self.transport)),
            Step::Send(message) => {
                let message = filled(message, &self.captures)?;
                self.client(who)?.send(&message)
            }
            Step::Raw(bytes) => self.client(who)?.send_raw(bytes),
            Step::Next(pattern) => self.next(who, pattern),
            Step::Later(pattern) => self.later(who, pattern),
            Step::Quiet => self.fence(who).and_then(|between| {
                match between.iter().find(|m| !is_broadcast(m)) {
                    Some(message) => Err(format!(
                        "{who} should have heard nothing, but heard {message}"
                    )),
                    None => Ok(()),
                }
            }),
            Step::Unseen(pattern) => self.unseen(who, pattern),
            Step::Closed => self.closed(who),
            Step::Close => self
                .clients
                .remove(who)
                .map(drop)
                .ok_or_else(|| format!("{who} is not connected")),
            Step::Login(login) => self.login(who, login),
            Step::Sql(statement) => self.server.sql(statement),
            Step::Db(query, text) => self.database_says(query, text),
        }
    }

    /// Waits until the rows of a query, joined, are this text: what games leave is written after they were answered.
    fn database_says(&self, query: &str, text: &str) -> Result<(), String> {
        let mut query = query.to_owned();
        for (name, value) in &self.captures {
            query = query.replace(name.as_str(), &value.to_string());
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rows = self.server.database.rows(&query)?.join(", ");
            if rows == text {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{query}\n  should be  {text}\n  but is     {rows}"));
            }
            thread::sleep(POLL);
        }
    }

    fn connect(&mut self, who: &str, transport: Transport) -> Result<(), String> {
        let client = Client::connect(transport, self.server.address(transport)?)?;
        self.clients.insert(who.to_owned(), client);
        Ok(())
    }

    fn client(&mut self, who: &str) -> Result<&mut Client, String> {
        self.clients
            .get_mut(who)
            .ok_or_else(|| format!("{who} is not connected"))
    }

    fn receive(&mut self, who: &str) -> Result<Received, String> {
        let received = self.client(who)?.receive()?;
        self.heard.push(match &received {
            Received::Message(message) => format!("{who}< {message}"),
            Received::Closed => format!("{who}! closed"),
        });
        Ok(received)
    }

    fn message(&mut self, who: &str) -> Result<Value, String> {
        match self.receive(who)? {
            Received::Message(message) => Ok(message),
            Received::Closed => Err(format!("the connection of {who} was closed")),
        }
    }

    fn next(&mut self, who: &str, pattern: &Value) -> Result<(), String> {
        loop {
            let message = self.message(who)?;
            if matches(pattern, &message, &mut self.captures) {
                return Ok(());
            }
            if !is_broadcast(&message) || message["command"] == pattern["command"] {
                return Err(format!("{who} should hear {pattern}, but heard {message}"));
            }
        }
    }

    fn later(&mut self, who: &str, pattern: &Value) -> Result<(), String> {
        loop {
            let message = self
                .message(who)
                .map_err(|error| format!("waiting for {pattern}: {error}"))?;
            if matches(pattern, &message, &mut self.captures) {
                return Ok(());
            }
        }
    }

    /// Sends a ping and gives everything that came before its answer.
    fn fence(&mut self, who: &str) -> Result<Vec<Value>, String> {
        self.client(who)?.send(&json!({"command":"ping"}))?;
        let mut between = Vec::new();
        loop {
            let message = self.message(who)?;
            if message["command"] == "pong" {
                return Ok(between);
            }
            between.push(message);
        }
    }

    fn unseen(&mut self, who: &str, pattern: &Value) -> Result<(), String> {
        for message in self.fence(who)? {
            if matches(pattern, &message, &mut self.captures.clone()) {
                return Err(format!("{who} should not have heard {message}"));
            }
        }
        Ok(())
    }

    fn closed(&mut self, who: &str) -> Result<(), String> {
        loop {
            match self.receive(who)? {
                Received::Closed => {
                    return self.clients.remove(who).map(drop).ok_or_else(String::new);
                }
                Received::Message(message) if is_broadcast(&message) => {}
                Received::Message(message) => {
                    return Err(format!("{who} should be closed, but heard {message}"));
                }
            }
        }
    }

    /// spec: faf-lifecycle 3.1
    fn login(&mut self, who: &str, login: &str) -> Result<(), String> {
        if !self.clients.contains_key(who) {
            self.connect(who, self.transport)?;
        }
        let hash = Sha256::digest(password(login))
            .iter()
            .fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
        let hello = json!({"command":"hello","login":login,"password":hash,"unique_id":"u"});
        self.client(who)?.send(&hello)?;
        self.next(who, &json!({"command":"welcome","login":login,"...":true}))?;
        self.next(who, &json!({"command":"player_info","players":"<any>"}))?;
        self.next(who, &json!({"command":"social","...":true}))?;
        self.later(who, &json!({"command":"game_info","games":"<any>"}))
    }
}

fn is_broadcast(message: &Value) -> bool {
    let of = message["command"]
        .as_str()
        .is_some_and(|command| BROADCASTS.contains(&command));
    of && message.get("games").is_none()
}
