//! Takes the secrets out of messages before they are written anywhere. A masked value says what it was and which of them: the
//! same one has the same number, so that a replay knows what belongs together.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

use super::dialect::{Dialect, Side};

/// Secrets that are told apart; more are masked without a number.
const MOST_SECRETS: usize = 100_000;
/// Longer ones have no number either.
const LONGEST_NUMBERED: usize = 4096;
/// Secrets that are looked for inside other texts as well: the newest.
const WATCHED: usize = 256;
/// Shorter ones would be found in texts that have nothing to do with them.
const SHORTEST_WATCHED: usize = 8;

/// What a masked value begins and ends with.
const HEAD: &str = "[masked ";
const TAIL: char = ']';

/// The secrets of a recording, kept only while it is made.
#[derive(Debug, Default)]
pub(crate) struct Masker {
    numbers: HashMap<(&'static str, String), usize>,
    counts: HashMap<&'static str, usize>,
    /// A secret, and what stands for it.
    watched: VecDeque<(String, String)>,
    masked: u64,
}

impl Masker {
    /// Masks every secret of a message.
    pub(crate) fn mask(&mut self, dialect: &dyn Dialect, side: Side, message: &mut Value) {
        dialect.visit(side, message, &mut |place, value| {
            if let Some(what) = place.mask() {
                self.mask_value(what, value);
            }
        });
        self.mask_copies(message);
    }

    /// How many values were masked.
    pub(crate) fn masked(&self) -> u64 {
        self.masked
    }

    fn mask_value(&mut self, what: &'static str, value: &mut Value) {
        let secret = text_of(value);
        if value.is_null() || secret.is_empty() || is_mask(&secret) {
            return;
        }
        self.masked += 1;
        let mask = self.mask_of(what, &secret);
        if (SHORTEST_WATCHED..=LONGEST_NUMBERED).contains(&secret.len()) {
            let known = self.watched.iter().any(|(watched, _)| *watched == secret);
            if !known {
                if self.watched.len() == WATCHED {
                    self.watched.pop_front();
                }
                self.watched.push_back((secret, mask.clone()));
            }
        }
        *value = Value::String(mask);
    }

    fn mask_of(&mut self, what: &'static str, secret: &str) -> String {
        let full = self.numbers.len() >= MOST_SECRETS || secret.len() > LONGEST_NUMBERED;
        let key = (what, secret.to_owned());
        let number = match self.numbers.get(&key) {
            Some(number) => *number,
            None if full => return format!("{HEAD}{what}{TAIL}"),
            None => {
                let count = self.counts.entry(what).or_default();
                *count += 1;
                self.numbers.insert(key, *count);
                *count
            }
        };
        format!("{HEAD}{what} {number}{TAIL}")
    }

    /// Secrets that stand somewhere else as well.
    fn mask_copies(&mut self, message: &mut Value) {
        match message {
            Value::String(text) => {
                for (secret, mask) in &self.watched {
                    if text.contains(secret) {
                        *text = text.replace(secret, mask);
                        self.masked += 1;
                    }
                }
            }
            Value::Number(_) => {
                let text = message.to_string();
                let known = self.watched.iter().find(|(secret, _)| *secret == text);
                if let Some((_, mask)) = known {
                    *message = Value::String(mask.clone());
                    self.masked += 1;
                }
            }
            Value::Array(values) => {
                for value in values {
                    self.mask_copies(value);
                }
            }
            Value::Object(fields) => {
                for value in fields.values_mut() {
                    self.mask_copies(value);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }
}

/// Whether this stands where a secret was.
pub(crate) fn is_mask(text: &str) -> bool {
    text.starts_with(HEAD) && text.ends_with(TAIL)
}

/// A value as a text, quotes or none.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
