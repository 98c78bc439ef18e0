//! A model of NATS: it loses what it cannot bring, without a word; what it brings keeps its order for each subject.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

use super::Chance;
use crate::Subject;

/// What is under way.
#[derive(Clone, Debug)]
pub(super) enum Parcel {
    /// From a process to the server.
    Up {
        from: usize,
        epoch: u32,
        subject: Subject,
        bytes: Bytes,
    },
    /// From the server to a process.
    Down { to: usize, epoch: u32, bytes: Bytes },
}

/// The connection of one process.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// Its slot: what is said to that comes here.
    pub(super) slot: u8,
    /// It grows with each connection that is made.
    epoch: u32,
    pub(super) is_up: bool,
    /// The last one that was ended in order: what was said on it still arrives.
    ended: u32,
    /// Everything takes up to so much longer, each way.
    pub(super) delay_ms: usize,
    /// More than so much on its way to the process is lost.
    pub(super) room: usize,
    on_way: usize,
    last_up: Duration,
    last_down: BTreeMap<Subject, Duration>,
}

/// Longest delay that is drawn where there is no fault, in µs.
const USUAL_US: usize = 800;
/// Parcels that are kept, to come again much later.
const OLD: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Bus {
    pub(super) is_up: bool,
    pub(super) connections: Vec<Connection>,
    under_way: BTreeMap<(Duration, u64), Parcel>,
    count: u64,
    /// Something that was said once, for those who say it again.
    old: Vec<Bytes>,
    pub(super) lost: u64,
}

impl Bus {
    pub(super) fn connect(&mut self, process: usize, slot: u8) {
        let connection = &mut self.connections[process];
        connection.epoch += 1;
        connection.is_up = true;
        connection.slot = slot;
        connection.on_way = 0;
    }

    /// The process ends, and has seen to it that what it said arrives.
    pub(super) fn end(&mut self, process: usize) {
        let connection = &mut self.connections[process];
        connection.ended = connection.epoch;
    }

    /// What is under way is lost, both ways.
    pub(super) fn cut(&mut self, process: usize) {
        let connection = &mut self.connections[process];
        connection.epoch += 1;
        connection.is_up = false;
        connection.on_way = 0;
    }

    fn delay(&self, process: usize, chance: &mut Chance) -> Duration {
        let more = self.connections[process].delay_ms;
        let more = if more > 0 {
            chance.below(more * 1000)
        } else {
            0
        };
        Duration::from_micros((20 + chance.below(USUAL_US) + more) as u64)
    }

    pub(super) fn publish(
        &mut self,
        now: Duration,
        from: usize,
        (subject, bytes): (Subject, Bytes),
        chance: &mut Chance,
    ) {
        if !self.connections[from].is_up {
            self.lost += 1;
            return;
        }
        let delay = self.delay(from, chance);
        let connection = &mut self.connections[from];
        connection.last_up = connection.last_up.max(now + delay);
        let (at, epoch) = (connection.last_up, connection.epoch);
        let parcel = Parcel::Up {
            from,
            epoch,
            subject,
            bytes,
        };
        self.put(at, parcel);
    }

    fn put(&mut self, at: Duration, parcel: Parcel) {
        self.count += 1;
        self.under_way.insert((at, self.count), parcel);
    }

    pub(super) fn next(&self) -> Option<Duration> {
        let first = self.under_way.keys().next();
        first.map(|(at, _)| *at)
    }

    /// Brings what is due one step on; what has come to a process is returned.
    pub(super) fn step(&mut self, now: Duration, chance: &mut Chance) -> Option<(usize, Bytes)> {
        let first = self.under_way.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        match first.remove() {
            Parcel::Up {
                from,
                epoch,
                subject,
                bytes,
            } => {
                let connection = &self.connections[from];
                if self.is_up && [connection.epoch, connection.ended].contains(&epoch) {
                    self.fan_out(now, subject, &bytes, chance);
                } else {
                    self.lost += 1;
                }
                None
            }
            Parcel::Down { to, epoch, bytes } => {
                let connection = &mut self.connections[to];
                if connection.epoch != epoch {
                    self.lost += 1;
                    return None;
                }
                connection.on_way -= 1;
                Some((to, bytes))
            }
        }
    }

    fn fan_out(&mut self, now: Duration, subject: Subject, bytes: &Bytes, chance: &mut Chance) {
        if chance.happens(20) && self.old.len() < OLD {
            self.old.push(bytes.clone());
        }
        for to in 0..self.connections.len() {
            let connection = &self.connections[to];
            let is_for = match subject {
                Subject::Node(slot) => connection.slot == slot,
                Subject::All | Subject::Beat => true,
            };
            if !connection.is_up || !is_for {
                continue;
            }
            if connection.on_way >= connection.room {
                self.lost += 1;
                continue;
            }
            let delay = self.delay(to, chance);
            let connection = &mut self.connections[to];
            connection.on_way += 1;
            let last = connection.last_down.entry(subject).or_default();
            *last = (*last).max(now + delay);
            let (at, epoch) = (*last, connection.epoch);
            let bytes = bytes.clone();
            self.put(at, Parcel::Down { to, epoch, bytes });
        }
    }

    /// Something of old comes to a process again, or what nobody ever said.
    pub(super) fn disturb(&mut self, now: Duration, to: usize, chance: &mut Chance) {
        let connection = &mut self.connections[to];
        if !connection.is_up || self.old.is_empty() {
            return;
        }
        let mut bytes = self.old[chance.below(self.old.len())].to_vec();
        // NATS says nothing twice, and a beat that comes again after long could be believed.
        let is_beat = bytes[3] == 4;
        if is_beat || chance.happens(512) {
            // The magic or the version: what is changed must not be what somebody could have said.
            bytes[chance.below(3)] ^= 1 << chance.below(8);
            bytes.truncate(chance.below(bytes.len() + 1));
        }
        connection.on_way += 1;
        let epoch = connection.epoch;
        let bytes = bytes.into();
        self.put(now, Parcel::Down { to, epoch, bytes });
    }
}
