//! The leader: who is let in, who is put out, and the views that say so.
//!
//! A member that is silent is put out when the lock of its slot could be taken, since then it cannot believe to hold it; or after so
//! long that it has noticed by its own clock. View numbers of the leader in slot s are those with (number - 1) % 64 = s: two leaders
//! never give one number to two views, whatever they have heard of each other.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Member, View,
    beat::{News, ViewId},
    membership::Membership,
    peers::{Peer, Peers, SPEAKS},
};

/// A leader listens for so long before it says who is in.
pub(crate) const LISTENS: Duration = Duration::from_millis(500);
/// A member that is silent for so long is fenced.
const SILENT: Duration = Duration::from_secs(2);
/// A member that is silent for so long is put out even if its lock cannot be taken: then it runs, holds the lock, and has known for
/// longer than a bus may be late that it has lost touch; one that stands still has lost its lock by now.
const LOST: Duration = Duration::from_secs(6);
/// Another life in the slot of a member that is silent for so long takes its place.
const REPLACED: Duration = Duration::from_secs(1);
/// How often the lock of a slot is tried.
const FENCE_EVERY: Duration = Duration::from_millis(500);
/// For how long a leader waits for a view that somebody knows and it does not.
const WAITS: Duration = Duration::from_secs(3);

/// What a leader knows when it looks who is in.
#[derive(Clone, Copy)]
pub(crate) struct Situation<'a> {
    pub(crate) now: Duration,
    pub(crate) own: &'a Member,
    pub(crate) term: u64,
    /// Since when it hears.
    pub(crate) hears_since: Duration,
    pub(crate) peers: &'a Peers,
    pub(crate) membership: &'a Membership,
}

/// A lock that was tried.
#[derive(Clone, Copy, Debug)]
struct Fence {
    incarnation: u64,
    asked: Duration,
    taken: bool,
}

/// What a leader does.
#[derive(Debug, Default)]
pub(crate) struct Leadership {
    fences: BTreeMap<u8, Fence>,
    /// The life of each slot that was put out last: it does not come back.
    gone: BTreeMap<u8, u64>,
    /// When the newest view became known.
    viewed: Duration,
    /// A view of an earlier leader that is newer than what this one knows.
    rival: Option<News>,
    /// Since when somebody speaks who knows a view that this node does not.
    behind: Option<Duration>,
}

impl Leadership {
    /// One view follows another.
    pub(crate) fn on_view(&mut self, now: Duration, before: &News, after: &News) {
        for member in &before.members {
            let life = (member.node, member.incarnation);
            let mut stay = after.members.iter();
            if !stay.any(|member| (member.node, member.incarnation) == life) {
                self.gone.insert(life.0, life.1);
            }
        }
        self.viewed = now;
        self.rival = None;
        self.behind = None;
    }

    /// While this node leads, somebody has told a view that is newer than its own.
    pub(crate) fn on_rival(&mut self, news: News) {
        let known = self.rival.as_ref().map(|rival| rival.id.number);
        if known.is_none_or(|known| known < news.id.number) {
            self.rival = Some(news);
        }
    }

    /// Whether the lock of that slot could be taken.
    pub(crate) fn on_fenced(&mut self, slot: u8, taken: bool) {
        if let Some(fence) = self.fences.get_mut(&slot) {
            fence.taken |= taken;
        }
    }

    /// This node does not lead.
    pub(crate) fn rest(&mut self) {
        self.fences.clear();
        self.rival = None;
        self.behind = None;
    }

    /// The next view, if there has to be one. `fence` is called with the slots whose locks are to be tried.
    pub(crate) fn view(&mut self, at: &Situation, fence: impl FnMut(u8)) -> Option<News> {
        if at.now < at.hears_since + LISTENS || self.is_behind(at) {
            return None;
        }
        let newest = at.membership.newest();
        let members = self.members(at, fence);
        let is_ours = newest.id.term == at.term;
        let highest = at.membership.highest();
        if is_ours && members == newest.members && highest <= newest.id.number {
            return None;
        }
        let number = next_number(highest.max(newest.id.number), at.own.node)?;
        let term = at.term;
        Some(News {
            id: ViewId { number, term },
            members,
        })
    }

    /// The view without this node, which ends; nothing if nobody else is in.
    pub(crate) fn farewell(&self, at: &Situation) -> Option<News> {
        let newest = at.membership.newest();
        let others = newest.members.iter();
        let others = others.filter(|member| member.node != at.own.node);
        let members: Vec<Member> = others.cloned().collect();
        let highest = at.membership.highest().max(newest.id.number);
        let number = next_number(highest, at.own.node).filter(|_| !members.is_empty())?;
        let term = at.term;
        Some(News {
            id: ViewId { number, term },
            members,
        })
    }

