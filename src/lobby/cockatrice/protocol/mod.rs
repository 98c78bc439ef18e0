//! What the lobby says: whole messages, each put together once however many get it.
//!
//! Records of users and games are kept as they are written, and go into messages as they are.

pub(super) mod outline;

use bytes::Bytes;
use cockatrice::messages::{
    CloseReason, EventConnectionClosed, EventLeaveRoom, EventNotifyUser, EventRemoveMessages,
    EventReplayAdded, EventRoomSay, EventServerIdentification, EventServerMessage,
    EventServerShutdown, EventUserLeft, EventUserMessage, Message, NotificationType, Response,
    ResponseBody, ResponseCode, RoomMessageType, ServerInfoReplay, ServerInfoReplayMatch,
    ServerInfoUser, ServerOptions, encode, raw,
};

use super::questions::PlayedGame;

/// What a client over TCP is sent first, without a length in front (spec: cockatrice-wire 3.1).
pub(super) const GREETING: &[u8] =
    b"<?xml version=\"1.0\"?><cockatrice_server_stream version=\"14\">";

/// The version of the protocol that is spoken.
const PROTOCOL_VERSION: u32 = 14;

/// Fields of a server message: which kind it is, then that kind's own.
const KIND: u32 = 1;
const RESPONSE: (u32, u64) = (2, 0);
const SESSION_EVENT: (u32, u64) = (3, 1);
const ROOM_EVENT: (u32, u64) = (5, 3);

/// Numbers of what extends a shell, where its content is put together from records.
const USER_JOINED: u32 = 1007;
const LIST_ROOMS: u32 = 1004;
const JOIN_ROOM: u32 = 1001;
const LIST_GAMES: u32 = 1003;

/// The code of an answer as it is written.
pub(super) fn code_number(code: ResponseCode) -> u64 {
    i64::from(code as i32) as u64
}

/// A message that is one block of this kind: `fields` in front, then what extends the shell, as it is written.
fn message(kind: (u32, u64), fields: &[(u32, u64)], extension: &[u8]) -> Bytes {
    let fields_len = fields
        .iter()
        .map(|&(field, value)| raw::number_len(field, value));
    let len = fields_len.sum::<usize>() + extension.len();
    let mut out = Vec::with_capacity(raw::number_len(KIND, kind.1) + raw::block_len(kind.0, len));
    raw::number(&mut out, KIND, kind.1);
    raw::head(&mut out, kind.0, len);
    for &(field, value) in fields {
        raw::number(&mut out, field, value);
    }
    out.extend_from_slice(extension);
    out.into()
}

/// The answer to a container; what extends it, as it is written, or nothing.
pub(super) fn response(cmd_id: u64, code: ResponseCode, extension: &[u8]) -> Bytes {
    message(RESPONSE, &[(1, cmd_id), (2, code_number(code))], extension)
}

/// What extends an answer, as it is written.
pub(super) fn extension(body: ResponseBody<'_>) -> Bytes {
    // An answer without anything else.
    let response = Response {
        cmd_id: None,
        response_code: None,
        body: Some(body),
    };
    encode(&response).into()
}

fn session_event<'a>(number: u32, event: &impl Message<'a>) -> Bytes {
    message(SESSION_EVENT, &[], &listed(number, &encode(event)))
}

/// An event of a session that was put together elsewhere.
pub(super) fn session(event: &[u8]) -> Bytes {
    message(SESSION_EVENT, &[], event)
}

/// An event of a room. Its id is written as the schema's `sint32`, and never negative.
fn room_event(room: u32, number: u32, content: &[u8]) -> Bytes {
    message(ROOM_EVENT, &[(1, zigzag(room))], &listed(number, content))
}

/// A number that is not negative, where negative ones may be.
fn zigzag(value: u32) -> u64 {
    u64::from(value) << 1
}

/// What a connection is told first, or after its handshake.
pub(super) fn identification(name: &str, has_accounts: bool) -> Bytes {
    let event = EventServerIdentification {
        server_name: Some(name.into()),
        server_version: Some(concat!("muster ", env!("CARGO_PKG_VERSION")).into()),
        protocol_version: Some(PROTOCOL_VERSION),
        server_options: has_accounts.then_some(ServerOptions::SupportsPasswordHash),
    };
    session_event(500, &event)
}

/// The connection is about to be ended.
pub(super) fn connection_closed(
    reason: CloseReason,
    told: Option<&str>,
    until_s: Option<u32>,
) -> Bytes {
    let event = EventConnectionClosed {
        reason: Some(reason),
        reason_str: told.map(Into::into),
        end_time: until_s,
    };
    session_event(1002, &event)
}

/// What everybody is told after signing in.
pub(super) fn server_message(text: &str) -> Bytes {
    let event = EventServerMessage {
        message: Some(text.into()),
    };
    session_event(1000, &event)
}

/// The server will end in so many minutes.
pub(super) fn server_shutdown(reason: &str, minutes: u32) -> Bytes {
    let event = EventServerShutdown {
        reason: Some(reason.into()),
        minutes: Some(minutes),
    };
    session_event(1001, &event)
}

/// The user has done nothing for long.
pub(super) fn idle_warning() -> Bytes {
    let event = EventNotifyUser {
        r#type: Some(NotificationType::Idlewarning),
        ..EventNotifyUser::default()
    };
    session_event(1010, &event)
}

