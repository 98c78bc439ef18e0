//! One direction of one connection: bytes in, messages of the protocol out, whatever they travel in.

use serde_json::Value;

use super::dialect::{Dialect, Side, Transport};
use super::splitter::{Piece, Splitter};
use super::websocket::{Event, Websocket};

/// What came.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    /// The transport is ready (the upgrade of a WebSocket).
    Opened,
    /// A message.
    Message(Value),
    /// So many bytes that are no messages.
    Raw(usize),
    /// A ping of the WebSocket with its payload.
    Ping(&'a [u8]),
}

/// One direction of a connection.
#[derive(Debug)]
pub(crate) struct Stream {
    reader: Reader,
    websocket: Option<Websocket>,
    splitter: Splitter,
}

impl Stream {
    /// Reads everything.
    pub(crate) fn new(dialect: &'static dyn Dialect, transport: Transport, side: Side) -> Stream {
        Stream {
            reader: Reader {
                dialect,
                transport,
                side,
                skims: false,
            },
            websocket: (transport == Transport::Websocket).then(|| Websocket::new(side)),
            splitter: dialect.splitter(transport, side),
        }
    }

    /// Reads what a client of a replay has to know.
    pub(crate) fn skimming(dialect: &'static dyn Dialect, transport: Transport) -> Stream {
        let mut stream = Stream::new(dialect, transport, Side::Server);
        stream.reader.skims = true;
        stream
    }

    /// The connection is a game's, which is relayed.
    pub(crate) fn is_pipe(&self) -> bool {
        self.splitter.is_pipe()
    }

    /// From now on there are no messages.
    pub(crate) fn become_raw(&mut self) {
        self.splitter.become_raw();
    }

    /// Takes the next bytes, cut anywhere, and tells `sink` what is complete.
    ///
    /// # Errors
    /// What can't be read, in words; nothing can be after that.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> Result<(), String> {
        let Stream {
            reader,
            websocket,
            splitter,
        } = self;
        let Some(websocket) = websocket else {
            splitter.push(bytes, &mut |piece| reader.tell(piece, sink));
            return Ok(());
        };
        websocket.push(bytes, &mut |event| match event {
            Event::Opened => sink(Incoming::Opened),
            Event::Ping(payload) => sink(Incoming::Ping(payload)),
            Event::Close => {}
            Event::Long(head, length) => reader.tell(Piece::Long(head, length), sink),
            Event::Message { bytes, .. } if reader.dialect.is_framed_by_websocket() => {
                reader.tell(Piece::Message(bytes), sink);
            }
            Event::Message { bytes, text } => {
                splitter.push(bytes, &mut |piece| reader.tell(piece, sink));
                if text {
                    splitter.flush(&mut |piece| reader.tell(piece, sink));
                }
            }
        })
    }
}

#[derive(Debug)]
struct Reader {
    dialect: &'static dyn Dialect,
    transport: Transport,
    side: Side,
    /// Only what concerns a client is read.
    skims: bool,
}

impl Reader {
    fn tell(&self, piece: Piece<'_>, sink: &mut dyn FnMut(Incoming<'_>)) {
        let Reader {
            dialect,
            transport,
            side,
            skims,
        } = self;
        match piece {
            Piece::Message(bytes) if *skims && !dialect.concerns(bytes) => {}
            Piece::Message(bytes) => {
                sink(Incoming::Message(dialect.read(*transport, *side, bytes)));
            }
            Piece::Long(head, length) => {
                let mut message = dialect.read_head(*side, head);
                message["shortened"] = length.into();
                sink(Incoming::Message(message));
            }
            Piece::Raw(length) => sink(Incoming::Raw(length)),
        }
    }
}
