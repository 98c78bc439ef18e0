//! A dialogue that is being played: what is said to the lobby, and whether clients get what was recorded.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use cockatrice::accounts::{hash, salt_of};
use lobby::{Closing, ConnId};
use serde_json::{Map, Value, json};
use wire::Format;

use super::{Sim, accounts::password_of, decks, replays, schema::Schema};

/// What today's clients can.
const FEATURES: [&str; 12] = [
    "2.7.0_min_version",
    "2.8.0_min_version",
    "client_id",
    "client_ver",
    "client_warnings",
    "feature_set",
    "forgot_password",
    "idle_client",
    "mod_log_lookup",
    "room_chat_history",
    "user_ban_history",
    "websocket",
];

/// What is of use later where somebody is told it.
const USEFUL: [&str; 2] = [
    "/Response_ReplayGetCode/replay_code",
    "/Response_ResetUserPassword/temporary_password",
];

/// What commands extend, and where a container has them.
const GROUPS: [(&str, &str); 5] = [
    ("SessionCommand", "session_command"),
    ("RoomCommand", "room_command"),
    ("GameCommand", "game_command"),
    ("ModeratorCommand", "moderator_command"),
    ("AdminCommand", "admin_command"),
];

/// A dialogue that is being played.
pub(crate) struct Stage {
    pub(crate) sim: Sim,
    schema: Schema,
    conns: BTreeMap<String, ConnId>,
    /// The last id that each client gave a command.
    ids: BTreeMap<String, u64>,
    /// What placeholders stand for.
    bound: BTreeMap<String, Value>,
    game: u64,
    /// What somebody was told last that is of use later: the code of a replay, a password for once.
    pub(crate) told: String,
    /// What was received before the answer to a question that was not recorded.
    early: BTreeMap<String, Vec<Bytes>>,
    /// Where it is recorded how many commands were given before, but not which: ids of what was sent since the last look.
    pub(crate) sent: Option<BTreeMap<String, Vec<u64>>>,
    /// Ends of paths to what is wanted to be different here from what was recorded, and who is to hear nothing.
    pub(crate) differs: Vec<String>,
}

/// What a client received: in order, lists, and whether it was ended.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) main: Vec<Value>,
    lists: Vec<Value>,
    pub(crate) closed: bool,
}

impl Stage {
    pub(crate) fn new(sim: Sim) -> Self {
        Stage {
            sim,
            schema: Schema::read(),
            conns: BTreeMap::new(),
            ids: BTreeMap::new(),
            bound: BTreeMap::new(),
            game: 0,
            told: String::new(),
            early: BTreeMap::new(),
            sent: None,
            differs: Vec::new(),
        }
    }

    /// As long as recordings waited for what else might come: less than a tick.
    pub(crate) fn pass(&mut self) {
        self.sim.advance(Duration::from_millis(260));
    }

    pub(crate) fn act(&mut self, label: &str, action: &str) {
        match action {
            "disconnect" => {
                let conn = self.conns.remove(label).expect("a connection");
                self.sim.disconnect(conn);
                self.sim.settle();
            }
            "connect tcp" => self.connect(label, Format::PrefixedBigEndian),
            "open tcp" => self.open(label, Format::PrefixedBigEndian),
            "empty container" => {
                let conn = self.conns[label];
                self.sim.send(conn, Vec::new());
            }
            "connect ws" => self.connect(label, Format::WebSocketBinary),
            "ListUsers + JoinRoom(99)" => {
                self.container(
                    label,
                    "session_command",
                    &["Command_ListUsers", "Command_JoinRoom {room_id=99}"],
                );
            }
            "JoinRoom(99) + AddToList" => {
                self.container(
                    label,
                    "session_command",
                    &[
                        "Command_JoinRoom {room_id=99}",
                        "Command_AddToList {list=buddy, user_name=x}",
                    ],
                );
            }
            "two RoomSay in one container" => {
                self.container(
                    label,
                    "room_command",
                    &[
                        "Command_RoomSay {message=first}",
                        "Command_RoomSay {message=second}",
                    ],
                );
            }
            "session and room command in one container" => {
                self.container(label, "room_command", &["Command_RoomSay {message=mixed}"]);
            }
            "Command_CreateGame room=0 300 byte password" => {
                let long = format!("Command_CreateGame {{password={}}}", "p".repeat(300));
                self.container(label, "room_command", &[&long]);
            }
            // Of a server with a shared password it is not recorded which one was given.
            "Command_Login" => {
                let count = self.ids.get(label).copied().unwrap_or_default();
                let password = if label == "a" && count == 0 {
                    "wrong"
                } else {
                    "sesame"
                };
                self.sign_in(
                    label,
                    &format!("Command_Login {{user_name=guest, password={password}}}"),
                );
            }
            action if action.starts_with("Command_Login {") => self.sign_in(label, action),
            action => match action.strip_prefix("login as ") {
                Some(name) => self.sign_in_as(label, name),
                None => self.container(label, "", &[action]),
            },
        }
        self.sim.settle();
    }

