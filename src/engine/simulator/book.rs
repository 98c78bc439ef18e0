//! What each client has sent and what it must see: kept by the dialect and whoever plays the clients, not by the engine.
//!
//! Everything that is said to a client is put down in order, encoded, in the lane of the shard that says it; what comes
//! from one shard keeps its order, and what the framing itself says has a lane of its own. The bytes a client reads must
//! be the lanes woven together, nothing more and nothing less.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use super::{
    Chance,
    network::{Shared, lock},
    tls::Secured,
};
use lobby::ConnId;
use wire::{Format, packets, websocket};

/// The lane of what the framing says: the answer to an upgrade, pongs, the last frame.
pub(super) const RAW: usize = 3;

/// One message, as it is to arrive.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Vec<u8>,
    /// It need not arrive.
    may: bool,
    /// A broadcast that may be left out because much waited: then the present state must follow.
    slow: bool,
    /// The present state.
    resync: bool,
}

impl Piece {
    pub(super) fn must(bytes: Vec<u8>) -> Piece {
        Piece {
            bytes,
            may: false,
            slow: false,
            resync: false,
        }
    }
}

/// Whether a client's frames wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    No,
    Still,
    Watching,
}

/// That a client is relayed with another.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) partner: usize,
    /// Its socket is the one that moves.
    pub(super) gives: bool,
    /// First words, and how much of them was seen.
    words: Vec<u8>,
    words_at: usize,
    /// Up to where the partner's bytes have been seen.
    partner_at: usize,
    /// The partner has ended in good order after the relay had begun: all it sent must arrive.
    pub(super) ended: bool,
}

impl Joined {
    fn has_met(&self) -> bool {
        self.words_at == self.words.len()
    }
}

/// A client; its number is that of its wire.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) shard: usize,
    pub(super) format: Format,
    pub(super) conn: Option<ConnId>,
    pub(super) closed_at: Option<Duration>,
    /// Frames that were written and not handled yet, with where each ends in what was written.
    frames: VecDeque<(Vec<u8>, usize)>,
    pub(super) written: Vec<u8>,
    /// Where the frame handled last ends.
    handled: usize,
    /// The next frame has no header.
    bare: bool,
    lanes: [VecDeque<Piece>; RAW + 1],
    seen: Vec<u8>,
    at: usize,
    /// All bytes that were put down for it.
    expected: usize,
    /// It has missed a broadcast, and not been told the present state since.
    missed: bool,
    pub(super) topics: BTreeSet<u64>,
    pub(super) held: Held,
    pub(super) joined: Option<Joined>,
    /// It writes nothing more.
    pub(super) fin: bool,
    /// Its stream may end anywhere.
    pub(super) doomed: bool,
    /// It has broken its framing: whatever comes last is all right.
    pub(super) loose: bool,
    /// Its own shard closes it in good order: nothing more is said to it.
    pub(super) closing: bool,
    /// Somebody else does, at some time: what is said from now on may arrive.
    pub(super) leaving: bool,
    close_frame: bool,
    /// Its bytes are encrypted.
    pub(super) tls: Option<Box<Secured>>,
}

impl Client {
    pub(super) fn new(shard: usize, format: Format) -> Client {
        Client {
            shard,
            format,
            conn: None,
            closed_at: None,
            frames: VecDeque::new(),
            written: Vec::new(),
            handled: 0,
            bare: false,
            lanes: Default::default(),
            seen: Vec::new(),
            at: 0,
            expected: 0,
            missed: false,
            topics: BTreeSet::new(),
            held: Held::No,
            joined: None,
            fin: false,
            doomed: false,
            loose: false,
            closing: false,
            leaving: false,
            close_frame: false,
            tls: None,
        }
    }

    /// The dialect may say things to it.
    pub(super) fn is_open(&self) -> bool {
        self.conn.is_some() && self.closed_at.is_none()
    }

    /// What is said to it arrives, or would.
    pub(super) fn takes(&self) -> bool {
        self.is_open() && !self.closing && self.joined.is_none()
    }

    /// Everything that its shard says is all that it will hear before a relay.
    pub(super) fn can_be_joined(&self) -> bool {
        let elsewhere = |lane: &usize| *lane != self.shard && *lane != RAW;
        let mut others = (0..RAW).filter(elsewhere);
        self.takes()
            && !(self.doomed || self.fin || self.loose || self.leaving)
            && others.all(|lane| self.lanes[lane].is_empty())
    }

    /// Whether a broadcast may name it: in a relay only one whose socket has moved, and which gets nothing.
    pub(super) fn may_be_named(&self) -> bool {
        let joined = self.joined.as_ref();
        joined.is_none_or(|joined| joined.gives && joined.has_met())
    }

