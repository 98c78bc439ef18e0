//! One decoder per connection: whatever the format, bytes in, steps out.
//!
//! The caller keeps the bytes. It shows the decoder everything that has arrived and was not consumed yet; the
//! decoder answers with one step and how many bytes that step used up. Any split of the stream gives the same frames.

use super::prefixed::{self, ByteOrder};
use super::{
    Format, ReadLimits, Scratch, Step, WireError, lines, packets, proxy, qdatastream, websocket,
};

/// Incremental reader of one connection's byte stream.
#[derive(Debug)]
pub struct Decoder {
    /// A PROXY header is still expected in front of everything.
    proxy: bool,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Lines(lines::Reader),
    QDataStream(qdatastream::Reader),
    WebSocket(Box<websocket::Reader>),
    Packets(packets::Reader),
    Prefixed(prefixed::Reader),
}

impl Decoder {
    /// A decoder for a fresh connection. `proxy`: a PROXY header must come first. `trusted`: a forwarded-for
    /// header of the WebSocket upgrade is believed.
    pub fn new(format: Format, proxy: bool, trusted: bool) -> Self {
        let inner = match format {
            Format::JsonLines => Inner::Lines(lines::Reader::default()),
            Format::QDataStream => Inner::QDataStream(qdatastream::Reader),
            Format::WebSocket => Inner::WebSocket(Box::new(websocket::Reader::documents(trusted))),
            Format::WebSocketBinary => {
                Inner::WebSocket(Box::new(websocket::Reader::binary(trusted)))
            }
            Format::WebSocketText => Inner::WebSocket(Box::new(websocket::Reader::text(trusted))),
            Format::Packets => Inner::Packets(packets::Reader::default()),
            Format::PrefixedBigEndian => Inner::Prefixed(prefixed::Reader::new(ByteOrder::Big)),
            Format::PrefixedLittleEndian => {
                Inner::Prefixed(prefixed::Reader::new(ByteOrder::Little))
            }
        };
        Decoder { proxy, inner }
    }

