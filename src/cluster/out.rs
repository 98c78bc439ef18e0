//! What a node has done and wants done: its outputs, in order, and what it dropped.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{Dropped, Output, Subject, envelope::Sender};

/// What a node has done and wants done. Its driver empties it after each input.
#[derive(Debug)]
pub(crate) struct Out {
    /// As whom it speaks.
    pub(crate) own: Sender,
    /// Whether the bus is there: nothing is published without.
    pub(crate) is_up: bool,
    queue: VecDeque<Output>,
    dropped: [u64; Dropped::ALL.len()],
}

impl Out {
    pub(crate) fn new(own: Sender) -> Out {
        Out {
            own,
            is_up: false,
            queue: VecDeque::new(),
            dropped: Default::default(),
        }
    }

    pub(crate) fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    /// Publishes this if it can: what must arrive is kept by whoever says it.
    pub(crate) fn publish(&mut self, subject: Subject, bytes: Bytes) {
        if self.is_up {
            self.queue.push_back(Output::Publish(subject, bytes));
        }
    }

    pub(crate) fn drop(&mut self, why: Dropped) {
        let counter = &mut self.dropped[why as usize];
        *counter = counter.saturating_add(1);
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    pub(crate) fn dropped(&self) -> [u64; Dropped::ALL.len()] {
        self.dropped
    }
}
