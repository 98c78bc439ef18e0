//! Blocks of Qt strings: the legacy binary format (spec: faf-wire 4).
//!
//! A frame is `u32` block length and a block of `QString`s, each a `u32` length in bytes and UTF-16BE text. The first
//! string is the message; further strings, which only very old clients send, are spliced into its text. Everything is
//! decided from lengths first: it must never wait for, or reserve, more than the limit allows.

use super::json::{JsonReader, write_text};
use super::{ReadLimits, Scratch, Step, WireError};

const PING: &[u8] = br#"{"command":"ping"}"#;
const PONG: &[u8] = br#"{"command":"pong"}"#;
/// The frames of faf-wire 4.1.
const PING_FRAME: &[u8] = b"\0\0\0\x0c\0\0\0\x08\0P\0I\0N\0G";
const PONG_FRAME: &[u8] = b"\0\0\0\x0c\0\0\0\x08\0P\0O\0N\0G";
/// Bytes of a length field.
const LENGTH: usize = 4;
/// Up to this many bytes after a string are no further string (spec: faf-wire 4.2 item 5).
const IGNORED_TAIL: usize = 4;
/// Strings after the first that are looked at; the very old clients that send any send two or three.
pub const LEGACY_STRINGS: usize = 64;
/// UTF-16 units handled at once while they are ASCII.
const BATCH: usize = 16;

/// Cuts a stream into blocks. Needs no memory: a block's length is at its front.
#[derive(Debug, Default)]
pub struct Reader;

impl Reader {
    /// The message of the next block of `input`, which starts at the first byte not consumed yet.
    pub fn step<'a>(
        &mut self,
        input: &'a mut [u8],
        scratch: &'a mut Scratch,
        limits: &ReadLimits,
    ) -> Step<'a> {
        let fail = |error| Step::Fail {
            error,
            close_frame: Vec::new(),
        };
        let Some((length, rest)) = input.split_first_chunk::<LENGTH>() else {
            return Step::More { consumed: 0 };
        };
        let length = u32::from_be_bytes(*length) as usize;
        if length > limits.message_bytes {
            return fail(WireError::TooLong {
                limit: limits.message_bytes,
            });
        }
        if length < LENGTH {
            return fail(WireError::BadLength);
        }
        let Some(block) = rest.get(..length) else {
            return Step::More { consumed: 0 };
        };
        match message(block, &mut scratch.text) {
            Ok(()) => Step::Frame {
                consumed: LENGTH + length,
                body: &mut scratch.text,
            },
            Err(error) => fail(error),
        }
    }
}

/// Appends what stands before the text of a message of `len` ASCII characters.
///
/// # Panics
///
/// If the text does not fit a 32-bit length: such a message is a mistake of the caller.
pub fn encode_head(len: usize, out: &mut Vec<u8>) {
    let bytes = u32::try_from(2 * len + LENGTH).expect("a message is far below 4 GiB");
    out.extend_from_slice(&bytes.to_be_bytes());
    out.extend_from_slice(&(bytes - LENGTH as u32).to_be_bytes());
}

/// Appends ASCII text as UTF-16BE.
pub fn encode_ascii(part: &[u8], out: &mut Vec<u8>) {
    debug_assert!(part.is_ascii());
    out.reserve(2 * part.len());
    let (batches, rest) = part.as_chunks::<BATCH>();
    for batch in batches {
        let mut units = [0; 2 * BATCH];
        for (unit, byte) in units.as_chunks_mut::<2>().0.iter_mut().zip(batch) {
            *unit = [0, *byte];
        }
        out.extend_from_slice(&units);
    }
    for byte in rest {
        out.extend_from_slice(&[0, *byte]);
    }
}

/// The whole frame that goes out for `body` if it is a ping or a pong (spec: faf-wire 4.1).
pub(super) fn heartbeat(body: &[u8]) -> Option<&'static [u8]> {
    match body {
        PING => Some(PING_FRAME),
        PONG => Some(PONG_FRAME),
        _ => None,
    }
}

