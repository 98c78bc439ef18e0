//! What an input causes: for this shard, and for others.

use std::collections::{BTreeMap, VecDeque};

use super::{
    CockatriceTurn,
    mail::{Item, Mail, ToSession},
    questions::Ask,
    waiting::Waiting,
};
use crate::{
    ConnId, ShardId,
    question::{Continuation, Pending},
};

/// What an input has caused and is not done or sent yet.
#[derive(Debug, Default)]
pub(super) struct Post {
    shard: Option<ShardId>,
    own: VecDeque<Item>,
    others: BTreeMap<ShardId, Mail>,
    /// Questions, and what their answers are waited for with.
    asks: Vec<(Ask, Option<Waiting>)>,
}

impl Post {
    pub(super) fn new(shard: ShardId) -> Self {
        Post {
            shard: Some(shard),
            ..Post::default()
        }
    }

    /// For this shard's role.
    pub(super) fn to(&mut self, shard: ShardId, item: Item) {
        if self.shard == Some(shard) {
            self.own.push_back(item);
        } else {
            self.others.entry(shard).or_default().push(item);
        }
    }

    /// For a connection.
    pub(super) fn session(&mut self, conn: ConnId, what: ToSession) {
        self.to(conn.shard, Item::Session(conn, what));
    }

    /// For the back office; nobody waits for its answer.
    pub(super) fn ask(&mut self, question: impl Into<Ask>) {
        self.asks.push((question.into(), None));
    }

    /// For the back office; this goes on with its answer.
    pub(super) fn ask_for<K>(&mut self, question: K::Question, continuation: K)
    where
        K: Continuation + Into<Waiting>,
        K::Question: Into<Ask>,
    {
        let waiting = continuation.into();
        self.asks.push((question.into(), Some(waiting)));
    }

    /// The next thing to be done here.
    pub(super) fn next(&mut self) -> Option<Item> {
        self.own.pop_front()
    }

    /// Sends what is for other shards, and for the back office.
    pub(super) fn send(&mut self, turn: &mut CockatriceTurn<'_>, pending: &mut Pending<Waiting>) {
        while let Some((shard, mail)) = self.others.pop_first() {
            turn.mail(shard, mail);
        }
        for (ask, waiting) in self.asks.drain(..) {
            let ticket = turn.ask(ask);
            if let Some(waiting) = waiting {
                pending.put(ticket, waiting);
            }
        }
    }
}
