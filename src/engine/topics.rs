//! Which connections of a shard are in which topics: a list a topic, so that a broadcast walks those that it is for.

use ahash::AHashMap;
use smallvec::SmallVec;

use lobby::Topic;

/// Nothing of a topic is in the present batch.
const NO_BROADCAST: u32 = u32::MAX;

/// That a connection is in a topic, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    /// Index of the topic.
    topic: u32,
    /// The connection's place in the topic's list.
    place: u32,
}

/// Everything that one connection is in. Few are in more than two topics.
pub(super) type Memberships = SmallVec<[Membership; 2]>;

/// Somebody whose place in a topic's list has changed, because another one left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    /// The slot of its connection.
    pub(super) slot: u32,
    topic: u32,
    place: u32,
}

impl Moved {
    /// Puts the new place down with the connection's own memberships.
    pub(super) fn note(self, memberships: &mut Memberships) {
        let mut all = memberships.iter_mut();
        if let Some(membership) = all.find(|membership| membership.topic == self.topic) {
            membership.place = self.place;
        }
    }
}

#[derive(Debug)]
struct Entry {
    topic: Topic,
    /// Slots of the connections in it, in no certain order.
    members: Vec<u32>,
    /// Which of the present batch's topics it is, or [`NO_BROADCAST`].
    ordinal: u32,
}

/// All topics that have a member on this shard. A topic's index is its own until the batch is cleared in which its last
/// member left.
#[derive(Debug, Default)]
pub(super) struct Topics {
    indices: AHashMap<Topic, u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
}

impl Topics {
    /// The index of a topic that has members.
    pub(super) fn index(&self, topic: Topic) -> Option<u32> {
        self.indices.get(&topic).copied()
    }

    /// Whether these memberships hold one of this topic.
    pub(super) fn has(&self, memberships: &Memberships, topic: Topic) -> bool {
        self.index(topic)
            .is_some_and(|index| memberships.iter().any(|one| one.topic == index))
    }

    /// The connection in `slot` is in this topic from now on; it was not.
    pub(super) fn enter(&mut self, topic: Topic, slot: u32, memberships: &mut Memberships) {
        let index = match self.index(topic) {
            Some(index) => index,
            None => self.insert(topic),
        };
        let members = &mut self.entries[index as usize].members;
        memberships.push(Membership {
            topic: index,
            place: members.len() as u32,
        });
        members.push(slot);
    }

