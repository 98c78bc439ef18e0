//! One connection's TLS: ciphertext in, plain bytes out, and the other way round.
//!
//! It keeps what came of a record that is not whole, and what was encrypted and not taken by the socket; a connection that is
//! idle keeps neither. What waits for a client stays in its outbox, as it was said, until all ciphertext that was made of it is
//! taken: how much is owed to whom is counted in plain bytes, whether there is TLS or not.

use std::{fmt, net::IpAddr, sync::Arc};

use rustls::{
    Error, HandshakeKind, ServerConfig,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus},
};
use wire::{WireError, proxy};

use crate::outbox::Outbox;

/// What is encrypted of an outbox before its ciphertext was taken: some records. In unit tests little, so that a short walk
/// meets what lies on both sides of its end.
pub(crate) const SEALED_BYTES: usize = if cfg!(test) { 300 } else { 64 << 10 };

/// Most plain bytes of one record.
const RECORD_BYTES: usize = 16 << 10;

/// A record's head: what it is, a version, a length.
const HEAD_BYTES: usize = 5;

/// Most bytes that a record's head may say follow (RFC 5246, 6.2.3).
const MOST_OF_A_RECORD: usize = RECORD_BYTES + 2_048;

/// What records add to plain bytes: head, tag, nonce and the kind of their content.
const RECORD_OVERHEAD: usize = 64;

/// What rustls keeps of a handshake that is under way. An estimate, on the safe side: each counts as so much among strangers.
const HANDSHAKE_BYTES: usize = 4 << 10;

/// How far a connection has come.
enum Stage {
    /// A PROXY header comes before everything.
    Proxy,
    /// Nothing has come that could be a handshake's beginning: whoever connects and waits costs nothing of TLS.
    Hello,
    Handshake(Box<UnbufferedServerConnection>),
    Open(Box<UnbufferedServerConnection>),
    /// TLS has failed: nothing can be encrypted any more.
    Broken,
}

/// TLS of one connection.
pub(crate) struct Session {
    stage: Stage,
    /// Ciphertext that is not a whole record.
    incoming: Vec<u8>,
    /// Ciphertext that the socket has not taken.
    outgoing: Vec<u8>,
    /// Plain bytes at the front of the outbox that `outgoing`, or what is offered to the socket, was made of.
    sealed: usize,
    /// The client has said that it sends nothing more.
    closed: bool,
    /// It was told the same of us.
    parted: bool,
}

/// What a PROXY header says.
pub(crate) enum Proxied {
    /// It is not whole.
    Unknown,
    /// The client's address; none if the proxy speaks for itself.
    Known(Option<IpAddr>),
}

impl Session {
    /// Of a connection that was just accepted.
    pub(crate) fn new(proxy: bool) -> Session {
        Session {
            stage: if proxy { Stage::Proxy } else { Stage::Hello },
            incoming: Vec::new(),
            outgoing: Vec::new(),
            sealed: 0,
            closed: false,
            parted: false,
        }
    }

    /// The handshake is not over.
    pub(crate) fn is_handshaking(&self) -> bool {
        matches!(
            self.stage,
            Stage::Proxy | Stage::Hello | Stage::Handshake(_)
        )
    }

    /// A PROXY header is to come.
    pub(crate) fn awaits_proxy(&self) -> bool {
        matches!(self.stage, Stage::Proxy)
    }

    /// The client has said that it sends nothing more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Everything that was encrypted is taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Plain bytes at the front of the outbox that were encrypted, and are not all taken.
    pub(crate) fn sealed(&self) -> usize {
        self.sealed
    }

    /// Bytes of memory it takes beside what every connection with TLS does.
    pub(crate) fn held(&self) -> usize {
        let handshake = match self.stage {
            Stage::Handshake(_) => HANDSHAKE_BYTES,
            _ => 0,
        };
        self.incoming.capacity() + self.outgoing.capacity() + handshake
    }

    /// How the handshake went, which is over.
    pub(crate) fn was_resumed(&self) -> bool {
        match &self.stage {
            Stage::Open(tls) => tls.handshake_kind() == Some(HandshakeKind::Resumed),
            _ => false,
        }
    }

    /// It goes to another shard with its socket. What was sealed leaves, and is not in an outbox any more.
    pub(crate) fn moved(mut self: Box<Session>) -> Box<Session> {
        self.sealed = 0;
        self
    }

