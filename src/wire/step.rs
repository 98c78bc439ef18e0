//! What a reader of any format answers with.

use std::net::IpAddr;

use super::WireError;

/// Buffers that all decoders of a shard share: contents live only from one [`Decoder::step`](super::Decoder::step) to the next.
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
    /// A message begins that is too long to be kept: it is passed over as it comes.
    Skipped {
        /// Bytes of the input that are used up.
        consumed: usize,
        /// How long its body is.
        bytes: usize,
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
        /// The address that replaces the socket's; none: the proxy speaks for itself.
        address: Option<IpAddr>,
    },
    /// The stream cannot go on. `close_frame` is written before closing, if not empty.
    Fail {
        /// What is wrong with it.
        error: WireError,
        /// A last thing to say (HTTP refusal, WebSocket close frame).
        close_frame: Vec<u8>,
    },
}