    /// Whether somebody knows a newer view, of which only the number has come here yet.
    fn is_behind(&mut self, at: &Situation) -> bool {
        let rival = self.rival.as_ref().map_or(0, |rival| rival.id.number);
        let known = at.membership.newest().id.number.max(rival);
        let mut peers = at.peers.all();
        let is_behind = peers.any(|(_, peer)| at.speaks(peer) && peer.beat.view.number > known);
        if !is_behind {
            self.behind = None;
            return false;
        }
        at.now < *self.behind.get_or_insert(at.now) + WAITS
    }

    fn members(&mut self, at: &Situation, mut fence: impl FnMut(u8)) -> Vec<Member> {
        let before = self.base(at);
        let own = at.own.node;
        let mut members = vec![at.own.clone()];
        for member in before.into_iter().filter(|member| member.node != own) {
            if self.stays(at, &member, &mut fence) {
                members.push(member);
            }
        }
        let mut joining = BTreeMap::new();
        for (from, peer) in at.peers.all() {
            let is_free = members.iter().all(|member| member.node != from.node);
            if is_free && self.asks(at, from.node, from.incarnation, peer) {
                let latest = joining.entry(from.node).or_insert((from.incarnation, peer));
                if latest.1.heard < peer.heard {
                    *latest = (from.incarnation, peer);
                }
            }
        }
        let joining = joining.into_iter();
        members.extend(joining.map(|(node, (incarnation, peer))| Member {
            node,
            incarnation,
            shards: peer.beat.shards,
            version: peer.beat.version.clone(),
        }));
        members.sort_by_key(|member| member.node);
        members
    }

    /// Who was in, as far as this node and the newest view it was told of know.
    fn base(&self, at: &Situation) -> Vec<Member> {
        let newest = &at.membership.newest().members;
        let Some(rival) = &self.rival else {
            return newest.clone();
        };
        if rival.members.contains(at.own) {
            return rival.members.clone();
        }
        let mut members = newest.clone();
        for member in &rival.members {
            let is_free = members.iter().all(|other| other.node != member.node);
            if is_free && self.gone.get(&member.node) != Some(&member.incarnation) {
                members.push(member.clone());
            }
        }
        members
    }

    fn stays(&mut self, at: &Situation, member: &Member, fence: &mut impl FnMut(u8)) -> bool {
        let (node, incarnation) = (member.node, member.incarnation);
        let peer = at.peers.get(node, incarnation);
        let heard = peer.and_then(|peer| peer.heard_well).unwrap_or(self.viewed);
        let heard = heard.max(at.hears_since);
        let silent = at.now.saturating_sub(heard);
        if peer.is_some_and(|peer| peer.beat.leaves) || silent >= LOST {
            return false;
        }
        let may_be_replaced = silent >= REPLACED || peer.is_none_or(|peer| !peer.beat.has_slot);
        let is_replaced = at.peers.of_slot(node).any(|(life, other)| {
            life != incarnation
                && (may_be_replaced || other.beat.previous == Some(incarnation))
                && self.asks(at, node, life, other)
        });
        if is_replaced {
            return false;
        }
        if silent < SILENT {
            self.fences.remove(&node);
            return true;
        }
        let tried = self.fences.get(&node);
        let tried = tried.filter(|tried| tried.incarnation == incarnation && tried.asked > heard);
        if tried.is_some_and(|tried| tried.taken) {
            return false;
        }
        if tried.is_none_or(|tried| at.now >= tried.asked + FENCE_EVERY) {
            let (asked, taken) = (at.now, false);
            self.fences.insert(
                node,
                Fence {
                    incarnation,
                    asked,
                    taken,
                },
            );
            fence(node);
        }
        true
    }

    /// Whether this life of a node asks to be let in, and may be.
    fn asks(&self, at: &Situation, node: u8, incarnation: u64, peer: &Peer) -> bool {
        let beat = &peer.beat;
        let is_new = !beat.was_in && self.gone.get(&node) != Some(&incarnation);
        is_new && beat.has_slot && beat.hears && !beat.leaves && at.speaks(peer)
    }
}

impl Situation<'_> {
    fn speaks(&self, peer: &Peer) -> bool {
        self.now < peer.heard + SPEAKS
    }
}

/// The next number above this one that the leader in this slot may give; nothing if there is none left.
fn next_number(highest: u32, slot: u8) -> Option<u32> {
    let slots = u32::from(View::SLOTS);
    let behind = (u32::from(slot) + slots - highest % slots) % slots;
    highest.checked_add(behind + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_leaders_give_one_number() {
        assert_eq!(next_number(0, 0), Some(View::FIRST));
        assert_eq!(next_number(1, 0), Some(65));
        assert_eq!(next_number(1, 1), Some(2));
        assert_eq!(next_number(2, 1), Some(66));
        assert_eq!(next_number(70, 3), Some(132));
        assert_eq!(next_number(u32::MAX, 3), None);
        for (highest, slot) in (0..500).flat_map(|n| (0..64).map(move |slot| (n, slot))) {
            let number = next_number(highest, slot).expect("there are many");
            assert!(number > highest && number - highest <= 64);
            assert_eq!((number - 1) % 64, u32::from(slot));
        }
    }
}
