//! Messages that end in a newline.
//!
//! spec: faf-wire 3

use memchr::memchr;

use super::{BULK_HEAD_BYTES, Frame, FramingError, Incoming, MAX_FRAME_BYTES, empty, is_bulk};

/// Newline-separated text; also what a WebSocket's payload consists of.
#[derive(Debug, Default)]
pub(super) struct Lines {
    carry: Vec<u8>,
    cut: bool,
}

impl Lines {
    pub(super) fn push(
        &mut self,
        mut rest: &[u8],
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> Result<(), FramingError> {
        while let Some(end) = memchr(b'\n', rest) {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            if self.carry.is_empty() {
                tell_line(line, false, sink);
            } else {
                if !self.cut {
                    self.carry.extend_from_slice(line);
                }
                self.flush(sink);
            }
        }
        if rest.is_empty() || self.cut {
            return Ok(());
        }
        self.carry.extend_from_slice(rest);
        if self.carry.len() >= BULK_HEAD_BYTES && is_bulk(&self.carry) {
            self.carry.truncate(BULK_HEAD_BYTES);
            self.carry.shrink_to_fit();
            self.cut = true;
        }
        if self.carry.len() > MAX_FRAME_BYTES {
            return Err(FramingError::TooLong);
        }
        Ok(())
    }

    /// Hands on what is held, as one message.
    pub(super) fn flush(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) {
        tell_line(&self.carry, self.cut, sink);
        empty(&mut self.carry);
        self.cut = false;
    }
}

fn tell_line(line: &[u8], cut: bool, sink: &mut dyn FnMut(Incoming<'_>)) {
    let bytes = line.trim_ascii();
    if !bytes.is_empty() {
        sink(Incoming::Message(Frame {
            bytes,
            wide: false,
            cut,
        }));
    }
}
