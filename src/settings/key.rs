//! A key, and everything that is known of it.

use super::Kind;

/// What environment variables of this program start with.
pub const PREFIX: &str = "MUSTER_";

/// A configuration key. [`settings!`](crate::settings) makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// `group.key`.
    pub name: &'static str,
    /// Type and bounds.
    pub kind: Kind,
    /// The value when nobody says anything, as text.
    pub default: &'static str,
    /// Unit of a number, or what else is to be said of the default; empty if nothing is.
    pub unit: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Whether a new value takes effect while the server runs; if not, at its next start.
    pub live: bool,
    /// Whether its value is never shown.
    pub secret: bool,
}

impl Key {
    /// A key without a unit, that is neither live nor secret.
    pub const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        doc: &'static str,
    ) -> Key {
        Key {
            name,
            kind,
            default,
            unit: "",
            doc: doc.trim_ascii(),
            live: false,
            secret: false,
        }
    }

    /// The same key with this unit.
    pub const fn unit(self, unit: &'static str) -> Key {
        Key { unit, ..self }
    }

    /// The same key, whose new values take effect while the server runs.
    pub const fn live(self) -> Key {
        Key { live: true, ..self }
    }

    /// The same key, whose value is never shown.
    pub const fn secret(self) -> Key {
        Key {
            secret: true,
            ..self
        }
    }

    /// The environment variable that sets this key.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_uppercase())
    }

    /// The part before the dot.
    pub fn group(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(group, _)| group)
    }

    /// The part after the dot.
    pub fn own_name(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, own)| own)
    }

    /// Adds it, unless it is there.
    ///
    /// # Panics
    /// Another key has its name: it is declared twice.
    pub fn add(&'static self, keys: &mut Vec<&'static Key>) {
        match keys.iter().find(|key| key.name == self.name) {
            Some(same) => assert_eq!(*same, self, "declared twice"),
            None => keys.push(self),
        }
    }
}
