//! Every message, with every field missing, of every wrong kind, out of range, huge, nested, repeated.
//!
//! The table says what each field is; the rules of faf-messages 1 say what then happens. Whatever was sent: nobody
//! panics, others are served on, and the player themselves can sign in again and host.

use super::*;

/// Where the sender of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scene {
    /// Not signed in.
    Stranger,
    /// Signed in, doing nothing.
    Idle,
    /// In the lobby of their own game.
    Host,
    /// In somebody's lobby.
    LoginId,
    /// In a game that was launched.
    Playing,
}

/// What a field holds, and with it what happens if it holds something else.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    /// A whole number, perhaps as text.
    Id,
    /// A whole number that may be missing.
    MayId,
    /// Text.
    Text,
    /// Text that may be missing, null or empty.
    MayText,
    /// A number that may be missing or null.
    MayNumber,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A word that must be there; an unknown one does nothing.
    AnyWord,
    /// Whatever there is does no harm.
    Any,
    /// The specification does not say.
    Unstated,
}

/// What a message leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The connection stays, whatever was answered.
    Stays,
    /// It ends without a word.
    Silent,
    /// It ends after `invalid`.
    Invalid,
    /// It ends after a notice.
    Notice,
}

use Field::{Any, AnyWord, Id, MayId, MayNumber, MayText, Text, Unstated, Words};
use Scene::{Host, Idle, LoginId, Playing, Stranger};

