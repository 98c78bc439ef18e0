//! A piece of text that many messages contain, kept in every form it is sent in.

use std::cell::OnceCell;

use bytes::Bytes;

use super::Format;

/// Part of a message's body. Encoded at most once per format, however many receivers it has.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    text: Bytes,
    utf16: OnceCell<Bytes>,
}

impl Chunk {
    /// A chunk of pure ASCII text.
    pub fn new(text: impl Into<Bytes>) -> Self {
        Chunk {
            text: text.into(),
            utf16: OnceCell::new(),
        }
    }

    /// The text itself.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The bytes that stand in a message of `format` for this text.
    pub fn in_format(&self, format: Format) -> Bytes {
        match format {
            Format::QDataStream => self
                .utf16
                .get_or_init(|| {
                    let mut out = Vec::with_capacity(self.text.len() * 2);
                    format.encode_part(&self.text, &mut out);
                    out.into()
                })
                .clone(),
            _ => self.text.clone(),
        }
    }
}
