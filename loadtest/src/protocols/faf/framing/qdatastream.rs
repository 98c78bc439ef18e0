//! Blocks that hold a UTF-16BE string behind two lengths.
//!
//! spec: faf-wire 4

use super::{BULK, BULK_HEAD_BYTES, Frame, FramingError, Incoming, MAX_FRAME_BYTES, empty};

/// Length-prefixed blocks of UTF-16 strings.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Start of an unfinished block, its length included.
    carry: Vec<u8>,
    /// Bytes of a long list that came and were not kept.
    dropped: usize,
    cut: bool,
}

impl Blocks {
    pub(super) fn push(
        &mut self,
        mut rest: &[u8],
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> Result<(), FramingError> {
        while !rest.is_empty() {
            if self.carry.is_empty() && rest.len() >= 4 {
                let total = block_total(rest)?;
                if rest.len() >= total {
                    tell_block(&rest[4..total], false, sink)?;
                    rest = &rest[total..];
                    continue;
                }
            }
            if self.carry.len() < 4 {
                let take = rest.len().min(4 - self.carry.len());
                self.carry.extend_from_slice(&rest[..take]);
                rest = &rest[take..];
                if self.carry.len() < 4 {
                    return Ok(());
                }
            }
            let total = block_total(&self.carry)?;
            let take = rest.len().min(total - self.carry.len() - self.dropped);
            if self.cut {
                self.dropped += take;
            } else {
                self.carry.extend_from_slice(&rest[..take]);
            }
            rest = &rest[take..];
            if self.carry.len() + self.dropped == total {
                tell_block(&self.carry[4..], self.cut, sink)?;
                empty(&mut self.carry);
                self.dropped = 0;
                self.cut = false;
            } else if !self.cut
                && self.carry.len() >= 2 * BULK_HEAD_BYTES
                && is_bulk_wide(&self.carry[8..])
            {
                self.dropped = self.carry.len() - 2 * BULK_HEAD_BYTES;
                self.carry.truncate(2 * BULK_HEAD_BYTES);
                self.carry.shrink_to_fit();
                self.cut = true;
            }
        }
        Ok(())
    }
}

fn block_total(head: &[u8]) -> Result<usize, FramingError> {
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(FramingError::TooLong);
    }
    Ok(length + 4)
}

fn tell_block(
    block: &[u8],
    cut: bool,
    sink: &mut dyn FnMut(Incoming<'_>),
) -> Result<(), FramingError> {
    let (head, text) = block.split_at_checked(4).ok_or(FramingError::BadBlock)?;
    let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let text = if cut {
        text
    } else {
        text.get(..length).ok_or(FramingError::BadBlock)?
    };
    // spec: faf-wire 4.1: ping and pong are bare words here
    let frame = match text {
        [0, b'P', 0, b'I', 0, b'N', 0, b'G'] => narrow_frame(br#"{"command":"ping"}"#),
        [0, b'P', 0, b'O', 0, b'N', 0, b'G'] => narrow_frame(br#"{"command":"pong"}"#),
        _ => Frame {
            bytes: text,
            wide: true,
            cut,
        },
    };
    sink(Incoming::Message(frame));
    Ok(())
}

fn narrow_frame(bytes: &[u8]) -> Frame<'_> {
    Frame {
        bytes,
        wide: false,
        cut: false,
    }
}

/// Appends one message as a block.
pub(super) fn encode(json: &str, out: &mut Vec<u8>) {
    // spec: faf-wire 4.1, ping and pong have an encoding of their own
    let text = match json {
        r#"{"command":"ping"}"# => "PING",
        r#"{"command":"pong"}"# => "PONG",
        other => other,
    };
    let units = widen(text);
    let length = u32::try_from(units.len()).expect("a client's message is short");
    out.extend_from_slice(&(length + 4).to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&units);
}

fn is_bulk_wide(head: &[u8]) -> bool {
    BULK.iter().any(|start| {
        head.len() >= 2 * start.len()
            && head
                .chunks_exact(2)
                .zip(start.bytes())
                .all(|(unit, byte)| unit == [0, byte])
    })
}

pub(super) fn widen(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

pub(super) fn narrow(units: &[u8]) -> String {
    let units = units
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or('\u{fffd}'))
        .collect()
}
