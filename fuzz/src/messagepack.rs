//! Mail between nodes and state that is kept: what is read, written and read again is the same, and the library that writes it
//! reads nothing else from the same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wire::messagepack::from_slice;

/// Of everything something.
#[derive(Serialize, Deserialize)]
struct Letter {
    numbers: (u8, i64),
    floats: (f32, f64),
    flag: Option<bool>,
    text: String,
    letter: Option<char>,
    bytes: bytes::Bytes,
    items: Vec<Item>,
    map: BTreeMap<u32, Item>,
}

#[derive(Serialize, Deserialize)]
enum Item {
    Unit,
    Newtype(u16),
    Tuple(u8, Box<Option<Item>>),
    Fields { name: String, at: [i8; 2] },
}

/// Says itself what it is.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Any {
    Flag(bool),
    Number(u64),
    Negative(i64),
    Float(f64),
    Text(String),
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
}

pub(crate) fn run(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else {
        return;
    };
    match choice % 3 {
        0 => check::<Letter>(data),
        1 => check::<Vec<Item>>(data),
        _ => check::<Any>(data),
    }
}

fn check<T: Serialize + for<'de> Deserialize<'de>>(data: &[u8]) {
    let Ok(read) = from_slice::<T>(data) else {
        return;
    };
    let written = write(&read);
    let again = from_slice::<T>(&written).expect("what was written can be read");
    assert_eq!(write(&again), written);
    if let Ok(other) = rmp_serde::from_slice::<T>(data) {
        assert_eq!(write(&other), written);
    }
    let other = rmp_serde::from_slice::<T>(&written);
    let other = other.expect("the library reads what it writes");
    assert_eq!(write(&other), written);
}

fn write(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("plain data can be written")
}

/// An input that is a letter with something of everything.
pub(crate) fn seed() -> Vec<u8> {
    let fields = |name: &str| Item::Fields {
        name: name.to_owned(),
        at: [-1, 1],
    };
    let letter = Letter {
        numbers: (200, -70_000),
        floats: (0.5, 1e300),
        flag: Some(true),
        text: "x".repeat(40),
        letter: Some('ß'),
        bytes: vec![7; 300].into(),
        items: vec![
            Item::Unit,
            Item::Newtype(70),
            Item::Tuple(1, Box::new(Some(fields("name")))),
        ],
        map: (0..20).map(|n| (n * 1_000, fields("n"))).collect(),
    };
    [vec![0], write(&letter)].concat()
}
