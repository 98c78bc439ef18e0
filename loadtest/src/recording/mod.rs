//! Recordings of what clients and a server say to each other.
//!
//! | file | what lives there |
//! |---|---|
//! | `proxy` | `swarm record`: passes bytes on and writes down the messages in them |
//! | `dialect` | what a recording has to know of a protocol; each provides it in its own folder |
//! | `stream`, `splitter`, `websocket` | bytes of one direction → messages |
//! | `mask` | secrets out of messages |
//! | `format` | the file |
//! | `script` | a file → what each client of a replay says, and when |

pub(crate) mod dialect;
mod format;
mod mask;
pub(crate) mod proxy;
pub(crate) mod script;
pub(crate) mod splitter;
pub(crate) mod stream;
pub(crate) mod websocket;

pub(crate) use self::mask::{is_mask, text_of};
