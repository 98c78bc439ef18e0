//! Someone who chats: lines leave at their times and carry them, and everybody who hears one books how late it is.

use std::sync::atomic::Ordering;

use super::packets::{self, Messages};
use super::{Context, GREETED, Task};
use crate::connection::{Connection, Stage};

#[derive(Debug)]
pub(crate) struct User {
    /// Number among the users.
    number: usize,
    messages: Messages,
    /// Lines of chat of this run heard.
    heard: u64,
}

impl User {
    pub(super) fn new(number: usize) -> User {
        User {
            number,
            messages: Messages::default(),
            heard: 0,
        }
    }

    pub(super) fn on_connect(&mut self, connection: &mut Connection, context: &Context) {
        let (login, _) = context.shared.plan.accounts.of(self.number);
        let greeting = packets::greeting(&login);
        connection.output().extend_from_slice(&greeting);
    }

    pub(super) fn on_bytes(
        &mut self,
        bytes: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) {
        let User {
            messages, heard, ..
        } = self;
        messages.push(bytes, &mut |message| {
            context.recorder.borrow_mut().common.messages_in += 1;
            if let Some(due_us) = packets::chat_due_us(message) {
                let late_us = context.now_us().saturating_sub(due_us).max(1);
                let mut recorder = context.recorder.borrow_mut();
                recorder.delivered(late_us);
                recorder.metrics.chat.saturating_record(late_us);
                *heard += 1;
            } else if message.starts_with(GREETED) && connection.stage() == Stage::SigningIn {
                connection.signed_in(context);
            } else if message.starts_with("ERROR:") {
                context.protocol_error(&format!("a user was told {message}"));
            }
        });
    }

    pub(super) fn on_measure(&mut self, from_us: u64, connection: &Connection, context: &Context) {
        let first_us = from_us + context.shared.schedule.due_us(self.number, 0);
        context.schedule_while_measuring(first_us, connection.slot, Task::Chat);
    }

    /// A line was due.
    pub(super) fn chat(&mut self, due_us: u64, connection: &mut Connection, context: &Context) {
        if !context.shared.is_measuring_at(due_us) {
            return;
        }
        if connection.is_signed_in() && !connection.is_backlogged() {
            context.state().lines.fetch_add(1, Ordering::AcqRel);
            context.recorder.borrow_mut().metrics.chat_lines += 1;
            let line = packets::chat(due_us);
            connection.output().extend_from_slice(&line);
        } else {
            context.recorder.borrow_mut().common.unsent += 1;
        }
        let next_us = due_us + context.shared.schedule.period_us();
        context.schedule_while_measuring(next_us, connection.slot, Task::Chat);
    }

    /// Lines sent and not heard so far.
    pub(super) fn missing(&self, context: &Context) -> u64 {
        let lines = context.state().lines.load(Ordering::Acquire);
        lines.saturating_sub(self.heard)
    }

    pub(super) fn account(&self, context: &Context) {
        let missing = self.missing(context);
        let mut recorder = context.recorder.borrow_mut();
        recorder.common.lost += missing;
        recorder.metrics.chat_lost += missing;
    }
}
