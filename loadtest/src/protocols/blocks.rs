//! Blocks with their length before them, out of a stream of bytes and into one.

/// Longest block that is taken from a server.
const LONGEST_BYTES: usize = 64 << 20;
/// A longer block that nobody wants is passed over.
const SHORT_BYTES: usize = 4 << 10;
/// What is told of one: its beginning.
const HEAD_BYTES: usize = 64;
/// A buffer that one long block has made larger than this is given back.
const KEEP_BYTES: usize = 32 << 10;

/// How a length of four bytes is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Big,
    Little,
}

impl Order {
    fn length(self, bytes: [u8; 4]) -> usize {
        let length = match self {
            Order::Big => u32::from_be_bytes(bytes),
            Order::Little => u32::from_le_bytes(bytes),
        };
        length as usize
    }
}

/// Appends a block.
pub(crate) fn append(order: Order, body: &[u8], out: &mut Vec<u8>) {
    let length = body.len() as u32;
    out.extend_from_slice(&match order {
        Order::Big => length.to_be_bytes(),
        Order::Little => length.to_le_bytes(),
    });
    out.extend_from_slice(body);
}

/// Blocks out of a stream of bytes. One that came in a piece is handed on without copying.
#[derive(Debug)]
pub(crate) struct Blocks {
    order: Order,
    rest: Vec<u8>,
    /// How much of a block that nobody wants is still to come.
    left: usize,
}

impl Blocks {
    pub(crate) fn new(order: Order) -> Blocks {
        Blocks {
            order,
            rest: Vec::new(),
            left: 0,
        }
    }

    /// Takes the next bytes, cut anywhere, and tells `sink` each block in them; of a long one that is not wanted, as its
    /// beginning shows, nothing but that.
    ///
    /// # Errors
    /// A block that is longer than any.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        wanted: fn(&[u8]) -> bool,
        sink: &mut dyn FnMut(&[u8]),
    ) -> anyhow::Result<()> {
        let passed = self.left.min(bytes.len());
        self.left -= passed;
        let bytes = &bytes[passed..];
        if self.rest.is_empty() {
            let told = self.tell(bytes, wanted, sink)?;
            self.rest.extend_from_slice(&bytes[told..]);
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.rest);
        held.extend_from_slice(bytes);
        let told = self.tell(&held, wanted, sink)?;
        held.drain(..told);
        if !held.is_empty() || held.capacity() <= KEEP_BYTES {
            self.rest = held;
        }
        Ok(())
    }

    /// Tells what stands at the beginning of these bytes; gives how much that is.
    fn tell(
        &mut self,
        bytes: &[u8],
        wanted: fn(&[u8]) -> bool,
        sink: &mut dyn FnMut(&[u8]),
    ) -> anyhow::Result<usize> {
        let mut at = 0;
        while let Some(head) = bytes[at..].first_chunk::<4>() {
            let length = self.order.length(*head);
            anyhow::ensure!(length <= LONGEST_BYTES, "a message of {length} bytes");
            let there = &bytes[at + 4..];
            let long = length > SHORT_BYTES && there.len() >= HEAD_BYTES;
            if long && !wanted(&there[..HEAD_BYTES]) {
                sink(&there[..HEAD_BYTES]);
                self.left = length.saturating_sub(there.len());
                at += 4 + length - self.left;
                continue;
            }
            let Some(body) = there.get(..length) else {
                break;
            };
            sink(body);
            at += 4 + length;
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_at(order: Order, stream: &[u8], cut: usize) -> Vec<Vec<u8>> {
        let (mut blocks, mut told) = (Blocks::new(order), Vec::new());
        for part in [&stream[..cut], &stream[cut..]] {
            let wanted = |head: &[u8]| head[0] != b'-';
            let pushed = blocks.push(part, wanted, &mut |body| told.push(body.to_vec()));
            pushed.expect("none is too long");
        }
        told
    }

    #[test]
    fn streams_may_be_cut_anywhere() {
        for order in [Order::Big, Order::Little] {
            let mut stream = Vec::new();
            for body in [&b"one"[..], b"", b"-three"] {
                append(order, body, &mut stream);
            }
            for cut in 0..=stream.len() {
                let told = cut_at(order, &stream, cut);
                assert_eq!(told, [&b"one"[..], b"", b"-three"], "cut at {cut}");
            }
        }
    }

    #[test]
    fn of_a_long_block_that_nobody_wants_only_the_beginning_is_told() {
        let (unwanted, wanted) = (vec![b'-'; SHORT_BYTES + 9], vec![b'+'; SHORT_BYTES + 9]);
        let mut stream = Vec::new();
        for body in [&unwanted, &wanted, &unwanted, &b"end".to_vec()] {
            append(Order::Little, body, &mut stream);
        }
        let head = &unwanted[..HEAD_BYTES];
        for cut in (0..stream.len()).step_by(97) {
            let told = cut_at(Order::Little, &stream, cut);
            assert_eq!(told, [head, &wanted, head, b"end"], "cut at {cut}");
        }
    }

    #[test]
    fn nothing_is_held_of_what_is_passed_over_and_a_length_is_not_believed() {
        let mut blocks = Blocks::new(Order::Little);
        let mut stream = (LONGEST_BYTES as u32).to_le_bytes().to_vec();
        stream.extend_from_slice(&[b'-'; 1000]);
        let pushed = blocks.push(&stream, |_| false, &mut |_| {});
        pushed.expect("it may be as long");
        assert!(blocks.rest.is_empty() && blocks.left > 0);
        let mut blocks = Blocks::new(Order::Big);
        assert!(blocks.push(&[4, 0, 0, 1], |_| true, &mut |_| {}).is_err());
    }
}
