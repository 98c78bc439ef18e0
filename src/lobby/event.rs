//! What the outside is told of, whichever lobby it happened in.

use bytes::Bytes;

/// A message for the topic exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Routing key.
    pub key: &'static str,
    /// Whether the broker is to keep it through a restart of its own.
    pub persistent: bool,
    /// JSON text.
    pub body: Bytes,
    /// The number of the file that has it until the broker does, if there is one. The back office gives it; no lobby does.
    pub file: Option<u64>,
}

impl Event {
    /// A message that must not be lost.
    pub fn persistent(key: &'static str, body: Bytes) -> Self {
        Event {
            key,
            persistent: true,
            body,
            file: None,
        }
    }

    /// A message that may be lost.
    pub fn transient(key: &'static str, body: Bytes) -> Self {
        Event {
            key,
            persistent: false,
            body,
            file: None,
        }
    }
}
