//! The ways out of a shard that are not sockets. None of them waits.

use std::sync::Arc;

use lobby::{Dialect, ShardId, Ticket};

/// Hands a question to the back office without ever waiting; gives it back if there is no room.
pub type Asker<D> = Arc<
    dyn Fn(ShardId, Ticket, <D as Dialect>::Ask) -> Result<(), <D as Dialect>::Ask> + Send + Sync,
>;

/// Hands an event to the broker without ever waiting; false if it was dropped.
pub type Publisher<D> = Arc<dyn Fn(<D as Dialect>::Event) -> bool + Send + Sync>;

/// The ways out of a shard that are not sockets.
pub struct Outside<D: Dialect> {
    /// Questions to the back office.
    pub ask: Asker<D>,
    /// Events for the broker.
    pub publish: Publisher<D>,
}

impl<D: Dialect> Clone for Outside<D> {
    fn clone(&self) -> Self {
        Outside {
            ask: self.ask.clone(),
            publish: self.publish.clone(),
        }
    }
}

impl<D: Dialect> std::fmt::Debug for Outside<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outside")
    }
}
