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
    /// The PROXY header is missing, malformed or carries no address (spec: faf-wire 6).
    #[error("PROXY header: {0}")]
    Proxy(&'static str),
    /// The peer closed the WebSocket with a close frame: an orderly end.
    #[error("closed by the peer")]
    Closed,
    /// The stream ended inside a frame.
    #[error("stream ended inside a frame")]
    Truncated,
}
