//! Whose connection it is behind reverse proxies, as the headers of the upgrade say (RFC 7239; spec: faf-wire 5.1).
//!
//! `X-Forwarded-For` and `Forwarded` are lists that each proxy appends to: what stands at the left may be the client's own
//! invention. They are read from the right, and the first address that is not a trusted proxy's is believed; beyond what
//! can't be read nothing is. Any other header is set by the last proxy, and its first element is the address.

use std::net::{IpAddr, SocketAddr};

use settings::Cidr;

/// The address that a header of this name gives.
pub(super) fn address(name: &str, value: &str, trusted: &[Cidr]) -> Option<IpAddr> {
    let is_standard = name.eq_ignore_ascii_case("Forwarded");
    let ends = name.len().saturating_sub("Forwarded-For".len());
    let is_list = name
        .get(ends..)
        .is_some_and(|end| end.eq_ignore_ascii_case("Forwarded-For"));
    if !is_standard && !is_list {
        return node(value.split(',').next()?);
    }
    let mut last = None;
    for hop in value.rsplit(',') {
        let hop = if is_standard { for_of(hop) } else { Some(hop) };
        let Some(address) = hop.and_then(node) else {
            break;
        };
        last = Some(address);
        if !trusted.iter().any(|proxy| proxy.contains(address)) {
            break;
        }
    }
    last
}

/// The `for` of an element such as `for="[2001:db8::7]:4711";proto=https`.
fn for_of(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let is_for = name.trim().eq_ignore_ascii_case("for");
        is_for.then(|| value.trim().trim_matches('"'))
    })
}

/// An address as it may be written: alone, in brackets, with a port.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let inside = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = match inside.unwrap_or(text).parse() {
        Ok(address) => address,
        Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, values: &[&str]) -> Option<String> {
        let trusted: Vec<Cidr> = ["127.0.0.0/8", "10.0.0.0/8", "::1"]
            .iter()
            .map(|block| block.parse().unwrap())
            .collect();
        address(name, &values.join(","), &trusted).map(|address| address.to_string())
    }

    #[test]
    fn a_list_is_believed_from_the_right() {
        for (values, address) in [
            (&["198.51.100.7"][..], Some("198.51.100.7")),
            (&["127.0.0.1, 198.51.100.7"], Some("198.51.100.7")),
            (
                &["203.0.113.1,198.51.100.7, 10.1.2.3"],
                Some("198.51.100.7"),
            ),
            (
                &["203.0.113.1", "198.51.100.7", "10.1.2.3, 127.0.0.1"],
                Some("198.51.100.7"),
            ),
            (&["10.0.0.9, 10.0.0.1"], Some("10.0.0.9")),
            (&["198.51.100.7, unknown"], None),
            (&["198.51.100.7, unknown, 10.0.0.1"], Some("10.0.0.1")),
            (&["\u{fffd}, 198.51.100.7"], Some("198.51.100.7")),
            (&["198.51.100.7,"], None),
            (&[""], None),
            (&[], None),
        ] {
            for name in [
                "X-Forwarded-For",
                "x-forwarded-for",
                "X-Original-Forwarded-For",
            ] {
                assert_eq!(read(name, values).as_deref(), address, "{name}: {values:?}");
            }
        }
    }

    #[test]
    fn the_standard_header_is_read() {
        for (value, address) in [
            ("for=192.0.2.43", Some("192.0.2.43")),
            (
                "For=\"[2001:db8:cafe::17]:4711\"",
                Some("2001:db8:cafe::17"),
            ),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                Some("192.0.2.60"),
            ),
            ("proto=http; for=192.0.2.60:80", Some("192.0.2.60")),
            ("for=192.0.2.43, for=198.51.100.17", Some("198.51.100.17")),
            ("for=192.0.2.43, for=\"10.0.0.1\"", Some("192.0.2.43")),
            ("for=192.0.2.43, for=_hidden", None),
            ("for=unknown", None),
            ("by=192.0.2.43", None),
            ("192.0.2.43", None),
        ] {
            assert_eq!(read("forwarded", &[value]).as_deref(), address, "{value}");
        }
    }

    /// spec: faf-wire 5.1
    #[test]
    fn any_other_header_gives_its_first_element() {
        for (value, address) in [
            ("192.0.2.7", Some("192.0.2.7")),
            (" 2001:db8::7 , 10.0.0.1", Some("2001:db8::7")),
            ("192.0.2.7:4711", Some("192.0.2.7")),
            ("[2001:db8::7]:4711", Some("2001:db8::7")),
            ("[2001:db8::7]", Some("2001:db8::7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("[192.0.2.7", None),
            ("192.0.2.7:port", None),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(read("X-Real-IP", &[value]).as_deref(), address, "{value}");
        }
    }
}
