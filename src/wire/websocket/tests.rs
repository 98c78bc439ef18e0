//! The reader against frames made by hand, and against an independent client.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::rc::Rc;

use proptest::prelude::*;
use tungstenite::protocol::frame::{Frame, FrameHeader, coding};
use tungstenite::{HandshakeError, Message};

use super::*;
use crate::Format;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

#[derive(Debug, PartialEq)]
enum Event {
    Body(String),
    Reply(Vec<u8>),
    Peer(Option<IpAddr>),
    Fail(WireError, Vec<u8>),
}

/// Everything `bytes` amount to; what is not consumed stays in them.
fn events(reader: &mut Reader, bytes: &mut Vec<u8>, limits: &ReadLimits) -> Vec<Event> {
    let mut events = Vec::new();
    let mut scratch = Scratch::default();
    loop {
        let (consumed, event) = match reader.step(bytes, &mut scratch, limits) {
            Step::More { consumed } => {
                bytes.drain(..consumed);
                return events;
            }
            Step::Frame { consumed, body } => (
                consumed,
                Event::Body(String::from_utf8_lossy(body).into_owned()),
            ),
            Step::Reply { consumed, bytes } => (consumed, Event::Reply(bytes)),
            Step::Peer { consumed, address } => (consumed, Event::Peer(address)),
            Step::Skipped { .. } => unreachable!("no frames with a length in front"),
            Step::Fail { error, close_frame } => {
                events.push(Event::Fail(error, close_frame));
                return events;
            }
        };
        bytes.drain(..consumed);
        events.push(event);
    }
}

fn open_reader() -> Reader {
    let mut reader = Reader::documents(false);
    let mut request = client_handshake("localhost", "/", KEY);
    let answer = events(&mut reader, &mut request, &ReadLimits::default());
    assert!(matches!(answer.as_slice(), [Event::Reply(_)]) && request.is_empty());
    reader
}

/// A masked frame with the first byte as given.
fn raw(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_client_text(payload, [7, 1, 200, 77], &mut out);
    out[0] = first;
    out
}

/// Clients of newer deployments come to `/ws`.
#[test]
fn both_default_paths_are_served() {
    for (path, is_served) in [
        ("/", true),
        ("/ws", true),
        ("/ws?x=1", true),
        ("/wss", false),
        ("/,/ws", false),
        ("", false),
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let upgrade = super::handshake::parse(request.as_bytes(), &ReadLimits::default());
        assert_eq!(upgrade.is_ok(), is_served, "{path}");
    }
}

#[test]
fn a_star_is_any_path() {
    let limits = ReadLimits {
        ws_path: "*".into(),
        ..ReadLimits::default()
    };
    for path in ["/", "/servatrice", "/a/b?c"] {
        let request = super::client_handshake("h", path, "dGhlIHNhbXBsZSBub25jZQ==");
        let upgrade = super::handshake::parse(&request, &limits);
        assert!(upgrade.is_ok(), "{path}");
    }
}

fn read(frames: &[Vec<u8>]) -> Vec<Event> {
    let limits = ReadLimits {
        message_bytes: 1000,
        ..ReadLimits::default()
    };
    events(&mut open_reader(), &mut frames.concat(), &limits)
}

fn bodies(bodies: &[&str]) -> Vec<Event> {
    bodies
        .iter()
        .map(|body| Event::Body((*body).to_owned()))
        .collect()
}

