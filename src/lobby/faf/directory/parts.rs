//! Messages with lists, put together of parts that many messages share.

use std::{cell::RefCell, rc::Rc};

use bytes::{Bytes, BytesMut};
use wire::Chunk;

use crate::faf::protocol::lists::LIST_BYTES;

pub(super) fn chunk(text: Bytes) -> Rc<Chunk> {
    Rc::new(Chunk::new(text))
}

/// A list that is being put together, in messages of at most [`LIST_BYTES`]. No part is longer: what one player or game says of
/// itself is bounded.
pub(super) struct Lists<'a> {
    head: &'a Rc<Chunk>,
    comma: &'a Rc<Chunk>,
    tail: &'a Rc<Chunk>,
    whole: Vec<Vec<Rc<Chunk>>>,
    parts: Vec<Rc<Chunk>>,
    bytes: usize,
}

impl<'a> Lists<'a> {
    pub(super) fn new(head: &'a Rc<Chunk>, comma: &'a Rc<Chunk>, tail: &'a Rc<Chunk>) -> Self {
        Lists {
            head,
            comma,
            tail,
            whole: Vec::new(),
            parts: vec![head.clone()],
            bytes: 0,
        }
    }

    /// Appends a part, with a comma if it is not the first of its message; nothing for an empty one.
    pub(super) fn add(&mut self, chunk: &Rc<Chunk>) {
        self.add_all(std::slice::from_ref(chunk));
    }

    /// The same with several, none empty, which are not parted if a message has room for them: as if they were joined.
    pub(super) fn add_all(&mut self, chunks: &[Rc<Chunk>]) {
        let commas = chunks.len().saturating_sub(1);
        let bytes = chunks.iter().map(|chunk| chunk.text().len()).sum::<usize>() + commas;
        if bytes == 0 {
            return;
        }
        if bytes > LIST_BYTES && chunks.len() > 1 {
            return chunks.iter().for_each(|chunk| self.add(chunk));
        }
        if self.bytes > 0 && self.bytes + 1 + bytes > LIST_BYTES {
            self.end_message();
            self.parts.push(self.head.clone());
        } else if self.bytes > 0 {
            self.parts.push(self.comma.clone());
            self.bytes += 1;
        }
        for (at, chunk) in chunks.iter().enumerate() {
            if at > 0 {
                self.parts.push(self.comma.clone());
            }
            self.parts.push(chunk.clone());
        }
        self.bytes += bytes;
    }

    fn end_message(&mut self) {
        self.parts.push(self.tail.clone());
        self.whole.push(std::mem::take(&mut self.parts));
        self.bytes = 0;
    }

    pub(super) fn finish(mut self) -> Vec<Vec<Rc<Chunk>>> {
        self.end_message();
        self.whole
    }
}

/// Joins texts with commas, leaving out empty ones, and makes them slices of the joined text.
pub(super) fn join<'a>(texts: impl Iterator<Item = &'a RefCell<Bytes>>) -> Rc<Chunk> {
    let texts: Vec<_> = texts.filter(|text| !text.borrow().is_empty()).collect();
    let apart: Vec<Bytes> = texts.iter().map(|text| text.borrow().clone()).collect();
    let whole = joined(apart.iter());
    let mut at = 0;
    for text in texts {
        let end = at + text.borrow().len();
        text.replace(whole.slice(at..end));
        at = end + 1;
    }
    chunk(whole)
}

/// Texts with commas between them.
pub(super) fn joined<'a>(texts: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let mut out = BytesMut::with_capacity(texts.clone().map(|text| text.len() + 1).sum());
    for (i, text) in texts.enumerate() {
        if i > 0 {
            out.extend_from_slice(b",");
        }
        out.extend_from_slice(text);
    }
    out.freeze()
}
