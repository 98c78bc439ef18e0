//! Kinds of values that a configuration key may take, how each is read, and how it is shown.

use std::{fmt, net::SocketAddr};

use wire::Cidr;

/// What kind of value a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number within these bounds.
    Number {
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// A number with or without a fraction within these bounds.
    Decimal {
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// A list of numbers, none below zero; as text, separated by commas.
    Decimals,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
    /// Text that starts with one of these.
    Prefixed(&'static [&'static str]),
    /// Text that starts with one of these, or empty for "off".
    PrefixedOrOff(&'static [&'static str]),
    /// `IP:PORT`, `auto:PORT`, or empty for "off".
    Address,
    /// `IP:PORT`, `host:PORT`, or empty for "off".
    HostAddress,
    /// A list of address blocks; as text, separated by commas.
    Blocks,
}

impl Kind {
    /// Reads a value that was typed as text (environment, flags, defaults). `Err`: it is not one of this kind.
    pub(super) fn parse(self, text: &str) -> Result<Value, ()> {
        let value = match self {
            Kind::Flag => Value::Flag(text.parse().map_err(drop)?),
            Kind::Number { .. } => Value::Number(text.replace('_', "").parse().map_err(drop)?),
            Kind::Decimal { .. } => Value::Decimal(Decimal::parse(text)?),
            Kind::Decimals => {
                let parts = text.split(',').map(str::trim);
                let parts = parts.filter(|part| !part.is_empty()).map(Decimal::parse);
                Value::Decimals(parts.collect::<Result<_, ()>>()?)
            }
            Kind::Blocks => Value::List(
                text.split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(String::from)
                    .collect(),
            ),
            _ => Value::Text(text.to_owned()),
        };
        self.check(value)
    }

    /// Lets a value through that is of this kind and within its bounds.
    pub(super) fn check(self, value: Value) -> Result<Value, ()> {
        let value = match (self, value) {
            (Kind::Decimal { .. }, Value::Number(n)) => Value::Decimal(Decimal(n as f64)),
            (Kind::Decimals, Value::List(none)) if none.is_empty() => Value::Decimals(Vec::new()),
            (_, value) => value,
        };
        let good = match (self, &value) {
            (Kind::Flag, Value::Flag(_)) | (Kind::Text, Value::Text(_)) => true,
            (Kind::Number { min, max }, Value::Number(n)) => (min..=max).contains(n),
            (Kind::Decimal { min, max }, Value::Decimal(Decimal(n))) => {
                (min as f64..=max as f64).contains(n)
            }
            (Kind::Decimals, Value::Decimals(all)) => all.iter().all(|n| n.0 >= 0.0),
            (Kind::Word(words), Value::Text(text)) => words.contains(&text.as_str()),
            (Kind::Prefixed(heads), Value::Text(text)) => {
                heads.iter().any(|head| text.starts_with(head))
            }
            (Kind::PrefixedOrOff(heads), Value::Text(text)) => {
                text.is_empty() || heads.iter().any(|head| text.starts_with(head))
            }
            (Kind::Address, Value::Text(text)) => Address::parse(text).is_some(),
            (Kind::HostAddress, Value::Text(text)) => HostAddress::parse(text).is_some(),
            (Kind::Blocks, Value::List(blocks)) => {
                blocks.iter().all(|block| block.parse::<Cidr>().is_ok())
            }
            _ => false,
        };
        if good { Ok(value) } else { Err(()) }
    }
}

/// What is allowed, as told to whoever typed something else.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Flag => write!(f, "true or false"),
            Kind::Number { min, max } => write!(f, "a whole number from {min} to {max}"),
            Kind::Decimal { min, max } => write!(f, "a number from {min} to {max}"),
            Kind::Decimals => write!(f, "a list of numbers such as [0.75, 0.5]"),
            Kind::Word(words) => write!(f, "one of \"{}\"", words.join("\", \"")),
            Kind::Text => write!(f, "text"),
            Kind::Prefixed(heads) => {
                write!(f, "text that starts with \"{}\"", heads.join("\" or \""))
            }
            Kind::PrefixedOrOff(heads) => write!(
                f,
                "text that starts with \"{}\", or \"\" for off",
                heads.join("\" or \"")
            ),
            Kind::Address => write!(f, "\"IP:PORT\", \"auto:PORT\", or \"\" for off"),
            Kind::HostAddress => write!(f, "\"IP:PORT\", \"host:PORT\", or \"\" for off"),
            Kind::Blocks => write!(f, "a list of address blocks such as \"10.0.0.0/8\""),
        }
    }
}

/// A number that may have a fraction; always finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decimal(pub(super) f64);

// Finite numbers are equal to themselves.
impl Eq for Decimal {}

impl Decimal {
    pub(super) fn parse(text: &str) -> Result<Decimal, ()> {
        let number: f64 = text.replace('_', "").parse().map_err(drop)?;
        if number.is_finite() {
            Ok(Decimal(number))
        } else {
            Err(())
        }
    }
}

/// A value of a known kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Flag(bool),
    Number(i64),
    Decimal(Decimal),
    Decimals(Vec<Decimal>),
    Text(String),
    List(Vec<String>),
}

/// As it is written in TOML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Decimal(Decimal(number)) => write!(f, "{number:?}"),
            Value::Decimals(all) => {
                let numbers: Vec<f64> = all.iter().map(|decimal| decimal.0).collect();
                write!(f, "{numbers:?}")
            }
            Value::Text(text) => write!(f, "{text:?}"),
            Value::List(list) => write!(f, "{list:?}"),
        }
    }
}

/// A listener's address as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Off,
    /// The host part follows from how players sign in.
    Auto(u16),
    Fixed(SocketAddr),
}

impl Address {
    pub(super) fn parse(text: &str) -> Option<Address> {
        match text.strip_prefix("auto:") {
            Some(port) => port.parse().ok().map(Address::Auto),
            None if text.is_empty() => Some(Address::Off),
            None => text.parse().ok().map(Address::Fixed),
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
    pub(super) fn parse(text: &str) -> Option<HostAddress> {
        match text.strip_prefix("host:") {
            Some(port) => port.parse().ok().map(HostAddress::Host),
            None if text.is_empty() => Some(HostAddress::Off),
            None => text.parse().ok().map(HostAddress::Fixed),
        }
    }
}
