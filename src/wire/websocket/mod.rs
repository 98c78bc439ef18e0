//! WebSocket, the server's end (RFC 6455; spec: faf-wire 5).
//!
//! One reader per connection: first the HTTP upgrade, then frames. A document that comes in one frame is unmasked where
//! it lies and given out as a slice of the input; only fragments and documents spread over frames are copied. A frame
//! is touched once, when it is whole. Nothing is waited for, or kept, beyond the limit of a message.

mod client;
mod documents;
mod frame;
mod handshake;

use simdutf8::basic::from_utf8;

pub use client::{ClientReader, client_handshake, encode_client_text};
pub use handshake::accept_key;

use self::documents::Documents;
use self::frame::{CLOSE_BAD_TEXT, CLOSE_PROTOCOL, CLOSE_TOO_LONG, Head, Opcode};
use super::lines::{is_space, strip};
use super::{ReadLimits, Scratch, Step, WireError};

/// Appends the head of a text frame of the server.
pub fn encode_text_head(payload_len: usize, out: &mut Vec<u8>) {
    frame::encode_head(Opcode::Text, payload_len, None, out);
}

/// The close frame for an orderly end by the server.
pub fn close_frame() -> Vec<u8> {
    frame::close(frame::CLOSE_NORMAL)
}

/// Reads the upgrade, then frames.
#[derive(Debug)]
pub struct Reader {
    trusted: bool,
    upgrade: Option<Pending>,
    /// Opcode of the message that fragments are gathered for.
    fragmented: Option<Opcode>,
    fragments: Vec<u8>,
    /// Bytes at the front of the input that are unmasked text not yet given out.
    unmasked: usize,
    /// Text that could not be given out from the input; documents up to `held_at` are done with.
    held: Vec<u8>,
    held_at: usize,
    documents: Documents,
    /// The last document had no newline, so that the next frame may bring it.
    newline_owed: bool,
}

/// The upgrade is still to come.
#[derive(Debug)]
struct Pending {
    /// Bytes looked at in vain.
    seen: usize,
    /// The forwarded address was given out.
    peer_told: bool,
}

/// The end of the stream: the code of the close frame, and the reason.
type Broken = (u16, WireError);

fn protocol(why: &'static str) -> Broken {
    (CLOSE_PROTOCOL, WireError::WebSocket(why))
}

impl Reader {
    /// A reader for a fresh connection; `trusted`: the forwarded-for header is believed.
    pub fn new(trusted: bool) -> Self {
        Reader {
            trusted,
            upgrade: Some(Pending {
                seen: 0,
                peer_told: false,
            }),
            fragmented: None,
            fragments: Vec::new(),
            unmasked: 0,
            held: Vec::new(),
            held_at: 0,
            documents: Documents::default(),
            newline_owed: false,
        }
    }

