//! What the games of this shard's players have reported to owners on other nodes, kept until it can't be lost any more: until the
//! owner has it, and has told it to the node that would go on with the game (`game::shadows`). What is under way to a lost
//! owner, or said before another one has taken over, is said again to that one, in its order; every report has a number by
//! which it counts once. Only of launched games: those in a lobby end with their owner's node.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    ShardId,
    faf::{
        mail::game::GameReport,
        model::{
            limits::{REPORTS_KEPT, REPORTS_KEPT_BYTES},
            seat::Seat,
        },
        session::table::Link,
        topology::Topology,
    },
};

/// By the places in games that they come from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Reports {
    /// What of each.
    pub seats: BTreeMap<Seat, Kept>,
    /// Of all of them.
    bytes: usize,
}

/// What was reported from one place in a game.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Kept {
    /// Who was told.
    pub owner: ShardId,
    /// Grows with each shard that goes on with the game.
    pub epoch: u32,
    /// The owner's node is lost.
    pub is_orphan: bool,
    /// They have left the game: until when it is kept, monotonic.
    pub until: Option<Duration>,
    /// With their numbers, which grow.
    pub reports: VecDeque<(u32, GameReport)>,
}

impl Kept {
    /// Who goes on with the game now, as far as this node knows.
    pub(in crate::faf) fn target(&self, topology: &Topology, uid: u32) -> ShardId {
        let next = self
            .is_orphan
            .then(|| topology.next_owner(uid, self.owner.node()));
        next.flatten().unwrap_or(self.owner)
    }
}

impl Reports {
    /// Whether nothing is kept.
    #[cfg(test)]
    pub(in crate::faf) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Keeps one more; gives the number of the one before it that is still kept, or zero. None: there is no room.
    pub(in crate::faf) fn keep(
        &mut self,
        link: &Link,
        number: u32,
        report: &GameReport,
    ) -> Option<u32> {
        let bytes = report.bytes();
        let known = self
            .seats
            .get(&link.seat)
            .map_or(0, |kept| kept.reports.len());
        if known >= REPORTS_KEPT || self.bytes + bytes > REPORTS_KEPT_BYTES {
            return None;
        }
        self.bytes += bytes;
        let kept = self.seats.entry(link.seat).or_insert_with(|| Kept {
            owner: link.owner,
            epoch: link.epoch,
            is_orphan: link.orphaned.is_some(),
            until: None,
            reports: VecDeque::new(),
        });
        let before = kept.reports.back().map_or(0, |(number, _)| *number);
        kept.reports.push_back((number, report.clone()));
        Some(before)
    }

    /// Up to this number they can't be lost any more.
    pub(in crate::faf) fn safe(&mut self, seat: &Seat, number: u32) {
        let Some(kept) = self.seats.get_mut(seat) else {
            return;
        };
        while let Some((_, report)) = kept.reports.pop_front_if(|(known, _)| *known <= number) {
            self.bytes -= report.bytes();
        }
        if kept.reports.is_empty() {
            self.seats.remove(seat);
        }
    }

    /// Nobody is to hear them again; how many there were.
    pub(in crate::faf) fn forget(&mut self, seat: &Seat) -> u64 {
        let Some(kept) = self.seats.remove(seat) else {
            return 0;
        };
        let freed = kept.reports.iter().map(|(_, report)| report.bytes());
        self.bytes -= freed.sum::<usize>();
        kept.reports.len() as u64
    }

    pub(in crate::faf) fn forget_old(&mut self, now: Duration) {
        let is_old = |kept: &Kept| kept.until.is_some_and(|until| until <= now);
        let old = self.seats.iter().filter(|(_, kept)| is_old(kept));
        let old: Vec<Seat> = old.map(|(seat, _)| *seat).collect();
        for seat in old {
            self.forget(&seat);
        }
    }
}
