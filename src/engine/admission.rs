//! Who may connect: a limit per address on connections and on how fast they are opened.
//!
//! Kept per shard, like everything: an address that spreads over S shards gets up to S times the limit. Loopback is
//! exempt: behind it sit the operator's own proxies and load tests.

use std::{net::IpAddr, time::Duration};

use ahash::AHashMap;

/// Addresses remembered per shard before those that have no connection are forgotten. Bounds the table against
/// somebody who comes from many addresses: what remains is at most one entry per open connection.
const REMEMBERED_ADDRESSES: usize = 4_096;

/// Limits on one address.
#[derive(Clone, Copy, Debug)]
pub struct AddressLimits {
    /// Open connections.
    pub connections: u32,
    /// New connections in any one second.
    pub opened_per_second: u32,
}

/// The answer to somebody new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Welcome,
    TooMany,
    TooFast,
}

#[derive(Clone, Copy, Debug, Default)]
struct Address {
    open: u32,
    second: u64,
    opened_in_second: u32,
}

/// What is known of the addresses that are or were here.
#[derive(Debug, Default)]
pub(super) struct Admissions {
    addresses: AHashMap<IpAddr, Address>,
}

impl Admissions {
    /// Counts a new connection in, or refuses it.
    pub(super) fn enter(
        &mut self,
        address: IpAddr,
        now: Duration,
        limits: AddressLimits,
    ) -> Admission {
        if address.is_loopback() {
            return Admission::Welcome;
        }
        if self.addresses.len() >= REMEMBERED_ADDRESSES {
            let second = now.as_secs();
            self.addresses
                .retain(|_, a| a.open > 0 || a.second == second);
        }
        let entry = self.addresses.entry(address).or_default();
        if entry.second != now.as_secs() {
            entry.second = now.as_secs();
            entry.opened_in_second = 0;
        }
        entry.opened_in_second = entry.opened_in_second.saturating_add(1);
        if entry.opened_in_second > limits.opened_per_second {
            return Admission::TooFast;
        }
        if entry.open >= limits.connections {
            return Admission::TooMany;
        }
        entry.open += 1;
        Admission::Welcome
    }

    /// Counts a connection out that was let in under this address.
    pub(super) fn leave(&mut self, address: IpAddr) {
        if let Some(entry) = self.addresses.get_mut(&address) {
            entry.open = entry.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AddressLimits = AddressLimits {
        connections: 2,
        opened_per_second: 3,
    };

    #[test]
    fn an_address_has_a_number_and_a_rate() {
        let mut admissions = Admissions::default();
        let a: IpAddr = "192.0.2.1".parse().expect("an address");
        let at = Duration::from_secs(7);
        assert_eq!(admissions.enter(a, at, LIMITS), Admission::Welcome);
        assert_eq!(admissions.enter(a, at, LIMITS), Admission::Welcome);
        assert_eq!(admissions.enter(a, at, LIMITS), Admission::TooMany);
        assert_eq!(admissions.enter(a, at, LIMITS), Admission::TooFast);
        admissions.leave(a);
        assert_eq!(
            admissions.enter(a, Duration::from_secs(8), LIMITS),
            Admission::Welcome
        );
    }

    #[test]
    fn the_table_does_not_grow_with_addresses_that_left() {
        let mut admissions = Admissions::default();
        for n in 0..3 * REMEMBERED_ADDRESSES as u32 {
            let a = IpAddr::from(n.to_be_bytes());
            if admissions.enter(a, Duration::from_secs(u64::from(n / 100)), LIMITS)
                == Admission::Welcome
            {
                admissions.leave(a);
            }
        }
        assert!(admissions.addresses.len() <= REMEMBERED_ADDRESSES);
    }
}
