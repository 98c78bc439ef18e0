//! WebSocket, the server's end (RFC 6455; spec: faf-wire 5).
//!
//! One reader per connection: first the HTTP upgrade, then frames. What its messages hold, JSON documents or
//! messages of one kind, is apart from that. A message that comes in one frame is unmasked where it lies and given out as a
//! slice of the input; only fragments and documents spread over frames are copied. A frame is unmasked once, when it is
//! whole; before that its text is only looked at, so that what can't become UTF-8 is refused as it comes. Nothing is waited
//! for, or kept, beyond the limit of a message.

mod client;
mod documents;
mod forwarded;
mod frame;
mod handshake;
mod text;
mod utf8;

pub use client::{ClientReader, client_handshake, encode_client_binary, encode_client_text};
pub use handshake::accept_key;

use self::frame::{CLOSE_BAD_TEXT, CLOSE_POLICY, CLOSE_PROTOCOL, CLOSE_TOO_LONG, Head, Opcode};
use self::text::Text;
use self::utf8::Utf8;
use super::lines::strip;
use super::{ReadLimits, Scratch, Step, WireError};

/// Appends the head of a text frame of the server.
pub fn encode_text_head(payload_len: usize, out: &mut Vec<u8>) {
    frame::encode_head(Opcode::Text, payload_len, None, out);
}

/// Appends the head of a binary frame of the server.
pub fn encode_binary_head(payload_len: usize, out: &mut Vec<u8>) {
    frame::encode_head(Opcode::Binary, payload_len, None, out);
}

/// The close frame for an orderly end by the server.
pub fn close_frame() -> Vec<u8> {
    frame::close(frame::CLOSE_NORMAL)
}

/// The close frame of a server that goes away from its client.
pub fn close_frame_going_away() -> Vec<u8> {
    frame::close(frame::CLOSE_GOING_AWAY)
}

/// Reads the upgrade, then frames.
#[derive(Debug)]
pub struct Reader {
    trusted: bool,
    upgrade: Option<Pending>,
    /// Opcode of the message that fragments are gathered for.
    fragmented: Option<Opcode>,
    fragments: Vec<u8>,
    /// The text of the present message.
    utf8: Utf8,
    /// Bytes of the payload at the front of the input that `utf8` has been shown, while the frame is not whole.
    shown: usize,
    content: Content,
}

/// What the messages of a client are.
#[derive(Debug)]
enum Content {
    /// JSON documents, however they are spread over messages of whichever kind.
    Documents(Text),
    /// Messages of this kind, whole; others are left out.
    Messages(Opcode),
}

/// The upgrade is still to come.
#[derive(Debug)]
struct Pending {
    /// Bytes looked at in vain.
    seen: usize,
    /// The forwarded address was given out.
    peer_told: bool,
}

/// How much of a frame that is not whole is unmasked at a time to be looked at.
const LOOK_BYTES: usize = 512;

/// What there is to do after a data frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Go on: its message is not whole, or nobody wants it, or its documents are held.
    Nothing,
    /// Give out an empty frame: its message is as little as an empty line.
    Blank,
    /// Cut documents from its payload.
    Documents,
    /// Give out its payload, which is a whole message.
    Here,
    /// Give out the message that its payload has completed.
    Gathered,
}

/// The end of the stream: the code of the close frame, and the reason.
type Broken = (u16, WireError);

fn protocol(why: &'static str) -> Broken {
    (CLOSE_PROTOCOL, WireError::WebSocket(why))
}

impl Reader {
    /// A reader of JSON documents for a fresh connection; `trusted`: the forwarded-for header is believed.
    pub fn documents(trusted: bool) -> Self {
        Reader::new(trusted, Content::Documents(Text::default()))
    }

    /// A reader of binary messages for a fresh connection; `trusted`: the forwarded-for header is believed.
    pub fn binary(trusted: bool) -> Self {
        Reader::new(trusted, Content::Messages(Opcode::Binary))
    }

    /// A reader of text messages for a fresh connection; `trusted`: the forwarded-for header is believed.
    pub fn text(trusted: bool) -> Self {
        Reader::new(trusted, Content::Messages(Opcode::Text))
    }

    fn new(trusted: bool, content: Content) -> Self {
        Reader {
            trusted,
            upgrade: Some(Pending {
                seen: 0,
                peer_told: false,
            }),
            fragmented: None,
            fragments: Vec::new(),
            utf8: Utf8::default(),
            shown: 0,
            content,
        }
    }

