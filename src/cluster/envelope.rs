//! What stands on the bus: an envelope is a head of 24 bytes and what its kind says. Numbers are little-endian.
//!
//! ```text
//! head     magic "mu" · version 1 · kind 1 · from slot 1 · zero 3 · from incarnation 8 · to incarnation 8 (0: whoever reads)
//! letters  (length 4 · letter)* · (slot 1 · incarnation 8 · generation 4 · number 8)* · how many of these 1
//! nack     generation 4 · first 8 · last 8
//! ack      generation 4 · number 8
//! beat     MessagePack, see `beat`
//! ```
//!
//! For whom letters are, and as which number of each one's lane, stands behind them because it is known last.
//! What comes in was written by somebody else: nothing here believes a length before it has looked.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{Dropped, View};

/// Longest letter that may be said, in bytes; whoever has more to say says it in parts.
pub const MAX_LETTER: usize = 256 * 1024;
/// Longest envelope that is made, in bytes: half of what NATS takes by default.
pub(crate) const MAX_ENVELOPE: usize = 512 * 1024;

const MAGIC: [u8; 2] = *b"mu";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 24;
const PLACE_BYTES: usize = 21;
/// What a batch leaves for the places at its end.
const MAX_BATCH: usize = MAX_ENVELOPE - PLACE_BYTES * View::SLOTS as usize - 1;

const LETTERS: u8 = 1;
const NACK: u8 = 2;
const ACK: u8 = 3;
const BEAT: u8 = 4;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) node: u8,
    pub(crate) incarnation: u64,
}

/// Where letters stand in the lane to one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) node: u8,
    pub(crate) incarnation: u64,
    pub(crate) generation: u32,
    pub(crate) number: u64,
}

/// Letters that came together: each can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letters(Bytes);

impl Letters {
    fn checked(bytes: Bytes) -> Option<Letters> {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = rest.try_get_u32_le().ok()? as usize;
            rest = rest.get(length..)?;
        }
        Some(Letters(bytes))
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.0.len()
    }
}

impl Iterator for Letters {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let length = self.0.try_get_u32_le().ok()? as usize;
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }
}

/// What an envelope says to whoever reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Letters, with their place in the lane to the reader.
    Letters(Place, Letters),
    /// Letters for others.
    NotForUs,
    /// These numbers of the lane have not come.
    Nack {
        generation: u32,
        first: u64,
        last: u64,
    },
    /// Everything up to this number has come.
    Ack { generation: u32, number: u64 },
    /// What a beat says, still to be read.
    Beat(Bytes),
}

/// Reads an envelope that came to this node in this life of it.
///
/// # Errors
/// What it is counted as: malformed, unknown, or of a stranger if it is for another life.
pub(crate) fn read(mut bytes: Bytes, reader: Sender) -> Result<(Sender, Said), Dropped> {
    if bytes.len() < HEAD_BYTES || bytes[..2] != MAGIC {
        return Err(Dropped::Malformed);
    }
    let mut head = bytes.split_to(HEAD_BYTES);
    let (version, kind, node) = (head[2], head[3], head[4]);
    if version != VERSION || !(LETTERS..=BEAT).contains(&kind) {
        return Err(Dropped::Unknown);
    }
    if node >= View::SLOTS {
        return Err(Dropped::Malformed);
    }
    head.advance(8);
    let incarnation = head.get_u64_le();
    let to = head.get_u64_le();
    if to != 0 && to != reader.incarnation {
        return Err(Dropped::Stranger);
    }
    let said = match kind {
        LETTERS => read_letters(bytes, reader),
        NACK => read_nack(bytes),
        ACK => read_ack(bytes),
        _ => Some(Said::Beat(bytes)),
    };
    let sender = Sender { node, incarnation };
    said.map(|said| (sender, said)).ok_or(Dropped::Malformed)
}

fn read_letters(mut bytes: Bytes, reader: Sender) -> Option<Said> {
    let count = usize::from(*bytes.last()?);
    let end = bytes.len() - 1;
    let start = end.checked_sub(count * PLACE_BYTES)?;
    let mut places = bytes.split_off(start);
    for _ in 0..count {
        let place = Place {
            node: places.try_get_u8().ok()?,
            incarnation: places.try_get_u64_le().ok()?,
            generation: places.try_get_u32_le().ok()?,
            number: places.try_get_u64_le().ok()?,
        };
        if (place.node, place.incarnation) == (reader.node, reader.incarnation) {
            return Some(Said::Letters(place, Letters::checked(bytes)?));
        }
    }
    Some(Said::NotForUs)
}

fn read_nack(mut bytes: Bytes) -> Option<Said> {
    Some(Said::Nack {
        generation: bytes.try_get_u32_le().ok()?,
        first: bytes.try_get_u64_le().ok()?,
        last: bytes.try_get_u64_le().ok()?,
    })
}

fn read_ack(mut bytes: Bytes) -> Option<Said> {
    Some(Said::Ack {
        generation: bytes.try_get_u32_le().ok()?,
        number: bytes.try_get_u64_le().ok()?,
    })
}

fn head(sender: Sender, kind: u8, to: u64, room: usize) -> BytesMut {
    let mut bytes = BytesMut::with_capacity(HEAD_BYTES + room);
    bytes.put_slice(&MAGIC);
    bytes.put_slice(&[VERSION, kind, sender.node, 0, 0, 0]);
    bytes.put_u64_le(sender.incarnation);
    bytes.put_u64_le(to);
    bytes
}

