//! What was read of one connection and is not handled yet.
//!
//! What is handled is skipped and not moved away: a connection whose frames are handled one by one, each after a wait, would
//! otherwise have all of its input moved for each of them.

/// Room that is not given back, however little of it is in use.
const ROOMY: usize = 4 << 10;

/// Bytes of an unfinished frame, or frames that wait. Empty, it holds no memory but a pointer: most connections are idle.
#[derive(Debug, Default)]
pub(super) struct Input(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// The first byte that is not handled.
    at: usize,
}

impl Input {
    /// Bytes that are not handled.
    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.len())
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory it takes.
    pub(super) fn held(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |waiting| waiting.bytes.capacity())
    }

    /// What is not handled; whoever handles it may overwrite it.
    pub(super) fn unhandled(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Some(waiting) => &mut waiting.bytes[waiting.at..],
            None => &mut [],
        }
    }

    /// What is not handled; afterwards nothing is there.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let Some(waiting) = self.0.take() else {
            return Vec::new();
        };
        let Waiting { mut bytes, at } = *waiting;
        bytes.drain(..at);
        bytes
    }

    /// More was read. What is moved to the front is at the most as much as was handled since the last time.
    pub(super) fn extend(&mut self, more: &[u8]) {
        if !more.is_empty() {
            self.0.get_or_insert_default().extend(more);
        }
    }

    /// The first `count` bytes are handled. Room that one rare message has made is given back.
    pub(super) fn consume(&mut self, count: usize) {
        let Some(waiting) = &mut self.0 else {
            return;
        };
        waiting.at += count;
        if waiting.len() == 0 {
            self.0 = None;
        } else {
            waiting.shrink();
        }
    }
}

impl Waiting {
    fn len(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn extend(&mut self, more: &[u8]) {
        if self.at >= self.len() {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        self.bytes.extend_from_slice(more);
    }

    fn shrink(&mut self) {
        let room = self.bytes.capacity();
        if room > ROOMY && self.len() < room / 4 {
            self.bytes = self.bytes[self.at..].to_vec();
            self.at = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn it_is_a_queue_of_bytes() {
        for seed in 0..200 {
            let mut rng = StdRng::seed_from_u64(seed);
            let (mut input, mut naive) = (Input::default(), Vec::new());
            for _ in 0..40 {
                let (more, handled) = (rng.random_range(0..9_000), rng.random_range(0..9_000));
                let more: Vec<u8> = (0..more).map(|_| rng.random()).collect();
                input.extend(&more);
                naive.extend_from_slice(&more);
                let handled = handled.min(naive.len());
                input.consume(handled);
                naive.drain(..handled);
                assert_eq!(input.unhandled(), &naive[..]);
                assert_eq!(
                    (input.len(), input.is_empty()),
                    (naive.len(), naive.is_empty())
                );
                assert!(input.held() <= ROOMY.max(4 * naive.len() + 3));
            }
            assert_eq!(input.take(), naive);
            assert_eq!(input.held(), 0);
        }
    }

    /// Time is not measured here: the address of what waits tells whether it was moved.
    #[test]
    fn what_waits_is_not_moved_for_each_frame_before_it() {
        let mut input = Input::default();
        input.extend(&vec![b'x'; 1 << 20]);
        let mut moved = 0;
        while !input.is_empty() {
            let before = input.unhandled().as_ptr() as usize;
            input.consume(64);
            let after = input.unhandled().as_ptr() as usize;
            moved += usize::from(!input.is_empty() && after != before + 64);
        }
        assert!(moved < 10, "{moved} times");
    }
}
