//! Which shard has what. Nothing else knows.

use cluster::Holder;
use serde::{Deserialize, Serialize};

use crate::{ShardId, Standing};

/// Homes are given to nodes in so many parts: a view moves whole parts.
pub(in crate::faf) const PARTS: usize = 256;

/// Under what whoever speaks of homes knows them: a view, or having lost touch with that view. Two shards that name the same
/// one agree about every home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// The shards there are, on all nodes, and what each of them has.
#[derive(Clone, Debug)]
pub(in crate::faf) struct Topology {
    /// Shards of this node.
    shards: u16,
    /// There may be other nodes.
    is_clustered: bool,
    standing: Standing,
    /// For each part of the players, the node that has their claims, and how many shards it has.
    homes: Vec<(u8, u16)>,
    /// The coordinator that has introduced itself here: it hears what is said to it.
    reached: Option<Holder>,
    /// The highest term of a coordinator that was heard of: what is said under a lower one is of the past.
    term: u64,
}

/// What has changed of what a node knows of the others.
#[derive(Clone, Debug, Default)]
pub(in crate::faf) struct Change {
    /// Nodes of which a life is over that was known, in the order of their slots.
    pub lost: Vec<u8>,
    /// Nodes to which the lanes begin: nothing that was said before arrives there or comes from there.
    pub new: Vec<u8>,
    /// This node has lost touch with all others.
    pub is_cut: bool,
    /// A life of this node is in the view that was not before.
    pub has_joined: bool,
}

impl Topology {
    /// Of a node that is alone and has so many shards.
    pub(in crate::faf) fn alone(node: u8, shards: u16) -> Self {
        let shards = shards.max(1);
        let standing = Standing::alone(node, shards);
        Topology {
            is_clustered: false,
            reached: standing.leases.coordinator,
            ..Topology::new(shards, standing)
        }
    }

    /// Of a node with so many shards that knows this of the others.
    pub(in crate::faf) fn new(shards: u16, standing: Standing) -> Self {
        let here = (standing.node, shards.max(1));
        let homes = (0..PARTS as u64).map(|part| match standing.view.owner(part) {
            Some(owner) if standing.is_in_touch => (owner.node, owner.shards.max(1)),
            _ => here, // nobody else can be asked
        });
        Topology {
            shards,
            is_clustered: true,
            homes: homes.collect(),
            standing,
            reached: None,
            term: 0,
        }
    }

