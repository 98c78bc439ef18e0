//! Which shard has what. Nothing else knows. What follows from who is in alone is in [`Homes`].

use std::ops::Deref;

use cluster::Holder;

use crate::{ShardId, Standing, homes::Homes};

pub(in crate::faf) use crate::homes::{Change, Era, PARTS};

/// The shards there are, on all nodes, and what each of them has.
#[derive(Clone, Debug)]
pub(in crate::faf) struct Topology {
    homes: Homes,
    /// The coordinator that has introduced itself here: it hears what is said to it.
    reached: Option<Holder>,
    /// The highest term of a coordinator that was heard of: what is said under a lower one is of the past.
    term: u64,
}

impl Deref for Topology {
    type Target = Homes;

    fn deref(&self) -> &Homes {
        &self.homes
    }
}

impl Topology {
    /// Of a node that is alone and has so many shards.
    pub(in crate::faf) fn alone(node: u8, shards: u16) -> Self {
        let homes = Homes::alone(node, shards);
        Topology {
            reached: homes.standing().leases.coordinator,
            homes,
            term: 0,
        }
    }

    /// From now on this is what the node knows of the others.
    pub(in crate::faf) fn follow(&mut self, standing: Standing) -> Change {
        let is_first = !self.is_clustered();
        let change = self.homes.follow(standing);
        // One that was alone knows of no term; one of its own shards may have heard of this before.
        self.reached = self.reached.filter(|holder| !is_first || holder.term > 0);
        let is_there = |holder: &Holder| {
            let is_touched =
                !change.lost.contains(&holder.node) && !change.new.contains(&holder.node);
            is_touched && self.homes.standing().view.member(holder.node).is_some()
        };
        let newer = self.homes.standing().leases.coordinator;
        let newer = newer.is_some_and(|holder| holder.term > self.term);
        if newer || !self.reached.as_ref().is_some_and(is_there) {
            self.reached = None;
        }
        change
    }

    /// The part of all players that one is in.
    pub(in crate::faf) fn part(player_id: u32) -> usize {
        Homes::part_of(mixed(player_id))
    }

    /// The shard that keeps a player's claim.
    pub(in crate::faf) fn home(&self, player_id: u32) -> ShardId {
        self.home_of(mixed(player_id))
    }

    /// Whether the node of a shard is in the lobby, in whatever life.
    pub(in crate::faf) fn has_life(&self, shard: ShardId) -> bool {
        self.has_node(shard.node())
    }

    /// The shard that goes on with a launched game if its owner's node is lost: of the first node that is responsible for it
    /// and is another one. When that is lost nobody but the next one takes its place.
    pub(in crate::faf) fn next_owner(&self, uid: u32, owner: u8) -> Option<ShardId> {
        let order = self.standing().view.responsible(u64::from(uid));
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

    /// The shard that has the coordinator, if it is known.
    pub(in crate::faf) fn coordinator(&self) -> Option<ShardId> {
        let holder = self.standing().leases.coordinator;
        let holder = holder.filter(|_| !self.standing().is_island)?;
        Some(ShardId::new(holder.node, 0))
    }

    /// The term under which this shard is the coordinator, if it is.
    pub(in crate::faf) fn coordinates(&self, shard: ShardId) -> Option<u64> {
        let is_here = self.coordinator() == Some(shard) && shard.node() == self.standing().node;
        let holder = self.standing().leases.coordinator.filter(|_| is_here)?;
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
        let mut topology = Topology::alone(node, 2);
        topology.follow(standing(node, number, is_island));
        topology
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
