//! A shard's connections, by slot.

use std::{
    cmp::Reverse, collections::BinaryHeap, net::IpAddr, num::NonZeroU64, os::fd::OwnedFd,
    time::Duration,
};

use super::{
    frames::Frames,
    input::Input,
    outbox::Outbox,
    runtime::{Key, Socket},
    tls::Session,
    topics::Memberships,
};
use lobby::{Closing, ConnId, Relay, ShardId};
use wire::{Decoder, Format};

/// Whether frames of a connection wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hold {
    #[default]
    No,
    /// For an answer; nothing is read.
    Still,
    /// For long: a little is read, and its end is noticed.
    Watching,
    /// For good: what is read is thrown away, and its end is noticed.
    Discarding,
}

/// What is left of a connection's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The dialect may say things to it.
    Open,
    /// The dialect has no part in it any more: its peer reads our last words, and what it sends is thrown away.
    Lingering,
}

/// A time of the shard's clock, in half the room that it takes where it is reckoned with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(NonZeroU64);

impl From<Duration> for Moment {
    fn from(time: Duration) -> Moment {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Moment(NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN))
    }
}

impl From<Moment> for Duration {
    fn from(Moment(nanos): Moment) -> Duration {
        Duration::from_nanos(nanos.get())
    }
}

/// How far a connection has come through the broadcasts of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fanned {
    /// The batch in which its broadcasts were looked through last.
    pub(super) batch: u64,
    /// Up to where.
    pub(super) upto: u32,
}

impl Default for Fanned {
    fn default() -> Fanned {
        Fanned {
            batch: u64::MAX,
            upto: 0,
        }
    }
}

/// One connection: its socket, its reader's state, what it is owed. Small, because most are idle most of the time: what
/// few have is behind a pointer.
#[derive(Debug)]
pub(super) struct Conn<S> {
    /// None: it has moved to the shard that relays it.
    pub(super) socket: Option<S>,
    pub(super) format: Format,
    /// Which of the listeners it came through.
    pub(super) listener: u16,
    /// The peer's address, as far as it is known.
    pub(super) address: IpAddr,
    /// It is not the socket's own address: a proxy has named it.
    pub(super) named: bool,
    /// Counted under this address by admission.
    pub(super) admitted: bool,
    /// The dialect was told of it and must be told of its end.
    pub(super) opened: bool,
    pub(super) stage: Stage,
    pub(super) closing: Option<Closing>,
    /// It has proved who it is, or nobody does where it came from: the limits of clients are its limits.
    pub(super) signed_in: bool,
    /// Bytes that it was last found to hold.
    pub(super) held: usize,
    /// When it was accepted.
    pub(super) since: Moment,
    /// Bytes that have come from it, and that its socket has taken.
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,

    // ---- reading
    pub(super) decoder: Decoder,
    pub(super) rest: Input,
    /// `rest` may hold whole frames.
    pub(super) unread: bool,
    /// There may be something to read from the socket.
    pub(super) readable: bool,
    /// The peer has ended its side, though not all that it sent before may have been read.
    pub(super) to_end: bool,
    /// The peer has ended its side, and everything is read.
    pub(super) ended: bool,
    pub(super) hold: Hold,
    /// Frames wait until a timer is due, whatever else they wait for.
    pub(super) paused: bool,
    /// Is in the shard's list of connections that go on when the others had their turn, which no connection is in twice.
    pub(super) queued: bool,
    /// Waits for a congested mesh.
    pub(super) parked: bool,

    // ---- writing
    pub(super) outbox: Outbox,
    /// Is in the shard's list of connections to flush.
    pub(super) dirty: bool,
    /// Missed broadcasts because it reads slowly.
    pub(super) stale: bool,
    /// The socket took less than was offered; it says when it takes more. The time is that of the last progress.
    pub(super) blocked_since: Option<Moment>,
    /// A timer looks whether it is stuck.
    pub(super) stuck_timer: bool,
    pub(super) topics: Memberships,
    pub(super) fanned: Fanned,

    /// What few connections have.
    pub(super) rare: Option<Box<Rare>>,
}

