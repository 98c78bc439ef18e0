//! What the parser refuses but the reference accepts, rewritten before parsing (spec: faf-wire 2.2).
//!
//! Almost no text needs it, so the first thing is a search for the few byte sequences that could; only a text with
//! one of them is copied. It must never turn a text that is not JSON into one.

use std::sync::LazyLock;

use memchr::memmem::Finder;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The words of faf-wire 2.2 and the numbers that stand for them. `NaN` has no neighbour among the numbers; zero is
/// the one that no range check and no division by a scale can be surprised by.
const WORDS: [(&[u8], &[u8]); 3] = [
    (b"NaN", b"0.0"),
    (b"Infinity", b"1.7976931348623157e308"),
    (b"-Infinity", b"-1.7976931348623157e308"),
];

/// Written in place of a lone surrogate; as long as what it replaces.
const REPLACEMENT: &[u8] = b"\\ufffd";

static NAN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"NaN"));
static INFINITY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"Infinity"));
static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u"));

/// The side buffer for texts that need rewriting.
#[derive(Debug, Default)]
pub(super) struct CompatPass {
    rewritten: Vec<u8>,
}

impl CompatPass {
    /// `text` in a form the parser takes: without a byte order mark, and a rewritten copy if need be.
    pub(super) fn apply<'a>(&'a mut self, text: &'a mut [u8]) -> &'a mut [u8] {
        let start = if text.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        let text = &mut text[start..];
        if !suspicious(text) {
            return text;
        }
        self.rewritten.clear();
        rewrite(text, &mut self.rewritten);
        &mut self.rewritten
    }
}

fn suspicious(text: &[u8]) -> bool {
    ESCAPE
        .find_iter(text)
        .any(|at| matches!(text.get(at + 2), Some(b'd' | b'D')))
        || NAN.find(text).is_some()
        || INFINITY.find(text).is_some()
}

fn rewrite(text: &[u8], out: &mut Vec<u8>) {
    let mut in_string = false;
    let mut at = 0;
    while at < text.len() {
        let step = match (in_string, text[at]) {
            (_, b'"') => {
                in_string = !in_string;
                1
            }
            (true, b'\\') => match surrogate(&text[at..]) {
                Some(lead)
                    if lead < 0xdc00
                        && surrogate(&text[at + 6..]).is_some_and(|trail| trail >= 0xdc00) =>
                {
                    12
                }
                Some(_) => {
                    out.extend_from_slice(REPLACEMENT);
                    at += 6;
                    continue;
                }
                None => 2,
            },
            (false, b'N' | b'I' | b'-') => {
                if let Some((word, number)) = word_at(text, at) {
                    out.extend_from_slice(number);
                    at += word.len();
                    continue;
                }
                1
            }
            _ => 1,
        };
        let end = (at + step).min(text.len());
        out.extend_from_slice(&text[at..end]);
        at = end;
    }
}

/// The surrogate that `text` starts with as an escape.
fn surrogate(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let mut unit = 0;
    for digit in digits {
        unit = unit << 4 | char::from(*digit).to_digit(16)? as u16;
    }
    (0xd800..0xe000).contains(&unit).then_some(unit)
}

/// One of the [`WORDS`] at `at`, standing alone as a value would.
fn word_at(text: &[u8], at: usize) -> Option<(&'static [u8], &'static [u8])> {
    let before = at == 0
        || matches!(
            text[at - 1],
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b'['
        );
    let (word, number) = *WORDS
        .iter()
        .find(|(word, _)| text[at..].starts_with(word))?;
    let after = matches!(
        text.get(at + word.len()),
        None | Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b']' | b'}')
    );
    (before && after).then_some((word, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str) -> (String, bool) {
        let mut tolerance = CompatPass::default();
        let mut text = text.as_bytes().to_vec();
        let given = String::from_utf8(tolerance.apply(&mut text).to_vec()).unwrap();
        (given, !tolerance.rewritten.is_empty())
    }

    #[test]
    fn copies_only_what_needs_it() {
        for (text, given, copied) in [
            (r#"{"a":"\u00e9\n"}"#, r#"{"a":"\u00e9\n"}"#, false),
            ("\u{feff}{}", "{}", false),
            ("[NaN]", "[0.0]", true),
            ("-Infinity", "-1.7976931348623157e308", true),
            ("[1NaN,NaNN,--Infinity]", "[1NaN,NaNN,--Infinity]", true),
            (
                r#""\ud83d\ude00\ude00\ud83d""#,
                r#""\ud83d\ude00\ufffd\ufffd""#,
                true,
            ),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#, true),
            (r#""\\ud83d\\""#, r#""\\ud83d\\""#, true),
            (r#""\ud8""#, r#""\ud8""#, true),
            (r#""\udzzz NaN "NaN"#, r#""\udzzz NaN "NaN"#, true),
        ] {
            assert_eq!(applied(text), (given.to_owned(), copied), "{text}");
        }
    }
}
