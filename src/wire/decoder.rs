//! One decoder per connection: whatever the format, bytes in, steps out.
//!
//! The caller keeps the bytes. It shows the decoder everything that has arrived and was not consumed yet; the
//! decoder answers with one step and how many bytes that step used up. Any split of the stream gives the same frames.

use std::net::IpAddr;

use super::{Format, ReadLimits, WireError, lines, proxy, qdatastream, websocket};

/// Buffers that all decoders of a shard share: contents live only from one [`Decoder::step`] to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Text of the current frame, where it could not be a slice of the input (transcoded, joined).
    pub text: Vec<u8>,
}

/// What the bytes so far amount to.
#[derive(Debug, PartialEq)]
pub enum Step<'a> {
    /// Nothing whole yet. `consumed` bytes are no longer needed.
    More {
        /// Bytes of the input that are used up.
        consumed: usize,
    },
    /// One message.
    Frame {
        /// Bytes of the input that are used up.
        consumed: usize,
        /// Its body; may be overwritten by whoever parses it.
        body: &'a mut [u8],
    },
    /// Bytes that must be written to the peer as they are, before anything else (upgrade answer, pong).
    Reply {
        /// Bytes of the input that are used up.
        consumed: usize,
        /// What to write.
        bytes: Vec<u8>,
    },
    /// The header in front of the stream named the real peer (PROXY, forwarded-for).
    Peer {
        /// Bytes of the input that are used up.
        consumed: usize,
        /// The address that replaces the socket's.
        address: IpAddr,
    },
    /// The stream cannot go on. `farewell` is written before closing, if not empty.
    Fail {
        /// Why.
        error: WireError,
        /// A last thing to say (HTTP refusal, WebSocket close frame).
        farewell: Vec<u8>,
    },
}

/// Incremental reader of one connection's byte stream.
#[derive(Debug)]
pub struct Decoder {
    /// A PROXY header is still expected in front of everything.
    proxy: bool,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Lines(lines::Reader),
    QDataStream(qdatastream::Reader),
    WebSocket(Box<websocket::Reader>),
}

impl Decoder {
    /// A decoder for a fresh connection. `proxy`: a PROXY header must come first. `trusted`: a forwarded-for
    /// header of the WebSocket upgrade is believed.
    pub fn new(format: Format, proxy: bool, trusted: bool) -> Self {
        let inner = match format {
            Format::JsonLines => Inner::Lines(lines::Reader::default()),
            Format::QDataStream => Inner::QDataStream(qdatastream::Reader::default()),
            Format::WebSocket => Inner::WebSocket(Box::new(websocket::Reader::new(trusted))),
        };
        Decoder { proxy, inner }
    }

    /// The next step of `input`, which starts at the first byte not consumed yet.
    pub fn step<'a>(&mut self, input: &'a mut [u8], scratch: &'a mut Scratch, limits: &ReadLimits) -> Step<'a> {
        if self.proxy {
            return match proxy::parse(input) {
                Ok(None) => Step::More { consumed: 0 },
                Ok(Some((consumed, address))) => {
                    self.proxy = false;
                    Step::Peer { consumed, address }
                }
                Err(error) => Step::Fail { error, farewell: Vec::new() },
            };
        }
        match &mut self.inner {
            Inner::Lines(reader) => reader.step(input, limits),
            Inner::QDataStream(reader) => reader.step(input, scratch, limits),
            Inner::WebSocket(reader) => reader.step(input, scratch, limits),
        }
    }

    /// The stream has ended after `rest`: a last line without its newline is still a message (spec: faf-wire 3);
    /// anything else that is left over is an error.
    pub fn finish<'a>(&mut self, rest: &'a mut [u8]) -> Result<Option<&'a mut [u8]>, WireError> {
        if self.proxy {
            return if rest.is_empty() { Ok(None) } else { Err(WireError::Truncated) };
        }
        match &mut self.inner {
            Inner::Lines(_) => lines::finish(rest),
            Inner::QDataStream(_) | Inner::WebSocket(_) if rest.is_empty() => Ok(None),
            Inner::QDataStream(_) | Inner::WebSocket(_) => Err(WireError::Truncated),
        }
    }
}