    /// Bytes of memory that fragments, and documents that go on in the next message, take.
    pub(super) fn held(&self) -> usize {
        let documents = match &self.content {
            Content::Documents(text) => text.held(),
            Content::Messages(_) => 0,
        };
        self.fragments.capacity() + documents
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
            if let Content::Documents(text) = &mut self.content {
                let most = limits.documents;
                let in_input = text.next_in_input(input, &mut at, most);
                let held = in_input.is_none() && text.next_held(&mut scratch.text, most);
                if text.given() > most {
                    let error = WireError::TooMany { limit: most };
                    return fail((CLOSE_POLICY, error));
                }
                match in_input {
                    Some(document) => return frame(at, strip(&mut input[document])),
                    None if held => return frame(at, strip(&mut scratch.text)),
                    None => {}
                }
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
                return match self.look_at(&head, &input[start..]) {
                    Ok(()) => Step::More { consumed: at },
                    Err(broken) => fail(broken),
                };
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
                Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                    match self.data(&head, payload, &mut scratch.text) {
                        Err(broken) => return fail(broken),
                        Ok(Outcome::Nothing) => {}
                        Ok(Outcome::Documents) => at = start,
                        Ok(Outcome::Blank) => return frame(at, &mut input[at..at]),
                        Ok(Outcome::Here) => return frame(at, &mut input[start..end]),
                        Ok(Outcome::Gathered) => return frame(at, &mut scratch.text),
                    }
                }
            }
        }
    }

    /// What there is to do after a data frame. A message of fragments is put into `gathered` when it is whole.
    fn data(
        &mut self,
        head: &Head,
        payload: &[u8],
        gathered: &mut Vec<u8>,
    ) -> Result<Outcome, Broken> {
        let opcode = self.fragmented.unwrap_or(head.opcode);
        let shown = std::mem::take(&mut self.shown);
        if opcode == Opcode::Text && !self.utf8.takes(&payload[shown..], head.fin) {
            return Err((CLOSE_BAD_TEXT, WireError::BadText));
        }
        if head.fin && self.fragmented.is_none() {
            return Ok(self.message(opcode, payload, Outcome::Here));
        }
        self.fragmented = Some(opcode);
        self.fragments.extend_from_slice(payload);
        if !head.fin {
            return Ok(Outcome::Nothing);
        }
        self.fragmented = None;
        *gathered = std::mem::take(&mut self.fragments);
        Ok(self.message(opcode, gathered, Outcome::Gathered))
    }

    /// Looks at what has come of a frame that is not whole.
    fn look_at(&mut self, head: &Head, payload: &[u8]) -> Result<(), Broken> {
        let opcode = match head.opcode {
            Opcode::Continuation => self.fragmented,
            opcode => Some(opcode),
        };
        if opcode != Some(Opcode::Text) {
            return Ok(());
        }
        let mut piece = [0; LOOK_BYTES];
        while let Some(masked) = payload.get(self.shown..).filter(|rest| !rest.is_empty()) {
            let len = masked.len().min(LOOK_BYTES);
            let piece = &mut piece[..len];
            piece.copy_from_slice(&masked[..len]);
            let mut mask = head.mask;
            mask.rotate_left(self.shown % head.mask.len());
            frame::apply_mask(piece, mask);
            self.shown += len;
            if !self.utf8.takes(piece, false) {
                return Err((CLOSE_BAD_TEXT, WireError::BadText));
            }
        }
        Ok(())
    }

    /// What there is to do after a whole message, which is `place`.
    fn message(&mut self, opcode: Opcode, message: &[u8], place: Outcome) -> Outcome {
        match &mut self.content {
            Content::Messages(kind) if *kind == opcode => place,
            Content::Messages(_) => Outcome::Nothing,
            Content::Documents(text) => {
                if text.is_blank(message) {
                    Outcome::Blank
                } else if place == Outcome::Here && text.take_in_input(message.len()) {
                    Outcome::Documents
                } else {
                    text.hold(message);
                    Outcome::Nothing
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
                        address: Some(address),
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
        let held = match &self.content {
            Content::Documents(text) => text.kept(),
            Content::Messages(_) => 0,
        };
        let kept = (held + self.fragments.len()) as u64;
        if head.payload.saturating_add(kept) > limit as u64 {
            return Err((CLOSE_TOO_LONG, WireError::TooLong { limit }));
        }
        Ok(())
    }
}

fn frame(consumed: usize, body: &mut [u8]) -> Step<'_> {
    Step::Frame { consumed, body }
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
