//! Which shard has what, as far as that follows from who is in: for dialects whose lobby is on several nodes.
//!
//! What has an id that can be hashed is in one of [`PARTS`] parts; parts are given to nodes by rendezvous hashing over the view, and
//! within a node to its shards. Two shards that name the same [`Era`] agree about every home.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ShardId, Standing};

settings::settings! {
    /// What holds in every lobby that is on several nodes.
    #[derive(Clone, Debug)]
    pub struct NodeSettings {
        /// How long players of a node that was lost, and FAF's games there, are shown as they were: most are back on another node
        /// by then, and with FAF have never been away in anybody's eyes. FAF's running games go on elsewhere after that;
        /// Cockatrice's end at once.
        grace: Duration = "cluster.grace_s", number(0, 3600), "10", unit("s"), live;
    }
}

/// Homes are given to nodes in so many parts: a view moves whole parts.
pub(crate) const PARTS: usize = 256;

/// Under what whoever speaks of homes knows them: a view, or having lost touch with that view. Later ones are larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Era(u64);

impl Era {
    fn of(standing: &Standing) -> Self {
        Era(u64::from(standing.view.number) << 1 | u64::from(!standing.is_in_touch))
    }
}

/// In the count of an island's grants.
const ISLAND: u64 = 1 << 31;
/// Below that and the island's number.
const ISLAND_BITS: u32 = 25;

/// The shards there are, on all nodes, and what follows from that.
#[derive(Clone, Debug)]
pub(crate) struct Homes {
    /// Shards of this node.
    shards: u16,
    /// There may be other nodes.
    is_clustered: bool,
    standing: Standing,
    /// For each part, the node that has it, and how many shards that has.
    parts: Vec<(u8, u16)>,
}

/// What has changed of what a node knows of the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// Nodes of which a life is over that was known, in the order of their slots.
    pub(crate) lost: Vec<u8>,
    /// Nodes to which the lanes begin: nothing that was said before arrives there or comes from there.
    pub(crate) new: Vec<u8>,
    /// This node has lost touch with all others.
    pub(crate) is_cut: bool,
    /// A life of this node is in the view that was not before.
    pub(crate) has_joined: bool,
}

impl Homes {
    /// Of a node that is alone and has so many shards.
    pub(crate) fn alone(node: u8, shards: u16) -> Self {
        let shards = shards.max(1);
        Homes {
            is_clustered: false,
            ..Homes::new(shards, Standing::alone(node, shards))
        }
    }

    /// Of a node with so many shards that knows this of the others.
    pub(crate) fn new(shards: u16, standing: Standing) -> Self {
        let here = (standing.node, shards.max(1));
        let parts = (0..PARTS as u64).map(|part| match standing.view.owner(part) {
            Some(owner) if standing.is_in_touch => (owner.node, owner.shards.max(1)),
            _ => here, // nobody else can be asked
        });
        Homes {
            shards,
            is_clustered: true,
            parts: parts.collect(),
            standing,
        }
    }

    /// From now on this is what the node knows of the others.
    pub(crate) fn follow(&mut self, standing: Standing) -> Change {
        let before = &self.standing;
        let lives_on = |node: u8, incarnation: u64| {
            let member = standing.view.member(node);
            member.is_some_and(|member| member.incarnation == incarnation)
        };
        let lost = before.others();
        let lost = lost.filter(|m| !lives_on(m.node, m.incarnation));
        let new = standing.new_lanes(before);
        let change = Change {
            lost: lost.map(|member| member.node).collect(),
            new: new.map(|member| member.node).collect(),
            is_cut: !standing.is_in_touch && before.is_in_touch,
            has_joined: standing.is_member()
                && !(before.is_member() && before.incarnation == standing.incarnation),
        };
        *self = Homes::new(self.shards, standing);
        change
    }

