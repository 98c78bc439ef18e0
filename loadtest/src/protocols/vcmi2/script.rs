//! Someone who follows a script of the scenario: its messages are JSON objects.

use serde_json::Value;

use super::messages;
use crate::connection::Connection;
use crate::protocols::blocks::{self, Order};
use crate::scenario::Voice;

/// Where messages of a player's connection go.
pub(super) struct Speaker<'a>(pub(super) &'a mut Connection);

impl Voice for Speaker<'_> {
    /// A text is sent as it stands, whether it is JSON or not.
    fn say(&mut self, message: &Value) -> Result<u64, String> {
        let out = self.0.output();
        match message {
            Value::String(text) => blocks::append(Order::Little, text.as_bytes(), out),
            message => messages::say(message, out),
        }
        Ok(0)
    }

    fn is_backlogged(&self) -> bool {
        self.0.is_backlogged()
    }

    fn slot(&self) -> usize {
        self.0.slot
    }
}