    fn connect(&mut self, label: &str, format: Format) {
        self.open(label, format);
        if format == Format::PrefixedBigEndian {
            let conn = self.conns[label];
            self.sim.send(conn, Vec::new());
        }
        self.sim.settle();
    }

    /// A connection on which nothing is said.
    fn open(&mut self, label: &str, format: Format) {
        self.sim.format = format;
        let shard = self.sim.connections() % u32::from(self.sim.shards());
        let conn = self.sim.connect(shard as u16);
        self.sim.settle();
        self.conns.insert(label.to_owned(), conn);
    }

    fn sign_in(&mut self, label: &str, command: &str) {
        self.container(label, "session_command", &[command]);
    }

    /// `NAME`, or `NAME with PASSWORD`. As clients do it: whoever has a password asks for its salt first.
    fn sign_in_as(&mut self, label: &str, words: &str) {
        let (name, password) = match words.split_once(" with ") {
            Some((name, password)) => (name, Some(password)),
            None => (words, password_of(words)),
        };
        let login = format!("Command_Login {{user_name={name}, clientid=cid-{name}");
        let Some(password) = password else {
            return self.sign_in(label, &format!("{login}}}"));
        };
        let proof = match self.salt(label, name) {
            Some(salt) => format!("hashed_password={}", hash(password, salt_of(&salt))),
            None => format!("password={password}"),
        };
        self.sign_in(label, &format!("{login}, {proof}}}"));
    }

    /// Asks for the salt of a name's password, of which recordings say nothing.
    fn salt(&mut self, label: &str, name: &str) -> Option<String> {
        let sent = self.sent.take();
        let asked = format!("Command_RequestPasswordSalt {{user_name={name}}}");
        self.container(label, "session_command", &[&asked]);
        self.sent = sent;
        self.sim.settle();
        let mut received = self.sim.take_raw(self.conns[label]);
        let answer = received.pop().expect("an answer");
        self.early
            .entry(label.to_owned())
            .or_default()
            .extend(received);
        let answer = self.schema.decode("ServerMessage", &answer);
        let salt = answer.pointer("/response/Response_PasswordSalt/password_salt")?;
        salt.as_str().map(str::to_owned)
    }

    /// Sends commands in one container; a group that is not named is that of the command.
    pub(crate) fn container(&mut self, label: &str, group: &str, commands: &[&str]) {
        if !self.conns.contains_key(label) {
            self.connect(label, Format::PrefixedBigEndian);
        }
        let id = self.ids.entry(label.to_owned()).or_default();
        *id += 1;
        if let Some(sent) = &mut self.sent {
            sent.entry(label.to_owned()).or_default().push(*id);
        }
        let mut container = json!({ "cmd_id": *id });
        for command in commands {
            let (own_group, shell, body) = self.command(command);
            let group = if group.is_empty() { own_group } else { group };
            if group == "room_command" {
                container["room_id"] = json!(room_of(command));
            }
            if group == "game_command" {
                container["game_id"] = json!(self.game);
            }
            let list = container.as_object_mut().expect("an object");
            let list = list.entry(group).or_insert_with(|| json!([]));
            let entry = Value::Object(Map::from_iter([(shell, body)]));
            list.as_array_mut().expect("a list").push(entry);
        }
        let bytes = self.schema.encode("CommandContainer", &container);
        let conn = self.conns[label];
        self.sim.send(conn, bytes);
    }

