//! How much a peer may say at once.

use settings::Cidr;

/// What [`ReadLimits::documents`] is, unless somebody wants it otherwise.
pub const MESSAGE_DOCUMENTS: usize = 1_000;

/// Limits and policy of reading, the same for every connection of a listener.
#[derive(Clone, Debug)]
pub struct ReadLimits {
    /// Longest message in bytes; longer ones end the connection (spec: faf-wire 3, 4.2 item 6, 5.1).
    pub message_bytes: usize,
    /// Longer messages with their length in front, up to this one, do not end the connection: they are passed over unread. 0: none.
    pub skipped_bytes: usize,
    /// Most JSON documents, blank lines included, in one WebSocket message. A client sends one; a bridge that carries raw
    /// bytes may gather some tens.
    pub documents: usize,
    /// Longest HTTP request head of a WebSocket upgrade, in bytes.
    pub upgrade_bytes: usize,
    /// Paths on which the WebSocket upgrade is accepted, with commas between them; any other is a plain 404. `*` is any path.
    pub ws_path: String,
    /// Header that carries the client's address behind a reverse proxy; empty: not read.
    /// It is believed only if the decoder was told that the peer is trusted.
    pub ws_forwarded_header: String,
    /// What the answer to an upgrade calls the server; empty: it does not say.
    pub ws_server: &'static str,
    /// Addresses of proxies, which are passed over in a list of addresses.
    pub ws_trusted: Vec<Cidr>,
}

impl Default for ReadLimits {
    fn default() -> Self {
        ReadLimits {
            message_bytes: 10 << 20,
            skipped_bytes: 0,
            documents: MESSAGE_DOCUMENTS,
            upgrade_bytes: 8 << 10,
            ws_path: "/,/ws".into(),
            ws_forwarded_header: "X-Real-IP".into(),
            ws_server: "",
            ws_trusted: Vec::new(),
        }
    }
}
