//! What an operator asks of a shard, and what it says: one piece of mail, and one answer.

use settings::Cidr;

use lobby::{
    ConnId, Protocol,
    operator::{Done, Farewell, Found, Order, Query},
};

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
    /// Those that speak this; none: whatever they speak.
    pub protocol: Option<Protocol>,
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
    pub(super) wish: Wish,
    pub(super) reply: Box<dyn FnOnce(Answer) + Send>,
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