    /// There is no TLS any more, though ciphertext may be left to be sent.
    pub(crate) fn break_off(&mut self) {
        self.stage = Stage::Broken;
        self.incoming = Vec::new();
        self.sealed = 0;
    }

    /// The same, and nothing is left to be sent either.
    pub(crate) fn let_go(&mut self) {
        self.break_off();
        self.outgoing = Vec::new();
    }

    // ---- incoming ----------------------------------------------------------------------------------------------

    /// Takes in what comes before TLS.
    ///
    /// # Errors
    /// It is no PROXY header.
    pub(crate) fn proxied(&mut self, bytes: &[u8]) -> Result<Proxied, WireError> {
        self.incoming.extend_from_slice(bytes);
        let Some((consumed, source)) = proxy::parse(&self.incoming)? else {
            return Ok(Proxied::Unknown);
        };
        self.incoming.drain(..consumed);
        self.stage = Stage::Hello;
        Ok(Proxied::Known(match source {
            proxy::Source::Client(address) => Some(address),
            proxy::Source::Proxy => None,
        }))
    }

    /// Whether there is something to do about what has come, with these bytes: a whole record, or what can't become one. To
    /// look costs nothing, so a handshake that comes in drops is paid for once.
    pub(crate) fn has_record(&self, bytes: &[u8]) -> bool {
        let mut head = [0; HEAD_BYTES];
        let come = self.incoming.iter().chain(bytes);
        let known = head.iter_mut().zip(come).map(|(to, &from)| *to = from);
        let known = known.count();
        let is_kind = (20..=24).contains(&head[0]);
        let is_version = head[1] == 3 || known < 2;
        if known > 0 && !(is_kind && is_version) {
            return true; // rustls says what is wrong with it
        }
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        known == HEAD_BYTES && self.incoming.len() + bytes.len() >= HEAD_BYTES + length
            || length > MOST_OF_A_RECORD
    }

    /// Decrypts what has come, and adds it to `plain`. True: with it the handshake is over.
    ///
    /// # Errors
    /// What is wrong with it. An alert that says so is left to be sent.
    pub(crate) fn take_in(
        &mut self,
        config: &Arc<ServerConfig>,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        if !self.has_record(bytes) {
            self.incoming.extend_from_slice(bytes);
            return Ok(false);
        }
        if matches!(self.stage, Stage::Hello) {
            let tls = UnbufferedServerConnection::new(config.clone())?;
            self.stage = Stage::Handshake(Box::new(tls));
        }
        if self.incoming.is_empty() {
            let consumed = self.process(bytes, plain)?;
            self.incoming.extend_from_slice(&bytes[consumed..]);
        } else {
            let mut all = std::mem::take(&mut self.incoming);
            all.extend_from_slice(bytes);
            let consumed = self.process(&mut all, plain)?;
            self.incoming = all.split_off(consumed);
        }
        if self.closed {
            self.incoming = Vec::new(); // nothing counts after that
        }
        if self.incoming.len() > HEAD_BYTES + MOST_OF_A_RECORD {
            return Err(Error::General("a message in too many parts".into()));
        }
        Ok(self.has_shaken_hands())
    }

    fn has_shaken_hands(&mut self) -> bool {
        match std::mem::replace(&mut self.stage, Stage::Broken) {
            Stage::Handshake(tls) if !tls.is_handshaking() => {
                self.stage = Stage::Open(tls);
                true
            }
            other => {
                self.stage = other;
                false
            }
        }
    }

