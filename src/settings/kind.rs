//! Kinds of values that a configuration key may take, how text is read as one, and what is told to whoever typed
//! something else.

use std::fmt;

use super::{Address, Cidr, Decimal, HostAddress, Value};

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
    /// A level of the log, or several with what each is for, separated by commas.
    LogLevels,
}

impl Kind {
    /// Reads a value that was typed as text (environment, flags, defaults). `None`: it is not one of this kind.
    pub fn parse(self, text: &str) -> Option<Value> {
        let value = match self {
            Kind::Flag => Value::Flag(text.parse().ok()?),
            Kind::Number { .. } => Value::Number(text.replace('_', "").parse().ok()?),
            Kind::Decimal { .. } => Value::Decimal(Decimal::parse(text)?),
            Kind::Decimals => {
                let parts = text.split(',').map(str::trim);
                let parts = parts.filter(|part| !part.is_empty()).map(Decimal::parse);
                Value::Decimals(parts.collect::<Option<_>>()?)
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
    pub fn check(self, value: Value) -> Option<Value> {
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
            (Kind::LogLevels, Value::Text(text)) => are_log_levels(text),
            _ => false,
        };
        good.then_some(value)
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
            Kind::Blocks => write!(
                f,
                "a list of address blocks such as \"10.0.0.0/8\", of an IPv4 address that is written as IPv6 at least /96"
            ),
            Kind::LogLevels => write!(
                f,
                "one of \"{}\", or with levels for parts of it a list such as \"info,muster_engine=debug\"",
                LOG_LEVELS.join("\", \"")
            ),
        }
    }
}

/// Levels of the log.
const LOG_LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Whether each of these, separated by commas, is a level or `PART=LEVEL`. A word alone that is no level is none of a part
/// either: a level that is mistyped would switch off everything else.
fn are_log_levels(text: &str) -> bool {
    let is_level = |text: &str| {
        let text = text.trim();
        LOG_LEVELS
            .iter()
            .any(|level| text.eq_ignore_ascii_case(level))
    };
    let is_part = |text: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        !text.is_empty() && text.chars().all(known)
    };
    let mut given = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .peekable();
    given.peek().is_some()
        && given.all(|one| match one.split_once('=') {
            Some((part, level)) => is_part(part) && is_level(level),
            None => is_level(one),
        })
}

/// `true` or `false`.
pub const fn flag() -> Kind {
    Kind::Flag
}

/// A whole number within these bounds.
pub const fn number(min: i64, max: i64) -> Kind {
    Kind::Number { min, max }
}

/// A number with or without a fraction within these bounds.
pub const fn decimal(min: i64, max: i64) -> Kind {
    Kind::Decimal { min, max }
}

/// A list of numbers, none below zero.
pub const fn decimals() -> Kind {
    Kind::Decimals
}

/// One of these words.
pub const fn word(words: &'static [&'static str]) -> Kind {
    Kind::Word(words)
}

/// Any text.
pub const fn text() -> Kind {
    Kind::Text
}

/// Text that starts with one of these.
pub const fn prefixed(heads: &'static [&'static str]) -> Kind {
    Kind::Prefixed(heads)
}

/// Text that starts with one of these, or empty for "off".
pub const fn prefixed_or_off(heads: &'static [&'static str]) -> Kind {
    Kind::PrefixedOrOff(heads)
}

/// `IP:PORT`, `auto:PORT`, or empty for "off".
pub const fn address() -> Kind {
    Kind::Address
}

/// `IP:PORT`, `host:PORT`, or empty for "off".
pub const fn host_address() -> Kind {
    Kind::HostAddress
}

/// A list of address blocks.
pub const fn blocks() -> Kind {
    Kind::Blocks
}

/// A level of the log, or several with what each is for.
pub const fn log_levels() -> Kind {
    Kind::LogLevels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_mistyped_is_no_level() {
        let good = [
            "info",
            "WARN",
            "off",
            "info,muster_engine=debug",
            "warn, muster_lobby::faf=trace,",
        ];
        let bad = [
            "",
            ",",
            "wran",
            "WARNING",
            "verbose",
            "info,wran",
            "muster_engine",
            "info,muster=loud",
            "=info",
            "a b=info",
            "5",
        ];
        for text in good {
            assert!(log_levels().parse(text).is_some(), "{text}");
        }
        for text in bad {
            assert!(log_levels().parse(text).is_none(), "{text}");
        }
    }
}
