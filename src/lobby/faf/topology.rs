//! Which shard has what. Nothing else knows.

use crate::ShardId;

/// The shards there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faf) struct Topology {
    node: u8,
    shards: u16,
}

impl Topology {
    /// Of a node that has so many shards.
    pub(in crate::faf) fn new(node: u8, shards: u16) -> Self {
        Topology {
            node,
            shards: shards.max(1),
        }
    }

    /// All shards, in their order.
    pub(in crate::faf) fn all(self) -> impl Iterator<Item = ShardId> {
        ShardId::of_node(self.node, self.shards)
    }

    /// The shard that keeps a player's claim.
    pub(in crate::faf) fn home(self, player_id: u32) -> ShardId {
        // Fibonacci hashing: ids given out in a row spread evenly.
        let mixed = (u64::from(player_id).wrapping_mul(0x9E37_79B9_7F4A_7C15)) >> 32;
        ShardId::new(self.node, (mixed % u64::from(self.shards)) as u8)
    }

    /// The shard that has the coordinator.
    pub(in crate::faf) fn coordinator(self) -> ShardId {
        ShardId::new(0, 0)
    }

    /// Every shard gathers the same tick; this one tells the outside of it.
    pub(in crate::faf) fn publisher(self) -> ShardId {
        ShardId::new(0, 0)
    }
}
