//! The formats there are, and how the server writes in each.

use super::prefixed::ByteOrder;
use super::{qdatastream, websocket};

/// How frames are laid out in a connection's byte stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// JSON text ended by `0x0A` (spec: faf-wire 3).
    JsonLines,
    /// `u32` block length, then `QString`s: `u32` byte length and UTF-16BE (spec: faf-wire 4).
    QDataStream,
    /// RFC 6455; one text frame per message, ending in `0x0A` (spec: faf-wire 5).
    WebSocket,
    /// In: `u32` little-endian length and body. Out: bytes as they are (spec: vcmi-proxy 2).
    Packets,
    /// RFC 6455; one binary message per message (spec: cockatrice-wire 2).
    WebSocketBinary,
    /// RFC 6455; one text message per message, as it is.
    WebSocketText,
    /// `u32` big-endian length and body, both ways (spec: cockatrice-wire 2.1).
    PrefixedBigEndian,
    /// `u32` little-endian length and body, both ways (spec: vcmi-lobby2 2).
    PrefixedLittleEndian,
}

impl Format {
    /// Every format, in the order of [`Format::index`].
    pub const ALL: [Format; 8] = [
        Format::JsonLines,
        Format::QDataStream,
        Format::WebSocket,
        Format::Packets,
        Format::WebSocketBinary,
        Format::WebSocketText,
        Format::PrefixedBigEndian,
        Format::PrefixedLittleEndian,
    ];

    /// A small number for tables with one entry per format.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Bytes on the wire of a character that is one byte of text.
    pub fn bytes_per_character(self) -> usize {
        match self {
            Format::QDataStream => 2,
            _ => 1,
        }
    }

    /// Whether a connection begins with a request and its answer, before the first frame.
    pub fn has_upgrade(self) -> bool {
        matches!(
            self,
            Format::WebSocket | Format::WebSocketBinary | Format::WebSocketText
        )
    }

    /// Appends one message. For the formats of text ([`Format::JsonLines`], [`Format::QDataStream`],
    /// [`Format::WebSocket`]) `body` is JSON without a final newline, pure ASCII; for [`Format::WebSocketText`] UTF-8; for the
    /// others any bytes.
    ///
    /// Ping and pong have frames of their own in [`Format::QDataStream`] (spec: faf-wire 4.1), so they must go out
    /// through here and not in parts.
    pub fn encode(self, body: &[u8], out: &mut Vec<u8>) {
        if self == Format::QDataStream
            && let Some(frame) = qdatastream::heartbeat(body)
        {
            return out.extend_from_slice(frame);
        }
        self.encode_head(body.len(), out);
        self.encode_part(body, out);
        out.extend_from_slice(self.tail());
    }

    /// Appends what stands before a body of `len` bytes that will be sent in parts.
    pub fn encode_head(self, len: usize, out: &mut Vec<u8>) {
        match self {
            Format::JsonLines | Format::Packets => {}
            Format::QDataStream => qdatastream::encode_head(len, out),
            Format::WebSocket => websocket::encode_text_head(len + self.tail().len(), out),
            Format::WebSocketBinary => websocket::encode_binary_head(len, out),
            Format::WebSocketText => websocket::encode_text_head(len, out),
            Format::PrefixedBigEndian => ByteOrder::Big.encode_length(len, out),
            Format::PrefixedLittleEndian => ByteOrder::Little.encode_length(len, out),
        }
    }

    /// Appends a part of a body.
    pub fn encode_part(self, part: &[u8], out: &mut Vec<u8>) {
        match self {
            Format::QDataStream => qdatastream::encode_ascii(part, out),
            _ => out.extend_from_slice(part),
        }
    }

    /// What the server says last when it ends a connection in good order; empty where closing says it.
    pub fn close_frame(self) -> Vec<u8> {
        match self {
            // As that protocol's own server ends (spec: cockatrice-wire 14).
            Format::WebSocketBinary => websocket::close_frame_going_away(),
            format if format.has_upgrade() => websocket::close_frame(),
            _ => Vec::new(),
        }
    }

    /// What stands after a body.
    pub fn tail(self) -> &'static [u8] {
        match self {
            Format::JsonLines | Format::WebSocket => b"\n",
            _ => b"",
        }
    }
}
