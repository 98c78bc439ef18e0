//! How Qt writes settings down: sections, keys with `\` between their parts and `%` for odd characters, values that are quoted
//! and escaped.

/// What a file has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A key, with its section before it, and its value.
    Value(String, String),
    /// The number of a line that is neither a section nor a key with a value.
    Malformed(usize),
}

/// The entries of a file, from its beginning to its end.
pub(super) struct Entries<'a> {
    rest: &'a str,
    line: usize,
    /// With a `/` behind it, unless it is the one without a name.
    section: String,
}

impl<'a> Entries<'a> {
    pub(super) fn of(file: &'a str) -> Entries<'a> {
        Entries {
            rest: file,
            line: 1,
            section: String::new(),
        }
    }

    /// Takes that many bytes.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.line += taken.bytes().filter(|byte| *byte == b'\n').count();
        taken
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            let blank = self.rest.len() - self.rest.trim_start().len();
            self.take(blank);
            let line = self.line;
            let physical = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
            match self.rest.chars().next()? {
                ';' | '#' => {
                    self.take(physical);
                }
                '[' => match section(self.take(physical)) {
                    Some(section) => self.section = section,
                    None => return Some(Entry::Malformed(line)),
                },
                _ => {
                    let extent = Extent::of(self.rest);
                    let taken = self.take(extent.end);
                    // What follows is a comment, if anything.
                    let comment = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
                    self.take(comment);
                    let Some(equals) = extent.equals else {
                        return Some(Entry::Malformed(line));
                    };
                    let key = unescaped_key(taken[..equals].trim());
                    let value = unescaped_value(&taken[equals + 1..]);
                    return Some(Entry::Value(self.section.clone() + &key, value));
                }
            }
        }
    }
}

/// How far a key with its value goes.
struct Extent {
    /// Where the first `=` outside quotes is.
    equals: Option<usize>,
    /// Where a line end or a comment outside quotes is.
    end: usize,
}

impl Extent {
    fn of(text: &str) -> Extent {
        let (mut equals, mut in_quotes) = (None, false);
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => in_quotes = !in_quotes,
                '=' if !in_quotes && equals.is_none() => equals = Some(at),
                '\n' | '\r' | ';' if !in_quotes => return Extent { equals, end: at },
                // What comes next stands for something else, or goes on with the line.
                '\\' => {
                    let next = characters.next();
                    if next.is_some_and(|(_, next)| next == '\r') {
                        characters.next_if(|(_, next)| *next == '\n');
                    }
                }
                _ => {}
            }
        }
        let end = text.len();
        Extent { equals, end }
    }
}

/// What stands before the keys of a section.
fn section(line: &str) -> Option<String> {
    let (name, _) = line.strip_prefix('[')?.split_once(']')?;
    let name = name.trim();
    Some(if name.eq_ignore_ascii_case("general") {
        String::new()
    } else if name.eq_ignore_ascii_case("%general") {
        format!("{}/", &name[1..])
    } else {
        unescaped_key(name) + "/"
    })
}

/// `\` between the parts of a key is `/`; `%` and two digits, or `%U` and four, are a character.
fn unescaped_key(key: &str) -> String {
    let mut unescaped = String::with_capacity(key.len());
    let mut rest = key;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        match character {
            '\\' => unescaped.push('/'),
            '%' => {
                let (skipped, digits) = match rest.as_bytes() {
                    [b'U', ..] => (1, 4),
                    _ => (0, 2),
                };
                let number = rest.get(skipped..skipped + digits).and_then(hexadecimal);
                match number.and_then(char::from_u32) {
                    Some(character) => {
                        unescaped.push(character);
                        rest = &rest[skipped + digits..];
                    }
                    None => unescaped.push('%'),
                }
            }
            _ => unescaped.push(character),
        }
    }
    unescaped
}

fn hexadecimal(digits: &str) -> Option<u32> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u32::from_str_radix(digits, 16).ok())?
}

/// A value without its quotes and escapes. Parts between commas that are not quoted are a list; it is joined with commas, as
/// the settings that are lists are written.
fn unescaped_value(value: &str) -> String {
    let mut parts = vec![Part::default()];
    let mut in_quotes = false;
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let part = parts.last_mut().expect("there is a first one");
        match character {
            '"' => {
                in_quotes = !in_quotes;
                part.keep_spaces();
            }
            ',' if !in_quotes => parts.push(Part::default()),
            '\\' => {
                if let Some(character) = escaped(&mut characters) {
                    part.push(character);
                }
                part.keep_spaces();
            }
            '\r' => {}
            _ if in_quotes => {
                part.push(character);
                part.keep_spaces();
            }
            _ if character.is_whitespace() && part.text.is_empty() => {}
            _ => part.push(character),
        }
    }
    let parts: Vec<String> = parts.into_iter().map(Part::finish).collect();
    without_type(parts.join(","))
}

