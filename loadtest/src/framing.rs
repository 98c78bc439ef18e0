//! Bytes to messages and back, as a client sees them, for the three transports of the protocol.
//!
//! Written from the specification alone and without the server's code, so that each checks the other. Made for thousands
//! of clients that ignore most of what they hear: a whole frame inside a chunk is handed on without copying, and long lists
//! (every player, every game) are counted but not kept.
//!
//! spec: faf-wire 3 (JSON lines), 4 (QDataStream), 5 (WebSocket, RFC 6455)

use std::borrow::Cow;

use base64::Engine as _;
use memchr::{memchr, memmem};
use sha1::{Digest as _, Sha1};

/// Longest frame a client takes; a list of some 200,000 players fits.
const MAX_FRAME_BYTES: usize = 64 << 20;
/// What is kept of a long list: enough to tell which list it was.
const BULK_HEAD_BYTES: usize = 256;
/// A buffer grown past this by one long frame is given back.
const KEEP_BUFFER_BYTES: usize = 16 << 10;
/// The answer to an upgrade request is a few header lines.
const MAX_HANDSHAKE_BYTES: usize = 16 << 10;

/// One of the ways a client may speak to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// One JSON object per line over TCP.
    Json,
    /// `u32` block holding a UTF-16BE `QString`, over TCP.
    Qdatastream,
    /// Text frames over a WebSocket, each message ending in a newline.
    Websocket,
}

/// The server broke the framing; the connection is of no further use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Longer than a client is willing to hold.
    #[error("a frame of more than {MAX_FRAME_BYTES} bytes")]
    TooLong,
    /// A block whose inner lengths contradict each other.
    #[error("a QDataStream block with a bad string length")]
    BadBlock,
    /// The answer to the upgrade request is not a correct `101`.
    #[error("WebSocket upgrade refused: {0}")]
    Upgrade(String),
    /// A frame a server must not send.
    #[error("WebSocket frame against RFC 6455: {0}")]
    BadFrame(&'static str),
}

/// The text of one message, borrowed from the read buffer wherever possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// ASCII/UTF-8 text, or UTF-16BE code units if `wide`.
    pub bytes: &'a [u8],
    /// UTF-16BE rather than UTF-8.
    pub wide: bool,
    /// A long list of which only the head was kept.
    pub cut: bool,
}

impl<'a> Frame<'a> {
    /// The message as UTF-8; copies only what came as UTF-16.
    pub fn text(&self) -> Cow<'a, [u8]> {
        if self.wide {
            Cow::Owned(narrow(self.bytes).into_bytes())
        } else {
            Cow::Borrowed(self.bytes)
        }
    }
}

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// The transport is ready for messages (a finished WebSocket upgrade; never sent for plain TCP).
    Opened,
    /// A message.
    Message(Frame<'a>),
    /// A WebSocket ping to be answered with its payload.
    WebsocketPing(&'a [u8]),
    /// The server says goodbye.
    WebsocketClose,
}

/// A text to look for in frames of either encoding.
#[derive(Debug)]
pub struct Needle {
    narrow: memmem::Finder<'static>,
    wide: memmem::Finder<'static>,
}

impl Needle {
    /// Prepares the search for `text`.
    pub fn new(text: &str) -> Needle {
        Needle {
            narrow: memmem::Finder::new(text.as_bytes()).into_owned(),
            wide: memmem::Finder::new(&widen(text)).into_owned(),
        }
    }

    /// What follows the first occurrence, at most `N` characters of it, as ASCII bytes with the count that is there.
    pub fn after<const N: usize>(&self, frame: &Frame<'_>) -> Option<([u8; N], usize)> {
        let finder = if frame.wide { &self.wide } else { &self.narrow };
        let from = finder.find(frame.bytes)? + finder.needle().len();
        let rest = &frame.bytes[from..];
        let mut tail = [0_u8; N];
        let mut length = 0;
        if frame.wide {
            for unit in rest.chunks_exact(2).take(N) {
                tail[length] = if unit[0] == 0 { unit[1] } else { 0 };
                length += 1;
            }
        } else {
            length = rest.len().min(N);
            tail[..length].copy_from_slice(&rest[..length]);
        }
        Some((tail, length))
    }
}

/// The value of the top-level `command` key, found by its text and not by parsing.
///
/// Escaped JSON inside a string cannot be mistaken for it: there the closing quote of the key has a backslash before it.
pub fn command_of(text: &[u8]) -> Option<&str> {
    let key = memmem::find(text, b"\"command\"")?;
    let mut rest = text[key + b"\"command\"".len()..].trim_ascii_start();
    rest = rest.strip_prefix(b":")?.trim_ascii_start();
    rest = rest.strip_prefix(b"\"")?;
    std::str::from_utf8(&rest[..memchr(b'"', rest)?]).ok()
}

/// Appends one message to `out` as `transport` wants it; `mask` is the running state of the masking key.
pub fn encode(transport: Transport, json: &str, mask: &mut u32, out: &mut Vec<u8>) {
    match transport {
        Transport::Json => {
            out.extend_from_slice(json.as_bytes());
            out.push(b'\n');
        }
        Transport::Qdatastream => {
            // spec: faf-wire 4.1, ping and pong have an encoding of their own
            let text = match json {
                r#"{"command":"ping"}"# => "PING",
                r#"{"command":"pong"}"# => "PONG",
                other => other,
            };
            let units = widen(text);
            let length = u32::try_from(units.len()).expect("a client's message is short");
            out.extend_from_slice(&(length + 4).to_be_bytes());
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&units);
        }
        Transport::Websocket => {
            let mut payload = Vec::with_capacity(json.len() + 1);
            payload.extend_from_slice(json.as_bytes());
            payload.push(b'\n');
            websocket_frame(OP_TEXT, &payload, mask, out);
        }
    }
}

