//! Recorded dialogues: the form of `tests/transcripts/faf/*.jsonl`, and when a message is as recorded.
//!
//! One JSON object a line: `phase` begins a phase, `dir` says what else it is. Values that change from run to run are
//! words in angle brackets. Numbers are as recorded if they agree in all the digits that were written down.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

/// What one line says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Phase(String),
    /// A client sends a message.
    Send(String, Value),
    /// A client sends bytes beneath the framing, and whether it then sends nothing any more.
    Raw(String, Vec<u8>, bool),
    /// A client receives a message.
    Receive(String, Value),
    /// A connection ends, by whomever.
    Closed(String),
    /// A client goes away, of its own accord (in adaptations only).
    Leaves(String),
    /// Rows in the database, under a name.
    Rows(String, Value),
    /// A message on the exchange.
    Published(String, Value),
    /// An answer over HTTP: path, status, body.
    Http(String, u64, Value),
    /// The process ends with this code.
    Exit(i64),
    /// Some other fact.
    Note(Value),
}

/// An event and the number of its line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) event: Event,
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Vec<Line>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text.lines().enumerate().map(|(at, line)| {
        let number = at + 1;
        let event = parse(line).map_err(|error| format!("line {number}: {error}"))?;
        Ok(Line { number, event })
    });
    lines.collect()
}

/// One line.
pub(crate) fn parse(line: &str) -> Result<Event, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let text = |key: &str| {
        let text = value[key].as_str().map(str::to_owned);
        text.ok_or_else(|| format!("no text `{key}`"))
    };
    if value.get("phase").is_some() {
        return text("phase").map(Event::Phase);
    }
    match (value["dir"].as_str(), value.get("msg")) {
        (Some("c>s"), Some(message)) => Ok(Event::Send(text("client")?, message.clone())),
        (Some("c>s"), None) => {
            let bytes = whole(&text("raw")?, value["size"].as_u64().unwrap_or_default())?;
            let last = value["note"] == "no line end";
            Ok(Event::Raw(text("client")?, bytes, last))
        }
        (Some("s>c"), Some(message)) => Ok(Event::Receive(text("client")?, message.clone())),
        (Some("closed"), _) => text("client").map(Event::Closed),
        (Some("leaves"), _) => text("client").map(Event::Leaves),
        (Some("db"), _) => Ok(Event::Rows(text("name")?, value["rows"].clone())),
        (Some("mq"), _) => Ok(Event::Published(text("key")?, value["body"].clone())),
        (Some("http"), _) => Ok(Event::Http(
            text("path")?,
            value["status"].as_u64().unwrap_or_default(),
            value["body"].clone(),
        )),
        (Some("exit"), _) => Ok(Event::Exit(value["code"].as_i64().unwrap_or(-1))),
        (Some("note"), _) => Ok(Event::Note(value)),
        _ => Err(format!("can't read {line}")),
    }
}

/// Recorded bytes, one a character; of the longest only the beginning was kept: nested lists, or a long text.
fn whole(raw: &str, size: u64) -> Result<Vec<u8>, String> {
    let byte = |c: char| u8::try_from(u32::from(c)).map_err(|_| format!("{c} is no byte"));
    let mut bytes: Vec<u8> = raw.chars().map(byte).collect::<Result<_, _>>()?;
    let size = size as usize;
    if bytes.len() < size {
        let (head, fill) = match bytes.last() {
            Some(b'[') => (bytes.iter().position(|b| *b == b'['), b'['),
            Some(last) => (Some(bytes.len()), *last),
            None => (None, 0),
        };
        bytes.truncate(head.ok_or("nothing to go on with")?);
        if fill == b'[' {
            let depth = (size - bytes.len() - "}\n".len()) / 2;
            bytes.extend(std::iter::repeat_n(b'[', depth));
            bytes.extend(std::iter::repeat_n(b']', depth));
        } else {
            bytes.resize(size - "\"}\n".len(), fill);
            bytes.push(b'"');
        }
        bytes.extend(b"}\n");
    }
    if bytes.len() == size {
        Ok(bytes)
    } else {
        Err(format!("{} bytes instead of {size}", bytes.len()))
    }
}