/// A part of a value.
#[derive(Default)]
struct Part {
    text: String,
    /// How much of it keeps the spaces it ends with.
    kept: usize,
}

impl Part {
    fn push(&mut self, character: char) {
        self.text.push(character);
    }

    fn keep_spaces(&mut self) {
        self.kept = self.text.len();
    }

    fn finish(self) -> String {
        let end = self.text.trim_end().len().max(self.kept);
        self.text[..end].to_owned()
    }
}

/// What an escape stands for; nothing if the line goes on, or if it is none that is known.
fn escaped(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    Some(match characters.next()? {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        known @ ('"' | '?' | '\'' | '\\') => known,
        'x' => return number(characters, 16, None),
        digit @ '0'..='7' => return number(characters, 8, digit.to_digit(8)),
        '\r' => {
            characters.next_if_eq(&'\n');
            return None;
        }
        _ => return None,
    })
}

/// A character by its number, of as many digits as there are.
fn number(
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    radix: u32,
    first: Option<u32>,
) -> Option<char> {
    let mut number = first;
    while let Some(digit) = characters.peek().and_then(|next| next.to_digit(radix)) {
        characters.next();
        number = Some(
            number
                .unwrap_or(0)
                .saturating_mul(radix)
                .saturating_add(digit),
        );
    }
    char::from_u32(number?)
}

/// A text without what Qt writes around values of other types.
fn without_type(value: String) -> String {
    let Some(rest) = value.strip_prefix('@') else {
        return value;
    };
    if rest.starts_with('@') {
        return rest.to_owned();
    }
    let known = ["ByteArray(", "String(", "Invalid("];
    let inner = known.iter().find_map(|name| rest.strip_prefix(name));
    match inner.and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => inner.to_owned(),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(written: &str) -> String {
        unescaped_value(written)
    }

    #[test]
    fn values_lose_their_quotes_and_escapes() {
        let cases = [
            ("plain text ", "plain text"),
            (" \" kept \" ", " kept "),
            ("\"a;b,c=d\"", "a;b,c=d"),
            ("a, b ,\"c, d\"", "a,b,c, d"),
            (r"a\tb\n\\d\x41\x20\101\q", "a\tb\n\\dA A"),
            (r#""say \"hi\"""#, "say \"hi\""),
            ("\"one\\\n two\\\r\n three\"", "one two three"),
            ("\"one\ntwo\"", "one\ntwo"),
            ("@ByteArray(x)", "x"),
            ("@@home", "@home"),
            ("@Invalid()", ""),
            ("@Rect(1)", "@Rect(1)"),
            (r"\x110000\x", ""),
            ("\\", ""),
            ("\"\"", ""),
        ];
        for (written, expected) in cases {
            assert_eq!(value(written), expected, "{written}");
        }
    }

    #[test]
    fn keys_have_parts_and_odd_characters() {
        assert_eq!(unescaped_key(r"roomlist\1\name"), "roomlist/1/name");
        assert_eq!(unescaped_key("a%20b%U263A%2"), "a b\u{263a}%2");
        assert_eq!(unescaped_key("%"), "%");
        assert_eq!(unescaped_key("%ä1%+1"), "%ä1%+1");
        assert_eq!(section("[a\\b] ; comment"), Some("a/b/".to_owned()));
        assert_eq!(section("[General]"), Some(String::new()));
        assert_eq!(section("[%General]"), Some("General/".to_owned()));
        assert_eq!(section("[open"), None);
    }

    #[test]
    fn lines_end_outside_quotes() {
        let file = "a = 1 ; comment\n# more\n\nb=\"x\n;y\"\r\nbad\nc=\\\nlong\n";
        let entry = |key: &str, value: &str| Entry::Value(key.to_owned(), value.to_owned());
        let entries: Vec<Entry> = Entries::of(file).collect();
        let expected = [
            entry("a", "1"),
            entry("b", "x\n;y"),
            Entry::Malformed(6),
            entry("c", "long"),
        ];
        assert_eq!(entries, expected);
    }

    proptest! {
        /// Any file ends, and none is a panic.
        #[test]
        fn any_file_is_read(file in "[\\[\\]=;#\"\\\\%@U,a1 \n\rä]{0,80}") {
            prop_assert!(Entries::of(&file).count() <= file.len());
        }
    }
}
