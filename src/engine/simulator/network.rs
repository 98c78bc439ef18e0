//! The simulated network: wires, the rings that watch them, and everything that goes wrong with both.
//!
//! A wire is a TCP connection. What its client writes is under way first and arrives in pieces of any size; what the
//! shard writes waits, up to a capacity, until the client reads it. A ring tells what the kernel's would: an edge when
//! something arrives at a watched wire, once that an awaited one takes bytes again. What the kernel would keep forever
//! (a socket that is watched twice, or closed while it is watched) is a fault of the engine and is complained of.

use std::{
    io::{self, ErrorKind, IoSlice},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::Chance;
use crate::runtime::{Event, Io, Job, Key, Socket, Unfinished, Waited, What};

/// How often what goes wrong, in 1,024ths of the times it could.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// A read takes less than there is; the rest arrives anew.
    pub(super) short_read: u32,
    /// A write takes less than there is room for.
    pub(super) short_write: u32,
    /// A socket with room takes nothing.
    pub(super) refusal: u32,
    /// A call is interrupted.
    pub(super) interrupt: u32,
    /// A call fails, and the connection with it.
    pub(super) error: u32,
    /// An event says that its socket is not watched any more.
    pub(super) over: u32,
    /// The events that are left wait for the next round.
    pub(super) delay: u32,
    /// Events of different sockets overtake each other.
    pub(super) disorder: u32,
    /// The ring fails while it waits, or in a batch of sends.
    pub(super) ring: u32,
}

/// Bytes in order: in at one end, out at the other.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    bytes: Vec<u8>,
    at: usize,
}

impl Pipe {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn peek(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn skip(&mut self, count: usize) {
        self.at += count;
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
        }
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.peek()[..count].to_vec();
        self.skip(count);
        taken
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.at = 0;
    }
}

/// One connection's both directions.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// Written by the client, not at the server yet.
    pub(super) under_way: Pipe,
    /// What the shard may read.
    pub(super) arrived: Pipe,
    /// The client writes nothing more.
    pub(super) fin_sent: bool,
    pub(super) fin_arrived: bool,
    /// Broken: no call succeeds any more.
    pub(super) reset: bool,
    /// The client does not read any more, and resets what is written to it.
    pub(super) gone: bool,
    /// What the client may read.
    pub(super) to_client: Pipe,
    /// Most that may wait in there.
    capacity: usize,
    /// Bytes that the shard has written.
    pub(super) taken: usize,
    /// The shard writes nothing more.
    pub(super) shut: bool,
    /// The shard has let go of its socket.
    pub(super) closed_at: Option<Duration>,
    /// Something went wrong that ends the connection, and not by the client.
    pub(super) faulted: bool,
    /// Since when the shard took it for full, and what it had taken then.
    pub(super) blocked: Option<(Duration, usize)>,
    watched: Option<(usize, Key)>,
    awaited: Option<(usize, Key)>,
}

impl Wire {
    fn has_room(&self) -> bool {
        self.reset || self.to_client.len() < self.capacity
    }

    /// Reading would not say that there is nothing.
    pub(super) fn has_input(&self) -> bool {
        self.reset || self.fin_arrived || !self.arrived.is_empty()
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watched.is_some()
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.awaited.is_some()
    }
}

/// What one shard's ring has.
#[derive(Debug, Default)]
struct SimRing {
    /// Events on their way to the shard.
    events: Vec<Event>,
    /// It has failed, and the shard does not know yet.
    renewed: bool,
    /// Which wire is whose, by slot.
    slots: Vec<Option<(Key, usize)>>,
    /// Names that were forgotten.
    old: Vec<Key>,
}

/// Everything between clients and shards.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) wires: Vec<Wire>,
    rings: Vec<SimRing>,
    pub(super) faults: Faults,
    pub(super) chance: Chance,
    pub(super) now: Duration,
    /// What all shards have read, and written.
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    /// What the engine did that it must not.
    pub(super) complaint: Option<String>,
}

