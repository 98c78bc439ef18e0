//! The HTTP request that opens a WebSocket (RFC 6455, 4.2; spec: faf-wire 5.1).
//!
//! It must never answer 101 to a request that is not exactly an upgrade we serve; no extension or sub-protocol is ever
//! agreed to.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use sha1::{Digest, Sha1};

use super::forwarded;
use crate::{ReadLimits, WireError};

/// RFC 6455, 1.3.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Most headers of a request; browsers behind two proxies send about 30.
const MAX_HEADERS: usize = 64;

/// A request that is accepted.
#[derive(Debug, PartialEq)]
pub(super) struct Upgrade {
    /// Bytes of the request.
    pub(super) len: usize,
    /// The answer 101.
    pub(super) answer: Vec<u8>,
    /// What the forwarded-for header says, if it has an address.
    pub(super) forwarded: Option<IpAddr>,
}

/// A request that is not: why, and what to answer.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) error: WireError,
    pub(super) answer: Vec<u8>,
}

fn refuse(why: &'static str, status: &str) -> Refusal {
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    Refusal {
        error: WireError::Upgrade(why),
        answer: answer.into_bytes(),
    }
}

/// Reads the request at the front of `input`; `None` while incomplete.
pub(super) fn parse(input: &[u8], limits: &ReadLimits) -> Result<Option<Upgrade>, Refusal> {
    let too_large = || Refusal {
        error: WireError::HeadTooLong,
        ..refuse("", "431 Request Header Fields Too Large")
    };
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head = &input[..input.len().min(limits.upgrade_bytes)];
    let len = match request.parse(head) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if head.len() < limits.upgrade_bytes => return Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Err(too_large());
        }
        Err(_) => return Err(refuse("not HTTP", "400 Bad Request")),
    };
    let key = key(&request, limits)?;
    let name = &*limits.ws_forwarded_header;
    let forwarded = (!name.is_empty())
        .then(|| forwarded::address(name, &joined(&request, name), &limits.ws_trusted))
        .flatten();
    let server = match limits.ws_server {
        "" => String::new(),
        server => format!("Server: {server}\r\n"),
    };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n{server}\r\n",
        accept_key(key)
    );
    Ok(Some(Upgrade {
        len,
        answer: answer.into_bytes(),
        forwarded,
    }))
}

/// The key of a request that asks for what we do; otherwise why it is refused.
fn key<'a>(
    request: &'a httparse::Request<'_, '_>,
    limits: &ReadLimits,
) -> Result<&'a str, Refusal> {
    if request.method != Some("GET") {
        return Err(refuse(
            "not a GET request",
            "405 Method Not Allowed\r\nAllow: GET",
        ));
    }
    let path = path(request.path.unwrap_or_default());
    let mut served = limits.ws_path.split(',').map(str::trim);
    if !served.any(|served| served == path || served == "*") {
        return Err(refuse("unknown path", "404 Not Found"));
    }
    if request.version != Some(1)
        || !lists(request, "Upgrade", "websocket")
        || !lists(request, "Connection", "upgrade")
    {
        return Err(refuse("not an upgrade", "400 Bad Request"));
    }
    if header(request, "Sec-WebSocket-Version").is_none() {
        return Err(refuse("no version", "400 Bad Request"));
    }
    if !lists(request, "Sec-WebSocket-Version", "13") {
        return Err(refuse(
            "unknown version",
            "426 Upgrade Required\r\nSec-WebSocket-Version: 13",
        ));
    }
    let key = header(request, "Sec-WebSocket-Key");
    // Two that are alike come from a proxy that says everything twice; of two others neither is the client's for sure.
    key.filter(|key| values(request, "Sec-WebSocket-Key").all(|other| other == *key))
        .filter(|key| BASE64.decode(key).is_ok_and(|key| key.len() == 16))
        .ok_or_else(|| refuse("no valid key", "400 Bad Request"))
}

