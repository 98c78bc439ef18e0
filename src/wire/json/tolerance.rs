//! What the parser refuses but the reference accepts, rewritten before parsing (spec: faf-wire 2.2).
//!
//! Almost no text needs it. Lone surrogates must never reach the parser, so there is a search for escapes that could be one;
//! words and numbers that it does not know it refuses, and only then the text, of which a copy was kept, is gone through. It
//! must never turn a text that is not JSON into one.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::write::write_f64;

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

static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u"));

/// The side buffers for texts that need rewriting, or may.
#[derive(Debug, Default)]
pub(super) struct CompatPass {
    /// The text as it came.
    copy: Vec<u8>,
    rewritten: Vec<u8>,
}

impl CompatPass {
    /// Whether the parser may be given `text` itself; of that a copy is kept. If not, it was rewritten.
    pub(super) fn prepare(&mut self, text: &[u8]) -> bool {
        let harmless = !may_have_surrogates(text);
        if harmless {
            self.copy.clear();
            self.copy.extend_from_slice(text);
        } else {
            self.rewritten.clear();
            rewrite(text, &mut self.rewritten);
        }
        harmless
    }

    /// Rewrites the text that was kept, which the parser has refused. False: there is nothing in it that would help.
    pub(super) fn rewrite_prepared(&mut self) -> bool {
        self.rewritten.clear();
        rewrite(&self.copy, &mut self.rewritten);
        self.rewritten != self.copy
    }

    /// What was rewritten.
    pub(super) fn rewritten(&mut self) -> &mut [u8] {
        &mut self.rewritten
    }

    /// Bytes of memory that it keeps.
    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.copy.capacity() + self.rewritten.capacity()
    }
}

/// `text` behind its byte order mark, if it has one.
pub(super) fn without_mark(text: &mut [u8]) -> &mut [u8] {
    let start = if text.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    };
    &mut text[start..]
}

fn may_have_surrogates(text: &[u8]) -> bool {
    ESCAPE
        .find_iter(text)
        .any(|at| matches!(text.get(at + 2), Some(b'd' | b'D')))
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
            (false, b'N' | b'I' | b'-' | b'0'..=b'9') => {
                if let Some((word, number)) = word_at(text, at) {
                    out.extend_from_slice(number);
                    at += word.len();
                    continue;
                }
                let token = number_at(&text[at..]);
                if let Some(number) = beyond_integers(token) {
                    write_f64(number, out);
                    at += token.len();
                    continue;
                }
                token.len().max(1)
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

/// What could be a number at the front of `text`.
fn number_at(text: &[u8]) -> &[u8] {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let end = text.iter().position(|byte| !is_part(byte));
    &text[..end.unwrap_or(text.len())]
}

/// The nearest float of a number that is too large for the parser: too many digits, or beyond all floats.
fn beyond_integers(token: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(token).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let starts = digits.starts_with(|c: char| c.is_ascii_digit());
    let leading_zero =
        digits.starts_with('0') && digits[1..].starts_with(|c: char| c.is_ascii_digit());
    let whole = digits.find(['.', 'e', 'E']).unwrap_or(digits.len());
    let fraction = digits[whole..].strip_prefix('.');
    let bare_point = fraction.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
    if !starts || leading_zero || bare_point {
        return None; // no number of JSON, though one of Rust
    }
    let number: f64 = text.parse().ok()?;
    let is_integer = whole == digits.len();
    let too_long = is_integer && text.parse::<i64>().is_err() && text.parse::<u64>().is_err();
    (number.is_infinite() || too_long).then(|| number.clamp(f64::MIN, f64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the parser is given of a text that it refuses, and whether it had to be rewritten before.
    fn applied(text: &str) -> (String, bool) {
        let mut tolerance = CompatPass::default();
        let mut text = text.as_bytes().to_vec();
        let text = without_mark(&mut text);
        let harmless = tolerance.prepare(text);
        let given = if harmless && !tolerance.rewrite_prepared() {
            text
        } else {
            tolerance.rewritten()
        };
        (String::from_utf8(given.to_vec()).unwrap(), !harmless)
    }

    #[test]
    fn rewrites_only_what_needs_it() {
        for (text, given, copied) in [
            (r#"{"a":"\u00e9\n"}"#, r#"{"a":"\u00e9\n"}"#, false),
            ("\u{feff}{}", "{}", false),
            ("[NaN]", "[0.0]", false),
            (
                "[1e400,-1e400,1e308,12]",
                "[1.7976931348623157e+308,-1.7976931348623157e+308,1e308,12]",
                false,
            ),
            (
                "[01e400,1.e400,1e400e,--1e400]",
                "[01e400,1.e400,1e400e,--1e400]",
                false,
            ),
            ("-Infinity", "-1.7976931348623157e308", false),
            ("[1NaN,NaNN,--Infinity]", "[1NaN,NaNN,--Infinity]", false),
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