/// Puts the text of the message in `block` into `text`.
fn message(block: &[u8], text: &mut Vec<u8>) -> Result<(), WireError> {
    text.clear();
    let (first, rest) = split_string(block).ok_or(WireError::BadLength)?;
    decode_utf16(first, text)?;
    let heartbeat = match text.as_slice() {
        b"PING" => Some(PING),
        b"PONG" => Some(PONG),
        _ => None,
    };
    if let Some(body) = heartbeat {
        text.clear();
        text.extend_from_slice(body);
    } else if rest.len() > IGNORED_TAIL {
        splice_legacy_parts(rest, text)?;
    }
    Ok(())
}

/// The bytes of the string at the front of `block`, and what follows it.
fn split_string(block: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = block.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// Appends UTF-16BE text as UTF-8.
fn decode_utf16(units: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let (units, odd) = units.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(WireError::BadText);
    }
    out.reserve(units.len());
    let mut rest = units;
    loop {
        while let Some((batch, after)) = rest.split_first_chunk::<BATCH>() {
            let mut ascii = [0; BATCH];
            let mut beyond = 0;
            for (byte, [high, low]) in ascii.iter_mut().zip(batch) {
                *byte = *low;
                beyond |= high | (low & 0x80);
            }
            if beyond != 0 {
                break;
            }
            out.extend_from_slice(&ascii);
            rest = after;
        }
        // One batch, or the end of the text, character by character.
        let slow = rest.len().min(BATCH);
        if slow == 0 {
            return Ok(());
        }
        let mut used = 0;
        while used < slow {
            let unit = |at: usize| rest.get(at).map(|unit| u16::from_be_bytes(*unit));
            let pair = unit(used).into_iter().chain(unit(used + 1));
            let character = char::decode_utf16(pair)
                .next()
                .and_then(Result::ok)
                .ok_or(WireError::BadText)?;
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            used += character.len_utf16();
        }
        rest = &rest[used..];
    }
}

/// Splices the strings after the first into `text` (spec: faf-wire 4.2 item 5).
///
/// The members of a further object are written behind those of the first: as the last of two equal keys wins, that
/// merges them. Other strings are gathered in the member `legacy`. If the first string is no object there is nothing
/// to merge into, and it stays as it is for the dialect to refuse. Allocates: only very old clients come here.
fn splice_legacy_parts(mut rest: &[u8], text: &mut Vec<u8>) -> Result<(), WireError> {
    let mut reader = JsonReader::new();
    let mut copy = text.clone();
    if !reader
        .parse(&mut copy)
        .is_ok_and(|doc| doc.root().is_object())
    {
        return Ok(());
    }
    // Gathered apart and spliced once, so that the work stays proportional to the block.
    let mut members = Vec::new();
    let mut legacy = Vec::new();
    let mut part = Vec::new();
    let mut strings = 0;
    while rest.len() > IGNORED_TAIL
        && let Some((string, after)) = split_string(rest)
    {
        strings += 1;
        if strings > LEGACY_STRINGS {
            return Err(WireError::TooMany {
                limit: LEGACY_STRINGS,
            });
        }
        part.clear();
        if decode_utf16(string, &mut part).is_err() {
            break;
        }
        rest = after;
        if part == *text {
            continue;
        }
        copy.clone_from(&part);
        match reader.parse(&mut copy) {
            Ok(doc) if doc.root().is_object() => {
                if !doc.root().is_empty() {
                    members.push(b',');
                    members.extend_from_slice(inside(&part));
                }
            }
            Ok(doc) if doc.root().is_array() && doc.root().is_empty() => {}
            _ => {
                legacy.push(b',');
                write_text(&String::from_utf8_lossy(&part), &mut legacy);
            }
        }
    }
    if !legacy.is_empty() {
        members.extend_from_slice(b",\"legacy\":[");
        members.extend_from_slice(&legacy[1..]);
        members.push(b']');
    }
    if !members.is_empty() {
        let separator = usize::from(inside(text).trim_ascii().is_empty());
        text.truncate(
            text.iter()
                .rposition(|byte| *byte == b'}')
                .unwrap_or(text.len()),
        );
        text.extend_from_slice(&members[separator..]);
        text.push(b'}');
    }
    Ok(())
}