/// A private message.
pub(super) fn user_message(sender: &str, receiver: &str, text: &[u8]) -> Bytes {
    let event = EventUserMessage {
        sender_name: Some(sender.into()),
        receiver_name: Some(receiver.into()),
        message: Some(text.into()),
    };
    session_event(1003, &event)
}

/// Somebody has signed in.
pub(super) fn user_joined(user: &[u8]) -> Bytes {
    message(SESSION_EVENT, &[], &listed(USER_JOINED, &listed(1, user)))
}

/// Somebody has gone.
pub(super) fn user_left(name: &str) -> Bytes {
    let event = EventUserLeft {
        name: Some(name.into()),
    };
    session_event(1008, &event)
}

/// Rooms, each as it is written.
pub(super) fn list_rooms(rooms: &[u8]) -> Bytes {
    message(SESSION_EVENT, &[], &listed(LIST_ROOMS, rooms))
}

/// A game is over that the receiver took part in: what is known of its replays (spec: cockatrice-behaviour 5.10). Those without
/// an id are in no store.
pub(super) fn replay_added(played: &PlayedGame, ids: &[u32]) -> Bytes {
    let id = |index: usize| ids.get(index).map_or(-1, |&id| id as i32);
    let replays = played.replays.iter().enumerate();
    let replays = replays.map(|(index, replay)| ServerInfoReplay {
        replay_id: Some(id(index)),
        replay_name: Some((&*played.description).into()),
        duration: Some(replay.duration_s),
    });
    let players = played.players.iter();
    let event = EventReplayAdded {
        match_info: Some(ServerInfoReplayMatch {
            replay_list: replays.collect(),
            game_id: Some(played.game as i32),
            room_name: Some((&*played.room).into()),
            time_started: Some(played.started_s as u32),
            length: Some(played.finished_s.saturating_sub(played.started_s) as u32),
            game_name: Some((&*played.description).into()),
            player_names: players.map(|name| (&**name).into()).collect(),
            do_not_hide: None,
        }),
    };
    session_event(1100, &event)
}

/// Somebody has entered the room.
pub(super) fn room_joined(room: u32, user: &[u8]) -> Bytes {
    room_event(room, JOIN_ROOM, &listed(1, user))
}

/// Somebody has left the room.
pub(super) fn room_left(room: u32, name: &str) -> Bytes {
    let event = EventLeaveRoom {
        name: Some(name.into()),
    };
    room_event(room, 1000, &encode(&event))
}

/// What somebody has said last in the room is taken back.
pub(super) fn room_purged(room: u32, name: &str, lines: u32) -> Bytes {
    let event = EventRemoveMessages {
        name: Some(name.into()),
        amount: Some(lines),
    };
    room_event(room, 1004, &encode(&event))
}

/// Somebody says something in the room.
pub(super) fn room_say(room: u32, name: &str, text: &str) -> Bytes {
    let event = EventRoomSay {
        name: Some(name.into()),
        message: Some(text.into()),
        ..EventRoomSay::default()
    };
    room_event(room, 1002, &encode(&event))
}

/// What was said in the room before.
pub(super) fn room_history(room: u32, line: String, at_ms: u64) -> Bytes {
    let event = EventRoomSay {
        name: None,
        message: Some(line.into()),
        message_type: Some(RoomMessageType::ChatHistory),
        time_of: Some(at_ms),
    };
    room_event(room, 1002, &encode(&event))
}

/// What who enters the room is told.
pub(super) fn room_welcome(room: u32, text: &str) -> Bytes {
    let event = EventRoomSay {
        name: None,
        message: Some(text.into()),
        message_type: Some(RoomMessageType::Welcome),
        time_of: None,
    };
    room_event(room, 1002, &encode(&event))
}

/// Games of a room, each a record in a field of its own.
pub(super) fn list_games(room: u32, games: &[u8]) -> Bytes {
    room_event(room, LIST_GAMES, games)
}

/// A record as an entry of a list, or as the one of a message.
pub(super) fn listed(field: u32, record: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw::block_len(field, record.len()));
    raw::block(&mut out, field, record);
    out
}

/// The record of a user without an account.
pub(super) fn unregistered(name: &str, level: u32) -> Bytes {
    let record = ServerInfoUser {
        name: Some(name.into()),
        user_level: Some(level),
        ..ServerInfoUser::default()
    };
    encode(&record).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.split_whitespace();
        digits
            .map(|digits| u8::from_str_radix(digits, 16).expect("hex"))
            .collect()
    }

    /// The examples of cockatrice-wire 6.4.
    #[test]
    fn messages_are_as_the_examples_say() {
        assert_eq!(GREETING.len(), 60);
        let ok = ResponseCode::RespOk;
        assert_eq!(*response(1, ok, &[]), bytes("08 00 12 04 08 01 10 01"));
        let unknown = response(u64::MAX, ResponseCode::RespInvalidCommand, &[]);
        assert_eq!(
            *unknown,
            bytes("08 00 12 0d 08 ff ff ff ff ff ff ff ff ff 01 10 04")
        );
        assert_eq!(
            *room_say(0, "alice", "hi"),
            bytes("08 03 2a 10 08 00 d2 3e 0b 0a 05 61 6c 69 63 65 12 02 68 69")
        );
    }
}
