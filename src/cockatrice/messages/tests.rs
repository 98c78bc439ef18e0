//! The examples of the specification (cockatrice-wire 3.1, 6.4), and what reading has to bear.

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.split_whitespace();
    digits
        .map(|digits| u8::from_str_radix(digits, 16).expect("hex"))
        .collect()
}

/// A container with one command.
fn command(hex: &str) -> CommandContainer<'static> {
    decode(Box::leak(bytes(hex).into_boxed_slice())).expect("a container")
}

#[test]
fn commands_of_the_examples_are_read() {
    let ping = command("08 01 a2 06 03 c2 3e 00");
    assert_eq!(ping.cmd_id, Some(1));
    assert!(matches!(
        ping.session_command[0].body,
        Some(SessionCommandBody::Ping(_))
    ));
    let say = command("08 04 a0 01 00 b2 06 07 ca 3e 04 0a 02 68 69");
    let Some(RoomCommandBody::RoomSay(said)) = &say.room_command[0].body else {
        panic!("{say:?}");
    };
    assert_eq!((said.message(), say.room_id), ("hi".into(), Some(0)));
    let create = command("08 05 a0 01 00 b2 06 08 d2 3e 05 0a 01 67 18 02");
    let Some(RoomCommandBody::CreateGame(create)) = &create.room_command[0].body else {
        panic!("{create:?}");
    };
    assert_eq!(
        (create.description(), create.max_players()),
        ("g".into(), 2)
    );
    assert_eq!(create.password, None);
    let ban = command("08 07 ba 06 0a c2 3e 07 0a 03 62 6f 62 18 05");
    assert!(matches!(
        ban.moderator_command[0].body,
        Some(ModeratorCommandBody::BanFromServer(_))
    ));
}

#[test]
fn answers_and_events_of_the_examples_are_written() {
    let answer = ServerMessage {
        message_type: Some(ServerMessageType::Response),
        response: Some(Response {
            cmd_id: Some(1),
            response_code: Some(ResponseCode::RespOk),
            body: None,
        }),
        ..ServerMessage::default()
    };
    assert_eq!(encode(&answer), bytes("08 00 12 04 08 01 10 01"));
    let nobody_asked = Response {
        cmd_id: Some(u64::MAX),
        response_code: Some(ResponseCode::RespInvalidCommand),
        body: None,
    };
    let nobody_asked = ServerMessage {
        message_type: Some(ServerMessageType::Response),
        response: Some(nobody_asked),
        ..ServerMessage::default()
    };
    assert_eq!(
        encode(&nobody_asked),
        bytes("08 00 12 0d 08 ff ff ff ff ff ff ff ff ff 01 10 04")
    );
    let identification = EventServerIdentification {
        server_name: Some("S".into()),
        server_version: Some("v".into()),
        protocol_version: Some(14),
        server_options: Some(ServerOptions::SupportsPasswordHash),
    };
    let greeting = ServerMessage {
        message_type: Some(ServerMessageType::SessionEvent),
        session_event: Some(SessionEvent {
            body: Some(SessionEventBody::ServerIdentification(identification)),
        }),
        ..ServerMessage::default()
    };
    assert_eq!(
        encode(&greeting),
        bytes("08 01 1a 0d a2 1f 0a 0a 01 53 12 01 76 18 0e 20 01")
    );
    let changed = ServerMessage {
        message_type: Some(ServerMessageType::GameEventContainer),
        game_event_container: Some(GameEventContainer {
            game_id: Some(1),
            event_list: vec![GameEvent {
                player_id: Some(0),
                body: Some(GameEventBody::GameHostChanged(Default::default())),
            }],
            ..GameEventContainer::default()
        }),
        ..ServerMessage::default()
    };
    assert_eq!(
        encode(&changed),
        bytes("08 02 22 09 08 01 12 05 08 00 da 3e 00")
    );
}