/// The network, shared by sockets, shards and whoever plays the clients; all on one thread.
pub(super) type Shared = Arc<Mutex<Network>>;

/// The network, for a moment.
pub(super) fn lock(network: &Shared) -> MutexGuard<'_, Network> {
    network.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Network {
    pub(super) fn new(shards: usize, chance: Chance) -> Shared {
        Arc::new(Mutex::new(Network {
            wires: Vec::new(),
            rings: (0..shards).map(|_| SimRing::default()).collect(),
            faults: Faults::default(),
            chance,
            now: Duration::from_secs(1_000),
            bytes_in: 0,
            bytes_out: 0,
            complaint: None,
        }))
    }

    /// A new wire; its number.
    pub(super) fn connect(&mut self, capacity: usize) -> usize {
        self.wires.push(Wire {
            capacity,
            ..Wire::default()
        });
        self.wires.len() - 1
    }

    pub(super) fn complain(&mut self, what: String) {
        self.complaint.get_or_insert(what);
    }

    /// Nothing goes wrong from now on, and everybody reads fast.
    pub(super) fn calm_down(&mut self) {
        self.faults = Faults::default();
        for wire in &mut self.wires {
            wire.capacity = wire.capacity.max(4_000);
        }
    }

    /// The wire of a shard's connection.
    pub(super) fn wire_of(&self, shard: usize, key: Key) -> Option<usize> {
        let (named, wire) = (*self.rings[shard].slots.get(key.slot as usize)?)?;
        (named == key).then_some(wire)
    }

    // ---- what clients and the way to them do -------------------------------------------------------------------

    /// So many bytes arrive, and the end if it is next and `to_end`.
    pub(super) fn arrive(&mut self, wire: usize, count: usize, to_end: bool) -> bool {
        let one = &mut self.wires[wire];
        if one.reset || one.closed_at.is_some() {
            one.under_way.clear();
            return false;
        }
        let count = count.min(one.under_way.len());
        one.arrived.push(&one.under_way.peek()[..count]);
        one.under_way.skip(count);
        let ends = to_end && one.fin_sent && !one.fin_arrived && one.under_way.is_empty();
        one.fin_arrived |= ends;
        if count > 0 || ends {
            self.tell(wire);
        }
        count > 0 || ends
    }

    /// The client takes so many bytes.
    pub(super) fn read(&mut self, wire: usize, count: usize) -> Vec<u8> {
        let one = &mut self.wires[wire];
        let count = count.min(one.to_client.len());
        let bytes = one.to_client.take(count);
        self.fire(wire);
        bytes
    }

    /// The connection breaks.
    pub(super) fn reset(&mut self, wire: usize) {
        let one = &mut self.wires[wire];
        one.reset = true;
        one.arrived.clear();
        one.under_way.clear();
        self.tell(wire);
        self.fire(wire);
    }

    // ---- what rings do -----------------------------------------------------------------------------------------

    /// Whether there is something for this shard to hear.
    pub(super) fn has_events(&self, shard: usize) -> bool {
        self.rings[shard].renewed || !self.rings[shard].events.is_empty()
    }

    /// Whether an event of this kind is on its way to a connection.
    pub(super) fn is_on_its_way(&self, shard: usize, key: Key, is: fn(&Event) -> bool) -> bool {
        let ring = &self.rings[shard];
        ring.renewed || ring.events.iter().any(|one| one.key == key && is(one))
    }

    /// Something new is there to be read.
    fn tell(&mut self, wire: usize) {
        let one = &mut self.wires[wire];
        let Some((shard, key)) = one.watched else {
            return;
        };
        let to_end = one.fin_arrived || one.reset;
        let events = &mut self.rings[shard].events;
        let waiting = events.iter_mut().find(|event| {
            event.key == key && !event.over && matches!(event.what, What::Readable { .. })
        });
        if let Some(event) = waiting
            && self.chance.happens(700)
        {
            event.what = What::Readable { to_end };
            return;
        }
        let over = self.chance.happens(self.faults.over);
        if over {
            one.watched = None;
        }
        let what = What::Readable { to_end };
        events.push(Event { key, what, over });
    }

    /// If the wire takes bytes and somebody waits for that, they are told.
    fn fire(&mut self, wire: usize) {
        let one = &mut self.wires[wire];
        if one.has_room()
            && let Some((shard, key)) = one.awaited.take()
        {
            self.rings[shard].events.push(Event {
                key,
                what: What::Writable,
                over: true,
            });
        }
    }

    /// A connection of this shard is told something for no reason, or one that is gone is.
    pub(super) fn mislead(&mut self, shard: usize) {
        let ring = &mut self.rings[shard];
        if !ring.old.is_empty() && self.chance.happens(700) {
            let key = ring.old[self.chance.below(ring.old.len())];
            let to_end = self.chance.happens(512);
            let kinds = [What::Readable { to_end }, What::Writable, What::Broken];
            let (what, over) = (kinds[self.chance.below(3)], self.chance.happens(512));
            ring.events.push(Event { key, what, over });
            return;
        }
        let live: Vec<Key> = ring.slots.iter().flatten().map(|(key, _)| *key).collect();
        if !live.is_empty() {
            let key = live[self.chance.below(live.len())];
            let what = What::Readable { to_end: false };
            let over = false;
            ring.events.push(Event { key, what, over });
        }
    }

    /// A wire can't be awaited any more.
    pub(super) fn unwatch(&mut self, wire: usize) {
        let one = &mut self.wires[wire];
        let by_write = one.awaited.is_some() && self.chance.happens(512);
        let poll = if by_write {
            one.awaited.take()
        } else {
            one.watched.take()
        };
        if let Some((shard, key)) = poll {
            one.faulted = true;
            let (what, over) = (What::Broken, true);
            self.rings[shard].events.push(Event { key, what, over });
        }
    }

    /// The ring fails, and another takes its place: what it knew is lost.
    pub(super) fn fail_ring(&mut self, shard: usize) {
        for wire in &mut self.wires {
            wire.watched.take_if(|(of, _)| *of == shard);
            wire.awaited.take_if(|(of, _)| *of == shard);
        }
        let ring = &mut self.rings[shard];
        ring.events.clear();
        ring.renewed = true;
    }

    fn hand_out(&mut self, shard: usize, out: &mut Vec<Event>) {
        if self.chance.happens(self.faults.ring) {
            self.fail_ring(shard);
        }
        let disorder = self.chance.happens(self.faults.disorder);
        let ring = &mut self.rings[shard];
        if !disorder && self.faults.delay == 0 {
            return out.append(&mut ring.events);
        }
        while !ring.events.is_empty() && !self.chance.happens(self.faults.delay) {
            let mut at = 0;
            if disorder {
                let key = ring.events[self.chance.below(ring.events.len())].key;
                let first = ring.events.iter().position(|event| event.key == key);
                at = first.unwrap_or(0);
            }
            out.push(ring.events.remove(at));
        }
    }

    // ---- what sockets do ---------------------------------------------------------------------------------------

    fn receive(&mut self, wire: usize, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chance.happens(self.faults.interrupt) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.chance.happens(self.faults.error) {
            self.wires[wire].faulted = true;
            self.reset(wire);
        }
        let one = &mut self.wires[wire];
        if one.reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if one.arrived.is_empty() {
            return if one.fin_arrived {
                Ok(0)
            } else {
                Err(ErrorKind::WouldBlock.into())
            };
        }
        let mut count = one.arrived.len().min(buffer.len());
        if !one.fin_arrived && self.chance.happens(self.faults.short_read) {
            count = 1 + self.chance.below(count);
            // What this read did not take had not arrived when it was made.
            let mut rest = one.arrived.peek()[count..].to_vec();
            rest.extend_from_slice(one.under_way.peek());
            let head = one.arrived.take(count);
            one.arrived.clear();
            one.arrived.push(&head);
            one.under_way.clear();
            one.under_way.push(&rest);
        }
        buffer[..count].copy_from_slice(&one.arrived.peek()[..count]);
        one.arrived.skip(count);
        self.bytes_in += count as u64;
        Ok(count)
    }

    /// The room for a write of so many bytes, or why there is none.
    fn room(&mut self, wire: usize, wanted: usize) -> io::Result<usize> {
        if self.chance.happens(self.faults.interrupt) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.chance.happens(self.faults.error) {
            self.wires[wire].faulted = true;
            self.reset(wire);
        }
        let one = &mut self.wires[wire];
        if one.shut || one.closed_at.is_some() {
            self.complain(format!("wire {wire} is written to after its end"));
            return Err(ErrorKind::BrokenPipe.into());
        }
        if one.reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = one.capacity.saturating_sub(one.to_client.len()).min(wanted);
        if room == 0 || self.chance.happens(self.faults.refusal) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(if self.chance.happens(self.faults.short_write) {
            1 + self.chance.below(room)
        } else {
            room
        })
    }

    fn send(&mut self, wire: usize, slices: &[&[u8]]) -> io::Result<usize> {
        let wanted = slices.iter().map(|slice| slice.len()).sum();
        if wanted == 0 {
            self.complain(format!("an empty write to wire {wire}"));
        }
        let count = self.room(wire, wanted)?;
        let one = &mut self.wires[wire];
        let mut left = count;
        for slice in slices {
            let here = left.min(slice.len());
            one.to_client.push(&slice[..here]);
            left -= here;
        }
        one.taken += count;
        self.bytes_out += count as u64;
        if one.gone {
            self.reset(wire);
        }
        Ok(count)
    }

    fn watch(&mut self, shard: usize, key: Key, wire: usize) {
        let ring = &mut self.rings[shard];
        let slot = key.slot as usize;
        if ring.slots.len() <= slot {
            ring.slots.resize(slot + 1, None);
        }
        ring.slots[slot] = Some((key, wire));
        if ring.renewed {
            return; // it will be asked for anew
        }
        let one = &mut self.wires[wire];
        if one.watched.replace((shard, key)).is_some() {
            self.complain(format!("wire {wire} is watched twice"));
        }
        if self.wires[wire].has_input() {
            self.tell(wire);
        }
    }

    fn await_writable(&mut self, shard: usize, key: Key, wire: usize) {
        if self.rings[shard].renewed {
            return;
        }
        if self.wires[wire].awaited.replace((shard, key)).is_some() {
            self.complain(format!("wire {wire} is awaited twice"));
        }
        self.fire(wire);
    }

    fn forget(&mut self, shard: usize, key: Key, writable: bool) {
        let Some(wire) = self.wire_of(shard, key) else {
            return self.complain(format!("{key:?} is forgotten and was not known"));
        };
        let ring = &mut self.rings[shard];
        ring.slots[key.slot as usize] = None;
        ring.old.push(key);
        let one = &mut self.wires[wire];
        one.watched = None;
        if writable {
            one.awaited = None;
        }
    }

    fn close(&mut self, wire: usize) {
        let one = &mut self.wires[wire];
        one.closed_at = Some(self.now);
        if one.watched.is_some() || one.awaited.is_some() {
            self.complain(format!("wire {wire} is closed, and a ring keeps it"));
            return;
        }
        if !one.arrived.is_empty() || !one.under_way.is_empty() {
            // Unread input makes the kernel reset the connection, which destroys what the peer has not read yet.
            let kept = self.chance.below(one.to_client.len() + 1);
            let kept = one.to_client.take(kept);
            one.to_client.clear();
            one.to_client.push(&kept);
        }
    }

    fn send_all(
        &mut self,
        shard: usize,
        jobs: &[Job<'_, usize>],
        unfinished: &mut Vec<Unfinished>,
    ) -> u64 {
        let mut written = 0;
        let fails = self.chance.happens(self.faults.ring);
        let fails_at = fails.then(|| self.chance.below(jobs.len().max(1)));
        for (index, job) in jobs.iter().enumerate() {
            let named = self.rings[shard].slots.get(job.slot as usize);
            if named.copied().flatten().map(|(_, wire)| wire) != Some(job.socket) {
                self.complain(format!("slot {} is not wire {}", job.slot, job.socket));
            }
            let outcome = if fails_at.is_some_and(|at| index >= at) {
                // It may have been written all the same.
                self.wires[job.socket].faulted = true;
                Err(io::Error::other("the ring failed"))
            } else {
                self.send(job.socket, &[job.bytes])
            };
            match outcome {
                Ok(count) if count == job.bytes.len() => written += count as u64,
                outcome => {
                    written += *outcome.as_ref().unwrap_or(&0) as u64;
                    unfinished.push(Unfinished {
                        job: index,
                        outcome,
                    });
                }
            }
        }
        if fails {
            self.fail_ring(shard);
        }
        written
    }
}

/// The server's end of a wire.
pub(super) struct SimSocket {
    pub(super) wire: usize,
    network: Shared,
}

impl SimSocket {
    pub(super) fn new(wire: usize, network: Shared) -> SimSocket {
        SimSocket { wire, network }
    }
}

impl std::fmt::Debug for SimSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "wire {}", self.wire)
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        lock(&self.network).close(self.wire);
    }
}

