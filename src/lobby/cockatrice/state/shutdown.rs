//! An end of the server that is announced.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When and why, and what everybody knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shutdown {
    pub(crate) reason: Box<str>,
    /// Monotonic time.
    pub(crate) ends: Duration,
    /// Minutes that were told last.
    pub(crate) told: u32,
    /// Minutes that are left, those that have begun as well.
    pub(crate) left: u32,
    /// It has come.
    #[serde(default)]
    pub(crate) is_over: bool,
}
