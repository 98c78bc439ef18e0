//! A shard's connections, by slot.

use std::{net::IpAddr, os::fd::RawFd, task::Waker, time::Duration};

use super::{OutboxLimits, fanout::Circles, outbox::Outbox, relay::Joining};
use crate::{
    lobby::{Closing, ConnId, ShardId},
    wire::Format,
};

/// In no circle.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Whether frames of a connection wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hold {
    #[default]
    No,
    /// For an answer; nothing is read.
    Still,
    /// For long: a little is read, so that its end is noticed.
    Watching,
}

/// What the shard knows of one connection. The socket itself and the reader's state belong to its task.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) fd: RawFd,
    pub(super) format: Format,
    pub(super) limits: OutboxLimits,
    /// Counted under this address by admission.
    pub(super) admitted_as: IpAddr,
    /// The dialect was told of it and must be told of its end.
    pub(super) opened: bool,
    pub(super) hold: Hold,
    /// The next frame is so many bytes without a header.
    pub(super) bare: Option<u32>,
    /// A step of a join that its task is to do.
    pub(super) joining: Option<Joining>,
    /// Its socket is relayed with this connection's, there.
    pub(super) away: Option<ConnId>,
    /// Missed broadcasts because it reads slowly.
    pub(super) stale: bool,
    /// Is in the shard's list of connections to flush.
    pub(super) dirty: bool,
    /// The socket took less than was offered: its task writes the rest.
    pub(super) blocked_since: Option<Duration>,
    pub(super) closing: Option<Closing>,
    pub(super) circles: Circles,
    /// Place among the shard's connections that are in some circle, or [`NOWHERE`].
    pub(super) subscribed_at: u32,
    /// Broadcasts of the present batch that are already in the outbox or came before it entered a circle.
    pub(super) fanned: u32,
    pub(super) outbox: Outbox,
    pub(super) waker: Option<Waker>,
}

impl Conn {
    /// Nothing more is to be sent to it.
    pub(super) fn is_ending(&self) -> bool {
        self.closing.is_some()
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    conn: Option<Conn>,
}

/// All connections of one shard.
#[derive(Debug)]
pub(super) struct Table {
    shard: ShardId,
    slots: Vec<Slot>,
    free: Vec<u32>,
    limit: usize,
}

impl Table {
    pub(super) fn new(shard: ShardId, limit: usize) -> Self {
        Table {
            shard,
            slots: Vec::new(),
            free: Vec::new(),
            limit,
        }
    }

    /// Open connections.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes in a connection; `None` if the table is full.
    pub(super) fn insert(&mut self, conn: Conn) -> Option<ConnId> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < self.limit => {
                self.slots.push(Slot::default());
                self.slots.len() as u32 - 1
            }
            None => return None,
        };
        let place = &mut self.slots[slot as usize];
        place.conn = Some(conn);
        Some(ConnId {
            shard: self.shard,
            slot,
            generation: place.generation,
        })
    }

    /// The connection, if it is still this one.
    pub(super) fn find(&mut self, id: ConnId) -> Option<&mut Conn> {
        let place = self.slots.get_mut(id.slot as usize)?;
        if id.shard != self.shard || place.generation != id.generation {
            return None;
        }
        place.conn.as_mut()
    }

    /// Whoever is in that slot now.
    pub(super) fn at(&mut self, slot: u32) -> Option<(ConnId, &mut Conn)> {
        let place = self.slots.get_mut(slot as usize)?;
        let id = ConnId {
            shard: self.shard,
            slot,
            generation: place.generation,
        };
        place.conn.as_mut().map(|conn| (id, conn))
    }

    /// Takes a connection out; its name will never be used again.
    pub(super) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        self.find(id)?;
        let place = &mut self.slots[id.slot as usize];
        place.generation = place.generation.wrapping_add(1);
        self.free.push(id.slot);
        place.conn.take()
    }

    /// Every open connection.
    pub(super) fn ids(&self) -> Vec<ConnId> {
        let open = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, place)| place.conn.is_some());
        open.map(|(slot, place)| ConnId {
            shard: self.shard,
            slot: slot as u32,
            generation: place.generation,
        })
        .collect()
    }
}
