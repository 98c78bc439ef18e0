//! Someone who follows a script of the scenario: its messages are texts, each a packet of a launcher, and what it hears is looked
//! into as a whole (`text`) or part by part, as colons part it (`0`, `1`, …).

use serde_json::Value;

use super::packets::{Messages, packet};
use super::{Context, GREETED};
use crate::connection::{Connection, Stage};
use crate::scenario::{Actor, Cue, Heard, Voice};

#[derive(Debug)]
pub(crate) struct Scripted {
    messages: Messages,
    actor: Actor,
}

impl Scripted {
    pub(super) fn new(actor: Actor) -> Scripted {
        Scripted {
            messages: Messages::default(),
            actor,
        }
    }

    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What the connection before had begun to say is nothing any more.
    pub(super) fn begin(&mut self) {
        self.messages = Messages::default();
    }

    pub(super) fn on_bytes(
        &mut self,
        bytes: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) {
        let Scripted {
            messages, actor, ..
        } = self;
        messages.push(bytes, &mut |message| {
            context.recorder.borrow_mut().common.messages_in += 1;
            if message.starts_with(GREETED) && connection.stage() == Stage::SigningIn {
                connection.signed_in(context);
                actor.on_ready(&mut Launcher(connection), context);
            } else {
                actor.hear(&Said(message), &mut Launcher(connection), context);
            }
        });
    }

    pub(super) fn on_cue(
        &mut self,
        cue: Cue,
        due_us: u64,
        connection: &mut Connection,
        context: &Context,
    ) {
        let launcher = &mut Launcher(connection);
        self.actor.on_cue(cue, due_us, launcher, context);
    }

    pub(super) fn on_disconnect(&mut self, context: &Context) {
        self.actor.on_disconnect(context);
    }
}

/// Where packets of a launcher go.
struct Launcher<'a>(&'a mut Connection);

impl Voice for Launcher<'_> {
    fn say(&mut self, message: &Value) -> Result<u64, String> {
        let Value::String(text) = message else {
            return Err("messages of this protocol are texts".to_owned());
        };
        self.0.output().extend_from_slice(&packet(text));
        Ok(0)
    }

    fn is_backlogged(&self) -> bool {
        self.0.is_backlogged()
    }

    fn slot(&self) -> usize {
        self.0.slot
    }
}

/// A message to the launcher.
struct Said<'a>(&'a str);

impl Heard for Said<'_> {
    fn at(&self, path: &[String]) -> Option<Value> {
        let [name] = path else {
            return None;
        };
        let part = match name.parse::<usize>() {
            Ok(part) => self.0.split(':').nth(part)?,
            Err(_) if name == "text" => self.0,
            Err(_) => return None,
        };
        Some(part.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_looked_into_by_their_colons() {
        let said = Said("MSGCH:eve:global:hi: you");
        let at = |name: &str| said.at(&[name.to_owned()]);
        assert_eq!(at("1"), Some("eve".into()));
        assert_eq!(at("text"), Some("MSGCH:eve:global:hi: you".into()));
        assert_eq!((at("9"), at("what")), (None, None));
    }
}
