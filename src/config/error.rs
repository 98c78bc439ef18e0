//! What may be wrong with what was typed, and where it was typed.

use std::fmt;

/// Why a configuration can't be used. Each text says where, what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{file}: can't be read: {why}")]
    Unreadable {
        /// Path of the file.
        file: String,
        /// The system's reason.
        why: String,
    },
    /// The file is not TOML.
    #[error("{place}: not valid TOML: {why}")]
    Syntax {
        /// Where it breaks off.
        place: Place,
        /// The parser's reason.
        why: String,
    },
    /// The configuration file of the replaced server is not understood.
    #[error("{place}: not understood: {why}")]
    Foreign {
        /// Where it was typed.
        place: Place,
        /// The parser's reason.
        why: String,
    },
    /// No key has this name.
    #[error("{place}: unknown key {key}{}", nearest.as_ref().map_or(String::new(), |n| format!("; did you mean {n}?")))]
    UnknownKey {
        /// Where it was typed.
        place: Place,
        /// The name as typed.
        key: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// Wrong type or out of range.
    #[error("{place}: {key} = {value} is not allowed; allowed is {allowed}")]
    BadValue {
        /// Where it was typed.
        place: Place,
        /// The key that it was typed for.
        key: &'static str,
        /// The value as it was typed.
        value: String,
        /// What would be right.
        allowed: String,
    },
    /// What is shown in place of a secret was given as the secret.
    #[error("{place}: {key} is what a secret is shown as, not the secret itself")]
    Masked {
        /// Where it was typed.
        place: Place,
        /// The key that it was typed for.
        key: &'static str,
    },
    /// Two values do not go together.
    #[error("{0}")]
    Contradiction(String),
}

/// Where something was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// File and line, from 1.
    File(String, usize),
    /// An environment variable.
    Environment(String),
    /// A command line flag.
    Flag,
    /// A file whose lines are not known.
    Document(String),
    /// Nowhere: it follows from something else.
    Implied,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(file, line) => write!(f, "{file}:{line}"),
            Place::Environment(variable) => write!(f, "environment variable {variable}"),
            Place::Flag => write!(f, "command line"),
            Place::Document(file) => write!(f, "{file}"),
            Place::Implied => write!(f, "default"),
        }
    }
}
