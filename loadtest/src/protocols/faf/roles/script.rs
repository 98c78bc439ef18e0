//! A scenario's script in this lobby: its messages are JSON objects, and what it hears is looked into as JSON.

use std::cell::OnceCell;

use serde_json::Value;

use crate::protocols::faf::output::Output;
use crate::scenario::{Heard, Voice, at};

impl Voice for Output<'_> {
    /// A text is sent as it stands, whether it is JSON or not.
    fn say(&mut self, message: &Value) -> Result<u64, String> {
        match message {
            Value::String(text) => self.send(text),
            message => self.send(&message.to_string()),
        }
        Ok(0)
    }

    fn is_backlogged(&self) -> bool {
        Output::is_backlogged(self)
    }

    fn slot(&self) -> usize {
        Output::slot(self)
    }

    fn me(&self) -> u64 {
        self.player_id()
    }
}

/// A message that came, which is read only if more than its command is asked for.
#[derive(Debug)]
pub(super) struct Said<'a> {
    command: &'a str,
    text: &'a [u8],
    read: OnceCell<Value>,
}

impl Said<'_> {
    pub(super) fn new<'a>(command: &'a str, text: &'a [u8]) -> Said<'a> {
        Said {
            command,
            text,
            read: OnceCell::new(),
        }
    }
}

impl Heard for Said<'_> {
    fn at(&self, path: &[String]) -> Option<Value> {
        if path == ["command"] {
            return Some(self.command.into());
        }
        // Of the long lists only the beginning is kept, which is no JSON.
        let read = || serde_json::from_slice(self.text).unwrap_or_default();
        at(self.read.get_or_init(read), path)
    }
}
