//! Bytes to frames and back.
//!
//! One file per format. Nothing here does I/O, reads a clock or starts a thread; the read path allocates nothing
//! beyond reused buffers. A *frame* is the body of one message (for FAF: JSON text), as a slice of the buffer it
//! arrived in. What a frame means is the business of `lobby`.

pub mod charset;
pub mod json;
pub mod lines;
pub mod messagepack;
pub mod packets;
pub mod prefixed;
pub mod proxy;
pub mod qdatastream;
pub mod websocket;

mod chunk;
mod decoder;
mod error;
mod format;
mod limits;
mod step;

pub use chunk::Chunk;
pub use decoder::Decoder;
pub use error::WireError;
pub use format::Format;
pub use limits::{MESSAGE_DOCUMENTS, ReadLimits};
pub use step::{Scratch, Step};
