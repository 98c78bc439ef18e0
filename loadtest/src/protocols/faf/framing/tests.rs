//! Every transport read back, whole and cut anywhere, and what a client refuses.

use base64::Engine as _;
use proptest::prelude::*;

use super::*;

/// What a server would send, written the slow way.
fn server_bytes(transport: Transport, messages: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        match transport {
            Transport::Websocket => {
                let payload = format!("{message}\n");
                out.push(0x81);
                match payload.len() {
                    n @ 0..=125 => out.push(n as u8),
                    n @ 126..=0xffff => {
                        out.push(126);
                        out.extend_from_slice(&(n as u16).to_be_bytes());
                    }
                    n => {
                        out.push(127);
                        out.extend_from_slice(&(n as u64).to_be_bytes());
                    }
                }
                out.extend_from_slice(payload.as_bytes());
            }
            other => encode(other, message, &mut 1, &mut out),
        }
    }
    out
}

fn opened(transport: Transport) -> Framer {
    let (mut framer, _) = Framer::open(transport, "here", [7; 16]);
    if transport == Transport::Websocket {
        let key = base64::engine::general_purpose::STANDARD.encode([7; 16]);
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {}\r\n\r\n",
            accept_of(&key)
        );
        let mut open = false;
        framer
            .push(answer.as_bytes(), &mut |incoming| {
                open = incoming == Incoming::Opened
            })
            .expect("a correct answer");
        assert!(open);
    }
    framer
}

fn read(transport: Transport, bytes: &[u8], step: usize) -> Vec<String> {
    let mut framer = opened(transport);
    let mut heard = Vec::new();
    for piece in bytes.chunks(step.max(1)) {
        framer
            .push(piece, &mut |incoming| {
                if let Incoming::Message(frame) = incoming {
                    heard.push(String::from_utf8_lossy(&frame.text()).into_owned());
                }
            })
            .expect("well-formed");
    }
    heard
}

proptest! {
    #[test]
    fn every_cut_gives_the_same_messages(
        words in proptest::collection::vec("[ -~é😀]{0,300}", 1..6),
        step in 1_usize..700,
    ) {
        let messages: Vec<String> =
            words.iter().map(|word| serde_json::json!({"command": "x", "w": word}).to_string()).collect();
        for transport in [Transport::Json, Transport::Qdatastream, Transport::Websocket] {
            let bytes = server_bytes(transport, &messages);
            prop_assert_eq!(&read(transport, &bytes, step), &messages);
        }
    }

    #[test]
    fn rubbish_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), step in 1_usize..50) {
        for transport in [Transport::Json, Transport::Qdatastream, Transport::Websocket] {
            let mut framer = opened(transport);
            for piece in bytes.chunks(step) {
                if framer.push(piece, &mut |_| {}).is_err() {
                    break;
                }
            }
        }
    }
}

#[test]
fn qdatastream_ping_is_a_bare_word() {
    let mut out = Vec::new();
    encode(
        Transport::Qdatastream,
        r#"{"command":"pong"}"#,
        &mut 1,
        &mut out,
    );
    assert_eq!(out, b"\0\0\0\x0c\0\0\0\x08\0P\0O\0N\0G");
    out[9] = b'P';
    out[11] = b'I';
    assert_eq!(
        read(Transport::Qdatastream, &out, 3),
        [r#"{"command":"ping"}"#]
    );
}

#[test]
fn websocket_masks_what_it_sends() {
    let mut out = Vec::new();
    let mut mask = 0x1234_5678;
    encode(Transport::Websocket, "{}", &mut mask, &mut out);
    let key = mask.to_be_bytes();
    assert_eq!(&out[..6], &[0x81, 0x83, key[0], key[1], key[2], key[3]]);
    let plain: Vec<u8> = out[6..]
        .iter()
        .zip(key.iter().cycle())
        .map(|(a, b)| a ^ b)
        .collect();
    assert_eq!(plain, b"{}\n");
}

#[test]
fn rfc_6455_sample_accept() {
    assert_eq!(
        accept_of("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}

#[test]
fn refused_upgrade_says_why() {
    let (mut framer, _) = Framer::open(Transport::Websocket, "here", [7; 16]);
    let refused = framer.push(b"HTTP/1.1 503 Full\r\n\r\n", &mut |_| {});
    assert_eq!(
        refused,
        Err(FramingError::Upgrade("HTTP/1.1 503 Full".into()))
    );
}

#[test]
fn bridge_cuts_binary_frames_anywhere() {
    let mut bytes = vec![0x82, 5];
    bytes.extend_from_slice(b"{\"com");
    bytes.extend_from_slice(&[0x82, 13]);
    bytes.extend_from_slice(b"mand\":\"a\"}\n{}");
    bytes.extend_from_slice(&[0x82, 1, b'\n']);
    assert_eq!(
        read(Transport::Websocket, &bytes, 100),
        [r#"{"command":"a"}"#, "{}"]
    );
}

#[test]
fn websocket_ping_and_close_are_told() {
    let mut framer = opened(Transport::Websocket);
    let mut told = Vec::new();
    framer
        .push(&[0x89, 2, b'h', b'i', 0x88, 0], &mut |incoming| {
            told.push(format!("{incoming:?}"));
        })
        .expect("well-formed");
    assert_eq!(told, ["WebsocketPing([104, 105])", "WebsocketClose"]);
}

#[test]
fn long_lists_are_not_kept() {
    let list = format!(
        r#"{{"command":"player_info","players":[{}]}}"#,
        "1,".repeat(50_000)
    );
    let messages = [list, r#"{"command":"next"}"#.to_owned()];
    for transport in [
        Transport::Json,
        Transport::Qdatastream,
        Transport::Websocket,
    ] {
        let bytes = server_bytes(transport, &messages);
        let heard = read(transport, &bytes, 4096);
        assert_eq!(heard.len(), 2, "{transport:?}");
        assert!(heard[0].len() <= 4096 && heard[0].starts_with(r#"{"command":"player_info""#));
        assert_eq!(heard[1], messages[1]);
    }
}

#[test]
fn command_survives_spaces_and_order() {
    assert_eq!(command_of(br#"{"command":"ping"}"#), Some("ping"));
    assert_eq!(
        command_of(br#"{"args": ["{\"command\":\"no\"}"], "command" : "yes"}"#),
        Some("yes")
    );
    assert_eq!(command_of(b"[]"), None);
}

#[test]
fn needle_reads_both_encodings() {
    let needle = Needle::new("swarm-h");
    let narrow = Frame {
        bytes: br#"{"title":"swarm-h12"}"#,
        wide: false,
        cut: false,
    };
    let units = widen(r#"{"title":"swarm-h12"}"#);
    let wide = Frame {
        bytes: &units,
        wide: true,
        cut: false,
    };
    let expected = Some((*b"12\"", 3));
    assert_eq!(needle.after::<3>(&narrow), expected);
    assert_eq!(needle.after::<3>(&wide), expected);
}
