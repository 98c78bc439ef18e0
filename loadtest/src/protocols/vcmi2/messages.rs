//! Messages of the lobby as blocks of JSON, and ids as real clients make them (spec: vcmi-lobby2 2, 4).

use serde_json::{Value, json};

use crate::chance;
use crate::protocols::blocks::{self, Order};
use crate::protocols::member;

/// What a client of this tester says it is.
const VERSION: &str = "1.7.5";
/// The global channel in which users chat.
pub(super) const CHANNEL: &str = "english";
/// How a list of all accounts, and of all rooms, begins: members are in alphabetical order, and no other message has these.
const LISTS: [&str; 2] = ["\"accounts\"", "\"gameRooms\""];

/// A player's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: String,
    pub(super) cookie: String,
}

/// Appends a message.
pub(super) fn say(message: &Value, out: &mut Vec<u8>) {
    blocks::append(Order::Little, message.to_string().as_bytes(), out);
}

/// What keeps a connection from being taken for dead.
pub(super) fn heartbeat(out: &mut Vec<u8>) {
    blocks::append(Order::Little, &[], out);
}

/// What kind of message this is; nothing if it is none.
pub(super) fn kind(message: &[u8]) -> &str {
    text(message, "\"type\"").unwrap_or_default()
}

/// A text of a message that has no lists, by the name of its member with its quotes.
pub(super) fn text<'a>(message: &'a [u8], quoted: &str) -> Option<&'a str> {
    member::text_of(message, quoted)
}

/// The list of all rooms is read, and that of all accounts is not.
pub(super) fn is_no_list_of_accounts(head: &[u8]) -> bool {
    !begins_with(head, LISTS[0])
}

/// Neither list is read.
pub(super) fn is_no_list(head: &[u8]) -> bool {
    LISTS.iter().all(|list| !begins_with(head, list))
}

fn begins_with(head: &[u8], member: &str) -> bool {
    let head = head.trim_ascii_start();
    let inside = head.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    inside.is_some_and(|inside| inside.starts_with(member.as_bytes()))
}

/// Lines of a global channel's history, if this is one.
pub(super) fn lines_of(history: &[u8]) -> Vec<String> {
    let history: Value = serde_json::from_slice(history).unwrap_or_default();
    let lines = history["messages"].as_array().into_iter().flatten();
    let lines = lines.filter(|_| history["channelType"] == "global");
    lines
        .filter_map(|line| Some(line["messageText"].as_str()?.to_owned()))
        .collect()
}

/// Whether a list of rooms has this one, with this description and without this guest.
pub(super) fn has_left(rooms: &[u8], room: &str, description: &str, guest: &str) -> bool {
    let rooms: Value = serde_json::from_slice(rooms).unwrap_or_default();
    let mut rooms = rooms["gameRooms"].as_array().into_iter().flatten();
    rooms.any(|listed| {
        let mut inside = listed["participants"].as_array().into_iter().flatten();
        listed["gameRoomID"] == room
            && listed["description"] == description
            && !inside.any(|one| one["accountID"] == guest)
    })
}

pub(super) fn register(name: &str) -> Value {
    json!({"type": "clientRegister", "displayName": name, "language": CHANNEL, "version": VERSION})
}

pub(super) fn login(own: &Identity) -> Value {
    json!({
        "type": "clientLogin", "accountID": own.id, "accountCookie": own.cookie, "language": CHANNEL,
        "languageRooms": [CHANNEL], "version": VERSION
    })
}

pub(super) fn chat(line: &str) -> Value {
    json!({"type": "sendChatMessage", "messageText": line, "channelType": "global", "channelName": CHANNEL})
}

pub(super) fn server_login(room: &str, host: &Identity) -> Value {
    json!({
        "type": "serverLogin", "gameRoomID": room, "accountID": host.id, "accountCookie": host.cookie,
        "version": VERSION, "mods": [{"modId": "swarm", "name": "Swarm", "version": "1.0"}]
    })
}

/// Opens a room of two.
pub(super) fn open(host: &Identity, kind: &str) -> Value {
    json!({"type": "activateGameRoom", "hostAccountID": host.id, "roomType": kind, "playerLimit": 2})
}

