//! Dialogues that were recorded with the reference server, said to the lobby on one, two and three shards: clients get the
//! same, message by message. Where not, the difference stands in [`same`].
//!
//! What is not recorded (signing in, entering the room) is a scenario's set-up below. Lists of rooms and games have no place
//! among the other messages, and are compared without their order.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{decks, schema::Schema, *};

/// A recorded dialogue, and who has said what before it begins.
macro_rules! dialogues {
    ($($name:ident: $setup:expr;)+) => {
        $(
            #[test]
            fn $name() {
                const RECORDED: &str = include_str!(concat!(
                    "../../../../tests/transcripts/cockatrice/",
                    stringify!($name),
                    ".jsonl"
                ));
                play(RECORDED, $setup);
            }
        )+
    };
}

/// Somebody signs in.
const LOGIN: &str = "login";
/// They look at the rooms.
const LIST: &str = "Command_ListRooms";
/// They enter room 0.
const JOIN: &str = "Command_JoinRoom {room_id=0}";

dialogues! {
    chat_flood: &[("alice", &[LOGIN, JOIN]), ("bob", &[LOGIN, JOIN])];
    conn_command_order_in_container: &[("alice", &[LOGIN, JOIN])];
    conn_limit_per_address: &[];
    conn_websocket_handshake: &[];
    game_create_and_join: &[
        ("alice", &[LOGIN, LIST, JOIN]),
        ("bob", &[LOGIN, LIST, JOIN]),
        ("carol", &[LOGIN, LIST, JOIN]),
    ];
    game_host_migration: &[
        ("alice", &[LOGIN, JOIN]),
        ("bob", &[LOGIN, JOIN]),
        ("carol", &[LOGIN, JOIN]),
        ("dave", &[LOGIN, JOIN]),
    ];
    game_password: &[
        ("alice", &[LOGIN, JOIN]),
        ("bob", &[LOGIN, JOIN]),
        ("carol", &[LOGIN, JOIN]),
    ];
    games_of_user: &[
        ("alice", &[LOGIN, JOIN, "Command_CreateGame {}"]),
        ("bob", &[LOGIN, JOIN]),
    ];
    login_anonymous: &[];
    login_shared_password: &[];
    private_messages: &[("alice", &[LOGIN]), ("bob", &[LOGIN])];
    rooms_basic: &[("alice", &[LOGIN]), ("bob", &[LOGIN])];
    rooms_history: &[
        ("alice", &[
            LOGIN,
            JOIN,
            "Command_RoomSay room=0 {message=message 2}",
            "Command_RoomSay room=0 {message=message 3}",
            "Command_RoomSay room=0 {message=message 4}",
            "Command_RoomSay room=0 {message=message 5}",
            "Command_RoomSay room=0 {message=message 6}",
        ]),
        ("bob", &[LOGIN]),
    ];
    user_list_events: &[("early", &[LOGIN]), ("alice", &[LOGIN])];
}

const ROOMS: &str = r#"[
    {"name": "General", "description": "Main room", "auto_join": true, "history": 5,
     "join_message": "Welcome to General", "game_types": ["Standard", "Modern", "Draft"]},
    {"name": "Members", "description": "Registered only", "permission": "registered", "game_types": ["Casual"]},
    {"name": "Staff", "description": "Moderators", "permission": "moderator", "history": 2},
    {"name": "Vips", "description": "VIP", "privilege": "vip", "history": 2, "game_types": ["Any"]}
]"#;

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

/// What is said in the course of a dialogue and not recorded: before which step, who, what.
fn unrecorded(scenario: &str, step: u64) -> &'static [(&'static str, &'static str)] {
    match (scenario, step) {
        ("game_host_migration", 2) => &[
            ("bob", "Command_JoinGame room=0"),
            ("carol", "Command_JoinGame room=0"),
            ("dave", "Command_JoinGame room=0 {spectator=True}"),
        ],
        ("game_password", 7) => &[(
            "bob",
            "Command_CreateGame {password=other, spectators_need_password=True}",
        )],
        _ => &[],
    }
}

/// An action as it was, where its record does not say it: that game is one that is not there.
fn recalled<'a>(scenario: &str, step: u64, action: &'a str) -> &'a str {
    match (scenario, step) {
        ("game_create_and_join", 6) => "Command_JoinGame room=0 {game_id=4711}",
        _ => action,
    }
}

/// The server of a profile, with ticks as long as the reference's.
pub(super) fn server(profile: &str) -> Settings {
    let mut set = Settings {
        name: "Harness server".to_owned(),
        rooms: ROOMS.to_owned(),
        tick: Duration::from_secs(1),
        inactivity: 100_000,
        chat_messages: 1_000,
        chat_bytes: 100_000,
        game_commands: 1_000,
        ..settings()
    };
    match profile {
        "password" => {
            set.method = Method::Password;
            set.password = "sesame".to_owned();
        }
        "limits" => {
            set.chat_messages = 4;
            set.chat_bytes = 60;
            set.game_commands = 6;
            set.games_per_user = 2;
            set.per_address = Some(2);
        }
        "sql" => set.method = Method::Accounts,
        _ => assert_eq!(profile, "none"),
    }
    set
}

/// Who has said what before a dialogue begins.
type Setup = &'static [(&'static str, &'static [&'static str])];

