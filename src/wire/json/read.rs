//! Reading: one parse, then look-ups in the parser's tape.
//!
//! The tape is a flat list of nodes in text order; a value is the part of the list that starts at its node. A shard
//! keeps one [`JsonReader`], whose buffers and tape serve every message, so that parsing allocates nothing once they
//! have grown. It must never keep anything of a text after its [`Doc`] is gone.

use std::mem;

use simd_json::{Buffers, Node, StaticNode, Tape};

use super::{
    tolerance::{CompatPass, without_mark},
    write,
};

/// Deepest nesting of arrays and objects that is accepted. The reference takes 500 and stops near 1000; no known message
/// nests deeper than 8. Recursion over a parsed text is bounded by it.
pub const MAX_DEPTH: usize = 1000;

/// The text is not JSON, not UTF-8, or nested deeper than [`MAX_DEPTH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON")]
pub struct NotJson;

/// Longest text whose buffers are kept for the next one.
const KEPT_BYTES: usize = 64 << 10;
/// Most nodes of a text whose tape is kept.
const KEPT_NODES: usize = 8 << 10;

/// A parser with its reusable buffers; one per shard.
pub struct JsonReader {
    buffers: Buffers,
    tape: Tape<'static>,
    tolerance: CompatPass,
    /// Length of the text that was parsed last.
    last_bytes: usize,
}

impl JsonReader {
    /// A reader with small buffers, which grow with the texts it sees; what a rare long one has made is given back.
    pub fn new() -> Self {
        JsonReader {
            buffers: Buffers::with_max_depth(4096, MAX_DEPTH),
            tape: Tape(Vec::new()),
            tolerance: CompatPass::default(),
            last_bytes: 0,
        }
    }

    /// Parses `text`, which is overwritten: strings of the document are slices of it, unescaped in place.
    ///
    /// Accepts what faf-wire 2.2 lists: white space, a byte order mark in front, duplicate keys, integers of any size
    /// (as floats from 2^64 up), lone surrogate escapes (read as U+FFFD), the bare words `NaN` (read as `0.0`)
    /// and `Infinity`, and numbers beyond all floats such as `1e400` (both read as the largest float), since a [`Value`]
    /// must stay a number that can be written again.
    pub fn parse<'a>(&'a mut self, text: &'a mut [u8]) -> Result<Doc<'a>, NotJson> {
        if self.last_bytes > KEPT_BYTES {
            self.buffers = Buffers::with_max_depth(4096, MAX_DEPTH);
            self.tolerance = CompatPass::default();
        }
        self.last_bytes = text.len();
        let JsonReader {
            buffers,
            tape: home,
            tolerance,
            ..
        } = self;
        let text = without_mark(text);
        let tape = if tolerance.prepare(text) {
            let tape = fill(text, buffers, home);
            // What is refused may be one of the few texts that need help. Parsing has overwritten it.
            if tape.is_none() && tolerance.rewrite_prepared() {
                fill(tolerance.rewritten(), buffers, home)
            } else {
                tape
            }
        } else {
            fill(tolerance.rewritten(), buffers, home)
        };
        tape.map(|tape| Doc { tape, home }).ok_or(NotJson)
    }
}

/// The nodes of `text` in the tape that is kept at `home`, which stays there if the text is refused.
fn fill<'t>(
    text: &'t mut [u8],
    buffers: &mut Buffers,
    home: &mut Tape<'static>,
) -> Option<Tape<'t>> {
    let mut tape = mem::replace(home, Tape(Vec::new())).reset();
    match simd_json::fill_tape(text, buffers, &mut tape) {
        Ok(()) if !tape.0.is_empty() => Some(tape),
        _ => {
            *home = tape.reset();
            None
        }
    }
}

impl Default for JsonReader {
    fn default() -> Self {
        JsonReader::new()
    }
}

impl std::fmt::Debug for JsonReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonReader").finish_non_exhaustive()
    }
}

/// A parsed text. Gives the tape's memory back to its reader when dropped.
#[derive(Debug)]
pub struct Doc<'a> {
    tape: Tape<'a>,
    home: &'a mut Tape<'static>,
}

impl Doc<'_> {
    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value(&self.tape.0)
    }
}

impl Drop for Doc<'_> {
    fn drop(&mut self) {
        if self.tape.0.capacity() <= KEPT_NODES {
            *self.home = mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        }
    }
}

