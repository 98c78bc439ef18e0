//! Streams of WebSocket frames, in order or not: what the reader makes of them is what RFC 6455 says, read naively.

use std::borrow::Cow;

use wire::{Decoder, Format, ReadLimits, Scratch, Step, WireError, websocket};

use crate::input::Input;

const LIMIT: usize = 1000;
const MASK: [u8; 4] = [1, 20, 200, 77];
const OPCODES: &[u8] = &[0, 1, 2, 0, 1, 2, 8, 9, 10, 3, 11];
/// Texts at the edges of UTF-8, and of documents.
const TEXTS: &[&[u8]] = &[
    b"",
    b"{}",
    b"{\"a\":",
    b"1}\n",
    b"\n",
    b" ",
    b"\"}",
    b"[\"\\",
    b"\xe2\x82",
    b"\xac",
    b"\xf0\x9f",
    b"\x98\x80",
    b"\xf4\x90",
    b"\xed\xa0",
    b"\xc0",
    b"\xff",
    b"\x03\xe8",
    b"\x03\xe8bye\xff",
];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (documents, cut) = (input.below(2) == 0, usize::from(input.byte()).max(1));
    let mut frames = Vec::new();
    while !input.is_empty() {
        frames.push(Frame::choose(&mut input));
    }
    let format = if documents {
        Format::WebSocket
    } else {
        Format::WebSocketBinary
    };
    let read = read(format, &frames, cut);
    let naive = naive(&frames);
    if documents {
        check_documents(&read, &naive);
    } else {
        let binary = naive
            .into_iter()
            .filter(|event| !matches!(event, Event::Message(true, _)));
        assert_eq!(read, binary.collect::<Vec<_>>());
    }
}

/// A masked frame, as a client would send it.
#[derive(Debug)]
struct Frame<'a> {
    fin: bool,
    opcode: u8,
    payload: Cow<'a, [u8]>,
}

