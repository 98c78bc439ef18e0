//! A scenario's script in this lobby: its messages are JSON objects.

use serde_json::Value;

use crate::protocols::faf::output::Output;
use crate::scenario::Voice;

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
