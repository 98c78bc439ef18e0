//! What a node counts, for metrics and operators. Nothing acts on it.

use std::time::Duration;

use crate::Lease;

/// Why something that came, or was to be said, was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// It could not be read.
    Malformed,
    /// It is of a kind or a version that this one does not know.
    Unknown,
    /// It is from or to another life of a node, or from nobody in the view.
    Stranger,
    /// It is of a lane that has broken since.
    Broken,
    /// It had been there before.
    Repeated,
    /// There was no place to keep what came too early.
    Ahead,
    /// A letter was longer than may be said.
    TooLong,
    /// A letter was for no member, or for one that has not been heard of for long.
    Nowhere,
    /// More nodes speak than are remembered.
    Crowd,
}

impl Dropped {
    /// All of them, in the order of their numbers.
    pub const ALL: [Dropped; 9] = [
        Dropped::Malformed,
        Dropped::Unknown,
        Dropped::Stranger,
        Dropped::Broken,
        Dropped::Repeated,
        Dropped::Ahead,
        Dropped::TooLong,
        Dropped::Nowhere,
        Dropped::Crowd,
    ];

    /// Its label in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Dropped::Malformed => "malformed",
            Dropped::Unknown => "unknown",
            Dropped::Stranger => "stranger",
            Dropped::Broken => "broken",
            Dropped::Repeated => "repeated",
            Dropped::Ahead => "ahead",
            Dropped::TooLong => "too_long",
            Dropped::Nowhere => "nowhere",
            Dropped::Crowd => "crowd",
        }
    }
}

/// What is said to and heard from another node. Counts are since the process began, whatever lives the two had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneFigures {
    /// Its slot.
    pub node: u8,
    /// Whether it is a member now.
    pub is_member: bool,
    /// Bytes said to it that it has not acknowledged.
    pub unacked_bytes: usize,
    /// Bytes of it that came before what they follow.
    pub ahead_bytes: usize,
    /// How often something was asked for again.
    pub nacks: u64,
    /// Envelopes sent to it again.
    pub repairs: u64,
    /// How often what was under way was lost.
    pub breaks: u64,
}

/// What a node counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Members of the newest view it was in.
    pub members: usize,
    /// That view's number; 0 before the first.
    pub view: u32,
    /// Whether it has lost touch.
    pub is_island: bool,
    /// For how long it had, all together; what goes on counts up to the last input.
    pub island_time: Duration,
    /// Whether it holds its slot's lock.
    pub has_slot: bool,
    /// The term under which it holds each lease, by [`Lease::index`].
    pub held: [Option<u64>; Lease::ALL.len()],
    /// The highest term heard of each, its own included: the term of a new taking must be higher.
    pub terms: [u64; Lease::ALL.len()],
    /// By the slots of all that ever were members beside it.
    pub lanes: Vec<LaneFigures>,
    /// How many of its own beats have come back.
    pub echoes: u64,
    /// How long the last one took.
    pub latency: Duration,
    /// What was dropped, by the order of [`Dropped::ALL`].
    pub dropped: [u64; Dropped::ALL.len()],
}