impl Socket for SimSocket {
    type Handle = usize;

    fn handle(&self) -> usize {
        self.wire
    }
}

/// The machine of one shard.
#[derive(Debug)]
pub(super) struct SimIo {
    pub(super) shard: usize,
    pub(super) network: Shared,
}

impl Io for SimIo {
    type Socket = SimSocket;

    fn now(&self) -> Duration {
        lock(&self.network).now
    }

    fn unix(&self, mono: Duration) -> Duration {
        mono
    }

    fn expect_more(&mut self) {} // nobody sleeps

    fn wait(
        &mut self,
        _: Duration,
        _: Option<Duration>,
        jobs: &[Job<'_, usize>],
        events: &mut Vec<Event>,
    ) -> io::Result<Waited> {
        let mut network = lock(&self.network);
        let mut unfinished = Vec::new();
        let written = match jobs {
            [] => 0,
            jobs => network.send_all(self.shard, jobs, &mut unfinished),
        };
        network.hand_out(self.shard, events);
        Ok(Waited {
            now: network.now,
            written,
            unfinished,
            renewed: std::mem::take(&mut network.rings[self.shard].renewed),
        })
    }

    fn watch(&mut self, key: Key, socket: &SimSocket) {
        lock(&self.network).watch(self.shard, key, socket.wire);
    }

    fn await_writable(&mut self, key: Key, socket: &SimSocket) {
        lock(&self.network).await_writable(self.shard, key, socket.wire);
    }

    fn forget(&mut self, key: Key, writable: bool) {
        lock(&self.network).forget(self.shard, key, writable);
    }

    fn receive(&mut self, socket: &SimSocket, buffer: &mut [u8]) -> io::Result<usize> {
        lock(&self.network).receive(socket.wire, buffer)
    }

    fn send(&mut self, socket: &SimSocket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let slices: Vec<&[u8]> = slices.iter().map(|slice| &slice[..]).collect();
        lock(&self.network).send(socket.wire, &slices)
    }

    fn send_all(&mut self, jobs: &[Job<'_, usize>], unfinished: &mut Vec<Unfinished>) -> u64 {
        lock(&self.network).send_all(self.shard, jobs, unfinished)
    }

    fn shutdown_write(&mut self, socket: &SimSocket) {
        lock(&self.network).wires[socket.wire].shut = true;
    }

    fn trust(&mut self, socket: &SimSocket) {
        lock(&self.network).wires[socket.wire].capacity += 16;
    }

    fn widen(&mut self, socket: &SimSocket) {
        lock(&self.network).wires[socket.wire].capacity += 64;
    }
}