    /// What this node knows of the others.
    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// All shards of this node, in their order.
    pub(crate) fn local(&self) -> impl Iterator<Item = ShardId> + use<> {
        ShardId::of_node(self.standing.node, self.shards)
    }

    /// The shard of this node that comes after one; none if there is only that one.
    pub(crate) fn next_local(&self, shard: ShardId) -> Option<ShardId> {
        let next = (shard.local() + 1) % usize::from(self.shards);
        self.local().nth(next).filter(|&next| next != shard)
    }

    /// All shards, in their order: those of this node, and those of the others.
    pub(crate) fn all(&self) -> impl Iterator<Item = ShardId> {
        let others = self.standing.others();
        let theirs = others.flat_map(|member| ShardId::of_node(member.node, member.shards));
        self.local().chain(theirs)
    }

    /// Whether this node has never been in a view: views have numbers from 1 on.
    pub(crate) fn has_begun_outside(&self) -> bool {
        self.standing.view.number == 0
    }

    /// Whether there may be other nodes.
    pub(crate) fn is_clustered(&self) -> bool {
        self.is_clustered
    }

    /// Whether the lobby has other nodes.
    pub(crate) fn has_others(&self) -> bool {
        self.standing.others().next().is_some()
    }

    /// All shards that hear this node: only its own if it is not in touch.
    pub(crate) fn in_reach(&self) -> impl Iterator<Item = ShardId> {
        let reaches = self.standing.is_in_touch;
        let own = self.standing.node;
        self.all()
            .filter(move |shard| reaches || shard.node() == own)
    }

    /// Under what homes are known.
    pub(crate) fn era(&self) -> Era {
        Era::of(&self.standing)
    }

    /// What the grants of this era are counted above: those of a later view are larger. One of a node that is not in touch is
    /// larger than any other of its last view, and no two such nodes give out the same.
    pub(crate) fn epoch(&self, grants: u64) -> u64 {
        let Standing {
            view,
            node,
            is_in_touch,
            ..
        } = &self.standing;
        let first = u64::from(view.number) << 32;
        match is_in_touch {
            true => first | grants,
            false => {
                let island = ISLAND | (u64::from(*node) << ISLAND_BITS);
                first | island | (grants % (1 << ISLAND_BITS))
            }
        }
    }

    /// The part of what hashes to this.
    pub(crate) fn part_of(hash: u64) -> usize {
        hash as usize % PARTS
    }

    /// The node that has a part.
    pub(crate) fn home_node(&self, part: usize) -> u8 {
        self.parts[part % PARTS].0
    }

    /// The shard that has what hashes to this.
    pub(crate) fn home_of(&self, hash: u64) -> ShardId {
        let (node, shards) = self.parts[Homes::part_of(hash)];
        ShardId::new(node, (hash / PARTS as u64 % u64::from(shards)) as u8)
    }

    /// All shards of a node, in their order.
    pub(crate) fn shards_of(&self, node: u8) -> impl Iterator<Item = ShardId> + use<> {
        let member = self.standing.view.member(node);
        let shards = match member {
            _ if node == self.standing.node => self.shards,
            Some(member) => member.shards,
            None => 0,
        };
        ShardId::of_node(node, shards.min(ShardId::MOST_PER_NODE))
    }

    /// Whether a node is in the lobby, as far as this one knows.
    pub(crate) fn has_node(&self, node: u8) -> bool {
        node == self.standing.node || self.standing.view.member(node).is_some()
    }

    /// Whether this node hears the others, and they go by the same view.
    pub(crate) fn is_in_touch(&self) -> bool {
        self.standing.is_in_touch
    }

    /// Whether this node gives nothing out that others must not give out too.
    pub(crate) fn is_island(&self) -> bool {
        self.standing.is_island
    }

    /// Whether this shard tells the outside, for all.
    pub(crate) fn is_publisher(&self, shard: ShardId) -> bool {
        let holder = self.standing.leases.outside;
        holder.is_some_and(|holder| shard == ShardId::new(holder.node, 0))
    }
}
