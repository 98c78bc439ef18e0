//! What is due to one client: everything queued since its last write leaves in one write.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};

/// Shared pieces shorter than this are copied next to their neighbours: cheaper than one more `iovec`.
const COPY_BELOW: usize = 1_024;

/// Most pieces given to one `sendmsg`; Linux takes up to 1,024.
pub(super) const MAX_PIECES: usize = 64;

/// Bytes waiting for one client, in order: shared pieces, then an open buffer that small messages are appended to.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Bytes>,
    open: Vec<u8>,
    bytes: usize,
}

impl Outbox {
    /// Bytes waiting.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Appends through `write`, which adds to the buffer it is given.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.open.len();
        write(&mut self.open);
        self.bytes += self.open.len() - before;
    }

    /// Appends a piece that others hold too, without copying it if it is large.
    pub(super) fn push(&mut self, piece: &Bytes) {
        if piece.len() < COPY_BELOW {
            return self.write(|out| out.extend_from_slice(piece));
        }
        if !self.open.is_empty() {
            self.pieces.push_back(std::mem::take(&mut self.open).into());
        }
        self.bytes += piece.len();
        self.pieces.push_back(piece.clone());
    }

    /// The first pieces, as one vectored write wants them.
    pub(super) fn slices<'a>(&'a self, into: &mut smallvec::SmallVec<[IoSlice<'a>; MAX_PIECES]>) {
        into.extend(
            self.pieces
                .iter()
                .take(MAX_PIECES - 1)
                .map(|piece| IoSlice::new(piece)),
        );
        if self.pieces.len() < MAX_PIECES && !self.open.is_empty() {
            into.push(IoSlice::new(&self.open));
        }
    }

    /// The first piece.
    pub(super) fn front(&self) -> &[u8] {
        self.pieces
            .front()
            .map_or(&self.open[..], |piece| &piece[..])
    }

    /// Forgets the first `count` bytes: they were written.
    pub(super) fn advance(&mut self, mut count: usize) {
        self.bytes -= count;
        while count > 0 {
            let Some(piece) = self.pieces.front_mut() else {
                self.open.drain(..count);
                break;
            };
            let whole = count >= piece.len();
            let step = count.min(piece.len());
            piece.advance(step);
            count -= step;
            if whole {
                self.pieces.pop_front();
            }
        }
        if self.bytes == 0 {
            // An idle connection keeps no buffers.
            *self = Outbox::default();
        }
    }

    /// Everything that waits; afterwards nothing does.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let taken = std::mem::take(self);
        let mut all: Vec<u8> = taken.pieces.iter().flatten().copied().collect();
        all.extend_from_slice(&taken.open);
        all
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Outbox::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(outbox: &Outbox) -> Vec<u8> {
        let mut slices = smallvec::SmallVec::new();
        outbox.slices(&mut slices);
        slices.iter().flat_map(|s| s.to_vec()).collect()
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
            assert_eq!((copy.take(), copy.bytes()), (expected.clone(), 0));
            let mut written = Vec::new();
            while !outbox.is_empty() {
                let n = step.min(outbox.front().len());
                written.extend_from_slice(&outbox.front()[..n]);
                outbox.advance(n);
            }
            assert_eq!(written, expected);
        }
    }
}