    fn insert(&mut self, topic: Topic) -> u32 {
        let entry = Entry {
            topic,
            members: Vec::new(),
            ordinal: NO_BROADCAST,
        };
        let index = match self.free.pop() {
            Some(index) => {
                self.entries[index as usize] = entry;
                index
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        self.indices.insert(topic, index);
        index
    }

    /// The connection with these memberships leaves a topic. Returns whose place has changed by it.
    pub(super) fn leave(&mut self, topic: Topic, memberships: &mut Memberships) -> Option<Moved> {
        let index = self.index(topic)?;
        let at = memberships.iter().position(|one| one.topic == index)?;
        let membership = memberships.swap_remove(at);
        self.take_out(membership)
    }

    /// The same for the topic it entered last, if it is in any: calling it until there is none leaves all.
    pub(super) fn leave_last(&mut self, memberships: &mut Memberships) -> Option<Option<Moved>> {
        memberships
            .pop()
            .map(|membership| self.take_out(membership))
    }

    fn take_out(&mut self, Membership { topic, place }: Membership) -> Option<Moved> {
        let entry = &mut self.entries[topic as usize];
        entry.members.swap_remove(place as usize);
        let moved = entry
            .members
            .get(place as usize)
            .map(|&slot| Moved { slot, topic, place });
        if entry.members.is_empty() {
            self.indices.remove(&entry.topic);
            // While a broadcast waits for it its index stands for it.
            if entry.ordinal == NO_BROADCAST {
                self.vacate(topic);
            }
        } else if entry.members.capacity() > 4 * entry.members.len().max(16) {
            entry.members.shrink_to(2 * entry.members.len());
        }
        moved
    }

    fn vacate(&mut self, index: u32) {
        self.entries[index as usize].members = Vec::new();
        self.free.push(index);
    }

    /// Lends the list of a topic's members out, to be given back by [`Topics::return_members`].
    pub(super) fn lend_members(&mut self, index: u32) -> Vec<u32> {
        std::mem::take(&mut self.entries[index as usize].members)
    }

    pub(super) fn return_members(&mut self, index: u32, members: Vec<u32>) {
        self.entries[index as usize].members = members;
    }

    /// Which of the present batch's topics this one is; `next` if it is the first time, which is told.
    pub(super) fn put_into_batch(&mut self, index: u32, next: u32) -> (u32, bool) {
        let entry = &mut self.entries[index as usize];
        if entry.ordinal == NO_BROADCAST {
            entry.ordinal = next;
            return (next, true);
        }
        (entry.ordinal, false)
    }

    /// The present batch is over for this topic.
    pub(super) fn take_from_batch(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        entry.ordinal = NO_BROADCAST;
        if entry.members.is_empty() {
            self.vacate(index);
        }
    }

    /// Which of the present batch's topics these memberships are in, ascending.
    pub(super) fn in_batch(&self, memberships: &Memberships) -> SmallVec<[u32; 4]> {
        let mut ordinals: SmallVec<[u32; 4]> = memberships
            .iter()
            .map(|one| self.entries[one.topic as usize].ordinal)
            .filter(|&ordinal| ordinal != NO_BROADCAST)
            .collect();
        if ordinals.len() > 1 {
            ordinals.sort_unstable();
        }
        ordinals
    }

    /// Whether nobody is in any, and nothing is kept of those that were.
    #[cfg(test)]
    pub(super) fn is_unused(&self) -> bool {
        let unused = |entry: &Entry| entry.members.capacity() == 0 && entry.ordinal == NO_BROADCAST;
        self.len() == 0 && self.free.len() == self.entries.len() && self.entries.iter().all(unused)
    }

    /// Topics that have members.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.indices.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    /// Connections enter and leave as chance has it; every list is what a set says it is, and nothing stays behind.
    #[test]
    fn lists_and_memberships_agree_after_any_order_of_comings_and_goings() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut topics = Topics::default();
        let mut conns: Vec<Memberships> = vec![Memberships::new(); 20];
        let mut model = BTreeSet::new();
        for _ in 0..5_000 {
            let slot = rng.random_range(0..20u32);
            let topic = Topic(rng.random_range(0..6));
            let before = topics.has(&conns[slot as usize], topic);
            assert_eq!(before, model.contains(&(topic, slot)));
            if before {
                if let Some(moved) = topics.leave(topic, &mut conns[slot as usize]) {
                    moved.note(&mut conns[moved.slot as usize]);
                }
                model.remove(&(topic, slot));
            } else {
                topics.enter(topic, slot, &mut conns[slot as usize]);
                model.insert((topic, slot));
            }
            for number in 0..6 {
                let topic = Topic(number);
                let expected: BTreeSet<u32> = model
                    .iter()
                    .filter(|(of, _)| *of == topic)
                    .map(|(_, slot)| *slot)
                    .collect();
                let listed: BTreeSet<u32> = topics
                    .index(topic)
                    .map(|index| {
                        topics.entries[index as usize]
                            .members
                            .iter()
                            .copied()
                            .collect()
                    })
                    .unwrap_or_default();
                assert_eq!(listed, expected);
            }
        }
        for slot in 0..conns.len() {
            let mut memberships = std::mem::take(&mut conns[slot]);
            while let Some(moved) = topics.leave_last(&mut memberships) {
                if let Some(moved) = moved {
                    moved.note(&mut conns[moved.slot as usize]);
                }
            }
        }
        assert_eq!(topics.len(), 0);
        assert_eq!(topics.free.len(), topics.entries.len());
    }
}