/// Whether a value is as recorded. The same `<map of the pool>` is the same map all along.
pub(crate) fn same(recorded: &Value, value: &Value, terms: &mut Terms) -> bool {
    match (recorded, value) {
        (Value::String(word), _) if word.starts_with('<') && word.ends_with('>') => {
            of_kind(word, value, terms)
        }
        (Value::String(text), Value::String(found)) if text.contains("<map of the pool>") => {
            let (head, tail) = text.split_once("<map of the pool>").unwrap_or((text, ""));
            found.starts_with(head) && found.ends_with(tail)
        }
        (Value::Number(a), Value::Number(b)) => same_number(a, b, terms.slack),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, terms))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b, terms)))
        }
        _ => recorded == value,
    }
}

/// What values are compared with.
#[derive(Default)]
pub(crate) struct Terms {
    /// What stood for `<map of the pool>` the first time: its name, its id.
    pub(crate) maps: BTreeMap<&'static str, Value>,
    /// How far numbers with a fraction may be apart, beyond the digits that were not written down.
    pub(crate) slack: f64,
}

fn of_kind(word: &str, value: &Value, terms: &mut Terms) -> bool {
    match word {
        "<time>" => match value {
            Value::String(text) => {
                text.as_bytes().get(10) == Some(&b'T') && text.ends_with("+00:00")
            }
            Value::Number(seconds) => seconds.as_f64().is_some_and(|seconds| seconds > 1.0e9),
            _ => false,
        },
        "<session>" | "<id>" => value.is_u64(),
        "<seconds>" => value.is_number(),
        "<token>" => value.is_string(),
        "<map of the pool>" => {
            // A folder is named alone or as the archive it is in.
            let folder = value
                .as_str()
                .map(|text| text.trim_start_matches("maps/").trim_end_matches(".zip"));
            let kind = if folder.is_some() { "name" } else { "id" };
            let value = folder.map_or_else(|| value.clone(), Value::from);
            let earlier = terms.maps.entry(kind).or_insert_with(|| value.clone());
            *earlier == value
        }
        _ => value == word,
    }
}

/// Whole numbers are equal; others agree up to half of the last digit that was written down, at least four.
fn same_number(recorded: &serde_json::Number, value: &serde_json::Number, slack: f64) -> bool {
    let (Some(a), Some(b)) = (recorded.as_f64(), value.as_f64()) else {
        return false;
    };
    if !recorded.is_f64() || !value.is_f64() {
        return recorded == value;
    }
    let text = recorded.to_string();
    let digits = match text.split_once('.') {
        Some((_, "0")) | None => 4,
        Some((_, fraction)) => fraction.len() as i32,
    };
    (a - b).abs() <= 0.500001 * 10f64.powi(-digits) + slack
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_and_placeholders() {
        let mut terms = Terms::default();
        let mut fits = |a: Value, b: Value| same(&a, &b, &mut terms);
        assert!(fits(json!(2015.07), json!(2015.0689)));
        assert!(!fits(json!(2015.07), json!(2015.08)));
        assert!(fits(json!(1500.0), json!(1500.0)));
        assert!(
            !fits(json!(1500), json!(1500.0)),
            "whole numbers stay whole"
        );
        assert!(!fits(json!(1500.0), json!(1500.4)));
        assert!(fits(
            json!("<time>"),
            json!("2024-02-24T17:15:47.123456+00:00")
        ));
        assert!(!fits(json!("<time>"), json!(null)));
        assert!(fits(json!(["<map of the pool>"]), json!(["a"])));
        assert!(
            !fits(json!("<map of the pool>"), json!("b")),
            "the same map all along"
        );
        assert!(!fits(json!({"a":1}), json!({"a":1,"b":2})));
    }

    #[test]
    fn cut_bytes_are_made_whole() {
        assert_eq!(whole("{\"x\":[[", 11).unwrap(), b"{\"x\":[[]]}\n");
        assert!(whole("{\"x\":[[", 12).is_err());
        assert_eq!(whole("{\"x\":\"aa", 15).unwrap(), b"{\"x\":\"aaaaaa\"}\n");
        assert_eq!(whole("é\n", 2).unwrap(), b"\xe9\n");
    }
}
