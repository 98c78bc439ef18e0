//! What recordings know of this lobby: which message answers which, and where secrets, names and numbers are.
//!
//! spec: faf-wire 2 to 5, faf-messages 3 to 6

use memchr::memmem;
use serde_json::{Value, json};

use super::framing::{self, command_of};
use super::session::sha256_hex;
use crate::recording::dialect::{
    Account, Dialect, Own, Place, Side, Transport, Visitor, visit_named,
};
use crate::recording::splitter::{Shape, Splitter};

/// This lobby in recordings.
#[derive(Debug)]
pub(crate) struct Dialogue;

/// What may answer a command besides a complaint.
const ANSWERS: &[(&str, &[&str])] = &[
    ("ask_session", &["session"]),
    ("auth", &["welcome", "authentication_failed"]),
    ("hello", &["welcome", "authentication_failed"]),
    ("create_account", &[]),
    ("ping", &["pong"]),
    ("matchmaker_info", &["matchmaker_info"]),
    ("game_host", &["game_launch", "disabled"]),
    ("game_join", &["game_launch", "game_join_failed"]),
    ("restore_game_session", &[]),
    (
        "game_matchmaking",
        &["search_info", "search_timeout", "disabled"],
    ),
    ("set_player_vetoes", &["vetoes_info"]),
    ("accept_party_invite", &["update_party"]),
    ("kick_player_from_party", &["update_party"]),
    ("set_party_factions", &["update_party"]),
    ("leave_party", &["update_party"]),
    ("coop_list", &["coop_info"]),
    ("modvault", &["modvault_info"]),
    ("ice_servers", &["ice_servers"]),
    ("InitiateTest", &[]),
];
/// What answers these of a game, or of nobody who plays.
const GAME_ANSWERS: &[&str] = &["HostGame", "JoinGame"];
/// Fields whose values nobody else may know, wherever they are.
const SECRETS: &[(&str, &str)] = &[
    ("password", "password"),
    ("token", "token"),
    ("access_token", "token"),
    ("refresh_token", "token"),
    ("hmac", "token"),
    ("credential", "token"),
    ("unique_id", "machine"),
    ("hash", "hash"),
    ("email", "e-mail"),
    ("ip", "address"),
];