/// Appends the pong that answers a WebSocket ping.
pub fn websocket_pong(payload: &[u8], mask: &mut u32, out: &mut Vec<u8>) {
    websocket_frame(OP_PONG, payload, mask, out);
}

/// Appends a normal close.
pub fn websocket_close(mask: &mut u32, out: &mut Vec<u8>) {
    websocket_frame(OP_CLOSE, &1000_u16.to_be_bytes(), mask, out);
}

/// Reads one connection's incoming bytes.
#[derive(Debug)]
pub struct Framer {
    codec: Codec,
}

#[derive(Debug)]
enum Codec {
    Lines(Lines),
    Blocks(Blocks),
    Websocket(Box<Websocket>),
}

impl Framer {
    /// A framer for `transport`, and the bytes to send before anything else (the upgrade request of a WebSocket).
    pub fn open(transport: Transport, host: &str, nonce: [u8; 16]) -> (Framer, Vec<u8>) {
        let mut hello = Vec::new();
        let codec = match transport {
            Transport::Json => Codec::Lines(Lines::default()),
            Transport::Qdatastream => Codec::Blocks(Blocks::default()),
            Transport::Websocket => {
                let key = base64::engine::general_purpose::STANDARD.encode(nonce);
                hello = format!(
                    "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
                )
                .into_bytes();
                Codec::Websocket(Box::new(Websocket::expecting(accept_of(&key))))
            }
        };
        (Framer { codec }, hello)
    }

    /// Takes the next bytes of the stream, cut anywhere, and tells `sink` everything that is complete.
    pub fn push(
        &mut self,
        chunk: &[u8],
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> Result<(), FramingError> {
        match &mut self.codec {
            Codec::Lines(lines) => lines.push(chunk, sink),
            Codec::Blocks(blocks) => blocks.push(chunk, sink),
            Codec::Websocket(websocket) => websocket.push(chunk, sink),
        }
    }
}

/// Newline-separated text; also what a WebSocket's payload consists of.
#[derive(Debug, Default)]
struct Lines {
    carry: Vec<u8>,
    cut: bool,
}

impl Lines {
    fn push(
        &mut self,
        mut rest: &[u8],
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> Result<(), FramingError> {
        while let Some(end) = memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            if self.carry.is_empty() {
                tell_line(line, false, sink);
            } else {
                if !self.cut {
                    self.carry.extend_from_slice(line);
                }
                self.flush(sink);
            }
        }
        if rest.is_empty() || self.cut {
            return Ok(());
        }
        self.carry.extend_from_slice(rest);
        if self.carry.len() >= BULK_HEAD_BYTES && is_bulk(&self.carry) {
            self.carry.truncate(BULK_HEAD_BYTES);
            self.carry.shrink_to_fit();
            self.cut = true;
        }
        if self.carry.len() > MAX_FRAME_BYTES {
            return Err(FramingError::TooLong);
        }
        Ok(())
    }