impl<'a> Frame<'a> {
    fn choose(input: &mut Input<'a>) -> Self {
        let byte = input.byte();
        let payload = match input.byte() {
            n @ ..128 => TEXTS[usize::from(n) % TEXTS.len()].into(),
            n @ 128..200 => vec![b'x'; 10 * usize::from(n - 127)].into(),
            _ => input.bytes().into(),
        };
        Frame {
            fin: byte & 0x80 == 0,
            opcode: OPCODES[usize::from(byte & 0x7f) % OPCODES.len()],
            payload,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let at = out.len();
        websocket::encode_client_text(&self.payload, MASK, out);
        out[at] = self.opcode | if self.fin { 0x80 } else { 0 };
    }
}

#[derive(Debug, PartialEq)]
enum Event {
    /// Whether it is text, and what it holds.
    Message(bool, Vec<u8>),
    Pong(Vec<u8>),
    End(WireError),
}

/// What the reader makes of the frames; binary messages and documents are both given as binary.
fn read(format: Format, frames: &[Frame<'_>], cut: usize) -> Vec<Event> {
    let limits = ReadLimits {
        message_bytes: LIMIT,
        ..ReadLimits::default()
    };
    let mut stream = websocket::client_handshake("here", "/", "dGhlIHNhbXBsZSBub25jZQ==");
    frames.iter().for_each(|frame| frame.encode(&mut stream));
    let mut decoder = Decoder::new(format, false, false);
    let (mut scratch, mut buffer, mut events) = (Scratch::default(), Vec::new(), Vec::new());
    let mut upgraded = false;
    for piece in stream.chunks(cut) {
        buffer.extend_from_slice(piece);
        loop {
            let used = match decoder.step(&mut buffer, &mut scratch, &limits) {
                Step::More { consumed } => {
                    buffer.drain(..consumed);
                    break;
                }
                Step::Frame { consumed, body } => {
                    events.push(Event::Message(false, body.to_vec()));
                    body.fill(b'#');
                    consumed
                }
                Step::Reply { consumed, bytes } => {
                    if std::mem::replace(&mut upgraded, true) {
                        assert_eq!(bytes[..2], [0x8a, (bytes.len() - 2) as u8]);
                        events.push(Event::Pong(bytes[2..].to_vec()));
                    }
                    consumed
                }
                Step::Fail { error, close_frame } => {
                    assert_eq!(close_frame.first(), Some(&0x88));
                    events.push(Event::End(error));
                    return events;
                }
                other => panic!("{other:?}"),
            };
            buffer.drain(..used);
        }
    }
    events
}

/// The same as RFC 6455 has it: 5.4 fragments, 5.5 control frames, 8.1 text.
fn naive(frames: &[Frame<'_>]) -> Vec<Event> {
    let mut events = Vec::new();
    // The message that fragments are gathered for: whether it is text, and its beginning.
    let mut begun: Option<(bool, Vec<u8>)> = None;
    for frame in frames {
        let payload = &*frame.payload;
        let end = match (frame.opcode, &mut begun) {
            (3 | 11, _) => Some(WireError::WebSocket("unknown opcode")),
            (8..=10, _) if payload.len() > 125 || !frame.fin => {
                Some(WireError::WebSocket("long or fragmented control frame"))
            }
            (8, _) => Some(naive_close(payload)),
            (9, _) => {
                events.push(Event::Pong(payload.to_vec()));
                None
            }
            (10, _) => None,
            (0, None) | (1 | 2, Some(_)) => Some(WireError::WebSocket("fragments out of order")),
            (opcode, _) => {
                let (text, message) = begun.get_or_insert((opcode == 1, Vec::new()));
                message.extend_from_slice(payload);
                let begins = std::str::from_utf8(message);
                let bad = begins.is_err_and(|error| frame.fin || error.error_len().is_some());
                if message.len() > LIMIT {
                    Some(WireError::TooLong { limit: LIMIT })
                } else if *text && bad {
                    Some(WireError::BadText)
                } else {
                    if frame.fin {
                        events.extend(
                            begun
                                .take()
                                .map(|(text, message)| Event::Message(text, message)),
                        );
                    }
                    None
                }
            }
        };
        if let Some(end) = end {
            events.push(Event::End(end));
            return events;
        }
    }
    events
}

/// RFC 6455, 5.5.1 and 7.4.
fn naive_close(payload: &[u8]) -> WireError {
    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
    match code {
        None if payload.is_empty() => WireError::Closed,
        Some(1000..=1003 | 1007..=1014 | 3000..=4999) => match std::str::from_utf8(&payload[2..]) {
            Ok(_) => WireError::Closed,
            Err(_) => WireError::BadText,
        },
        _ => WireError::WebSocket("bad close frame"),
    }
}

/// Documents may be spread over messages, and may be held for the rest or be too long together; but what is given out is
/// what was sent, in order.
fn check_documents(read: &[Event], naive: &[Event]) {
    let text = |events: &[Event]| -> Vec<u8> {
        let mut text = Vec::new();
        for event in events {
            if let Event::Message(_, message) = event {
                text.extend(
                    message
                        .iter()
                        .filter(|byte| !byte.is_ascii_whitespace() && **byte != 0x0b),
                );
            }
        }
        text
    };
    let (given, sent) = (text(read), text(naive));
    assert!(sent.starts_with(&given), "{read:?} of {naive:?}");
    let end = |events: &[Event]| -> Option<WireError> {
        match events.last() {
            Some(Event::End(error)) => Some(*error),
            _ => None,
        }
    };
    // Documents have limits of their own: all that wait together, and how many a message has.
    let limited = matches!(
        end(read),
        Some(WireError::TooLong { .. } | WireError::TooMany { .. })
    );
    if !limited {
        assert_eq!(end(read), end(naive), "{read:?} of {naive:?}");
    }
}
