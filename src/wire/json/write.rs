//! Writing: the exact form of faf-wire 2.1.
//!
//! `serde_json` walks the value; what it gives out goes through our own formatter: ASCII only, no white space, floats
//! as the reference prints them. Plain runs of text are copied as a whole. It must never emit `NaN` or an infinity.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, Serializer};

const VEC: &str = "a Vec takes every write";

/// JSON text of `value` in the server's form: pure ASCII, no white space (spec: faf-wire 2.1).
///
/// # Panics
///
/// If `value` cannot be JSON (a map whose keys are no texts or numbers): a mistake in its type, not in data.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_json(value, &mut out);
    out
}

/// Appends [`to_json`] of `value`.
///
/// # Panics
///
/// As [`to_json`].
pub fn write_json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let mut serializer = Serializer::with_formatter(out, ServerForm);
    value
        .serialize(&mut serializer)
        .expect("messages are made of types that JSON has, and a Vec takes every write");
}

/// Appends `text` as a JSON string, quotes included.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        write_fragment(&text[plain..at], out).expect(VEC);
        plain = at + 1;
        out.push(b'\\');
        match byte {
            b'"' | b'\\' => out.push(byte),
            0x08 => out.push(b'b'),
            0x0c => out.push(b'f'),
            b'\n' => out.push(b'n'),
            b'\r' => out.push(b'r'),
            b'\t' => out.push(b't'),
            _ => out.extend_from_slice(&unit_escape(byte.into())[1..]),
        }
    }
    write_fragment(&text[plain..], out).expect(VEC);
    out.push(b'"');
}

/// Appends a float in the shortest form that reads back the same, with a fraction or an exponent; `null` for what is
/// not a number.
pub(super) fn write_f64(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        write_digits(ryu::Buffer::new().format_finite(number), out).expect(VEC);
    } else {
        out.extend_from_slice(b"null");
    }
}

/// Text without anything that ASCII JSON must escape, except characters outside ASCII.
fn write_fragment<W: ?Sized + Write>(text: &str, out: &mut W) -> io::Result<()> {
    if text.is_ascii() {
        return out.write_all(text.as_bytes());
    }
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let plain = rest
            .bytes()
            .position(|byte| !byte.is_ascii())
            .unwrap_or(rest.len());
        if plain > 0 {
            out.write_all(&rest.as_bytes()[..plain])?;
            rest = &rest[plain..];
            continue;
        }
        for unit in first.encode_utf16(&mut [0; 2]) {
            out.write_all(&unit_escape(*unit))?;
        }
        rest = &rest[first.len_utf8()..];
    }
    Ok(())
}

/// `\uXXXX`, lower case.
fn unit_escape(unit: u16) -> [u8; 6] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digit = |shift: u32| HEX[usize::from(unit >> shift & 0xf)];
    [b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]
}

/// Re-arranges the shortest digits of a float (any of `-0.0`, `1500.0`, `1.5e-7`, `1e16`) the way the reference prints
/// them: exponent form from 1e16 upward and below 1e-4, with a sign and at least two digits.
fn write_digits<W: ?Sized + Write>(shortest: &str, out: &mut W) -> io::Result<()> {
    let unsigned = match shortest.strip_prefix('-') {
        Some(rest) => {
            out.write_all(b"-")?;
            rest
        }
        None => shortest,
    };
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));

    const ZEROS: &[u8; 16] = b"0000000000000000";
    // All digits in a row, at most 17 that count and the zeros around them; the point stands after `point` of them.
    let mut row = [0; 40];
    let mut len = 0;
    for digit in whole.bytes().chain(fraction.bytes()).take(row.len()) {
        row[len] = digit;
        len += 1;
    }
    let leading = row[..len]
        .iter()
        .take_while(|digit| **digit == b'0')
        .count();
    let point = whole.len() as i32 + exponent - leading as i32;
    let end = row[..len]
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(leading, |last| last + 1);
    let digits = &row[leading..end];

    if digits.is_empty() {
        out.write_all(b"0.0")?;
    } else if !(-3..=16).contains(&point) {
        out.write_all(&digits[..1])?;
        if digits.len() > 1 {
            out.write_all(b".")?;
            out.write_all(&digits[1..])?;
        }
        let exponent = point - 1;
        out.write_all(if exponent < 0 { b"e-" } else { b"e+" })?;
        if exponent.unsigned_abs() < 10 {
            out.write_all(b"0")?;
        }
        out.write_all(
            itoa::Buffer::new()
                .format(exponent.unsigned_abs())
                .as_bytes(),
        )?;
    } else if point <= 0 {
        out.write_all(b"0.")?;
        out.write_all(&ZEROS[..point.unsigned_abs() as usize])?;
        out.write_all(digits)?;
    } else {
        let point = point as usize;
        let whole = &digits[..point.min(digits.len())];
        out.write_all(whole)?;
        out.write_all(&ZEROS[..point - whole.len()])?;
        out.write_all(b".")?;
        out.write_all(if digits.len() > point {
            &digits[point..]
        } else {
            b"0"
        })?;
    }
    Ok(())
}

/// The formatter: everything compact, as `serde_json` does by itself, except texts and floats.
struct ServerForm;

