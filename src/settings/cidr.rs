//! Blocks of addresses, such as those who are trusted to name somebody else's address.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// An address block such as `10.0.0.0/8`; an address alone is a block of one. One of IPv4 addresses that are written as IPv6
/// (`::ffff:10.0.0.0/104`, RFC 4291 2.5.5.2) is the block of the IPv4 addresses: as those they are looked for.
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

/// Leading bits that all IPv4 addresses written as IPv6 share.
const MAPPED_BITS: u8 = 96;

/// The text is not an address block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotABlock {
    /// It does not look like one.
    #[error("not an address block such as \"10.0.0.0/8\"")]
    Form,
    /// It is one of an IPv4 address that is written as IPv6, and larger than all of these together.
    #[error(
        "a block of an IPv4 address that is written as IPv6 has {MAPPED_BITS} bits at the least: write it as IPv4"
    )]
    Mapped,
}

impl FromStr for Cidr {
    type Err = NotABlock;

    fn from_str(text: &str) -> Result<Self, NotABlock> {
        let block = match text.contains('/') {
            true => text.parse().ok(),
            false => text.parse().ok().map(|alone: IpAddr| alone.into()),
        };
        let block: IpNet = block.ok_or(NotABlock::Form)?;
        let IpAddr::V4(address) = block.addr().to_canonical() else {
            return Ok(Cidr(block));
        };
        let bits = match block {
            IpNet::V4(block) => Some(block.prefix_len()),
            IpNet::V6(block) => block.prefix_len().checked_sub(MAPPED_BITS),
        };
        let block = bits.and_then(|bits| IpNet::new(address.into(), bits).ok());
        block.map(Cidr).ok_or(NotABlock::Mapped)
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

    // Such a block was taken and held nobody, since addresses are looked for as IPv4.
    #[test]
    fn blocks_of_mapped_addresses_are_those_of_ipv4() {
        for (text, meant) in [
            ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
            ("::ffff:cb00:7105/128", "203.0.113.5/32"),
            ("::ffff:203.0.113.5", "203.0.113.5/32"),
            ("::ffff:203.0.113.5/120", "203.0.113.5/24"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
        ] {
            let block: Cidr = text.parse().unwrap();
            assert_eq!(block, meant.parse().unwrap(), "{text}");
            assert_eq!(block.to_string(), meant, "{text}");
            assert!(!block.length().0, "{text}");
        }
        assert!(contains("::ffff:203.0.113.0/120", "203.0.113.7"));
        assert!(contains("::ffff:203.0.113.0/120", "::ffff:203.0.113.7"));
        assert!(!contains("::ffff:203.0.113.0/120", "203.0.114.7"));
        for text in ["::ffff:203.0.113.0/95", "::ffff:1.2.3.4/24", "::ffff:0:0/0"] {
            assert_eq!(text.parse::<Cidr>(), Err(NotABlock::Mapped), "{text}");
        }
        // What only begins alike is IPv6.
        assert!(contains("::/0", "2001:db8::1") && contains("::ffff:0:0:0/96", "::ffff:0:1:2"));
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