    /// Reads `Command_NAME WHERE {FIELD=VALUE, ...}`: its group, its name, its fields.
    fn command(&self, text: &str) -> (&'static str, String, Value) {
        if let Some(text) = text.strip_prefix("judge as player ") {
            return self.judge(text);
        }
        if let Some(text) = text.strip_prefix("unknown ") {
            let (group, number) = text.split_once(' ').expect("which group, and a number");
            let groups = GROUPS.iter().map(|(_, group)| *group);
            let group = groups.clone().find(|known| *known == group);
            return (group.expect("a group"), number.to_owned(), json!({}));
        }
        let (head, fields) = text.split_once('{').unwrap_or((text, ""));
        let name = head.split(' ').next().expect("a name");
        let message = name.replace('_', "");
        let (shell, _) = self.schema.shell_of(&message);
        let group = GROUPS.iter().find(|(known, _)| *known == shell);
        let (_, group) = *group.expect("a group");
        let mut body = match name {
            "Command_CreateGame" => json!({
                "description": "test game", "max_players": 2, "spectators_allowed": true,
                "spectators_can_talk": true,
            }),
            "Command_JoinGame" => json!({ "game_id": self.game }),
            "Command_Login" => json!({ "clientfeatures": FEATURES }),
            _ => json!({}),
        };
        for (field, value) in pairs(fields.strip_suffix('}').unwrap_or(fields)) {
            let kind = self.schema.kind(&message, field);
            body[field] = match (kind, value) {
                ("string", value) if !value.starts_with('[') => json!(uncut(field, value)),
                ("bytes", value) => json!(value),
                (_, value) => written(value),
            };
        }
        (group, name.to_owned(), body)
    }

    /// Reads `TARGET: NAME {FIELD=VALUE, ...} + ...`: what a judge makes somebody do.
    fn judge(&self, text: &str) -> (&'static str, String, Value) {
        let (target, commands) = text.split_once(':').expect("whom, and what");
        let target: i32 = target.parse().expect("a number");
        let commands = commands.split(" + ").map(str::trim);
        let commands = commands.filter(|command| !command.is_empty());
        let commands = commands.map(|command| {
            let (_, name, body) = self.command(&format!("Command_{command}"));
            json!({ name: body })
        });
        let commands: Vec<Value> = commands.collect();
        let body = json!({ "target_id": target, "game_command": commands });
        ("game_command", "Command_Judge".to_owned(), body)
    }

    /// What each client has received since the last time.
    pub(crate) fn heard(&mut self) -> BTreeMap<String, Heard> {
        let mut all = BTreeMap::new();
        for (label, &conn) in &self.conns {
            let mut heard = Heard {
                closed: matches!(self.sim.client(conn).closed, Some(Closing::Flushed)),
                ..Heard::default()
            };
            let mut received = self.early.remove(label).unwrap_or_default();
            received.extend(self.sim.take_raw(conn));
            for bytes in received {
                let message = plain(self.schema.decode("ServerMessage", &bytes));
                if let Some(game) = message.pointer("/Event_GameJoined/game_info/game_id") {
                    self.game = game.as_u64().expect("a number");
                }
                let told = USEFUL
                    .iter()
                    .find_map(|path| message.pointer(path)?.as_str());
                if let Some(told) = told {
                    self.told = told.to_owned();
                }
                match message.to_string() {
                    _ if is_ping(&message) => {}
                    text if text.contains("\"Event_ListRooms\"")
                        || text.contains("\"Event_ListGames\"") =>
                    {
                        heard.lists.push(message);
                    }
                    _ => heard.main.push(message),
                }
            }
            all.insert(label.clone(), heard);
        }
        let ended = all.iter().filter(|(_, heard)| heard.closed);
        for (label, _) in ended {
            self.conns.remove(label);
        }
        all
    }

