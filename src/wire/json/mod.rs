//! JSON text: read without copying, written in the server's exact form.
//!
//! Reading takes what the reference takes (spec: faf-wire 2.2), on top of a SIMD parser that is stricter: a cheap
//! search finds the few texts that need help, and only those are rewritten first. Writing gives the form of
//! faf-wire 2.1 byte for byte. Nothing here knows what a message means, and no text can make it panic, recurse
//! without bound or allocate more than its own length asks for.

mod outline;
mod read;
mod tolerance;
mod write;

pub use outline::{Extent, Outline};
pub use read::{Doc, Elements, Entries, JsonReader, MAX_DEPTH, NotJson, Value};
pub use write::{to_json, write_json, write_text};
