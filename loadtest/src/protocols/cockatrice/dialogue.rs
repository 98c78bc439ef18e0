//! What recordings know of this lobby. A message is JSON with the names of the protocol's definition.
//!
//! spec: cockatrice-wire 1 to 6, 10, 11

use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use super::protobuf::Message;
use super::schema::{self, CONTAINER, SERVER_MESSAGE};
use crate::recording::dialect::{Account, Dialect, Own, Place, Side, Transport, Visitor};
use crate::recording::splitter::{Shape, Splitter};

/// This lobby in recordings.
#[derive(Debug)]
pub(crate) struct Dialogue;

/// The number of a command that no client of a recording has reached.
const KEEP_ALIVE_ID: u64 = 2_000_000_000;
/// What answers a command without a number.
const NO_ID: u64 = u64::MAX;
const OK: u64 = 1;
/// A round of a password's hash after the other.
const HASH_ROUNDS: usize = 1000;

// What everybody is told of others, by field.
const SESSION_EVENT: u32 = 3;
const ROOM_EVENT: u32 = 5;
const NEWS: [u32; 3] = [1004, 1007, 1008];

const GAME: Place = Place::Id("game");
const CARD: Place = Place::Id("card");
const DECK: Place = Place::Id("deck");
const REPLAY: Place = Place::Id("replay");
const PASSWORD: Place = Place::Own(Own::Password);
const HASH: Place = Place::Own(Own::Hash);
const EMAIL: Place = Place::Own(Own::Email);
const MACHINE: Place = Place::Own(Own::Machine);
const TOKEN: Place = Place::Secret("token");
const GAME_PASSWORD: Place = Place::Secret("game password");

/// Fields that mean the same in whatever message of a client they are.
const OF_CLIENTS: &[(&str, Place)] = &[
    ("password", PASSWORD),
    ("password_check", PASSWORD),
    ("old_password", PASSWORD),
    ("new_password", PASSWORD),
    ("hashed_password", HASH),
    ("hashed_new_password", HASH),
    ("email", EMAIL),
    ("clientid", MACHINE),
    ("user_clientid", Place::Secret("machine")),
    ("token", TOKEN),
    ("address", Place::Secret("address")),
    ("ip_address", Place::Secret("address")),
    ("real_name", Place::Secret("real name")),
    ("user_name", Place::Name),
    ("game_id", GAME),
    ("deck_id", DECK),
    ("replay_id", REPLAY),
    ("report_id", Place::Id("report")),
    ("card_id", CARD),
    ("start_card_id", CARD),
    ("target_card_id", CARD),
];
/// Commands with fields that mean something else in them.
const OF_COMMANDS: &[(&str, &str, Place)] = &[
    ("Command_Login", "user_name", Place::Login),
    ("Command_Register", "user_name", Place::Login),
    ("Command_Activate", "user_name", Place::Login),
    ("Command_RequestPasswordSalt", "user_name", Place::Login),
    ("Command_ForgotPasswordRequest", "user_name", Place::Login),
    ("Command_ForgotPasswordReset", "user_name", Place::Login),
    ("Command_ForgotPasswordChallenge", "user_name", Place::Login),
    ("Command_CreateGame", "password", GAME_PASSWORD),
    ("Command_JoinGame", "password", GAME_PASSWORD),
    (
        "Command_BanFromServer",
        "clientid",
        Place::Secret("machine"),
    ),
    ("Command_WarnUser", "clientid", Place::Secret("machine")),
];
/// Fields of the server's messages.
const OF_SERVER: &[(&str, Place)] = &[
    ("email", Place::Secret("e-mail")),
    ("clientid", Place::Secret("machine")),
    ("user_clientid", Place::Secret("machine")),
    ("address", Place::Secret("address")),
    ("ip_address", Place::Secret("address")),
    ("session_id", Place::Secret("session")),
    ("real_name", Place::Secret("real name")),
    ("password_salt", Place::Secret("password salt")),
    ("temporary_password", Place::Secret("password")),
    ("card_id", CARD),
    ("new_card_id", CARD),
    ("replay_id", REPLAY),
];
/// The same of messages that give numbers under a name that others have as well.
const OF_EVENTS: &[(&str, &str, Place)] = &[
    ("game_info", "game_id", GAME),
    ("new_file", "id", DECK),
    ("cards", "id", CARD),
    ("card_list", "id", CARD),
];