    pub(crate) fn compare(
        &mut self,
        expected: &Value,
        heard: &BTreeMap<String, Heard>,
    ) -> Result<(), String> {
        let nothing = json!({});
        for (label, heard) in heard {
            let hushed = self.differs.contains(label);
            let expected = expected.get(label).filter(|_| !hushed);
            let expected = expected.unwrap_or(&nothing);
            if heard.closed != expected.get("closed").is_some() {
                return Err(format!("{label} was closed: {}", heard.closed));
            }
            let list = |name: &str| expected[name].as_array().cloned().unwrap_or_default();
            let mut main = list("main");
            self.renumber(label, &mut main);
            let (mut lists, mut own) = (list("lists"), heard.lists.clone());
            for list in [&mut lists, &mut own] {
                list.retain(|message| !is_empty_record(message));
                list.sort_by_key(rank);
            }
            for (expected, heard) in [(main, &heard.main), (lists, &own)] {
                let expected = Value::Array(expected);
                let heard = Value::Array(heard.clone());
                self.same("", &expected, &heard).map_err(|fault| {
                    format!("{label}: {fault}\nexpected {expected}\nheard {heard}")
                })?;
            }
        }
        if let Some(sent) = &mut self.sent {
            sent.clear();
        }
        Ok(())
    }

    /// Responses have the ids of what was sent here, one after the other.
    fn renumber(&self, label: &str, messages: &mut [Value]) {
        let Some(sent) = self.sent.as_ref().and_then(|sent| sent.get(label)) else {
            return;
        };
        let ids = messages
            .iter_mut()
            .filter_map(|message| message.get_mut("cmd"));
        let ids = ids.filter(|id| **id != json!(u64::MAX));
        for (id, sent) in ids.zip(sent) {
            *id = json!(sent);
        }
    }

    /// Whether what was heard is what was recorded. A placeholder is anything, one with a number the same each time.
    /// Differences that are wanted: of a host nothing private is told (spec: cockatrice-behaviour 17.1), and a list of
    /// games says a game's types once (13.7).
    fn same(&mut self, path: &str, expected: &Value, heard: &Value) -> Result<(), String> {
        if self.differs.iter().any(|end| path.ends_with(end)) {
            return match expected == heard {
                true => Err(format!("{path} is no longer different")),
                false => Ok(()),
            };
        }
        match (expected, heard) {
            (Value::String(text), value) if is_placeholder(text) => match text.contains(':') {
                false => Ok(()),
                true => self.stands_for(path, text, value.clone()),
            },
            (Value::String(expected), Value::String(heard)) if expected != heard => {
                let (head, word, tail) = within(expected)
                    .ok_or_else(|| format!("{path} is {heard:?} instead of {expected:?}"))?;
                let found = heard
                    .strip_prefix(head)
                    .and_then(|it| it.strip_suffix(tail));
                let found = found.and_then(|it| it.parse::<u64>().ok());
                let found = found.ok_or_else(|| format!("{path} is {heard}"))?;
                self.stands_for(path, word, json!(found))
            }
            (recorded @ Value::Object(_), replay) if path.ends_with("/replay_data#") => {
                let shown = replays::shown(recorded, replay.clone());
                self.same(path.trim_end_matches('#'), recorded, &shown)
            }
            (Value::Object(expected), Value::Object(heard)) => {
                let is_private = |name: &str| {
                    path.ends_with("/host_info")
                        && matches!(name, "address" | "email" | "id" | "session_id")
                        || path.contains("/Event_ListGames/") && name == "game_types"
                };
                let names = expected.keys().chain(heard.keys());
                for name in names.filter(|name| !is_private(name)) {
                    let (Some(expected), Some(heard)) = (expected.get(name), heard.get(name))
                    else {
                        return Err(format!("{path}/{name} is only in one"));
                    };
                    let mark = if name == "replay_data" { "#" } else { "" };
                    self.same(&format!("{path}/{name}{mark}"), expected, heard)?;
                }
                Ok(())
            }
            (Value::Array(expected), Value::Array(heard)) => {
                if expected.len() != heard.len() {
                    return Err(format!(
                        "{path} has {} instead of {}",
                        heard.len(),
                        expected.len()
                    ));
                }
                for (index, (expected, heard)) in expected.iter().zip(heard).enumerate() {
                    self.same(&format!("{path}/{index}"), expected, heard)?;
                }
                Ok(())
            }
            _ if expected == heard => Ok(()),
            _ => Err(format!("{path} is {heard} instead of {expected}")),
        }
    }
}