impl Dialect for Dialogue {
    fn transports(&self) -> &'static [Transport] {
        &[
            Transport::Json,
            Transport::Qdatastream,
            Transport::Websocket,
        ]
    }

    fn transport_of(&self, _side: Side, first: &[u8]) -> Option<Transport> {
        match first {
            [] => None,
            [0, ..] => Some(Transport::Qdatastream),
            _ if first.starts_with(b"GET ") => Some(Transport::Websocket),
            _ if b"GET ".starts_with(first) => None,
            _ => Some(Transport::Json),
        }
    }

    fn splitter(&self, transport: Transport, _side: Side) -> Splitter {
        Splitter::new(if transport == Transport::Qdatastream {
            Shape::Lengths
        } else {
            Shape::Lines
        })
    }

    fn concerns(&self, bytes: &[u8]) -> bool {
        // A block of UTF-16 has none that is found so, and is read.
        match command_of(bytes) {
            Some("player_info") => false,
            Some("game_info") => memmem::find(bytes, b"\"games\"").is_some(),
            _ => true,
        }
    }

    fn read(&self, transport: Transport, _side: Side, bytes: &[u8]) -> Value {
        let message = if transport == Transport::Qdatastream {
            match framing::block_text(bytes).as_deref() {
                Some("PING") => return json!({"command": "ping"}),
                Some("PONG") => return json!({"command": "pong"}),
                Some(text) => serde_json::from_str(text),
                None => return json!({"no_json_bytes": bytes.len()}),
            }
        } else {
            serde_json::from_slice(bytes)
        };
        message.unwrap_or_else(|_| json!({"no_json_bytes": bytes.len()}))
    }

    fn read_head(&self, _side: Side, head: &[u8]) -> Value {
        let narrow: Vec<u8> = head.iter().copied().filter(|byte| *byte != 0).collect();
        let mut message = json!({"command": command_of(&narrow).unwrap_or("unknown")});
        if memmem::find(&narrow, b"\"games\"").is_some() {
            message["games"] = json!([]);
        }
        message
    }

    fn write(
        &self,
        transport: Transport,
        message: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        if message.get("command").is_none() {
            return Err("it was no message");
        }
        framing::encode_unframed(
            transport == Transport::Qdatastream,
            &message.to_string(),
            out,
        );
        Ok(())
    }

    fn kind(&self, _side: Side, message: &Value) -> String {
        let command = message["command"].as_str().unwrap_or("no message");
        let detail = match command {
            "notice" => message["style"].as_str(),
            "game_info" if message.get("games").is_some() => Some("list"),
            "search_info" | "game_matchmaking" => message["state"].as_str(),
            "game_join_failed" => message["reason"].as_str(),
            "GameState" => message["args"][0].as_str(),
            _ => None,
        };
        match detail {
            Some(detail) => format!("{command} {detail}"),
            None => command.to_owned(),
        }
    }

    fn answers(&self, _me: &str, said: &Value, heard: &Value) -> bool {
        let command = |message: &Value| message["command"].as_str().map(str::to_owned);
        let (Some(asked), Some(told)) = (command(said), command(heard)) else {
            return false;
        };
        if said["target"] == "game" {
            let lobby = asked == "GameState" && said["args"][0] == "Lobby";
            return lobby && GAME_ANSWERS.contains(&told.as_str());
        }
        match asked.as_str() {
            "avatar" => said["action"] == "list_avatar" && told == "avatar",
            "ping" => told == "pong",
            _ => {
                let known = ANSWERS.iter().find(|(name, _)| *name == asked);
                let expected = known.map_or(&[][..], |(_, answers)| answers);
                let complaint = match told.as_str() {
                    "invalid" => true,
                    // Others may be told of an invitation; whoever invites hears of it only if it fails.
                    "notice" => known.is_some() || asked == "invite_to_party",
                    _ => false,
                };
                expected.contains(&told.as_str()) || complaint
            }
        }
    }

    fn signs_in(&self, heard: &Value) -> bool {
        heard["command"] == "game_info" && heard.get("games").is_some()
    }

    fn refusal(&self, heard: &Value) -> Option<String> {
        let told = heard["command"].as_str()?;
        let refused = told == "authentication_failed" || told == "notice";
        refused.then(|| heard["text"].as_str().unwrap_or(told).to_owned())
    }

    fn reply(&self, heard: &Value) -> Option<Value> {
        (heard["command"] == "ping").then(|| json!({"command": "pong"}))
    }

    fn is_reply(&self, said: &Value) -> bool {
        said["command"] == "pong"
    }

    fn visit(&self, side: Side, message: &mut Value, place: Visitor<'_>) {
        let command = message["command"].as_str().unwrap_or_default().to_owned();
        let places = match side {
            Side::Client => client_places(&command, message["target"] == "game"),
            Side::Server => server_places(&command),
        };
        for (path, what) in places {
            at(message, path, *what, place);
        }
        if command == "update_party"
            && let Some(members) = message["members"].as_array_mut()
        {
            for member in members {
                at(member, "/player", PLAYER, place);
            }
        }
        // What was told above is not told again by its name.
        let told = places.iter().map(|(path, _)| &path[1..]);
        let fields = message.as_object_mut();
        let kept: Vec<(&str, Value)> = fields.map_or_else(Vec::new, |fields| {
            told.filter_map(|name| Some((name, fields.remove(name)?)))
                .collect()
        });
        visit_named(message, SECRETS, place);
        for (name, value) in kept {
            message[name] = value;
        }
    }

    fn own(&self, own: Own, account: &Account<'_>) -> String {
        match own {
            Own::Hash => sha256_hex(account.password),
            Own::Password | Own::Token => account.password.to_owned(),
            Own::Email => format!("{}@swarm.invalid", account.login),
            Own::Machine => format!("swarm-{}-{}", account.run_id, account.index),
        }
    }
}

/// Tells the value at this path, if there is one.
fn at(message: &mut Value, path: &str, what: Place, place: Visitor<'_>) {
    if let Some(value) = message.pointer_mut(path)
        && !value.is_null()
    {
        place(what, value);
    }
}

const PLAYER: Place = Place::Id("player");
const GAME: Place = Place::Id("game");
const GAME_PASSWORD: Place = Place::Secret("game password");
const SESSION: Place = Place::SecretId("session");