/// The path of a request target: its own form, or within a whole address, which a proxy may send (RFC 9112, 3.2.2).
fn path(target: &str) -> &str {
    let scheme = target.split_once("://").map(|(scheme, rest)| {
        let known = ["http", "https", "ws", "wss"];
        (known.iter().any(|known| scheme.eq_ignore_ascii_case(known))).then_some(rest)
    });
    let target = match scheme.flatten() {
        Some(rest) => rest.find(['/', '?']).map_or("/", |at| &rest[at..]),
        None => target,
    };
    match target.split('?').next().unwrap_or_default() {
        "" => "/",
        path => path,
    }
}

/// The values of a header's lines, in order; one that is no text is empty.
fn values<'a>(request: &'a httparse::Request<'_, '_>, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = request.headers.iter();
    lines
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| std::str::from_utf8(header.value).unwrap_or_default())
        .map(str::trim)
}

/// The first value of a header.
fn header<'a>(request: &'a httparse::Request<'_, '_>, name: &str) -> Option<&'a str> {
    values(request, name).next()
}

/// A header's lines as one list. What is no text is replaced: it must not hide what a proxy has added to it.
fn joined(request: &httparse::Request<'_, '_>, name: &str) -> String {
    let lines = request.headers.iter();
    let lines = lines.filter(|header| header.name.eq_ignore_ascii_case(name));
    let lines: Vec<_> = lines
        .map(|header| String::from_utf8_lossy(header.value))
        .collect();
    lines.join(",")
}

