//! Messages as JSON and back, by the schema's own names: a reading of the protocol that has nothing to do with the one that
//! is tested.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

const SCHEMA: &str = include_str!("../../../../cockatrice/messages.schema");

/// A field of a message.
#[derive(Clone, Debug)]
struct Field {
    name: String,
    kind: String,
    number: u32,
    repeated: bool,
}

/// What the schema says.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    messages: BTreeMap<String, Vec<Field>>,
    enums: BTreeMap<String, BTreeMap<i64, String>>,
    /// What extends a shell, by number.
    extensions: BTreeMap<String, BTreeMap<u32, String>>,
}

impl Schema {
    pub(crate) fn read() -> Schema {
        let mut schema = Schema::default();
        let (mut message, mut values) = (String::new(), String::new());
        for line in SCHEMA.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["enum", name] => values = name.to_owned(),
                ["shell" | "message", name] => {
                    message = name.to_owned();
                    schema.messages.insert(message.clone(), Vec::new());
                }
                ["message", name, "in", shell, "=", number] => {
                    message = name.to_owned();
                    schema.messages.insert(message.clone(), Vec::new());
                    let number = number.parse().expect("a number");
                    let extensions = schema.extensions.entry(shell.to_owned()).or_default();
                    extensions.insert(number, message.clone());
                }
                [
                    label @ ("optional" | "required" | "repeated"),
                    kind,
                    name,
                    "=",
                    number,
                    ..,
                ] => {
                    let field = Field {
                        name: name.to_owned(),
                        kind: kind.to_owned(),
                        number: number.parse().expect("a number"),
                        repeated: label == "repeated",
                    };
                    schema
                        .messages
                        .entry(message.clone())
                        .or_default()
                        .push(field);
                }
                [name, "=", number] => {
                    let number = number.parse().expect("a number");
                    let values = schema.enums.entry(values.clone()).or_default();
                    values.insert(number, name.to_owned());
                }
                _ => {}
            }
        }
        schema
    }

    /// The shell that a message extends, and its number there.
    pub(crate) fn shell_of(&self, message: &str) -> (&str, u32) {
        let found = self.extensions.iter().find_map(|(shell, all)| {
            let (number, _) = all.iter().find(|(_, name)| *name == message)?;
            Some((shell.as_str(), *number))
        });
        found.unwrap_or_else(|| panic!("nothing is called {message}"))
    }

    /// A message as JSON: fields by name, what extends a shell under its message's name.
    pub(crate) fn decode(&self, message: &str, mut bytes: &[u8]) -> Value {
        let fields = &self.messages[message];
        let mut object = Map::new();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes);
            let number = (tag >> 3) as u32;
            let (value, block): (u64, &[u8]) = match tag & 7 {
                0 => (varint(&mut bytes), &[]),
                1 => (
                    u64::from_le_bytes(take(&mut bytes, 8).try_into().expect("eight")),
                    &[],
                ),
                2 => {
                    let len = varint(&mut bytes) as usize;
                    (0, take(&mut bytes, len))
                }
                other => panic!("kind {other}"),
            };
            if let Some(field) = fields.iter().find(|field| field.number == number) {
                let value = match &*field.name {
                    "replay_data" => self.decode("GameReplay", block),
                    _ => self.value(&field.kind, value, block),
                };
                if field.repeated {
                    let list = object.entry(&field.name).or_insert_with(|| json!([]));
                    list.as_array_mut().expect("a list").push(value);
                } else {
                    object.insert(field.name.clone(), value);
                }
            } else {
                let extended = self
                    .extensions
                    .get(message)
                    .and_then(|all| all.get(&number));
                let extended = extended.unwrap_or_else(|| panic!("{message} has no {number}"));
                object.insert(spelt(extended), self.decode(extended, block));
            }
        }
        Value::Object(object)
    }

    fn value(&self, kind: &str, value: u64, block: &[u8]) -> Value {
        let signed = (value >> 1) as i64 ^ -((value & 1) as i64);
        match kind {
            "bool" => json!(value != 0),
            "string" => json!(String::from_utf8_lossy(block)),
            "bytes" => json!(format!("<{} bytes>", block.len())),
            "sint32" | "sint64" => json!(signed),
            "int32" | "int64" => json!(value as i64),
            "uint32" | "uint64" => json!(value),
            "double" => json!(f64::from_bits(value)),
            _ => match self.enums.get(kind) {
                Some(values) => json!(values[&(value as i64)]),
                None => self.decode(kind, block),
            },
        }
    }

    /// The bytes of a message that is given as JSON.
    pub(crate) fn encode(&self, message: &str, object: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in object.as_object().expect("an object") {
            let field = self.messages[message]
                .iter()
                .find(|field| field.name == *name);
            let Some(field) = field else {
                // What nobody knows is written as its number.
                if let Ok(number) = name.parse() {
                    block(&mut out, number, &[]);
                    continue;
                }
                let extended = name.replace('_', "");
                let (_, number) = self.shell_of(&extended);
                block(&mut out, number, &self.encode(&extended, value));
                continue;
            };
            match value {
                Value::Array(all) => all.iter().for_each(|one| self.put(&mut out, field, one)),
                one => self.put(&mut out, field, one),
            }
        }
        out
    }

    fn put(&self, out: &mut Vec<u8>, field: &Field, value: &Value) {
        let number = field.number;
        match (field.kind.as_str(), value) {
            ("bool", Value::Bool(flag)) => numeral(out, number, u64::from(*flag)),
            ("string", Value::String(text)) => block(out, number, text.as_bytes()),
            // Recorded as `<15 bytes>`.
            ("bytes", Value::String(text)) => {
                let count = text.trim_matches(['<', '>']).trim_end_matches(" bytes");
                block(out, number, &vec![7; count.parse().expect("a number")]);
            }
            ("double", value) => {
                push(out, u64::from(number) << 3 | 1);
                let value = value.as_f64().expect("a number");
                out.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            ("sint32", value) => {
                let value = value.as_i64().expect("a number");
                numeral(out, number, (value << 1 ^ value >> 63) as u64);
            }
            (_, Value::Number(value)) => numeral(out, number, value.as_u64().expect("a number")),
            (kind, value) => block(out, number, &self.encode(kind, value)),
        }
    }

    /// The kind of a message's field.
    pub(crate) fn kind(&self, message: &str, field: &str) -> &str {
        let found = self.messages[message]
            .iter()
            .find(|known| known.name == field);
        &found
            .unwrap_or_else(|| panic!("{message} has no {field}"))
            .kind
    }
}

/// A message's name with the underscore that it has in recorded dialogues.
fn spelt(name: &str) -> String {
    let heads = ["Event", "Response", "Command", "Context"];
    let head = heads.iter().find(|head| name.starts_with(**head));
    let head = head.expect("a known kind of message");
    format!("{head}_{}", &name[head.len()..])
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= u64::from(byte & 0x7f)
            .checked_shl(shift)
            .unwrap_or_default();
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn push(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn numeral(out: &mut Vec<u8>, number: u32, value: u64) {
    push(out, u64::from(number) << 3);
    push(out, value);
}

fn block(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    push(out, u64::from(number) << 3 | 2);
    push(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
