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