/// Asks the life `to` of a node for these numbers again.
pub(crate) fn nack(sender: Sender, to: u64, generation: u32, numbers: (u64, u64)) -> Bytes {
    let mut bytes = head(sender, NACK, to, 20);
    bytes.put_u32_le(generation);
    bytes.put_u64_le(numbers.0);
    bytes.put_u64_le(numbers.1);
    bytes.freeze()
}

/// Tells the life `to` of a node how far everything has come.
pub(crate) fn ack(sender: Sender, to: u64, generation: u32, number: u64) -> Bytes {
    let mut bytes = head(sender, ACK, to, 12);
    bytes.put_u32_le(generation);
    bytes.put_u64_le(number);
    bytes.freeze()
}

/// A beat of these bytes.
pub(crate) fn beat(sender: Sender, body: &[u8]) -> Bytes {
    let mut bytes = head(sender, BEAT, 0, body.len());
    bytes.put_slice(body);
    bytes.freeze()
}

/// Letters that will leave together.
#[derive(Debug)]
pub(crate) struct Batch(BytesMut);

impl Batch {
    pub(crate) fn new(sender: Sender) -> Batch {
        Batch(head(sender, LETTERS, 0, 1024))
    }

    /// Whether another letter of that length has room.
    pub(crate) fn has_room(&self, letter: usize) -> bool {
        self.0.len() + 4 + letter <= MAX_BATCH
    }

    /// Adds a letter of at most [`MAX_LETTER`] bytes.
    pub(crate) fn add(&mut self, letter: &[u8]) {
        self.0.put_u32_le(letter.len() as u32);
        self.0.put_slice(letter);
    }

    /// The envelope for these.
    pub(crate) fn seal(mut self, places: &[Place]) -> Bytes {
        self.0.reserve(places.len() * PLACE_BYTES + 1);
        for place in places {
            self.0.put_u8(place.node);
            self.0.put_u64_le(place.incarnation);
            self.0.put_u32_le(place.generation);
            self.0.put_u64_le(place.number);
        }
        self.0.put_u8(places.len() as u8);
        self.0.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Sender = Sender {
        node: 1,
        incarnation: 11,
    };
    const B: Sender = Sender {
        node: 2,
        incarnation: 22,
    };

    fn place(of: Sender, number: u64) -> Place {
        Place {
            node: of.node,
            incarnation: of.incarnation,
            generation: 3,
            number,
        }
    }

    #[test]
    fn letters_are_read_as_they_were_said_by_those_they_are_for() {
        let mut batch = Batch::new(A);
        for letter in [&b"one"[..], b"", b"three"] {
            batch.add(letter);
        }
        let bytes = batch.seal(&[place(A, 5), place(B, 7)]);
        let (sender, said) = read(bytes.clone(), B).expect("it is well-formed");
        let Said::Letters(at, letters) = said else {
            panic!("{said:?}")
        };
        assert_eq!((sender, at), (A, place(B, 7)));
        assert_eq!(letters.collect::<Vec<_>>(), ["one", "", "three"]);
        let other_life = Sender {
            incarnation: 23,
            ..B
        };
        assert_eq!(read(bytes, other_life), Ok((A, Said::NotForUs)));
    }

    #[test]
    fn the_rest_is_read_as_it_was_said() {
        let said = |bytes| read(bytes, B).map(|(_, said)| said);
        let (generation, first, last) = (4, 5, 6);
        let expected = Said::Nack {
            generation,
            first,
            last,
        };
        assert_eq!(said(nack(A, 22, 4, (5, 6))), Ok(expected));
        let number = u64::MAX;
        assert_eq!(
            said(ack(A, 22, 4, number)),
            Ok(Said::Ack { generation, number })
        );
        assert_eq!(said(ack(A, 23, 4, 1)), Err(Dropped::Stranger));
        assert_eq!(said(beat(A, b"x")), Ok(Said::Beat("x".into())));
    }

    #[test]
    fn what_is_not_known_is_told_from_what_is_broken() {
        let good = beat(A, b"x");
        let changed = |at: usize, to: u8| {
            let mut bytes = good.to_vec();
            bytes[at] = to;
            read(bytes.into(), B).map(|_| ())
        };
        assert_eq!(changed(0, 0), Err(Dropped::Malformed));
        assert_eq!(changed(2, 2), Err(Dropped::Unknown));
        assert_eq!(changed(3, 9), Err(Dropped::Unknown));
        assert_eq!(changed(4, 64), Err(Dropped::Malformed));
        assert_eq!(
            read(good.slice(..23), B).map(|_| ()),
            Err(Dropped::Malformed)
        );
    }

    #[test]
    fn a_full_batch_with_every_place_is_not_too_long() {
        let mut batch = Batch::new(A);
        while batch.has_room(1000) {
            batch.add(&[7; 1000]);
        }
        let places = vec![place(B, 1); usize::from(View::SLOTS)];
        assert!(batch.seal(&places).len() <= MAX_ENVELOPE);
        assert!(Batch::new(A).has_room(MAX_LETTER));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            kind in 0u8..6, tail in prop::collection::vec(any::<u8>(), 0..120), cut in 0usize..150,
        ) {
            let mut bytes = head(A, kind, 0, 0);
            bytes.put_slice(&tail);
            bytes.truncate(cut);
            if let Ok((_, Said::Letters(_, letters))) = read(bytes.freeze(), B) {
                letters.for_each(drop);
            }
        }
    }
}
