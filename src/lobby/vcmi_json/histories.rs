//! What was said of late in each language's channel (spec: vcmi-lobby2 5.4). Here and not only in the store, so that who
//! comes is told exactly what was said before they came.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{
    questions::Line,
    settings::{GLOBAL_AGE, GLOBAL_LINES},
};

/// The newest lines of each channel, the oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Histories(BTreeMap<String, VecDeque<Line>>);

impl Histories {
    /// What the store had.
    pub(super) fn begin(&mut self, channels: Vec<(String, Vec<Line>)>) {
        let channels = channels.into_iter();
        self.0 = channels.map(|(name, lines)| (name, lines.into())).collect();
    }

    /// Something was said, in a channel that there is.
    pub(super) fn add(&mut self, channel: &str, line: Line) {
        if !self.0.contains_key(channel) {
            self.0.insert(channel.to_owned(), VecDeque::new());
        }
        if let Some(lines) = self.0.get_mut(channel) {
            lines.push_back(line);
            while lines.len() > GLOBAL_LINES {
                lines.pop_front();
            }
        }
    }

    /// The lines of a channel that are not too old.
    pub(super) fn of(&self, channel: &str, now_s: u64) -> impl DoubleEndedIterator<Item = &Line> {
        let oldest = now_s.saturating_sub(GLOBAL_AGE.as_secs());
        let lines = self.0.get(channel).into_iter().flatten();
        lines.filter(move |line| line.at > oldest)
    }
}
