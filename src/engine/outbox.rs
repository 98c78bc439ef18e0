//! What is due to one client: everything queued since its last write leaves in one write.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

/// Shared pieces shorter than this are copied next to their neighbours: cheaper than one more `iovec`.
const COPY_BELOW: usize = 1_024;

/// Largest buffer that is kept for the next one.
const SPARE_BYTES: usize = 16 << 10;

/// Most pieces given to one `sendmsg`; Linux takes up to 1,024.
const MAX_PIECES: usize = if cfg!(test) { 4 } else { 64 };

/// Bytes waiting for one client, in order: shared pieces, then an open buffer that small messages are appended to. An idle
/// connection's holds no memory.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    open: Vec<u8>,
    pieces: Option<Box<Pieces>>,
}

#[derive(Debug, Default)]
struct Pieces {
    all: VecDeque<Piece>,
    bytes: usize,
    /// Of these, bytes in buffers that nobody else has.
    own: usize,
}

#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    /// Nobody else has it.
    own: bool,
}

impl Pieces {
    fn push(&mut self, bytes: Bytes, own: bool) {
        self.bytes += bytes.len();
        self.own += if own { bytes.len() } else { 0 };
        self.all.push_back(Piece { bytes, own });
    }
}

impl Outbox {
    /// Bytes waiting.
    pub(super) fn bytes(&self) -> usize {
        self.open.len() + self.pieces.as_ref().map_or(0, |pieces| pieces.bytes)
    }

    /// Bytes of memory it takes, without what others have as well: a broadcast is kept once, however many wait for it.
    pub(super) fn held(&self) -> usize {
        let pieces = |pieces: &Pieces| pieces.own + pieces.all.len() * size_of::<Piece>();
        self.open.capacity() + self.pieces.as_deref().map_or(0, pieces)
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.pieces.is_none()
    }

    /// Appends through `write`, which adds to the buffer it is given. The first to do so takes `spare`, if it is of use.
    pub(super) fn write(&mut self, spare: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.open.capacity() == 0 {
            std::mem::swap(&mut self.open, spare);
        }
        write(&mut self.open);
    }

    /// Appends a piece that others hold too, without copying it if it is large.
    pub(super) fn push(&mut self, piece: &Bytes) {
        if piece.len() < COPY_BELOW {
            return self.open.extend_from_slice(piece);
        }
        let pieces = self.pieces.get_or_insert_default();
        if !self.open.is_empty() {
            pieces.push(std::mem::take(&mut self.open).into(), true);
        }
        pieces.push(piece.clone(), false);
    }

    /// The first pieces, as one vectored write wants them.
    pub(super) fn slices(&self) -> SmallVec<[IoSlice<'_>; MAX_PIECES]> {
        let open = Some(&self.open[..]).filter(|open| !open.is_empty());
        let pieces = self.pieces.iter().flat_map(|pieces| &pieces.all);
        pieces
            .map(|piece| &piece.bytes[..])
            .chain(open)
            .take(MAX_PIECES)
            .map(IoSlice::new)
            .collect()
    }

    /// Everything, if it is in one piece.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        match &self.pieces {
            None => Some(&self.open[..]).filter(|open| !open.is_empty()),
            Some(pieces) if self.open.is_empty() && pieces.all.len() == 1 => {
                pieces.all.front().map(|piece| &piece.bytes[..])
            }
            Some(_) => None,
        }
    }

    /// The first bytes in one piece, `most` at the most: gathered in `room` if they lie in several.
    pub(super) fn front<'a>(&'a self, most: usize, room: &'a mut Vec<u8>) -> &'a [u8] {
        if let Some(whole) = self.whole() {
            return &whole[..whole.len().min(most)];
        }
        room.clear();
        let pieces = self.pieces.iter().flat_map(|pieces| &pieces.all);
        for piece in pieces.map(|piece| &piece.bytes[..]).chain([&self.open[..]]) {
            let left = most - room.len();
            room.extend_from_slice(&piece[..piece.len().min(left)]);
        }
        room
    }

    /// Forgets the first `count` bytes: they were written.
    pub(super) fn advance(&mut self, mut count: usize) {
        if let Some(pieces) = &mut self.pieces {
            while count > 0
                && let Some(piece) = pieces.all.front_mut()
            {
                let step = count.min(piece.bytes.len());
                piece.bytes.advance(step);
                pieces.bytes -= step;
                pieces.own -= if piece.own { step } else { 0 };
                count -= step;
                if piece.bytes.is_empty() {
                    pieces.all.pop_front();
                }
            }
            if pieces.all.is_empty() {
                self.pieces = None;
            }
        }
        if count == self.open.len() {
            self.open = Vec::new();
        } else if count > 0 {
            // A piece forgets its front without moving the rest, which a slow reader would have moved for each write.
            let mut rest = Bytes::from(std::mem::take(&mut self.open));
            rest.advance(count);
            self.pieces.get_or_insert_default().push(rest, true);
        }
    }

    /// Forgets everything: it was written. What may be of use to the next one is left in `spare`.
    pub(super) fn finish(&mut self, spare: &mut Vec<u8>) {
        self.pieces = None;
        let mut open = std::mem::take(&mut self.open);
        if spare.capacity() == 0 && open.capacity() <= SPARE_BYTES {
            open.clear();
            *spare = open;
        }
    }

    /// Everything that waits; afterwards nothing does.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let Outbox { open, pieces } = std::mem::take(self);
        let Some(pieces) = pieces else {
            return open;
        };
        let pieces = pieces.all.iter().map(|piece| &piece.bytes[..]);
        pieces.chain([&open[..]]).collect::<Vec<_>>().concat()
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
            let (mut outbox, mut spare) = (Outbox::default(), Vec::new());
            outbox.write(&mut spare, |out| out.extend_from_slice(b"first"));
            outbox.push(&big);
            outbox.push(&Bytes::from_static(b"small"));
            outbox.write(&mut spare, |out| out.extend_from_slice(b"last"));
            let expected = content(&outbox);
            assert_eq!(expected.len(), outbox.bytes());
            let held = outbox.held();
            assert!(
                (expected.len() - big.len()..big.len()).contains(&held),
                "{held}"
            );
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

    // Each write to a client that reads little moved everything that waited for it.
    #[test]
    fn what_waits_is_not_moved_for_each_write() {
        let (mut outbox, mut spare) = (Outbox::default(), Vec::new());
        outbox.write(&mut spare, |out| out.resize(1 << 20, b'x'));
        let before = outbox.whole().map(|all| all.as_ptr() as usize);
        outbox.advance(100);
        outbox.advance(100);
        let after = outbox.whole().map(|all| all.as_ptr() as usize);
        assert_eq!(after, before.map(|at| at + 200));
        outbox.write(&mut spare, |out| out.push(b'y'));
        assert_eq!((outbox.bytes(), outbox.whole()), ((1 << 20) - 199, None));
        assert_eq!(content(&outbox).last(), Some(&b'y'));
    }

    #[test]
    fn the_next_outbox_uses_the_buffer_of_one_that_was_written() {
        let (mut first, mut second) = (Outbox::default(), Outbox::default());
        let mut spare = Vec::new();
        first.write(&mut spare, |out| out.extend_from_slice(b"hello"));
        let buffer = first.whole().map(<[u8]>::as_ptr);
        first.finish(&mut spare);
        assert!(first.is_empty() && first.open.capacity() == 0);
        second.write(&mut spare, |out| out.extend_from_slice(b"again"));
        assert_eq!(second.whole().map(<[u8]>::as_ptr), buffer);
        assert_eq!(second.whole(), Some(&b"again"[..]));
    }
}