#[test]
fn documents_in_frames() {
    let text = |payload: &str| raw(0x81, payload.as_bytes());
    for (frames, expected) in [
        (vec![text("{\"a\":1}\n")], vec!["{\"a\":1}"]),
        (vec![text(" {\"a\":1} ")], vec!["{\"a\":1}"]),
        (vec![raw(0x82, b"{\"a\":1}\r\n")], vec!["{\"a\":1}"]),
        (
            vec![text("{}\n{}\n\n[]"), text("\n"), text("7")],
            vec!["{}", "{}", "[]", "7"],
        ),
        (
            vec![text("{\"a\":"), text("1"), text("}")],
            vec!["{\"a\":1}"],
        ),
        (
            vec![text("{\"a\":"), text("1}\n{\"b\":2}\n{"), text("}\n")],
            vec!["{\"a\":1}", "{\"b\":2}", "{}"],
        ),
        (vec![text("{}\n  "), text("{}")], vec!["{}", "{}"]),
        (vec![text("nonsense")], vec!["nonsense"]),
        (vec![text("")], vec![""]),
        (vec![text("{}\n"), text(" \n")], vec!["{}", ""]),
        (
            vec![
                raw(0x01, b"{\"a\""),
                raw(0x8a, b"pong"),
                raw(0x00, b":"),
                raw(0x80, b"1}"),
            ],
            vec!["{\"a\":1}"],
        ),
        (
            vec![raw(0x01, b"{\"\xc3"), raw(0x80, b"\xa9\":1}\n{}")],
            vec!["{\"é\":1}", "{}"],
        ),
    ] {
        assert_eq!(read(&frames), bodies(&expected));
    }
}

#[test]
fn control_frames_are_answered() {
    assert_eq!(
        read(&[raw(0x89, b"hi")]),
        [Event::Reply(b"\x8a\x02hi".to_vec())]
    );
    assert_eq!(
        read(&[raw(0x88, b"\x03\xe8bye")]),
        [Event::Fail(WireError::Closed, b"\x88\x02\x03\xe8".to_vec())]
    );
    assert_eq!(
        read(&[raw(0x88, b"")]),
        [Event::Fail(WireError::Closed, b"\x88\x00".to_vec())]
    );
}

#[test]
fn broken_frames_end_the_stream() {
    let code = |frames: &[Vec<u8>]| match read(frames).pop() {
        Some(Event::Fail(_, close_frame)) => u16::from_be_bytes([close_frame[2], close_frame[3]]),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(&[b"\x81\x02hi".to_vec()]), 1002, "not masked");
    assert_eq!(code(&[raw(0xc1, b"{}")]), 1002, "reserved bit");
    assert_eq!(code(&[raw(0x83, b"{}")]), 1002, "unknown opcode");
    assert_eq!(code(&[raw(0x09, b"")]), 1002, "fragmented ping");
    assert_eq!(code(&[raw(0x80, b"{}")]), 1002, "continuation of nothing");
    assert_eq!(
        code(&[raw(0x01, b"{"), raw(0x81, b"}")]),
        1002,
        "a message inside another"
    );
    assert_eq!(code(&[raw(0x88, b"\x03")]), 1002, "half a close code");
    assert_eq!(code(&[raw(0x88, b"\x03\xe8\xff")]), 1007, "close reason");
    assert_eq!(code(&[raw(0x81, b"\"\xff\"")]), 1007, "not UTF-8");
    assert_eq!(
        code(&[raw(0x01, b"\"\xff"), raw(0x80, b"\"")]),
        1007,
        "not UTF-8 in fragments"
    );
    assert_eq!(code(&[raw(0x81, &[b' '; 1001])]), 1009);
    assert_eq!(
        code(&[raw(0x01, &[b'['; 600]), raw(0x80, &[b'['; 600])]),
        1009,
        "fragments"
    );
    assert_eq!(
        code(&[raw(0x81, &[b'['; 600]), raw(0x81, &[b'['; 600])]),
        1009,
        "a document over frames"
    );
    assert_eq!(
        code(&[b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec()]),
        1009,
        "by its head alone"
    );
}

// The rest of the message was waited for and kept before it was refused.
#[test]
fn text_that_cannot_become_utf8_is_refused_before_its_message_is_whole() {
    let refused = [Event::Fail(
        WireError::BadText,
        b"\x88\x02\x03\xef".to_vec(),
    )];
    let begin = "\"\u{3ba}\u{1f600}".as_bytes();
    for bad in [&b"\xf4\x90"[..], b"\xed\xa0", b"\xff", b"\xe2\x28"] {
        // In fragments, the character itself in two of them.
        let (front, back) = bad.split_at(bad.len() / 2);
        let frames = [raw(0x01, begin), raw(0x00, front), raw(0x00, back)];
        assert_eq!(read(&frames), refused, "{bad:x?} in fragments");
        // In a frame that is not whole, byte by byte.
        let frame = raw(0x81, &[begin, bad, &[b' '; 900]].concat());
        let (mut reader, mut bytes) = (open_reader(), Vec::new());
        let limits = ReadLimits::default();
        let at = frame.iter().position(|byte| {
            bytes.push(*byte);
            !events(&mut reader, &mut bytes, &limits).is_empty()
        });
        let head = frame.len() - begin.len() - bad.len() - 900;
        assert_eq!(at, Some(head + begin.len() + bad.len() - 1), "{bad:x?}");
    }
    // Bytes that are no text may be anything.
    assert_eq!(read(&[raw(0x02, b"\"\xf4\x90")]), []);
}

