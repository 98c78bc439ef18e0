//! The broadcast each tick (spec: faf-lifecycle 8).
//!
//! Ticks are multiples of one interval since 1970, and numbered by their time, so tick number n is the same moment on all
//! shards of all machines, also after a new start. Numbers never go back, whatever the clock does.
//! At its tick a shard mails what changed with it to all others, even if that is nothing; once it has heard of tick n
//! from everybody it broadcasts all that has gathered, in one `player_info` and one `game_info` per game. A shard that
//! is late is not waited for beyond the next tick.

use serde::{Deserialize, Serialize};

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

use crate::{
    ShardId,
    faf::{
        context::{Post, RoleTurn, Timer},
        directory::Directory,
        mail::{
            directory::{Changes, DirectoryMail, GameUpdate, PlayerUpdate},
            session::{Gathered, SessionMail},
        },
        model::time::next_multiple,
        topology::Topology,
    },
    map::IdMap,
};

/// What all shards have said of ticks, and not everybody here has been told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Ticks {
    /// The last tick each shard was heard of.
    heard: BTreeMap<ShardId, u64>,
    /// The last tick that was broadcast.
    done: u64,
    gathered_players: IdMap<u32, PlayerUpdate>,
    gathered_games: BTreeMap<u32, GameUpdate>,
    gathered_queues: Vec<Bytes>,
}

impl Ticks {
    /// Whether it waits for the same shards.
    pub(super) fn hears_like(&self, other: &Ticks) -> bool {
        self.heard.keys().eq(other.heard.keys())
    }

    /// Of a lobby on these shards.
    pub(in crate::faf) fn new(topology: &Topology) -> Self {
        Ticks {
            heard: topology.all().map(|shard| (shard, 0)).collect(),
            done: 0,
            gathered_players: IdMap::default(),
            gathered_games: BTreeMap::new(),
            gathered_queues: Vec::new(),
        }
    }

    /// The last tick a shard was heard of.
    fn heard_of(&self, shard: ShardId) -> u64 {
        self.heard.get(&shard).copied().unwrap_or(0)
    }

    fn gather(&mut self, changes: Changes) {
        for update in changes.players {
            match self.gathered_players.get(&update.id) {
                Some(known) if known.epoch > update.epoch => {}
                _ => drop(self.gathered_players.insert(update.id, update)),
            }
        }
        for update in changes.games {
            self.gathered_games.insert(update.uid, update);
        }
        self.gathered_queues.extend(changes.queues);
    }
}

impl Directory {
    /// The timer of the tick after `last`. No shard falls behind what another has counted, or the other would wait for it at
    /// each tick.
    pub(in crate::faf) fn schedule_tick(
        &mut self,
        turn: &mut RoleTurn<'_>,
        interval: Duration,
        last: u64,
    ) {
        let heard = self.ticks.heard.values().copied().fold(last, u64::max);
        let (number, wait) = next_tick(turn.now.unix, heard, interval);
        turn.wake_at(turn.now.mono + wait, Timer::Tick(number));
    }

    /// A tick begins. What a late shard kept waiting at the last one goes out now; what an early one has said of this one
    /// waits.
    pub(in crate::faf) fn tick_begins(&mut self, turn: &mut RoleTurn<'_>) {
        if self.ticks.done < self.ticks.heard_of(turn.shard) {
            self.broadcast(turn);
        }
    }

    /// What has changed on this shard since the last tick.
    pub(in crate::faf) fn tick_ends(&mut self, turn: &mut RoleTurn<'_>, changes: Changes) {
        turn.mail_all(|| {
            let changes = Changes {
                tick: changes.tick,
                players: changes.players.clone(),
                games: changes.games.clone(),
                queues: changes.queues.clone(),
            };
            DirectoryMail::Dirty(Box::new(changes)).into()
        });
        self.merge(turn, turn.shard, changes);
    }

    /// A shard's changes: the picture follows at once, the broadcast when everybody has been heard.
    pub(in crate::faf) fn merge(
        &mut self,
        turn: &mut RoleTurn<'_>,
        from: ShardId,
        changes: Changes,
    ) {
        for player in changes.players.iter().filter(|p| p.online) {
            let text = player.text.clone();
            self.picture.player_text(player.id, player.epoch, text);
        }
        for game in &changes.games {
            if game.ended {
                self.picture.game_gone(game.uid);
            } else {
                let (rule, body) = (game.rule.clone(), game.body.clone());
                self.picture.game_text(game.uid, game.listed, rule, body);
            }
        }
        let ticks = &mut self.ticks;
        if let Some(heard) = ticks.heard.get_mut(&from) {
            *heard = changes.tick.max(*heard);
        }
        ticks.gather(changes);
        let own = ticks.heard_of(turn.shard);
        if ticks.done < own && ticks.heard.values().all(|&heard| heard >= own) {
            ticks.done = own;
            self.broadcast(turn);
        }
    }

    /// Hands on what has gathered, for everybody here who may see it.
    pub(in crate::faf) fn broadcast(&mut self, turn: &mut RoleTurn<'_>) {
        let queues = std::mem::take(&mut self.ticks.gathered_queues);
        let gathered = self.ticks.gathered_players.drain();
        let mut players: Vec<PlayerUpdate> = gathered.map(|(_, update)| update).collect();
        players.sort_unstable_by_key(|update| update.id);
        // Whoever is back under a newer claim is not announced as gone (spec: faf-lifecycle 3.6, recommended).
        players.retain(|update| {
            let known = self.picture.player(update.id);
            known.is_none_or(|known| known.epoch <= update.epoch)
        });
        let games = std::mem::take(&mut self.ticks.gathered_games);
        let gathered = Gathered {
            queues,
            players,
            games: games.into_values().collect(),
        };
        turn.post(turn.shard, SessionMail::Broadcast(Box::new(gathered)));
    }
}

/// Number of the tick after `last`, and how long it is until then. A number is a time, so that numbers grow whatever becomes
/// of the interval, and a timer that fires a little early does not give one tick twice. A clock that was put back is not
/// waited for: ticks come at their interval until it has caught up with their numbers.
fn next_tick(unix: Duration, last: u64, interval: Duration) -> (u64, Duration) {
    let at = next_multiple(unix.max(Duration::from_nanos(last)), interval);
    (at.as_nanos() as u64, (at - unix).min(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn ticks_are_multiples_of_their_interval_and_grow_whatever_the_clock_does() {
        let next = |unix_ms, last| {
            let (number, wait) =
                next_tick(Duration::from_millis(unix_ms), last, Duration::from_secs(1));
            (number / SECOND, number % SECOND, wait.as_millis())
        };
        assert_eq!(next(5_300, 0), (6, 0, 700));
        assert_eq!(next(6_000, 6 * SECOND), (7, 0, 1_000));
        let early = next(5_999, 6 * SECOND);
        assert_eq!(early, (7, 0, 1_000), "a tick that came early comes once");
        let forward = next(9_600, 6 * SECOND);
        assert_eq!(forward, (10, 0, 400), "a clock put forward");
        let back = next(2_500, 6 * SECOND);
        assert_eq!(back, (7, 0, 1_000), "a clock put back");
    }
}
