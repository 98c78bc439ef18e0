//! Whether a browser was sent here by somebody else's page. There are no cookies, so nobody can act without the token; but a
//! page that is open in an operator's browser should not even try, nor read what is shown on their own machine.

use std::net::IpAddr;

use hyper::{
    HeaderMap,
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN},
};

use crate::http::Ends;

/// What browsers say of where a request comes from; scripts can't say otherwise.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a wish comes from this page, or from no page at all.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return true; // no browser leaves it out
    };
    let authority = origin.to_str().ok().and_then(|origin| {
        let schemes = ["http://", "https://"];
        schemes
            .iter()
            .find_map(|scheme| origin.strip_prefix(scheme))
    });
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    authority.is_some() && authority == host
}

/// Whether it says that it is JSON, which no form can.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|text| text.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// Whether the name under which the server was asked for can be meant: on loopback, a name that is not the machine's own leads
/// here because somebody's name server says so, for a page of theirs that wants to read this one.
pub(super) fn is_meant(host: Option<&HeaderValue>, ends: Ends) -> bool {
    let Some(host) = host else {
        return true; // no browser leaves it out
    };
    !ends.own.ip().to_canonical().is_loopback() || host.to_str().is_ok_and(is_here)
}

/// Whether it is an address, or this machine for itself, with or without a port.
fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let is_address = bare.unwrap_or(name).parse::<IpAddr>().is_ok();
    let name = name.to_ascii_lowercase();
    is_address || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = all.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn only_this_page_and_what_is_no_page_may_wish() {
        for (all, own) in [
            (&[("host", "127.0.0.1:1")][..], true),
            (&[("host", "h:1"), ("origin", "http://h:1")], true),
            (&[("host", "h:1"), ("origin", "http://h:2")], false),
            (&[("host", "h:1"), ("origin", "null")], false),
            (&[("origin", "http://h:1")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            // A proxy may ask under another name than the browser has asked it.
            (
                &[
                    ("host", "127.0.0.1:1"),
                    ("origin", "https://lobby.example"),
                    ("sec-fetch-site", "same-origin"),
                ],
                true,
            ),
        ] {
            assert_eq!(is_own(&headers(all)), own, "{all:?}");
        }
    }

    #[test]
    fn what_a_form_can_send_is_no_json() {
        for (value, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data", false),
        ] {
            assert_eq!(
                is_json(&headers(&[("content-type", value)])),
                json,
                "{value}"
            );
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn a_foreign_name_that_leads_to_loopback_is_not_meant() {
        let ends = |own: &str| Ends {
            peer: "127.0.0.1:9".parse().unwrap(),
            own: own.parse().unwrap(),
        };
        for (host, meant) in [
            ("127.0.0.1:4080", true),
            ("[::1]:4080", true),
            ("10.1.2.3", true),
            ("LocalHost:4080", true),
            ("muster.localhost", true),
            ("evil.example:4080", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
        ] {
            let value = HeaderValue::from_static(host);
            assert_eq!(
                is_meant(Some(&value), ends("127.0.0.1:4080")),
                meant,
                "{host}"
            );
            assert!(is_meant(Some(&value), ends("10.0.0.1:4080")), "{host}");
        }
        assert!(is_meant(None, ends("127.0.0.1:4080")));
    }
}