    /// Frames that wait to be handled.
    pub(super) fn unhandled(&self) -> usize {
        self.frames.len()
    }

    // ---- what it sends -----------------------------------------------------------------------------------------

    /// Writes what comes before all frames.
    pub(super) fn write_head(&mut self, bytes: &[u8]) {
        self.write_raw(bytes);
        self.handled = self.written.len();
    }

    /// Bytes as its socket is given them.
    pub(super) fn encrypted(&mut self, bytes: &[u8]) -> Vec<u8> {
        match &mut self.tls {
            Some(tls) => tls.write(bytes),
            None => bytes.to_vec(),
        }
    }

    /// Appends bytes that are no frame.
    pub(super) fn write_raw(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
    }

    /// Appends a frame. `ended` false: without its end, which only a last line may lack.
    pub(super) fn write(&mut self, body: &[u8], mask: [u8; 4], ended: bool) {
        let out = &mut self.written;
        match self.format {
            _ if std::mem::take(&mut self.bare) => out.extend_from_slice(body),
            Format::WebSocket | Format::WebSocketText => {
                websocket::encode_client_text(body, mask, out);
            }
            Format::WebSocketBinary => websocket::encode_client_binary(body, mask, out),
            Format::Packets => packets::encode(body, out),
            Format::JsonLines if !ended => out.extend_from_slice(body),
            format => format.encode(body, out),
        }
        self.frames.push_back((body.to_vec(), self.written.len()));
    }

    /// The next frame will have no header.
    pub(super) fn bare_next(&mut self) {
        self.bare = true;
    }

    /// One of its frames is handled: is it the next one?
    pub(super) fn handled(&mut self, body: &[u8]) -> bool {
        let Some((expected, end)) = self.frames.pop_front() else {
            return self.loose; // nonsense is as good as a last line
        };
        self.handled = end;
        expected == body && self.held == Held::No
    }

    // ---- what it must see --------------------------------------------------------------------------------------

    fn put(&mut self, lane: usize, mut piece: Piece) {
        piece.may |= self.leaving || piece.slow;
        self.expected += piece.bytes.len();
        self.lanes[lane].push_back(piece);
    }

    pub(super) fn put_raw(&mut self, bytes: Vec<u8>) {
        self.put(RAW, Piece::must(bytes));
    }

    /// The last frame of an orderly end.
    pub(super) fn put_farewell(&mut self) {
        let bytes = self.format.close_frame();
        if !bytes.is_empty()
            && self.joined.is_none()
            && !std::mem::replace(&mut self.close_frame, true)
        {
            self.put_raw(bytes);
        }
    }

    /// Its stream may end anywhere from now on.
    fn doom(&mut self) {
        self.doomed = true;
        if self.joined.is_some() {
            self.may_part();
        }
    }

    /// Its relay may not begin, and then it is said good-bye to.
    fn may_part(&mut self) {
        if !std::mem::replace(&mut self.close_frame, true) {
            let mut piece = Piece::must(self.format.close_frame());
            piece.may = true;
            self.put(RAW, piece);
        }
    }

    /// What other shards have said may not arrive any more.
    pub(super) fn loosen_others(&mut self) {
        let own = self.shard;
        let others = self.lanes.iter_mut().enumerate();
        for (_, lane) in others.filter(|(lane, _)| *lane != own && *lane != RAW) {
            lane.iter_mut().for_each(|piece| piece.may = true);
        }
    }

    /// Takes the next piece out of what it has seen. None: nothing fits; false: more must come.
    fn next_piece(&mut self) -> Option<bool> {
        let rest = &self.seen[self.at..];
        for lane in &mut self.lanes {
            for index in 0..lane.len() {
                let piece = &lane[index];
                if piece.bytes.is_empty() {
                    continue;
                }
                if rest.starts_with(&piece.bytes) {
                    self.at += piece.bytes.len();
                    let resync = piece.resync;
                    self.missed |= lane.drain(..=index).take(index).any(|piece| piece.slow);
                    self.missed &= !resync;
                    return Some(true);
                }
                if piece.bytes.starts_with(rest) {
                    return Some(false);
                }
                if !piece.may {
                    break;
                }
            }
        }
        None
    }

    fn owes_lanes(&self) -> bool {
        let mut pieces = self.lanes.iter().flatten();
        pieces.any(|piece| !piece.may)
    }
}

