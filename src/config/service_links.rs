//! Variables that Kubernetes sets for every service of a namespace, and Docker for links: what they are called after the
//! service's name, and what they hold, says what they are. One that begins like a setting is none all the same.

use std::net::IpAddr;

const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// Whether this is such a variable: `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`, `NAME_SERVICE_PORT_WHICH`, `NAME_PORT`,
/// `NAME_PORT_80_TCP`, and that with `_PROTO`, `_PORT`, or `_ADDR`.
pub(super) fn is_one(name: &str, text: &str) -> bool {
    if is_host(text) && name.ends_with("_SERVICE_HOST") {
        return true;
    }
    if is_number(text) && name.contains("_SERVICE_PORT") {
        let rest = name.rsplit_once("_SERVICE_PORT").map(|(_, rest)| rest);
        return rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    }
    if name.ends_with("_PORT") && is_url(text) {
        return true;
    }
    let Some((_, rest)) = name
        .rsplit_once("_PORT_")
        .or_else(|| name.split_once("_PORT_"))
    else {
        return false;
    };
    // `A_PORT_80_TCP_PORT` has the word twice.
    let mut words = rest.split('_');
    let (port, protocol, what) = (words.next(), words.next(), words.next());
    let known = |word: &str| {
        PROTOCOLS
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known))
    };
    let fits = match what {
        None => is_url(text),
        Some("PROTO") => known(text),
        Some("PORT") => is_number(text),
        Some("ADDR") => is_host(text),
        Some(_) => false,
    };
    port.is_some_and(is_number) && protocol.is_some_and(known) && words.next().is_none() && fits
}

fn is_number(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

fn is_host(text: &str) -> bool {
    text == "None" || text.parse::<IpAddr>().is_ok()
}

/// `tcp://10.0.0.1:8002`.
fn is_url(text: &str) -> bool {
    let Some((protocol, rest)) = text.split_once("://") else {
        return false;
    };
    PROTOCOLS.contains(&protocol)
        && rest
            .rsplit_once(':')
            .is_some_and(|(_, port)| is_number(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_sets_is_known_by_name_and_value() {
        for (name, text) in [
            ("MUSTER_SERVICE_HOST", "10.0.0.1"),
            ("MUSTER_SERVICE_HOST", "fd00::1"),
            ("MUSTER_SERVICE_PORT", "8002"),
            ("MUSTER_SERVICE_PORT_JSON", "8002"),
            ("MUSTER_SERVICE_PORT_HTTP_HEALTH", "2000"),
            ("MUSTER_PORT", "tcp://10.0.0.1:8002"),
            ("MUSTER_PORT", "tcp://[fd00::1]:8002"),
            ("MUSTER_PORT_8002_TCP", "tcp://10.0.0.1:8002"),
            ("MUSTER_PORT_8002_TCP_PROTO", "tcp"),
            ("MUSTER_PORT_8002_TCP_PORT", "8002"),
            ("MUSTER_PORT_8002_TCP_ADDR", "10.0.0.1"),
            ("MUSTER_PORT_53_UDP_PORT", "53"),
            ("MUSTER_STORE_DB_SERVICE_HOST", "10.0.0.2"),
            ("MUSTER_STORE_DB_PORT_3306_TCP_ADDR", "10.0.0.2"),
            ("DB_PORT", "tcp://10.0.0.3:3306"),
        ] {
            assert!(is_one(name, text), "{name}={text}");
        }
    }

    #[test]
    fn a_setting_or_a_typing_mistake_is_none() {
        for (name, text) in [
            ("MUSTER_LOG_LEVLE", "info"),
            ("MUSTER_FAF_TICK_MS", "100"),
            ("MUSTER_SERVICE_HOST", "info"),
            ("MUSTER_PORT", "8002"),
            ("MUSTER_PORT_8002", "8002"),
            ("MUSTER_PORT_8002_TCP_HOST", "x"),
            ("DB_PORT", "3306"),
            ("DB_PORT", "mysql://10.0.0.3:3306"),
            ("MUSTER_HTTP_HEALTH_ADDRESS", "10.0.0.1:80"),
        ] {
            assert!(!is_one(name, text), "{name}={text}");
        }
    }
}
