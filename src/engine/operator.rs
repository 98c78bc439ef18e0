//! What an operator asks of a shard: lists of what is there, orders to a dialect, and the end of connections.
//!
//! One inquiry is one piece of mail and gets one answer. What it takes of a shard is bounded whatever there is: a page of a
//! list, some connections ended; whoever asks comes again for the rest, so that players have their turns between.

use settings::Cidr;

use super::{runtime::Io, shard::Shard};
use lobby::{
    Closing, ConnId, Dialect,
    operator::{
        Connection, Done, Farewell, Found, LOOKS, Mark, Order, Page, Query, Row, Subject, Wanted,
    },
};

/// Connections that are ended by one inquiry: for each, a dialect tells others that somebody has gone.
const EVICTED: usize = if cfg!(test) { 2 } else { 64 };

/// What is wanted of a shard.
#[derive(Clone, Debug)]
pub enum Wish {
    /// A page of a list.
    List(Query),
    /// Something done by a dialect.
    Order(Order),
    /// Connections ended.
    Evict(Eviction),
}

/// Which connections of a shard are to end.
#[derive(Clone, Debug)]
pub struct Eviction {
    /// This one; none: all that are meant by the rest.
    pub conn: Option<ConnId>,
    /// Those that come from here; none: wherever they come from.
    pub network: Option<Cidr>,
    /// Those in this place or a later one.
    pub from: u32,
    /// So many of them, or as many as are ended at once.
    pub most: usize,
    /// What they are told.
    pub farewell: Farewell,
}

/// What a shard has to say.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A page.
    Found(Found),
    /// What came of an order.
    Done(Done),
    /// Connections have been ended.
    Evicted {
        /// How many.
        ended: u32,
        /// Where the search goes on; none: it is over.
        next: Option<u32>,
    },
}

/// Something for a shard, and the way back.
pub struct Inquiry {
    wish: Wish,
    reply: Box<dyn FnOnce(Answer) + Send>,
}

impl Inquiry {
    /// `reply` is called once, on the shard's thread: it must not wait. It is dropped if the shard ends before.
    pub fn new(wish: Wish, reply: impl FnOnce(Answer) + Send + 'static) -> Inquiry {
        Inquiry {
            wish,
            reply: Box::new(reply),
        }
    }
}

impl std::fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.wish.fmt(f)
    }
}

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
            if network.is_none_or(|network| network.contains(conn.address)) {
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
