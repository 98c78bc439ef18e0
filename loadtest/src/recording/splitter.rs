//! Bytes of one direction into messages, whoever says them. What is longer than a message may be is told by its beginning and
//! its length, so that a stream takes a bounded amount of memory.

use memchr::{memchr, memmem};

/// Longest message that is kept whole: a Cockatrice deck has two million bytes.
pub(crate) const MOST_BYTES: usize = 4 << 20;
/// What is kept of a longer one.
const HEAD_BYTES: usize = 256;
/// A buffer that one long message has made larger than this is given back.
const KEEP_BYTES: usize = 16 << 10;
/// What a Cockatrice server says before anything else.
const GREETING: (&[u8], usize) = (b"<?xml", 60);
/// What messages to a VCMI launcher begin with.
const LAUNCHER_HEAD: &[u8] = b":>>";
/// What tells the connection of a VCMI game from a launcher's.
const PIPE: &[u8] = b"Aiya!";

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A message.
    Message(&'a [u8]),
    /// The beginning of one that is too long, and its length.
    Long(&'a [u8], usize),
    /// So many bytes that are no messages.
    Raw(usize),
}

/// Where messages end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// At a line's end.
    Lines,
    /// After a length of four bytes, big-endian; a block of it.
    Lengths,
    /// Likewise, little-endian; a block without anything is none.
    LittleLengths,
    /// After a big-endian one, behind a greeting that may be missing.
    GreetingAndLengths,
    /// Before the next head, or where what was read ends.
    Launcher,
    /// After a length of four bytes, little-endian; the first message tells whether it is a game's connection.
    Packets { decided: bool },
    /// The same, of a game: its greeting, a byte, and then no messages any more.
    Pipe { role: bool },
    /// The byte between a game's greeting and what is relayed.
    PipeFlag,
    /// No messages.
    Raw,
}

/// Cuts a stream.
#[derive(Debug)]
pub(crate) struct Splitter {
    shape: Shape,
    held: Vec<u8>,
    /// The beginning of a message that is too long, while it comes, and its length so far.
    long: Option<(Vec<u8>, usize)>,
    /// How much of it is still to come, where that is known.
    left: usize,
}

impl Splitter {
    pub(crate) fn new(shape: Shape) -> Splitter {
        Splitter {
            shape,
            held: Vec::new(),
            long: None,
            left: 0,
        }
    }

    /// The stream is a VCMI game's, as its first message has told.
    pub(crate) fn is_pipe(&self) -> bool {
        matches!(
            self.shape,
            Shape::Pipe { .. } | Shape::PipeFlag | Shape::Raw
        )
    }

    /// From now on there are no messages.
    pub(crate) fn become_raw(&mut self) {
        self.shape = Shape::Raw;
    }

