//! The end of the process: games that go on when it comes are closed, as they are when nobody is left in one, and nothing of them is
//! lost (spec: cockatrice-behaviour 5.10, 12).
//!
//! They do not all end in one turn: of each shard's only so many at a time are on their way to the disk, so that the back office has room
//! for every one of them, and for whatever else is asked of it.

use cockatrice::game::Out;

use super::{Cockatrice, CockatriceTurn, protocol, waiting::Waiting};
use crate::Stopping;

/// Games of a shard that are on their way to the disk while all of them end: as many as the back office works on at once, so more
/// would be no quicker and might not all find room in its queue.
const ENDING_AT_ONCE: usize = 8;

impl Cockatrice {
    /// A step of an orderly end.
    pub(super) fn stops(&mut self, turn: &mut CockatriceTurn<'_>, step: Stopping) {
        match step {
            Stopping::Drain => {
                self.draining = true;
                self.say_to_all(turn, &protocol::server_shutdown("", 0));
            }
            Stopping::Evict => self.input(turn, |lobby, _| lobby.end_games()),
            Stopping::Now => {
                // First, so that who hears of both hears of their game before they hear that they are to go.
                self.input(turn, |lobby, _| lobby.end_games());
                self.ended(turn);
            }
        }
    }

    /// From now on no game goes on here.
    pub(super) fn end_games(&mut self) {
        (self.draining, self.ending) = (true, true);
        self.end_more_games();
    }

    /// If games are to end: ends as many as may be on their way to the disk.
    pub(super) fn end_more_games(&mut self) {
        if !self.ending {
            return;
        }
        let mut under_way = self.tables.values().filter(|table| table.closing).count();
        let going_on = self.tables.iter().filter(|(_, table)| !table.closing);
        let going_on: Vec<u32> = going_on.map(|(&game, _)| game).collect();
        for game in going_on {
            if under_way >= ENDING_AT_ONCE {
                return;
            }
            let Some(table) = self.tables.get_mut(&game) else {
                continue;
            };
            let mut out = Out::default();
            table.game.close(&mut out);
            self.deliver(game, out);
            under_way += usize::from(self.tables.contains_key(&game));
        }
    }

    /// Whether no game goes on, none that is over has still to be put on disk, and none waits for its number.
    pub(super) fn is_without_games(&self) -> bool {
        let begins = |waiting: &Waiting| matches!(waiting, Waiting::NewGame(_));
        self.tables.is_empty() && !self.pending.any(begins)
    }

    /// Whether all that is left of games is in the store, or could not be put there, so that nobody is still to be told of replays.
    pub(super) fn has_stored_games(&self) -> bool {
        let stores = |waiting: &Waiting| matches!(waiting, Waiting::StoreGame(_));
        self.is_without_games() && !self.pending.any(stores)
    }
}
