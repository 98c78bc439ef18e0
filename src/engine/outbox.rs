//! What is due to one client: everything queued since its last write leaves in one write.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

/// Shared pieces shorter than this are copied next to their neighbours: cheaper than one more `iovec`.
const COPY_BELOW: usize = 1_024;

/// Most pieces given to one `sendmsg`; Linux takes up to 1,024.
const MAX_PIECES: usize = 64;

/// Bytes waiting for one client, in order. An idle connection's is a null pointer.
#[derive(Debug, Default)]
pub(super) struct Outbox(Option<Box<Waiting>>);

/// Shared pieces, then an open buffer that small messages are appended to.
#[derive(Debug, Default)]
struct Waiting {
    pieces: VecDeque<Bytes>,
    open: Vec<u8>,
    bytes: usize,
}

impl Outbox {
    /// Bytes waiting.
    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.bytes)
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// Appends through `write`, which adds to the buffer it is given.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let waiting = self.0.get_or_insert_default();
        let before = waiting.open.len();
        write(&mut waiting.open);
        waiting.bytes += waiting.open.len() - before;
    }

    /// Appends a piece that others hold too, without copying it if it is large.
    pub(super) fn push(&mut self, piece: &Bytes) {
        if piece.len() < COPY_BELOW {
            return self.write(|out| out.extend_from_slice(piece));
        }
        let waiting = self.0.get_or_insert_default();
        if !waiting.open.is_empty() {
            let open = std::mem::take(&mut waiting.open);
            waiting.pieces.push_back(open.into());
        }
        waiting.bytes += piece.len();
        waiting.pieces.push_back(piece.clone());
    }

    /// The first pieces, as one vectored write wants them.
    pub(super) fn slices(&self) -> SmallVec<[IoSlice<'_>; MAX_PIECES]> {
        let Some(waiting) = &self.0 else {
            return SmallVec::new();
        };
        let open = Some(&waiting.open[..]).filter(|open| !open.is_empty());
        let pieces = waiting.pieces.iter().map(|piece| &piece[..]);
        pieces
            .chain(open)
            .take(MAX_PIECES)
            .map(IoSlice::new)
            .collect()
    }

    /// Everything, if it is in one piece.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        let waiting = self.0.as_ref()?;
        match (waiting.pieces.len(), waiting.open.is_empty()) {
            (0, false) => Some(&waiting.open),
            (1, true) => waiting.pieces.front().map(|piece| &piece[..]),
            _ => None,
        }
    }

    /// Forgets the first `count` bytes: they were written.
    pub(super) fn advance(&mut self, mut count: usize) {
        let Some(waiting) = &mut self.0 else {
            return;
        };
        waiting.bytes -= count;
        if waiting.bytes == 0 {
            self.0 = None;
            return;
        }
        while count > 0 {
            let Some(piece) = waiting.pieces.front_mut() else {
                waiting.open.drain(..count);
                break;
            };
            let whole = count >= piece.len();
            let step = count.min(piece.len());
            piece.advance(step);
            count -= step;
            if whole {
                waiting.pieces.pop_front();
            }
        }
    }

    /// Everything that waits; afterwards nothing does.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let Some(waiting) = self.0.take() else {
            return Vec::new();
        };
        let mut all: Vec<u8> = waiting.pieces.iter().flatten().copied().collect();
        all.extend_from_slice(&waiting.open);
        all
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(outbox: &Outbox) -> Vec<u8> {
        let slices = outbox.slices();
        slices.iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn order_is_kept_and_any_partial_write_resumes() {
        let big: Bytes = vec![b'x'; 3_000].into();
        for step in [1usize, 7, 999, 1_000, 5_000] {
            let mut outbox = Outbox::default();
            outbox.write(|out| out.extend_from_slice(b"first"));
            outbox.push(&big);
            outbox.push(&Bytes::from_static(b"small"));
            outbox.write(|out| out.extend_from_slice(b"last"));
            let expected = content(&outbox);
            assert_eq!(expected.len(), outbox.bytes());
            let mut copy = Outbox::default();
            copy.push(&expected.clone().into());
            assert_eq!((copy.whole(), outbox.whole()), (Some(&expected[..]), None));
            assert_eq!((copy.take(), copy.bytes()), (expected.clone(), 0));
            let mut written = Vec::new();
            while !outbox.is_empty() {
                let front = content(&outbox);
                let n = step.min(front.len());
                written.extend_from_slice(&front[..n]);
                outbox.advance(n);
            }
            assert_eq!(written, expected);
        }
    }
}
