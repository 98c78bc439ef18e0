//! Any bytes, in any format, cut anywhere: no panic, nothing used up that is not there, and the same as in one piece.

use wire::{Decoder, Format, ReadLimits, Scratch, Step, WireError, websocket::client_handshake};

use crate::input::Input;

/// The formats of [`Format::ALL`], a PROXY header in front or not, an upgrade in front or not, frames without a header now and
/// then, and where the stream is cut.
pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (choice, flags, cut) = (input.byte(), input.byte(), input.byte());
    let format = Format::ALL[usize::from(choice) % Format::ALL.len()];
    let listener = Listener {
        format,
        proxy: flags & 1 != 0,
        trusted: flags & 2 != 0,
        raw: usize::from(flags >> 4),
    };
    let mut stream = Vec::new();
    if flags & 4 != 0 && format.has_upgrade() {
        stream = client_handshake("here", "/", "dGhlIHNhbXBsZSBub25jZQ==");
    }
    stream.extend_from_slice(input.rest());
    let whole = listener.seen(&[&stream]);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(cut).max(1)).collect();
    let cut = listener.seen(&pieces);
    // A request head that is refused is refused as soon as a line of it is whole, or only when all of it is.
    let refused = |seen: &[Seen]| {
        use WireError::{HeadTooLong, Upgrade};
        matches!(seen.last(), Some(Seen::Failed(Upgrade(_) | HeadTooLong, _)))
    };
    if refused(&whole) || (refused(&cut) && format.has_upgrade()) {
        let all = whole.len().min(cut.len()).saturating_sub(1);
        assert_eq!(whole[..all], cut[..all]);
    } else {
        assert_eq!(whole, cut);
    }
}

/// What a stream amounts to.
#[derive(Debug, PartialEq)]
enum Seen {
    Frame(Vec<u8>),
    Skipped(usize),
    Reply(Vec<u8>),
    Peer(Option<std::net::IpAddr>),
    Failed(WireError, Vec<u8>),
    Ended(Result<Option<Vec<u8>>, WireError>),
}

struct Listener {
    format: Format,
    proxy: bool,
    trusted: bool,
    /// After so many frames one comes without a header; 0: none.
    raw: usize,
}

impl Listener {
    fn seen(&self, pieces: &[&[u8]]) -> Vec<Seen> {
        let limits = ReadLimits {
            message_bytes: 2000,
            skipped_bytes: 3000,
            upgrade_bytes: 600,
            ..ReadLimits::default()
        };
        let mut decoder = Decoder::new(self.format, self.proxy, self.trusted);
        let (mut scratch, mut buffer) = (Scratch::default(), Vec::new());
        let (mut seen, mut frames) = (Vec::new(), 0);
        for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                let there = buffer.len();
                let (used, what) = match decoder.step(&mut buffer, &mut scratch, &limits) {
                    Step::More { consumed } => (consumed, None),
                    Step::Frame { consumed, body } => {
                        let frame = body.to_vec();
                        body.fill(b'#'); // whoever parses a body may overwrite it
                        frames += 1;
                        (consumed, Some(Seen::Frame(frame)))
                    }
                    Step::Skipped { consumed, bytes } => (consumed, Some(Seen::Skipped(bytes))),
                    Step::Reply { consumed, bytes } => (consumed, Some(Seen::Reply(bytes))),
                    Step::Peer { consumed, address } => (consumed, Some(Seen::Peer(address))),
                    Step::Fail { error, close_frame } => {
                        seen.push(Seen::Failed(error, close_frame));
                        return seen;
                    }
                };
                assert!(used <= there, "{used} of {there} bytes are used up");
                buffer.drain(..used);
                match what {
                    Some(what) => seen.push(what),
                    None => break,
                }
                if self.raw > 0 && frames == self.raw {
                    decoder.expect_raw(1);
                    frames = 0;
                }
            }
        }
        let end = decoder.finish(&mut buffer);
        seen.push(Seen::Ended(end.map(|rest| rest.map(|rest| rest.to_vec()))));
        seen
    }
}