    /// How many of the bytes are used up.
    fn process(&mut self, bytes: &mut [u8], plain: &mut Vec<u8>) -> Result<usize, Error> {
        let (Stage::Handshake(tls) | Stage::Open(tls)) = &mut self.stage else {
            return Ok(bytes.len());
        };
        let mut at = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = tls.process_tls_records(&mut bytes[at..]);
            let mut goes_on = true;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(&mut data, &mut self.outgoing);
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.closed = true,
                Ok(ConnectionState::ReadEarlyData(_)) => {
                    return Err(Error::General("early data".into()));
                }
                Ok(_) => goes_on = false,
                Err(error) => {
                    // What is to be said of it is taken out first, before any bytes are looked at: there must be none.
                    while tls.wants_write()
                        && let Ok(ConnectionState::EncodeTlsData(mut data)) =
                            tls.process_tls_records(&mut []).state
                    {
                        encode(&mut data, &mut self.outgoing);
                    }
                    return Err(error);
                }
            }
            at += discard;
            if !goes_on {
                return Ok(at);
            }
        }
    }

    // ---- outgoing ----------------------------------------------------------------------------------------------

    /// Puts what is to be sent next into `room`, from `at` on, and says how many bytes that are: what was left over, and of the
    /// outbox up to `most` bytes if nothing is left over of it. `gathered` is room for what lies in several pieces.
    ///
    /// # Errors
    /// Nothing more can be encrypted.
    pub(crate) fn seal(
        &mut self,
        outbox: &Outbox,
        most: usize,
        gathered: &mut Vec<u8>,
        room: &mut Vec<u8>,
        at: usize,
    ) -> Result<usize, Error> {
        let left = std::mem::take(&mut self.outgoing);
        if room.len() < at + left.len() {
            room.resize(at + left.len(), 0);
        }
        room[at..at + left.len()].copy_from_slice(&left);
        let mut end = at + left.len();
        if self.sealed > 0 || outbox.is_empty() {
            return Ok(end - at);
        }
        let Stage::Open(tls) = &mut self.stage else {
            return Ok(end - at);
        };
        let plain = outbox.front(most, gathered);
        loop {
            // What has come is not a whole record, and nothing comes of it.
            match tls.process_tls_records(&mut self.incoming).state? {
                ConnectionState::EncodeTlsData(mut data) => {
                    room.truncate(end);
                    encode(&mut data, room);
                    end = room.len();
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.closed = true,
                ConnectionState::WriteTraffic(mut traffic) => {
                    let needed = end + room_for(plain.len());
                    if room.len() < needed {
                        room.resize(needed, 0);
                    }
                    let sealed = traffic.encrypt(plain, &mut room[end..]);
                    let exhausted = |error| Error::General(format!("{error}"));
                    self.sealed = plain.len();
                    return Ok(end + sealed.map_err(exhausted)? - at);
                }
                _ => return Err(Error::General("nothing can be written".into())),
            }
        }
    }

    /// The socket has left these bytes of what was sealed for it. Plain bytes that are sent with it, if nothing is left.
    pub(crate) fn sent(&mut self, left: &[u8]) -> usize {
        if left.is_empty() {
            return std::mem::take(&mut self.sealed);
        }
        self.outgoing = left.to_vec();
        0
    }

    /// Whether the client is still to be told that nothing more is sent.
    pub(crate) fn owes_farewell(&self) -> bool {
        !self.parted && matches!(self.stage, Stage::Open(_))
    }

    /// Puts down that nothing more is sent (`close_notify`).
    pub(crate) fn say_farewell(&mut self) {
        self.parted = true;
        let Stage::Open(tls) = &mut self.stage else {
            return;
        };
        while let Ok(state) = tls.process_tls_records(&mut self.incoming).state {
            match state {
                ConnectionState::EncodeTlsData(mut data) => encode(&mut data, &mut self.outgoing),
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.closed = true,
                ConnectionState::WriteTraffic(mut traffic) => {
                    let mut alert = [0; RECORD_OVERHEAD];
                    let length = traffic.queue_close_notify(&mut alert).unwrap_or(0);
                    return self.outgoing.extend_from_slice(&alert[..length]);
                }
                _ => return,
            }
        }
    }
}

/// Room that so many plain bytes take when they are encrypted, at the most.
pub(crate) fn room_for(plain: usize) -> usize {
    plain + (plain / RECORD_BYTES + 2) * RECORD_OVERHEAD
}

/// Adds what rustls has to say to `out`.
fn encode(data: &mut EncodeTlsData<'_, ServerConnectionData>, out: &mut Vec<u8>) {
    let before = out.len();
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        out.resize(before + size.required_size, 0);
        let written = data.encode(&mut out[before..]).unwrap_or(0);
        out.truncate(before + written);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Proxy => "proxy",
            Stage::Hello => "hello",
            Stage::Handshake(_) => "handshake",
            Stage::Open(_) => "open",
            Stage::Broken => "broken",
        };
        f.debug_struct("Session")
            .field("stage", &stage)
            .field("incoming", &self.incoming.len())
            .field("outgoing", &self.outgoing.len())
            .field("sealed", &self.sealed)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
