//! Either direction of a WebSocket (RFC 6455), as somebody sees it who only listens, or as the client whose answers it reads.

use memchr::memmem;

use super::dialect::Side;
use super::splitter::MOST_BYTES;

/// A request, or its answer, is a few header lines.
const MAX_HEAD_BYTES: usize = 16 << 10;
const HEAD_END: &[u8] = b"\r\n\r\n";
const OP_TEXT: u8 = 1;
const OP_CLOSE: u8 = 8;
const OP_PING: u8 = 9;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// The request, or the answer that takes it, is complete.
    Opened,
    /// A whole message, and whether it is text.
    Message { bytes: &'a [u8], text: bool },
    /// The beginning of one that is too long, and its length.
    Long(&'a [u8], usize),
    /// A ping with its payload.
    Ping(&'a [u8]),
    /// The end.
    Close,
}

/// Reads one direction.
#[derive(Debug)]
pub(crate) struct Websocket {
    side: Side,
    opened: bool,
    held: Vec<u8>,
    /// The message under way: what is kept of it, and its length.
    message: Vec<u8>,
    length: usize,
    text: bool,
    /// The frame under way, if its head is complete.
    frame: Option<Frame>,
    control: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    last: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Bytes of the payload so far, and in all.
    at: u64,
    length: u64,
}

impl Websocket {
    pub(crate) fn new(side: Side) -> Websocket {
        Websocket {
            side,
            opened: false,
            held: Vec::new(),
            message: Vec::new(),
            length: 0,
            text: false,
            frame: None,
            control: Vec::new(),
        }
    }

    /// Takes the next bytes, cut anywhere, and tells `sink` everything that is complete.
    ///
    /// # Errors
    /// What is no WebSocket, in words; nothing can be read after that.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), String> {
        let mut rest = bytes;
        let head;
        if !self.opened {
            self.held.extend_from_slice(bytes);
            let Some(end) = memmem::find(&self.held, HEAD_END) else {
                if self.held.len() > MAX_HEAD_BYTES {
                    return Err("no end of the WebSocket's header".to_owned());
                }
                return Ok(());
            };
            head = std::mem::take(&mut self.held);
            self.check_head(&head[..end])?;
            self.opened = true;
            sink(Event::Opened);
            rest = &head[end + HEAD_END.len()..];
        }
        while !rest.is_empty() || self.frame.is_some_and(|frame| frame.length == 0) {
            rest = match &mut self.frame {
                None => self.frame_head(rest)?,
                Some(_) => self.payload(rest, sink),
            };
        }
        Ok(())
    }

    fn check_head(&self, head: &[u8]) -> Result<(), String> {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or(head);
        let line = String::from_utf8_lossy(line);
        if self.side == Side::Server && line.split(' ').nth(1) != Some("101") {
            return Err(format!("WebSocket upgrade refused: {line}"));
        }
        Ok(())
    }

    fn frame_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], String> {
        let mut rest = bytes;
        loop {
            if let Some(frame) = parse_head(&self.held)? {
                self.held.clear();
                if matches!(frame.opcode, 1 | 2) {
                    self.text = frame.opcode == OP_TEXT;
                    self.message.clear();
                    self.length = 0;
                }
                self.frame = Some(frame);
                return Ok(rest);
            }
            let Some((byte, after)) = rest.split_first() else {
                return Ok(rest);
            };
            self.held.push(*byte);
            rest = after;
        }
    }

    fn payload<'a>(&mut self, bytes: &'a [u8], sink: &mut dyn FnMut(Event<'_>)) -> &'a [u8] {
        let Some(frame) = &mut self.frame else {
            return bytes;
        };
        let left = usize::try_from(frame.length - frame.at).unwrap_or(usize::MAX);
        let (piece, rest) = bytes.split_at(left.min(bytes.len()));
        let control = frame.opcode >= OP_CLOSE;
        let into = if control {
            &mut self.control
        } else {
            self.length = self.length.saturating_add(piece.len());
            &mut self.message
        };
        for byte in piece {
            if into.len() < MOST_BYTES {
                into.push(byte ^ frame.mask[(frame.at % 4) as usize]);
            }
            frame.at += 1;
        }
        if frame.at == frame.length {
            let frame = *frame;
            self.frame = None;
            self.end(frame, sink);
        }
        rest
    }

    /// A frame is complete.
    fn end(&mut self, frame: Frame, sink: &mut dyn FnMut(Event<'_>)) {
        match frame.opcode {
            OP_PING => sink(Event::Ping(&self.control)),
            OP_CLOSE => sink(Event::Close),
            0..OP_CLOSE if frame.last => {
                if self.length > self.message.len() {
                    sink(Event::Long(&self.message[..256], self.length));
                } else {
                    sink(Event::Message {
                        bytes: &self.message,
                        text: self.text,
                    });
                }
                self.message = Vec::new();
            }
            _ => {}
        }
        self.control.clear();
    }
}

/// The head of a frame, once it is all there.
fn parse_head(bytes: &[u8]) -> Result<Option<Frame>, String> {
    let [first, second, ..] = bytes else {
        return Ok(None);
    };
    if first & 0x70 != 0 {
        return Err("the WebSocket is compressed".to_owned());
    }
    let (short, masked) = (second & 0x7f, second & 0x80 != 0);
    let wide = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let whole = 2 + wide + if masked { 4 } else { 0 };
    if bytes.len() < whole {
        return Ok(None);
    }
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let length = if wide == 0 {
        u64::from(short)
    } else {
        number(&bytes[2..2 + wide])
    };
    let opcode = first & 0x0f;
    if opcode >= OP_CLOSE && length > 125 {
        return Err("a control frame of a WebSocket that is too long".to_owned());
    }
    let mut mask = [0; 4];
    if masked {
        mask.copy_from_slice(&bytes[2 + wide..whole]);
    }
    Ok(Some(Frame {
        last: first & 0x80 != 0,
        opcode,
        mask,
        at: 0,
        length,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(side: Side, parts: &[&[u8]]) -> Result<Vec<String>, String> {
        let mut websocket = Websocket::new(side);
        let mut told = Vec::new();
        for part in parts {
            websocket.push(part, &mut |event| {
                told.push(match event {
                    Event::Message { bytes, text } => {
                        format!("{} {text}", String::from_utf8_lossy(bytes))
                    }
                    Event::Ping(payload) => format!("ping {}", payload.len()),
                    other => format!("{other:?}"),
                });
            })?;
        }
        Ok(told)
    }

    #[test]
    fn either_direction_may_be_cut_anywhere() {
        let server =
            b"HTTP/1.1 101 Switching\r\nA: b\r\n\r\n\x01\x02ab\x89\x01p\x80\x01c\x82\0\x88\0";
        let client = b"GET / HTTP/1.1\r\n\r\n\x81\x82\x01\x02\x03\x04\x60\x60";
        for cut in 0..=server.len() {
            let told = events(Side::Server, &[&server[..cut], &server[cut..]]);
            let expected = ["Opened", "ping 1", "abc true", " false", "Close"];
            assert_eq!(told.expect("sound"), expected, "cut at {cut}");
        }
        for cut in 0..=client.len() {
            let told = events(Side::Client, &[&client[..cut], &client[cut..]]);
            assert_eq!(told.expect("sound"), ["Opened", "ab true"], "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_websocket_is_said() {
        let refused = events(Side::Server, &[b"HTTP/1.1 404 Not Found\r\n\r\n"]);
        assert!(refused.is_err_and(|why| why.contains("404 Not Found")));
        let compressed = events(Side::Server, &[b"HTTP/1.1 101 x\r\n\r\n\xc1\0"]);
        assert!(compressed.is_err_and(|why| why.contains("compressed")));
        let endless = events(Side::Server, &[&[b'x'; 20_000]]);
        assert!(endless.is_err());
    }
}