impl Dialect for Dialogue {
    fn transports(&self) -> &'static [Transport] {
        &[Transport::Tcp, Transport::Websocket]
    }

    fn transport_of(&self, side: Side, first: &[u8]) -> Option<Transport> {
        let request = b"GET ";
        match side {
            _ if first.is_empty() => None,
            // Only over TCP does the server speak first.
            Side::Server => Some(Transport::Tcp),
            Side::Client if first.starts_with(request) => Some(Transport::Websocket),
            Side::Client if request.starts_with(first) => None,
            Side::Client => Some(Transport::Tcp),
        }
    }

    fn splitter(&self, _transport: Transport, side: Side) -> Splitter {
        Splitter::new(match side {
            Side::Client => Shape::Lengths,
            Side::Server => Shape::GreetingAndLengths,
        })
    }

    fn is_framed_by_websocket(&self) -> bool {
        true
    }

    fn concerns(&self, bytes: &[u8]) -> bool {
        let message = Message(bytes);
        let news = |event: Message<'_>| NEWS.iter().any(|number| event.block(*number).is_some());
        message.block(ROOM_EVENT).is_none() && !message.message(SESSION_EVENT).is_some_and(news)
    }

    fn read(&self, _transport: Transport, side: Side, bytes: &[u8]) -> Value {
        let name = match side {
            Side::Client => CONTAINER,
            Side::Server => SERVER_MESSAGE,
        };
        schema::decode(name, bytes).unwrap_or_else(|| json!({"no_message_bytes": bytes.len()}))
    }

    fn write(
        &self,
        transport: Transport,
        message: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        if message.get("no_message_bytes").is_some() || message.get("shortened").is_some() {
            return Err("it was no message, or too long for the recording");
        }
        let body = schema::encode(CONTAINER, message);
        if transport != Transport::Websocket {
            out.extend_from_slice(&(body.len() as u32).to_be_bytes());
        }
        out.extend_from_slice(&body);
        Ok(())
    }

    fn kind(&self, side: Side, message: &Value) -> String {
        let names = match side {
            Side::Client => names_in(message, &["cmd_id", "game_id", "room_id"]),
            Side::Server if message.get("response").is_some() => {
                let response = &message["response"];
                let code = response["response_code"].as_u64().unwrap_or(0);
                let names = names_in(response, &["cmd_id", "response_code"]);
                return format!("response {code} {names}").trim_end().to_owned();
            }
            Side::Server => names_in(message, &["message_type"]),
        };
        if names.is_empty() {
            "empty".to_owned()
        } else {
            names
        }
    }

    fn answers(&self, _me: &str, said: &Value, heard: &Value) -> bool {
        let id = said["cmd_id"].as_u64().unwrap_or(NO_ID);
        heard["response"]["cmd_id"].as_u64() == Some(id)
    }

    fn signs_in(&self, heard: &Value) -> bool {
        let response = &heard["response"];
        response["response_code"] == OK && response.get("Response_Login").is_some()
    }

    fn refusal(&self, heard: &Value) -> Option<String> {
        let code = heard["response"]["response_code"].as_u64();
        let closed = &heard["session_event"]["Event_ConnectionClosed"];
        match (code, closed["reason"].as_u64()) {
            (Some(code), _) if code != OK => Some(format!("refused with code {code}")),
            (_, Some(reason)) => Some(format!("closed by the server for reason {reason}")),
            _ => None,
        }
    }

    fn keep_alive(&self) -> Option<Value> {
        Some(json!({"cmd_id": KEEP_ALIVE_ID, "session_command": [{"Command_Ping": {}}]}))
    }

    fn opening(&self, transport: Transport) -> Option<Value> {
        (transport == Transport::Tcp).then(|| json!({}))
    }

    fn is_private(&self, kind: &str) -> bool {
        kind == "card"
    }

    fn salt(&self, heard: &Value) -> Option<String> {
        let salt = &heard["response"]["Response_PasswordSalt"]["password_salt"];
        salt.as_str().map(str::to_owned)
    }

    fn visit(&self, side: Side, message: &mut Value, place: Visitor<'_>) {
        match side {
            Side::Client => visit("", message, (OF_COMMANDS, OF_CLIENTS), place),
            Side::Server => visit("", message, (OF_EVENTS, OF_SERVER), place),
        }
    }

    fn own(&self, own: Own, account: &Account<'_>) -> String {
        match own {
            Own::Hash => hash(account.password, account.salt.unwrap_or("swarmswarmswarm0")),
            Own::Password | Own::Token => account.password.to_owned(),
            Own::Email => format!("{}@swarm.invalid", account.login),
            // Fifteen hexadecimal digits, as of a real client.
            Own::Machine => {
                let machine = format!("{}-{}", account.run_id, account.index);
                let digest = Sha512::digest(machine.as_bytes());
                let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                hex[..15].to_owned()
            }
        }
    }
}

