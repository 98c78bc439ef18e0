//! What the dialogue tests are made of: the script, the matcher, a client for each transport, the server under test.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod exchange;
pub(crate) mod http;
pub(crate) mod pattern;
pub(crate) mod player;
pub(crate) mod proxy;
pub(crate) mod recorded;
pub(crate) mod replay;
pub(crate) mod script;
pub(crate) mod server;
pub(crate) mod service;
pub(crate) mod tokens;

use std::{
    thread,
    time::{Duration, Instant},
};

/// Generous: a loaded machine must not fail a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Until a condition holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
