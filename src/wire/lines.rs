//! Newline-delimited JSON text (spec: faf-wire 3).
//!
//! A body is a slice of the input: the line without its newline and the ASCII white space around. It must never look
//! at a byte twice, however many reads a line takes, and never decide whether a line means something: an empty line
//! is given out as an empty body.

use memchr::memchr;

use super::{ReadLimits, Step, WireError};

/// Finds the ends of lines.
#[derive(Debug, Default)]
pub struct Reader {
    /// Bytes at the front of the input that are known to hold no newline.
    scanned: usize,
}

impl Reader {
    /// The next line of `input`, which starts at the first byte not consumed yet.
    pub fn step<'a>(&mut self, input: &'a mut [u8], limits: &ReadLimits) -> Step<'a> {
        let from = self.scanned.min(input.len());
        let end = memchr(b'\n', &input[from..]).map(|at| from + at);
        if end.unwrap_or(input.len()) > limits.message_bytes {
            return Step::Fail {
                error: WireError::TooLong {
                    limit: limits.message_bytes,
                },
                close_frame: Vec::new(),
            };
        }
        match end {
            Some(end) => {
                self.scanned = 0;
                Step::Frame {
                    consumed: end + 1,
                    body: strip(&mut input[..end]),
                }
            }
            None => {
                self.scanned = input.len();
                Step::More { consumed: 0 }
            }
        }
    }
}

/// The stream has ended after `rest`: a last line without a newline is a message all the same (spec: faf-wire 3).
pub fn finish(rest: &mut [u8]) -> Result<Option<&mut [u8]>, WireError> {
    if rest.is_empty() {
        Ok(None)
    } else {
        Ok(Some(strip(rest)))
    }
}

/// Whether the reference takes `byte` for white space around a message.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// `text` without the ASCII white space at both ends.
pub(super) fn strip(text: &mut [u8]) -> &mut [u8] {
    let start = text
        .iter()
        .position(|byte| !is_space(*byte))
        .unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|byte| !is_space(*byte))
        .map_or(start, |last| last + 1);
    &mut text[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(reader: &mut Reader, input: &str, limit: usize) -> (usize, Option<String>) {
        let mut input = input.as_bytes().to_vec();
        let limits = ReadLimits {
            message_bytes: limit,
            ..ReadLimits::default()
        };
        match reader.step(&mut input, &limits) {
            Step::More { consumed } => (consumed, None),
            Step::Frame { consumed, body } => {
                (consumed, Some(String::from_utf8(body.to_vec()).unwrap()))
            }
            Step::Fail { error, close_frame } => {
                assert_eq!(
                    (error, close_frame),
                    (WireError::TooLong { limit }, Vec::new())
                );
                (usize::MAX, None)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_are_stripped() {
        for (input, consumed, body) in [
            ("{\"command\":\"ping\"}\n", 19, "{\"command\":\"ping\"}"),
            ("{}\r\n", 4, "{}"),
            (" \t\x0b\x0c{} \r\nrest", 9, "{}"),
            ("\n{}\n", 1, ""),
            ("  \r\n", 4, ""),
            ("nonsense\n", 9, "nonsense"),
        ] {
            assert_eq!(
                step(&mut Reader::default(), input, 100),
                (consumed, Some(body.to_owned()))
            );
        }
    }

    #[test]
    fn a_line_is_scanned_once() {
        let mut reader = Reader::default();
        assert_eq!(step(&mut reader, "{\"a\"", 100), (0, None));
        assert_eq!(reader.scanned, 4);
        assert_eq!(
            step(&mut reader, "{\"a\":1}\n{", 100),
            (8, Some("{\"a\":1}".into()))
        );
        assert_eq!(reader.scanned, 0);
    }

    #[test]
    fn the_limit_counts_the_line_without_its_newline() {
        assert_eq!(step(&mut Reader::default(), "12345\n", 5).0, 6);
        assert_eq!(step(&mut Reader::default(), "12345", 5).0, 0);
        assert_eq!(step(&mut Reader::default(), "123456", 5).0, usize::MAX);
        assert_eq!(step(&mut Reader::default(), "123456\n", 5).0, usize::MAX);
    }

    #[test]
    fn the_last_line_may_lack_its_newline() {
        assert_eq!(finish(&mut []), Ok(None));
        assert_eq!(
            finish(&mut b" {} ".to_vec()),
            Ok(Some(b"{}".to_vec().as_mut_slice()))
        );
        assert_eq!(finish(&mut b" ".to_vec()), Ok(Some([].as_mut_slice())));
    }
}