/// What few connections have.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// The next frame is so many bytes without a header.
    pub(super) raw: Option<u32>,
    /// Bytes that came after its end.
    pub(super) discarded: usize,
    /// Bytes that the dialect keeps of what it said.
    pub(super) kept: usize,
    /// A relay that begins with this connection's socket, which is to be handed over.
    pub(super) joining: Option<Box<Relay>>,
    /// The connection of this shard that it is relayed with.
    pub(super) peer: Option<ConnId>,
    /// They exchange frames.
    pub(super) frames: Option<Box<Frames>>,
    /// In a relay: when it last sent anything, or was not listened to.
    pub(super) heard: Duration,
    /// Its relay ends when nothing has come from either side for this long.
    pub(super) idle: Option<Duration>,
    /// A look whether that is so is due.
    pub(super) looked_after: bool,
    /// It does not end with whom it is relayed with.
    pub(super) survives: bool,
    /// Its socket has moved to the shard of this connection, with which it is relayed there.
    pub(super) away: Option<ConnId>,
    /// The socket is that of this connection, on the shard where it was accepted.
    pub(super) home: Option<ConnId>,
    /// What its bytes are encrypted with.
    pub(super) tls: Option<Box<Session>>,
}

impl Rare {
    /// It is relayed from now on.
    pub(super) fn relayed_with(
        &mut self,
        peer: ConnId,
        now: Duration,
        idle: Option<Duration>,
        survives: bool,
    ) {
        self.peer = Some(peer);
        self.heard = now;
        self.idle = idle;
        self.survives = survives;
    }
}

impl<S: Socket> Conn<S> {
    /// A connection whose socket was just accepted, or has come from another shard.
    pub(super) fn new(
        socket: S,
        format: Format,
        listener: u16,
        address: IpAddr,
        decoder: Decoder,
    ) -> Self {
        Conn {
            socket: Some(socket),
            format,
            listener,
            address,
            named: false,
            admitted: false,
            opened: false,
            stage: Stage::Open,
            closing: None,
            signed_in: false,
            held: 0,
            since: Duration::ZERO.into(),
            bytes_in: 0,
            bytes_out: 0,
            decoder,
            rest: Input::default(),
            unread: false,
            readable: false,
            to_end: false,
            ended: false,
            hold: Hold::No,
            paused: false,
            queued: false,
            parked: false,
            outbox: Outbox::default(),
            dirty: false,
            stale: false,
            blocked_since: None,
            stuck_timer: false,
            topics: Memberships::new(),
            fanned: Fanned::default(),
            rare: None,
        }
    }

    /// Bytes of memory that it holds for what is not handled, or was offered to its socket and not taken.
    pub(super) fn holds(&self) -> usize {
        let unsent = match self.blocked_since {
            Some(_) => self.outbox.held(),
            None => 0,
        };
        let kept = self.rare.as_ref().map_or(0, |rare| {
            rare.kept + rare.tls.as_ref().map_or(0, |tls| tls.held())
        });
        self.rest.held() + self.decoder.held() + unsent + kept
    }

    /// Nothing more is to be sent to it.
    pub(super) fn is_ending(&self) -> bool {
        self.closing.is_some()
    }

    /// Whether what is said to it is put into its outbox: not if it is ending, or its socket has moved.
    pub(super) fn takes(&self) -> bool {
        !self.is_ending() && self.socket.is_some()
    }

    /// Whether something may have waited for its outbox to become empty: its end, its relay, the present state, or input,
    /// which is not looked at while much waits.
    pub(super) fn goes_on_when_empty(&self) -> bool {
        let has_input = self.unread || self.readable || self.ended;
        self.is_ending() || self.peer().is_some() || self.stale || has_input
    }

    /// The connection it is relayed with on this shard.
    pub(super) fn peer(&self) -> Option<ConnId> {
        self.rare.as_ref()?.peer
    }

    /// The connection on whose shard its socket is relayed, if it has moved.
    pub(super) fn away(&self) -> Option<ConnId> {
        self.rare.as_ref()?.away
    }

    /// The connection whose socket this is, if it came from elsewhere.
    pub(super) fn home(&self) -> Option<ConnId> {
        self.rare.as_ref()?.home
    }

