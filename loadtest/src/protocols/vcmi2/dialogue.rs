//! What recordings know of this lobby. A message is its JSON; of a relayed frame, and of whatever else is no message, only its length.
//!
//! spec: vcmi-lobby2 2, 4, 5

use serde_json::{Value, json};

use crate::protocols::blocks::{self, Order};
use crate::protocols::member;
use crate::recording::dialect::{Dialect, Place, Side, Transport, Visitor};
use crate::recording::splitter::{Shape, Splitter};

/// This lobby in recordings.
#[derive(Debug)]
pub(crate) struct Dialogue;

/// What a frame that is no message is called.
const RELAYED: &str = "relayed";
/// What fills one at replay: as JSON it is none.
const FILLING: u8 = 1;
/// Longest frame that is said at replay.
const MOST_BYTES: u64 = 64 << 20;
/// Messages of the server that are news for everybody; no answer is among them.
const NEWS: [&str; 3] = ["activeAccounts", "activeGameRooms", "updateGameRoom"];
/// The answer to each message besides a refusal; others have no other answer.
const ANSWERS: &[(&str, &str)] = &[
    ("clientRegister", "accountCreated"),
    ("clientLogin", "clientLoginSuccess"),
    ("serverLogin", "serverLoginSuccess"),
    ("sendChatMessage", "chatMessage"),
    ("requestChatHistory", "chatHistory"),
    ("activateGameRoom", "joinRoomSuccess"),
    ("joinGameRoom", "joinRoomSuccess"),
    (RELAYED, RELAYED),
];

const ACCOUNT: Place = Place::Id("account");
/// An account as a match server knows it: from the news of its coming.
const GUEST: Place = Place::Id("guest");
const COOKIE: Place = Place::SecretId("cookie");

impl Dialect for Dialogue {
    fn splitter(&self, _transport: Transport, _side: Side) -> Splitter {
        Splitter::new(Shape::LittleLengths)
    }

    fn concerns(&self, bytes: &[u8]) -> bool {
        let kind = member::text_of(bytes, "\"type\"");
        kind.is_none_or(|kind| !NEWS.contains(&kind))
    }

    fn read(&self, _transport: Transport, _side: Side, bytes: &[u8]) -> Value {
        let message = serde_json::from_slice::<Value>(bytes).ok();
        let message = message.filter(|message| message["type"].is_string());
        message.unwrap_or_else(|| json!({RELAYED: bytes.len()}))
    }

    fn write(
        &self,
        _transport: Transport,
        message: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        if message.get("shortened").is_some() {
            return Err("it was too long for the recording");
        }
        match message[RELAYED].as_u64() {
            Some(length) if length > MOST_BYTES => return Err("it is longer than any frame"),
            Some(length) => {
                let body = vec![FILLING; length as usize];
                blocks::append(Order::Little, &body, out);
            }
            None => blocks::append(Order::Little, message.to_string().as_bytes(), out),
        }
        Ok(())
    }

    fn kind(&self, _side: Side, message: &Value) -> String {
        message["type"].as_str().unwrap_or(RELAYED).to_owned()
    }

    fn answers(&self, me: &str, said: &Value, heard: &Value) -> bool {
        let [asked, answer] = [said, heard].map(|message| self.kind(Side::Client, message));
        if answer == "operationFailed" {
            return asked != RELAYED;
        }
        let pair = (asked.as_str(), answer.as_str());
        ANSWERS.contains(&pair)
            && match pair.0 {
                "sendChatMessage" => {
                    let same = |name: &str| said[name] == heard[name];
                    heard["displayName"] == me && same("channelType") && same("messageText")
                }
                "requestChatHistory" => said["channelName"] == heard["channelName"],
                "activateGameRoom" => heard["proxyMode"] == false,
                "joinGameRoom" => {
                    heard["proxyMode"] == true && said["gameRoomID"] == heard["gameRoomID"]
                }
                _ => true,
            }
    }

    fn signs_in(&self, heard: &Value) -> bool {
        heard["type"] == "matchesHistory"
    }

    fn refusal(&self, heard: &Value) -> Option<String> {
        let failed = heard["type"] == "operationFailed";
        let reason = heard["reason"].as_str().filter(|_| failed);
        reason.map(str::to_owned)
    }

