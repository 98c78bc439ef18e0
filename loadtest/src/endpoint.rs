//! What `--server` says: a name or address, or an URL.

use anyhow::Context as _;

/// A server as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Its name or address, an address of IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// The path of a WebSocket's URL, if it has one.
    pub(crate) path: String,
    /// It is a WebSocket's URL.
    pub(crate) websocket: bool,
    /// Connections to it are encrypted.
    pub(crate) secure: bool,
}

impl Endpoint {
    /// `lobby.example.org`, `::1`, `[::1]:8002`, `wss://lobby.example.org`, `ws://127.0.0.1:8003/ws`.
    ///
    /// # Errors
    /// A scheme or port that is none.
    pub(crate) fn parse(option: &str, text: &str) -> anyhow::Result<Endpoint> {
        let (websocket, secure, rest) = match text.split_once("://") {
            None => (false, false, text),
            Some(("ws", rest)) => (true, false, rest),
            Some(("wss", rest)) => (true, true, rest),
            Some((scheme, _)) => {
                anyhow::bail!("{option} {text:?}: {scheme}:// is not known; ws:// and wss:// are")
            }
        };
        let path_at = rest.find('/').filter(|_| websocket);
        let (rest, path) = rest.split_at(path_at.unwrap_or(rest.len()));
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match rest.split_once(':') {
                // More than one colon: an address of IPv6.
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (rest, None),
            },
        };
        let port = port.map(str::parse).transpose();
        let port = port.with_context(|| format!("{option} {text:?} has no port that is one"))?;
        Ok(Endpoint {
            host: host.to_owned(),
            path: path.to_owned(),
            port: port.or(match (websocket, secure) {
                (true, true) => Some(443),
                (true, false) => Some(80),
                _ => None,
            }),
            websocket,
            secure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_written_in_many_ways() {
        for (text, host, port, websocket, secure) in [
            ("lobby.example.org", "lobby.example.org", None, false, false),
            ("127.0.0.1:8002", "127.0.0.1", Some(8002), false, false),
            ("::1", "::1", None, false, false),
            ("[::1]", "::1", None, false, false),
            ("[::1]:8002", "::1", Some(8002), false, false),
            (
                "wss://lobby.example.org",
                "lobby.example.org",
                Some(443),
                true,
                true,
            ),
            ("ws://[::1]:8003/ws", "::1", Some(8003), true, false),
        ] {
            let endpoint = Endpoint::parse("--server", text).expect("sound");
            let expected = Endpoint {
                host: host.to_owned(),
                port,
                path: if text.ends_with("/ws") { "/ws" } else { "" }.to_owned(),
                websocket,
                secure,
            };
            assert_eq!(endpoint, expected, "{text}");
        }
        for text in ["http://a", "a:b", "[::1]:x"] {
            assert!(Endpoint::parse("--server", text).is_err(), "{text}");
        }
    }
}