/// Places of a client's message, or of its game's.
fn client_places(command: &str, of_game: bool) -> &'static [(&'static str, Place)] {
    match command {
        "IceMsg" | "PlayerOption" if of_game => &[("/args/0", PLAYER)],
        "TeamkillReport" | "TeamkillHappened" if of_game => &[
            ("/args/1", PLAYER),
            ("/args/2", Place::Name),
            ("/args/3", PLAYER),
            ("/args/4", Place::Name),
        ],
        "hello" | "create_account" => &[
            ("/login", Place::Login),
            ("/password", Place::Own(Own::Hash)),
            ("/unique_id", Place::Own(Own::Machine)),
            ("/email", Place::Own(Own::Email)),
        ],
        "auth" => &[
            ("/token", Place::Own(Own::Token)),
            ("/unique_id", Place::Own(Own::Machine)),
            ("/session", SESSION),
        ],
        "game_join" => &[("/uid", GAME), ("/password", GAME_PASSWORD)],
        "game_host" => &[("/password", GAME_PASSWORD)],
        "restore_game_session" => &[("/game_id", GAME)],
        "invite_to_party" => &[("/recipient_id", PLAYER)],
        "accept_party_invite" => &[("/sender_id", PLAYER)],
        "kick_player_from_party" => &[("/kicked_player_id", PLAYER)],
        "social_add" | "social_remove" => &[("/friend", PLAYER), ("/foe", PLAYER)],
        "admin" => &[("/user_id", PLAYER)],
        "is_ready_response" => &[("/request_id", Place::Id("request"))],
        _ => &[],
    }
}

/// Places of a message from the server.
fn server_places(command: &str) -> &'static [(&'static str, Place)] {
    match command {
        "session" => &[("/session", SESSION)],
        "welcome" => &[
            ("/id", PLAYER),
            ("/me/id", PLAYER),
            ("/login", Place::Name),
            ("/me/login", Place::Name),
        ],
        "game_launch" | "game_join_failed" => &[("/uid", GAME)],
        "match_found" | "match_cancelled" => &[("/game_id", GAME)],
        "party_invite" => &[("/sender", PLAYER)],
        "update_party" => &[("/owner", PLAYER)],
        "JoinGame" | "ConnectToPeer" => &[("/args/0", Place::Name), ("/args/1", PLAYER)],
        "IceMsg" | "DisconnectFromPeer" => &[("/args/0", PLAYER)],
        "is_ready" => &[("/request_id", Place::Id("request"))],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_from_news() {
        let said = |command: &str| json!({"command": command, "state": "start"});
        let heard = |command: &str| json!({"command": command, "games": []});
        for (asked, told, expected) in [
            ("ping", "pong", true),
            ("ping", "notice", false),
            ("hello", "welcome", true),
            ("hello", "player_info", false),
            ("game_host", "game_launch", true),
            ("game_host", "notice", true),
            ("game_host", "invalid", true),
            ("game_matchmaking", "search_info", true),
            ("unknown", "invalid", true),
            ("social_add", "notice", false),
        ] {
            let answers = Dialogue.answers("", &said(asked), &heard(told));
            assert_eq!(answers, expected, "{asked} {told}");
        }
        let state =
            |state: &str| json!({"command": "GameState", "target": "game", "args": [state]});
        let hosts = json!({"command": "HostGame", "target": "game", "args": ["a"]});
        assert!(Dialogue.answers("", &state("Lobby"), &hosts));
        assert!(!Dialogue.answers("", &state("Idle"), &hosts));
    }

    #[test]
    fn every_secret_is_a_place() {
        let mut told = Vec::new();
        let mut messages = [
            json!({"command": "hello", "login": "orion", "password": "x", "unique_id": "y"}),
            json!({"command": "auth", "token": "x", "unique_id": "y", "session": 5}),
            json!({"command": "game_host", "password": "x", "title": "t"}),
            json!({"command": "game_host", "password": null}),
            json!({"command": "strange", "inside": [{"token": "x"}, {"email": "y"}]}),
        ];
        for message in &mut messages {
            let before = message.clone();
            Dialogue.visit(Side::Client, message, &mut |place, _| {
                told.extend(place.mask());
            });
            assert_eq!(*message, before, "nothing is lost");
        }
        let expected = [
            "password hash",
            "machine",
            "token",
            "machine",
            "session",
            "game password",
            "token",
            "e-mail",
        ];
        assert_eq!(told, expected);
    }
}
