//! Blocks of several strings: what the reader splices into one text is what merging them one by one gives.

use serde_json::{Map, Value, json};
use wire::{Decoder, Format, ReadLimits, Scratch, Step, json::JsonReader};

use crate::input::Input;

/// What makes a string worth merging; further ones are any text.
const TEXTS: &[&str] = &[
    "{}",
    r#"{"command":"hello","login":"orion"}"#,
    r#"{"password":"x"}"#,
    r#" { "a" : {"b":[1]} } "#,
    r#"{"a":1,"a":2,"legacy":3}"#,
    "{\"\u{e9}\u{1f600}\":\"\\ud83d\"}",
    "[]",
    "[1]",
    "null",
    "tail",
    "\"{}\"",
    "PING",
    "PONG",
    "",
];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let tail = input.below(5);
    let mut texts = Vec::new();
    while !input.is_empty() && texts.len() < 40 {
        texts.push(match input.below(TEXTS.len() + 1).checked_sub(1) {
            Some(known) => TEXTS[known].to_owned(),
            None => String::from_utf8_lossy(input.bytes()).into_owned(),
        });
    }
    let mut block: Vec<u8> = texts.iter().flat_map(|text| string(text)).collect();
    block.extend(vec![0xff; tail]);
    let frame = [&(block.len() as u32).to_be_bytes(), block.as_slice()].concat();
    match (read(frame), texts.first().map(String::as_str)) {
        (None, first) => assert_eq!(first, None),
        (Some(text), Some("PING")) => assert_eq!(text, br#"{"command":"ping"}"#),
        (Some(text), Some("PONG")) => assert_eq!(text, br#"{"command":"pong"}"#),
        (Some(text), Some(first)) => match json(first) {
            Some(Value::Object(message)) => {
                assert_eq!(
                    json_of(&text),
                    Some(merged(message, &texts, tail)),
                    "{texts:?}"
                );
            }
            _ => assert_eq!(text, first.as_bytes()),
        },
        (Some(_), None) => panic!("a block without strings is a message"),
    }
}

fn string(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    [&(units.len() as u32).to_be_bytes(), units.as_slice()].concat()
}

/// The text of a block; `None` if there is no string in it.
fn read(mut frame: Vec<u8>) -> Option<Vec<u8>> {
    let there = frame.len();
    let mut decoder = Decoder::new(Format::QDataStream, false, false);
    match decoder.step(&mut frame, &mut Scratch::default(), &ReadLimits::default()) {
        Step::Frame { consumed, body } => {
            assert_eq!(consumed, there);
            Some(body.to_vec())
        }
        Step::Fail { .. } => None,
        other => panic!("{other:?}"),
    }
}

/// The strings after the first, merged into it as faf-wire 4.2 item 5 has it.
fn merged(mut message: Map<String, Value>, texts: &[String], tail: usize) -> Value {
    let mut legacy = Vec::new();
    for (at, text) in texts.iter().enumerate().skip(1) {
        // Four bytes at the end of the block are no string: an empty one is just as long.
        let last = at + 1 == texts.len();
        if (last && text.is_empty() && tail == 0) || *text == texts[0] {
            continue;
        }
        match json(text) {
            Some(Value::Object(members)) => message.extend(members),
            Some(Value::Array(elements)) if elements.is_empty() => {}
            _ => legacy.push(json!(text)),
        }
    }
    if !legacy.is_empty() {
        message.insert("legacy".into(), legacy.into());
    }
    Value::Object(message)
}

fn json(text: &str) -> Option<Value> {
    json_of(text.as_bytes())
}

fn json_of(text: &[u8]) -> Option<Value> {
    let mut text = text.to_vec();
    let mut reader = JsonReader::new();
    let doc = reader.parse(&mut text).ok()?;
    Some(doc.root().to_owned_json())
}
