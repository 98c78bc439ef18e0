//! The client's side: what a load tester or a test needs to talk to us.
//!
//! It reads nothing but a server's frames and never keeps their payload: slices are handed on as they come. It must
//! not be used by the server.

use super::frame::{self, Opcode};
use crate::WireError;

/// The upgrade request for `ws://host path`; `key_b64`: 16 random bytes in base 64.
pub fn client_handshake(host: &str, path: &str, key_b64: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key_b64}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

/// Appends `payload` as one masked text frame.
pub fn encode_client_text(payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    encode(Opcode::Text, payload, mask, out);
}

/// Appends `payload` as one masked binary frame.
pub fn encode_client_binary(payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    encode(Opcode::Binary, payload, mask, out);
}

fn encode(opcode: Opcode, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    frame::encode_head(opcode, payload.len(), Some(mask), out);
    let start = out.len();
    out.extend_from_slice(payload);
    frame::apply_mask(&mut out[start..], mask);
}

/// Incremental reader of what a server sends: skips the answer 101 and heads of frames, gives out payload.
#[derive(Debug)]
pub struct ClientReader {
    state: State,
}

#[derive(Debug)]
enum State {
    /// In the HTTP answer: its bytes so far up to the length of [`STATUS`], and how much of its end was just seen.
    Answer { at: usize, end: usize },
    /// In the head of a frame.
    Head { bytes: [u8; 10], len: usize },
    /// In a payload with this much left.
    Payload { opcode: Opcode, left: u64 },
}

const STATUS: &[u8] = b"HTTP/1.1 101";
const END: &[u8] = b"\r\n\r\n";

impl ClientReader {
    /// A reader that expects the answer to the upgrade first.
    pub fn new() -> Self {
        ClientReader {
            state: State::Answer { at: 0, end: 0 },
        }
    }

    /// The next piece of text or binary payload in `input`, which is advanced behind it; `None` when all is used up.
    ///
    /// Pieces end where frames or inputs end. Pings and pongs are skipped.
    ///
    /// # Errors
    ///
    /// [`WireError::Upgrade`] if the answer is not 101; [`WireError::Closed`] at a close frame;
    /// [`WireError::WebSocket`] for a frame no server may send.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<&'a [u8]>, WireError> {
        loop {
            match &mut self.state {
                State::Payload { left: 0, .. } => {
                    self.state = State::Head {
                        bytes: [0; 10],
                        len: 0,
                    }
                }
                State::Payload { opcode, left } => {
                    if input.is_empty() {
                        return Ok(None);
                    }
                    let here =
                        usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                    let (payload, rest) = input.split_at(here);
                    *input = rest;
                    *left -= here as u64;
                    if !opcode.is_control() {
                        return Ok(Some(payload));
                    }
                }
                State::Answer { at, end } => {
                    let Some(byte) = input.split_off_first() else {
                        return Ok(None);
                    };
                    if STATUS.get(*at).is_some_and(|expected| expected != byte) {
                        return Err(WireError::Upgrade("the answer is not 101"));
                    }
                    *at = (*at + 1).min(STATUS.len());
                    *end = if *byte == END[*end] {
                        *end + 1
                    } else {
                        usize::from(*byte == END[0])
                    };
                    if *end == END.len() {
                        self.state = State::Head {
                            bytes: [0; 10],
                            len: 0,
                        };
                    }
                }
                State::Head { bytes, len } => {
                    let Some(byte) = input.split_off_first() else {
                        return Ok(None);
                    };
                    bytes[*len] = *byte;
                    *len += 1;
                    let [first, second, long @ ..] = *bytes;
                    let left = match (*len, second) {
                        (1, _) => continue,
                        (_, 128..) => return Err(WireError::WebSocket("masked by the server")),
                        (2, ..126) => u64::from(second),
                        (4, 126) => u64::from(u16::from_be_bytes([long[0], long[1]])),
                        (10, 127) => u64::from_be_bytes(long),
                        _ => continue,
                    };
                    let opcode = Opcode::of_bits(first & 0x0f)
                        .ok_or(WireError::WebSocket("unknown opcode"))?;
                    if opcode == Opcode::Close {
                        return Err(WireError::Closed);
                    }
                    self.state = State::Payload { opcode, left };
                }
            }
        }
    }
}

impl Default for ClientReader {
    fn default() -> Self {
        ClientReader::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Format;

    fn read_all(
        reader: &mut ClientReader,
        mut input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        while let Some(piece) = reader.next(&mut input)? {
            out.extend_from_slice(piece);
        }
        Ok(())
    }

    #[test]
    fn refusals_and_closes_are_errors() {
        let read = |bytes: &[u8]| read_all(&mut ClientReader::new(), bytes, &mut Vec::new());
        assert_eq!(
            read(b"HTTP/1.1 404 Not Found\r\n\r\n"),
            Err(WireError::Upgrade("the answer is not 101"))
        );
        assert_eq!(
            read(b"HTTP/1.1 101 X\r\n\r\n\x89\x01x\x88\x00"),
            Err(WireError::Closed)
        );
        assert_eq!(
            read(b"HTTP/1.1 101 X\r\n\r\n\x81\x81"),
            Err(WireError::WebSocket("masked by the server"))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn reads_what_the_server_writes(
            lens in prop::collection::vec(prop_oneof![0..300usize, 65_500..65_600usize], 0..5),
            cuts in prop::collection::vec(1..400usize, 1..5),
        ) {
            let mut stream = b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n".to_vec();
            let mut expected = Vec::new();
            for len in lens {
                let body = vec![b'x'; len];
                Format::WebSocket.encode(&body, &mut stream);
                stream.extend_from_slice(b"\x89\x02hi");
                Format::JsonLines.encode(&body, &mut expected);
            }
            let (mut reader, mut out, mut rest) = (ClientReader::new(), Vec::new(), stream.as_slice());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                read_all(&mut reader, piece, &mut out).unwrap();
                rest = after;
            }
            prop_assert_eq!(out, expected);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let stream = [b"HTTP/1.1 101\r\n\r\n".as_slice(), &bytes].concat();
            let _ = read_all(&mut ClientReader::new(), &stream, &mut Vec::new());
        }
    }
}
