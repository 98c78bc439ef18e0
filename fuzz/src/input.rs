//! An input as a sequence of choices. When it is used up every further choice is the first one, so that any bytes are an
//! input and a longer one continues a shorter.

/// What is left of an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Input(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; 0 behind the end.
    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_off_first() {
            Some(byte) => *byte,
            None => 0,
        }
    }

    /// One of `count`, which is at most 256.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count.max(1)
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A length that a byte or two say, and so many bytes, or as many as there are.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let len = match self.byte() {
            255 => usize::from(u16::from_be_bytes([self.byte(), self.byte()])),
            len => usize::from(len),
        };
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// What [`Input::bytes`] reads as these bytes, of which the first 65,535 count.
pub(crate) fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let len = bytes.len().min(usize::from(u16::MAX));
    match u8::try_from(len) {
        Ok(len) if len < 255 => out.push(len),
        _ => {
            out.push(255);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(&bytes[..len]);
}