    /// What it has sent and is owed of frames, if it is relayed and they exchange frames.
    pub(super) fn frames(&mut self) -> Option<&mut Frames> {
        self.rare.as_mut()?.frames.as_deref_mut()
    }

    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

/// Slots of one piece of the table. In unit tests few, so that tables grow and shrink.
const PIECE: usize = if cfg!(test) { 4 } else { 256 };

/// A connection's place, with its generation.
type Slot<S> = Option<(u32, Conn<S>)>;

/// What each connection costs the table: more of them than of anything else lie in a shard's memory.
const SLOT_BYTES: usize = 208;
const _: () = assert!(size_of::<Slot<OwnedFd>>() <= SLOT_BYTES);

/// A piece of the table: it never moves, so a growing table copies nothing.
#[derive(Debug)]
struct Piece<S> {
    slots: Box<[Slot<S>]>,
    used: usize,
}

/// All connections of one shard. Grows and shrinks by pieces; the lowest free slot is used first, so that the last pieces
/// run empty.
#[derive(Debug)]
pub(super) struct Table<S> {
    shard: ShardId,
    pieces: Vec<Piece<S>>,
    /// Slots below `high` that are free.
    free: BinaryHeap<Reverse<u32>>,
    /// No slot from here on was ever used, or is still there.
    high: u32,
    open: usize,
    /// Of the next connection. All slots share it, so that a slot may vanish and come again without a name coming twice.
    /// It begins with 16 bits of the process's incarnation: what is late by a life of the process finds nobody either.
    generation: u32,
}

impl<S: Socket> Table<S> {
    /// A shard's table in a life of the process that tells itself apart from others by its incarnation.
    pub(super) fn new(shard: ShardId, incarnation: u16) -> Self {
        Table {
            shard,
            pieces: Vec::new(),
            free: BinaryHeap::new(),
            high: 0,
            open: 0,
            generation: u32::from(incarnation) << 16,
        }
    }

    /// Open connections.
    pub(super) fn len(&self) -> usize {
        self.open
    }

    /// Takes in a connection.
    pub(super) fn insert(&mut self, conn: Conn<S>) -> ConnId {
        let slot = self.free_slot();
        let generation = self.generation;
        self.generation = self.generation.wrapping_add(1);
        let piece = &mut self.pieces[slot as usize / PIECE];
        piece.slots[slot as usize % PIECE] = Some((generation, conn));
        piece.used += 1;
        self.open += 1;
        ConnId {
            shard: self.shard,
            slot,
            generation,
        }
    }

    fn free_slot(&mut self) -> u32 {
        if let Some(Reverse(slot)) = self.free.pop() {
            return slot;
        }
        let slot = self.high;
        if slot as usize / PIECE == self.pieces.len() {
            self.pieces.push(Piece {
                slots: std::iter::repeat_with(|| None).take(PIECE).collect(),
                used: 0,
            });
        }
        self.high += 1;
        slot
    }

    fn place(&mut self, slot: u32) -> Option<&mut (u32, Conn<S>)> {
        let piece = self.pieces.get_mut(slot as usize / PIECE)?;
        piece.slots[slot as usize % PIECE].as_mut()
    }

    /// The first connection in this slot or a later one, before that of `end`.
    pub(super) fn next_from(&self, slot: u32, end: u32) -> Option<(ConnId, &Conn<S>)> {
        let mut slots = slot..end.min(self.high);
        slots.find_map(|slot| {
            let piece = self.pieces.get(slot as usize / PIECE)?;
            let (generation, conn) = piece.slots[slot as usize % PIECE].as_ref()?;
            let id = ConnId {
                shard: self.shard,
                slot,
                generation: *generation,
            };
            Some((id, conn))
        })
    }

    /// No slot from here on is in use.
    pub(super) fn end(&self) -> u32 {
        self.high
    }

    /// The connection, if it is still this one.
    pub(super) fn find(&mut self, id: ConnId) -> Option<&mut Conn<S>> {
        let shard = self.shard;
        self.place(id.slot)
            .filter(|(generation, _)| *generation == id.generation && id.shard == shard)
            .map(|(_, conn)| conn)
    }

    /// Whoever is in that slot now.
    pub(super) fn at(&mut self, slot: u32) -> Option<(ConnId, &mut Conn<S>)> {
        let shard = self.shard;
        self.place(slot).map(|(generation, conn)| {
            let id = ConnId {
                shard,
                slot,
                generation: *generation,
            };
            (id, conn)
        })
    }

