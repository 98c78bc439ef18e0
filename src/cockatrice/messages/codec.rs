//! Protocol Buffers' encoding: tags, varints, blocks (<https://protobuf.dev/programming-guides/encoding/>).

use super::raw::{self, varint, varint_len};

/// How deep messages may stand within one another, as in Google's own implementations.
const DEEPEST: u32 = 100;

/// These bytes are no message of the kind wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a message of this kind")
    }
}

impl std::error::Error for Malformed {}

/// A message of the schema.
pub trait Message<'a>: Default {
    /// Adds what these bytes say: later scalars replace, repeated fields are appended, messages merged.
    ///
    /// # Errors
    /// The bytes are no message, or nested too deep.
    fn merge(&mut self, bytes: &'a [u8], depth: u32) -> Result<(), Malformed>;

    /// Whether all that is required is there, in what it holds too.
    fn is_complete(&self) -> bool;

    /// How many bytes it is written in.
    fn encoded_len(&self) -> usize;

    /// Writes it, fields in the order of their numbers.
    fn encode(&self, out: &mut Vec<u8>);
}

/// The value of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// Of a kind that no field of the schema has.
    Other,
}

/// The fields of a message, one after the other.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    depth: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], depth: u32) -> Result<Self, Malformed> {
        if depth > DEEPEST {
            return Err(Malformed);
        }
        Ok(Reader { rest: bytes, depth })
    }

    /// The next field's number and value.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, kind) = self.tag()?;
        let value = match kind {
            0 => Value::Varint(read_varint(&mut self.rest)?),
            1 => Value::Fixed64(self.fixed64()?),
            2 => Value::Bytes(self.block()?),
            3 => self.skip_group(number)?,
            5 => {
                self.take(4)?;
                Value::Other
            }
            _ => return Err(Malformed),
        };
        Ok(Some((number, value)))
    }

    fn tag(&mut self) -> Result<(u32, u8), Malformed> {
        let tag = u32::try_from(read_varint(&mut self.rest)?).map_err(|_| Malformed)?;
        match tag >> 3 {
            0 => Err(Malformed),
            number => Ok((number, (tag & 7) as u8)),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn fixed64(&mut self) -> Result<u64, Malformed> {
        let bytes = self.take(8)?.try_into().map_err(|_| Malformed)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn block(&mut self) -> Result<&'a [u8], Malformed> {
        let length = read_varint(&mut self.rest)?;
        self.take(usize::try_from(length).map_err(|_| Malformed)?)
    }

    /// Groups are of another age: whatever is in one is passed over.
    fn skip_group(&mut self, number: u32) -> Result<Value<'a>, Malformed> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            let (number, kind) = self.tag()?;
            match kind {
                0 => drop(read_varint(&mut self.rest)?),
                1 => drop(self.take(8)?),
                2 => drop(self.block()?),
                3 if open.len() as u32 + self.depth < DEEPEST => open.push(number),
                4 if number == innermost => drop(open.pop()),
                5 => drop(self.take(4)?),
                _ => return Err(Malformed),
            }
        }
        Ok(Value::Other)
    }
}

/// Numbers of a repeated field that stand in one block.
pub(super) struct Packed<'a>(&'a [u8]);

impl<'a> Packed<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Packed(bytes)
    }

    pub(super) fn next(&mut self) -> Result<Option<u64>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        read_varint(&mut self.0).map(Some)
    }
}

fn read_varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for (index, &byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *rest = &rest[index + 1..];
            return Ok(value);
        }
    }
    Err(Malformed)
}

pub(super) fn zigzag(value: i32) -> u64 {
    u64::from(((value << 1) ^ (value >> 31)) as u32)
}

pub(super) fn unzigzag(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

pub(super) fn tag_len(number: u32) -> usize {
    varint_len(u64::from(number) << 3)
}

/// A block of so many bytes, with its length.
pub(super) fn block_len(len: usize) -> usize {
    varint_len(len as u64) + len
}

pub(super) fn put_double(out: &mut Vec<u8>, number: u32, value: f64) {
    varint(out, u64::from(number) << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_message<'a>(out: &mut Vec<u8>, number: u32, message: &impl Message<'a>) {
    raw::head(out, number, message.encoded_len());
    message.encode(out);
}
