//! What an operator asks of a shard: lists of what is there, orders to a dialect, and the end of connections.
//!
//! One inquiry is one piece of mail and gets one answer. What it takes of a shard is bounded whatever there is: a page of a
//! list, some connections ended; whoever asks comes again for the rest, so that players have their turns between.

use super::{
    inquiry::{Answer, Eviction, Inquiry, Wish},
    runtime::Io,
    shard::Shard,
};
use lobby::{
    Closing, ConnId, Dialect,
    operator::{Connection, Done, Farewell, Found, LOOKS, Mark, Page, Query, Row, Subject, Wanted},
};

/// Connections that are ended by one inquiry: for each, a dialect tells others that somebody has gone.
const EVICTED: usize = if cfg!(test) { 2 } else { 64 };

impl<D: Dialect, I: Io> Shard<D, I> {
    /// Does what an operator asks for.
    pub(super) fn inquired(&mut self, Inquiry { wish, reply }: Inquiry) {
        self.metrics.inquiries.up();
        let answer = match wish {
            Wish::List(query) if query.subject == Subject::Connections => {
                Answer::Found(self.connections(&query))
            }
            Wish::List(query) => {
                let mut found = Found::default();
                self.turn(None, |dialect, turn| found = dialect.on_query(turn, &query));
                Answer::Found(found)
            }
            Wish::Order(order) => {
                let mut done = Done::Of(0);
                self.turn(None, |dialect, turn| done = dialect.on_order(turn, &order));
                Answer::Done(done)
            }
            Wish::Evict(eviction) => self.evict(&eviction),
        };
        reply(answer);
    }

    fn connections(&mut self, query: &Query) -> Found {
        let now = self.look_up_now();
        let (mut page, mut slot) = (Page::of(query), query.from.number() as u32);
        while slot < self.conns.end() {
            let there = self.conns.next_from(slot, slot + 1);
            let row = || {
                let (id, conn) = there?;
                let listener = &self.settings.listeners[usize::from(conn.listener)];
                if query.wanted == Wanted::Slow && conn.blocked_since.is_none() {
                    return None; // nearly all
                }
                let is_wanted = query.protocol.is_none_or(|one| one == listener.protocol);
                // A socket that came to be relayed is listed where it came from.
                let is_wanted = is_wanted && conn.home().is_none();
                is_wanted.then(|| {
                    Row::Connection(Connection {
                        conn: id,
                        listener: listener.name.clone(),
                        address: conn.address,
                        name: self.dialect.name_of(id),
                        age_s: now.saturating_sub(conn.since.into()).as_secs(),
                        bytes_in: conn.bytes_in,
                        bytes_out: conn.bytes_out,
                        owed: conn.outbox.bytes() as u64,
                        slow: conn.blocked_since.is_some(),
                    })
                })
            };
            if !page.look(|| Mark::Number(u64::from(slot)), row) {
                break;
            }
            slot += 1;
        }
        page.found()
    }

    fn evict(&mut self, eviction: &Eviction) -> Answer {
        if let Some(id) = eviction.conn {
            let ended = u32::from(self.evict_one(id, &eviction.farewell));
            return Answer::Evicted { ended, next: None };
        }
        let most = eviction.most.min(EVICTED);
        let end = eviction.from.saturating_add(LOOKS as u32);
        let (mut ended, mut slot) = (0, eviction.from);
        while (ended as usize) < most
            && let Some((id, conn)) = self.conns.next_from(slot, end)
        {
            slot = id.slot + 1;
            let network = eviction.network.as_ref();
            let listener = &self.settings.listeners[usize::from(conn.listener)];
            let protocol = eviction.protocol.as_ref();
            if network.is_none_or(|network| network.contains(conn.address))
                && protocol.is_none_or(|protocol| *protocol == listener.protocol)
            {
                ended += u32::from(self.evict_one(id, &eviction.farewell));
            }
        }
        let next = if ended as usize == most { slot } else { end };
        let next = Some(next).filter(|&next| next < self.conns.end());
        Answer::Evicted { ended, next }
    }

    /// Ends a connection. False: it is gone, or about to be.
    fn evict_one(&mut self, id: ConnId, farewell: &Farewell) -> bool {
        let Some(conn) = self.conns.peek(id).filter(|conn| !conn.is_ending()) else {
            return false;
        };
        let is_relayed = conn.peer().is_some() || conn.away().is_some();
        if conn.opened && !is_relayed {
            self.turn(Some(id), |dialect, turn| {
                dialect.on_evict(turn, id, farewell)
            });
        } else {
            self.close(id, Closing::Flushed);
        }
        self.metrics.evicted.up();
        true
    }
}