/// Whether a header's list has this token; the lines of one header are one list (RFC 9110, 5.3).
fn lists(request: &httparse::Request<'_, '_>, name: &str, token: &str) -> bool {
    values(request, name)
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// The `Sec-WebSocket-Accept` that answers `key` (RFC 6455, 4.2.2).
pub fn accept_key(key: &str) -> String {
    BASE64.encode(
        Sha1::new()
            .chain_update(key)
            .chain_update(KEY_SUFFIX)
            .finalize(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::client_handshake;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn request() -> String {
        String::from_utf8(client_handshake("localhost", "/", KEY)).unwrap()
    }

    fn status(request: &str) -> String {
        let answer = match parse(request.as_bytes(), &ReadLimits::default()) {
            Ok(Some(upgrade)) => upgrade.answer,
            Ok(None) => return "incomplete".into(),
            Err(refusal) => refusal.answer,
        };
        String::from_utf8(answer).unwrap()[9..12].to_owned()
    }

    #[test]
    fn the_key_of_the_rfc() {
        assert_eq!(accept_key(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let upgrade = parse(request().as_bytes(), &ReadLimits::default())
            .unwrap()
            .unwrap();
        assert!(
            String::from_utf8(upgrade.answer)
                .unwrap()
                .contains("Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
        );
        assert_eq!((upgrade.len, upgrade.forwarded), (request().len(), None));
    }

    #[test]
    fn each_refusal_has_its_status() {
        assert_eq!(status(&request()), "101");
        assert_eq!(status(&request().replace("GET / ", "GET /?a=1 ")), "101");
        assert_eq!(
            status(&request().replace("Connection: Upgrade", "connection: keep-alive, upgrade")),
            "101"
        );
        assert_eq!(status(&request()[..60]), "incomplete");
        assert_eq!(status(&request().replace("GET / ", "GET /other ")), "404");
        assert_eq!(status(&request().replace("GET / ", "POST / ")), "405");
        assert_eq!(
            status(&request().replace("Version: 13", "Version: 8")),
            "426"
        );
        assert_eq!(
            status(&request().replace("Sec-WebSocket-Version", "X")),
            "400"
        );
        assert_eq!(status(&request().replace("Sec-WebSocket-Key", "X")), "400");
        assert_eq!(status(&request().replace(KEY, "short")), "400");
        assert_eq!(
            status(&request().replace("Upgrade: websocket", "X: y")),
            "400"
        );
        assert_eq!(status(&request().replace("HTTP/1.1", "HTTP/1.0")), "400");
        assert_eq!(status("{\"command\":\"ping\"}\n"), "400");
        assert_eq!(
            status(&request().replace("Host", &format!("X: {}\r\nHost", "y".repeat(9000)))),
            "431"
        );
        assert_eq!(
            status(&request().replace("Host", &format!("{}Host", "X: y\r\n".repeat(70)))),
            "431"
        );
    }

    // Clients and proxies that send `Connection: keep-alive` on a line of its own were refused.
    #[test]
    fn lines_of_a_header_are_one_list_and_the_target_may_be_an_address() {
        let with = |from: &str, to: &str| status(&request().replace(from, to));
        let split = "Connection: keep-alive\r\nX: y\r\nconnection: Upgrade";
        assert_eq!(with("Connection: Upgrade", split), "101");
        let split = "Upgrade: h2c\r\nUpgrade: WebSocket";
        assert_eq!(with("Upgrade: websocket", split), "101");
        let extensions = "Host: x\r\nSec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b\r\n\
            Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\nX";
        assert_eq!(with("Host", extensions), "101");
        let versions = "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Version: 13";
        assert_eq!(with("Sec-WebSocket-Version: 13", versions), "101");
        let key = format!("Sec-WebSocket-Key: {KEY}");
        assert_eq!(with(&key, &format!("{key}\r\n{key}")), "101");
        let other = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
        assert_eq!(with(&key, &format!("{key}\r\n{other}")), "400");
        for target in [
            "http://lobby/",
            "WSS://lobby:443/?a=://b",
            "ws://lobby",
            "ws://lobby?a=1",
        ] {
            assert_eq!(with("GET / ", &format!("GET {target} ")), "101", "{target}");
        }
        for target in [
            "http://lobby/other",
            "ftp://lobby/",
            "/http://lobby/",
            "lobby",
        ] {
            assert_eq!(with("GET / ", &format!("GET {target} ")), "404", "{target}");
        }
    }

    /// Else whoever sends such bytes has the proxy's address, which no limit counts.
    #[test]
    fn bytes_that_are_no_text_do_not_hide_the_address_behind_them() {
        let limits = ReadLimits {
            ws_forwarded_header: "X-Forwarded-For".into(),
            ..ReadLimits::default()
        };
        let header = b"X-Forwarded-For: \xff\xfe, 198.51.100.7\r\nHost";
        let request = request();
        let (before, after) = request.split_once("Host").unwrap();
        let request = [before.as_bytes(), header, after.as_bytes()].concat();
        let upgrade = parse(&request, &limits).unwrap().unwrap();
        assert_eq!(upgrade.forwarded, Some("198.51.100.7".parse().unwrap()));
    }

    #[test]
    fn the_answer_names_the_server_where_clients_expect_it() {
        let answer = |ws_server| {
            let limits = ReadLimits {
                ws_server,
                ..ReadLimits::default()
            };
            let upgrade = parse(request().as_bytes(), &limits).unwrap().unwrap();
            String::from_utf8(upgrade.answer).unwrap()
        };
        assert!(answer("Servatrice").contains("\r\nServer: Servatrice\r\n"));
        assert!(!answer("").contains("Server"));
    }

    #[test]
    fn the_forwarded_address_is_the_first_of_the_list() {
        for (value, address) in [
            ("192.0.2.7", Some("192.0.2.7")),
            (" 2001:db8::7 , 10.0.0.1", Some("2001:db8::7")),
            ("unknown", None),
            ("", None),
        ] {
            let request = request().replace("Host", &format!("x-real-ip: {value}\r\nHost"));
            let upgrade = parse(request.as_bytes(), &ReadLimits::default())
                .unwrap()
                .unwrap();
            assert_eq!(
                upgrade.forwarded,
                address.map(|address| address.parse().unwrap())
            );
            let unread = ReadLimits {
                ws_forwarded_header: String::new(),
                ..ReadLimits::default()
            };
            assert_eq!(
                parse(request.as_bytes(), &unread)
                    .unwrap()
                    .unwrap()
                    .forwarded,
                None
            );
        }
    }
}
