//! Who may connect: how many connections there may be, and a limit per address on connections and on how fast they are
//! opened. Exact for the whole process: what all shards share, touched when a connection comes and when it goes.
//!
//! Loopback is exempt from the limits per address: behind it sit the operator's own proxies and load tests. An address that
//! was only named, by a proxy or in a header, never is: what a client says of itself must not open a door.
//!
//! An IPv6 network counts as one address, because nobody has only one address of it.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ahash::AHashMap;
use crossbeam::utils::CachePadded;

use lobby::ShardId;

/// Parts of the table of addresses, each behind its own lock: shards that let connections go seldom meet.
const PARTS: usize = 16;

settings::settings! {
    /// Limits on one address. A second is one of the clock: a burst across two may have twice as many.
    #[derive(Clone, Copy, Debug)]
    pub struct AddressLimits {
        /// Connections from one address. 0: no limit. Loopback is exempt.
        connections: Option<u32> = "limits.connections_per_address", number(0, 10_000_000), "100", unit("connections");
        /// New connections from one address in a second. 0: no limit. Loopback is exempt.
        opened_per_second: Option<u32> = "limits.accepts_per_second_per_address", number(0, 1_000_000), "50", unit("connections/s");
    }
}

/// Why somebody may not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The address has as many connections as it may.
    TooMany,
    /// The address opens them too fast.
    TooFast,
}

/// Said of whoever comes from a network that an operator has banned.
pub(super) const BANNED: &str = "network banned";

impl Refusal {
    /// In a few words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Refusal::TooMany => "too many connections",
            Refusal::TooFast => "too many connections a second",
        }
    }
}

/// What is known of some addresses. Neither map is ever searched through: an address leaves the first with its last
/// connection, and the second is emptied when its second is over.
#[derive(Debug, Default)]
struct Part {
    open: AHashMap<IpAddr, u32>,
    second: u64,
    opened: AHashMap<IpAddr, u32>,
}

/// Everybody who is connected, by shard and by address.
#[derive(Debug)]
pub(super) struct Admission {
    node: u8,
    limits: AddressLimits,
    ipv6_prefix: u32,
    most: usize,
    shards: Box<[CachePadded<AtomicUsize>]>,
    parts: [Mutex<Part>; PARTS],
    hasher: RandomState,
}

impl Admission {
    /// Nobody is there yet, and at most so many may come.
    pub(super) fn new(shards: u16, most: usize, limits: AddressLimits, ipv6_prefix: u32) -> Self {
        Admission {
            node: 0,
            limits,
            ipv6_prefix: ipv6_prefix.clamp(1, 128),
            most,
            shards: (0..shards).map(|_| CachePadded::default()).collect(),
            parts: Default::default(),
            hasher: RandomState::new(),
        }
    }

    /// The same for the shards of this node.
    pub(super) fn of_node(self, node: u8) -> Self {
        Admission { node, ..self }
    }

    /// The shard for a new connection, the one with the fewest, on which it is counted from now on; none if there are as
    /// many as there may be. Called by one thread only.
    pub(super) fn place(&self) -> Option<ShardId> {
        let counts = self
            .shards
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let (mut all, mut fewest) = (0, (usize::MAX, 0));
        for (shard, count) in counts.enumerate() {
            all += count;
            fewest = fewest.min((count, shard));
        }
        if all >= self.most {
            return None;
        }
        self.shards[fewest.1].fetch_add(1, Ordering::Relaxed);
        Some(ShardId::new(self.node, fewest.1 as u8))
    }

    /// A connection that was placed on this shard is gone.
    pub(super) fn vacate(&self, shard: ShardId) {
        if let Some(count) = self.shards.get(shard.local()) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What limits per address count this one under: itself, or the IPv6 network it is in. None: it is exempt.
    pub(super) fn counted(&self, address: IpAddr, named: bool) -> Option<IpAddr> {
        match address.to_canonical() {
            address if address.is_loopback() && !named => None,
            IpAddr::V6(address) => {
                let network = u128::MAX << (128 - self.ipv6_prefix);
                Some(IpAddr::from(Ipv6Addr::from_bits(
                    address.to_bits() & network,
                )))
            }
            address => Some(address),
        }
    }

    /// Counts a connection of this address in; `named`: it is not its socket's, but was named by its peer.
    ///
    /// # Errors
    /// A limit forbids it: it is not counted as open, but as a try.
    pub(super) fn enter(&self, address: IpAddr, named: bool, now: Duration) -> Result<(), Refusal> {
        let Some(address) = self.counted(address, named) else {
            return Ok(());
        };
        let mut part = self.part(address);
        if part.second != now.as_secs() {
            part.second = now.as_secs();
            part.opened = AHashMap::new();
        }
        let opened = part.opened.entry(address).or_default();
        *opened = opened.saturating_add(1);
        let fastest = self.limits.opened_per_second;
        if fastest.is_some_and(|fastest| *opened > fastest) {
            return Err(Refusal::TooFast);
        }
        let open = part.open.get(&address).copied().unwrap_or(0);
        if self.limits.connections.is_some_and(|most| open >= most) {
            return Err(Refusal::TooMany);
        }
        *part.open.entry(address).or_default() += 1;
        Ok(())
    }

    /// Counts a connection out that was let in under this address.
    pub(super) fn leave(&self, address: IpAddr, named: bool) {
        let Some(address) = self.counted(address, named) else {
            return;
        };
        let mut part = self.part(address);
        let Some(open) = part.open.get_mut(&address) else {
            return;
        };
        *open -= 1;
        if *open == 0 {
            part.open.remove(&address);
            if part.open.capacity() > 64 && part.open.len() < part.open.capacity() / 8 {
                part.open.shrink_to_fit();
            }
        }
    }

    /// Connections by shard, and how many of them are counted under an address.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (Vec<usize>, usize) {
        let shards = self.shards.iter();
        let shards = shards.map(|count| count.load(Ordering::Relaxed)).collect();
        let parts = self.parts.iter().map(|part| {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            part.open
                .values()
                .map(|&count| count as usize)
                .sum::<usize>()
        });
        (shards, parts.sum())
    }

