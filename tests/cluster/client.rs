//! A player on one connection who writes down everything that he hears, with its time, and keeps the picture that follows.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{PATIENCE, support::player::hello};

/// What a player knows of everybody, by numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Picture {
    pub(crate) players: BTreeMap<u64, Value>,
    pub(crate) games: BTreeMap<u64, Value>,
}

impl Picture {
    fn apply(&mut self, message: &Value) {
        let list = |of: &str| message[of].as_array().cloned();
        match message["command"].as_str() {
            Some("player_info") => {
                for player in list("players").unwrap_or_else(|| vec![message.clone()]) {
                    let id = player["id"].as_u64().unwrap();
                    if player["state"] == "offline" {
                        self.players.remove(&id);
                    } else {
                        self.players.insert(id, player);
                    }
                }
            }
            Some("game_info") => {
                for mut game in list("games").unwrap_or_else(|| vec![message.clone()]) {
                    let uid = game["uid"].as_u64().unwrap();
                    if game["state"] == "closed" {
                        self.games.remove(&uid);
                    } else {
                        game["command"] = json!("game_info"); // which those of a list do not have
                        self.games.insert(uid, game);
                    }
                }
            }
            _ => {}
        }
    }
}

/// What one connection has heard.
pub(crate) struct Heard {
    pub(crate) login: String,
    /// On which node, by its place in the cluster.
    pub(crate) node: usize,
    log: Mutex<Log>,
    news: Condvar,
}

#[derive(Default)]
pub(crate) struct Log {
    pub(crate) messages: Vec<(Instant, Value)>,
    pub(crate) picture: Picture,
    /// Since when he is somebody, and who.
    pub(crate) welcomed: Option<(Instant, u64)>,
    /// When the connection ended, whoever ended it.
    pub(crate) ended: Option<Instant>,
    /// The test has ended it.
    pub(crate) has_left: bool,
}

impl Heard {
    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        // Whoever waited in vain had it locked; the others go on.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, message: Value) {
        let mut log = self.log();
        let now = Instant::now();
        if message["command"] == "welcome" {
            log.welcomed = Some((now, message["id"].as_u64().unwrap()));
        }
        log.picture.apply(&message);
        log.messages.push((now, message));
        drop(log);
        self.news.notify_all();
    }

    fn end(&self, has_left: bool) {
        let mut log = self.log();
        log.has_left |= has_left && log.ended.is_none();
        log.ended.get_or_insert_with(Instant::now);
        drop(log);
        self.news.notify_all();
    }

    /// Whether he is somebody and still connected.
    pub(crate) fn is_in(&self) -> bool {
        let log = self.log();
        log.welcomed.is_some() && log.ended.is_none()
    }
}

/// The player; he leaves with this value.
pub(crate) struct Client {
    pub(crate) heard: Arc<Heard>,
    stream: Arc<Mutex<TcpStream>>,
    /// How much of the log [`Client::until`] has gone through.
    at: usize,
}

impl Client {
    /// Connected to a node, and says who he is.
    pub(crate) fn greeting(address: SocketAddr, node: usize, login: &str) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        let client = Client {
            heard: Arc::new(Heard {
                login: login.to_owned(),
                node,
                log: Mutex::default(),
                news: Condvar::new(),
            }),
            stream: Arc::new(Mutex::new(stream)),
            at: 0,
        };
        let (heard, back) = (client.heard.clone(), client.stream.clone());
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                let message: Value = serde_json::from_str(&line).unwrap();
                if message["command"] == "ping" {
                    let _ = back.lock().unwrap().write_all(b"{\"command\":\"pong\"}\n");
                }
                heard.note(message);
            }
            heard.end(false);
        });
        client.send(&hello(login));
        client
    }

    /// Says something. Whether anybody hears it shows in what comes back.
    pub(crate) fn send(&self, message: &Value) {
        let line = format!("{message}\n");
        let _ = self.stream.lock().unwrap().write_all(line.as_bytes());
    }

    /// A message of the game.
    pub(crate) fn game(&self, command: &str, args: Value) {
        self.send(&json!({"command":command,"target":"game","args":args}));
    }

    pub(crate) fn login(&self) -> &str {
        &self.heard.login
    }

    /// His account's number.
    pub(crate) fn id(&self) -> u64 {
        self.heard.log().welcomed.expect("he has signed in").1
    }

    /// What he knows of everybody now.
    pub(crate) fn picture(&self) -> Picture {
        self.heard.log().picture.clone()
    }

    /// The first message that fits after those he has been asked for before; a panic if the connection ends before it.
    pub(crate) fn until(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        match self.or_end(what, fits) {
            Some(message) => message,
            None => panic!(
                "{}: closed before {what}: {:#?}",
                self.login(),
                self.last_words()
            ),
        }
    }

    /// The first message of this command.
    pub(crate) fn command(&mut self, command: &str) -> Value {
        self.until(command, |message| message["command"] == command)
    }

    /// The first message that fits; nothing if the connection ends before.
    pub(crate) fn or_end(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + PATIENCE;
        let heard = self.heard.clone();
        let mut log = heard.log();
        loop {
            while let Some((_, message)) = log.messages.get(self.at) {
                self.at += 1;
                if fits(message) {
                    return Some(message.clone());
                }
            }
            if log.ended.is_some() {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(log);
                let (login, words) = (self.login(), self.last_words());
                panic!("{login} waited in vain for {what}: {words:#?}");
            }
            let waited = heard.news.wait_timeout(log, left);
            log = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until the connection has ended; what he was told last, lists left out.
    pub(crate) fn until_ended(&mut self) -> Vec<Value> {
        let told = self.or_end("the end", |_| false);
        assert_eq!(told, None);
        self.last_words()
    }

    /// The last that he heard, lists left out.
    pub(crate) fn last_words(&self) -> Vec<Value> {
        let log = self.heard.log();
        let words = log.messages.iter().map(|(_, message)| message);
        let is_list = |message: &&Value| {
            let lists = ["player_info", "game_info", "ping", "pong", "social"];
            lists.iter().any(|command| message["command"] == **command)
        };
        let rest: Vec<&Value> = words.filter(|message| !is_list(message)).collect();
        let from = rest.len().saturating_sub(8);
        rest[from..].iter().copied().cloned().collect()
    }

    /// Asks whether the server hears him, and waits for the answer; how long that took.
    pub(crate) fn is_heard(&mut self) -> Duration {
        self.skip();
        let asked = Instant::now();
        self.send(&json!({"command":"ping"}));
        self.command("pong");
        asked.elapsed()
    }

    /// What was heard so far is not looked at again.
    pub(crate) fn skip(&mut self) {
        self.at = self.heard.log().messages.len();
    }

    /// Hangs up.
    pub(crate) fn leave(self) {
        drop(self);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.heard.end(true);
        let _ = self.stream.lock().unwrap().shutdown(Shutdown::Both);
    }
}