    /// The next step of `input`, which starts at the first byte not consumed yet.
    pub fn step<'a>(
        &mut self,
        input: &'a mut [u8],
        scratch: &'a mut Scratch,
        limits: &ReadLimits,
    ) -> Step<'a> {
        if self.proxy {
            return match proxy::parse(input) {
                Ok(None) => Step::More { consumed: 0 },
                Ok(Some((consumed, source))) => {
                    self.proxy = false;
                    let address = match source {
                        proxy::Source::Client(address) => Some(address),
                        proxy::Source::Proxy => None,
                    };
                    Step::Peer { consumed, address }
                }
                Err(error) => Step::Fail {
                    error,
                    close_frame: Vec::new(),
                },
            };
        }
        match &mut self.inner {
            Inner::Lines(reader) => reader.step(input, limits),
            Inner::QDataStream(reader) => reader.step(input, scratch, limits),
            Inner::WebSocket(reader) => reader.step(input, scratch, limits),
            Inner::Packets(reader) => reader.step(input, limits),
            Inner::Prefixed(reader) => reader.step(input, limits),
        }
    }

    /// The next frame is `bytes` bytes without a header; only [`Format::Packets`] knows such.
    pub fn expect_raw(&mut self, bytes: usize) {
        if let Inner::Packets(reader) = &mut self.inner {
            reader.expect_raw(bytes);
        }
    }

    /// Bytes of memory it keeps of messages that are not whole, beside those of its input.
    pub fn held(&self) -> usize {
        match &self.inner {
            Inner::WebSocket(reader) => reader.held(),
            _ => 0,
        }
    }

    /// The stream has ended after `rest`: a last line without its newline is still a message (spec: faf-wire 3);
    /// anything else that is left over is an error.
    pub fn finish<'a>(&mut self, rest: &'a mut [u8]) -> Result<Option<&'a mut [u8]>, WireError> {
        if self.proxy {
            return if rest.is_empty() {
                Ok(None)
            } else {
                Err(WireError::Truncated)
            };
        }
        match &mut self.inner {
            Inner::Lines(_) => lines::finish(rest),
            _ if rest.is_empty() => Ok(None),
            _ => Err(WireError::Truncated),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROXY_HEADER: &[u8] = b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 8002\r\n";

    /// What a connection saw, in words, if its bytes arrived in `pieces`.
    fn seen(format: Format, proxy: bool, pieces: &[&[u8]]) -> Vec<String> {
        let limits = ReadLimits {
            message_bytes: 2000,
            upgrade_bytes: 500,
            ..ReadLimits::default()
        };
        let (mut decoder, mut scratch) = (Decoder::new(format, proxy, true), Scratch::default());
        let (mut seen, mut buffer) = (Vec::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                let used = match decoder.step(&mut buffer, &mut scratch, &limits) {
                    Step::More { consumed } => {
                        buffer.drain(..consumed);
                        break;
                    }
                    Step::Frame { consumed, body } => {
                        seen.push(String::from_utf8_lossy(body).into_owned());
                        // Whoever parses a body may overwrite it.
                        body.fill(b'#');
                        consumed
                    }
                    Step::Skipped { consumed, bytes } => {
                        seen.push(format!("{bytes} bytes skipped"));
                        consumed
                    }
                    Step::Reply { consumed, bytes } => {
                        seen.push(format!("reply {bytes:?}"));
                        consumed
                    }
                    Step::Peer { consumed, address } => {
                        seen.push(format!("peer {address:?}"));
                        consumed
                    }
                    Step::Fail { error, close_frame } => {
                        seen.push(format!("fail {error} {close_frame:?}"));
                        return seen;
                    }
                };
                buffer.drain(..used);
            }
        }
        seen.push(format!("end {:?}", decoder.finish(&mut buffer)));
        seen
    }

    /// A client's bytes for `bodies`.
    fn sent(format: Format, bodies: &[String]) -> Vec<u8> {
        let mut out = Vec::new();
        match format {
            Format::WebSocketBinary => {
                out = websocket::client_handshake("localhost", "/", "dGhlIHNhbXBsZSBub25jZQ==");
                for body in bodies {
                    websocket::encode_client_binary(body.as_bytes(), [1, 2, 3, 4], &mut out);
                }
            }
            Format::WebSocket => {
                out = websocket::client_handshake("localhost", "/", "dGhlIHNhbXBsZSBub25jZQ==");
                for (index, body) in bodies.iter().enumerate() {
                    let newline = ["", "\n"][index % 2];
                    websocket::encode_client_text(
                        format!("{body}{newline}").as_bytes(),
                        [1, 2, 3, 4],
                        &mut out,
                    );
                }
            }
            Format::WebSocketText => {
                out = websocket::client_handshake("localhost", "/", "dGhlIHNhbXBsZSBub25jZQ==");
                for body in bodies {
                    websocket::encode_client_text(body.as_bytes(), [1, 2, 3, 4], &mut out);
                }
            }
            Format::Packets => bodies
                .iter()
                .for_each(|body| packets::encode(body.as_bytes(), &mut out)),
            _ => bodies
                .iter()
                .for_each(|body| format.encode(body.as_bytes(), &mut out)),
        }
        out
    }

    fn pieces<'a>(stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        cuts.windows(2)
            .map(|ends| &stream[ends[0]..ends[1]])
            .collect()
    }

    #[test]
    fn an_early_end_is_told_from_an_orderly_one() {
        assert_eq!(
            seen(Format::JsonLines, false, &[b"{} "]),
            ["end Ok(Some([123, 125]))"]
        );
        assert_eq!(
            seen(Format::QDataStream, false, &[b"\0"]),
            ["end Err(Truncated)"]
        );
        assert_eq!(seen(Format::QDataStream, false, &[b""]), ["end Ok(None)"]);
        assert_eq!(
            seen(Format::JsonLines, true, &[b"PROX"]),
            ["end Err(Truncated)"]
        );
        assert_eq!(
            seen(
                Format::JsonLines,
                true,
                &[b"{\"command\":\"ask_session\"}\n"]
            ),
            ["fail PROXY header: missing []"]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn any_split_gives_what_was_sent(
            format in prop::sample::select(Format::ALL.to_vec()),
            proxy in any::<bool>(),
            bodies in prop::collection::vec("\\{\"[a-z]{1,5}\":[0-9]{1,300}\\}", 0..6),
            cuts in prop::collection::vec(any::<usize>(), 0..20),
        ) {
            let header = if proxy { PROXY_HEADER } else { b"" };
            let stream = [header, &sent(format, &bodies)].concat();
            let whole = seen(format, proxy, &[&stream]);
            prop_assert_eq!(&seen(format, proxy, &pieces(&stream, &cuts)), &whole);
            let single: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(&seen(format, proxy, &single), &whole);
            let front = usize::from(proxy) + usize::from(format.has_upgrade());
            prop_assert_eq!(&whole[front..whole.len() - 1], bodies.as_slice());
        }

        #[test]
        fn any_bytes_in_any_split_are_survived(
            format in prop::sample::select(Format::ALL.to_vec()),
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(b'\n'), Just(0x81)], 0..300),
            upgraded in any::<bool>(),
            cuts in prop::collection::vec(any::<usize>(), 0..10),
        ) {
            let front = if upgraded { sent(format, &[]) } else { Vec::new() };
            // A bad request head is noticed at a newline, not before: with one at the end every split has noticed.
            let stream = [front, bytes, b"\n".to_vec()].concat();
            prop_assert_eq!(seen(format, false, &pieces(&stream, &cuts)), seen(format, false, &[&stream]));
        }
    }
}
