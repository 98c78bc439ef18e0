//! Messages with their length in front, both ways: a `u32`, then that many bytes.
//!
//! A length of zero is an empty message: what that means is the dialect's business.

use super::{ReadLimits, Step, WireError};

/// Length of a message's head.
pub(super) const HEAD: usize = 4;

/// In which order the bytes of a length stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Most significant first (spec: cockatrice-wire 2.1).
    Big,
    /// Least significant first (spec: vcmi-lobby2 2).
    Little,
}

impl ByteOrder {
    /// The length that these bytes are.
    pub(super) fn length(self, head: [u8; HEAD]) -> usize {
        let length = match self {
            ByteOrder::Big => u32::from_be_bytes(head),
            ByteOrder::Little => u32::from_le_bytes(head),
        };
        length as usize
    }

    /// Appends the head of a message with a body of `len` bytes.
    pub fn encode_length(self, len: usize, out: &mut Vec<u8>) {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        out.extend_from_slice(&match self {
            ByteOrder::Big => len.to_be_bytes(),
            ByteOrder::Little => len.to_le_bytes(),
        });
    }
}

/// Reads messages, and passes over those that are too long to be kept.
#[derive(Debug)]
pub struct Reader {
    order: ByteOrder,
    /// Bytes of a message that is passed over which have not come.
    left: u32,
}

impl Reader {
    /// At the beginning of a stream.
    pub fn new(order: ByteOrder) -> Reader {
        Reader { order, left: 0 }
    }

    /// The next message of `input`, which starts at the first byte not consumed yet.
    pub fn step<'a>(&mut self, input: &'a mut [u8], limits: &ReadLimits) -> Step<'a> {
        if self.left > 0 {
            let consumed = self.pass_over(input);
            if consumed == input.len() {
                return Step::More { consumed };
            }
            return behind(consumed, self.step(&mut input[consumed..], limits));
        }
        if let Some(head) = input.first_chunk::<HEAD>() {
            let bytes = self.order.length(*head);
            if bytes > limits.message_bytes && bytes <= limits.skipped_bytes {
                self.left = bytes as u32; // it was one
                let consumed = HEAD + self.pass_over(&input[HEAD..]);
                return Step::Skipped { consumed, bytes };
            }
        }
        step(self.order, input, limits)
    }

    /// How many bytes of the input belong to the message that is passed over.
    fn pass_over(&mut self, input: &[u8]) -> usize {
        let taken = input.len().min(self.left as usize);
        self.left -= taken as u32;
        taken
    }
}

/// The same step of an input that has so many bytes in front, which are used up with it.
fn behind(before: usize, step: Step<'_>) -> Step<'_> {
    match step {
        Step::More { consumed } => Step::More {
            consumed: before + consumed,
        },
        Step::Frame { consumed, body } => Step::Frame {
            consumed: before + consumed,
            body,
        },
        Step::Skipped { consumed, bytes } => Step::Skipped {
            consumed: before + consumed,
            bytes,
        },
        other => other,
    }
}

/// The next message of `input`, which starts at the first byte not consumed yet.
pub fn step<'a>(order: ByteOrder, input: &'a mut [u8], limits: &ReadLimits) -> Step<'a> {
    let Some(head) = input.first_chunk::<HEAD>() else {
        return Step::More { consumed: 0 };
    };
    body(HEAD, order.length(*head), input, limits)
}

/// The `len` bytes behind the first `head` of `input`.
pub(super) fn body<'a>(
    head: usize,
    len: usize,
    input: &'a mut [u8],
    limits: &ReadLimits,
) -> Step<'a> {
    let limit = limits.message_bytes;
    if len > limit {
        return Step::Fail {
            error: WireError::TooLong { limit },
            close_frame: Vec::new(),
        };
    }
    match input.get_mut(head..head + len) {
        Some(body) => Step::Frame {
            consumed: head + len,
            body,
        },
        None => Step::More { consumed: 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// checklist: vcmi-json 3
    #[test]
    fn a_message_too_long_to_be_kept_is_passed_over_as_it_comes() {
        let limits = ReadLimits {
            message_bytes: 4,
            skipped_bytes: 9,
            ..ReadLimits::default()
        };
        let mut stream = b"\x09\0\0\0".to_vec();
        stream.extend([b'x'; 9]);
        stream.extend(b"\x02\0\0\0ok");
        for size in 1..=stream.len() {
            let (mut reader, mut kept, mut seen) =
                (Reader::new(ByteOrder::Little), Vec::new(), Vec::new());
            for piece in stream.chunks(size) {
                kept.extend_from_slice(piece);
                loop {
                    let used = match reader.step(&mut kept, &limits) {
                        Step::More { consumed } => {
                            kept.drain(..consumed);
                            break;
                        }
                        Step::Skipped { consumed, bytes } => {
                            seen.push(format!("{bytes} bytes"));
                            consumed
                        }
                        Step::Frame { consumed, body } => {
                            seen.push(String::from_utf8_lossy(body).into_owned());
                            consumed
                        }
                        other => panic!("{other:?}"),
                    };
                    kept.drain(..used);
                }
                assert!(kept.len() < 6, "nothing of the long one is kept");
            }
            assert_eq!(seen, ["9 bytes", "ok"]);
        }
        let refused = Step::Fail {
            error: WireError::TooLong { limit: 4 },
            close_frame: Vec::new(),
        };
        let mut reader = Reader::new(ByteOrder::Little);
        assert_eq!(reader.step(&mut [10, 0, 0, 0], &limits), refused);
    }

    #[test]
    fn a_message_is_as_long_as_its_head_says_in_either_order() {
        let limits = ReadLimits {
            message_bytes: 256,
            ..ReadLimits::default()
        };
        for (order, one, long) in [
            (ByteOrder::Big, *b"\0\0\0\x01x", *b"\0\0\x01\x01"),
            (ByteOrder::Little, *b"\x01\0\0\0x", *b"\x01\x01\0\0"),
        ] {
            let mut input = one;
            let read = Step::Frame {
                consumed: 5,
                body: &mut b"x".to_owned()[..],
            };
            assert_eq!(step(order, &mut input, &limits), read);
            let mut short = [one[0], one[1], one[2], one[3]];
            assert_eq!(step(order, &mut short, &limits), Step::More { consumed: 0 });
            assert_eq!(
                step(order, &mut short[..3], &limits),
                Step::More { consumed: 0 }
            );
            let refused = Step::Fail {
                error: WireError::TooLong { limit: 256 },
                close_frame: Vec::new(),
            };
            assert_eq!(
                step(order, &mut long.clone(), &limits),
                refused,
                "without waiting for it"
            );
            let empty = Step::Frame {
                consumed: 4,
                body: &mut [],
            };
            assert_eq!(step(order, &mut [0; 4], &limits), empty);
        }
    }
}
