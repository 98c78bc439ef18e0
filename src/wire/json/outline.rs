//! What can be known of a text before it is parsed: a member of the outermost object, and how many values there are.
//!
//! Parsing costs by the value, some tens of nanoseconds each, and a text of some MiB may have millions. This goes over the
//! bytes once, as far as it is asked to, and keeps nothing. It must never decide whether a text is JSON: of what is not, it
//! says anything.

use memchr::memchr2;

/// A text, as far as it was gone over.
#[derive(Clone, Debug)]
pub struct Outline<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    values: usize,
}

impl<'a> Outline<'a> {
    /// Of a text of which nothing was looked at.
    pub fn new(text: &'a [u8]) -> Self {
        Outline {
            text,
            at: 0,
            depth: 0,
            values: 0,
        }
    }

    /// The text of the outermost object's next member `key`, as it is written between its quotes; empty if it is no string.
    /// None: there is no such member in what is left.
    pub fn member(&mut self, key: &str) -> Option<&'a [u8]> {
        self.go(Some(key.as_bytes()), usize::MAX)
    }

    /// Whether the whole text has at most so many values, keys and brackets.
    pub fn has_at_most(&mut self, values: usize) -> bool {
        self.go(None, values);
        self.values <= values
    }

    fn go(&mut self, key: Option<&[u8]>, most: usize) -> Option<&'a [u8]> {
        while self.values <= most
            && let Some(&byte) = self.text.get(self.at)
        {
            self.at += 1;
            match byte {
                b'"' => {
                    let string = self.string();
                    if self.depth == 1 && key == Some(string) && self.takes(b':') {
                        self.values += 1;
                        let is_text = self.takes(b'"');
                        return Some(if is_text { self.string() } else { b"" });
                    }
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    self.values += 1;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b',' | b':' => self.values += 1,
                _ => {}
            }
        }
        None
    }

    /// The string that begins here, behind its first quote; goes behind its last one.
    fn string(&mut self) -> &'a [u8] {
        let start = self.at;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(found) = memchr2(b'"', b'\\', rest) else {
                self.at = self.text.len();
                return &self.text[start..];
            };
            let end = self.at + found;
            if self.text[end] == b'"' {
                self.at = end + 1;
                return &self.text[start..end];
            }
            self.at = (end + 2).min(self.text.len());
        }
    }

    /// Goes behind `byte`, if it is what comes next after white space.
    fn takes(&mut self, byte: u8) -> bool {
        let rest = &self.text[self.at..];
        let spaces = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
        let spaces = spaces.count();
        let is_next = rest.get(spaces) == Some(&byte);
        if is_next {
            self.at += spaces + 1;
        }
        is_next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn command(text: &str) -> Option<&str> {
        let found = Outline::new(text.as_bytes()).member("command")?;
        std::str::from_utf8(found).ok()
    }

    #[test]
    fn a_member_is_found_wherever_it_stands() {
        for (text, found) in [
            (r#"{"command":"ping"}"#, Some("ping")),
            (
                " { \"x\" : [1,{\"command\":\"no\"}] , \"command\" :\n\"a\\\"b\" }",
                Some("a\\\"b"),
            ),
            (
                r#"{"x":"command","y":"\"command\":\"no\"","command":"z"}"#,
                Some("z"),
            ),
            (r#"{"command":7}"#, Some("")),
            (r#"{"x":{"command":"no"}}"#, None),
            (r#"[{"command":"no"}]"#, None),
            (r#"{"command"}"#, None),
            (r#"{"command":"#, Some("")),
            (r#"{"command":"open"#, Some("open")),
            (r#"{"command":"open\"#, Some("open\\")),
            ("nonsense", None),
        ] {
            assert_eq!(command(text), found, "{text}");
        }
        let text = br#"{"command":"a","command":"b"}"#;
        let mut outline = Outline::new(text);
        assert_eq!(outline.member("command"), Some(&b"a"[..]));
        assert_eq!(outline.member("command"), Some(&b"b"[..]));
        assert_eq!(outline.member("command"), None);
    }

    #[test]
    fn values_are_counted_outside_of_strings() {
        let count =
            |text: &str| (0..).find(|&most| Outline::new(text.as_bytes()).has_at_most(most));
        assert_eq!(count("7"), Some(0));
        assert_eq!(count("[1,2,3]"), Some(3));
        assert_eq!(count(r#"{"a":[],"b":"[,,,:]"}"#), Some(5));
        let mut outline = Outline::new(br#"{"command":"x","y":[1,2]}"#);
        assert!(outline.member("command").is_some());
        assert!(
            outline.clone().has_at_most(6),
            "what was passed counts once"
        );
        assert!(!outline.has_at_most(5));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_parser(
            members in prop::collection::vec((prop::sample::select(vec!["a", "command", "b\"", ""]), any::<String>()), 0..6),
        ) {
            let mut text = Vec::from(*b"{");
            for (at, (key, value)) in members.iter().enumerate() {
                text.extend_from_slice(if at > 0 { b"," } else { b"" });
                super::super::write_text(key, &mut text);
                text.push(b':');
                super::super::write_text(value, &mut text);
            }
            text.push(b'}');
            let first = members.iter().find(|(key, _)| *key == "command");
            let mut quoted = Vec::new();
            if let Some((_, value)) = first {
                super::super::write_text(value, &mut quoted);
            }
            let expected = first.map(|_| &quoted[1..quoted.len() - 1]);
            prop_assert_eq!(Outline::new(&text).member("command"), expected);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut outline = Outline::new(&bytes);
            while outline.member("a").is_some() {}
            prop_assert!(outline.has_at_most(bytes.len()));
        }
    }
}