/// A message that is in order, where it is sent from, and its fields.
pub(super) type Message = (&'static str, Scene, &'static [(&'static str, Field)]);

pub(super) const LOBBY: &[Message] = &[
    (
        r#"{"command":"ask_session","version":"1","user_agent":"x"}"#,
        Stranger,
        &[("version", Any), ("user_agent", MayText)],
    ),
    (
        r#"{"command":"auth","token":"p2","unique_id":"u","session":1}"#,
        Stranger,
        &[("token", Text), ("unique_id", Text), ("session", Any)],
    ),
    (
        r#"{"command":"hello","login":"p2","password":"x","unique_id":"u"}"#,
        Stranger,
        &[("login", Text), ("password", Text), ("unique_id", Text)],
    ),
    (
        r#"{"command":"create_account","login":"x"}"#,
        Stranger,
        &[("login", Any)],
    ),
    (r#"{"command":"ping"}"#, Stranger, &[]),
    (r#"{"command":"pong"}"#, Stranger, &[]),
    (r#"{"command":"matchmaker_info"}"#, Idle, &[]),
    (
        r#"{"command":"game_host","visibility":"public","title":"t","mod":"faf","mapname":"m","password":"p","rating_min":1,"rating_max":2,"enforce_rating_range":true,"options":[]}"#,
        Idle,
        &[
            ("visibility", Words(&["public", "friends"])),
            ("title", MayText),
            ("mod", MayText),
            ("mapname", MayText),
            ("password", Any),
            ("rating_min", MayNumber),
            ("rating_max", MayNumber),
            ("enforce_rating_range", Any),
            ("options", Any),
        ],
    ),
    (
        r#"{"command":"game_join","uid":7,"password":"p"}"#,
        Idle,
        &[("uid", Id), ("password", Any)],
    ),
    (
        r#"{"command":"restore_game_session","game_id":7}"#,
        Idle,
        &[("game_id", Id)],
    ),
    (
        r#"{"command":"game_matchmaking","state":"stop","queue_name":"ladder1v1","faction":"uef"}"#,
        Idle,
        &[
            ("state", Unstated),
            ("queue_name", Unstated),
            ("faction", Any),
        ],
    ),
    (
        r#"{"command":"game_matchmaking","state":"start","queue_name":"ladder1v1","mod":"x","faction":"uef"}"#,
        Idle,
        &[
            ("state", Unstated),
            ("queue_name", Unstated),
            ("mod", Unstated),
            ("faction", Unstated),
        ],
    ),
    (
        r#"{"command":"set_player_vetoes","vetoes":[{"matchmaker_queue_map_pool_id":1,"map_pool_map_version_id":2,"veto_tokens_applied":1}]}"#,
        Idle,
        &[
            ("vetoes", Unstated),
            ("vetoes/0", Any),
            ("vetoes/0/matchmaker_queue_map_pool_id", Any),
            ("vetoes/0/map_pool_map_version_id", Any),
            ("vetoes/0/veto_tokens_applied", Any),
        ],
    ),
    (
        r#"{"command":"invite_to_party","recipient_id":3}"#,
        Idle,
        &[("recipient_id", Id)],
    ),
    (
        r#"{"command":"accept_party_invite","sender_id":3}"#,
        Idle,
        &[("sender_id", Id)],
    ),
    (
        r#"{"command":"kick_player_from_party","kicked_player_id":3}"#,
        Idle,
        &[("kicked_player_id", Id)],
    ),
    (r#"{"command":"leave_party"}"#, Idle, &[]),
    (
        r#"{"command":"set_party_factions","factions":["uef",2]}"#,
        Idle,
        &[("factions", Unstated), ("factions/0", Unstated)],
    ),
    (r#"{"command":"unready_party"}"#, Idle, &[]),
    (
        r#"{"command":"social_add","friend":3}"#,
        Idle,
        &[("friend", MayId)],
    ),
    (
        r#"{"command":"social_add","foe":3}"#,
        Idle,
        &[("foe", MayId)],
    ),
    (
        r#"{"command":"social_remove","friend":3}"#,
        Idle,
        &[("friend", Id)],
    ),
    (
        r#"{"command":"social_remove","foe":3}"#,
        Idle,
        &[("foe", Id)],
    ),
    (
        r#"{"command":"avatar","action":"list_avatar"}"#,
        Idle,
        &[("action", Words(&["list_avatar", "select"]))],
    ),
    (
        r#"{"command":"avatar","action":"select","avatar":null}"#,
        Idle,
        &[
            ("action", Words(&["list_avatar", "select"])),
            ("avatar", Unstated),
        ],
    ),
    (
        r#"{"command":"admin","action":"closeFA","user_id":9}"#,
        Idle,
        &[("action", AnyWord), ("user_id", Id)],
    ),
    (
        r#"{"command":"admin","action":"closelobby","user_id":9}"#,
        Idle,
        &[("action", AnyWord), ("user_id", Id)],
    ),
    (
        r#"{"command":"admin","action":"broadcast","message":"m"}"#,
        Idle,
        &[("action", AnyWord), ("message", Any)],
    ),
    (
        r##"{"command":"admin","action":"join_channel","user_ids":[9],"channel":"#a"}"##,
        Idle,
        &[
            ("action", AnyWord),
            ("user_ids", Any),
            ("user_ids/0", Any),
            ("channel", Any),
        ],
    ),
    (r#"{"command":"coop_list"}"#, Idle, &[]),
    (
        r#"{"command":"modvault","type":"start"}"#,
        Idle,
        &[("type", Words(&["start", "like", "download"]))],
    ),
    (
        r#"{"command":"modvault","type":"like","uid":"FFF"}"#,
        Idle,
        &[
            ("type", Words(&["start", "like", "download"])),
            ("uid", Unstated),
        ],
    ),
    (
        r#"{"command":"modvault","type":"download","uid":"FFF"}"#,
        Idle,
        &[
            ("type", Words(&["start", "like", "download"])),
            ("uid", Unstated),
        ],
    ),
    (r#"{"command":"ice_servers"}"#, Idle, &[]),
    (r#"{"command":"match_ready"}"#, Idle, &[]),
    (
        r#"{"command":"is_ready_response","request_id":"r"}"#,
        Idle,
        &[("request_id", Any)],
    ),
    (
        r#"{"command":"InitiateTest","target":"connectivity","args":[]}"#,
        Idle,
        &[("args", Any)],
    ),
];

/// Messages of the game: no argument of theirs ends the connection to the lobby (spec: faf-messages 4).
pub(super) const GAME: &[(&str, &str)] = &[
    ("GameState", r#"["Idle"]"#),
    ("GameState", r#"["Lobby"]"#),
    ("GameState", r#"["Launching"]"#),
    ("GameState", r#"["Ended"]"#),
    ("GameOption", r#"["Victory","demoralization"]"#),
    ("GameOption", r#"["Slots",4]"#),
    ("GameOption", r#"["ScenarioFile","/maps/a/a.lua"]"#),
    ("GameOption", r#"["Title","t"]"#),
    ("GameOption", r#"["Other","x"]"#),
    ("GameMods", r#"["activated",1]"#),
    ("GameMods", r#"["uids","a b"]"#),
    ("PlayerOption", r#"[2,"Team",3]"#),
    ("PlayerOption", r#"[2,"Army",3]"#),
    ("PlayerOption", r#"[2,"StartSpot",3]"#),
    ("AIOption", r#"["AI: Easy","StartSpot",5]"#),
    ("ClearSlot", r#"[5]"#),
    ("GameResult", r#"[1,"victory 10"]"#),
    ("OperationComplete", r#"[1,0,"00:11:50"]"#),
    ("JsonStats", r#"["{\"stats\":[]}"]"#),
    ("EnforceRating", "[]"),
    ("TeamkillReport", r#"[120,2,"p2",3,"p3"]"#),
    ("TeamkillHappened", r#"[120,2,"p2",3,"p3"]"#),
    ("GameEnded", "[]"),
    ("Desync", "[]"),
    ("IceMsg", r#"[3,"{}"]"#),
    ("LaunchStatus", r#"["Rejected"]"#),
    ("Bottleneck", r#"["ack","0","12","57.0"]"#),
    ("BottleneckCleared", "[]"),
    ("Disconnected", "[]"),
    ("Rehost", "[]"),
    ("Chat", r#"["hello"]"#),
    ("GameFull", "[]"),
    ("NoSuchCommand", "[]"),
];

/// What a value is, as far as the rules ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Null,
    Bool,
    Number,
    /// A number that no integer is.
    NoInteger,
    NumberText,
    Text,
    Nested,
}

/// Values as they are written, and whether they count as nothing.
pub(super) fn values() -> Vec<(String, Shape, bool)> {
    use Shape::{Bool, Nested, NoInteger, Null, Number, NumberText, Text};
    let plain = [
        ("null", Null, true),
        ("true", Bool, false),
        ("false", Bool, true),
        ("0", Number, true),
        ("-1", Number, false),
        ("7", Number, false),
        ("1.5", Number, false),
        ("-0.0", Number, true),
        ("4294967296", Number, false),
        ("18446744073709551616", Number, false),
        ("-9223372036854775809", Number, false),
        ("1e308", Number, false),
        ("NaN", NoInteger, false),
        ("-Infinity", NoInteger, false),
        (r#""""#, Text, true),
        (r#"" ""#, Text, false),
        (r#""x""#, Text, false),
        (r#""nan""#, Text, false),
        (r#""7""#, NumberText, false),
        (r#"" -7 ""#, NumberText, false),
        (r#""99999999999999999999""#, NumberText, false),
        (r#""\u0000\ud800\udc00\ud800""#, Text, false),
        (r#""\" \\ / ' ; -- %00""#, Text, false),
        ("[]", Nested, true),
        ("[7]", Nested, false),
        (r#"["x"]"#, Nested, false),
        ("{}", Nested, true),
        (r#"{"a":{"b":[]}}"#, Nested, false),
    ];
    let mut values: Vec<_> = plain
        .map(|(text, shape, empty)| (text.to_owned(), shape, empty))
        .to_vec();
    values.push((format!("\"{}\"", "a".repeat(70_000)), Text, false));
    values.push((
        format!("{}{}", "[".repeat(900), "]".repeat(900)),
        Nested,
        false,
    ));
    values.push((format!("[{}0]", "7,".repeat(2_000)), Nested, false));
    values.push((
        format!("{{{}\"z\":0}}", "\"k\":1,".repeat(1_000)),
        Nested,
        false,
    ));
    values
}

/// What the rules say; `None`: nothing.
fn expected(field: Field, value: Option<&(String, Shape, bool)>) -> Option<Outcome> {
    use Outcome::{Invalid, Silent, Stays};
    let Some((text, shape, empty)) = value else {
        return match field {
            Id | Text | Words(_) | AnyWord => Some(Silent),
            MayId | MayText | MayNumber | Any => Some(Stays),
            Unstated => None,
        };
    };
    match (field, shape) {
        (Any, _) => Some(Stays),
        (Unstated | AnyWord, _) | (_, Shape::NoInteger) => None,
        (Words(words), _) => {
            let known = words.iter().any(|word| *text == format!("{word:?}"));
            Some(if known { Stays } else { Silent })
        }
        (MayText, _) if *empty => Some(Stays),
        (Text | MayText, Shape::Text | Shape::NumberText) => Some(Stays),
        (Text | MayText, _) => Some(Invalid),
        (MayNumber, Shape::Null) => Some(Stays),
        (Id | MayId | MayNumber, Shape::Bool | Shape::Number | Shape::NumberText) => Some(Stays),
        (Id | MayId | MayNumber, Shape::Text) => Some(Silent),
        (Id | MayId | MayNumber, Shape::Null | Shape::Nested) => Some(Invalid),
    }
}

/// The message with the field at a path set to a text of JSON, or without it.
pub(super) fn with(message: &Value, path: &str, text: Option<&str>) -> String {
    const MARK: &str = "@@";
    let mut changed = message.clone();
    let (parent, last) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = if parent.is_empty() {
        String::new()
    } else {
        format!("/{parent}")
    };
    match changed
        .pointer_mut(&parent)
        .expect("the table names a field that is there")
    {
        Value::Object(fields) => match text {
            Some(_) => drop(fields.insert(last.to_owned(), MARK.into())),
            None => drop(fields.remove(last)),
        },
        Value::Array(items) => {
            let at: usize = last.parse().expect("a place in a list");
            match text {
                Some(_) => items[at] = MARK.into(),
                None => drop(items.remove(at)),
            }
        }
        other => panic!("{path} is in {other}"),
    }
    changed
        .to_string()
        .replace(&format!("\"{MARK}\""), text.unwrap_or_default())
}

/// A lobby with somebody who plays, somebody who watches on another shard, and the sender.
struct Stage {
    sim: Sim,
    watcher: ConnId,
    /// The game of another player that the sender may be in.
    uid: u32,
    host: ConnId,
}

const SENDER: u32 = 2;

impl Stage {
    fn new() -> Stage {
        let mut sim = simulator(2, 0, Settings::default());
        let host = player(&mut sim, 4, 1);
        let watcher = player(&mut sim, 3, 1);
        let uid = hosted(&mut sim, host, json!({}));
        tick(&mut sim);
        Stage {
            sim,
            watcher,
            uid,
            host,
        }
    }

    /// The sender, fresh, where the scene wants them.
    fn enter(&mut self, scene: Scene) -> ConnId {
        if scene == Stranger {
            return self.sim.connect(0);
        }
        let sender = player(&mut self.sim, SENDER, 0);
        match scene {
            Stranger | Idle => {}
            Host => drop(hosted(&mut self.sim, sender, json!({}))),
            LoginId => drop(joined(&mut self.sim, sender, self.uid)),
            Playing => {
                hosted(&mut self.sim, sender, json!({}));
                configure(&mut self.sim, sender, SENDER, 1, 2);
                state(&mut self.sim, sender, "Launching");
            }
        }
        self.sim.take(sender);
        sender
    }

    /// Sends frames from the scene; what became of the connection.
    fn send(&mut self, scene: Scene, frames: &[String]) -> Outcome {
        let sender = self.enter(scene);
        for frame in frames {
            self.sim.send(sender, frame.clone());
        }
        self.sim.settle();
        let said = self.sim.take(sender);
        if self.sim.client(sender).closed.is_none() {
            assert!(!self.sim.client(sender).held, "{frames:.200?}: held");
            return Outcome::Stays;
        }
        match said.last() {
            None => Outcome::Silent,
            Some(last) if last["command"] == "invalid" => Outcome::Invalid,
            Some(_) => Outcome::Notice,
        }
    }

    /// Others are served on, and the sender can begin again.
    fn go_on(&mut self, what: &str) {
        let pong = say(&mut self.sim, self.watcher, json!({"command": "ping"}));
        assert!(commands(&pong).contains(&"pong"), "{what:.200}: {pong:?}");
        let sender = player(&mut self.sim, SENDER, 0);
        let launch = say(
            &mut self.sim,
            sender,
            json!({"command": "game_host", "visibility": "public"}),
        );
        assert_eq!(commands(&launch), ["game_launch"], "{what:.200}");
        self.sim.take(self.watcher);
        tick(&mut self.sim);
        let uid = &launch[0]["uid"];
        let told = self.sim.take(self.watcher);
        assert!(
            told.iter().any(|m| m["uid"] == *uid),
            "{what:.200}: {told:?}"
        );
        self.sim.disconnect(sender);
        tick(&mut self.sim);
        if self.sim.client(self.host).closed.is_some() {
            panic!("{what:.200}: the host of another game was sent away");
        }
    }
}

/// checklist: faf 17, 49, 55, 56, 57
#[test]
fn every_field_of_every_lobby_message() {
    let values = values();
    for &(text, scene, fields) in LOBBY {
        let mut stage = Stage::new();
        let message: Value = serde_json::from_str(text).expect("the table holds JSON");
        let outcome = stage.send(scene, &[text.to_owned()]);
        assert_eq!(outcome, Outcome::Stays, "{text}");
        let mut variants = Vec::new();
        for &(path, field) in fields {
            variants.push((with(&message, path, None), expected(field, None)));
            for value in &values {
                variants.push((
                    with(&message, path, Some(&value.0)),
                    expected(field, Some(value)),
                ));
            }
        }
        // Fields that nobody knows, targets that nobody is, and the message over and over.
        variants.push((
            with(&message, "unknown", Some("[{}]")),
            Some(Outcome::Stays),
        ));
        if message.get("target").is_none() {
            for target in ["null", "7", r#""moon""#, "[]", r#""connectivity""#] {
                variants.push((with(&message, "target", Some(target)), Some(Outcome::Stays)));
            }
        }
        for (variant, expected) in variants {
            let outcome = stage.send(scene, std::slice::from_ref(&variant));
            if let Some(expected) = expected {
                assert_eq!(outcome, expected, "{variant:.300}");
            }
            stage.go_on(&variant);
        }
        stage.send(scene, &vec![text.to_owned(); 20]);
        stage.go_on(text);
    }
}

/// checklist: faf 193, 212
#[test]
fn every_argument_of_every_game_message() {
    let values = values();
    for scene in [Idle, Host, LoginId, Playing] {
        let mut stage = Stage::new();
        for &(command, args) in GAME {
            let args: Value = serde_json::from_str(args).expect("the table holds JSON");
            let message = game(command, args.clone());
            let mut variants = vec![
                message.to_string(),
                with(&message, "args", None),
                with(&message, "unknown", Some("1")),
            ];
            variants.extend(
                values
                    .iter()
                    .map(|value| with(&message, "args", Some(&value.0))),
            );
            for at in 0..args.as_array().map_or(0, Vec::len) {
                let path = format!("args/{at}");
                variants.push(with(&message, &path, None));
                variants.extend(
                    values
                        .iter()
                        .map(|value| with(&message, &path, Some(&value.0))),
                );
            }
            let mut more = message.clone();
            more["args"].as_array_mut().expect("a list").push(7.into());
            variants.push(more.to_string());
            // All of them one after the other, so that what one leaves behind meets the next.
            let outcome = stage.send(scene, &variants);
            assert_eq!(outcome, Outcome::Stays, "{command} from {scene:?}");
            stage.go_on(&message.to_string());
            let outcome = stage.send(scene, &vec![message.to_string(); 20]);
            assert_eq!(
                outcome,
                Outcome::Stays,
                "{command} from {scene:?}, repeated"
            );
            stage.go_on(&message.to_string());
        }
    }
}
