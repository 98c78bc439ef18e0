//! What may be wrong with a byte stream.

/// Why a byte stream cannot be read any further. The peer broke the framing; the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A message is longer than the limit.
    #[error("message longer than {limit} bytes")]
    TooLong {
        /// The limit that was passed.
        limit: usize,
    },
    /// A message has more parts than the limit: documents of a WebSocket message, strings of a block.
    #[error("message of more than {limit} parts")]
    TooMany {
        /// The limit that was passed.
        limit: usize,
    },
    /// A length field contradicts the bytes around it.
    #[error("bad length field")]
    BadLength,
    /// Text is not valid in its encoding (UTF-8, UTF-16BE).
    #[error("text is not valid in its encoding")]
    BadText,
    /// A frame breaks RFC 6455 (mask, reserved bits, opcode, fragmentation).
    #[error("WebSocket protocol error: {0}")]
    WebSocket(&'static str),
    /// The HTTP request is not a WebSocket upgrade we accept.
    #[error("refused upgrade: {0}")]
    Upgrade(&'static str),
    /// The HTTP request that should become a WebSocket is longer, or has more headers, than the limit.
    #[error("refused upgrade: request head too large")]
    HeadTooLong,
    /// The PROXY header is missing, malformed or carries no address (spec: faf-wire 6).
    #[error("PROXY header: {0}")]
    Proxy(&'static str),
    /// A PROXY header of version 1 does not say for whom it speaks: a health check (spec: faf-wire 6).
    #[error("PROXY header of nobody")]
    ProxyUnknown,
    /// The peer closed the WebSocket with a close frame: an orderly end.
    #[error("closed by the peer")]
    Closed,
    /// The stream ended inside a frame.
    #[error("stream ended inside a frame")]
    Truncated,
}

impl WireError {
    /// Whether the peer has passed a limit, which may be set too low, rather than broken a rule.
    pub fn is_too_long(self) -> bool {
        matches!(
            self,
            WireError::TooLong { .. } | WireError::TooMany { .. } | WireError::HeadTooLong
        )
    }
}