#[test]
fn the_forwarded_address_comes_before_the_answer() {
    let request = String::from_utf8(client_handshake("localhost", "/", KEY)).unwrap();
    let request = request.replace("Host", "X-Real-IP: 192.0.2.7, 10.0.0.1\r\nHost");
    for trusted in [false, true] {
        let mut reader = Reader::documents(trusted);
        let mut got = Vec::new();
        let mut bytes = Vec::new();
        for byte in request.bytes() {
            bytes.push(byte);
            got.extend(events(&mut reader, &mut bytes, &ReadLimits::default()));
        }
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        assert!(matches!(got.pop(), Some(Event::Reply(_))));
        assert_eq!(
            got,
            if trusted {
                vec![Event::Peer(Some(address))]
            } else {
                vec![]
            }
        );
    }
}

#[test]
fn a_refused_upgrade_is_answered() {
    let mut request = client_handshake("localhost", "/elsewhere", KEY);
    let got = events(
        &mut Reader::documents(true),
        &mut request,
        &ReadLimits::default(),
    );
    let [Event::Fail(WireError::Upgrade(_), close_frame)] = got.as_slice() else {
        panic!("{got:?}")
    };
    assert!(close_frame.starts_with(b"HTTP/1.1 404 "));
}

/// Two byte queues as a stream; the client's writes are read by the test and the other way round.
#[derive(Clone, Default)]
struct Pipe {
    to_client: Rc<RefCell<VecDeque<u8>>>,
    to_server: Rc<RefCell<Vec<u8>>>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.to_client.borrow_mut().read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to_server.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_independent_client_is_understood(
        texts in prop::collection::vec("[a-zé😀]{0,300}", 1..6),
        fragment in 1..50usize,
    ) {
        let pipe = Pipe::default();
        let mut reader = Reader::documents(false);
        let limits = ReadLimits::default();
        let Err(HandshakeError::Interrupted(handshake)) = tungstenite::client("ws://localhost/", pipe.clone()) else {
            panic!("the answer has not been written yet");
        };
        let answer = events(&mut reader, &mut pipe.to_server.borrow_mut(), &limits);
        let [Event::Reply(answer)] = answer.as_slice() else { panic!("{answer:?}") };
        pipe.to_client.borrow_mut().extend(answer);
        let (mut client, _) = handshake.handshake().unwrap();

        for (index, text) in texts.iter().enumerate() {
            let document = format!("{{\"text\":\"{text}\"}}");
            let bytes = document.as_bytes();
            let newline = format!("{document}\n");
            client.send(Message::Ping(vec![1, 2, 3].into())).unwrap();
            match index % 3 {
                0 => client.send(Message::text(newline)).unwrap(),
                1 => client.send(Message::binary(bytes.to_vec())).unwrap(),
                _ => {
                    let pieces: Vec<&[u8]> = bytes.chunks(fragment).collect();
                    for (at, piece) in pieces.iter().enumerate() {
                        let kind = if at == 0 { coding::Data::Text } else { coding::Data::Continue };
                        let fin = at + 1 == pieces.len();
                        let mut frame = Frame::message(piece.to_vec(), coding::OpCode::Data(kind), fin);
                        frame.header_mut().mask = FrameHeader { mask: Some([9, 9, 8, at as u8]), ..FrameHeader::default() }.mask;
                        client.send(Message::Frame(frame)).unwrap();
                    }
                }
            }
            let got = events(&mut reader, &mut pipe.to_server.borrow_mut(), &limits);
            let pong = b"\x8a\x03\x01\x02\x03".to_vec();
            pipe.to_client.borrow_mut().extend(&pong);
            prop_assert_eq!(got, [Event::Reply(pong), Event::Body(document.clone())]);

            let mut sent = Vec::new();
            Format::WebSocket.encode(br#"{"command":"pong"}"#, &mut sent);
            pipe.to_client.borrow_mut().extend(&sent);
            prop_assert_eq!(client.read().unwrap(), Message::Pong(vec![1, 2, 3].into()));
            prop_assert_eq!(client.read().unwrap(), Message::text("{\"command\":\"pong\"}\n"));
        }
    }

    #[test]
    fn any_frames_are_survived(
        frames in prop::collection::vec(
            (any::<u8>(), prop::collection::vec(prop::sample::select(b"{}[]\"\\\n a\xc3".to_vec()), 0..30)),
            0..8,
        ),
        tail in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut frames: Vec<Vec<u8>> = frames
            .iter()
            .map(|(first, payload)| raw([0x81, 0x82, 0x01, 0x80, 0x00, 0x89, *first][usize::from(*first) % 7], payload))
            .collect();
        frames.push(tail);
        let _ = read(&frames);
    }
}

/// spec: cockatrice-wire 2
#[test]
fn binary_messages_are_frames_and_text_is_left_out() {
    let mut reader = Reader::binary(false);
    let mut input = client_handshake("localhost", "/", KEY);
    for frame in [
        raw(0x82, b"\x08\x01"),
        raw(0x81, b"text"),
        raw(0x02, b"in "),
        raw(0x89, b"ping"),
        raw(0x80, b"two"),
        raw(0x82, b""),
        raw(0x81, b"\xff"),
    ] {
        input.extend_from_slice(&frame);
    }
    let events = events(&mut reader, &mut input, &ReadLimits::default());
    let body = |text: &str| Event::Body(text.to_owned());
    assert!(matches!(events[0], Event::Reply(_)), "the upgrade");
    assert_eq!(events[1], body("\x08\x01"));
    assert!(
        matches!(events[2], Event::Reply(_)),
        "a pong between two fragments"
    );
    assert_eq!(events[3..5], [body("in two"), body("")]);
    assert!(matches!(events[5], Event::Fail(WireError::BadText, _)));
}

// A message of 10 MiB had 154,000 of them, and each took its turn of a shard.
#[test]
fn a_message_has_so_many_documents_and_no_more() {
    let limits = ReadLimits {
        documents: 3,
        ..ReadLimits::default()
    };
    let read = |frames: &[Vec<u8>]| events(&mut open_reader(), &mut frames.concat(), &limits);
    let three = raw(0x81, b"{}\n\n{}\n");
    assert_eq!(
        read(&[three.clone(), three]),
        bodies(&["{}"; 4]),
        "each message has as many"
    );
    let refused = || {
        let error = WireError::TooMany { limit: 3 };
        Event::Fail(error, frame::close(CLOSE_POLICY))
    };
    let mut expected = bodies(&["{}"; 3]);
    expected.push(refused());
    assert_eq!(read(&[raw(0x81, b"{}\n{}\n{}\n{}\n")]), expected);
    let fragments = [raw(0x01, b"{}\n{}\n"), raw(0x80, b"{}\n{}\n")];
    assert_eq!(read(&fragments), expected, "held ones");
    assert_eq!(
        read(&[raw(0x81, b"{}\n\n\n\n\n\n\n{}\n")]),
        bodies(&["{}"])
            .into_iter()
            .chain([refused()])
            .collect::<Vec<_>>(),
        "blank ones count"
    );
}

#[test]
fn text_messages_are_frames_as_they_are_and_binary_is_left_out() {
    let mut input = client_handshake("localhost", "/", KEY);
    for frame in [
        raw(0x81, b" hi\n"),
        raw(0x82, b"\xff"),
        raw(0x01, b"\xe2\x82"),
        raw(0x80, b"\xac"),
        raw(0x81, b""),
    ] {
        input.extend_from_slice(&frame);
    }
    let got = events(&mut Reader::text(false), &mut input, &ReadLimits::default());
    assert_eq!(got[1..], bodies(&[" hi\n", "\u{20ac}", ""]));
}
