//! Strict JSON (spec: vcmi-lobby2 2.1): no comments, trailing commas, duplicate members or `\u` escapes, few levels, nothing
//! behind the value.

/// Levels of objects and lists within each other.
const LEVELS: usize = 5;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::vcmi_json) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    /// In the order of the text; no name is there twice.
    Object(Vec<(String, Value)>),
}

/// The value that a text is; `None` if it is none.
pub(in crate::vcmi_json) fn read(bytes: &[u8]) -> Option<Value> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).ok()?;
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    let value = reader.value(0)?;
    reader.skip_space();
    (reader.at == text.len()).then_some(value)
}

struct Reader<'a> {
    text: &'a str,
    /// Always between two characters.
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn takes(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, level: usize) -> Option<Value> {
        match self.peek()? {
            b'{' if level < LEVELS => self.object(level + 1),
            b'[' if level < LEVELS => self.list(level + 1),
            b'"' => Some(Value::Text(self.string()?)),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => None,
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Option<Value> {
        let found = self.text.get(self.at..)?.starts_with(word);
        self.at += word.len();
        found.then_some(value)
    }

    fn object(&mut self, level: usize) -> Option<Value> {
        self.at += 1;
        let mut members: Vec<(String, Value)> = Vec::new();
        self.skip_space();
        if self.takes(b'}') {
            return Some(Value::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            self.skip_space();
            if !self.takes(b':') || members.len() >= MEMBERS {
                return None;
            }
            self.skip_space();
            let value = self.value(level)?;
            if members.iter().any(|(known, _)| *known == name) {
                return None;
            }
            members.push((name, value));
            self.skip_space();
            if self.takes(b'}') {
                return Some(Value::Object(members));
            }
            if !self.takes(b',') {
                return None;
            }
        }
    }

    fn list(&mut self, level: usize) -> Option<Value> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.takes(b']') {
            return Some(Value::List(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(level)?);
            self.skip_space();
            if self.takes(b']') {
                return Some(Value::List(items));
            }
            if !self.takes(b',') {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        if !self.takes(b'"') {
            return None;
        }
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..)?;
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ')?;
            out.push_str(rest.get(..plain)?);
            self.at += plain + 1;
            match rest.as_bytes().get(plain)? {
                b'"' => return Some(out),
                b'\\' => {
                    out.push(match self.peek()? {
                        b'"' => '"',
                        b'\\' => '\\',
                        b'/' => '/',
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        _ => return None,
                    });
                    self.at += 1;
                }
                _ => return None,
            }
        }
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - from
    }

    fn number(&mut self) -> Option<Value> {
        let from = self.at;
        self.takes(b'-');
        let zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || zero && whole > 1 {
            return None;
        }
        if self.takes(b'.') && self.digits() == 0 {
            return None;
        }
        if self.takes(b'e') || self.takes(b'E') {
            if !self.takes(b'+') {
                self.takes(b'-');
            }
            if self.digits() == 0 {
                return None;
            }
        }
        let number: f64 = self.text.get(from..self.at)?.parse().ok()?;
        Some(Value::Number(number))
    }
}

/// Members of one object. No message has as many; a search among them stays short.
const MEMBERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    /// checklist: vcmi-json 9, 10
    #[test]
    fn ordinary_json_is_read() {
        let text =
            "\u{feff} {\"a\" : [1, -2.5e1, true, null], \"b\\n\\/\\\"\" : {\"ż\" : \"ó\\t\"}} \r\n";
        let expected = Value::Object(vec![
            (
                "a".into(),
                Value::List(vec![
                    Value::Number(1.0),
                    Value::Number(-25.0),
                    Value::Bool(true),
                    Value::Null,
                ]),
            ),
            (
                "b\n/\"".into(),
                Value::Object(vec![("ż".into(), Value::Text("ó\t".into()))]),
            ),
        ]);
        assert_eq!(read(text.as_bytes()), Some(expected));
        assert_eq!(read(b"[[[[[]]]]]").map(|_| ()), Some(()));
        assert_eq!(read(b"{}"), Some(Value::Object(Vec::new())));
    }

    /// checklist: vcmi-json 9
    #[test]
    fn what_is_not_strict_is_not_read() {
        for text in [
            "",
            "{",
            "}",
            "[1,]",
            "{\"a\":1,}",
            "{'a':1}",
            "{\"a\":1,\"a\":2}",
            "[+1]",
            "[01]",
            "[1.]",
            "[.5]",
            "[1e]",
            "[\"\\u0041\"]",
            "[\"\\x\"]",
            "[\"\t\"]",
            "[\"a]",
            "[1] 2",
            "[1]//",
            "/**/[1]",
            "[[[[[[]]]]]]",
            "tru",
            "[nul]",
            "{\"a\" 1}",
            "{1:2}",
            "[1 2]",
            "-",
            "[\"a\\",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read(b"[\"\xff\"]"), None);
    }
}
