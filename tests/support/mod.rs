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
