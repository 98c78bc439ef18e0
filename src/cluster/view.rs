//! Who is in a lobby, and what one node knows of that.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One node of a lobby, in one life: one that has lost touch and comes back is another member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its slot, below [`View::SLOTS`]: the upper half of its shards' names.
    pub node: u8,
    /// Drawn when it came in.
    pub incarnation: u64,
    /// How many shards it has.
    pub shards: u16,
    /// What it runs.
    pub version: Box<str>,
}

/// Who is in. Only the leader makes views; nodes act on the newest only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Grows with each view of a lobby, whoever leads.
    pub number: u32,
    /// By their slots.
    pub members: Vec<Member>,
}

impl View {
    /// Slots there are.
    pub const SLOTS: u8 = 64;
    /// The first view of a lobby, and the only one of a node that is alone.
    pub const FIRST: u32 = 1;

    /// A member, by its slot.
    pub fn member(&self, node: u8) -> Option<&Member> {
        self.members.iter().find(|member| member.node == node)
    }

    /// The members in the order in which they are responsible for what hashes to `key`: the first is its owner, the second
    /// whoever takes over from that. When a member goes only what it owned gets another owner (rendezvous hashing,
    /// Thaler and Ravishankar 1998).
    pub fn responsible(&self, key: u64) -> Vec<&Member> {
        let mut all: Vec<&Member> = self.members.iter().collect();
        all.sort_by_key(|member| std::cmp::Reverse((weight(member, key), member.node)));
        all
    }

    /// The owner of what hashes to `key`; nobody without members.
    pub fn owner(&self, key: u64) -> Option<&Member> {
        self.members
            .iter()
            .max_by_key(|member| (weight(member, key), member.node))
    }
}

/// How much a member is meant for a key: a mix of both (the finaliser of SplitMix64), the same on every machine.
fn weight(member: &Member, key: u64) -> u64 {
    let mut mixed = key
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(member.incarnation)
        .wrapping_add(u64::from(member.node) << 56);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Who holds a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The node.
    pub node: u8,
    /// Of this taking; grows with every one. What is said under a lower one is of the past.
    pub term: u64,
}

/// Who does what only one node may do; nobody where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leases {
    /// Coordinates searches and matches.
    pub coordinator: Option<Holder>,
    /// Tells the outside.
    pub outside: Option<Holder>,
    /// Has the lobbies that live on one node.
    pub single: Option<Holder>,
}

/// What one node knows of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// This node.
    pub node: u8,
    /// Its life.
    pub incarnation: u64,
    /// The newest view it knows. An island has the last one it knew.
    pub view: Arc<View>,
    /// It serves what is local, and gives nothing out that others must not give out too: it is not in touch, or its slot's lock
    /// may be another's.
    pub is_island: bool,
    /// It hears a leader that has it for a member: letters go both ways, and others go by the same view. One that is no island
    /// is always in touch.
    pub is_in_touch: bool,
    /// Who does what.
    pub leases: Leases,
}

impl Standing {
    /// Of a node that is alone: it does everything.
    pub fn alone(node: u8, shards: u16) -> Self {
        let holder = Some(Holder { node, term: 0 });
        Standing {
            node,
            incarnation: 0,
            view: Arc::new(View {
                number: View::FIRST,
                members: vec![Member {
                    node,
                    incarnation: 0,
                    shards,
                    version: Box::default(),
                }],
            }),
            is_island: false,
            is_in_touch: true,
            leases: Leases {
                coordinator: holder,
                outside: holder,
                single: holder,
            },
        }
    }

    /// Whether this life of the node is in the view: only then there are lanes to the others. One that comes back hears of its
    /// new life before it is let in, and one that was never in knows of a view, 0, that has itself alone.
    pub fn is_member(&self) -> bool {
        let own = self.view.member(self.node);
        self.view.number > 0 && own.is_some_and(|own| own.incarnation == self.incarnation)
    }

    /// The members to which lanes begin with this, what was known `before` being the last: nothing that was said until then
    /// arrives there, or comes from there.
    pub fn new_lanes<'a>(&'a self, before: &'a Standing) -> impl Iterator<Item = &'a Member> {
        let has_lanes = before.is_member() && before.incarnation == self.incarnation;
        let members = self.others().filter(|_| self.is_member());
        members.filter(move |member| !(has_lanes && before.view.members.contains(member)))
    }

    /// The other members.
    pub fn others(&self) -> impl Iterator<Item = &Member> {
        let own = self.node;
        self.view
            .members
            .iter()
            .filter(move |member| member.node != own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(nodes: impl IntoIterator<Item = u8>) -> View {
        let members = nodes.into_iter().map(|node| Member {
            node,
            incarnation: u64::from(node) * 77 + 1,
            shards: 2,
            version: "1".into(),
        });
        View {
            number: 7,
            members: members.collect(),
        }
    }

    fn owner(view: &View, key: u64) -> u8 {
        view.owner(key).expect("there are members").node
    }

    #[test]
    fn keys_are_spread_evenly() {
        let view = view(0..5);
        for node in 0..5 {
            let owned = (0..256).filter(|&key| owner(&view, key) == node).count();
            assert!((30..75).contains(&owned), "{owned} of 256 for node {node}");
        }
    }

    #[test]
    fn only_what_a_member_owned_moves_when_it_goes_and_to_who_was_next() {
        let (all, without) = (view(0..5), view([0, 1, 3, 4]));
        for key in 0..256 {
            match owner(&all, key) {
                2 => assert_eq!(owner(&without, key), all.responsible(key)[1].node),
                other => assert_eq!(owner(&without, key), other),
            }
            assert_eq!(all.responsible(key)[0].node, owner(&all, key));
        }
    }

    #[test]
    fn lanes_begin_when_both_ends_are_in() {
        let standing = |incarnation, view: View| Standing {
            incarnation,
            view: Arc::new(view),
            ..Standing::alone(1, 2)
        };
        let begin = |now: &Standing, before: &Standing| -> Vec<u8> {
            now.new_lanes(before).map(|member| member.node).collect()
        };
        let (old, fresh) = (78, 79);
        let mut with_fresh = view(0..3);
        with_fresh.members[1].incarnation = fresh;
        let before = standing(old, view(0..3));
        let not_yet = standing(fresh, view(0..3));
        let back = standing(fresh, with_fresh);
        assert!(before.is_member() && !not_yet.is_member() && back.is_member());
        assert_eq!(begin(&not_yet, &before), []);
        assert_eq!(begin(&back, &not_yet), [0, 2], "it comes back");
        assert_eq!(begin(&back, &back), []);
        assert_eq!(begin(&before, &standing(old, view(0..2))), [2], "one more");
    }

    #[test]
    fn nobody_owns_anything_without_members() {
        assert!(view([]).owner(3).is_none());
        assert!(view([]).responsible(3).is_empty());
    }
}
