//! Where JSON documents end in the text that frames bring (spec: faf-wire 5.1).
//!
//! Usually a frame is a document, with or without a newline. The older bridge carried raw bytes instead: several
//! lines in a frame, or a line over several frames. So a document ends at a newline outside of brackets, or where the
//! frame ends and all brackets are closed; what ends inside of brackets waits for more. Whether the document is JSON
//! is the parser's business: text that cannot become JSON must never be kept waiting for more, except inside brackets.

use memchr::{memchr, memchr2};

use crate::lines::is_space;

/// How far the text of the current document has been looked at.
#[derive(Debug, Default)]
pub(super) struct Documents {
    scanned: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
    started: bool,
}

impl Documents {
    /// Length of the document at the front of `text`, newline included; `None` if it goes on in the next frame.
    ///
    /// `text` ends where a frame ends. After `None` it must be shown again with more text behind.
    pub(super) fn next(&mut self, text: &[u8]) -> Option<usize> {
        let end = self.find(text);
        if end.is_some() {
            *self = Documents::default();
        }
        end
    }

    fn find(&mut self, text: &[u8]) -> Option<usize> {
        let last = text.len().checked_sub(1)?;
        if self.scanned == 0 && memchr(b'\n', text) == Some(last) {
            return Some(text.len());
        }
        let mut at = self.scanned;
        while let Some(byte) = text.get(at) {
            if self.in_string {
                at = self.through_string(text, at);
                continue;
            }
            match byte {
                b'\n' if self.depth == 0 => return Some(at + 1),
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            self.started |= !is_space(*byte);
            at += 1;
        }
        self.scanned = text.len();
        // A line that ended inside of brackets is broken, and goes to the parser as it is.
        let complete = self.depth == 0 && !self.in_string && self.started;
        (complete || text[last] == b'\n').then_some(text.len())
    }

    /// Goes on in a string from `at`. Where to go on: behind its end, or as far as the text goes.
    fn through_string(&mut self, text: &[u8], mut at: usize) -> usize {
        if std::mem::take(&mut self.escaped) {
            at += 1;
        }
        while let Some(found) = memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
            at += found + 1;
            if text[at - 1] == b'"' {
                self.in_string = false;
                return at;
            }
            if at == text.len() {
                self.escaped = true;
                return at;
            }
            at += 1;
        }
        text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documents that `frames` amount to, and what is left waiting.
    fn cut(frames: &[&str]) -> (Vec<String>, String) {
        let mut documents = Documents::default();
        let (mut text, mut cut) = (String::new(), Vec::new());
        for frame in frames {
            text += frame;
            while let Some(end) = documents.next(text.as_bytes()) {
                cut.push(text.drain(..end).collect());
            }
        }
        (cut, text)
    }

    #[test]
    fn documents_end_at_newlines_or_closed_brackets() {
        for (frames, documents, left) in [
            (vec!["{}\n"], vec!["{}\n"], ""),
            (vec!["{}"], vec!["{}"], ""),
            (vec!["{}\n{}\n[]"], vec!["{}\n", "{}\n", "[]"], ""),
            (
                vec!["{\"a\"", ":\"}\\\"\"", "}"],
                vec!["{\"a\":\"}\\\"\"}"],
                "",
            ),
            (
                vec!["{}\n{\"a\":", "1}\n{}"],
                vec!["{}\n", "{\"a\":1}\n", "{}"],
                "",
            ),
            (vec!["{\n\"a\": 1\n}\n"], vec!["{\n\"a\": 1\n}\n"], ""),
            (vec!["{\"a\":\n"], vec!["{\"a\":\n"], ""),
            (vec!["nonsense"], vec!["nonsense"], ""),
            (vec!["]{"], vec![], "]{"),
            (vec!["}}"], vec!["}}"], ""),
            (vec!["{\"a"], vec![], "{\"a"),
            (vec![" "], vec![], " "),
        ] {
            let documents: Vec<String> = documents.into_iter().map(str::to_owned).collect();
            assert_eq!(cut(&frames), (documents, left.to_owned()), "{frames:?}");
        }
    }
}
