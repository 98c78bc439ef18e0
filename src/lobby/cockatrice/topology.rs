//! Which shard has what. Nothing else knows. What follows from who is in alone is in [`Homes`].

use std::ops::Deref;

use crate::{
    ShardId, Standing,
    homes::{Change, Homes},
};

/// What rooms are hashed with, so that they are no parts of names.
const ROOMS: u64 = 1 << 32;

/// Numbers of games and sessions that nodes give out themselves, modulo this, are the node's.
const SLOTS: u64 = 64;

/// The shards there are, and what each of them has.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    homes: Homes,
    /// Where each room lives.
    rooms: Vec<ShardId>,
}

impl Deref for Topology {
    type Target = Homes;

    fn deref(&self) -> &Homes {
        &self.homes
    }
}

impl Topology {
    /// Of a node that is alone and has so many shards, in a lobby with so many rooms.
    pub(super) fn new(node: u8, shards: u16, rooms: usize) -> Self {
        let homes = Homes::alone(node, shards);
        Topology {
            rooms: places(&homes, rooms),
            homes,
        }
    }

    /// From now on this is what the node knows of the others.
    pub(super) fn follow(&mut self, standing: Standing) -> Change {
        let change = self.homes.follow(standing);
        self.rooms = places(&self.homes, self.rooms.len());
        change
    }

    /// The shard that lets connections of this node in.
    pub(super) fn desk(&self) -> ShardId {
        ShardId::new(self.standing().node, 0)
    }

    /// The home of a name, and of those that it becomes when it is taken.
    pub(super) fn home(&self, name: &str) -> ShardId {
        self.home_of(hash(stem(name)))
    }

    /// The part of all names that one is in.
    pub(super) fn part(name: &str) -> usize {
        Homes::part_of(hash(stem(name)))
    }

    /// The shard that a room lives on.
    pub(super) fn room(&self, room: u32) -> ShardId {
        let place = self.rooms.get(room as usize);
        place.copied().unwrap_or(self.desk())
    }

    /// The shard that has the games that somebody on a node creates in a room: of that node, so that games are spread as users
    /// are. Alone it is the room's.
    pub(super) fn table(&self, node: u8, room: u32) -> ShardId {
        let shards = self.shards_of(node).count().max(1) as u32;
        ShardId::new(node, (room % shards) as u8)
    }

    /// Whether what is said to a shard can arrive.
    pub(super) fn reaches(&self, shard: ShardId) -> bool {
        let is_own = shard.node() == self.standing().node;
        let is_there = is_own || self.is_in_touch();
        is_there && shard.local() < self.shards_of(shard.node()).count()
    }

    /// The number of the `count`-th game that is created on a shard, where the store gives none.
    pub(super) fn game_id(&self, shard: ShardId, count: u32) -> u32 {
        self.numbered(shard, count.into()) as u32
    }

    /// The number of the `count`-th session on a shard.
    pub(super) fn session_id(&self, shard: ShardId, count: u64) -> u64 {
        self.numbered(shard, count)
    }

    fn numbered(&self, shard: ShardId, count: u64) -> u64 {
        let shards = self.local().count() as u64;
        let number = (count - 1).wrapping_mul(shards) + shard.local() as u64 + 1;
        match self.is_clustered() {
            true => number.wrapping_mul(SLOTS) + u64::from(shard.node()),
            false => number,
        }
    }
}

fn places(homes: &Homes, rooms: usize) -> Vec<ShardId> {
    let standing = homes.standing();
    let own = (standing.node, homes.local().count() as u16);
    let places = (0..rooms as u64).map(|room| {
        let (node, shards) = match standing.view.owner(ROOMS | room) {
            Some(owner) if standing.is_in_touch => (owner.node, owner.shards.max(1)),
            _ => own,
        };
        ShardId::new(node, (room % u64::from(shards)) as u8)
    });
    places.collect()
}

/// The same on every machine (FNV-1a, and the finaliser of SplitMix64, since parts are of the lower bits), and for all spellings of a
/// name: they may be the same one to the store.
fn hash(name: &str) -> u64 {
    const START: u64 = 0xCBF2_9CE4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01B3;
    let step =
        |hash: u64, byte: u8| (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(PRIME);
    let hash = name.bytes().fold(START, step);
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 27)
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
    use std::sync::Arc;

    use cluster::{Leases, Member, View};

    use super::*;

    /// What node 1 of several, of two shards each, knows.
    fn among(nodes: u8, is_island: bool) -> Topology {
        let members = (0..nodes).map(|node| Member {
            node,
            incarnation: u64::from(node) * 77 + 1,
            shards: 2,
            version: "1".into(),
        });
        let mut topology = Topology::new(1, 2, 100);
        topology.follow(Standing {
            node: 1,
            incarnation: 78,
            view: Arc::new(View {
                number: 5,
                members: members.collect(),
            }),
            is_island,
            is_in_touch: !is_island,
            leases: Leases::default(),
        });
        topology
    }

    #[test]
    fn a_name_and_what_it_becomes_have_one_home() {
        assert_eq!(stem("ann"), "ann");
        assert_eq!(stem("ann_1"), "ann");
        assert_eq!(stem("ann_1_22"), "ann");
        assert_eq!(stem("ann_"), "ann_");
        assert_eq!(stem("_1"), "");
        let topology = Topology::new(0, 5, 1);
        assert_eq!(topology.home("ann"), topology.home("ann_17"));
        assert_eq!(topology.home("ann"), topology.home("aNN_2"));
    }

    #[test]
    fn no_two_games_have_one_number() {
        let topology = Topology::new(0, 3, 1);
        let numbers = topology.all().flat_map(|shard| {
            let numbers = (1..5).map(|count| topology.game_id(shard, count));
            numbers.collect::<Vec<u32>>()
        });
        let mut numbers: Vec<u32> = numbers.collect();
        numbers.sort_unstable();
        assert_eq!(numbers, Vec::from_iter(1..=12));
        let alone = Topology::new(0, 1, 1);
        assert_eq!(alone.game_id(ShardId::new(0, 0), 7), 7);
        let topology = among(3, false);
        let shards = ShardId::of_node(1, 2);
        let given = shards.flat_map(|shard| [1, 2].map(|count| topology.game_id(shard, count)));
        assert_eq!(Vec::from_iter(given), [65, 193, 129, 257]);
    }

    #[test]
    fn rooms_and_names_are_spread_over_nodes_and_an_island_has_all() {
        let (topology, island) = (among(3, false), among(3, true));
        for node in 0..3 {
            let there = (0..100).filter(|&room| topology.room(room).node() == node);
            assert!(there.count() > 15);
            let names = (0..300).map(|number| format!("user{number}x"));
            let there = names.filter(|name| topology.home(name).node() == node);
            assert!(there.count() > 50);
        }
        assert!((0..100).all(|room| island.room(room).node() == 1));
        assert!(island.reaches(ShardId::new(1, 1)) && !island.reaches(ShardId::new(0, 0)));
        assert!(topology.reaches(ShardId::new(0, 1)) && !topology.reaches(ShardId::new(0, 2)));
        assert_eq!(topology.table(2, 7), ShardId::new(2, 1));
    }
}