/// One value of a parsed text: as cheap to copy as a slice.
#[derive(Clone, Copy, Debug)]
pub struct Value<'d>(&'d [Node<'d>]);

impl<'d> Value<'d> {
    /// The member `key` of an object; of several, the last (spec: faf-wire 2.2).
    pub fn get(&self, key: &str) -> Option<Value<'d>> {
        let mut found = None;
        for (name, value) in self.entries() {
            if name == key {
                found = Some(value);
            }
        }
        found
    }

    /// Whether this is an object.
    pub fn is_object(&self) -> bool {
        matches!(self.node(), Node::Object { .. })
    }

    /// Whether this is an array.
    pub fn is_array(&self) -> bool {
        matches!(self.node(), Node::Array { .. })
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.node(), Node::Static(StaticNode::Null))
    }

    /// Whether this is a number of any kind.
    pub fn is_number(&self) -> bool {
        matches!(
            self.node(),
            Node::Static(StaticNode::I64(_) | StaticNode::U64(_) | StaticNode::F64(_))
        )
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&'d str> {
        match self.node() {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// An integer that fits; a number written with a fraction or exponent is not one.
    pub fn as_i64(&self) -> Option<i64> {
        match self.node() {
            Node::Static(StaticNode::I64(number)) => Some(number),
            Node::Static(StaticNode::U64(number)) => i64::try_from(number).ok(),
            _ => None,
        }
    }

    /// An integer that fits and is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self.node() {
            Node::Static(StaticNode::I64(number)) => u64::try_from(number).ok(),
            Node::Static(StaticNode::U64(number)) => Some(number),
            _ => None,
        }
    }

    /// Any number, rounded to a float.
    pub fn as_f64(&self) -> Option<f64> {
        match self.node() {
            Node::Static(StaticNode::I64(number)) => Some(number as f64),
            Node::Static(StaticNode::U64(number)) => Some(number as f64),
            Node::Static(StaticNode::F64(number)) => Some(number),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        match self.node() {
            Node::Static(StaticNode::Bool(value)) => Some(value),
            _ => None,
        }
    }

    /// The elements of an array; nothing for other values.
    pub fn elements(&self) -> Elements<'d> {
        match self.node() {
            Node::Array { len, .. } => Elements {
                left: len,
                rest: &self.0[1..],
            },
            _ => Elements { left: 0, rest: &[] },
        }
    }

    /// The members of an object as written, duplicates included; nothing for other values.
    pub fn entries(&self) -> Entries<'d> {
        match self.node() {
            Node::Object { len, .. } => Entries {
                left: len,
                rest: &self.0[1..],
            },
            _ => Entries { left: 0, rest: &[] },
        }
    }

    /// Number of elements or members as written; of a string, its bytes; 0 for other values.
    pub fn len(&self) -> usize {
        match self.node() {
            Node::Array { len, .. } | Node::Object { len, .. } => len,
            Node::String(text) => text.len(),
            Node::Static(_) => 0,
        }
    }

    /// Whether [`Value::len`] is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The truth value the reference's language gives it: false for `null`, `false`, zero, and what is empty.
    pub fn truthy(&self) -> bool {
        match self.node() {
            Node::Static(StaticNode::Null) => false,
            Node::Static(StaticNode::Bool(value)) => value,
            Node::Static(_) => self.as_f64() != Some(0.0),
            _ => !self.is_empty(),
        }
    }

    /// Appends the value as JSON text in the server's form (spec: faf-wire 2.1), for relaying. Members keep their
    /// order, and duplicates stay.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self.node() {
            Node::Static(StaticNode::Null) => out.extend_from_slice(b"null"),
            Node::Static(StaticNode::Bool(true)) => out.extend_from_slice(b"true"),
            Node::Static(StaticNode::Bool(false)) => out.extend_from_slice(b"false"),
            Node::Static(StaticNode::I64(number)) => {
                out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
            Node::Static(StaticNode::U64(number)) => {
                out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
            Node::Static(StaticNode::F64(number)) => write::write_f64(number, out),
            Node::String(text) => write::write_text(text, out),
            Node::Array { .. } => {
                out.push(b'[');
                for (index, element) in self.elements().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    element.write(out);
                }
                out.push(b']');
            }
            Node::Object { .. } => {
                out.push(b'{');
                for (index, (key, value)) in self.entries().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write::write_text(key, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    /// A copy that outlives the text; of duplicate keys the last is kept.
    pub fn to_owned_json(&self) -> serde_json::Value {
        use serde_json::Value as Owned;
        match self.node() {
            Node::Static(StaticNode::Null) => Owned::Null,
            Node::Static(StaticNode::Bool(value)) => value.into(),
            Node::Static(StaticNode::I64(number)) => number.into(),
            Node::Static(StaticNode::U64(number)) => number.into(),
            Node::Static(StaticNode::F64(number)) => number.into(),
            Node::String(text) => text.into(),
            Node::Array { .. } => self
                .elements()
                .map(|element| element.to_owned_json())
                .collect(),
            Node::Object { .. } => Owned::Object(
                self.entries()
                    .map(|(key, value)| (key.to_owned(), value.to_owned_json()))
                    .collect(),
            ),
        }
    }

    fn node(&self) -> Node<'d> {
        self.0
            .first()
            .copied()
            .unwrap_or(Node::Static(StaticNode::Null))
    }
}

/// Nodes that the value at the front of `nodes` occupies.
fn span(nodes: &[Node<'_>]) -> usize {
    match nodes.first() {
        Some(Node::Object { count, .. } | Node::Array { count, .. }) => count + 1,
        _ => 1,
    }
}

/// Iterator over an array.
#[derive(Clone, Debug)]
pub struct Elements<'d> {
    left: usize,
    rest: &'d [Node<'d>],
}