impl Stage {
    /// A placeholder with a number stands for the same each time.
    fn stands_for(&mut self, path: &str, word: &str, value: Value) -> Result<(), String> {
        let bound = self.bound.entry(word.to_owned());
        let bound = bound.or_insert_with(|| value.clone());
        match *bound == value {
            true => Ok(()),
            false => Err(format!("{path}: {word} was {bound} and is {value}")),
        }
    }
}

/// Whether a text is nothing but a placeholder.
fn is_placeholder(text: &str) -> bool {
    let inner = text.strip_prefix('<').and_then(|it| it.strip_suffix('>'));
    inner.is_some_and(|inner| !inner.contains(['<', '>']))
}

/// A placeholder inside a text, with what stands in front of it and behind it.
fn within(text: &str) -> Option<(&str, &str, &str)> {
    let (start, end) = (text.find('<')?, text.find('>')? + 1);
    let word = text.get(start..end)?;
    word.contains(':')
        .then_some((&text[..start], word, &text[end..]))
}

/// A place among lists that both sides agree on: rooms first, games with all their fields last.
fn rank(message: &Value) -> (bool, usize) {
    let games = message.pointer("/Event_ListGames/game_list/0");
    let fields = games.and_then(Value::as_object).map_or(0, Map::len);
    (games.is_some(), fields.min(4))
}

/// Whether a message tells how silent somebody is.
fn is_ping(message: &Value) -> bool {
    message.pointer("/context/Context_PingChanged").is_some()
}

/// Whether a list says nothing.
fn is_empty_record(message: &Value) -> bool {
    message.pointer("/Event_ListGames/game_list") == Some(&json!([]))
}

/// A message as recorded dialogues have it: what kind it is, and the content of its kind.
fn plain(message: Value) -> Value {
    let kinds = [
        ("response", "response"),
        ("session_event", "session"),
        ("room_event", "room"),
        ("game_event_container", "game"),
    ];
    let (field, kind) = kinds
        .into_iter()
        .find(|(field, _)| message.get(field).is_some())
        .expect("a kind");
    let mut content = message[field].clone();
    decks::show(&mut content);
    let object = content.as_object_mut().expect("an object");
    object.insert("t".to_owned(), json!(kind));
    for (from, to) in [("cmd_id", "cmd"), ("response_code", "code")] {
        if let Some(value) = object.remove(from) {
            object.insert(to.to_owned(), value);
        }
    }
    content
}

/// `FIELD=VALUE` after each other, with commas between them; a value may hold commas.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while let Some((name, value)) = rest.split_once('=') {
        let ends = value.match_indices(", ").map(|(at, _)| at);
        let end = ends.into_iter().find(|at| {
            let next = value[at + 2..].split('=').next().unwrap_or_default();
            value[at + 2..].contains('=')
                && next.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        });
        let end = end.unwrap_or(value.len());
        pairs.push((name, &value[..end]));
        rest = value.get(end + 2..).unwrap_or_default();
    }
    pairs
}

/// What stands in a record for a value that is no text, or for a list of texts.
fn written(value: &str) -> Value {
    let json = value
        .replace('\'', "\"")
        .replace("True", "true")
        .replace("False", "false");
    serde_json::from_str(&json).unwrap_or_else(|fault| panic!("{json}: {fault}"))
}

/// A text that was cut when it was recorded, at a length that does what the long one did.
fn uncut(field: &str, text: &str) -> String {
    let Some(head) = text.strip_suffix("...") else {
        return text.to_owned();
    };
    let length = if field == "password" { 300 } else { 50 };
    head.chars().cycle().take(length).collect()
}

/// The room of `room=N`, otherwise the first.
fn room_of(command: &str) -> u32 {
    let number = command
        .split(' ')
        .find_map(|word| word.strip_prefix("room="));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
