//! What the library writes is read as it was, and whatever else comes is an error.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Id(u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(i64, String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(Option<Id>),
    Tuple(u8, Box<Shape>),
    Fields { name: String, at: (f64, f32) },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(i64),
    Text(String),
    Many(Vec<Either>),
    Map(BTreeMap<String, bool>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct All {
    numbers: (u8, u16, u32, u64, i8, i16, i32, i64),
    floats: (f32, f64),
    yes: bool,
    letter: char,
    text: String,
    bytes: bytes::Bytes,
    list: Vec<u16>,
    map: HashMap<u64, Vec<Shape>>,
    unit: ((), Nothing),
    pair: Option<Pair>,
    shape: Shape,
    either: Either,
    address: IpAddr,
}

fn written(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(value).unwrap()
}

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Unit),
        any::<Option<u32>>().prop_map(|id| Shape::Newtype(id.map(Id))),
        (".{0,40}", any::<i16>()).prop_map(|(name, n)| Shape::Fields {
            name,
            at: (f64::from(n), f32::from(n))
        }),
    ];
    leaf.prop_recursive(3, 8, 1, |inner| {
        (any::<u8>(), inner).prop_map(|(n, shape)| Shape::Tuple(n, Box::new(shape)))
    })
}

fn eithers() -> impl Strategy<Value = Either> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Either::Number),
        ".{0,300}".prop_map(Either::Text),
        prop::collection::btree_map("[a-z]{1,3}", any::<bool>(), 1..4).prop_map(Either::Map),
    ];
    leaf.prop_recursive(3, 20, 18, |inner| {
        prop::collection::vec(inner, 1..18).prop_map(Either::Many)
    })
}

fn values() -> impl Strategy<Value = All> {
    let map =
        prop::collection::hash_map(any::<u64>(), prop::collection::vec(shapes(), 0..3), 0..20);
    let plain = (
        any::<(u8, u16, u32, u64, i8, i16, i32, i64)>(),
        any::<(i16, i32)>(),
    );
    let texts = (
        any::<bool>(),
        any::<char>(),
        ".{0,300}",
        any::<Vec<u8>>(),
        any::<Vec<u16>>(),
    );
    let rest = (
        any::<Option<(i64, String)>>(),
        shapes(),
        eithers(),
        any::<IpAddr>(),
    );
    (plain, texts, map, rest).prop_map(
        |((numbers, (single, double)), (yes, letter, text, bytes, list), map, rest)| All {
            numbers,
            floats: (f32::from(single), f64::from(double)),
            yes,
            letter,
            text,
            bytes: bytes.into(),
            list,
            map,
            unit: ((), Nothing),
            pair: rest.0.map(|(n, text)| Pair(n, text)),
            shape: rest.1,
            either: rest.2,
            address: rest.3,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in values()) {
        let bytes = written(&value);
        prop_assert_eq!(from_slice::<All>(&bytes).unwrap(), value);
    }

    #[test]
    fn a_part_of_it_is_nothing(value in values(), at: prop::sample::Index) {
        let bytes = written(&value);
        prop_assert!(from_slice::<All>(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn whatever_comes_is_read_or_not(bytes: Vec<u8>) {
        let _ = from_slice::<Either>(&bytes);
        let _ = from_slice::<BTreeMap<Id, Shape>>(&bytes);
        let _ = from_slice::<de::IgnoredAny>(&bytes);
    }

    #[test]
    fn one_byte_that_is_another_is_survived(value in values(), at: prop::sample::Index, byte: u8) {
        let mut bytes = written(&value);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = from_slice::<All>(&bytes);
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Id {}

#[test]
fn numbers_of_every_length_are_read() {
    for exponent in 0..64 {
        for n in [(1_u64 << exponent) - 1, 1 << exponent] {
            assert_eq!(from_slice(&written(&n)), Ok(n));
            let below = n.cast_signed().wrapping_neg();
            assert_eq!(from_slice(&written(&below)), Ok(below));
        }
    }
    assert_eq!(from_slice(&written(&1.5_f32)), Ok(1.5_f64));
    assert!(from_slice::<u8>(&written(&256)).is_err());
    assert!(from_slice::<u8>(&written(&-1)).is_err());
    assert!(from_slice::<u8>(&written(&"1")).is_err());
}

#[test]
fn unknown_fields_are_passed_over() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Known {
        letter: char,
    }
    let shape = Shape::Tuple(
        1,
        Box::new(Shape::Fields {
            name: "x".repeat(70_000),
            at: (0.5, 0.25),
        }),
    );
    let all = All {
        numbers: (1, 2, 3, u64::MAX, -1, -200, -70_000, i64::MIN),
        floats: (0.5, 0.25),
        yes: true,
        letter: 'ß',
        text: String::new(),
        bytes: vec![7; 70_000].into(),
        list: (0..300).collect(),
        map: (0..70_000).map(|n| (n, vec![])).collect(),
        unit: ((), Nothing),
        pair: None,
        shape,
        either: Either::Text("x".repeat(300)),
        address: IpAddr::from([1; 16]),
    };
    let bytes = written(&all);
    assert_eq!(from_slice(&bytes), Ok(Known { letter: 'ß' }));
    assert_eq!(from_slice(&bytes), Ok(all));
}

#[test]
fn what_does_not_fit_is_said() {
    let read = from_slice::<Vec<u8>>;
    assert_eq!(read(&[]), Err(Error::Cut));
    assert_eq!(read(&[0x92, 1]), Err(Error::Cut));
    assert_eq!(read(&[0x91, 1, 1]), Err(Error::Rest));
    let wrong = Error::Kind {
        expected: "an array",
        found: 0x81,
    };
    assert_eq!(read(&[0x81, 1, 1]), Err(wrong));
    assert_eq!(from_slice::<(u8,)>(&[0x92, 1, 1]), Err(Error::Length));
    assert_eq!(from_slice::<String>(&[0xa1, 0xff]), Err(Error::Text));
    // As many as that there are not.
    assert_eq!(read(&[0xdd, 0xff, 0xff, 0xff, 0xff]), Err(Error::Cut));
    let unknown = from_slice::<Shape>(&written(&"Else"));
    assert!(unknown.unwrap_err().to_string().contains("`Else`"));
}

#[test]
fn depth_is_bounded() {
    let deep = [[0x91].repeat(100_000), vec![1]].concat();
    assert_eq!(from_slice::<de::IgnoredAny>(&deep).map(|_| ()), Ok(()));
    assert!(from_slice::<Either>(&deep).is_err());
    #[derive(Debug, Deserialize)]
    struct Deep(#[allow(dead_code, reason = "only read")] Vec<Deep>);
    assert!(matches!(from_slice::<Deep>(&deep), Err(Error::Depth)));
}
