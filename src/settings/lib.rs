//! What a setting is, so that each can stand in one place: beside the code that it governs.
//!
//! [`settings!`] makes of one list the struct that the code is built with, its defaults, its keys (name, kind, bounds,
//! default, unit, documentation, whether it can change at run time) and how it is read from values. Whoever gathers
//! what was typed (`config`) needs nothing but the structs' keys for checking, printing, the reference page, variables
//! of the environment and the difference between two configurations.
//!
//! | file | what it is |
//! |---|---|
//! | `key` | a key and everything known of it |
//! | `kind` | kinds of values, how text is read as one, what is told to whoever typed something else |
//! | `value` | values of keys, and what they are in code |
//! | `address`, `cidr` | values that are more than a number or a text |
//!
//! Nothing here reads a file, the environment or a clock.

mod address;
mod cidr;
mod key;
mod kind;
mod value;

pub use address::{Address, HostAddress};
pub use cidr::{Cidr, NotABlock};
pub use key::{Key, PREFIX};
pub use kind::{
    Kind, address, blocks, decimal, decimals, flag, host_address, log_levels, number, prefixed,
    prefixed_or_off, text, word,
};
pub use value::{Decimal, Quoted, Setting, Value, Values};

/// Settings that belong together: a struct that [`settings!`] has made.
pub trait Group: Sized {
    /// Adds its keys and those of the groups in it, in the order in which they are declared. A group may be in several
    /// others; its keys are added once.
    fn add_keys(keys: &mut Vec<&'static Key>);

    /// What these values mean. They hold a value for each of its keys.
    fn read(values: &Values) -> Self;

    /// Its keys and those of the groups in it.
    fn keys() -> Vec<&'static Key> {
        let mut keys = Vec::new();
        Self::add_keys(&mut keys);
        keys
    }

    /// What it is when nobody says anything.
    fn defaults() -> Self {
        Self::read(&Values::defaults(&Self::keys()))
    }
}

/// Makes a struct of settings, which is a [`Group`] and [`Default`].
///
/// There are three kinds of fields:
///
/// - a setting: its type, its key, the kind of its values, its default as text; then, where it has them, `unit("…")`,
///   `live` (a new value takes effect while the server runs) and `secret` (never shown). Its documentation is the
///   operator's too. A [`Duration`](std::time::Duration) is counted in what its key ends in: `_ms`, `_s`, `_days`.
/// - a group within this one: only its type;
/// - what no operator chooses: its type, and after `always` its value.
///
/// ```
/// use std::time::Duration;
///
/// muster_settings::settings! {
///     /// How long things take.
///     #[derive(Clone, Debug)]
///     pub struct Pace {
///         /// How often everybody is told.
///         tick: Duration = "pace.tick_ms", number(10, 60_000), "1000", unit("ms"), live;
///         /// Time for the first word.
///         handshake: Duration, always Duration::from_secs(10);
///     }
/// }
///
/// assert_eq!(Pace::default().tick, Duration::from_secs(1));
/// let keys = <Pace as muster_settings::Group>::keys();
/// assert_eq!(keys[0].doc, "How often everybody is told.");
/// assert!(keys[0].live);
/// ```
#[macro_export]
macro_rules! settings {
    (
        $(#[$about:meta])*
        pub struct $group:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $type:ty
                    $(= $name:literal, $kind:expr, $default:literal $(, $mark:ident $(($of:expr))?)*)?
                    $(, always $value:expr)?
                ;
            )+
        }
    ) => {
        $(#[$about])*
        pub struct $group {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl $crate::Group for $group {
            #[allow(unused_imports, reason = "a group need not have every kind")]
            fn add_keys(keys: &mut ::std::vec::Vec<&'static $crate::Key>) {
                use $crate::{
                    address, blocks, decimal, decimals, flag, host_address, log_levels, number,
                    prefixed, prefixed_or_off, text, word,
                };
                $($crate::add_field!(
                    keys, [$($doc)+], $type
                    $(, key $name, $kind, $default $(, $mark $(($of))?)*)?
                    $(, always $value)?
                );)+
            }

            fn read(values: &$crate::Values) -> Self {
                $group {
                    $($field: $crate::read_field!(
                        values, $type $(, key $name)? $(, always $value)?
                    ),)+
                }
            }
        }

        impl ::std::default::Default for $group {
            fn default() -> Self {
                <Self as $crate::Group>::defaults()
            }
        }
    };
}

/// Part of [`settings!`]: the keys of one field.
#[doc(hidden)]
#[macro_export]
macro_rules! add_field {
    ($keys:ident, [$($doc:literal)+], $type:ty, key $name:literal, $kind:expr, $default:literal $(, $mark:ident $(($of:expr))?)*) => {{
        static KEY: $crate::Key =
            $crate::Key::new($name, $kind, $default, ::std::concat!($($doc),+))$(.$mark($($of)?))*;
        $crate::Key::add(&KEY, $keys);
    }};
    ($keys:ident, [$($doc:literal)+], $type:ty) => {
        <$type as $crate::Group>::add_keys($keys)
    };
    ($keys:ident, [$($doc:literal)+], $type:ty, always $value:expr) => {};
}

/// Part of [`settings!`]: the value of one field.
#[doc(hidden)]
#[macro_export]
macro_rules! read_field {
    ($values:ident, $type:ty, key $name:literal) => {
        $values.read::<$type>($name)
    };
    ($values:ident, $type:ty) => {
        <$type as $crate::Group>::read($values)
    };
    ($values:ident, $type:ty, always $value:expr) => {
        $value
    };
}

/// Makes an enum the value of settings that are one of some words. The words are in its `WORDS`, for [`word`].
///
/// ```
/// #[derive(Debug, PartialEq)]
/// pub enum Colour {
///     Red,
///     Green,
/// }
///
/// muster_settings::words! { Colour { Red = "red", Green = "green" } }
///
/// assert_eq!(Colour::WORDS, ["red", "green"]);
/// ```
#[macro_export]
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// As they are typed.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
        }

        impl $crate::Setting for $type {
            fn of(_: &str, value: &$crate::Value) -> ::std::option::Option<Self> {
                match value {
                    $($crate::Value::Text(word) if word == $word => {
                        ::std::option::Option::Some($type::$variant)
                    })+
                    _ => ::std::option::Option::None,
                }
            }
        }
    };
}

#[cfg(test)]
mod tests;