    fn part(&self, address: IpAddr) -> MutexGuard<'_, Part> {
        let part = &self.parts[self.hasher.hash_one(address) as usize % PARTS];
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AddressLimits = AddressLimits {
        connections: Some(2),
        opened_per_second: Some(3),
    };

    #[test]
    fn an_address_has_a_number_and_a_rate() {
        let admission = Admission::new(1, 10, LIMITS, 64);
        let a: IpAddr = "192.0.2.1".parse().expect("an address");
        let at = Duration::from_secs(7);
        assert_eq!(admission.enter(a, false, at), Ok(()));
        assert_eq!(admission.enter(a, false, at), Ok(()));
        assert_eq!(admission.enter(a, false, at), Err(Refusal::TooMany));
        assert_eq!(admission.enter(a, false, at), Err(Refusal::TooFast));
        admission.leave(a, false);
        assert_eq!(admission.enter(a, false, Duration::from_secs(8)), Ok(()));
    }

    #[test]
    fn nothing_is_kept_of_addresses_that_left() {
        let admission = Admission::new(1, 10, LIMITS, 64);
        for n in 0..20_000u32 {
            let a = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
            let at = Duration::from_secs(u64::from(n / 100));
            assert_eq!(admission.enter(a, false, at), Ok(()));
            admission.leave(a, false);
        }
        let parts = admission
            .parts
            .map(|part| part.into_inner().expect("no panic"));
        assert_eq!(parts.iter().map(|part| part.open.len()).sum::<usize>(), 0);
        assert!(parts.iter().map(|part| part.opened.len()).sum::<usize>() <= 100 * PARTS);
    }

    #[test]
    fn the_emptiest_shard_gets_the_next_and_there_is_an_end() {
        let admission = Admission::new(3, 5, LIMITS, 64);
        let placed: Vec<_> = (0..6)
            .map(|_| admission.place().map(ShardId::local))
            .collect();
        assert_eq!(placed, [Some(0), Some(1), Some(2), Some(0), Some(1), None]);
        admission.vacate(ShardId::new(0, 1));
        admission.vacate(ShardId::new(0, 1));
        assert_eq!(admission.place(), Some(ShardId::new(0, 1)));
    }

    /// Whoever has one address of a network has all of them.
    #[test]
    fn an_ipv6_network_is_one_address() {
        let admission = Admission::new(1, 10, LIMITS, 64);
        let at = Duration::from_secs(7);
        let enter = |address: &str| {
            let address = address.parse().expect("an address");
            admission.enter(address, false, at)
        };
        assert_eq!(enter("2001:db8:1:2::1"), Ok(()));
        assert_eq!(enter("2001:db8:1:2:ffff::1"), Ok(()));
        assert_eq!(enter("2001:db8:1:2::3"), Err(Refusal::TooMany));
        assert_eq!(enter("2001:db8:1:3::1"), Ok(()));
        for address in ["2001:db8:1:2::1", "2001:db8:1:2::3", "2001:db8:1:3::9"] {
            admission.leave(address.parse().expect("an address"), false);
        }
        let (_, counted) = admission.counts();
        assert_eq!(counted, 0);
    }

    #[test]
    fn an_ipv4_address_is_itself_however_it_is_written() {
        let admission = Admission::new(1, 10, LIMITS, 64);
        let counted = |address: &str, named| {
            let address: IpAddr = address.parse().expect("an address");
            admission.counted(address, named).map(|a| a.to_string())
        };
        assert_eq!(
            counted("::ffff:192.0.2.7", true).as_deref(),
            Some("192.0.2.7")
        );
        assert_eq!(counted("::ffff:127.0.0.1", false), None);
        assert_eq!(counted("::1", false), None);
        let whole = Admission::new(1, 10, LIMITS, 128);
        let address: IpAddr = "2001:db8::1".parse().expect("an address");
        assert_eq!(whole.counted(address, false), Some(address));
    }

    /// Anybody can say in a header that they come from here.
    #[test]
    fn a_named_loopback_address_is_not_exempt() {
        let admission = Admission::new(1, 10, LIMITS, 64);
        let (a, at) = (IpAddr::from([127, 0, 0, 1]), Duration::from_secs(7));
        for _ in 0..10 {
            assert_eq!(admission.enter(a, false, at), Ok(()));
        }
        assert_eq!(admission.enter(a, true, at), Ok(()));
        assert_eq!(admission.enter(a, true, at), Ok(()));
        assert_eq!(admission.enter(a, true, at), Err(Refusal::TooMany));
    }
}
