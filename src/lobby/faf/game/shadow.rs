//! A launched game of another node as it was told here: what this shard would go on from, in its written form.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Now, ShardId,
    faf::{
        mail::game::{GameMail, GamePart, GameReport},
        model::seat::{Ownership, Seat},
    },
};

/// Bytes of one game, about: its options, reports and statistics have limits of their own, which together are less.
const GAME_BYTES: usize = 8 << 20;
/// What waits for a game to be taken over, or its owner to be back.
const EARLY: usize = 64;
/// Reports of players of its owner's node between two of its copies, a tenth of a second …
const OWN_REPORTS: usize = 256;
/// … and what they take: most are below 200 bytes. What is larger waits for the copy.
const OWN_REPORT_BYTES: usize = 256 << 10;

/// Whether a report is small enough to be told by itself.
pub(in crate::faf) fn is_small(report: &GameReport) -> bool {
    report.bytes() <= OWN_REPORT_BYTES / 2
}

/// A game in its written form, which comes in parts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Written {
    number: u64,
    parts: u32,
    bytes: Vec<u8>,
}

impl Written {
    /// One more part; gives the whole with the last one. What does not follow on what came before is dropped.
    pub(in crate::faf) fn add(&mut self, part: &GamePart) -> Option<Vec<u8>> {
        if part.index == 0 {
            *self = Written {
                number: part.number,
                ..Written::default()
            };
        }
        let follows = part.number == self.number && part.index == self.parts;
        if !follows || self.bytes.len() + part.bytes.len() > GAME_BYTES {
            *self = Written::default();
            return None;
        }
        self.parts += 1;
        self.bytes.extend_from_slice(&part.bytes);
        part.is_last.then(|| std::mem::take(self).bytes)
    }
}

/// A launched game of another node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Shadow {
    /// The shard that has it.
    pub owner: ShardId,
    /// Of that.
    pub epoch: u32,
    /// When it told it, by its own clocks …
    pub at: Now,
    /// … and by ours.
    pub heard: Now,
    /// The whole game, as it was told last.
    pub bytes: Vec<u8>,
    /// Up to which number what was reported from each place is in it.
    #[serde(default)]
    pub reports: Vec<(Seat, u32)>,
    /// What players of its owner's node have reported since.
    #[serde(default)]
    own_reports: Vec<(Seat, GameReport)>,
    /// The node of its owner is lost.
    pub is_orphan: bool,
    /// What was said to its owner and came here.
    #[serde(skip)]
    early: Vec<GameMail>,
}

impl Shadow {
    /// As its owner has told it.
    pub(in crate::faf) fn new(owner: ShardId, last: &GamePart, bytes: Vec<u8>, heard: Now) -> Self {
        Shadow {
            owner,
            epoch: last.epoch,
            at: last.at,
            heard,
            bytes,
            reports: last.heard.clone(),
            own_reports: Vec::new(),
            is_orphan: false,
            early: Vec::new(),
        }
    }

    /// Of its owner.
    pub(in crate::faf) fn ownership(&self) -> Ownership {
        let (epoch, owner) = (self.epoch, self.owner);
        Ownership { epoch, owner }
    }

    /// Something for its owner; false: too much waits.
    pub(in crate::faf) fn wait(&mut self, mail: GameMail) -> bool {
        let has_room = self.early.len() < EARLY;
        if has_room {
            self.early.push(mail);
        }
        has_room
    }

    /// Whether something waits.
    pub(in crate::faf) fn has_early(&self) -> bool {
        !self.early.is_empty()
    }

    /// What waits.
    pub(in crate::faf) fn take_early(&mut self) -> Vec<GameMail> {
        std::mem::take(&mut self.early)
    }

    /// A player of its owner's node has reported something that the next copy will have in it; false: that is awaited.
    pub(in crate::faf) fn own_report(&mut self, seat: Seat, report: GameReport) -> bool {
        let known = self.own_reports.iter().map(|(_, report)| report.bytes());
        let bytes = known.sum::<usize>() + report.bytes();
        let has_room = self.own_reports.len() < OWN_REPORTS && bytes <= OWN_REPORT_BYTES;
        if has_room {
            self.own_reports.push((seat, report));
        }
        has_room
    }

    /// What players of its owner's node have reported since its last copy, to be heard by whoever goes on with it.
    pub(in crate::faf) fn take_own_reports(&mut self) -> impl Iterator<Item = GameMail> + use<> {
        let own = std::mem::take(&mut self.own_reports).into_iter();
        own.map(|(seat, report)| GameMail::report(seat, report))
    }

    /// A time of its owner's clock, by ours; none: before that began.
    pub(in crate::faf) fn moved(&self, time: Duration) -> Option<Duration> {
        let age = self.at.mono.saturating_sub(time);
        self.heard.mono.checked_sub(age)
    }
}
