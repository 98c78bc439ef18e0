//! Bytes to messages and back, as a client sees them, for the three transports of the protocol.
//!
//! Written from the specification alone and without the server's code, so that each checks the other. Made for thousands
//! of clients that ignore most of what they hear: a whole frame inside a chunk is handed on without copying, and long lists
//! (every player, every game) are counted but not kept.
//!
//! spec: faf-wire 3 (JSON lines), 4 (QDataStream), 5 (WebSocket, RFC 6455)

use std::borrow::Cow;

use base64::Engine as _;
use memchr::memmem;

mod lines;
mod qdatastream;
#[cfg(test)]
mod tests;
mod websocket;

use crate::protocols::member;

pub use self::websocket::accept_of;
pub(crate) use self::websocket::{
    OP_BINARY, OP_TEXT, upgrade_request, websocket_close, websocket_frame, websocket_pong,
};
use self::{
    lines::Lines,
    qdatastream::{Blocks, narrow, widen},
    websocket::Websocket,
};

/// Longest frame a client takes; a list of some 200,000 players fits.
const MAX_FRAME_BYTES: usize = 64 << 20;
/// What is kept of a long list: enough to tell which list it was.
const BULK_HEAD_BYTES: usize = 256;
/// A buffer grown past this by one long frame is given back.
const KEEP_BUFFER_BYTES: usize = 16 << 10;

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

impl Transport {
    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Transport::Json => "Json",
            Transport::Qdatastream => "Qdatastream",
            Transport::Websocket => "Websocket",
        }
    }
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
pub(crate) struct Needle {
    narrow: memmem::Finder<'static>,
    wide: memmem::Finder<'static>,
}

impl Needle {
    /// Prepares the search for `text`.
    pub(crate) fn new(text: &str) -> Needle {
        Needle {
            narrow: memmem::Finder::new(text.as_bytes()).into_owned(),
            wide: memmem::Finder::new(&widen(text)).into_owned(),
        }
    }

    /// What follows the first occurrence, at most `N` characters of it, as ASCII bytes with the count that is there.
    pub(crate) fn after<const N: usize>(&self, frame: &Frame<'_>) -> Option<([u8; N], usize)> {
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
pub(crate) fn command_of(text: &[u8]) -> Option<&str> {
    member::text_of(text, "\"command\"")
}

/// The first string of a block, whose length is not among these bytes.
pub(crate) fn block_text(block: &[u8]) -> Option<String> {
    let (length, text) = block.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    text.get(..length).map(narrow)
}

/// Appends one message as a block or a line; what a WebSocket frames is a line.
pub(crate) fn encode_unframed(as_block: bool, json: &str, out: &mut Vec<u8>) {
    if as_block {
        qdatastream::encode(json, out);
    } else {
        out.extend_from_slice(json.as_bytes());
        out.push(b'\n');
    }
}

/// Appends one message to `out` as `transport` wants it; `mask` is the running state of the masking key.
pub(crate) fn encode(transport: Transport, json: &str, mask: &mut u32, out: &mut Vec<u8>) {
    match transport {
        Transport::Json => encode_unframed(false, json, out),
        Transport::Qdatastream => encode_unframed(true, json, out),
        Transport::Websocket => {
            let mut payload = Vec::with_capacity(json.len() + 1);
            encode_unframed(false, json, &mut payload);
            websocket::websocket_frame(websocket::OP_TEXT, &payload, mask, out);
        }
    }
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
                hello = upgrade_request(host, &key).into_bytes();
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

/// Lists nobody here reads: every player, every game.
const BULK: [&str; 2] = [
    r#"{"command":"player_info""#,
    r#"{"command":"game_info","games""#,
];

fn is_bulk(head: &[u8]) -> bool {
    BULK.iter().any(|start| head.starts_with(start.as_bytes()))
}

fn empty(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEEP_BUFFER_BYTES {
        *buffer = Vec::new();
    } else {
        buffer.clear();
    }
}
