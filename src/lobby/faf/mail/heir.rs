//! What the coordinator tells the node that would go on with what it knows, and what a new coordinator asks of those.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Now;

/// To the first shard of a node.
#[derive(Debug, Serialize, Deserialize)]
pub enum HeirMail {
    /// From the coordinator, to its heir: what has changed of what it knows.
    Tell(Bequest),
    /// From a new coordinator, to every other node: what it has inherited, if anything.
    Ask {
        /// The new one's term.
        term: u64,
    },
}

/// Something that a coordinator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Item {
    /// The last number that it has given out.
    LastNumber,
    /// A party, by its owner.
    Party(u32),
    /// A search, by its number.
    Search(u64),
    /// A match, by its number.
    Match(u64),
    /// A player's violations.
    Violation(u32),
    /// When a queue pops, by its row.
    Queue(u32),
    /// A player who has been told what to expect of the matchmaker.
    Welcomed(u32),
}

/// Some of what a coordinator knows; all of it, or all that has changed, is in as many of these as it takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bequest {
    /// The term of that coordinator.
    pub term: u64,
    /// Grows with what it tells within its term.
    pub number: u64,
    /// When it told it, by its own clocks.
    pub at: Now,
    /// What was told before is not so any more: this begins anew.
    pub anew: bool,
    /// It is all that the coordinator knew at its end, not what it knew some time before.
    pub is_whole: bool,
    /// Nothing follows that belongs to it.
    pub is_last: bool,
    /// What is so now, in the written form of the coordinator (`coordinator::estate`); none: no more.
    pub items: Vec<(Item, Option<Bytes>)>,
}