type Places = (
    &'static [(&'static str, &'static str, Place)],
    &'static [(&'static str, Place)],
);

/// Tells the places in a message that is the value of this field.
fn visit(field: &str, message: &mut Value, places: Places, place: Visitor<'_>) {
    match message {
        Value::Object(fields) => {
            for (name, value) in fields {
                let (special, general) = places;
                let here = special
                    .iter()
                    .find_map(|(of, known, what)| (*of == field && known == name).then_some(*what));
                let known = || {
                    let mut known = general.iter();
                    known.find_map(|(known, what)| (known == name).then_some(*what))
                };
                match here.or_else(known) {
                    // A card that is none, or is not told.
                    Some(Place::Id(_)) if value.as_i64().is_some_and(|id| id < 0) => {}
                    Some(what) if value.is_string() || value.is_number() => place(what, value),
                    _ => visit(name, value, places, place),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                visit(field, value, places, place);
            }
        }
        _ => {}
    }
}

/// The names of what a message holds, at any depth where they say what it is.
fn names_in(message: &Value, besides: &[&str]) -> String {
    let mut names = Vec::new();
    collect(message, besides, &mut names);
    names.join("+")
}

fn collect<'a>(message: &'a Value, besides: &[&str], names: &mut Vec<&'a str>) {
    for (name, value) in message.as_object().into_iter().flatten() {
        let telling = ["Command_", "Event_", "Response_", "Context_"];
        if telling.iter().any(|head| name.starts_with(head)) {
            names.push(name);
        } else if !besides.contains(&name.as_str()) {
            match value {
                Value::Array(values) => {
                    for value in values {
                        collect(value, besides, names);
                    }
                }
                other => collect(other, besides, names),
            }
        }
    }
}

/// spec: cockatrice-wire 10.1
fn hash(password: &str, salt: &str) -> String {
    let mut digest = Sha512::digest(format!("{salt}{password}").as_bytes());
    for _ in 1..HASH_ROUNDS {
        digest = Sha512::digest(digest);
    }
    let text = base64::engine::general_purpose::STANDARD.encode(digest);
    format!("{salt}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hashed_as_specified() {
        assert_eq!(
            hash("bobbypass", "0123456789abcdef"),
            "0123456789abcdef/nl7tLlGHbfwaZHcfsL+SNhXAoxb/BLzdk8qsJRSmYwYNaWi4/f6TqXaD8HffilaLl3Y8cE6+jE25NMg0K8yhg=="
        );
    }

    #[test]
    fn an_answer_is_known_by_its_number() {
        let said = json!({"cmd_id": 3, "session_command": [{"Command_JoinRoom": {"room_id": 0}}]});
        let heard = |id: u64| json!({"message_type": 0, "response": {"cmd_id": id, "response_code": 1, "Response_JoinRoom": {}}});
        assert!(Dialogue.answers("", &said, &heard(3)));
        assert!(!Dialogue.answers("", &said, &heard(4)));
        assert!(Dialogue.answers("", &json!({}), &heard(u64::MAX)));
        assert_eq!(Dialogue.kind(Side::Client, &said), "Command_JoinRoom");
        assert_eq!(
            Dialogue.kind(Side::Server, &heard(3)),
            "response 1 Response_JoinRoom"
        );
    }

    #[test]
    fn every_secret_is_a_place() {
        let mut told = Vec::new();
        let mut login = json!({"session_command": [{"Command_Login": {
            "user_name": "eve", "hashed_password": "x", "clientid": "y", "password": "z"}}]});
        Dialogue.visit(Side::Client, &mut login, &mut |place, _| told.push(place));
        let expected = [MACHINE, HASH, PASSWORD, Place::Login];
        assert_eq!(told, expected);
        told.clear();
        let mut game = json!({"room_command": [{"Command_CreateGame": {"password": "x"}}]});
        Dialogue.visit(Side::Client, &mut game, &mut |place, _| told.push(place));
        assert_eq!(told, [GAME_PASSWORD]);
        told.clear();
        let mut user = json!({"response": {"Response_GetUserInfo": {"user_info": {
            "email": "a@b", "address": "1", "session_id": 5, "name": "eve"}}}});
        Dialogue.visit(Side::Server, &mut user, &mut |place, _| told.push(place));
        assert!(told.len() == 3 && told.iter().all(|place| place.mask().is_some()));
    }
}
