//! Which shard has what. Nothing else knows.

use crate::{ShardId, Standing};

/// Homes are given to nodes in so many parts: a view moves whole parts.
const PARTS: usize = 256;

/// The shards there are, on all nodes, and what each of them has.
#[derive(Clone, Debug)]
pub(in crate::faf) struct Topology {
    /// Shards of this node.
    shards: u16,
    standing: Standing,
    /// For each part of the players, the node that has their claims, and how many shards it has.
    homes: Vec<(u8, u16)>,
}

impl Topology {
    /// Of a node that is alone and has so many shards.
    pub(in crate::faf) fn alone(node: u8, shards: u16) -> Self {
        let shards = shards.max(1);
        Topology::new(shards, Standing::alone(node, shards))
    }

    /// Of a node with so many shards that knows this of the others.
    pub(in crate::faf) fn new(shards: u16, standing: Standing) -> Self {
        let homes = (0..PARTS as u64).map(|part| match standing.view.owner(part) {
            Some(owner) => (owner.node, owner.shards.max(1)),
            None => (standing.node, shards),
        });
        Topology {
            shards,
            homes: homes.collect(),
            standing,
        }
    }

    /// What this node knows of the others.
    pub(in crate::faf) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// All shards of this node, in their order.
    pub(in crate::faf) fn local(&self) -> impl Iterator<Item = ShardId> + use<> {
        ShardId::of_node(self.standing.node, self.shards)
    }

    /// All shards, in their order: those of this node, and those of the others.
    pub(in crate::faf) fn all(&self) -> impl Iterator<Item = ShardId> {
        let others = self.standing.others();
        let theirs = others.flat_map(|member| ShardId::of_node(member.node, member.shards));
        self.local().chain(theirs)
    }

    /// Whether the lobby has other nodes.
    pub(in crate::faf) fn has_others(&self) -> bool {
        self.standing.others().next().is_some()
    }

    /// The shard that keeps a player's claim.
    pub(in crate::faf) fn home(&self, player_id: u32) -> ShardId {
        // Fibonacci hashing: ids given out in a row spread evenly.
        let mixed = (u64::from(player_id).wrapping_mul(0x9E37_79B9_7F4A_7C15)) >> 32;
        let (node, shards) = self.homes[mixed as usize % PARTS];
        ShardId::new(node, (mixed / PARTS as u64 % u64::from(shards)) as u8)
    }

    /// The shard that has the coordinator, if it is known.
    pub(in crate::faf) fn coordinator(&self) -> Option<ShardId> {
        let holder = self.standing.leases.coordinator?;
        Some(ShardId::new(holder.node, 0))
    }

    /// Whether this shard tells the outside of the ticks, which every shard gathers.
    pub(in crate::faf) fn is_publisher(&self, shard: ShardId) -> bool {
        let holder = self.standing.leases.outside;
        holder.is_some_and(|holder| shard == ShardId::new(holder.node, 0))
    }
}
