//! What the clients of one copy of a recording know together: the numbers that the server has given this copy, and which
//! answers are still to come. So one may join the game that another one has opened, and not before it is open.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::recording::script::Recording;

#[derive(Debug)]
pub(super) struct Group {
    numbers: HashMap<(&'static str, String), Value>,
    /// Answers that have not come, by their places in the recording.
    open: BTreeSet<u32>,
}

impl Group {
    pub(super) fn new(recording: &Recording) -> Group {
        let answers = recording.scripts.iter().flat_map(|script| {
            let from = if script.late.is_some() {
                0
            } else {
                script.sign_in_steps
            };
            let answers = script.steps[from..].iter();
            answers.filter_map(|step| Some(step.answer.as_ref()?.index))
        });
        Group {
            numbers: HashMap::new(),
            open: answers.collect(),
        }
    }

    /// The server has given this number where it had given that one; the first time counts.
    pub(super) fn learn(&mut self, recorded: (&'static str, String), number: Value) {
        self.numbers.entry(recorded).or_insert(number);
    }

    /// What stands now for a number of the recording.
    pub(super) fn number(&self, recorded: &(&'static str, String)) -> Option<&Value> {
        self.numbers.get(recorded)
    }

    /// An answer has come, or is not waited for any more.
    pub(super) fn close(&mut self, answer: u32) {
        self.open.remove(&answer);
    }

    /// Everything that stands before this place in the recording has been answered.
    pub(super) fn has_come_to(&self, index: u32) -> bool {
        self.open.first().is_none_or(|first| *first > index)
    }
}
