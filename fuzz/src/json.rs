//! JSON text: what is read is written, what was written reads back the same, and `serde_json` agrees about what is JSON.

use std::cell::RefCell;

use serde_json::Value;
use wire::json::{JsonReader, MAX_DEPTH};

thread_local! {
    // As on a shard: its buffers are those of the text before.
    static READER: RefCell<JsonReader> = RefCell::default();
}

pub(crate) fn run(data: &[u8]) {
    READER.with_borrow_mut(|reader| check(reader, data));
}

fn check(reader: &mut JsonReader, data: &[u8]) {
    let (mut text, mut written) = (data.to_vec(), Vec::new());
    let read = match reader.parse(&mut text) {
        Ok(doc) => {
            doc.root().write(&mut written);
            Some(doc.root().to_owned_json())
        }
        Err(_) => None,
    };
    let other = serde_json::from_slice::<Value>(data);
    let Some(read) = read else {
        // It reads floats that are too large as an error, and no deeper than 128 levels, so it refuses more.
        assert!(
            other.is_err(),
            "refused: {:?}",
            String::from_utf8_lossy(data)
        );
        return;
    };
    assert!(written.is_ascii());
    let (mut again, mut rewritten) = (written.clone(), Vec::new());
    let doc = reader
        .parse(&mut again)
        .expect("what was written can be read");
    doc.root().write(&mut rewritten);
    assert_eq!(written, rewritten);
    match serde_json::from_slice::<Value>(&written) {
        Ok(value) => same(&read, &value),
        Err(error) => assert!(error.to_string().contains("recursion limit"), "{error}"),
    }
    if let Ok(other) = other {
        same(&read, &other);
    }
    const { assert!(MAX_DEPTH > 128) };
}

/// Both are the same, except that numbers may be of different kinds, and off by what `serde_json` rounds carelessly.
fn same(one: &Value, other: &Value) {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            let [a, b] = [a, b].map(|number| number.as_f64().expect("any number is a float"));
            assert!((a - b).abs() <= a.abs() * f64::EPSILON, "{a} is {b}");
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| same(a, b));
        }
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()), "{a:?} is {b:?}");
            a.values().zip(b.values()).for_each(|(a, b)| same(a, b));
        }
        _ => assert_eq!(one, other),
    }
}
