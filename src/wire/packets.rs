//! Packets of the VCMI proxy lobby: a little-endian `u32` length, then that many bytes (spec: vcmi-proxy 2).
//!
//! Only what clients send looks like this; the server's messages have no frame at all. A game's connection leaves the
//! packets at some point: [`Reader::expect_raw`] says that the next frame is so many bytes without a header.

use super::prefixed::{self, ByteOrder, HEAD};
use super::{ReadLimits, Step, WireError};

/// Cuts packets off a stream.
#[derive(Debug, Default)]
pub struct Reader {
    /// Length of the next frame, if it comes without a header.
    bare: Option<usize>,
}

impl Reader {
    /// The next frame is `bytes` bytes without a header.
    pub fn expect_raw(&mut self, bytes: usize) {
        self.bare = Some(bytes);
    }

    /// The next packet of `input`, which starts at the first byte not consumed yet.
    pub fn step<'a>(&mut self, input: &'a mut [u8], limits: &ReadLimits) -> Step<'a> {
        let (head, len) = match (self.bare, input.first_chunk::<HEAD>()) {
            (Some(len), _) => (0, len),
            (None, Some(head)) => (HEAD, ByteOrder::Little.length(*head)),
            (None, None) => return Step::More { consumed: 0 },
        };
        if len == 0 {
            // a client that takes its leave
            return Step::Fail {
                error: WireError::Closed,
                close_frame: Vec::new(),
            };
        }
        let step = prefixed::body(head, len, input, limits);
        if matches!(step, Step::Frame { .. }) {
            self.bare = None;
        }
        step
    }
}

/// Appends a packet, as clients send it.
pub fn encode(body: &[u8], out: &mut Vec<u8>) {
    ByteOrder::Little.encode_length(body.len(), out);
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader makes of a whole stream: bodies, and how it ended.
    fn read(stream: &[u8], bare: Option<usize>) -> (Vec<Vec<u8>>, String) {
        let limits = ReadLimits {
            message_bytes: 100,
            ..ReadLimits::default()
        };
        let (mut reader, mut stream, mut bodies) = (Reader::default(), stream.to_vec(), Vec::new());
        if let Some(bytes) = bare {
            reader.expect_raw(bytes);
        }
        loop {
            match reader.step(&mut stream, &limits) {
                Step::Frame { consumed, body } => {
                    bodies.push(body.to_vec());
                    stream.drain(..consumed);
                }
                Step::More { consumed } => return (bodies, format!("more after {consumed}")),
                Step::Fail { error, .. } => return (bodies, error.to_string()),
                other => panic!("{other:?}"),
            }
        }
    }

    /// checklist: vcmi 1, 3, 5
    #[test]
    fn packets_are_cut_by_their_length() {
        let chat = b"\x07\0\0\0<MSG>hi\x06\0\0\0<HERE>\x05\0";
        assert_eq!(
            read(chat, None),
            (
                vec![b"<MSG>hi".to_vec(), b"<HERE>".to_vec()],
                "more after 0".into()
            )
        );
        assert_eq!(
            read(b"\0\0\0\0\x01\0\0\0x", None).1,
            "closed by the peer",
            "a length of zero ends it"
        );
        assert_eq!(
            read(b"\xff\xff\xff\x7fabc", None).1,
            "message longer than 100 bytes",
            "without waiting for it"
        );
        assert_eq!(read(b"\x64\0\0\0", None).1, "more after 0");
        assert_eq!(read(b"\x65\0\0\0", None).1, "message longer than 100 bytes");
    }

    #[test]
    fn a_frame_may_come_without_a_header() {
        assert_eq!(
            read(b"\x01\x02\0\0\0ab", Some(1)),
            (
                vec![b"\x01".to_vec(), b"ab".to_vec()],
                "more after 0".into()
            )
        );
        assert_eq!(read(b"", Some(1)).1, "more after 0");
    }
}
