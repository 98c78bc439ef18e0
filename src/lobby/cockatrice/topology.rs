//! Which shard has what. Nothing else knows.

use std::hash::BuildHasher;

use crate::{ShardId, map::FixedHasher};

/// The shards there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Topology {
    node: u8,
    shards: u16,
}

impl Topology {
    /// Of a node that has so many shards.
    pub(super) fn new(node: u8, shards: u16) -> Self {
        Topology {
            node,
            shards: shards.max(1),
        }
    }

    /// All shards, in their order.
    pub(super) fn all(self) -> impl Iterator<Item = ShardId> {
        ShardId::of_node(self.node, self.shards)
    }

    fn shard(self, number: u64) -> ShardId {
        ShardId::new(self.node, (number % u64::from(self.shards)) as u8)
    }

    /// The shard that lets connections in.
    pub(super) fn desk(self) -> ShardId {
        self.shard(0)
    }

    /// The home of a name, and of those that it becomes when it is taken.
    pub(super) fn home(self, name: &str) -> ShardId {
        self.shard(FixedHasher.hash_one(stem(name)))
    }

    /// The shard that a room and its games live on.
    pub(super) fn room(self, room: u32) -> ShardId {
        self.shard(room.into())
    }

    /// The number of the `count`-th game that is created on a shard, where the store gives none.
    pub(super) fn game_id(self, shard: ShardId, count: u32) -> u32 {
        let before = (count - 1).wrapping_mul(self.shards.into());
        before.wrapping_add(shard.local() as u32 + 1)
    }

    /// The number of the `count`-th session on a shard.
    pub(super) fn session_id(self, shard: ShardId, count: u64) -> u64 {
        (count - 1) * u64::from(self.shards) + shard.local() as u64 + 1
    }
}

/// A name without the numbers that were put behind it.
fn stem(name: &str) -> &str {
    let mut stem = name;
    while let Some((front, number)) = stem.rsplit_once('_')
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        stem = front;
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_what_it_becomes_have_one_home() {
        assert_eq!(stem("ann"), "ann");
        assert_eq!(stem("ann_1"), "ann");
        assert_eq!(stem("ann_1_22"), "ann");
        assert_eq!(stem("ann_"), "ann_");
        assert_eq!(stem("_1"), "");
        let topology = Topology::new(0, 5);
        assert_eq!(topology.home("ann"), topology.home("ann_17"));
    }

    #[test]
    fn no_two_games_have_one_number() {
        let topology = Topology::new(0, 3);
        let numbers = topology.all().flat_map(|shard| {
            let numbers = (1..5).map(move |count| topology.game_id(shard, count));
            numbers.collect::<Vec<u32>>()
        });
        let mut numbers: Vec<u32> = numbers.collect();
        numbers.sort_unstable();
        assert_eq!(numbers, Vec::from_iter(1..=12));
        assert_eq!(Topology::new(0, 1).game_id(ShardId::new(0, 0), 7), 7);
    }
}