/// What stands between the braces of an object's text.
fn inside(object: &[u8]) -> &[u8] {
    let open = object
        .iter()
        .position(|byte| *byte == b'{')
        .map_or(0, |at| at + 1);
    let close = object
        .iter()
        .rposition(|byte| *byte == b'}')
        .unwrap_or(open);
    object.get(open..close).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Format;

    fn qstring(text: &str) -> Vec<u8> {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        [&(units.len() as u32).to_be_bytes(), units.as_slice()].concat()
    }

    fn frame(block: &[u8]) -> Vec<u8> {
        [&(block.len() as u32).to_be_bytes(), block].concat()
    }

    fn read(input: &[u8]) -> Result<Option<(usize, String)>, WireError> {
        let mut input = input.to_vec();
        match Reader.step(&mut input, &mut Scratch::default(), &ReadLimits::default()) {
            Step::More { consumed: 0 } => Ok(None),
            Step::Frame { consumed, body } => {
                Ok(Some((consumed, String::from_utf8(body.to_vec()).unwrap())))
            }
            Step::Fail { error, .. } => Err(error),
            other => panic!("{other:?}"),
        }
    }

    fn read_strings(strings: &[&str]) -> String {
        let block = strings
            .iter()
            .flat_map(|text| qstring(text))
            .collect::<Vec<u8>>();
        read(&frame(&block)).unwrap().unwrap().1
    }

    fn as_json(text: &str) -> serde_json::Value {
        JsonReader::new()
            .parse(&mut text.as_bytes().to_vec())
            .unwrap()
            .root()
            .to_owned_json()
    }

    #[test]
    fn the_examples_of_the_specification() {
        let mut out = Vec::new();
        Format::QDataStream.encode(br#"{"a":1}"#, &mut out);
        assert_eq!(out, b"\0\0\0\x12\0\0\0\x0e\0{\0\"\0a\0\"\0:\x001\0}");
        assert_eq!(read(&out), Ok(Some((out.len(), r#"{"a":1}"#.into()))));
        for (body, expected) in [(PING, PING_FRAME), (PONG, PONG_FRAME)] {
            let mut out = Vec::new();
            Format::QDataStream.encode(body, &mut out);
            assert_eq!(out, expected);
            assert_eq!(
                read(&out),
                Ok(Some((16, String::from_utf8(body.to_vec()).unwrap())))
            );
        }
    }

    #[test]
    fn bad_lengths_and_bad_text_end_the_stream() {
        assert_eq!(read(&frame(b"")), Err(WireError::BadLength), "vector 8");
        assert_eq!(
            read(&frame(b"\0\0\0\x10abcd")),
            Err(WireError::BadLength),
            "vector 9"
        );
        assert_eq!(read(&frame(b"\0\0\0")), Err(WireError::BadLength));
        assert_eq!(
            read(&frame(b"\xff\xff\xff\xff")),
            Err(WireError::BadLength),
            "a null string"
        );
        assert_eq!(
            read(&frame(b"\0\0\0\x03\0a\0")),
            Err(WireError::BadText),
            "half a unit"
        );
        assert_eq!(
            read(&frame(b"\0\0\0\x02\xd8\0")),
            Err(WireError::BadText),
            "a lone surrogate"
        );
        assert_eq!(
            read(&frame(b"\0\0\0\x04\xdc\0\xd8\0")),
            Err(WireError::BadText),
            "a pair in the wrong order"
        );
        assert_eq!(
            read(b"\xff\xff\xff\xff"),
            Err(WireError::TooLong { limit: 10 << 20 })
        );
        assert_eq!(read(b"\0\0\0"), Ok(None));
        assert_eq!(read(b"\0\0\0\x08\0\0\0\x04\0a\0"), Ok(None));
    }

    #[test]
    fn further_strings_are_merged() {
        let merged = read_strings(&[
            r#"{"command":"hello","login":"orion"}"#,
            r#"{"password":"x"}"#,
            "tail",
        ]);
        assert_eq!(
            merged,
            r#"{"command":"hello","login":"orion","password":"x","legacy":["tail"]}"#
        );
        let same = r#"{"a":1}"#;
        for (strings, merged) in [
            (vec![same, same], same),
            (vec![same, r#"{"a":2,"b":3}"#], r#"{"a":2,"b":3}"#),
            (vec![same, "{}", "[]", " { } "], same),
            (vec!["{}", r#" {"b":"}"} "#], r#"{"b":"}"}"#),
            (
                vec![" {} ", "7", "null", "[1]", "\"é\""],
                r#"{"legacy":["7","null","[1]","\"é\""]}"#,
            ),
            (
                vec![same, "say \"x\"\n"],
                r#"{"a":1,"legacy":["say \"x\"\n"]}"#,
            ),
        ] {
            assert_eq!(
                as_json(&read_strings(&strings)),
                as_json(merged),
                "{strings:?}"
            );
        }
        assert_eq!(read_strings(&["PING", "{}"]), r#"{"command":"ping"}"#);
        assert_eq!(read_strings(&["[]", "{\"a\":1}"]), "[]");
        assert_eq!(read_strings(&["nonsense", "{\"a\":1}"]), "nonsense");
    }

    // Each string was parsed by itself, however many a block had.
    #[test]
    fn a_block_has_so_many_strings_and_no_more() {
        let block = |strings: usize| {
            let first = qstring("{\"a\":1}");
            frame(&[first, qstring("{}").repeat(strings)].concat())
        };
        assert!(read(&block(LEGACY_STRINGS)).is_ok());
        let limit = LEGACY_STRINGS;
        assert_eq!(read(&block(limit + 1)), Err(WireError::TooMany { limit }));
    }

    #[test]
    fn a_bad_later_string_is_ignored() {
        for tail in [
            b"\xff\xff\xff\xffrubbish".as_slice(),
            b"\0\0\0\0",
            b"\0\0\0\x02\xd8\0",
            b"abc",
            b"\0\0\0\x20abc",
        ] {
            let block = [qstring("{\"a\":1}").as_slice(), tail].concat();
            assert_eq!(read(&frame(&block)).unwrap().unwrap().1, "{\"a\":1}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn decoding_agrees_with_a_naive_decoder(
            text in prop_oneof!["[ -~]{0,80}", any::<String>(), "([ -~]{0,20}[é😀]?){0,6}"],
            units in prop::collection::vec(prop_oneof![any::<u16>(), 0x20..0x7fu16, 0xd700..0xe100u16], 0..40),
        ) {
            let text_units: Vec<u16> = text.encode_utf16().collect();
            for units in [text_units, units] {
                let naive = String::from_utf16(&units).ok();
                let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
                let mut out = Vec::new();
                let ours = decode_utf16(&bytes, &mut out).ok().map(|()| String::from_utf8(out).unwrap());
                prop_assert_eq!(ours, naive);
            }
        }

        #[test]
        fn encoding_agrees_with_the_standard_library(text in "[ -~]{0,100}") {
            let mut out = Vec::new();
            encode_head(text.len(), &mut out);
            encode_ascii(text.as_bytes(), &mut out);
            prop_assert_eq!(&out, &frame(&qstring(&text)));
        }

        #[test]
        fn any_block_is_survived(block in prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..100)) {
            let _ = read(&frame(&block));
        }

        #[test]
        fn any_strings_give_one_text(strings in prop::collection::vec("\\PC{0,8}|\\{\"[a-c]\":[0-9]\\}", 1..5)) {
            let strings: Vec<&str> = strings.iter().map(String::as_str).collect();
            let first_is_object = JsonReader::new()
                .parse(&mut strings[0].as_bytes().to_vec())
                .is_ok_and(|doc| doc.root().is_object());
            if first_is_object {
                let mut merged = read_strings(&strings).into_bytes();
                prop_assert!(JsonReader::new().parse(&mut merged).unwrap().root().is_object());
            }
        }
    }
}