#[test]
fn of_several_commands_in_a_shell_the_lowest_number_counts() {
    // A login (1001) in front of a ping (1000), and one that nobody knows behind it.
    let both = command("a2 06 09 ca 3e 00 c2 3e 00 ba 7c 00");
    assert!(matches!(
        both.session_command[0].body,
        Some(SessionCommandBody::Ping(_))
    ));
    let unknown = command("a2 06 03 ba 7c 00");
    assert_eq!(unknown.session_command[0].body, None);
}

#[test]
fn texts_need_not_be_utf_8() {
    let said: CommandRoomSay<'_> = decode(&[0x0a, 3, b'a', 0xff, 0]).expect("a text");
    assert_eq!(said.message(), "a\u{fffd}\0");
    assert_eq!(said.message.as_deref(), Some(&[b'a', 0xff, 0][..]));
    assert_eq!(encode(&said), [0x0a, 3, b'a', 0xff, 0]);
}

#[test]
fn what_is_required_must_be_there() {
    assert_eq!(decode::<CommandAdjustMod<'_>>(&[]), Err(Malformed));
    // In a container, too.
    let container = bytes("c2 06 03 da 3e 00");
    assert_eq!(decode::<CommandContainer<'_>>(&container), Err(Malformed));
}

#[test]
fn numbers_of_a_repeated_field_may_be_packed() {
    let (apart, packed) = (bytes("10 02 10 04"), bytes("12 02 02 04"));
    let apart: CommandRevealCards<'_> = decode(&apart).expect("two");
    let packed: CommandRevealCards<'_> = decode(&packed).expect("two");
    assert_eq!(apart.card_id, [1, 2]);
    assert_eq!(packed.card_id, apart.card_id);
    assert_eq!(encode(&packed), bytes("10 02 10 04"));
}

#[test]
fn unknown_fields_and_groups_are_passed_over() {
    // Field 15 as fixed32, as a group with a group inside, as a varint where a text belongs.
    let known = bytes("7d 01 02 03 04 7b 73 08 01 74 7c 08 05 0a 01 78");
    let known: CommandRoomSay<'_> = decode(&known).expect("a text");
    assert_eq!(known.message(), "x");
    assert_eq!(
        decode::<CommandRoomSay<'_>>(&bytes("7b 08 01")),
        Err(Malformed)
    );
    assert_eq!(
        decode::<CommandRoomSay<'_>>(&bytes("7b 74")),
        Err(Malformed)
    );
}

#[test]
fn a_judge_in_a_judge_is_read_up_to_a_depth() {
    let nested = |times: usize| {
        let mut inner = Vec::new();
        for _ in 0..times {
            let judge = CommandJudge {
                target_id: Some(1),
                game_command: Vec::new(),
            };
            let mut bytes = encode(&judge);
            bytes.extend([0x12]);
            push_len(&mut bytes, inner.len());
            bytes.extend(&inner);
            inner = vec![0xca, 0x40];
            push_len(&mut inner, bytes.len());
            inner.extend(bytes);
        }
        inner
    };
    let is_read = |times| decode::<GameCommand<'_>>(&nested(times)).is_ok();
    assert!(is_read(20));
    assert!(!is_read(200));
}

fn push_len(out: &mut Vec<u8>, len: usize) {
    let mut len = len;
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
}

proptest::proptest! {
    /// Whatever it is, it is read or refused, and what is read is written as something that is read alike.
    #[test]
    fn what_was_read_is_written_and_read_again(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        if let Ok(container) = decode::<CommandContainer<'_>>(&bytes) {
            let written = encode(&container);
            proptest::prop_assert_eq!(written.len(), container.encoded_len());
            proptest::prop_assert_eq!(decode::<CommandContainer<'_>>(&written), Ok(container.clone()));
        }
        if let Ok(message) = decode::<ServerMessage<'_>>(&bytes) {
            let written = encode(&message);
            proptest::prop_assert_eq!(decode::<ServerMessage<'_>>(&written), Ok(message.clone()));
        }
    }
}
