//! Blocks of addresses, such as those who are trusted to name somebody else's address.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// An address block such as `10.0.0.0/8`; an address alone is a block of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr(IpNet);

impl Cidr {
    /// Whether the address lies in the block. An IPv4 address mapped into IPv6 counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// The block of so many leading bits that the address lies in; none if it has fewer.
    pub fn around(address: IpAddr, bits: u8) -> Option<Cidr> {
        let block = IpNet::new(address.to_canonical(), bits).ok()?;
        Some(Cidr(block.trunc()))
    }

    /// Whether it is one of IPv6 addresses, and how many leading bits they share.
    pub fn length(&self) -> (bool, u8) {
        (matches!(self.0, IpNet::V6(_)), self.0.prefix_len())
    }

    /// The same block, written as the one address that all its texts have in common.
    pub fn plain(&self) -> Cidr {
        Cidr(self.0.trunc())
    }
}

/// The text is not an address block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address block such as \"10.0.0.0/8\"")]
pub struct NotABlock;

impl FromStr for Cidr {
    type Err = NotABlock;

    fn from_str(text: &str) -> Result<Self, NotABlock> {
        let block = match text.contains('/') {
            true => text.parse().ok(),
            false => text.parse().ok().map(|alone: IpAddr| alone.into()),
        };
        block.map(Cidr).ok_or(NotABlock)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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
