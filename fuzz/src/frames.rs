//! Lines, packets and messages with their length in front, made of bodies: each comes out as it went in, up to the first
//! that is too long.

use wire::{Decoder, Format, ReadLimits, Scratch, Step, WireError, packets};

use crate::input::Input;

const LIMIT: usize = 300;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let format = input.pick(&[
        Format::JsonLines,
        Format::Packets,
        Format::PrefixedBigEndian,
        Format::PrefixedLittleEndian,
    ]);
    let cut = usize::from(input.byte()).max(1);
    let (mut stream, mut expected, mut end) = (Vec::new(), Vec::new(), None);
    while !input.is_empty() {
        let mut body = input.bytes().to_vec();
        match format {
            Format::Packets => packets::encode(&body, &mut stream),
            Format::JsonLines => {
                body.retain(|byte| *byte != b'\n');
                stream.extend_from_slice(&body);
                stream.push(b'\n');
            }
            _ => format.encode(&body, &mut stream),
        }
        if end.is_some() {
            continue; // nothing is read behind the end
        }
        if body.len() > LIMIT {
            end = Some(WireError::TooLong { limit: LIMIT });
        } else if body.is_empty() && format == Format::Packets {
            end = Some(WireError::Closed);
        } else {
            if format == Format::JsonLines {
                body = body.trim_ascii_with_vertical_tab().to_vec();
            }
            expected.push(body);
        }
    }
    assert_eq!(read(format, &stream, cut), (expected, end));
}

/// The bodies, and why the stream ended early.
fn read(format: Format, stream: &[u8], cut: usize) -> (Vec<Vec<u8>>, Option<WireError>) {
    let limits = ReadLimits {
        message_bytes: LIMIT,
        ..ReadLimits::default()
    };
    let mut decoder = Decoder::new(format, false, false);
    let (mut scratch, mut buffer, mut bodies) = (Scratch::default(), Vec::new(), Vec::new());
    for piece in stream.chunks(cut) {
        buffer.extend_from_slice(piece);
        loop {
            let used = match decoder.step(&mut buffer, &mut scratch, &limits) {
                Step::Frame { consumed, body } => {
                    bodies.push(body.to_vec());
                    consumed
                }
                Step::More { consumed } => {
                    buffer.drain(..consumed);
                    break;
                }
                Step::Fail { error, .. } => return (bodies, Some(error)),
                other => panic!("{other:?}"),
            };
            buffer.drain(..used);
        }
    }
    assert_eq!(decoder.finish(&mut buffer), Ok(None));
    (bodies, None)
}

trait Trim {
    fn trim_ascii_with_vertical_tab(&self) -> &[u8];
}

impl Trim for [u8] {
    /// What the reference takes for white space at both ends (spec: faf-wire 3) is taken off.
    fn trim_ascii_with_vertical_tab(&self) -> &[u8] {
        let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
        let start = self
            .iter()
            .position(|byte| !is_space(byte))
            .unwrap_or(self.len());
        let end = self
            .iter()
            .rposition(|byte| !is_space(byte))
            .map_or(start, |last| last + 1);
        &self[start..end]
    }
}
