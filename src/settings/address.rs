//! Addresses as typed: where clients are listened for, and where operators' endpoints are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A listener's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// It is not to listen.
    Off,
    /// This port; the host follows from how clients sign in.
    Auto(u16),
    /// There.
    Fixed(SocketAddr),
}

impl Address {
    /// Reads `IP:PORT`, `auto:PORT`, or nothing.
    pub fn parse(text: &str) -> Option<Address> {
        match text.strip_prefix("auto:") {
            Some(port) => port.parse().ok().map(Address::Auto),
            None if text.is_empty() => Some(Address::Off),
            None => text.parse().ok().map(Address::Fixed),
        }
    }

    /// The same address, with this host where it said "auto".
    pub fn with_host(self, host: IpAddr) -> Address {
        match self {
            Address::Auto(port) => Address::Fixed((host, port).into()),
            other => other,
        }
    }

    /// Where to listen, if at all. As long as nobody has said what "auto" is, it is this machine alone.
    pub fn socket(self) -> Option<SocketAddr> {
        match self.with_host(Ipv4Addr::LOCALHOST.into()) {
            Address::Fixed(address) => Some(address),
            Address::Off | Address::Auto(_) => None,
        }
    }
}

/// Where an endpoint for operators is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostAddress {
    /// Nowhere.
    Off,
    /// On the address that this host's own name stands for.
    Host(u16),
    /// There.
    Fixed(SocketAddr),
}

impl HostAddress {
    /// Reads `IP:PORT`, `host:PORT`, or nothing.
    pub fn parse(text: &str) -> Option<HostAddress> {
        match text.strip_prefix("host:") {
            Some(port) => port.parse().ok().map(HostAddress::Host),
            None if text.is_empty() => Some(HostAddress::Off),
            None => text.parse().ok().map(HostAddress::Fixed),
        }
    }
}
