//! A dialect on the only shard there is, without an engine: it takes turns, and what they cause lies there to be looked at.

use std::time::Duration;

use muster::lobby::{Dialect, Effect, Now, ShardId, Turn};
use rand::{SeedableRng, rngs::StdRng};

/// The shard.
pub(crate) const SHARD: ShardId = ShardId::new(0, 0);

/// The dialect, and what its latest turn has caused.
pub(crate) struct OneShard<D: Dialect> {
    dialect: D,
    rng: StdRng,
    next_ticket: u64,
    /// When the next turn is.
    pub(crate) mono: Duration,
    pub(crate) effects: Vec<Effect<D>>,
}

impl<D: Dialect> OneShard<D> {
    pub(crate) fn new(dialect: D) -> Self {
        OneShard {
            dialect,
            rng: StdRng::seed_from_u64(1),
            next_ticket: 0,
            mono: Duration::from_secs(1000),
            effects: Vec::new(),
        }
    }

    pub(crate) fn turn(&mut self, input: impl FnOnce(&mut D, &mut Turn<'_, D>)) {
        self.effects.clear();
        let mut turn = Turn {
            shard: SHARD,
            shards: 1,
            now: Now {
                mono: self.mono,
                unix: Duration::from_secs(1_708_794_947),
            },
            rng: &mut self.rng,
            next_ticket: &mut self.next_ticket,
            effects: &mut self.effects,
        };
        input(&mut self.dialect, &mut turn);
    }
}
