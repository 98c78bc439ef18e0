//! Messages of this lobby as JSON and back, by the names of their fields: for recordings, which people read and edit. What has
//! no name keeps its number.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Every type with its fields: number, name, kind; `*` is a list. A field without a kind has the type of its name.
const TEXT: &str = include_str!("messages.schema");
/// Messages inside of messages are followed so far.
const DEPTH: usize = 24;

/// What a client says.
pub(super) const CONTAINER: &str = "CommandContainer";
/// What a server says.
pub(super) const SERVER_MESSAGE: &str = "ServerMessage";

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::parse(TEXT));

#[derive(Debug, Default)]
struct Schema {
    types: HashMap<&'static str, Vec<Field>>,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    number: u32,
    name: &'static str,
    list: bool,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unsigned,
    Signed,
    Zigzag,
    Truth,
    Text,
    Bytes,
    Double,
    Message(&'static str),
}

impl Schema {
    fn parse(text: &'static str) -> Schema {
        let mut schema = Schema::default();
        let mut name = "";
        for line in text.lines() {
            match line.strip_prefix(' ').map(|line| line.split(' ')) {
                None => {
                    name = line;
                    schema.types.insert(name, Vec::new());
                }
                Some(mut words) => {
                    let number = words.next().and_then(|number| number.parse().ok());
                    let (Some(number), Some(field)) = (number, words.next()) else {
                        continue;
                    };
                    let kind = words.next().unwrap_or(field);
                    let (list, kind) = match kind.strip_prefix('*') {
                        Some(kind) => (true, kind),
                        None => (false, kind),
                    };
                    schema.types.entry(name).or_default().push(Field {
                        number,
                        name: field,
                        list,
                        kind: Kind::of(kind),
                    });
                }
            }
        }
        schema
    }