fn play(recorded: &str, setup: Setup) {
    for shards in 1..=3 {
        let mut lines = recorded.lines().map(|line| {
            let line: Value = serde_json::from_str(line).expect("a line is JSON");
            line
        });
        let head = lines.next().expect("a head");
        let profile = head["profile"].as_str().expect("a profile");
        let mut stage = Stage::new(simulator(shards, 1, server(profile)));
        if profile == "limits" {
            stage.sim.address = [192, 0, 2, 9].into();
        }
        for (label, actions) in setup {
            for action in *actions {
                let action = action.replace(LOGIN, &format!("login as {label}"));
                stage.act(label, &action);
            }
        }
        stage.pass();
        stage.heard();
        for line in lines {
            let action = line["action"].as_str().expect("an action");
            if action == "eleven seconds later" {
                stage.sim.advance(Duration::from_secs(11));
                continue;
            }
            let scenario = head["scenario"].as_str().expect("a name");
            let step = line["step"].as_u64().expect("a number");
            for (label, action) in unrecorded(scenario, step) {
                stage.act(label, action);
                stage.pass();
                stage.heard();
            }
            let (label, action) = action.split_once(": ").expect("who does what");
            stage.act(label, recalled(scenario, step, action));
            stage.pass();
            let heard = stage.heard();
            if let Err(fault) = stage.compare(&line["recv"], &heard) {
                panic!("{scenario} on {shards} shards, step {step} ({action}): {fault}");
            }
        }
    }
}

/// A dialogue that is being played.
pub(super) struct Stage {
    pub(super) sim: Sim,
    schema: Schema,
    conns: BTreeMap<String, ConnId>,
    /// The last id that each client gave a command.
    ids: BTreeMap<String, u64>,
    /// What placeholders stand for.
    bound: BTreeMap<String, Value>,
    game: u64,
    /// Where it is recorded how many commands were given before, but not which: ids of what was sent since the last look.
    pub(super) sent: Option<BTreeMap<String, Vec<u64>>>,
    /// Ends of paths to what is wanted to be different here from what was recorded.
    pub(super) differs: Vec<String>,
}

/// What a client received: in order, lists, and whether it was ended.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) main: Vec<Value>,
    lists: Vec<Value>,
    closed: bool,
}

impl Stage {
    pub(super) fn new(sim: Sim) -> Self {
        Stage {
            sim,
            schema: Schema::read(),
            conns: BTreeMap::new(),
            ids: BTreeMap::new(),
            bound: BTreeMap::new(),
            game: 0,
            sent: None,
            differs: Vec::new(),
        }
    }

    /// As long as recordings waited for what else might come: less than a tick.
    pub(super) fn pass(&mut self) {
        self.sim.advance(Duration::from_millis(260));
    }

    pub(super) fn act(&mut self, label: &str, action: &str) {
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
                Some(name) => self.sign_in(label, &format!("Command_Login {{user_name={name}}}")),
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
        if !self.conns.contains_key(label) {
            self.connect(label, Format::PrefixedBigEndian);
        }
        self.container(label, "session_command", &[command]);
    }

    /// Sends commands in one container; a group that is not named is that of the command.
    pub(super) fn container(&mut self, label: &str, group: &str, commands: &[&str]) {
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
        let (head, fields) = text.split_once('{').unwrap_or((text, ""));
        let name = head.split(' ').next().expect("a name");
        let message = name.replace('_', "");
        let (shell, _) = self.schema.shell_of(&message);
        let group = match shell {
            "SessionCommand" => "session_command",
            "RoomCommand" => "room_command",
            "GameCommand" => "game_command",
            other => panic!("{other}"),
        };
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
    pub(super) fn heard(&mut self) -> BTreeMap<String, Heard> {
        let mut all = BTreeMap::new();
        for (label, &conn) in &self.conns {
            let mut heard = Heard {
                closed: matches!(self.sim.client(conn).closed, Some(crate::Closing::Flushed)),
                ..Heard::default()
            };
            for bytes in self.sim.take_raw(conn) {
                let message = plain(self.schema.decode("ServerMessage", &bytes));
                if let Some(game) = message.pointer("/Event_GameJoined/game_info/game_id") {
                    self.game = game.as_u64().expect("a number");
                }
                match message.to_string() {
                    text if text.contains("Context_PingChanged") => {}
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

    pub(super) fn compare(
        &mut self,
        expected: &Value,
        heard: &BTreeMap<String, Heard>,
    ) -> Result<(), String> {
        let nothing = json!({});
        for (label, heard) in heard {
            let expected = expected.get(label).unwrap_or(&nothing);
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
            (Value::String(text), value) if text.starts_with('<') && text.ends_with('>') => {
                if !text.contains(':') {
                    return Ok(());
                }
                let bound = self
                    .bound
                    .entry(text.clone())
                    .or_insert_with(|| value.clone());
                match bound == value {
                    true => Ok(()),
                    false => Err(format!("{path}: {text} was {bound} and is {value}")),
                }
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
                    self.same(&format!("{path}/{name}"), expected, heard)?;
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

/// A place among lists that both sides agree on: rooms first, games with all their fields last.
fn rank(message: &Value) -> (bool, usize) {
    let games = message.pointer("/Event_ListGames/game_list/0");
    let fields = games.and_then(Value::as_object).map_or(0, Map::len);
    (games.is_some(), fields.min(4))
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
