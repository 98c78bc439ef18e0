//! How much of late each address has registered. Of a bounded number of addresses: the older half of them is forgotten when
//! there are more, which only a crowd of addresses can bring about.

use std::{mem, net::IpAddr, time::Duration};

use super::settings::{REGISTRARS, REGISTRATION};
use crate::{
    map::KeyedMap,
    rate::{Meter, Rate},
};

/// What addresses have used.
#[derive(Clone, Debug, Default)]
pub(super) struct Registrars {
    newer: KeyedMap<IpAddr, Meter>,
    older: KeyedMap<IpAddr, Meter>,
}

impl Registrars {
    /// Uses up one registration of the address, if it has any left.
    pub(super) fn take(&mut self, address: IpAddr, now: Duration, rate: Rate) -> bool {
        let known = self.newer.get(&address).or(self.older.get(&address));
        let mut meter = known.copied().unwrap_or_default();
        let taken = meter.take(now, REGISTRATION.into(), rate);
        if self.newer.len() >= REGISTRARS / 2 && !self.newer.contains_key(&address) {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(address, meter);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 60,
        burst: 2 * REGISTRATION,
    };

    #[test]
    fn an_address_has_some_at_once_and_then_one_a_minute() {
        let mut registrars = Registrars::default();
        let address = |n: u32| IpAddr::V4(n.into());
        let mut take = |n, at_s| registrars.take(address(n), Duration::from_secs(at_s), RATE);
        assert_eq!([(); 3].map(|()| take(1, 1000)), [true, true, false]);
        assert!(take(2, 1000), "another one has its own");
        assert!(take(1, 1060) && !take(1, 1060));
        for n in 10..10 + REGISTRARS as u32 / 4 {
            take(n, 1060);
        }
        assert!(!take(1, 1060), "it is not forgotten for some others");
    }
}
