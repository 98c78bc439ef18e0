//! JSON documents out of text messages (spec: faf-wire 5.1): usually one in each, and then it is given out where it lies.
//!
//! What had to be gathered from fragments, or goes on in the next message, is copied and held; the limit of a message
//! bounds it, which is for the reader to see to.

use std::ops::Range;

use super::documents::Documents;
use crate::lines::is_space;

/// The documents that have arrived and were not given out yet.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// Bytes at the front of the input that are unmasked text not yet given out.
    unmasked: usize,
    /// Text that could not be given out from the input; documents up to `held_at` are done with.
    held: Vec<u8>,
    held_at: usize,
    documents: Documents,
    /// Documents given out since the last message came, blank ones included.
    given: usize,
    /// The last document had no newline, so that the next frame may bring it.
    newline_owed: bool,
}

impl Text {
    /// Bytes that are kept.
    pub(super) fn kept(&self) -> usize {
        self.held.len() - self.held_at
    }

    /// Bytes of memory that are kept.
    pub(super) fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Documents that the present message has had, blank ones included.
    pub(super) fn given(&self) -> usize {
        self.given
    }

    /// Takes a message that lies in the input. False: it has to be held, because something is held before it.
    pub(super) fn take_in_input(&mut self, len: usize) -> bool {
        self.given = 0;
        let free = self.held.is_empty();
        if free {
            self.unmasked = len;
        }
        free
    }

    /// Takes a copy of a message.
    pub(super) fn hold(&mut self, message: &[u8]) {
        self.given = 0;
        self.held.extend_from_slice(message);
    }

    /// Where the next document of the unmasked text at `at` lies; moves `at` behind it. None as well if the message has had
    /// more than `most`.
    pub(super) fn next_in_input(
        &mut self,
        input: &[u8],
        at: &mut usize,
        most: usize,
    ) -> Option<Range<usize>> {
        while self.unmasked > 0 && self.given <= most {
            let text = &input[*at..*at + self.unmasked];
            let Some(len) = self.documents.next(text) else {
                if text.iter().all(|byte| is_space(*byte)) {
                    self.documents = Documents::default();
                } else {
                    self.held.extend_from_slice(text);
                }
                *at += self.unmasked;
                self.unmasked = 0;
                return None;
            };
            let start = *at;
            *at += len;
            self.unmasked -= len;
            self.given += 1;
            if self.is_message(&text[..len]) {
                return Some(start..*at);
            }
        }
        None
    }

    /// Moves the next document of the held text to `out`, unless the message has had more than `most`.
    pub(super) fn next_held(&mut self, out: &mut Vec<u8>, most: usize) -> bool {
        while !self.held.is_empty() && self.given <= most {
            let text = &self.held[self.held_at..];
            let Some(len) = self.documents.next(text) else {
                self.held.drain(..self.held_at);
                self.held_at = 0;
                return false;
            };
            out.clear();
            out.extend_from_slice(&text[..len]);
            self.held_at += len;
            self.given += 1;
            if self.held_at == self.held.len() {
                // Rare enough that the memory is worth more than the next allocation.
                self.held = Vec::new();
                self.held_at = 0;
            }
            if self.is_message(out) {
                return true;
            }
        }
        false
    }

    /// Whether a whole message is blank, which is as little JSON as an empty line, unless it is the newline of the
    /// document before it.
    pub(super) fn is_blank(&mut self, message: &[u8]) -> bool {
        let blank = self.held.is_empty() && message.iter().all(|byte| is_space(*byte));
        blank && !std::mem::take(&mut self.newline_owed)
    }

    /// Whether `document` is more than a blank line.
    fn is_message(&mut self, document: &[u8]) -> bool {
        self.newline_owed = document.last() != Some(&b'\n');
        !document.iter().all(|byte| is_space(*byte))
    }
}
