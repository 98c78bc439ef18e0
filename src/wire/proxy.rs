//! PROXY protocol headers, version 1 (text) and 2 (binary), told apart by their first bytes (spec: faf-wire 6).
//!
//! Only the source address is taken. It must never guess: no header, or one that should carry an address and does not, is an
//! error, reported as soon as the bytes so far cannot become a header any more. A header of version 2 may say that the proxy
//! speaks for itself (`LOCAL`), mostly to see whether somebody listens, or that its client has no address of the Internet (`UNSPEC`,
//! `AF_UNIX`): then there is nobody's address but the proxy's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use memchr::memchr;

use super::WireError;

const V1_START: &[u8] = b"PROXY ";
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest header of version 1, its CR LF included (PROXY protocol specification, 2.1).
const V1_MAX_BYTES: usize = 107;
/// Signature, version and command, family, length.
const V2_FIXED_BYTES: usize = 16;
/// Most bytes that a header of version 2 may say follow: addresses, and what proxies add, such as a certificate's name.
const V2_MAX_BYTES: usize = 8 << 10;

/// For whom a header speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// For a client with this address.
    Client(IpAddr),
    /// For the proxy itself, or for somebody whose address it does not know.
    Proxy,
}

/// The header at the front of `input`: how many bytes it takes and for whom it speaks; `None` while incomplete.
pub fn parse(input: &[u8]) -> Result<Option<(usize, Source)>, WireError> {
    if begins(input, V1_START) {
        parse_v1(input)
    } else if begins(input, V2_START) {
        parse_v2(input)
    } else {
        Err(WireError::Proxy("missing"))
    }
}

/// Whether `input`, as far as it goes, agrees with `start`.
fn begins(input: &[u8], start: &[u8]) -> bool {
    input.iter().zip(start).all(|(a, b)| a == b)
}

fn parse_v1(input: &[u8]) -> Result<Option<(usize, Source)>, WireError> {
    let head = &input[..input.len().min(V1_MAX_BYTES)];
    let Some(end) = memchr(b'\n', head) else {
        return if head.len() < V1_MAX_BYTES {
            Ok(None)
        } else {
            Err(WireError::Proxy("too long"))
        };
    };
    let malformed = WireError::Proxy("malformed");
    let line = head[..end].strip_suffix(b"\r").ok_or(malformed)?;
    let line = std::str::from_utf8(line).map_err(|_| malformed)?;
    let mut fields = line.split(' ').skip(1);
    let mut field = || fields.next().ok_or(malformed);
    let family = field()?;
    if family == "UNKNOWN" {
        // spec: faf-wire 6
        return Err(WireError::ProxyUnknown);
    }
    let source: IpAddr = field()?.parse().map_err(|_| malformed)?;
    let destination: IpAddr = field()?.parse().map_err(|_| malformed)?;
    for _ in ["source", "destination"] {
        port(field()?).ok_or(malformed)?;
    }
    let agrees = match family {
        "TCP4" => source.is_ipv4() && destination.is_ipv4(),
        "TCP6" => source.is_ipv6() && destination.is_ipv6(),
        _ => false,
    };
    if !agrees || fields.next().is_some() {
        return Err(malformed);
    }
    Ok(Some((end + 1, Source::Client(source))))
}

/// A port as version 1 writes one: digits alone, no leading zero (PROXY protocol specification, 2.1).
fn port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = is_plain && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