impl<'d> Iterator for Elements<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        self.left = self.left.checked_sub(1)?;
        let value = Value(self.rest);
        self.rest = self.rest.get(span(self.rest)..)?;
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// Iterator over the members of an object.
#[derive(Clone, Debug)]
pub struct Entries<'d> {
    left: usize,
    rest: &'d [Node<'d>],
}

impl<'d> Iterator for Entries<'d> {
    type Item = (&'d str, Value<'d>);

    fn next(&mut self) -> Option<(&'d str, Value<'d>)> {
        self.left = self.left.checked_sub(1)?;
        let (key, rest) = self.rest.split_first()?;
        let Node::String(key) = key else { return None };
        self.rest = rest.get(span(rest)..)?;
        Some((key, Value(rest)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::to_json;

    /// Parses and writes again.
    fn relay(text: impl AsRef<[u8]>) -> Result<String, NotJson> {
        let mut text = text.as_ref().to_vec();
        let mut reader = JsonReader::new();
        let doc = reader.parse(&mut text)?;
        let mut out = Vec::new();
        doc.root().write(&mut out);
        Ok(String::from_utf8(out).expect("the writer gives ASCII"))
    }

    #[test]
    fn looks_up_fields() {
        let mut text =
            br#" {"command":"a","n":-3,"u":18446744073709551615,"f":2.5,"t":true,"z":null,
            "nested":{"command":"inner"},"args":[1,"two",[3],{}],"command":"\u00e9\n"} "#
                .to_vec();
        let mut reader = JsonReader::new();
        let doc = reader.parse(&mut text).unwrap();
        let root = doc.root();
        assert!(root.is_object() && root.truthy() && !root.is_array());
        assert_eq!(root.len(), 9);
        assert_eq!(
            root.get("command").unwrap().as_str(),
            Some("é\n"),
            "the last of two equal keys wins"
        );
        assert_eq!(root.get("n").unwrap().as_i64(), Some(-3));
        assert_eq!(root.get("n").unwrap().as_u64(), None);
        assert_eq!(root.get("u").unwrap().as_u64(), Some(u64::MAX));
        assert_eq!(root.get("u").unwrap().as_i64(), None);
        assert_eq!(root.get("f").unwrap().as_f64(), Some(2.5));
        assert_eq!(root.get("f").unwrap().as_i64(), None);
        assert_eq!(root.get("n").unwrap().as_f64(), Some(-3.0));
        assert_eq!(root.get("t").unwrap().as_bool(), Some(true));
        assert!(root.get("z").unwrap().is_null() && !root.get("z").unwrap().is_number());
        assert!(root.get("inner").is_none());
        let args: Vec<_> = root.get("args").unwrap().elements().collect();
        assert_eq!(args.len(), 4);
        assert_eq!(args[0].as_i64(), Some(1));
        assert_eq!(args[1].as_str(), Some("two"));
        assert_eq!(args[2].elements().next().unwrap().as_i64(), Some(3));
        assert!(args[3].is_object() && args[3].is_empty() && !args[3].truthy());
    }

    #[test]
    fn tolerates_what_the_reference_tolerates() {
        assert_eq!(relay("\u{feff} {\"a\" : 1}\r\n").unwrap(), r#"{"a":1}"#);
        assert_eq!(
            relay("[NaN, Infinity,-Infinity]").unwrap(),
            "[0.0,1.7976931348623157e+308,-1.7976931348623157e+308]"
        );
        assert_eq!(
            relay(r#"["NaN","-Infinity \\","\"NaN"]"#).unwrap(),
            r#"["NaN","-Infinity \\","\"NaN"]"#
        );
        assert_eq!(
            relay(r#"["\ud800","\udC00x","\uD83d\uDe00","\\ud800","\ud83dé"]"#).unwrap(),
            { r#"["\ufffd","\ufffdx","\ud83d\ude00","\\ud800","\ufffd\u00e9"]"# }
        );
        assert_eq!(
            relay("[123456789012345678901234567890]").unwrap(),
            "[1.2345678901234568e+29]"
        );
        assert_eq!(relay("[-0,01]").ok(), None);
        // A number beyond all floats ended the connection.
        let most = "1.7976931348623157e+308";
        assert_eq!(
            relay("[1e400,-1E+400 ,0.1e999]").unwrap(),
            format!("[{most},-{most},{most}]")
        );
        let long = "9".repeat(400);
        assert_eq!(
            relay(format!("[{long},-{long}]")).unwrap(),
            format!("[{most},-{most}]")
        );
        assert_eq!(
            relay("[-123456789012345678901234567890,1e-400]").unwrap(),
            "[-1.2345678901234568e+29,0.0]"
        );
        assert_eq!(
            relay(r#"["1e400\n\u00e9\ud800",1e400]"#).unwrap(),
            format!(r#"["1e400\n\u00e9\ufffd",{most}]"#)
        );
        assert_eq!(relay("7").unwrap(), "7");
        assert_eq!(relay("\"x\"").unwrap(), "\"x\"");
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "", " ", "nonsense", "{", "{}}", "[1,]", "{\"a\"}", "[1NaN]", "[NaN5]", "[-NaN]",
            "\"\\ud8", "\u{feff}",
        ] {
            assert_eq!(relay(text), Err(NotJson), "{text}");
        }
        assert_eq!(relay(b"\"\xff\""), Err(NotJson), "not UTF-8");
        assert_eq!(
            relay(b"\"\xed\xa0\x80 \\ud800\""),
            Err(NotJson),
            "an encoded surrogate, rewritten or not"
        );
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert!(relay(nested(MAX_DEPTH - 1)).is_ok());
            assert_eq!(relay(nested(MAX_DEPTH + 1)), Err(NotJson));
            assert_eq!(relay(nested(200_000)), Err(NotJson));
            assert_eq!(relay(open.repeat(200_000)), Err(NotJson));
        }
    }

    // One message of 10 MiB kept 172 MiB for good.
    #[test]
    fn what_a_long_text_took_is_given_back() {
        let mut reader = JsonReader::new();
        let long = format!("[{}0]", "[],".repeat(100_000));
        assert!(reader.parse(&mut long.into_bytes()).is_ok());
        assert!(reader.tape.0.capacity() <= KEPT_NODES);
        let words = format!("[{}NaN]", "0,".repeat(KEPT_BYTES));
        assert!(reader.parse(&mut words.into_bytes()).is_ok());
        assert!(reader.tolerance.kept_bytes() > KEPT_BYTES);
        assert!(reader.parse(&mut b"[]".to_vec()).is_ok());
        assert!(reader.tolerance.kept_bytes() <= KEPT_BYTES);
    }

    #[test]
    fn a_refused_text_leaves_the_reader_usable() {
        let mut reader = JsonReader::new();
        for _ in 0..3 {
            assert!(reader.parse(&mut b"[1,2,".to_vec()).is_err());
            assert_eq!(
                reader.parse(&mut b"[1,2]".to_vec()).unwrap().root().len(),
                2
            );
        }
    }

    #[test]
    fn truth_is_that_of_the_reference() {
        let mut text = br#"[null,false,0,0.0,-0.0,"",[],{}, true,1,0.1,"0",[0],{"":0}]"#.to_vec();
        let mut reader = JsonReader::new();
        let doc = reader.parse(&mut text).unwrap();
        let truths: Vec<bool> = doc.root().elements().map(|value| value.truthy()).collect();
        assert_eq!(truths, [[false; 8].as_slice(), &[true; 6]].concat());
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value as Owned;
        let leaf = prop_oneof![
            Just(Owned::Null),
            any::<bool>().prop_map(Owned::from),
            any::<i64>().prop_map(Owned::from),
            any::<u64>().prop_map(Owned::from),
            any::<f64>()
                .prop_filter("finite", |number| number.is_finite())
                .prop_map(Owned::from),
            any::<String>().prop_map(Owned::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Owned::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Owned::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn reads_what_we_write(value in any_json()) {
            let text = to_json(&value);
            let mut copy = text.clone();
            let mut reader = JsonReader::new();
            let doc = reader.parse(&mut copy).unwrap();
            prop_assert_eq!(&doc.root().to_owned_json(), &value);
            let mut again = Vec::new();
            doc.root().write(&mut again);
            prop_assert_eq!(again, text);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = relay(bytes);
        }

        #[test]
        fn any_tokens_are_survived(
            tokens in prop::collection::vec(prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"", "\\", "\\ud800", "\\uDC00", "NaN", "Infinity", "-", "1", "e5", " ", "é",
            ]), 0..40),
        ) {
            let text = tokens.concat();
            if let Ok(once) = relay(&text) {
                prop_assert_eq!(relay(&once).unwrap(), once);
            }
        }
    }
}
