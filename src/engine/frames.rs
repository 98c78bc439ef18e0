//! A stream of frames that is relayed: what of it is passed on, and where something of our own may be put between.
//!
//! Frames go on as they come, in pieces, without waiting for their ends. Empty ones are heartbeats and each side's own
//! business: they are cut out.

use std::time::Duration;

use lobby::FrameRelay;

/// A frame's head: a little-endian length.
const HEAD: usize = 4;
/// An empty frame.
pub(super) const HEARTBEAT: [u8; HEAD] = [0; HEAD];

/// What one side of a relay of frames has sent, and is owed.
#[derive(Debug)]
pub(super) struct Frames {
    pub(super) relay: FrameRelay,
    /// When its connection was accepted.
    since: Duration,
    pub(super) cut: Cut,
    /// It has sent a heartbeat.
    pub(super) beats: bool,
    /// A heartbeat is to be put behind the frame that is being written to it.
    pub(super) owed: bool,
}

/// The place in a stream of frames.
#[derive(Debug, Default)]
pub(super) struct Cut {
    /// The beginning of a head whose rest has not come.
    head: [u8; HEAD],
    have: usize,
    /// Bytes of the present frame that have not come.
    left: u32,
}

/// What is passed on of some input.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Pieces<'a> {
    /// The head of the first frame, if it had begun before.
    head: Option<[u8; HEAD]>,
    rest: Vec<&'a [u8]>,
    pub(super) heartbeats: bool,
}

/// A frame that is longer than any may be.
#[derive(Debug, PartialEq)]
pub(super) struct TooLong;

impl Cut {
    /// Whether everything that was passed on are whole frames.
    pub(super) fn is_between(&self) -> bool {
        self.left == 0
    }

    pub(super) fn pieces<'a>(
        &mut self,
        bytes: &'a [u8],
        longest: u32,
    ) -> Result<Pieces<'a>, TooLong> {
        let mut pieces = Pieces::default();
        let mut at = 0;
        if self.have > 0 {
            at = bytes.len().min(HEAD - self.have);
            self.head[self.have..self.have + at].copy_from_slice(&bytes[..at]);
            self.have += at;
            if self.have < HEAD {
                return Ok(pieces);
            }
            self.have = 0;
            self.begin(self.head, longest)?;
            match self.left {
                0 => pieces.heartbeats = true,
                _ => pieces.head = Some(self.head),
            }
        }
        let mut from = at;
        loop {
            let body = (bytes.len() - at).min(self.left as usize);
            at += body;
            self.left -= body as u32;
            let Some(head) = bytes[at..].first_chunk::<HEAD>() else {
                break;
            };
            if self.left > 0 {
                break;
            }
            self.begin(*head, longest)?;
            if self.left == 0 {
                pieces.heartbeats = true;
                pieces.push(&bytes[from..at]);
                from = at + HEAD;
            }
            at += HEAD;
        }
        pieces.push(&bytes[from..at]);
        let begun = &bytes[at..];
        self.head[..begun.len()].copy_from_slice(begun);
        self.have = begun.len();
        Ok(pieces)
    }

    fn begin(&mut self, head: [u8; HEAD], longest: u32) -> Result<(), TooLong> {
        let len = u32::from_le_bytes(head);
        if len > longest {
            return Err(TooLong);
        }
        self.left = len;
        Ok(())
    }
}

impl<'a> Pieces<'a> {
    fn push(&mut self, piece: &'a [u8]) {
        if !piece.is_empty() {
            self.rest.push(piece);
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &[u8]> {
        let head = self.head.as_ref().map(|head| &head[..]);
        head.into_iter().chain(self.rest.iter().copied())
    }
}

impl Frames {
    pub(super) fn new(relay: FrameRelay, since: Duration) -> Self {
        Frames {
            relay,
            since,
            cut: Cut::default(),
            beats: false,
            owed: false,
        }
    }

    /// What is passed on of what the side has sent before its relay began. None: it ends there.
    pub(super) fn first(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let pieces = self.cut.pieces(bytes, self.relay.longest).ok()?;
        self.beats |= pieces.heartbeats;
        Some(pieces.all().collect::<Vec<_>>().concat())
    }

    /// When the next heartbeat is due.
    pub(super) fn next_beat(&self, now: Duration) -> Duration {
        let every = self.relay.heartbeat.as_nanos().max(1);
        let beats = now.saturating_sub(self.since).as_nanos() / every;
        let next = u64::try_from((beats + 1) * every).unwrap_or(u64::MAX);
        self.since + Duration::from_nanos(next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wire::prefixed::ByteOrder;

    use super::*;

    fn stream(lengths: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        for (at, &len) in lengths.iter().enumerate() {
            ByteOrder::Little.encode_length(len, &mut out);
            out.extend(std::iter::repeat_n(at as u8, len));
        }
        out
    }

    #[test]
    fn heartbeats_are_cut_out_and_a_head_is_held_back_until_it_is_whole() {
        let mut cut = Cut::default();
        let bytes = stream(&[0, 3, 0, 0, 2]);
        let pieces = cut.pieces(&bytes, 10).unwrap();
        assert_eq!(
            pieces.all().collect::<Vec<_>>(),
            [&bytes[4..11], &bytes[19..]]
        );
        assert!(pieces.heartbeats && cut.is_between());
        assert_eq!(cut.pieces(&[2, 0, 0], 10), Ok(Pieces::default()));
        assert!(cut.is_between(), "nothing of it was passed on");
        let pieces = cut.pieces(&[0, 7], 10).unwrap();
        assert_eq!(pieces.all().collect::<Vec<_>>().concat(), [2, 0, 0, 0, 7]);
        assert!(!cut.is_between());
        assert!(cut.pieces(&[8], 10).is_ok() && cut.is_between());
        assert_eq!(cut.pieces(&[11, 0, 0, 0], 10), Err(TooLong));
    }

    #[test]
    fn heartbeats_are_due_every_interval_from_when_it_was_accepted() {
        let relay = FrameRelay {
            longest: 1,
            heartbeat: Duration::from_secs(10),
            silent: None,
            source_since: Duration::ZERO,
            target_since: Duration::ZERO,
        };
        let frames = Frames::new(relay, Duration::from_secs(3));
        let next = |at_s| frames.next_beat(Duration::from_secs(at_s)).as_secs();
        assert_eq!([next(3), next(12), next(13), next(29)], [13, 13, 23, 33]);
    }

    proptest! {
        /// Whatever pieces a stream comes in, the same frames without the empty ones go out.
        #[test]
        fn any_split_passes_on_the_same(
            lengths in prop::collection::vec(prop_oneof![Just(0usize), 1usize..9], 0..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let bytes = stream(&lengths);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let (mut cut, mut out) = (Cut::default(), Vec::new());
            for pair in places.windows(2) {
                let pieces = cut.pieces(&bytes[pair[0]..pair[1]], 9).unwrap();
                out.extend(pieces.all().collect::<Vec<_>>().concat());
            }
            let mut expected = Vec::new();
            for (at, &len) in lengths.iter().enumerate().filter(|(_, len)| **len > 0) {
                ByteOrder::Little.encode_length(len, &mut expected);
                expected.extend(std::iter::repeat_n(at as u8, len));
            }
            prop_assert_eq!(out, expected);
            prop_assert!(cut.is_between());
        }
    }
}