    fn fields(&self, name: &str) -> &[Field] {
        self.types.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Kind {
    fn of(word: &'static str) -> Kind {
        match word {
            "u" => Kind::Unsigned,
            "i" => Kind::Signed,
            "z" => Kind::Zigzag,
            "b" => Kind::Truth,
            "s" => Kind::Text,
            "y" => Kind::Bytes,
            "d" => Kind::Double,
            message => Kind::Message(message),
        }
    }
}

/// A message of this type as JSON; `None` if it is none.
pub(super) fn decode(name: &str, bytes: &[u8]) -> Option<Value> {
    decode_at(name, bytes, 0)
}

fn decode_at(name: &str, bytes: &[u8], depth: usize) -> Option<Value> {
    if depth == DEPTH {
        return None;
    }
    let fields = SCHEMA.fields(name);
    let mut message = Map::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (number, raw) = take(&mut rest)?;
        let field = fields.iter().find(|field| field.number == number);
        let value = field.and_then(|field| read(field.kind, raw, depth));
        let (key, value, list) = match (field, value) {
            (Some(field), Some(value)) => (field.name.to_owned(), value, field.list),
            _ => (format!("#{number}"), raw.to_json(), true),
        };
        if list {
            let all = message.entry(key).or_insert_with(|| json!([]));
            all.as_array_mut()?.push(value);
        } else {
            message.insert(key, value);
        }
    }
    Some(Value::Object(message))
}

/// A field's value on the wire.
#[derive(Debug, Clone, Copy)]
enum Raw<'a> {
    Number(u64),
    Eight(u64),
    Four(u32),
    Block(&'a [u8]),
}

impl Raw<'_> {
    fn to_json(self) -> Value {
        match self {
            Raw::Number(number) => json!({"varint": number}),
            Raw::Eight(number) => json!({"fixed64": number}),
            Raw::Four(number) => json!({"fixed32": number}),
            Raw::Block(bytes) => json!({"base64": STANDARD.encode(bytes)}),
        }
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<(u32, Raw<'a>)> {
    let tag = varint(bytes)?;
    let number = u32::try_from(tag >> 3).ok()?;
    let mut cut = |length: usize| {
        let (head, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some(head)
    };
    let raw = match tag & 7 {
        0 => Raw::Number(varint(bytes)?),
        1 => Raw::Eight(u64::from_le_bytes(cut(8)?.try_into().ok()?)),
        5 => Raw::Four(u32::from_le_bytes(cut(4)?.try_into().ok()?)),
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            let (head, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Raw::Block(head)
        }
        _ => return None,
    };
    Some((number, raw))
}

fn read(kind: Kind, raw: Raw<'_>, depth: usize) -> Option<Value> {
    Some(match (kind, raw) {
        (Kind::Unsigned, Raw::Number(number)) => number.into(),
        (Kind::Signed, Raw::Number(number)) => (number as i64).into(),
        (Kind::Zigzag, Raw::Number(number)) => {
            ((number >> 1) as i64 ^ -((number & 1) as i64)).into()
        }
        (Kind::Truth, Raw::Number(number)) => (number != 0).into(),
        (Kind::Double, Raw::Eight(bits)) if f64::from_bits(bits).is_finite() => {
            f64::from_bits(bits).into()
        }
        (Kind::Text, Raw::Block(bytes)) => String::from_utf8_lossy(bytes).into(),
        (Kind::Bytes, Raw::Block(bytes)) => STANDARD.encode(bytes).into(),
        (Kind::Message(name), Raw::Block(bytes)) => decode_at(name, bytes, depth + 1)?,
        _ => return None,
    })
}

/// A message of this type from JSON. What has no place in it is left out.
pub(super) fn encode(name: &str, message: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let Some(values) = message.as_object() else {
        return out;
    };
    for field in SCHEMA.fields(name) {
        match values.get(field.name) {
            None => {}
            Some(Value::Array(all)) if field.list => {
                for value in all {
                    write(field, value, &mut out);
                }
            }
            Some(value) => write(field, value, &mut out),
        }
    }
    for (key, all) in values {
        let number = key.strip_prefix('#').and_then(|number| number.parse().ok());
        if let Some(number) = number {
            for value in all.as_array().into_iter().flatten() {
                write_unknown(number, value, &mut out);
            }
        }
    }
    out
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_number(field: u32, value: u64, out: &mut Vec<u8>) {
    put_varint(u64::from(field) << 3, out);
    put_varint(value, out);
}

fn put_block(field: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(u64::from(field) << 3 | 2, out);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn write(field: &Field, value: &Value, out: &mut Vec<u8>) {
    let number = field.number;
    match field.kind {
        Kind::Unsigned => put_number(number, value.as_u64().unwrap_or(0), out),
        Kind::Signed => put_number(number, value.as_i64().unwrap_or(0) as u64, out),
        Kind::Zigzag => {
            let signed = value.as_i64().unwrap_or(0);
            put_number(number, ((signed << 1) ^ (signed >> 63)) as u64, out);
        }
        Kind::Truth => put_number(number, value.as_bool().unwrap_or(false).into(), out),
        Kind::Text => put_block(number, value.as_str().unwrap_or("").as_bytes(), out),
        Kind::Bytes => put_block(number, &base64_of(value), out),
        Kind::Double => {
            put_varint(u64::from(number) << 3 | 1, out);
            out.extend_from_slice(&value.as_f64().unwrap_or(0.0).to_le_bytes());
        }
        Kind::Message(name) => put_block(number, &encode(name, value), out),
    }
}

fn write_unknown(number: u32, value: &Value, out: &mut Vec<u8>) {
    if let Some(value) = value["varint"].as_u64() {
        put_number(number, value, out);
    } else if let Some(bits) = value["fixed64"].as_u64() {
        put_varint(u64::from(number) << 3 | 1, out);
        out.extend_from_slice(&bits.to_le_bytes());
    } else if let Some(bits) = value["fixed32"].as_u64() {
        put_varint(u64::from(number) << 3 | 5, out);
        out.extend_from_slice(&(bits as u32).to_le_bytes());
    } else {
        put_block(number, &base64_of(&value["base64"]), out);
    }
}

fn base64_of(value: &Value) -> Vec<u8> {
    let bytes = value.as_str().map(|text| STANDARD.decode(text));
    bytes.and_then(Result::ok).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_those_of_the_specification() {
        // spec: cockatrice-wire 6.4
        for (bytes, expected) in [
            (
                &b"\x08\x01\xa2\x06\x03\xc2\x3e\x00"[..],
                json!({"cmd_id": 1, "session_command": [{"Command_Ping": {}}]}),
            ),
            (
                b"\x08\x04\xa0\x01\x00\xb2\x06\x07\xca\x3e\x04\x0a\x02\x68\x69",
                json!({"cmd_id": 4, "room_id": 0, "room_command": [{"Command_RoomSay": {"message": "hi"}}]}),
            ),
            (b"", json!({})),
        ] {
            let message = decode(CONTAINER, bytes).expect("a message");
            assert_eq!(message, expected);
            assert_eq!(encode(CONTAINER, &message), bytes);
        }
        let answer = decode(SERVER_MESSAGE, b"\x08\x00\x12\x04\x08\x01\x10\x01");
        let expected = json!({"message_type": 0, "response": {"cmd_id": 1, "response_code": 1}});
        assert_eq!(answer, Some(expected));
    }

    #[test]
    fn every_type_that_is_named_is_there() {
        for fields in SCHEMA.types.values() {
            for field in fields {
                if let Kind::Message(name) = field.kind {
                    assert!(SCHEMA.types.contains_key(name), "{name}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_message_keeps_its_meaning(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(message) = decode(SERVER_MESSAGE, &bytes) {
                let again = encode(SERVER_MESSAGE, &message);
                prop_assert_eq!(decode(SERVER_MESSAGE, &again), Some(message));
            }
        }
    }
}
