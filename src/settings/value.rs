//! Values of keys, and what they are in code.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use super::{Address, Cidr, HostAddress, Key};

/// A number that may have a fraction; always finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decimal(pub(super) f64);

// Finite numbers are equal to themselves.
impl Eq for Decimal {}

impl Decimal {
    /// Reads a number; `_` may stand between its digits.
    pub fn parse(text: &str) -> Option<Decimal> {
        let number: f64 = text.replace('_', "").parse().ok()?;
        number.is_finite().then_some(Decimal(number))
    }
}

/// A value of a known kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A number that may have a fraction.
    Decimal(Decimal),
    /// Several of them.
    Decimals(Vec<Decimal>),
    /// Text, or what is written as one.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl Value {
    /// Whether it is what stands for "none" where a setting may be without a value.
    fn is_none(&self) -> bool {
        match self {
            Value::Number(number) => *number == 0,
            Value::Text(text) => text.is_empty(),
            Value::Flag(_) | Value::Decimal(_) | Value::Decimals(_) | Value::List(_) => false,
        }
    }
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
            Value::Text(text) => Quoted(text).fmt(f),
            Value::List(list) => {
                f.write_char('[')?;
                for (at, text) in list.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { ", " })?;
                    Quoted(text).fmt(f)?;
                }
                f.write_char(']')
            }
        }
    }
}

/// A text as a basic string of TOML: in quotes, with the escapes that TOML knows.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                // What is in no way visible is written so that it is.
                _ if character.is_control() => write!(f, "\\u{:04X}", u32::from(character))?,
                _ => f.write_char(character)?,
            }
        }
        f.write_char('"')
    }
}

/// A value for every key of some groups, each of its key's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values(BTreeMap<&'static str, Value>);

impl Values {
    /// What these keys are when nobody says anything.
    ///
    /// # Panics
    /// A key's default is not of its kind.
    pub fn defaults(keys: &[&'static Key]) -> Values {
        let default = |key: &&'static Key| {
            let value = key.kind.parse(key.default);
            let value = value.unwrap_or_else(|| panic!("{}: no such default", key.name));
            (key.name, value)
        };
        Values(keys.iter().map(default).collect())
    }

    /// Another value for a key, of its kind.
    pub fn set(&mut self, key: &'static Key, value: Value) {
        self.0.insert(key.name, value);
    }

    /// The value of a key. There is one: these values are of the groups the key is from.
    pub fn of(&self, key: &Key) -> &Value {
        &self.0[key.name]
    }

    /// The value of a key as its setting's type.
    ///
    /// # Panics
    /// The key's kind has values that the type has not: its declaration is wrong.
    pub fn read<T: Setting>(&self, name: &str) -> T {
        T::of(name, &self.0[name]).unwrap_or_else(|| {
            panic!("{name}: its type has no place for {}", self.0[name]);
        })
    }
}

/// What a setting may be in code.
pub trait Setting: Sized {
    /// The value of the key of this name. `None`: there is no place for it in this type.
    fn of(name: &str, value: &Value) -> Option<Self>;
}

impl Setting for bool {
    fn of(_: &str, value: &Value) -> Option<Self> {
        match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

macro_rules! whole_numbers {
    ($($type:ty)+) => {
        $(impl Setting for $type {
            fn of(_: &str, value: &Value) -> Option<Self> {
                match value {
                    Value::Number(number) => (*number).try_into().ok(),
                    _ => None,
                }
            }
        })+
    };
}

whole_numbers! { u16 u32 u64 usize i64 }

impl Setting for f64 {
    fn of(_: &str, value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Some(*number as f64),
            Value::Decimal(Decimal(number)) => Some(*number),
            _ => None,
        }
    }
}

impl Setting for Vec<f64> {
    fn of(_: &str, value: &Value) -> Option<Self> {
        match value {
            Value::Decimals(numbers) => Some(numbers.iter().map(|number| number.0).collect()),
            _ => None,
        }
    }
}

/// Counted in what its key ends in.
impl Setting for Duration {
    fn of(name: &str, value: &Value) -> Option<Self> {
        let (_, unit) = name.rsplit_once('_')?;
        match (unit, value) {
            ("ms", Value::Number(number)) => {
                Some(Duration::from_millis((*number).try_into().ok()?))
            }
            ("s", Value::Number(number)) => Some(Duration::from_secs((*number).try_into().ok()?)),
            ("s", Value::Decimal(Decimal(number))) => Duration::try_from_secs_f64(*number).ok(),
            ("days", Value::Number(number)) => {
                let days: u64 = (*number).try_into().ok()?;
                Some(Duration::from_secs(days * 86_400))
            }
            _ => None,
        }
    }
}

impl Setting for String {
    fn of(_: &str, value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl Setting for PathBuf {
    fn of(name: &str, value: &Value) -> Option<Self> {
        String::of(name, value).map(PathBuf::from)
    }
}

impl Setting for Address {
    fn of(name: &str, value: &Value) -> Option<Self> {
        Address::parse(&String::of(name, value)?)
    }
}

impl Setting for HostAddress {
    fn of(name: &str, value: &Value) -> Option<Self> {
        HostAddress::parse(&String::of(name, value)?)
    }
}

impl Setting for Vec<Cidr> {
    fn of(_: &str, value: &Value) -> Option<Self> {
        match value {
            Value::List(blocks) => blocks.iter().map(|block| block.parse().ok()).collect(),
            _ => None,
        }
    }
}

/// Nothing where the number is 0, or the text empty.
impl<T: Setting> Setting for Option<T> {
    fn of(name: &str, value: &Value) -> Option<Self> {
        match value.is_none() {
            true => Some(None),
            false => T::of(name, value).map(Some),
        }
    }
}
