//! The load tester's decoders: what a server sends is read the same however it is cut, and what our own writers write is
//! read as it was meant.

use std::borrow::Cow;

use base64::Engine as _;
use swarm::reading::{Framer, Incoming, Messages, Transport, accept_of};
use wire::Format;

use crate::input::Input;

const NONCE: [u8; 16] = [7; 16];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (kind, written, cut) = (
        input.below(4),
        input.below(2) == 1,
        usize::from(input.byte()).max(1),
    );
    let (transport, format) = match kind {
        0 => (Transport::Json, Format::JsonLines),
        1 => (Transport::Qdatastream, Format::QDataStream),
        2 => (Transport::Websocket, Format::WebSocket),
        _ => return vcmi(input.rest(), cut),
    };
    let (mut stream, mut bodies) = (Vec::new(), Vec::new());
    if written {
        while !input.is_empty() {
            // As the server writes: JSON, ASCII, and no list of everybody, of which only the head is kept.
            let body = serde_json::json!({ "a": String::from_utf8_lossy(input.bytes()) });
            let body = wire::json::to_json(&body);
            format.encode(&body, &mut stream);
            bodies.push(body);
        }
    } else {
        stream.extend_from_slice(input.rest());
    }
    let whole = read(transport, &stream, usize::MAX);
    let pieces = read(transport, &stream, cut);
    assert_eq!(whole.1, pieces.1, "refused in one of two ways to cut it");
    assert_eq!(whole.0.len(), pieces.0.len(), "{whole:?} or {pieces:?}");
    for (one, other) in whole.0.iter().zip(&pieces.0) {
        assert!(one.is_like(other), "{one:?} or {other:?}");
    }
    if written {
        let told: Vec<Vec<u8>> = whole.0.iter().filter_map(|told| told.message()).collect();
        assert_eq!(told, bodies);
        assert!(!whole.1, "what the server writes is refused");
    }
}

#[derive(Debug, PartialEq)]
enum Told {
    Opened,
    Message(Vec<u8>, bool),
    Ping(Vec<u8>),
    Close,
}

impl Told {
    /// The same, as far as it is there: of a long list only the head may have been kept.
    fn is_like(&self, other: &Told) -> bool {
        match (self, other) {
            (Told::Message(one, cut), Told::Message(other, other_cut)) if *cut || *other_cut => {
                one.starts_with(other) || other.starts_with(one)
            }
            _ => self == other,
        }
    }

    fn message(&self) -> Option<Vec<u8>> {
        match self {
            Told::Message(text, _) => Some(text.trim_ascii_end().to_vec()),
            _ => None,
        }
    }
}

/// What the client was told, and whether it refused the stream.
fn read(transport: Transport, stream: &[u8], cut: usize) -> (Vec<Told>, bool) {
    let (mut framer, _) = Framer::open(transport, "here", NONCE);
    let mut told = Vec::new();
    let mut push = |framer: &mut Framer, piece: &[u8]| {
        let mut sink = |incoming: Incoming<'_>| {
            told.push(match incoming {
                Incoming::Opened => Told::Opened,
                Incoming::Message(frame) => Told::Message(Cow::into_owned(frame.text()), frame.cut),
                Incoming::WebsocketPing(payload) => Told::Ping(payload.to_vec()),
                Incoming::WebsocketClose => Told::Close,
            });
        };
        framer.push(piece, &mut sink).is_err()
    };
    if transport == Transport::Websocket {
        let key = base64::engine::general_purpose::STANDARD.encode(NONCE);
        let accept = accept_of(&key);
        let answer =
            format!("HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {accept}\r\n\r\n");
        assert!(!push(&mut framer, answer.as_bytes()));
    }
    let mut pieces = stream.chunks(cut.min(stream.len().max(1)));
    let refused = pieces.any(|piece| push(&mut framer, piece));
    (told, refused)
}

/// Messages of the VCMI lobby have no end, so a cut may make two of one; none may get lost or longer.
fn vcmi(stream: &[u8], cut: usize) {
    let mut messages = Messages::default();
    let mut told = 0;
    for piece in stream.chunks(cut) {
        messages.push(piece, &mut |message| told += message.len().min(1));
    }
    assert!(told <= stream.len());
}