    /// The connection, if it is still this one, for reading.
    pub(super) fn peek(&self, id: ConnId) -> Option<&Conn<S>> {
        let piece = self.pieces.get(id.slot as usize / PIECE)?;
        let (generation, conn) = piece.slots[id.slot as usize % PIECE].as_ref()?;
        (*generation == id.generation && id.shard == self.shard).then_some(conn)
    }

    /// The connection that the ring means.
    pub(super) fn of(&mut self, key: Key) -> Option<(ConnId, &mut Conn<S>)> {
        self.at(key.slot).filter(|(id, _)| Key::of(*id) == key)
    }

    /// Takes a connection out; its name will never be used again.
    pub(super) fn remove(&mut self, id: ConnId) -> Option<Conn<S>> {
        self.find(id)?;
        let piece = &mut self.pieces[id.slot as usize / PIECE];
        let taken = piece.slots[id.slot as usize % PIECE].take();
        piece.used -= 1;
        self.open -= 1;
        self.free.push(Reverse(id.slot));
        self.shrink();
        taken.map(|(_, conn)| conn)
    }

    /// Lets the last pieces go when two of them are empty: one stays for newcomers.
    fn shrink(&mut self) {
        let empty = |piece: &Piece<S>| piece.used == 0;
        let before = self.pieces.len();
        while let [.., last_but_one, last] = &self.pieces[..]
            && empty(last_but_one)
            && empty(last)
        {
            self.pieces.pop();
        }
        if self.pieces.len() < before {
            self.high = (self.pieces.len() * PIECE) as u32;
            let high = self.high;
            self.free.retain(|Reverse(slot)| *slot < high);
            self.free.shrink_to(self.pieces.len() * PIECE);
        }
    }

    /// Every open connection.
    pub(super) fn ids(&self) -> Vec<ConnId> {
        let slots = self.pieces.iter().flat_map(|piece| piece.slots.iter());
        let open = slots.enumerate().filter_map(|(slot, place)| {
            let (generation, _) = place.as_ref()?;
            Some(ConnId {
                shard: self.shard,
                slot: slot as u32,
                generation: *generation,
            })
        });
        open.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[derive(Debug)]
    struct NoSocket;

    impl Socket for NoSocket {
        type Handle = ();
        fn handle(&self) {}
    }

    fn conn() -> Conn<NoSocket> {
        let decoder = Decoder::new(Format::JsonLines, false, false);
        Conn::new(
            NoSocket,
            Format::JsonLines,
            0,
            [127, 0, 0, 1].into(),
            decoder,
        )
    }

    #[test]
    fn a_table_shrinks_when_its_connections_are_gone_and_never_names_two_alike() {
        let mut table = Table::new(ShardId::new(0, 3), 0xFFFF);
        let mut names = BTreeSet::new();
        for round in 0..3 {
            let open: Vec<ConnId> = (0..10 * PIECE).map(|_| table.insert(conn())).collect();
            assert_eq!((table.len(), table.pieces.len()), (10 * PIECE, 10));
            for &id in &open {
                assert!(names.insert(id), "{id:?} was another one in round {round}");
                assert!(table.find(id).is_some());
            }
            let (kept, gone) = open.split_first().expect("many");
            for &id in gone {
                assert!(table.remove(id).is_some());
                assert!(table.find(id).is_none());
            }
            assert_eq!((table.len(), table.ids()), (1, vec![*kept]));
            assert!(
                table.pieces.len() <= 2,
                "{} pieces for one",
                table.pieces.len()
            );
            assert!(table.remove(*kept).is_some());
        }
    }

    #[test]
    fn another_life_of_the_process_gives_other_names() {
        let mut names = BTreeSet::new();
        for incarnation in [7, 8, 0xFFFF, 0] {
            let mut table = Table::new(ShardId::new(0, 0), incarnation);
            for _ in 0..1000 {
                let id = table.insert(conn());
                assert!(names.insert(id), "{id:?} was of another life");
                assert!(table.remove(id).is_some());
            }
        }
    }

    /// Most connections are idle most of the time: what each of them costs is this.
    #[test]
    fn a_connection_is_small() {
        let bytes = size_of::<Conn<std::os::fd::OwnedFd>>();
        assert!(bytes <= 256, "{bytes} bytes");
    }
}