/// Everything that is known of everybody.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) clients: Vec<Client>,
    pub(super) network: Shared,
    pub(super) chance: Chance,
    /// What may wait for a client before it misses broadcasts.
    pub(super) soft_bytes: usize,
    /// Connections may end although nobody ends them.
    pub(super) is_rough: bool,
    /// Things that dialects may still do of themselves.
    pub(super) budget: u32,
    pub(super) serial: u32,
    /// Mail by sender and receiver: sent, and received.
    pub(super) mail: [[(u32, u32); 3]; 3],
    /// Timers that are set, with their time.
    pub(super) timers: BTreeSet<(u32, Duration)>,
    pub(super) published: u64,
    /// Questions without an answer, by shard and ticket, with who waits for it.
    pub(super) asked: Vec<(usize, u64, usize)>,
    pub(super) opened: u64,
    pub(super) closed: u64,
    pub(super) panics: u64,
    pub(super) complaint: Option<String>,
    /// What has happened, if it is to be told.
    pub(super) history: Option<Vec<String>>,
}

impl Book {
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(history) = &mut self.history {
            history.push(what());
        }
    }

    pub(super) fn complain(&mut self, what: String) {
        self.note(|| format!("!! {what}"));
        self.complaint.get_or_insert(what);
    }

    pub(super) fn find(&self, conn: ConnId) -> Option<usize> {
        let mut clients = self.clients.iter();
        clients.position(|client| client.conn == Some(conn))
    }

    /// Something that never was said before and is the beginning of nothing else.
    pub(super) fn words(&mut self, who: &str) -> Vec<u8> {
        self.serial += 1;
        let length = match self.chance.below(64) {
            0 => 1_000 + self.chance.below(1_500),
            1..5 => self.chance.below(400),
            _ => self.chance.below(20),
        };
        let mut words = format!("{who}{}:", self.serial).into_bytes();
        words.resize(words.len() + length, b'x');
        words.push(b'.');
        words
    }

    /// What is put down for a client and not written by the engine.
    pub(super) fn backlog(&self, client: usize) -> usize {
        let expected = self.clients[client].expected;
        expected.saturating_sub(lock(&self.network).wires[client].taken)
    }

    /// A message to one client is put down.
    pub(super) fn sent(&mut self, client: usize, lane: usize, body: &[u8], resync: bool) {
        let one = &mut self.clients[client];
        // One that is to be relayed may still be told the present state, if it is before the first words of that.
        let takes = one.takes() || resync && one.joined.is_some();
        if !takes {
            return;
        }
        let mut piece = Piece::must(Vec::with_capacity(2 * body.len() + 16));
        one.format.encode(body, &mut piece.bytes);
        piece.resync = resync;
        one.put(lane, piece);
        self.note(|| format!("   to {client}: {}", head(body)));
    }

    /// A broadcast is put down for one of its receivers. How much of what was encrypted for a client is taken, and so whether it
    /// is slow, is known to the engine alone.
    pub(super) fn broadcast(&mut self, client: usize, lane: usize, body: &[u8]) {
        let secure = self.clients[client].tls.is_some();
        let slow = secure || self.backlog(client) > self.soft_bytes;
        let one = &mut self.clients[client];
        if !one.takes() {
            return;
        }
        let mut piece = Piece::must(Vec::with_capacity(2 * body.len() + 16));
        one.format.encode(body, &mut piece.bytes);
        piece.slow = slow;
        one.put(lane, piece);
        self.note(|| format!("   to {client}, broadcast, slow {slow}: {}", head(body)));
    }

    /// The stream of a client, and of whoever is relayed with it, may end anywhere from now on.
    pub(super) fn doom(&mut self, client: usize) {
        self.note(|| format!("   {client} is doomed"));
        self.clients[client].doom();
        if let Some(joined) = &self.clients[client].joined {
            let partner = joined.partner;
            self.clients[partner].doom();
        }
    }

    /// The client writes nothing more.
    pub(super) fn fin(&mut self, client: usize) {
        self.clients[client].fin = true;
        if let Some(joined) = &self.clients[client].joined {
            let partner = joined.partner;
            let has_begun = joined.has_met();
            match &mut self.clients[partner].joined {
                Some(theirs) if has_begun && theirs.has_met() => theirs.ended = true,
                _ => self.clients[partner].doom(),
            }
            self.clients[client].doom();
        } else if self.clients[client].held == Held::Watching {
            self.clients[client].doomed = true;
        }
    }

    /// Two clients are to be relayed to each other.
    pub(super) fn join(&mut self, source: usize, target: usize) -> [Vec<u8>; 2] {
        let words = [self.words("g"), self.words("t")];
        for (one, other, words) in [(source, target, &words[0]), (target, source, &words[1])] {
            let partner_at = self.clients[other].handled;
            let client = &mut self.clients[one];
            client.topics.clear();
            client.missed = false;
            let slow = client.lanes.iter_mut().flatten();
            slow.for_each(|piece| piece.slow = false);
            if self.is_rough {
                client.may_part();
            }
            client.joined = Some(Joined {
                partner: other,
                gives: one == source,
                words: words.clone(),
                words_at: 0,
                partner_at,
                ended: false,
            });
        }
        self.note(|| format!("   {source} is joined to {target}"));
        words
    }

    /// The client writes nothing more, and its socket is told so.
    pub(super) fn hang_up(&mut self, client: usize) {
        self.fin(client);
        let farewell = match &mut self.clients[client].tls {
            Some(tls) => tls.finish(),
            None => Some(Vec::new()),
        };
        match farewell {
            Some(bytes) => lock(&self.network).wires[client].under_way.push(&bytes),
            None => self.doom(client), // what it had said was never sent
        }
        lock(&self.network).wires[client].fin_sent = true;
    }

    // ---- reading -----------------------------------------------------------------------------------------------

    /// A client's socket has given it something.
    pub(super) fn receive(&mut self, client: usize, bytes: &[u8]) {
        let one = &mut self.clients[client];
        let Some(tls) = &mut one.tls else {
            return self.read(client, bytes);
        };
        match tls.read(bytes) {
            Ok((plain, answer)) => {
                if !one.fin {
                    lock(&self.network).wires[client].under_way.push(&answer);
                }
                self.read(client, &plain);
            }
            Err(_) if one.loose => {}
            Err(error) => self.complain(format!("{client} can't decrypt what it reads: {error}")),
        }
    }

    /// A client has read something: it must be what was to come.
    pub(super) fn read(&mut self, client: usize, bytes: &[u8]) {
        self.clients[client].seen.extend_from_slice(bytes);
        loop {
            let one = &mut self.clients[client];
            if one.at == one.seen.len() {
                one.seen.clear();
                one.at = 0;
                return;
            }
            match one.next_piece() {
                Some(true) => {}
                Some(false) => return,
                None if self.read_relayed(client) => {}
                None if self.clients[client].loose => {
                    let one = &mut self.clients[client];
                    one.at = one.seen.len();
                }
                None => return self.complain_of(client),
            }
        }
    }

    /// Takes bytes of a relay. False: they are none.
    fn read_relayed(&mut self, client: usize) -> bool {
        let one = &self.clients[client];
        let Some(joined) = one.joined.as_ref().filter(|_| !one.owes_lanes()) else {
            return false;
        };
        let rest = &one.seen[one.at..];
        let from_words = !joined.has_met();
        let from = if from_words {
            &joined.words[joined.words_at..]
        } else {
            &self.clients[joined.partner].written[joined.partner_at..]
        };
        let count = rest.len().min(from.len());
        if count == 0 || rest[..count] != from[..count] {
            return false;
        }
        let one = &mut self.clients[client];
        one.at += count;
        if let Some(joined) = &mut one.joined {
            if from_words {
                joined.words_at += count;
            } else {
                joined.partner_at += count;
            }
        }
        true
    }

    fn complain_of(&mut self, client: usize) {
        let one = &self.clients[client];
        let rest = head(&one.seen[one.at..]);
        let due: Vec<String> = one
            .lanes
            .iter()
            .map(|lane| {
                lane.front()
                    .map_or(String::new(), |piece| head(&piece.bytes))
            })
            .collect();
        self.complain(format!("{client} reads {rest} where {due:?} is due"));
    }

    /// What is wrong with a client that has read everything there was, if its stream must be whole.
    pub(super) fn lacks(&self, client: usize) -> Option<String> {
        let one = &self.clients[client];
        if one.at < one.seen.len() {
            return Some(format!(
                "a part of something: {}",
                head(&one.seen[one.at..])
            ));
        }
        let mut due = one.lanes.iter().flatten().filter(|piece| !piece.may);
        if let Some(piece) = due.next() {
            return Some(format!("{} more and {}", due.count(), head(&piece.bytes)));
        }
        if let Some(joined) = &one.joined {
            let left = self.clients[joined.partner].written.len() - joined.partner_at;
            if left > 0 || !joined.has_met() {
                return Some(format!("{left} bytes of its relay"));
            }
        }
        let mut left_out = one.lanes.iter().flatten();
        let missed = one.missed || left_out.any(|piece| piece.slow);
        (missed && one.takes()).then(|| "the present state after it missed something".to_owned())
    }
}

/// The beginning of some words.
pub(super) fn head(words: &[u8]) -> String {
    let shown = &words[..words.len().min(24)];
    let more = words.len() - shown.len();
    format!("{:?}+{more}", String::from_utf8_lossy(shown))
}