    /// From now on this is what the node knows of the others.
    pub(in crate::faf) fn follow(&mut self, standing: Standing) -> Change {
        let (before, is_first) = (&self.standing, !self.is_clustered);
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
        let mut after = Topology::new(self.shards, standing);
        after.term = self.term;
        // One that was alone knows of no term; one of its own shards may have heard of this before.
        after.reached = self.reached.filter(|holder| !is_first || holder.term > 0);
        let is_there = |holder: &Holder| {
            let is_touched =
                !change.lost.contains(&holder.node) && !change.new.contains(&holder.node);
            is_touched && after.standing.view.member(holder.node).is_some()
        };
        let newer = after.standing.leases.coordinator;
        let newer = newer.is_some_and(|holder| holder.term > after.term);
        if newer || !after.reached.as_ref().is_some_and(is_there) {
            after.reached = None;
        }
        *self = after;
        change
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

    /// Whether this node has never been in a view: views have numbers from 1 on.
    pub(in crate::faf) fn has_begun_outside(&self) -> bool {
        self.standing.view.number == 0
    }

    /// Whether there may be other nodes.
    pub(in crate::faf) fn is_clustered(&self) -> bool {
        self.is_clustered
    }

    /// Whether the lobby has other nodes.
    pub(in crate::faf) fn has_others(&self) -> bool {
        self.standing.others().next().is_some()
    }

    /// All shards that hear this node: only its own if it is not in touch.
    pub(in crate::faf) fn in_reach(&self) -> impl Iterator<Item = ShardId> {
        let reaches = self.standing.is_in_touch;
        let own = self.standing.node;
        self.all()
            .filter(move |shard| reaches || shard.node() == own)
    }

    /// Under what homes are known.
    pub(in crate::faf) fn era(&self) -> Era {
        Era::of(&self.standing)
    }

    /// What the grants of this era are counted above: those of a later view are larger. One of a node that is not in touch is
    /// larger than any other of its last view, and no two such nodes give out the same.
    pub(in crate::faf) fn epoch(&self, grants: u64) -> u64 {
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

    /// The part of all players that one is in.
    pub(in crate::faf) fn part(player_id: u32) -> usize {
        mixed(player_id) as usize % PARTS
    }

    /// The node that has the claims of a part.
    pub(in crate::faf) fn home_node(&self, part: usize) -> u8 {
        self.homes[part % PARTS].0
    }

    /// The shard that keeps a player's claim.
    pub(in crate::faf) fn home(&self, player_id: u32) -> ShardId {
        let mixed = mixed(player_id);
        let (node, shards) = self.homes[mixed as usize % PARTS];
        ShardId::new(node, (mixed / PARTS as u64 % u64::from(shards)) as u8)
    }

    /// All shards of a node, in their order.
    pub(in crate::faf) fn shards_of(&self, node: u8) -> impl Iterator<Item = ShardId> + use<> {
        let member = self.standing.view.member(node);
        let shards = match member {
            _ if node == self.standing.node => self.shards,
            Some(member) => member.shards,
            None => 0,
        };
        ShardId::of_node(node, shards.min(ShardId::MOST_PER_NODE))
    }

    /// Whether a node is in the lobby, as far as this one knows.
    pub(in crate::faf) fn has_node(&self, node: u8) -> bool {
        node == self.standing.node || self.standing.view.member(node).is_some()
    }

    /// Whether the node of a shard is in the lobby, in whatever life.
    pub(in crate::faf) fn has_life(&self, shard: ShardId) -> bool {
        self.has_node(shard.node())
    }

    /// The shard that goes on with a launched game if its owner's node is lost: of the first node that is responsible for it
    /// and is another one. When that is lost nobody but the next one takes its place.
    pub(in crate::faf) fn next_owner(&self, uid: u32, owner: u8) -> Option<ShardId> {
        let order = self.standing.view.responsible(u64::from(uid));
        let next = order.iter().find(|member| member.node != owner)?;
        let shards = next.shards.clamp(1, ShardId::MOST_PER_NODE);
        Some(ShardId::new(next.node, (uid % u32::from(shards)) as u8))
    }

    /// Who is asked about a game that this shard has: itself, or if its node is lost whoever would go on with it.
    pub(in crate::faf) fn going_on_with(&self, uid: u32, owner: ShardId) -> Option<ShardId> {
        match self.has_life(owner) {
            true => Some(owner),
            false => self.next_owner(uid, owner.node()),
        }
    }

    /// Whether this node hears the others, and they go by the same view.
    pub(in crate::faf) fn is_in_touch(&self) -> bool {
        self.standing.is_in_touch
    }

    /// Whether this node gives nothing out that others must not give out too.
    pub(in crate::faf) fn is_island(&self) -> bool {
        self.standing.is_island
    }

    /// The shard that has the coordinator, if it is known.
    pub(in crate::faf) fn coordinator(&self) -> Option<ShardId> {
        let holder = self.standing.leases.coordinator;
        let holder = holder.filter(|_| !self.standing.is_island)?;
        Some(ShardId::new(holder.node, 0))
    }

    /// The term under which this shard is the coordinator, if it is.
    pub(in crate::faf) fn coordinates(&self, shard: ShardId) -> Option<u64> {
        let is_here = self.coordinator() == Some(shard) && shard.node() == self.standing.node;
        let holder = self.standing.leases.coordinator.filter(|_| is_here)?;
        (holder.term >= self.term).then_some(holder.term)
    }

    /// The coordinator that hears what is said to it, if there is one. That this node is an island does not end it by itself:
    /// letters may go on.
    pub(in crate::faf) fn reached(&self) -> Option<Holder> {
        self.reached
    }

    /// A coordinator has introduced itself; false: another one has done so since its term began.
    pub(in crate::faf) fn reach(&mut self, holder: Holder) -> bool {
        let is_newest = holder.term >= self.term;
        if is_newest {
            self.heard_of(holder.term);
            self.reached = Some(holder);
        }
        is_newest
    }

    /// There is a coordinator under this term: none of a lower one is heard any more.
    pub(in crate::faf) fn heard_of(&mut self, term: u64) {
        if term > self.term {
            self.term = term;
            self.reached = None;
        }
    }

    /// This coordinator hears nothing any more.
    pub(in crate::faf) fn lose(&mut self, holder: Holder) {
        if self.reached == Some(holder) {
            self.reached = None;
        }
    }

    /// Whether this shard tells the outside of the ticks, which every shard gathers.
    pub(in crate::faf) fn is_publisher(&self, shard: ShardId) -> bool {
        let holder = self.standing.leases.outside;
        holder.is_some_and(|holder| shard == ShardId::new(holder.node, 0))
    }
}

/// Fibonacci hashing: ids given out in a row spread evenly.
fn mixed(player_id: u32) -> u64 {
    u64::from(player_id).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use cluster::{Leases, Member, View};

    fn standing(node: u8, number: u32, is_island: bool) -> Standing {
        let members = (0..3).map(|node| Member {
            node,
            incarnation: u64::from(node) * 7 + 1,
            shards: 2,
            version: "1".into(),
        });
        Standing {
            node,
            incarnation: u64::from(node) * 7 + 1,
            view: Arc::new(View {
                number,
                members: members.collect(),
            }),
            is_island,
            is_in_touch: !is_island,
            leases: Leases::default(),
        }
    }

    fn topology(node: u8, number: u32, is_island: bool) -> Topology {
        Topology::new(2, standing(node, number, is_island))
    }

    #[test]
    fn all_members_agree_about_homes_and_an_island_has_all() {
        let (one, other) = (topology(0, 5, false), topology(2, 5, false));
        let mut homes = [0; 3];
        for player_id in 0..3_000 {
            let home = one.home(player_id);
            assert_eq!(home, other.home(player_id));
            homes[usize::from(home.node())] += 1;
            assert_eq!(one.home_node(Topology::part(player_id)), home.node());
            let island = topology(2, 5, true).home(player_id);
            assert_eq!((island.node(), island.local()), (2, home.local()));
        }
        assert!(homes.iter().all(|&players| players > 500), "{homes:?}");
    }

    #[test]
    fn later_grants_are_larger_and_no_two_the_same() {
        let alone = Topology::alone(0, 2);
        assert_eq!(alone.epoch(7), 1 << 32 | 7);
        let (before, after) = (topology(0, 5, false), topology(0, 6, false));
        let (one, other) = (topology(0, 5, true), topology(2, 5, true));
        let many = 1 << 24;
        assert!(before.epoch(many) < one.epoch(1) && one.epoch(1) < one.epoch(2));
        assert!(one.epoch(many) < other.epoch(1) && other.epoch(many) < after.epoch(1));
        assert_ne!(before.era(), one.era());
        assert_ne!(before.era(), after.era());
        assert_eq!(one.era(), other.era());
    }

    #[test]
    fn an_island_reaches_itself() {
        assert_eq!(topology(1, 5, false).in_reach().count(), 6);
        let own: Vec<_> = topology(1, 5, true).in_reach().collect();
        assert_eq!(own, [ShardId::new(1, 0), ShardId::new(1, 1)]);
        assert!(!Topology::alone(0, 2).is_clustered() && topology(1, 5, true).is_clustered());
    }
}