impl Formatter for ServerForm {
    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        write_digits(ryu::Buffer::new().format_finite(value), writer)
    }

    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        write_digits(ryu::Buffer::new().format_finite(value), writer)
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        write_fragment(fragment, writer)
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        let letter = match escape {
            CharEscape::Quote => b'"',
            CharEscape::ReverseSolidus => b'\\',
            CharEscape::Solidus => b'/',
            CharEscape::Backspace => b'b',
            CharEscape::FormFeed => b'f',
            CharEscape::LineFeed => b'n',
            CharEscape::CarriageReturn => b'r',
            CharEscape::Tab => b't',
            CharEscape::AsciiControl(byte) => return writer.write_all(&unit_escape(byte.into())),
        };
        writer.write_all(&[b'\\', letter])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn json<T: Serialize + ?Sized>(value: &T) -> String {
        String::from_utf8(to_json(value)).unwrap()
    }

    #[test]
    fn floats_look_like_the_references() {
        for (number, text) in [
            (1500.0, "1500.0"),
            (62.52, "62.52"),
            (0.1, "0.1"),
            (1e-5, "1e-05"),
            (1.5e-5, "1.5e-05"),
            (1e-4, "0.0001"),
            (0.00012345, "0.00012345"),
            (1e16, "1e+16"),
            (1.25e16, "1.25e+16"),
            (1e15, "1000000000000000.0"),
            (9007199254740993.0, "9007199254740992.0"),
            (9999999999999998.0, "9999999999999998.0"),
            (-0.0, "-0.0"),
            (0.0, "0.0"),
            (-1.5e300, "-1.5e+300"),
            (5e-324, "5e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (0.30000000000000004, "0.30000000000000004"),
            (123456.789, "123456.789"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
        ] {
            assert_eq!(json(&number), text);
            let mut out = Vec::new();
            write_f64(number, &mut out);
            assert_eq!(out, text.as_bytes());
        }
        assert_eq!(json(&62.52_f32), "62.52");
    }

    #[test]
    fn texts_are_ascii() {
        for (text, written) in [
            ("é\u{1f600}", r#""\u00e9\ud83d\ude00""#),
            ("\"\\/\u{7f}", "\"\\\"\\\\/\u{7f}\""),
            ("\u{8}\u{c}\n\r\t\u{0}\u{1f}", r#""\b\f\n\r\t\u0000\u001f""#),
            ("plain, é, plain", r#""plain, \u00e9, plain""#),
            ("", r#""""#),
        ] {
            assert_eq!(json(text), written);
            let mut out = Vec::new();
            write_text(text, &mut out);
            assert_eq!(out, written.as_bytes());
        }
    }

    #[test]
    fn objects_are_compact_and_number_keys_are_texts() {
        #[derive(Serialize)]
        struct Message {
            command: &'static str,
            teams: BTreeMap<u32, Vec<&'static str>>,
            password: Option<u8>,
        }
        let teams = BTreeMap::from([(2, vec!["orion"])]);
        let message = Message {
            command: "game_info",
            teams,
            password: None,
        };
        assert_eq!(
            json(&message),
            r#"{"command":"game_info","teams":{"2":["orion"]},"password":null}"#
        );
    }

    /// faf-wire 2.1 character by character.
    fn naive_text(text: &str) -> String {
        let mut out = String::from("\"");
        for character in text.chars() {
            match character {
                '"' => out += "\\\"",
                '\\' => out += "\\\\",
                '\n' => out += "\\n",
                '\r' => out += "\\r",
                '\t' => out += "\\t",
                '\u{8}' => out += "\\b",
                '\u{c}' => out += "\\f",
                ' '..='\u{7f}' => out.push(character),
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        out += &format!("\\u{unit:04x}");
                    }
                }
            }
        }
        out + "\""
    }

    /// faf-wire 2.1 by way of the standard library's shortest digits.
    fn naive_float(number: f64) -> String {
        let scientific = format!("{number:e}");
        let (mantissa, exponent) = scientific.split_once('e').unwrap();
        let exponent: i32 = exponent.parse().unwrap();
        if number != 0.0 && !(-4..16).contains(&exponent) {
            let sign = if exponent < 0 { '-' } else { '+' };
            return format!("{mantissa}e{sign}{:02}", exponent.abs());
        }
        let plain = format!("{number}");
        if plain.contains('.') {
            plain
        } else {
            plain + ".0"
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn texts_agree_with_the_naive_writer(text in prop_oneof![any::<String>(), "[a-z\\x00-\\x7fé😀\"\\\\]{0,40}"]) {
            let mut out = Vec::new();
            write_text(&text, &mut out);
            prop_assert_eq!(std::str::from_utf8(&out).unwrap(), naive_text(&text));
            prop_assert_eq!(json(&text), naive_text(&text));
        }

        #[test]
        fn floats_agree_with_the_naive_writer(bits in any::<u64>(), small in -1_000_000_000_000i64..1_000_000_000_000) {
            for number in [f64::from_bits(bits), small as f64, small as f64 / 1e6, small as f64 * 1e6, small as f64 / 1e14] {
                if number.is_finite() {
                    let (written, naive) = (json(&number), naive_float(number));
                    // Of two shortest forms that are equally near, as of -26040873609548.5625, the naive one is the other.
                    let as_short = written.len() == naive.len() && written.parse() == Ok(number);
                    prop_assert!(written == naive || as_short, "{} {}", written, naive);
                }
            }
        }
    }
}