pub(super) fn invite(guest: &Identity) -> Value {
    json!({"type": "sendInvite", "accountID": guest.id})
}

pub(super) fn join(room: &str) -> Value {
    json!({"type": "joinGameRoom", "gameRoomID": room})
}

pub(super) fn describe(description: &str) -> Value {
    json!({"type": "changeRoomDescription", "description": description})
}

pub(super) fn leave(guest: &Identity) -> Value {
    json!({"type": "leaveGameRoom", "accountID": guest.id})
}

pub(super) fn started() -> Value {
    json!({"type": "gameStarted"})
}

pub(super) fn server_proxy(room: &str, host: &Identity, guest: &Identity) -> Value {
    json!({
        "type": "serverProxyLogin", "gameRoomID": room, "guestAccountID": guest.id, "accountCookie": host.cookie
    })
}

pub(super) fn client_proxy(room: &str, guest: &Identity) -> Value {
    json!({
        "type": "clientProxyLogin", "accountID": guest.id, "accountCookie": guest.cookie, "gameRoomID": room
    })
}

/// The id of a room, a uuid that no other run has: of the `turn`-th room of group `group` of this kind.
pub(super) fn room_id(run_id: &str, kind: u64, group: usize, turn: u64) -> String {
    let run = run_id.bytes().map(u64::from);
    let of: Vec<u64> = run.chain([kind, group as u64, turn]).collect();
    let [high, low] = [0, 1].map(|half| chance::bits(&[&of[..], &[half]].concat()));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_blocks_and_their_kind_is_found() {
        let mut out = Vec::new();
        say(&started(), &mut out);
        heartbeat(&mut out);
        assert_eq!(
            out,
            b"\x16\0\0\0{\"type\":\"gameStarted\"}\0\0\0\0".to_vec()
        );
        assert_eq!(
            kind(b"{\n\t\"accountID\" : \"a\",\n\t\"type\" : \"x\"\n}"),
            "x"
        );
        assert_eq!(kind(b"none"), "");
    }

    #[test]
    fn lists_are_known_by_their_beginning() {
        for (head, of_accounts, any) in [
            ("{\"accounts\":[{", true, true),
            ("{\n\t\"accounts\" : [", true, true),
            ("{\"gameRooms\":[", false, true),
            ("{\"accountID\":\"a\"", false, false),
            ("\"accounts\"", false, false),
        ] {
            assert_eq!(
                is_no_list_of_accounts(head.as_bytes()),
                !of_accounts,
                "{head}"
            );
            assert_eq!(is_no_list(head.as_bytes()), !any, "{head}");
        }
    }

    #[test]
    fn a_guest_has_left_when_the_newest_list_says_so() {
        let list = |description: &str, guests: &str| {
            format!(
                r#"{{"gameRooms":[{{"gameRoomID":"other"}},{{"gameRoomID":"r","description":"{description}",
                "participants":[{{"accountID":"h"}}{guests}]}}],"type":"activeGameRooms"}}"#
            )
        };
        let left = |text: String| has_left(text.as_bytes(), "r", "now", "g");
        assert!(left(list("now", "")));
        assert!(!left(list("now", r#",{"accountID":"g"}"#)));
        assert!(!left(list("before", "")), "an older list");
        assert!(!left(r#"{"gameRooms":[]}"#.to_owned()), "the room is over");
    }

    #[test]
    fn histories_are_read_line_by_line() {
        let history = |kind: &str| {
            format!(
                r#"{{"type":"chatHistory","channelType":"{kind}","messages":[{{"messageText":"a"}},{{"messageText":"b"}}]}}"#
            )
        };
        assert_eq!(lines_of(history("global").as_bytes()), ["a", "b"]);
        assert_eq!(lines_of(history("match").as_bytes()), [""; 0]);
    }

    #[test]
    fn rooms_have_ids_of_their_own() {
        let id = room_id("a1b2", 0, 7, 3);
        assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
        assert!("89ab".contains(&id[19..20]), "{id}");
        assert_eq!(id, room_id("a1b2", 0, 7, 3));
        for other in [
            room_id("a1b3", 0, 7, 3),
            room_id("a1b2", 1, 7, 3),
            room_id("a1b2", 0, 7, 4),
        ] {
            assert_ne!(id, other);
        }
    }
}
