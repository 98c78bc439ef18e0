//! The name of a shard. Its two halves are this file's secret, so that nothing else mistakes it for an index.

use serde::{Deserialize, Serialize};

/// Names a shard, one pinned thread with its own state, among all of a lobby: which node it is on, and which of that node's
/// shards it is. A node is one process; one that is alone is node 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShardId(u16);

impl ShardId {
    /// Most shards that a node can have: their numbers are the lower half of the name.
    pub const MOST_PER_NODE: u16 = 1 << 8;

    /// Shard number `local` of node `node`.
    pub const fn new(node: u8, local: u8) -> Self {
        ShardId((node as u16) << 8 | local as u16)
    }

    /// All shards of a node that has so many, [`ShardId::MOST_PER_NODE`] at the most.
    pub fn of_node(node: u8, shards: u16) -> impl Iterator<Item = ShardId> {
        debug_assert!(shards <= ShardId::MOST_PER_NODE, "too many shards");
        (0..shards).map(move |local| ShardId::new(node, local as u8))
    }

    /// The node that the shard is on.
    pub const fn node(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// Its number among the shards of its node, for tables that a node keeps of its own shards.
    pub const fn local(self) -> usize {
        (self.0 & 0xFF) as usize
    }
}