    /// Hands on what is held, as one message.
    fn flush(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) {
        tell_line(&self.carry, self.cut, sink);
        empty(&mut self.carry);
        self.cut = false;
    }
}

fn tell_line(line: &[u8], cut: bool, sink: &mut dyn FnMut(Incoming<'_>)) {
    let bytes = line.trim_ascii();
    if !bytes.is_empty() {
        sink(Incoming::Message(Frame {
            bytes,
            wide: false,
            cut,
        }));
    }
}

/// Length-prefixed blocks of UTF-16 strings.
#[derive(Debug, Default)]
struct Blocks {
    /// Start of an unfinished block, its length included.
    carry: Vec<u8>,
    /// Bytes of a long list that came and were not kept.
    dropped: usize,
    cut: bool,
}

impl Blocks {
    fn push(
        &mut self,
        mut rest: &[u8],
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> Result<(), FramingError> {
        while !rest.is_empty() {
            if self.carry.is_empty() && rest.len() >= 4 {
                let total = block_total(rest)?;
                if rest.len() >= total {
                    tell_block(&rest[4..total], false, sink)?;
                    rest = &rest[total..];
                    continue;
                }
            }
            if self.carry.len() < 4 {
                let take = rest.len().min(4 - self.carry.len());
                self.carry.extend_from_slice(&rest[..take]);
                rest = &rest[take..];
                if self.carry.len() < 4 {
                    return Ok(());
                }
            }
            let total = block_total(&self.carry)?;
            let take = rest.len().min(total - self.carry.len() - self.dropped);
            if self.cut {
                self.dropped += take;
            } else {
                self.carry.extend_from_slice(&rest[..take]);
            }
            rest = &rest[take..];
            if self.carry.len() + self.dropped == total {
                tell_block(&self.carry[4..], self.cut, sink)?;
                empty(&mut self.carry);
                self.dropped = 0;
                self.cut = false;
            } else if !self.cut
                && self.carry.len() >= 2 * BULK_HEAD_BYTES
                && is_bulk_wide(&self.carry[8..])
            {
                self.dropped = self.carry.len() - 2 * BULK_HEAD_BYTES;
                self.carry.truncate(2 * BULK_HEAD_BYTES);
                self.carry.shrink_to_fit();
                self.cut = true;
            }
        }
        Ok(())
    }
}

fn block_total(head: &[u8]) -> Result<usize, FramingError> {
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(FramingError::TooLong);
    }
    Ok(length + 4)
}

fn tell_block(
    block: &[u8],
    cut: bool,
    sink: &mut dyn FnMut(Incoming<'_>),
) -> Result<(), FramingError> {
    let (head, text) = block.split_at_checked(4).ok_or(FramingError::BadBlock)?;
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let text = if cut {
        text
    } else {
        text.get(..length).ok_or(FramingError::BadBlock)?
    };
    // spec: faf-wire 4.1: ping and pong are bare words here
    let frame = match text {
        [0, b'P', 0, b'I', 0, b'N', 0, b'G'] => narrow_frame(br#"{"command":"ping"}"#),
        [0, b'P', 0, b'O', 0, b'N', 0, b'G'] => narrow_frame(br#"{"command":"pong"}"#),
        _ => Frame {
            bytes: text,
            wide: true,
            cut,
        },
    };
    sink(Incoming::Message(frame));
    Ok(())
}

fn narrow_frame(bytes: &[u8]) -> Frame<'_> {
    Frame {
        bytes,
        wide: false,
        cut: false,
    }
}

const OP_CONTINUATION: u8 = 0;
const OP_TEXT: u8 = 1;
const OP_BINARY: u8 = 2;
const OP_CLOSE: u8 = 8;
const OP_PING: u8 = 9;
const OP_PONG: u8 = 10;

/// The client's end of a WebSocket. Payload goes straight into the line splitter: no frame is ever held as a whole.
#[derive(Debug)]
struct Websocket {
    /// The answer's expected digest while the upgrade is under way.
    awaiting: Option<String>,
    /// Handshake text, or an unfinished frame head.
    head: Vec<u8>,
    control: Vec<u8>,
    lines: Lines,
    payload_left: u64,
    in_payload: bool,
    opcode: u8,
    fin: bool,
    /// The message being received was opened as text.
    message_is_text: bool,
}

impl Websocket {
    fn expecting(accept: String) -> Websocket {
        Websocket {
            awaiting: Some(accept),
            head: Vec::new(),
            control: Vec::new(),
            lines: Lines::default(),
            payload_left: 0,
            in_payload: false,
            opcode: 0,
            fin: false,
            message_is_text: false,
        }
    }

    fn push(
        &mut self,
        chunk: &[u8],
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> Result<(), FramingError> {
        if self.awaiting.is_none() {
            return self.frames(chunk, sink);
        }
        self.head.extend_from_slice(chunk);
        let Some(end) = memmem::find(&self.head, b"\r\n\r\n") else {
            if self.head.len() > MAX_HANDSHAKE_BYTES {
                return Err(FramingError::Upgrade("no end of the header".into()));
            }
            return Ok(());
        };
        let answer = std::mem::take(&mut self.head);
        let accept = self.awaiting.take().expect("checked above");
        check_upgrade(&answer[..end], &accept)?;
        sink(Incoming::Opened);
        self.frames(&answer[end + 4..], sink)
    }

    fn frames(
        &mut self,
        mut rest: &[u8],
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> Result<(), FramingError> {
        loop {
            if !self.in_payload {
                while self.head.len() < 2 || self.head.len() < head_length(self.head[1]) {
                    let Some((&byte, after)) = rest.split_first() else {
                        return Ok(());
                    };
                    self.head.push(byte);
                    rest = after;
                }
                self.begin()?;
            }
            let take = usize::try_from(self.payload_left)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (piece, after) = rest.split_at(take);
            rest = after;
            self.payload_left -= take as u64;
            if self.opcode >= OP_CLOSE {
                self.control.extend_from_slice(piece);
            } else {
                self.lines.push(piece, sink)?;
            }
            if self.payload_left > 0 {
                return Ok(());
            }
            self.end(sink);
        }
    }

    /// The head of a frame is complete.
    fn begin(&mut self) -> Result<(), FramingError> {
        let head = &self.head;
        if head[0] & 0x70 != 0 {
            return Err(FramingError::BadFrame("reserved bits"));
        }
        if head[1] & 0x80 != 0 {
            return Err(FramingError::BadFrame("masked by the server"));
        }
        self.fin = head[0] & 0x80 != 0;
        self.opcode = head[0] & 0x0f;
        self.payload_left = match head[1] {
            126 => u64::from(u16::from_be_bytes([head[2], head[3]])),
            127 => u64::from_be_bytes(head[2..10].try_into().expect("ten bytes were awaited")),
            short => u64::from(short),
        };
        match self.opcode {
            OP_TEXT => self.message_is_text = true,
            OP_BINARY => self.message_is_text = false,
            OP_CONTINUATION => {}
            OP_CLOSE | OP_PING | OP_PONG if self.fin && self.payload_left <= 125 => {}
            OP_CLOSE | OP_PING | OP_PONG => return Err(FramingError::BadFrame("control frame")),
            _ => return Err(FramingError::BadFrame("unknown opcode")),
        }
        self.head.clear();
        self.in_payload = true;
        Ok(())
    }

    /// The payload of a frame is complete.
    fn end(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) {
        self.in_payload = false;
        match self.opcode {
            OP_PING => sink(Incoming::WebsocketPing(&self.control)),
            OP_CLOSE => sink(Incoming::WebsocketClose),
            // A text message is a whole one even without a newline; binary ones may be cut anywhere (spec: faf-wire 5.2).
            OP_TEXT | OP_CONTINUATION if self.fin && self.message_is_text => self.lines.flush(sink),
            _ => {}
        }
        self.control.clear();
    }
}

/// Bytes of a frame head, by its second byte.
fn head_length(second: u8) -> usize {
    match second & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

fn check_upgrade(answer: &[u8], accept: &str) -> Result<(), FramingError> {
    let text = String::from_utf8_lossy(answer);
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("101") {
        return Err(FramingError::Upgrade(status.to_owned()));
    }
    let agreed = lines
        .filter_map(|line| line.split_once(':'))
        .any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == accept
        });
    if agreed {
        Ok(())
    } else {
        Err(FramingError::Upgrade("wrong Sec-WebSocket-Accept".into()))
    }
}

/// RFC 6455 section 4.2.2: the digest a server answers `key` with.
pub fn accept_of(key: &str) -> String {
    let mut digest = Sha1::new();
    digest.update(key.as_bytes());
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64::engine::general_purpose::STANDARD.encode(digest.finalize())
}

fn websocket_frame(opcode: u8, payload: &[u8], mask: &mut u32, out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match payload.len() {
        short @ 0..=125 => out.push(0x80 | short as u8),
        medium @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    // xorshift32: the key only has to vary, this is no secret.
    *mask ^= *mask << 13;
    *mask ^= *mask >> 17;
    *mask ^= *mask << 5;
    let key = mask.to_be_bytes();
    out.extend_from_slice(&key);
    out.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
}

/// Lists nobody here reads: every player, every game.
const BULK: [&str; 2] = [
    r#"{"command":"player_info""#,
    r#"{"command":"game_info","games""#,
];

fn is_bulk(head: &[u8]) -> bool {
    BULK.iter().any(|start| head.starts_with(start.as_bytes()))
}

fn is_bulk_wide(head: &[u8]) -> bool {
    BULK.iter().any(|start| {
        head.len() >= 2 * start.len()
            && head
                .chunks_exact(2)
                .zip(start.bytes())
                .all(|(unit, byte)| unit == [0, byte])
    })
}

fn empty(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEEP_BUFFER_BYTES {
        *buffer = Vec::new();
    } else {
        buffer.clear();
    }
}

fn widen(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn narrow(units: &[u8]) -> String {
    let units = units
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or('\u{fffd}'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
}
