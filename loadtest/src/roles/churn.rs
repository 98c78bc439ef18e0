//! Someone who signs in, looks around for a moment, and is gone.

use std::collections::VecDeque;

/// Sign-ins that are due. When the server is slow they queue up here, and their waiting counts as latency.
#[derive(Debug, Default)]
pub(crate) struct Churner {
    waiting: VecDeque<u64>,
}

impl Churner {
    /// A sign-in is due.
    pub(crate) fn owe(&mut self, due_us: u64) {
        self.waiting.push_back(due_us);
    }

    /// The next sign-in to make, by its intended time.
    pub(crate) fn next(&mut self) -> Option<u64> {
        self.waiting.pop_front()
    }

    /// Sign-ins not begun yet.
    pub(crate) fn owed(&self) -> usize {
        self.waiting.len()
    }
}
