//! A scenario's script in this lobby. A message is a table by the numbers of fields, as the specification has them: texts are
//! blocks, whole numbers and truths are varints, `{ signed = -1 }` is a zigzag number, a list is a field several times, and a table
//! is a message. Containers go by their names as well.

use serde_json::Value as Json;

use super::messages::Commands;
use super::protobuf::{Message, Value, Writer};
use crate::connection::Connection;
use crate::scenario::{Heard, Voice};

/// Names of the fields of what is sent and of what comes.
const SENT: [(&str, u32); 7] = [
    ("game_id", 10),
    ("room_id", 20),
    ("session", 100),
    ("game", 101),
    ("room", 102),
    ("moderator", 103),
    ("admin", 104),
];
const HEARD: [(&str, u32); 4] = [
    ("response", 2),
    ("session_event", 3),
    ("game_events", 4),
    ("room_event", 5),
];

/// Where commands go.
pub(super) struct Speaker<'a> {
    pub(super) commands: &'a mut Commands,
    pub(super) connection: &'a mut Connection,
}

impl Voice for Speaker<'_> {
    fn say(&mut self, message: &Json) -> Result<u64, String> {
        let container = written(message)?;
        self.commands.send(self.connection.output(), container);
        Ok(self.commands.last_id())
    }

    fn is_backlogged(&self) -> bool {
        self.connection.is_backlogged()
    }

    fn slot(&self) -> usize {
        self.connection.slot
    }
}

fn number_of(name: &str, names: &[(&str, u32)]) -> Option<u32> {
    let known = names.iter().find(|(known, _)| *known == name);
    known.map_or_else(|| name.parse().ok(), |(_, number)| Some(*number))
}

/// A message out of a table.
fn written(message: &Json) -> Result<Writer, String> {
    let Json::Object(fields) = message else {
        return Err("messages of this protocol are tables by numbers of fields".to_owned());
    };
    let mut writer = Writer::new();
    for (name, value) in fields {
        let number = number_of(name, &SENT).filter(|number| *number > 0);
        let number = number.ok_or_else(|| format!("`{name}` is no number of a field"))?;
        let values = match value {
            Json::Array(values) => values,
            value => std::slice::from_ref(value),
        };
        for value in values {
            writer = field(writer, number, value)?;
        }
    }
    Ok(writer)
}

fn field(writer: Writer, number: u32, value: &Json) -> Result<Writer, String> {
    Ok(match value {
        Json::String(text) => writer.block(number, text.as_bytes()),
        Json::Bool(truth) => writer.number(number, u64::from(*truth)),
        Json::Number(value) => {
            // A negative int32 or int64 is as long as it can be.
            let whole = value.as_u64().or(value.as_i64().map(|value| value as u64));
            let whole = whole.ok_or_else(|| format!("{value} is no whole number"))?;
            writer.number(number, whole)
        }
        Json::Object(fields) => match (fields.get("signed").and_then(Json::as_i64), fields.len()) {
            (Some(value), 1) => {
                let value = i32::try_from(value).map_err(|_| format!("{value} is too large"))?;
                writer.signed(number, value)
            }
            _ => writer.block(number, &written(value)?.0),
        },
        Json::Null | Json::Array(_) => return Err("a list inside a list".to_owned()),
    })
}

impl Heard for Message<'_> {
    /// A path of numbers of fields; `+` before the last one reads a zigzag number. A field that is there several times is its
    /// first.
    fn at(&self, path: &[String]) -> Option<Json> {
        let (last, way) = path.split_last()?;
        let mut message = *self;
        for name in way {
            message = message.message(number_of(name, &HEARD)?)?;
        }
        if let Some(name) = last.strip_prefix('+') {
            return message.signed(name.parse().ok()?).map(Json::from);
        }
        let number = number_of(last, &HEARD)?;
        let mut fields = message.fields();
        fields.find_map(|(field, value)| match value {
            _ if field != number => None,
            Value::Number(value) => Some(value.into()),
            Value::Block(bytes) => Some(String::from_utf8_lossy(bytes).into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_a_message_and_back() {
        let table = json!({"room": {"1001": {"1": "hello"}}, "room_id": 0, "7": {"signed": -3}, "8": [1, 2]});
        let bytes = written(&table).expect("sound").0;
        let message = Message(&bytes);
        let at = |path: &str| {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            message.at(&path)
        };
        assert_eq!(at("102.1001.1"), Some(json!("hello")));
        assert_eq!(
            (at("20"), at("+7"), at("8")),
            (Some(json!(0)), Some(json!(-3)), Some(json!(1)))
        );
        assert_eq!((at("102.1001.2"), at("x")), (None, None));
    }

    #[test]
    fn what_is_no_message_is_told() {
        for no in [
            json!("text"),
            json!({"rom": 1}),
            json!({"0": 1}),
            json!({"1": 1.5}),
            json!({"1": [[1]]}),
        ] {
            assert!(written(&no).is_err(), "{no}");
        }
    }
}
