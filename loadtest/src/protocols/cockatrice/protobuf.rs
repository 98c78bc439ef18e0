//! As much of Protocol Buffers as the messages of a lobby need, read and written field by field.

/// A message that is being written.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn new() -> Writer {
        Writer::default()
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// An unsigned number, a truth or an enum.
    pub(super) fn number(mut self, field: u32, value: u64) -> Writer {
        self.varint(u64::from(field) << 3);
        self.varint(value);
        self
    }

    /// A number that may be negative.
    pub(super) fn signed(self, field: u32, value: i32) -> Writer {
        let zigzag = (value << 1) ^ (value >> 31);
        self.number(field, u64::from(zigzag as u32))
    }

    /// A text, or a message.
    pub(super) fn block(mut self, field: u32, bytes: &[u8]) -> Writer {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Block(&'a [u8]),
}

/// A message, looked into.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Message<'a>(pub(super) &'a [u8]);

impl<'a> Message<'a> {
    /// Its fields in their order, up to what is no field.
    pub(super) fn fields(self) -> Fields<'a> {
        Fields(self.0)
    }

    /// The field's first message or text.
    pub(super) fn block(self, field: u32) -> Option<&'a [u8]> {
        self.fields().find_map(|(number, value)| match value {
            Value::Block(bytes) if number == field => Some(bytes),
            _ => None,
        })
    }

    pub(super) fn message(self, field: u32) -> Option<Message<'a>> {
        self.block(field).map(Message)
    }

    pub(super) fn number(self, field: u32) -> Option<u64> {
        self.fields().find_map(|(number, value)| match value {
            Value::Number(value) if number == field => Some(value),
            _ => None,
        })
    }

    pub(super) fn signed(self, field: u32) -> Option<i32> {
        let zigzag = self.number(field)? as u32;
        Some((zigzag >> 1) as i32 ^ -((zigzag & 1) as i32))
    }
}

#[derive(Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let tag = self.varint()?;
            let field = (tag >> 3) as u32;
            let length = match tag & 7 {
                0 => return Some((field, Value::Number(self.varint()?))),
                1 => 8,
                2 => usize::try_from(self.varint()?).ok()?,
                5 => 4,
                _ => return None,
            };
            let (bytes, rest) = self.0.split_at_checked(length)?;
            self.0 = rest;
            if tag & 7 == 2 {
                return Some((field, Value::Block(bytes)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let inner = Writer::new().signed(1, -3).number(200, 300);
        let bytes = Writer::new().block(100, &inner.0).number(2, 1).0;
        let message = Message(&bytes);
        let read = message.message(100).expect("a message");
        assert_eq!((read.signed(1), read.number(200)), (Some(-3), Some(300)));
        assert_eq!(message.number(2), Some(1));
        assert_eq!(message.number(3), None);
    }

    #[test]
    fn rubbish_ends_the_fields() {
        for bytes in [&b"\xff"[..], b"\x0a\x05ab", b"\x0b", &[0xff; 30]] {
            assert_eq!(Message(bytes).fields().count(), 0);
        }
    }
}
