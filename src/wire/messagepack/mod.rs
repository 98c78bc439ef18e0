//! Reading MessagePack with field names, as `rmp_serde::encode::write_named` writes it: mail between nodes, and state that
//! is kept.
//!
//! Each type is asked for as what it is: a number where a number belongs, a map where a struct does. A reader that is ready
//! for anything everywhere is compiled anew for every field's type; for the hundreds of them here that was a quarter of the
//! whole program.
//!
//! | serde's | MessagePack's |
//! |---|---|
//! | bool, integers, floats, `char`, text | the same; `char` is text |
//! | bytes | binary, or an array of numbers |
//! | unit, `None` | nil |
//! | `Some`, newtype | what is inside; so `Some(None)` is `None` |
//! | unit struct | an empty array, or nil |
//! | sequence, tuple | array, whose length is that of what is read |
//! | map, struct | map; fields that nobody knows are passed over |
//! | enum | the variant's name, or a map of one entry from it to what it has |
//!
//! Bytes from outside are input: whatever they are, reading them ends in a value or in an [`Error`], and takes no more memory
//! than the value and a few bytes for each of theirs.

use std::{fmt, ops::RangeInclusive, str};

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

/// How deep values may be within each other.
const DEPTH: u16 = 256;

/// Why bytes are no value of the type that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The value goes on behind their end.
    #[error("ended within a value")]
    Cut,
    /// The value ends before they do.
    #[error("something follows the value")]
    Rest,
    /// Another kind of value, by its first byte.
    #[error("expected {expected}, found {found:#04x}")]
    Kind {
        /// What the type asks for.
        expected: &'static str,
        /// What begins the value.
        found: u8,
    },
    /// An array or a map has more elements than the type takes.
    #[error("more elements than the type has")]
    Length,
    /// Text that is no UTF-8.
    #[error("text is no UTF-8")]
    Text,
    /// Values within each other, too deep.
    #[error("nested deeper than {DEPTH}")]
    Depth,
    /// What the type says.
    #[error("{0}")]
    Type(String),
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Error::Type(text.to_string())
    }
}

/// Reads a value, which is all of `bytes`.
///
/// # Errors
/// [`Error`]: they are no such value.
pub fn from_slice<'de, T: de::Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Error> {
    let mut reader = Reader {
        rest: bytes,
        depth: 0,
    };
    let value = T::deserialize(&mut reader)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(Error::Rest)
    }
}

/// First bytes of values (MessagePack specification, "Formats").
mod marker {
    pub(super) const NIL: u8 = 0xc0;
    pub(super) const FALSE: u8 = 0xc2;
    pub(super) const TRUE: u8 = 0xc3;
    pub(super) const BIN8: u8 = 0xc4;
    pub(super) const BIN32: u8 = 0xc6;
    pub(super) const F32: u8 = 0xca;
    pub(super) const F64: u8 = 0xcb;
    pub(super) const U8: u8 = 0xcc;
    pub(super) const U16: u8 = 0xcd;
    pub(super) const U32: u8 = 0xce;
    pub(super) const U64: u8 = 0xcf;
    pub(super) const I8: u8 = 0xd0;
    pub(super) const I16: u8 = 0xd1;
    pub(super) const I32: u8 = 0xd2;
    pub(super) const I64: u8 = 0xd3;
    pub(super) const STR8: u8 = 0xd9;
    pub(super) const STR32: u8 = 0xdb;
    pub(super) const ARRAY16: u8 = 0xdc;
    pub(super) const ARRAY32: u8 = 0xdd;
    pub(super) const MAP16: u8 = 0xde;
    pub(super) const MAP32: u8 = 0xdf;
    /// The largest number that is its own first byte.
    pub(super) const LARGEST: u8 = 0x7f;
    /// The first byte of an empty map, of one with fifteen entries; and so on.
    pub(super) const MAP: u8 = 0x80;
    pub(super) const MAP_END: u8 = 0x8f;
    pub(super) const ARRAY: u8 = 0x90;
    pub(super) const ARRAY_END: u8 = 0x9f;
    pub(super) const STR: u8 = 0xa0;
    pub(super) const STR_END: u8 = 0xbf;
    /// The first of the negative numbers that are their own first byte.
    pub(super) const NEGATIVE: u8 = 0xe0;
}

/// A number as it is written.
enum Number {
    Unsigned(u64),
    Signed(i64),
    Single(f32),
    Double(f64),
}

struct Reader<'de> {
    rest: &'de [u8],
    /// How deep it is.
    depth: u16,
}