fn parse_v2(input: &[u8]) -> Result<Option<(usize, Source)>, WireError> {
    match input.get(V2_START.len()) {
        None | Some(0x20 | 0x21) => {}
        Some(_) => return Err(WireError::Proxy("malformed")),
    }
    let Some(([.., command, family, high, low], rest)) =
        input.split_first_chunk::<V2_FIXED_BYTES>()
    else {
        return Ok(None);
    };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    if len > V2_MAX_BYTES {
        return Err(WireError::Proxy("too long"));
    }
    if *command == 0x20 || matches!(family, 0x00 | 0x31 | 0x32) {
        // Whatever follows is to be skipped, and the connection's own addresses are to be used (PROXY protocol
        // specification, 2.2). That goes for UNSPEC, and for valid families that a receiver does not know what to do with.
        return Ok((rest.len() >= len).then_some((V2_FIXED_BYTES + len, Source::Proxy)));
    }
    // Source and destination address, then two ports.
    let needed = match family {
        0x11 | 0x12 => 2 * 4 + 4,
        0x21 | 0x22 => 2 * 16 + 4,
        _ => return Err(WireError::Proxy("malformed")),
    };
    if len < needed {
        return Err(WireError::Proxy("malformed"));
    }
    if rest.len() < len {
        return Ok(None);
    }
    let source = match (
        family >> 4,
        rest.first_chunk::<4>(),
        rest.first_chunk::<16>(),
    ) {
        (1, Some(octets), _) => IpAddr::V4(Ipv4Addr::from(*octets)),
        (_, _, Some(octets)) => IpAddr::V6(Ipv6Addr::from(*octets)),
        _ => return Err(WireError::Proxy("malformed")),
    };
    Ok(Some((V2_FIXED_BYTES + len, Source::Client(source))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut header = V2_START.to_vec();
        header.extend([command, family]);
        header.extend((body.len() as u16).to_be_bytes());
        header.extend(body);
        header
    }

    #[test]
    fn both_versions_are_recognised() {
        let four: IpAddr = "192.0.2.7".parse().unwrap();
        let six: IpAddr = "2001:db8::7".parse().unwrap();
        let tcp4 = b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 8002\r\n".to_vec();
        let tcp6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 5000 8002\r\n".to_vec();
        let short = v2(0x21, 0x11, &[192, 0, 2, 7, 192, 0, 2, 1, 0, 9, 0, 9]);
        let tlv = v2(
            0x21,
            0x11,
            &[192, 0, 2, 7, 192, 0, 2, 1, 0, 9, 0, 9, 4, 0, 1, 7],
        );
        let mut long = [0; 36];
        long[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        for (header, address) in [
            (tcp4, four),
            (tcp6, six),
            (short, four),
            (tlv, four),
            (v2(0x21, 0x21, &long), six),
        ] {
            for end in 0..header.len() {
                assert_eq!(parse(&header[..end]), Ok(None));
            }
            let stream = [header.as_slice(), b"{}\n"].concat();
            let source = Source::Client(address);
            assert_eq!(parse(&stream), Ok(Some((header.len(), source))));
        }
    }

    #[test]
    fn a_header_without_an_address_is_refused() {
        assert_eq!(parse(b"PROXY UNKNOWN\r\n"), Err(WireError::ProxyUnknown));
        let malformed = Err(WireError::Proxy("malformed"));
        for family in [0x01, 0x10, 0x13, 0x20, 0x30, 0x33, 0x41, 0xff] {
            assert_eq!(parse(&v2(0x21, family, &[0; 216])), malformed, "{family}");
        }
    }

    // A load balancer's check ended with a broken connection, and counted as broken framing.
    #[test]
    fn a_proxy_may_speak_for_itself() {
        for header in [
            v2(0x20, 0x00, b""),
            v2(0x20, 0x11, &[0; 12]),
            v2(0x20, 0x31, &[7; 300]),
            // A client without an address of the Internet.
            v2(0x21, 0x00, b""),
            v2(0x21, 0x00, &[7; 12]),
            v2(0x21, 0x31, &[7; 216]),
            v2(0x21, 0x32, &[7; 216]),
        ] {
            for end in 0..header.len() {
                assert_eq!(parse(&header[..end]), Ok(None));
            }
            let stream = [header.as_slice(), b"{}\n"].concat();
            assert_eq!(parse(&stream), Ok(Some((header.len(), Source::Proxy))));
        }
        let too_long = Err(WireError::Proxy("too long"));
        assert_eq!(parse(&v2(0x20, 0x00, &[0; V2_MAX_BYTES + 1])), too_long);
        assert_eq!(parse(&v2(0x21, 0x11, &[0; V2_MAX_BYTES + 1])), too_long);
    }

    #[test]
    fn no_header_is_refused_at_its_first_byte() {
        for input in [
            b"{\"command\":\"ask_session\"}\n".as_slice(),
            b"{",
            b"PROX{",
            b"\r\n\r\n1",
            b"GET / HTTP/1.1",
        ] {
            assert_eq!(parse(input), Err(WireError::Proxy("missing")));
        }
    }

    #[test]
    fn malformed_headers_are_refused() {
        for line in [
            "TCP4 1.2.3.4\r\n",
            "TCP4 ::1 ::2 1 2\r\n",
            "TCP4 1.2.3.4 1.2.3.4 1 70000\r\n",
            "TCP4 1.2.3.4 1.2.3.4 1 2\n",
            "TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
            "TCP4 1.2.3.4 1.2.3.4 1 +2\r\n",
            "TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
            "TCP4 1.2.3.4 1.2.3.4 -0 2\r\n",
            "TCP4 1.2.3.4 1.2.3.4  2\r\n",
        ] {
            assert_eq!(
                parse(format!("PROXY {line}").as_bytes()),
                Err(WireError::Proxy("malformed"))
            );
        }
        assert_eq!(
            parse(format!("PROXY {}", "x".repeat(101)).as_bytes()),
            Err(WireError::Proxy("too long"))
        );
        assert_eq!(
            parse(&v2(0x31, 0x11, &[0; 12])),
            Err(WireError::Proxy("malformed"))
        );
        assert_eq!(
            parse(&v2(0x21, 0x11, &[0; 11])),
            Err(WireError::Proxy("malformed"))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(choice in 0..3usize, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&[[b"".as_slice(), V1_START, V2_START][choice], &bytes].concat());
        }
    }
}
