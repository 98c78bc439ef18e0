//! The client's end of RFC 6455: the upgrade, frames in, masked frames out.
//!
//! spec: faf-wire 5

use base64::Engine as _;
use memchr::memmem;
use sha1::{Digest as _, Sha1};

use super::{FramingError, Incoming, lines::Lines};

/// The answer to an upgrade request is a few header lines.
const MAX_HANDSHAKE_BYTES: usize = 16 << 10;

const OP_CONTINUATION: u8 = 0;
pub(crate) const OP_TEXT: u8 = 1;
pub(crate) const OP_BINARY: u8 = 2;
const OP_CLOSE: u8 = 8;
const OP_PING: u8 = 9;
const OP_PONG: u8 = 10;

/// The client's end of a WebSocket. Payload goes straight into the line splitter: no frame is ever held as a whole.
#[derive(Debug)]
pub(super) struct Websocket {
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
    pub(super) fn expecting(accept: String) -> Websocket {
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

    pub(super) fn push(
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

/// What asks for a WebSocket of this host, and of the path behind it.
pub(crate) fn upgrade_request(host: &str, key: &str) -> String {
    let (host, path) = host.split_once('/').unwrap_or((host, ""));
    format!(
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
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

/// Appends one whole masked frame.
pub(crate) fn websocket_frame(opcode: u8, payload: &[u8], mask: &mut u32, out: &mut Vec<u8>) {
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

/// Appends the pong that answers a WebSocket ping.
pub(crate) fn websocket_pong(payload: &[u8], mask: &mut u32, out: &mut Vec<u8>) {
    websocket_frame(OP_PONG, payload, mask, out);
}

/// Appends a normal close.
pub(crate) fn websocket_close(mask: &mut u32, out: &mut Vec<u8>) {
    websocket_frame(OP_CLOSE, &1000_u16.to_be_bytes(), mask, out);
}
