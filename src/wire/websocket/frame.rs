//! One frame of RFC 6455: its head, its mask, and the frames we write.
//!
//! It must never trust a length: the head alone says what is needed, and the reader compares that with its limit
//! before waiting for it.

/// Bit of the first byte: last frame of a message.
const FIN: u8 = 0x80;
/// Bits of the first byte that only extensions may set; we negotiate none.
const RESERVED: u8 = 0x70;
/// Bit of the second byte: a mask follows the length.
const MASKED: u8 = 0x80;
/// Longest payload of a control frame (RFC 6455, 5.5).
const CONTROL_MAX_BYTES: u64 = 125;

pub(super) const CLOSE_NORMAL: u16 = 1000;
pub(super) const CLOSE_GOING_AWAY: u16 = 1001;
pub(super) const CLOSE_PROTOCOL: u16 = 1002;
pub(super) const CLOSE_BAD_TEXT: u16 = 1007;
pub(super) const CLOSE_POLICY: u16 = 1008;
pub(super) const CLOSE_TOO_LONG: u16 = 1009;

/// What a frame is (RFC 6455, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn bits(self) -> u8 {
        match self {
            Opcode::Continuation => 0x0,
            Opcode::Text => 0x1,
            Opcode::Binary => 0x2,
            Opcode::Close => 0x8,
            Opcode::Ping => 0x9,
            Opcode::Pong => 0xa,
        }
    }

    pub(super) fn of_bits(bits: u8) -> Option<Opcode> {
        use Opcode::*;
        [Continuation, Text, Binary, Close, Ping, Pong]
            .into_iter()
            .find(|opcode| opcode.bits() == bits)
    }

    pub(super) fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

/// The head of a frame from a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) fin: bool,
    pub(super) opcode: Opcode,
    /// Bytes of the head itself, mask included.
    pub(super) len: usize,
    pub(super) payload: u64,
    pub(super) mask: [u8; 4],
}

/// The head at the front of `input`; `None` while incomplete; an error (RFC 6455, 5.1 to 5.5) as soon as it shows.
pub(super) fn head(input: &[u8]) -> Result<Option<Head>, &'static str> {
    let Some(([first, second], rest)) = input.split_first_chunk::<2>() else {
        return Ok(None);
    };
    if first & RESERVED != 0 {
        return Err("reserved bits");
    }
    let opcode = Opcode::of_bits(first & 0x0f).ok_or("unknown opcode")?;
    let fin = first & FIN != 0;
    if second & MASKED == 0 {
        return Err("not masked");
    }
    let short = u64::from(second & !MASKED);
    if opcode.is_control() && (short > CONTROL_MAX_BYTES || !fin) {
        return Err("long or fragmented control frame");
    }
    let (payload, extended) = match short {
        126 => match rest.first_chunk::<2>() {
            Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 2),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 8),
            None => return Ok(None),
        },
        _ => (short, 0),
    };
    let Some(mask) = rest
        .get(extended..)
        .and_then(|rest| rest.first_chunk::<4>())
    else {
        return Ok(None);
    };
    Ok(Some(Head {
        fin,
        opcode,
        len: 2 + extended + mask.len(),
        payload,
        mask: *mask,
    }))
}

/// Masks or unmasks `payload` (RFC 6455, 5.3), eight bytes at a time.
pub(super) fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Appends the head of an unfragmented frame; `mask` as clients must and servers must not have one.
pub(super) fn encode_head(
    opcode: Opcode,
    payload: usize,
    mask: Option<[u8; 4]>,
    out: &mut Vec<u8>,
) {
    out.push(FIN | opcode.bits());
    let masked = if mask.is_some() { MASKED } else { 0 };
    if let Some(short) = u8::try_from(payload).ok().filter(|short| *short < 126) {
        out.push(masked | short);
    } else if let Ok(length) = u16::try_from(payload) {
        out.push(masked | 126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(masked | 127);
        out.extend_from_slice(&(payload as u64).to_be_bytes());
    }
    out.extend_from_slice(mask.as_ref().map_or(&[], |mask| mask.as_slice()));
}

/// A control frame of the server.
pub(super) fn control(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + payload.len());
    encode_head(opcode, payload.len(), None, &mut out);
    out.extend_from_slice(payload);
    out
}

/// A close frame of the server, without a reason text.
pub(super) fn close(code: u16) -> Vec<u8> {
    control(Opcode::Close, &code.to_be_bytes())
}

/// The code to answer a close frame's payload with (RFC 6455, 5.5.1 and 7.4); an error is the code of the refusal.
pub(super) fn close_code(payload: &[u8]) -> Result<Option<u16>, u16> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Ok(None)
        } else {
            Err(CLOSE_PROTOCOL)
        };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(CLOSE_PROTOCOL);
    }
    if simdutf8::basic::from_utf8(reason).is_err() {
        return Err(CLOSE_BAD_TEXT);
    }
    Ok(Some(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_written() {
        for payload in [0, 1, 125, 126, 0xffff, 0x10000, 0x1_0000_0000] {
            let mut out = Vec::new();
            encode_head(Opcode::Binary, payload, Some([1, 2, 3, 4]), &mut out);
            for end in 0..out.len() {
                assert!(head(&out[..end]).unwrap().is_none());
            }
            let head = head(&out).unwrap().unwrap();
            assert_eq!(
                (head.payload, head.len, head.mask),
                (payload as u64, out.len(), [1, 2, 3, 4])
            );
            assert!(head.fin && head.opcode == Opcode::Binary);
        }
    }

    #[test]
    fn bad_heads_show_after_two_bytes() {
        for bytes in [
            [0x81, 0x01],
            [0xc1, 0x81],
            [0x91, 0x81],
            [0x83, 0x81],
            [0x8b, 0x81],
            [0x09, 0x81],
            [0x89, 0xfe],
        ] {
            assert!(head(&bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn the_mask_goes_around_every_four_bytes() {
        for len in 0..40u8 {
            let mut payload: Vec<u8> = (0..len).collect();
            apply_mask(&mut payload, [9, 8, 7, 6]);
            let naive: Vec<u8> = (0..len)
                .map(|at| at ^ [9, 8, 7, 6][usize::from(at) % 4])
                .collect();
            assert_eq!(payload, naive);
        }
    }

    #[test]
    fn close_payloads_are_checked() {
        assert_eq!(close_code(b""), Ok(None));
        assert_eq!(close_code(b"\x03\xe8bye"), Ok(Some(1000)));
        assert_eq!(close_code(b"\x03"), Err(CLOSE_PROTOCOL));
        assert_eq!(close_code(&1005u16.to_be_bytes()), Err(CLOSE_PROTOCOL));
        assert_eq!(close_code(&5000u16.to_be_bytes()), Err(CLOSE_PROTOCOL));
        assert_eq!(close_code(b"\x03\xe8\xff"), Err(CLOSE_BAD_TEXT));
    }
}
