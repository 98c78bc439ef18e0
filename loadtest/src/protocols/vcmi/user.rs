//! Someone who chats, and everything else that a launcher's user is told.

use super::packets::{self, Messages};
use super::{Context, GREETED};
use crate::connection::{Connection, Stage};
use crate::protocols::chat::Chatter;

#[derive(Debug)]
pub(crate) struct User {
    messages: Messages,
    chatter: Chatter,
}

impl User {
    /// The `number`-th of the users.
    pub(super) fn new(number: usize) -> User {
        User {
            messages: Messages::default(),
            chatter: Chatter::new(number),
        }
    }

    pub(super) fn on_bytes(
        &mut self,
        bytes: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) {
        let User {
            messages, chatter, ..
        } = self;
        messages.push(bytes, &mut |message| {
            context.recorder.borrow_mut().common.messages_in += 1;
            if let Some(text) = packets::chat_text(message) {
                chatter.hear(text, context);
            } else if message.starts_with(GREETED) && connection.stage() == Stage::SigningIn {
                connection.signed_in(context);
            } else if message.starts_with("ERROR:") {
                context.protocol_error(&format!("a user was told {message}"));
            }
        });
    }

    pub(super) fn on_measure(&self, connection: &Connection, context: &Context) {
        self.chatter.schedule(connection, context);
    }

    /// A line is due.
    pub(super) fn chat(&mut self, due_us: u64, connection: &mut Connection, context: &Context) {
        if let Some(text) = self.chatter.line(due_us, connection, context) {
            connection.output().extend_from_slice(&packets::chat(&text));
        }
    }

    /// Lines sent and not heard so far.
    pub(super) fn missing(&self, context: &Context) -> u64 {
        self.chatter.missing(context)
    }

    pub(super) fn account(&self, context: &Context) {
        self.chatter.account(true, context);
    }
}
