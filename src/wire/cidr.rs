//! Blocks of addresses: who is trusted to name somebody else's address.

use std::{fmt, net::IpAddr, str::FromStr};

/// An address block such as `10.0.0.0/8`; an address alone is a block of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Whether the address lies in the block. An IPv4 address mapped into IPv6 counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => same_head(
                network.to_bits().into(),
                address.to_bits().into(),
                32 - u32::from(self.prefix),
            ),
            (IpAddr::V6(network), IpAddr::V6(address)) => same_head(
                network.to_bits(),
                address.to_bits(),
                128 - u32::from(self.prefix),
            ),
            _ => false,
        }
    }
}

/// Whether two numbers are equal without their last `rest` bits.
fn same_head(a: u128, b: u128, rest: u32) -> bool {
    (a ^ b).checked_shr(rest).unwrap_or(0) == 0
}

/// The text is not an address block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address block such as \"10.0.0.0/8\"")]
pub struct NotABlock;

impl FromStr for Cidr {
    type Err = NotABlock;

    fn from_str(text: &str) -> Result<Self, NotABlock> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let network: IpAddr = address.parse().map_err(|_| NotABlock)?;
        let longest = if network.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| NotABlock)?,
            None => longest,
        };
        if prefix > longest {
            Err(NotABlock)
        } else {
            Ok(Cidr { network, prefix })
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(block: &str, address: &str) -> bool {
        block
            .parse::<Cidr>()
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn blocks_hold_what_they_should() {
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(
            contains("10.1.2.3/8", "10.9.9.9"),
            "host bits do not matter"
        );
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(contains("2001:db8::/33", "2001:db8:7fff::"));
        assert!(!contains("2001:db8::/33", "2001:db8:8000::"));
        assert!(contains("192.0.2.7", "192.0.2.7"));
        assert!(!contains("192.0.2.7", "192.0.2.6"));
        assert!(
            contains("127.0.0.0/8", "::ffff:127.0.0.1"),
            "mapped address"
        );
    }

    #[test]
    fn rubbish_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "::1/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "localhost",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }
}
