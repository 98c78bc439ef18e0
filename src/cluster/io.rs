//! What goes into a node and what comes out of it, by name. No behaviour: that is `node`'s.

use std::sync::Arc;

use bytes::Bytes;

use crate::Standing;

/// What a node is when it comes in.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its slot, whose lock its driver has taken.
    pub node: u8,
    /// Drawn for this life.
    pub incarnation: u64,
    /// How many shards it has.
    pub shards: u16,
    /// What it runs; cut to [`Setup::VERSION_BYTES`].
    pub version: Box<str>,
}

impl Setup {
    /// Longest version that is told.
    pub const VERSION_BYTES: usize = 64;
}

/// Where an envelope is published. `L` is the lobby's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Everybody: `muster.L.all`.
    All,
    /// One node: `muster.L.to.<slot>`.
    Node(u8),
    /// Who is there, each 100 ms: `muster.L.beat`.
    Beat,
}

/// What one node of a lobby holds at a time. The lock of a slot is the driver's and has no name here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lease {
    /// Makes the views: `muster/L/lead`.
    Lead,
    /// Coordinates searches and matches: `muster/L/hall.faf`.
    Coordinator,
    /// Tells the outside: `muster/L/outside`.
    Outside,
    /// Has the lobbies that live on one node: `muster/L/vcmi`.
    Single,
}

impl Lease {
    /// All of them, in the order of their numbers.
    pub const ALL: [Lease; 4] = [
        Lease::Lead,
        Lease::Coordinator,
        Lease::Outside,
        Lease::Single,
    ];

    /// Its place in tables, and its number in beats.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its label in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Lease::Lead => "lead",
            Lease::Coordinator => "coordinator",
            Lease::Outside => "outside",
            Lease::Single => "single",
        }
    }
}

/// Whom a letter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Destination {
    /// One other member.
    Node(u8),
    /// Every other member.
    All,
}

/// What a node wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Publish this. It need not arrive.
    Publish(Subject, Bytes),
    /// A letter of another member has come.
    Letter {
        /// Its slot.
        from: u8,
        /// What it said.
        bytes: Bytes,
    },
    /// What this node knows of the others has changed.
    Standing(Arc<Standing>),
    /// What was under way from and to this member is lost; what is said from now on is not. Said twice if the member was not
    /// heard of between: then what was said between the two is lost as well.
    LaneBroken(u8),
    /// Take this as soon as it can be had (`true`), or give it up and do not take it (`false`).
    Want(Lease, bool),
    /// Try to take the lock of this slot, give it up at once, and answer with `on_fenced`.
    Fence(u8),
    /// This life is over: answer with `begin_life`.
    NewLife,
    /// Its slot is another process's: there is no way back for this one.
    Displaced,
}
