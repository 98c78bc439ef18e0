//! A coordinator's time in office as plain data: how far it is, whom it has asked, what it has told its heir, and what is
//! inherited of others. In a lobby of one node it is in office from the start, and nothing of this changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Now, ShardId,
    faf::{
        mail::{
            coordinator::PlayerRequest,
            heir::{Bequest, Item},
        },
        model::seat::LoginId,
        rules::matchmaking::pop_timer::PopTimer,
    },
};

/// What a coordinator knows, in its written form.
pub(in crate::faf) type Estate = BTreeMap<Item, Bytes>;

/// How far a coordinator is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::faf) enum Stage {
    /// It does all that a coordinator does.
    #[default]
    Open,
    /// It asks other nodes what they have inherited; these have not answered.
    Gathering(BTreeSet<u8>),
    /// It asks the shards who is there. Requests wait, and nobody is matched.
    Settling {
        /// It has all that the one before knew at its end.
        is_whole: bool,
    },
}

/// A shard that was asked who and what is there.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Asked {
    /// When.
    pub round: u64,
    /// It has not told all its players.
    pub owes_visitors: bool,
    /// It has not told all its matches.
    pub owes_matches: bool,
}

/// When a queue pops.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct QueueTimes {
    /// The next time.
    pub next_pop: Now,
    /// Its waiting times.
    pub timer: PopTimer,
}

/// A coordinator's time in office.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Tenure {
    /// Tells it from others'.
    pub term: u64,
    /// How far it is.
    pub stage: Stage,
    /// Until when those who were asked are waited for, monotonic.
    pub until: Duration,
    /// How often shards were asked.
    pub rounds: u64,
    /// Those that have not answered.
    pub asked: BTreeMap<ShardId, Asked>,
    /// The node that is told what it knows.
    pub heir: Option<u8>,
    /// What that was told.
    pub told: Estate,
    /// How often it was told something.
    pub number: u64,
    /// When it was told everything, monotonic.
    pub told_all_at: Duration,
    /// While it settles: when inherited queues pop, who is in which party, who was told what to expect.
    pub times: BTreeMap<u32, QueueTimes>,
    /// Players in inherited parties, with the owners.
    pub seated: BTreeMap<u32, u32>,
    /// Players who know the matchmaker.
    pub welcomed: BTreeSet<u32>,
    /// Players who say that they are in a match which is not known here.
    pub matched: Vec<(LoginId, u64)>,
    /// Requests that wait until it has settled: at most one of each player, whose connection is held.
    pub deferred: Vec<(LoginId, PlayerRequest)>,
}

impl Tenure {
    /// A new one.
    pub(in crate::faf) fn of(term: u64) -> Self {
        Tenure {
            term,
            ..Tenure::default()
        }
    }

    /// Whether it does all that a coordinator does.
    pub(in crate::faf) fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }
}

/// What was inherited of a coordinator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Inheritance {
    /// The coordinator's term.
    pub term: u64,
    /// Grows with what it told within its term.
    pub number: u64,
    /// When it told the last of it, by its own clocks …
    pub at: Now,
    /// … and by ours.
    pub heard: Now,
    /// It is all that it knew at its end.
    pub is_whole: bool,
    /// What it knew.
    pub items: Estate,
}

impl Inheritance {
    fn begun(told: &Bequest, now: Now) -> Self {
        Inheritance {
            term: told.term,
            number: told.number,
            at: told.at,
            heard: now,
            is_whole: told.is_whole,
            items: Estate::new(),
        }
    }

    fn add(&mut self, told: Bequest, now: Now) {
        (self.term, self.number) = (told.term, told.number);
        (self.at, self.heard, self.is_whole) = (told.at, now, told.is_whole);
        for (item, value) in told.items {
            match value {
                Some(value) => drop(self.items.insert(item, value)),
                None => drop(self.items.remove(&item)),
            }
        }
    }

    /// Which of two is newer.
    fn age(&self) -> (u64, bool, u64) {
        (self.term, self.is_whole, self.number)
    }
}

/// What a node has inherited.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Heritage {
    /// The newest that is all there.
    pub newest: Option<Box<Inheritance>>,
    /// What is being told anew.
    begun: Option<Box<Inheritance>>,
    /// What other nodes are sending of theirs.
    arriving: BTreeMap<u8, Inheritance>,
}

impl Heritage {
    /// A coordinator tells its heir something.
    pub(in crate::faf) fn told(&mut self, told: Bequest, now: Now) {
        let is_last = told.is_last;
        if told.anew {
            self.begun = Some(Box::new(Inheritance::begun(&told, now)));
        }
        let begun = self.begun.as_mut().or(self.newest.as_mut());
        // What follows a beginning that was missed is of no use.
        let Some(begun) = begun.filter(|begun| begun.term == told.term) else {
            return;
        };
        begun.add(told, now);
        if is_last && let Some(begun) = self.begun.take() {
            self.keep(*begun);
        }
    }

    /// Another node sends some of what it has inherited; whether that was all.
    pub(in crate::faf) fn arrives(&mut self, from: u8, told: Option<Bequest>, now: Now) -> bool {
        let Some(told) = told else {
            return true;
        };
        let is_last = told.is_last;
        let begun = Inheritance::begun(&told, now);
        self.arriving.entry(from).or_insert(begun).add(told, now);
        if is_last && let Some(all) = self.arriving.remove(&from) {
            self.keep(all);
        }
        is_last
    }

    /// Nothing more of these arrives.
    pub(in crate::faf) fn arrived(&mut self) {
        self.arriving.clear();
    }

    /// Keeps the newer of this and what is kept.
    pub(in crate::faf) fn keep(&mut self, other: Inheritance) {
        let newest = self.newest.as_ref();
        if newest.is_none_or(|newest| newest.age() <= other.age()) {
            self.newest = Some(Box::new(other));
        }
    }
}