    fn visit(&self, side: Side, message: &mut Value, place: Visitor<'_>) {
        let kind = self.kind(side, message);
        let channel = message["channelType"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let Value::Object(members) = message else {
            return;
        };
        for (name, value) in members {
            let what = match side {
                Side::Client => said(name, &kind, &channel),
                Side::Server => given(name, &kind),
            };
            if let Some(what) = what {
                place(what, value);
            }
        }
    }
}

/// What a member of a client's message is.
fn said(name: &str, kind: &str, channel: &str) -> Option<Place> {
    Some(match (name, kind, channel) {
        ("displayName", "clientRegister", _) => Place::Login,
        ("accountCookie", ..) => COOKIE,
        ("guestAccountID", ..) | ("accountID", "leaveGameRoom", _) => GUEST,
        ("accountID" | "hostAccountID", ..) | ("channelName", _, "player") => ACCOUNT,
        ("gameRoomID", ..) | ("channelName", _, "match") => Place::Unique,
        _ => return None,
    })
}

/// What a member of the lobby's message is: an id is given to whom it belongs, and news of others give none.
fn given(name: &str, kind: &str) -> Option<Place> {
    Some(match (name, kind) {
        ("accountCookie", _) => COOKIE,
        ("accountID", "accountCreated") => ACCOUNT,
        ("accountID", "accountJoinsRoom") => GUEST,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_a_secret_and_ids_are_the_server_s() {
        let mut message = json!({
            "type": "serverProxyLogin", "gameRoomID": "r", "guestAccountID": "g", "accountCookie": "c"
        });
        let mut places = Vec::new();
        Dialogue.visit(Side::Client, &mut message, &mut |place, value| {
            places.push((place, value.clone()));
        });
        let expected = [
            (COOKIE, json!("c")),
            (Place::Unique, json!("r")),
            (GUEST, json!("g")),
        ];
        assert_eq!(places, expected);
        assert!(COOKIE.mask().is_some() && ACCOUNT.mask().is_none());
        let mut news = json!({"type": "chatMessage", "accountID": "g", "displayName": "eve"});
        Dialogue.visit(Side::Server, &mut news, &mut |place, _| {
            panic!("{place:?} of somebody else")
        });
    }

    #[test]
    fn an_answer_is_one_s_own() {
        let answers = |said: Value, heard: Value| Dialogue.answers("eve", &said, &heard);
        let chat = json!({"type": "sendChatMessage", "channelType": "global", "messageText": "a"});
        let heard = |who: &str, text: &str| json!({"type": "chatMessage", "channelType": "global", "messageText": text, "displayName": who});
        assert!(answers(chat.clone(), heard("eve", "a")));
        assert!(!answers(chat.clone(), heard("bob", "a")));
        assert!(!answers(chat.clone(), heard("eve", "b")));
        assert!(answers(chat, json!({"type": "operationFailed"})));
        let join = json!({"type": "joinGameRoom", "gameRoomID": "r"});
        let let_in =
            |proxy: bool| json!({"type": "joinRoomSuccess", "proxyMode": proxy, "gameRoomID": "r"});
        assert!(answers(join.clone(), let_in(true)) && !answers(join, let_in(false)));
        let open = json!({"type": "activateGameRoom"});
        assert!(answers(open.clone(), let_in(false)) && !answers(open, let_in(true)));
        assert!(answers(json!({RELAYED: 5}), json!({RELAYED: 9})));
        assert!(!answers(
            json!({RELAYED: 5}),
            json!({"type": "operationFailed"})
        ));
    }

    #[test]
    fn what_is_relayed_keeps_its_length_alone() {
        let frame = b"{\"no\":\"message\"}";
        let read = Dialogue.read(Transport::Tcp, Side::Client, frame);
        assert_eq!(read, json!({RELAYED: frame.len()}));
        let mut out = Vec::new();
        Dialogue
            .write(Transport::Tcp, &read, &mut out)
            .expect("it can be said");
        assert_eq!(out.len(), 4 + frame.len());
        assert_eq!(Dialogue.read(Transport::Tcp, Side::Client, &out[4..]), read);
    }
}