    /// The next step of `input`, which starts at the first byte not consumed yet, and keeps what was unmasked in it.
    pub fn step<'a>(
        &mut self,
        input: &'a mut [u8],
        scratch: &'a mut Scratch,
        limits: &ReadLimits,
    ) -> Step<'a> {
        if self.upgrade.is_some() {
            return self.step_upgrade(input, limits);
        }
        let mut at = 0;
        loop {
            if let Some(document) = self.next_in_input(input, &mut at) {
                return Step::Frame {
                    consumed: at,
                    body: strip(&mut input[document]),
                };
            }
            if self.next_held(&mut scratch.text) {
                return Step::Frame {
                    consumed: at,
                    body: strip(&mut scratch.text),
                };
            }
            let head = match frame::head(&input[at..]) {
                Ok(Some(head)) => head,
                Ok(None) => return Step::More { consumed: at },
                Err(why) => return fail(protocol(why)),
            };
            if let Err(broken) = self.admit(&head, limits) {
                return fail(broken);
            }
            let start = at + head.len;
            // Admitted, so below the limit or that of a control frame.
            let end = start + head.payload as usize;
            if end > input.len() {
                return Step::More { consumed: at };
            }
            frame::apply_mask(&mut input[start..end], head.mask);
            at = end;
            let payload = &input[start..end];
            match head.opcode {
                Opcode::Ping => {
                    return Step::Reply {
                        consumed: at,
                        bytes: frame::control(Opcode::Pong, payload),
                    };
                }
                Opcode::Pong => {}
                Opcode::Close => return closed(payload),
                Opcode::Text | Opcode::Binary if head.fin => {
                    if head.opcode == Opcode::Text && from_utf8(payload).is_err() {
                        return fail((CLOSE_BAD_TEXT, WireError::BadText));
                    }
                    if self.is_blank(payload) {
                        return Step::Frame {
                            consumed: at,
                            body: &mut input[start..start],
                        };
                    }
                    if self.held.is_empty() {
                        self.unmasked = payload.len();
                        at = start;
                    } else {
                        self.held.extend_from_slice(payload);
                    }
                }
                Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                    let opcode = self.fragmented.unwrap_or(head.opcode);
                    self.fragmented = Some(opcode);
                    self.fragments.extend_from_slice(payload);
                    if head.fin {
                        self.fragmented = None;
                        let message = std::mem::take(&mut self.fragments);
                        if opcode == Opcode::Text && from_utf8(&message).is_err() {
                            return fail((CLOSE_BAD_TEXT, WireError::BadText));
                        }
                        if self.is_blank(&message) {
                            return Step::Frame {
                                consumed: at,
                                body: &mut input[at..at],
                            };
                        }
                        self.held.extend_from_slice(&message);
                    }
                }
            }
        }
    }

    fn step_upgrade<'a>(&mut self, input: &[u8], limits: &ReadLimits) -> Step<'a> {
        let Some(pending) = &mut self.upgrade else {
            return Step::More { consumed: 0 };
        };
        // A head ends with a newline; without a new one there is no need to parse again.
        let fresh = &input[pending.seen.min(input.len())..];
        if pending.seen > 0 && input.len() < limits.upgrade_bytes && !fresh.contains(&b'\n') {
            return Step::More { consumed: 0 };
        }
        match handshake::parse(input, limits) {
            Ok(None) => {
                pending.seen = input.len();
                Step::More { consumed: 0 }
            }
            Ok(Some(upgrade)) => match upgrade.forwarded {
                Some(address) if self.trusted && !pending.peer_told => {
                    *pending = Pending {
                        seen: 0,
                        peer_told: true,
                    };
                    Step::Peer {
                        consumed: 0,
                        address,
                    }
                }
                _ => {
                    self.upgrade = None;
                    Step::Reply {
                        consumed: upgrade.len,
                        bytes: upgrade.answer,
                    }
                }
            },
            Err(refusal) => Step::Fail {
                error: refusal.error,
                close_frame: refusal.answer,
            },
        }
    }

    /// Whether the frame fits into what came before it, judged by its head alone.
    fn admit(&self, head: &Head, limits: &ReadLimits) -> Result<(), Broken> {
        if head.opcode.is_control() {
            return Ok(());
        }
        if (head.opcode == Opcode::Continuation) != self.fragmented.is_some() {
            return Err(protocol("fragments out of order"));
        }
        let limit = limits.message_bytes;
        let kept = (self.held.len() - self.held_at + self.fragments.len()) as u64;
        if head.payload.saturating_add(kept) > limit as u64 {
            return Err((CLOSE_TOO_LONG, WireError::TooLong { limit }));
        }
        Ok(())
    }

    /// Where the next document of the unmasked text at `at` lies; moves `at` behind it.
    fn next_in_input(&mut self, input: &[u8], at: &mut usize) -> Option<std::ops::Range<usize>> {
        while self.unmasked > 0 {
            let text = &input[*at..*at + self.unmasked];
            let Some(len) = self.documents.next(text) else {
                if text.iter().all(|byte| is_space(*byte)) {
                    self.documents = Documents::default();
                } else {
                    self.held.extend_from_slice(text);
                }
                *at += self.unmasked;
                self.unmasked = 0;
                return None;
            };
            let start = *at;
            *at += len;
            self.unmasked -= len;
            if self.is_message(&text[..len]) {
                return Some(start..*at);
            }
        }
        None
    }

    /// Moves the next document of the held text to `out`.
    fn next_held(&mut self, out: &mut Vec<u8>) -> bool {
        while !self.held.is_empty() {
            let text = &self.held[self.held_at..];
            let Some(len) = self.documents.next(text) else {
                self.held.drain(..self.held_at);
                self.held_at = 0;
                return false;
            };
            out.clear();
            out.extend_from_slice(&text[..len]);
            self.held_at += len;
            if self.held_at == self.held.len() {
                // Rare enough that the memory is worth more than the next allocation.
                self.held = Vec::new();
                self.held_at = 0;
            }
            if self.is_message(out) {
                return true;
            }
        }
        false
    }

    /// Whether `document` is more than a blank line.
    fn is_message(&mut self, document: &[u8]) -> bool {
        self.newline_owed = document.last() != Some(&b'\n');
        !document.iter().all(|byte| is_space(*byte))
    }

    /// Whether a whole message is blank, which is as little JSON as an empty line, unless it is the newline of the
    /// document before it.
    fn is_blank(&mut self, message: &[u8]) -> bool {
        let blank = self.held.is_empty() && message.iter().all(|byte| is_space(*byte));
        blank && !std::mem::take(&mut self.newline_owed)
    }
}

fn fail<'a>((code, error): Broken) -> Step<'a> {
    Step::Fail {
        error,
        close_frame: frame::close(code),
    }
}

/// The answer to a close frame: the same code, or none (RFC 6455, 5.5.1).
fn closed<'a>(payload: &[u8]) -> Step<'a> {
    match frame::close_code(payload) {
        Ok(Some(code)) => Step::Fail {
            error: WireError::Closed,
            close_frame: frame::close(code),
        },
        Ok(None) => Step::Fail {
            error: WireError::Closed,
            close_frame: frame::control(Opcode::Close, b""),
        },
        Err(CLOSE_BAD_TEXT) => fail((CLOSE_BAD_TEXT, WireError::BadText)),
        Err(_) => fail(protocol("bad close frame")),
    }
}

#[cfg(test)]
mod tests;
