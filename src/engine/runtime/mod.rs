//! Where the engine meets the machine: sockets, the ring that watches them, threads, the clock.
//!
//! The rest of the engine is generic over [`Io`], so that the very same shard runs on the kernel's sockets ([`Ring`]) and
//! on a simulated network from a seed. Only this folder knows glommio and io_uring, and only here is unsafe code.
//!
//! A socket is *watched*: there is a [`Event`] whenever something new has arrived, until it is forgotten. Bytes are read
//! when the shard wants them, so what it does not want yet stays in the kernel and slows its sender, and nothing that
//! was read is ever on its way inside a ring.

mod clock;
mod doorbell;
mod look;
mod memory;
mod ring;
mod socket;
mod threads;

use std::{
    io::{self, IoSlice},
    time::Duration,
};

use lobby::ConnId;

pub use clock::since_boot;
pub use memory::use_small_pages;

pub(super) use doorbell::Doorbell;
pub(super) use ring::Ring;
pub(super) use socket::{is_out_of_descriptors, listen, wait_for_any};
pub(super) use threads::{Thread, allowed_cpus, or_end_the_process, spawn};

/// What was awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// There is something to read, the peer has ended its side, or the socket is broken.
    Readable {
        /// The peer has ended its side, or the socket is broken: reading comes to an end, which is not told again.
        to_end: bool,
    },
    /// The socket takes bytes again, or is broken.
    Writable,
    /// The socket can't be awaited: the connection can't go on.
    Broken,
}

/// Something happened on a connection's socket. It may be late: the connection may be another one by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) key: Key,
    pub(super) what: What,
    /// The socket is not watched any more and must be watched anew.
    pub(super) over: bool,
}

/// Names a connection of this shard to its [`Io`]: a slot of the table, and which connection of that slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl Key {
    /// The bits of a generation that are told apart: what is late by more connections of one slot than these count is
    /// taken for something of the present one, which at the worst looks at its socket in vain.
    pub(super) const GENERATIONS: u32 = (1 << 28) - 1;

    /// The name of a connection.
    pub(super) fn of(id: ConnId) -> Key {
        Key {
            slot: id.slot,
            generation: id.generation & Key::GENERATIONS,
        }
    }
}

/// One send of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job<'a, H> {
    pub(super) slot: u32,
    pub(super) socket: H,
    pub(super) bytes: &'a [u8],
}

/// A job that was not done whole: its place in the batch, and how many bytes were taken.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) job: usize,
    pub(super) outcome: io::Result<usize>,
}

/// Most sends that a wait takes with it.
pub(super) const LAST_SENDS: usize = if cfg!(test) { 3 } else { 32 };

/// How a wait ended.
#[derive(Debug)]
pub(super) struct Waited {
    /// When.
    pub(super) now: Duration,
    /// How many bytes were written before it.
    pub(super) written: u64,
    /// The sends that were not done whole, by place.
    pub(super) unfinished: Vec<Unfinished>,
    /// Everything that was watched or awaited up to now is forgotten, and must be asked for anew; nothing that was noticed
    /// before is told.
    pub(super) renewed: bool,
}

/// The machine as a shard sees it. Nothing but [`Io::wait`] blocks.
pub(super) trait Io {
    /// A connected socket; dropping it closes it.
    type Socket: Socket;

    /// Monotonic time since a start that all shards share.
    fn now(&self) -> Duration;

    /// What people called this monotonic time, which is now or has just been: time since 1970-01-01 UTC.
    fn unix(&self, mono: Duration) -> Duration;

    /// Something is likely to happen at once: the next wait may look for it before it sleeps.
    fn expect_more(&mut self);

    /// Waits until something has happened, the shard's doorbell rings, or `until` has come, and adds what has happened to
    /// `events`. With a time that has passed it only looks. `now` is the time as it was last looked up. Before it falls asleep
    /// it sends `jobs`, [`LAST_SENDS`] at the most, as [`Io::send_all`] does; if one is not done whole it does not sleep.
    ///
    /// # Errors
    /// The ring has failed and a new one is not to be had: the shard cannot go on.
    fn wait(
        &mut self,
        now: Duration,
        until: Option<Duration>,
        jobs: &[Job<'_, Handle<Self>>],
        events: &mut Vec<Event>,
    ) -> io::Result<Waited>;

    /// From now on [`What::Readable`] is told whenever something new arrives, and soon if something is there already.
    fn watch(&mut self, key: Key, socket: &Self::Socket);

    /// [`What::Writable`] is told once, when it is so.
    fn await_writable(&mut self, key: Key, socket: &Self::Socket);

    /// Nothing more is told of this socket but what is on its way. Before the socket is closed or handed on. `writable`: it is
    /// awaited, too.
    fn forget(&mut self, key: Key, writable: bool);

    /// Reads what there is, without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]: nothing is there. Others: the socket is broken.
    fn receive(&mut self, socket: &Self::Socket, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes as much as the socket takes, without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]: it takes nothing now. Others: the socket is broken.
    fn send(&mut self, socket: &Self::Socket, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// The same for many sockets at once. Adds the jobs that were not done whole to `unfinished`, by place, and returns how
    /// many bytes were written in all.
    fn send_all(&mut self, jobs: &[Job<'_, Handle<Self>>], unfinished: &mut Vec<Unfinished>)
    -> u64;

    /// Ends the writing side: the peer reads everything sent so far, then the end.
    fn shutdown_write(&mut self, socket: &Self::Socket);

    /// The socket's client has signed in: the kernel may take more for it at once.
    fn trust(&mut self, socket: &Self::Socket);

    /// Makes the kernel's buffers large: the socket is relayed from now on.
    fn widen(&mut self, socket: &Self::Socket);
}

/// What stands for a socket in a [`Job`].
pub(super) type Handle<I> = <<I as Io>::Socket as Socket>::Handle;

/// A socket of some [`Io`].
pub(super) trait Socket: std::fmt::Debug + Send + 'static {
    /// What stands for it while it is open.
    type Handle: Copy + std::fmt::Debug;

    /// What stands for it.
    fn handle(&self) -> Self::Handle;
}