impl<'de> Reader<'de> {
    fn peek(&self) -> Result<u8, Error> {
        self.rest.first().copied().ok_or(Error::Cut)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Error::Cut)?;
        self.rest = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_be_bytes)
    }

    fn take(&mut self, length: u32) -> Result<&'de [u8], Error> {
        let length = usize::try_from(length).map_err(|_| Error::Cut)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Error::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A length of 1, 2 or 4 bytes, for the first, second and third of markers in a row.
    fn length(&mut self, marker: u8, first: u8) -> Result<u32, Error> {
        match marker - first {
            0 => self.byte().map(u32::from),
            1 => self.array().map(u16::from_be_bytes).map(u32::from),
            _ => self.array().map(u32::from_be_bytes),
        }
    }

    fn number(&mut self) -> Result<Number, Error> {
        let marker = self.byte()?;
        let signed = |n: i64| u64::try_from(n).map_or(Number::Signed(n), Number::Unsigned);
        Ok(match marker {
            0..=marker::LARGEST => Number::Unsigned(u64::from(marker)),
            marker::NEGATIVE.. => Number::Signed(i64::from(marker.cast_signed())),
            marker::U8 => Number::Unsigned(u64::from(self.byte()?)),
            marker::U16 => Number::Unsigned(u64::from(u16::from_be_bytes(self.array()?))),
            marker::U32 => Number::Unsigned(u64::from(u32::from_be_bytes(self.array()?))),
            marker::U64 => Number::Unsigned(u64::from_be_bytes(self.array()?)),
            marker::I8 => signed(i64::from(i8::from_be_bytes(self.array()?))),
            marker::I16 => signed(i64::from(i16::from_be_bytes(self.array()?))),
            marker::I32 => signed(i64::from(i32::from_be_bytes(self.array()?))),
            marker::I64 => signed(i64::from_be_bytes(self.array()?)),
            marker::F32 => Number::Single(f32::from_be_bytes(self.array()?)),
            marker::F64 => Number::Double(f64::from_be_bytes(self.array()?)),
            found => return Err(kind("a number", found)),
        })
    }

    fn text(&mut self) -> Result<&'de str, Error> {
        let marker = self.byte()?;
        let length = match marker {
            marker::STR..=marker::STR_END => u32::from(marker - marker::STR),
            marker::STR8..=marker::STR32 => self.length(marker, marker::STR8)?,
            found => return Err(kind("text", found)),
        };
        str::from_utf8(self.take(length)?).map_err(|_| Error::Text)
    }

    fn binary(&mut self) -> Result<&'de [u8], Error> {
        let marker = self.byte()?;
        match marker {
            marker::BIN8..=marker::BIN32 => {
                let length = self.length(marker, marker::BIN8)?;
                self.take(length)
            }
            found => Err(kind("bytes", found)),
        }
    }

    /// The number of an array's elements.
    fn elements(&mut self) -> Result<u32, Error> {
        self.count(
            marker::ARRAY..=marker::ARRAY_END,
            marker::ARRAY16,
            "an array",
        )
    }

    /// The number of a map's entries.
    fn entries(&mut self) -> Result<u32, Error> {
        self.count(marker::MAP..=marker::MAP_END, marker::MAP16, "a map")
    }

    /// How many there are: the marker says it itself, or 2 bytes behind `longer` do, or 4 behind the marker after that.
    fn count(
        &mut self,
        few: RangeInclusive<u8>,
        longer: u8,
        expected: &'static str,
    ) -> Result<u32, Error> {
        let marker = self.byte()?;
        if few.contains(&marker) {
            Ok(u32::from(marker - few.start()))
        } else if marker == longer {
            self.array().map(u16::from_be_bytes).map(u32::from)
        } else if marker == longer + 1 {
            self.array().map(u32::from_be_bytes)
        } else {
            Err(kind(expected, marker))
        }
    }

    /// Passes over a value, and whatever is in it.
    fn pass_over(&mut self) -> Result<(), Error> {
        let mut left = 1_u64;
        while left > 0 {
            left -= 1;
            match self.peek()? {
                marker::NIL | marker::FALSE | marker::TRUE => {
                    self.byte()?;
                }
                marker::STR..=marker::STR_END | marker::STR8..=marker::STR32 => {
                    self.text()?;
                }
                marker::BIN8..=marker::BIN32 => {
                    self.binary()?;
                }
                marker::ARRAY..=marker::ARRAY_END | marker::ARRAY16 | marker::ARRAY32 => {
                    left += u64::from(self.elements()?);
                }
                marker::MAP..=marker::MAP_END | marker::MAP16 | marker::MAP32 => {
                    left += 2 * u64::from(self.entries()?);
                }
                _ => {
                    self.number()?;
                }
            }
        }
        Ok(())
    }

    /// One deeper, for as long as something within is read.
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == DEPTH {
            return Err(Error::Depth);
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn visit_number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        match self.number()? {
            Number::Unsigned(n) => visitor.visit_u64(n),
            Number::Signed(n) => visitor.visit_i64(n),
            Number::Single(n) => visitor.visit_f32(n),
            Number::Double(n) => visitor.visit_f64(n),
        }
    }

    fn visit_elements<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        let left = self.elements()?;
        self.within(|reader| {
            let mut elements = Elements { reader, left };
            let value = visitor.visit_seq(&mut elements)?;
            finished(elements.left)?;
            Ok(value)
        })
    }

    fn visit_entries<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        let left = self.entries()?;
        self.within(|reader| {
            let mut entries = Elements { reader, left };
            let value = visitor.visit_map(&mut entries)?;
            finished(entries.left)?;
            Ok(value)
        })
    }
}