    /// Takes the next bytes, cut anywhere, and tells `sink` what is complete.
    pub(crate) fn push(&mut self, mut bytes: &[u8], sink: &mut dyn FnMut(Piece<'_>)) {
        if self.shape == Shape::Raw {
            return sink(Piece::Raw(bytes.len()));
        }
        if self.long.is_some() {
            bytes = self.skip(bytes, sink);
        }
        if bytes.is_empty() {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(length) = self.next(&held[at..], sink) {
            at += length;
        }
        if at > 0 {
            held.drain(..at);
        }
        if held.is_empty() && held.capacity() > KEEP_BYTES {
            held = Vec::new();
        }
        self.held = held;
    }

    /// What is held counts as a whole line.
    pub(crate) fn flush(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        if self.shape == Shape::Lines && self.long.is_none() {
            let held = std::mem::take(&mut self.held);
            tell_line(&held, sink);
        }
    }

    /// Tells what stands at the beginning of these bytes; gives its length, or nothing if it is not all there.
    fn next(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Piece<'_>)) -> Option<usize> {
        if bytes.is_empty() {
            return None;
        }
        match self.shape {
            Shape::Lines => self.line(bytes, sink),
            Shape::Lengths => self.block(bytes, true, sink),
            Shape::GreetingAndLengths => {
                let head = &bytes[..bytes.len().min(GREETING.0.len())];
                let greets = GREETING.0.starts_with(head);
                if greets && bytes.len() < GREETING.1 {
                    return None;
                }
                self.shape = Shape::Lengths;
                if greets {
                    Some(GREETING.1)
                } else {
                    self.block(bytes, true, sink)
                }
            }
            Shape::Launcher => Some(launcher(bytes, sink)),
            Shape::LittleLengths if bytes.starts_with(&[0; 4]) => Some(4),
            Shape::LittleLengths | Shape::Packets { .. } | Shape::Pipe { .. } => {
                self.block(bytes, false, sink)
            }
            Shape::PipeFlag => {
                self.shape = Shape::Raw;
                sink(Piece::Message(&bytes[..1]));
                Some(1)
            }
            Shape::Raw => {
                sink(Piece::Raw(bytes.len()));
                Some(bytes.len())
            }
        }
    }

    fn line(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Piece<'_>)) -> Option<usize> {
        if let Some(end) = memchr(b'\n', bytes) {
            tell_line(&bytes[..end], sink);
            return Some(end + 1);
        }
        if bytes.len() <= MOST_BYTES {
            return None;
        }
        self.long = Some((bytes[..HEAD_BYTES].to_vec(), bytes.len()));
        Some(bytes.len())
    }

    fn block(
        &mut self,
        bytes: &[u8],
        big_endian: bool,
        sink: &mut dyn FnMut(Piece<'_>),
    ) -> Option<usize> {
        let head = *bytes.first_chunk::<4>()?;
        let length = if big_endian {
            u32::from_be_bytes(head)
        } else {
            u32::from_le_bytes(head)
        } as usize;
        let body = &bytes[4..];
        if length > MOST_BYTES {
            let there = body.len().min(length);
            if there < HEAD_BYTES {
                return None;
            }
            self.long = Some((body[..HEAD_BYTES].to_vec(), length));
            self.left = length - there;
            if self.left == 0 {
                self.tell_long(sink);
            }
            return Some(4 + there);
        }
        let body = body.get(..length)?;
        self.greeting(body);
        sink(Piece::Message(body));
        Some(4 + length)
    }

    /// A VCMI connection is what its first message says; a game's has no messages after its role, its uuid and a byte.
    fn greeting(&mut self, body: &[u8]) {
        self.shape = match self.shape {
            Shape::Packets { decided: false } if memmem::find(body, PIPE).is_some() => {
                Shape::Pipe { role: false }
            }
            Shape::Packets { .. } => Shape::Packets { decided: true },
            Shape::Pipe { role: true } if has_uuid(body) => Shape::PipeFlag,
            Shape::Pipe { role } => Shape::Pipe {
                role: role || memchr(b'(', body).is_some(),
            },
            other => other,
        };
    }

    /// Passes over what still belongs to a message that is too long; gives the rest.
    fn skip<'a>(&mut self, bytes: &'a [u8], sink: &mut dyn FnMut(Piece<'_>)) -> &'a [u8] {
        if self.shape == Shape::Lines {
            let end = memchr(b'\n', bytes);
            if let Some((_, length)) = &mut self.long {
                *length += end.unwrap_or(bytes.len());
            }
            let Some(end) = end else {
                return &[];
            };
            self.tell_long(sink);
            return &bytes[end + 1..];
        }
        let there = self.left.min(bytes.len());
        self.left -= there;
        if self.left == 0 {
            self.tell_long(sink);
        }
        &bytes[there..]
    }

    fn tell_long(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        if let Some((head, length)) = self.long.take() {
            sink(Piece::Long(&head, length));
        }
    }
}

fn tell_line(line: &[u8], sink: &mut dyn FnMut(Piece<'_>)) {
    let line = line.trim_ascii();
    if !line.is_empty() {
        sink(Piece::Message(line));
    }
}

/// A message to a launcher, which has no end: before the next one, or all there is.
fn launcher(bytes: &[u8], sink: &mut dyn FnMut(Piece<'_>)) -> usize {
    let Some(message) = bytes.strip_prefix(LAUNCHER_HEAD) else {
        // The rest of a message that was told already.
        return memmem::find(bytes, LAUNCHER_HEAD).unwrap_or(bytes.len());
    };
    let end = memmem::find(message, LAUNCHER_HEAD).unwrap_or(message.len());
    sink(Piece::Message(&message[..end]));
    LAUNCHER_HEAD.len() + end
}

/// Whether a uuid stands in these bytes, as the relay looks for one.
fn has_uuid(body: &[u8]) -> bool {
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    body.windows(36).any(|window| {
        let mut places = window.iter().enumerate();
        places.all(|(place, byte)| {
            if DASHES.contains(&place) {
                *byte == b'-'
            } else {
                byte.is_ascii_alphanumeric() || *byte == b'_'
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(shape: Shape, parts: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::new(shape);
        let mut told = Vec::new();
        for part in parts {
            splitter.push(part, &mut |piece| {
                told.push(match piece {
                    Piece::Message(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    Piece::Long(head, length) => format!("long {} of {length}", head.len()),
                    Piece::Raw(length) => format!("raw {length}"),
                });
            });
        }
        told
    }

    fn cut_everywhere(shape: Shape, stream: &[u8], expected: &[&str]) {
        for cut in 0..=stream.len() {
            let told = pieces(shape, &[&stream[..cut], &stream[cut..]]);
            assert_eq!(told, expected, "cut at {cut}");
        }
    }

    #[test]
    fn streams_may_be_cut_anywhere() {
        cut_everywhere(Shape::Lines, b"{}\r\n\n[1]\nrest", &["{}", "[1]"]);
        cut_everywhere(
            Shape::Lengths,
            b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c\0\0",
            &["ab", "", "c"],
        );
        cut_everywhere(
            Shape::LittleLengths,
            b"\x02\0\0\0ab\0\0\0\0\x01\0\0\0c\0\0",
            &["ab", "c"],
        );
        let greeting = [b"<?xml".as_slice(), &[b'x'; 55], b"\0\0\0\x01a"].concat();
        cut_everywhere(Shape::GreetingAndLengths, &greeting, &["a"]);
        cut_everywhere(Shape::GreetingAndLengths, b"\0\0\0\x01a", &["a"]);
    }

    #[test]
    fn a_game_of_vcmi_ends_its_messages_after_its_uuid() {
        let packet = |text: &[u8]| [&(text.len() as u32).to_le_bytes(), text].concat();
        let uuid = b"6b1f0c3e-0000-4000-8000-123456789abc";
        let stream = [
            packet(b"Aiya!\n"),
            packet(b"VCMI (client)"),
            packet(uuid),
            b"\x01".to_vec(),
            b"12345".to_vec(),
        ]
        .concat();
        let (greeting, game) = stream.split_at(stream.len() - 5);
        let told = pieces(Shape::Packets { decided: false }, &[greeting, game]);
        let uuid = std::str::from_utf8(uuid).expect("ASCII");
        assert_eq!(told, ["Aiya!\n", "VCMI (client)", uuid, "\u{1}", "raw 5"]);
        // A launcher may say whatever it likes.
        let chat = [packet(b"<GREETINGS>eve"), packet(b"Aiya!"), packet(b"(x)")].concat();
        let told = pieces(Shape::Packets { decided: false }, &[&chat]);
        assert_eq!(told, ["<GREETINGS>eve", "Aiya!", "(x)"]);
    }

    #[test]
    fn what_is_too_long_is_told_and_not_kept() {
        let length = MOST_BYTES + 200_000;
        let long = vec![b'x'; length];
        let line = [&long[..], b"\nnext\n"].concat();
        let block = [&(length as u32).to_be_bytes(), &long[..], b"\0\0\0\x01y"].concat();
        let chunks: Vec<&[u8]> = block.chunks(1 << 16).collect();
        for parts in [&chunks[..], &[&block[..]]] {
            let told = pieces(Shape::Lengths, parts);
            assert_eq!(told, [format!("long 256 of {length}"), "y".to_owned()]);
        }
        let chunks: Vec<&[u8]> = line.chunks(1 << 16).collect();
        let told = pieces(Shape::Lines, &chunks);
        assert_eq!(told, [format!("long 256 of {length}"), "next".to_owned()]);
    }

    #[test]
    fn messages_to_a_launcher_end_where_the_next_begins() {
        let told = pieces(
            Shape::Launcher,
            &[b":>>USERS:1:eve:>>MSG:a", b"b:>>ROOMS:0"],
        );
        assert_eq!(told, ["USERS:1:eve", "MSG:a", "ROOMS:0"]);
    }
}
