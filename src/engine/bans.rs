//! Networks that nobody is let in from, as operators have ordered it. Read whenever a connection is accepted or names its real
//! address, by several threads, so a look takes one step for each length of prefix that there is and not for each network.

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ahash::AHashMap;
use settings::Cidr;

/// The list. Whoever may change it keeps it bounded.
#[derive(Debug, Default)]
pub struct Bans(RwLock<Listed>);

#[derive(Debug, Default)]
struct Listed {
    /// Until when, Unix time; none: for good.
    networks: AHashMap<Cidr, Option<Duration>>,
    /// Whether of IPv6, and bits, of the networks that there are.
    lengths: BTreeSet<(bool, u8)>,
}

impl Bans {
    /// These networks, and no others, from now on. Those who are connected stay.
    pub fn set(&self, networks: impl IntoIterator<Item = (Cidr, Option<Duration>)>) {
        let networks: AHashMap<Cidr, Option<Duration>> = networks.into_iter().collect();
        let lengths = networks.keys().map(Cidr::length).collect();
        let mut listed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *listed = Listed { networks, lengths };
    }

    /// Whether nobody is let in from there now.
    pub fn covers(&self, address: IpAddr) -> bool {
        let listed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if listed.networks.is_empty() {
            return false; // nearly always
        }
        let address = address.to_canonical();
        let lengths = listed
            .lengths
            .iter()
            .filter(|(v6, _)| *v6 == address.is_ipv6());
        let mut found = lengths.filter_map(|&(_, bits)| {
            let network = Cidr::around(address, bits)?;
            listed.networks.get(&network)
        });
        found.any(|until| until.is_none_or(|until| until > unix()))
    }
}

fn unix() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_banned_until_its_time() {
        let bans = Bans::default();
        let covers = |address: &str| bans.covers(address.parse().expect("an address"));
        assert!(!covers("192.0.2.1"));
        let network = |text: &str| text.parse::<Cidr>().expect("a network");
        let later = unix() + Duration::from_secs(600);
        bans.set([
            (network("192.0.2.0/24"), None),
            (network("198.51.100.7"), Some(later)),
            (network("203.0.113.0/25"), Some(Duration::from_secs(1))),
            (network("2001:db8::/32"), None),
        ]);
        assert!(covers("192.0.2.1") && covers("::ffff:192.0.2.255"));
        assert!(covers("198.51.100.7") && !covers("198.51.100.8"));
        assert!(!covers("203.0.113.1"), "its time is over");
        assert!(covers("2001:db8:1::1") && !covers("2001:db9::1"));
        bans.set([]);
        assert!(!covers("192.0.2.1"));
    }
}