fn kind(expected: &'static str, found: u8) -> Error {
    Error::Kind { expected, found }
}

fn finished(left: u32) -> Result<(), Error> {
    if left == 0 {
        Ok(())
    } else {
        Err(Error::Length)
    }
}

/// Number by number: what asks for one does not look at what else there could be.
macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.visit_number(visitor)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    numbers! {
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_f32 deserialize_f64
    }

    /// For what says only when it sees it what it is.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek()? {
            marker::NIL => self.deserialize_unit(visitor),
            marker::FALSE | marker::TRUE => self.deserialize_bool(visitor),
            marker::STR..=marker::STR_END | marker::STR8..=marker::STR32 => {
                self.deserialize_str(visitor)
            }
            marker::BIN8..=marker::BIN32 => visitor.visit_borrowed_bytes(self.binary()?),
            marker::ARRAY..=marker::ARRAY_END | marker::ARRAY16 | marker::ARRAY32 => {
                self.visit_elements(visitor)
            }
            marker::MAP..=marker::MAP_END | marker::MAP16 | marker::MAP32 => {
                self.visit_entries(visitor)
            }
            _ => self.visit_number(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.byte()? {
            marker::FALSE => visitor.visit_bool(false),
            marker::TRUE => visitor.visit_bool(true),
            found => Err(kind("true or false", found)),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek()? {
            marker::BIN8..=marker::BIN32 => visitor.visit_borrowed_bytes(self.binary()?),
            _ => self.visit_elements(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek()? == marker::NIL {
            self.byte()?;
            return visitor.visit_none();
        }
        self.within(|reader| visitor.visit_some(reader))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.byte()? {
            marker::NIL | marker::ARRAY => visitor.visit_unit(),
            found => Err(kind("nothing", found)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.within(|reader| visitor.visit_newtype_struct(reader))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit_elements(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.visit_elements(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.visit_elements(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.visit_entries(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.visit_entries(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.peek()? {
            marker::STR..=marker::STR_END | marker::STR8..=marker::STR32 => {
                let name: de::value::BorrowedStrDeserializer<'de, Error> =
                    de::value::BorrowedStrDeserializer::new(self.text()?);
                visitor.visit_enum(name)
            }
            _ if self.entries()? == 1 => self.within(|reader| visitor.visit_enum(Entry { reader })),
            _ => Err(Error::Length),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.pass_over()?;
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// What is left of an array, or of a map.
struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    left: u32,
}

impl Elements<'_, '_> {
    fn next(&mut self) -> bool {
        let has_one = self.left > 0;
        self.left -= u32::from(has_one);
        has_one
    }

    /// How many there can be: each takes a byte at least.
    fn at_most(&self) -> usize {
        usize::try_from(self.left).map_or(usize::MAX, |left| left.min(self.reader.rest.len()))
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.next() {
            seed.deserialize(&mut *self.reader).map(Some)
        } else {
            Ok(None)
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.at_most())
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    fn next_key_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.next() {
            seed.deserialize(&mut *self.reader).map(Some)
        } else {
            Ok(None)
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.at_most())
    }
}

/// A variant that has something: the one entry of a map.
struct Entry<'a, 'de> {
    reader: &'a mut Reader<'de>,
}

impl<'de> de::EnumAccess<'de> for Entry<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = seed.deserialize(self.reader.text()?.into_deserializer())?;
        Ok((name, self))
    }
}

impl<'de> de::VariantAccess<'de> for Entry<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        de::Deserialize::deserialize(self.reader)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.reader.visit_elements(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.reader.visit_entries(visitor)
    }
}

#[cfg(test)]
mod tests;
