//! What can be known of a text before it is parsed: a member of the outermost object, and how much there is to parse.
//!
//! Parsing costs by the value and by the escape, some tens of nanoseconds each, and a text of some MiB may have millions. What
//! else is in a string costs next to nothing. This goes over the bytes once, as far as it is asked to, and keeps nothing. It
//! must never decide whether a text is JSON: of what is not, it says anything.

use memchr::memchr2;

/// How much of a text costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Values, keys and brackets.
    pub values: usize,
    /// Escapes in strings.
    pub escapes: usize,
    /// The deepest nesting.
    pub depth: usize,
}

impl Extent {
    const NOTHING: Extent = Extent {
        values: 0,
        escapes: 0,
        depth: 0,
    };

    fn is_within(self, most: Extent) -> bool {
        self.values <= most.values && self.escapes <= most.escapes && self.depth <= most.depth
    }
}

/// A text, as far as it was gone over.
#[derive(Clone, Debug)]
pub struct Outline<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    extent: Extent,
}

impl<'a> Outline<'a> {
    /// Of a text of which nothing was looked at.
    pub fn new(text: &'a [u8]) -> Self {
        Outline {
            text,
            at: 0,
            depth: 0,
            extent: Extent::NOTHING,
        }
    }

    /// The text of the outermost object's next member `key`, as it is written between its quotes; empty if it is no string.
    /// None: there is no such member in what is left, as far as that is within `most`.
    pub fn member(&mut self, key: &str, most: Extent) -> Option<&'a [u8]> {
        self.go(Some(key.as_bytes()), most)
    }

    /// Whether the whole text is within `most`. If not, it was gone over no further than shows it.
    pub fn is_within(&mut self, most: Extent) -> bool {
        self.go(None, most);
        self.extent.is_within(most)
    }

    /// What was found so far.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    fn go(&mut self, key: Option<&[u8]>, most: Extent) -> Option<&'a [u8]> {
        while self.extent.is_within(most)
            && let Some(&byte) = self.text.get(self.at)
        {
            self.at += 1;
            match byte {
                b'"' => {
                    let string = self.string(most.escapes);
                    if self.depth == 1 && key == Some(string) && self.takes(b':') {
                        self.extent.values += 1;
                        let is_text = self.takes(b'"');
                        return Some(if is_text {
                            self.string(most.escapes)
                        } else {
                            b""
                        });
                    }
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    self.extent.depth = self.extent.depth.max(self.depth);
                    self.extent.values += 1;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b',' | b':' => self.extent.values += 1,
                _ => {}
            }
        }
        None
    }

    /// The string that begins here, behind its first quote; goes behind its last one, or no further than so many escapes.
    fn string(&mut self, escapes: usize) -> &'a [u8] {
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
            self.extent.escapes += 1;
            if self.extent.escapes > escapes {
                return &self.text[start..self.at];
            }
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

    const ANY: Extent = Extent {
        values: usize::MAX,
        escapes: usize::MAX,
        depth: usize::MAX,
    };

    fn command(text: &str) -> Option<&str> {
        let found = Outline::new(text.as_bytes()).member("command", ANY)?;
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
        assert_eq!(outline.member("command", ANY), Some(&b"a"[..]));
        assert_eq!(outline.member("command", ANY), Some(&b"b"[..]));
        assert_eq!(outline.member("command", ANY), None);
    }

    #[test]
    fn values_are_counted_outside_of_strings() {
        let count = |text: &str| {
            let mut outline = Outline::new(text.as_bytes());
            assert!(outline.is_within(ANY));
            let Extent {
                values,
                escapes,
                depth,
            } = outline.extent();
            for (most, fits) in [(values, true), (values.wrapping_sub(1), values == 0)] {
                let most = Extent {
                    values: most,
                    ..ANY
                };
                assert_eq!(Outline::new(text.as_bytes()).is_within(most), fits);
            }
            (values, escapes, depth)
        };
        assert_eq!(count("7"), (0, 0, 0));
        assert_eq!(count("[1,2,3]"), (3, 0, 1));
        assert_eq!(count(r#"{"a":[],"b":"[,,,:]"}"#), (5, 0, 2));
        assert_eq!(count(r#"["\n\"[",{},[[]]]"#), (6, 2, 3));
        let mut outline = Outline::new(br#"{"command":"x","y":[1,2]}"#);
        assert!(outline.member("command", ANY).is_some());
        assert!(outline.is_within(ANY));
        assert_eq!(outline.extent().values, 6, "what was passed counts once");
    }

    #[test]
    fn nothing_is_looked_at_beyond_what_is_allowed() {
        for text in [
            "[".repeat(1000),
            "[1,".repeat(1000),
            format!("[\"{}", "\\n".repeat(1000)),
        ] {
            let most = Extent {
                values: 9,
                escapes: 9,
                depth: 9,
            };
            let mut outline = Outline::new(text.as_bytes());
            assert!(!outline.is_within(most));
            assert!(outline.at < 40);
            let mut outline = Outline::new(text.as_bytes());
            assert_eq!(outline.member("command", most), None);
            assert!(outline.at < 40);
        }
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
            prop_assert_eq!(Outline::new(&text).member("command", ANY), expected);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut outline = Outline::new(&bytes);
            while outline.member("a", ANY).is_some() {}
            prop_assert!(outline.is_within(ANY));
            prop_assert!(outline.extent().values <= bytes.len());
        }
    }
}
