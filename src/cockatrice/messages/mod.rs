//! The messages of protocol 14 (spec: cockatrice-wire 1): Protocol Buffers, proto2, with extensions.
//!
//! What is read borrows from the bytes it was read from; texts stay the bytes that they are, as they need not be UTF-8. Every
//! field is an `Option`, a required one too: [`decode`] refuses what lacks one. A *shell* is a message whose content is one of
//! those that extend it. Unknown fields are skipped.

mod codec;
pub mod raw;
mod text;

#[cfg(test)]
mod tests;

#[allow(missing_docs, clippy::all)]
mod generated {
    use super::{
        codec::{
            Malformed, Message, Packed, Reader, Value, block_len, put_double, put_message, tag_len,
            unzigzag, zigzag,
        },
        raw::{self, varint_len},
        text::{Octets, Text},
    };

    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}

pub use codec::{Malformed, Message};
pub use generated::*;
pub use text::{Octets, Text};

/// Reads a message whole.
///
/// # Errors
/// The bytes are no such message, or something required is missing.
pub fn decode<'a, M: Message<'a>>(bytes: &'a [u8]) -> Result<M, Malformed> {
    let mut message = M::default();
    message.merge(bytes, 0)?;
    if message.is_complete() {
        Ok(message)
    } else {
        Err(Malformed)
    }
}

/// Writes a message.
pub fn encode<'a, M: Message<'a>>(message: &M) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.encoded_len());
    message.encode(&mut out);
    out
}
