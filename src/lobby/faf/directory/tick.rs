//! The broadcast each tick (spec: faf-lifecycle 8).
//!
//! Ticks are multiples of one interval since 1970, and numbered by their time, so tick number n is the same moment on all
//! shards of all machines, also after a new start. Numbers never go back, whatever the clock does.
//! At its tick a shard mails what changed with it to all others, even if that is nothing; once it has heard of tick n
//! from everybody it broadcasts all that has gathered, in one `player_info` and one `game_info` per game. A shard that
//! is late is not waited for beyond the next tick.

use crate::{
    Audience, ConnId, ShardId,
    faf::{
        Faf, FafTurn, Timer,
        mail::{
            Mail,
            directory::{Changes, GameUpdate, PlayerUpdate},
        },
        model::time::next_multiple,
        protocol::{
            events,
            lists::{LIST_BYTES, player_info},
            matchmaking::matchmaker_event,
        },
        rules::visibility::Rule,
    },
    map::IdMap,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;

/// What waits for a tick.
#[derive(Debug)]
pub(in crate::faf) struct Tick {
    /// Own players: claim, and the last object of one who has gone.
    players: IdMap<u32, (u64, Option<Bytes>)>,
    /// Own games.
    games: BTreeSet<u32>,
    /// Those of them that the directory does not show yet as they are.
    games_unpictured: BTreeSet<u32>,
    /// The last tick each shard was heard of.
    heard: BTreeMap<ShardId, u64>,
    /// The last tick that was broadcast.
    done: u64,
    gathered_players: IdMap<u32, PlayerUpdate>,
    gathered_games: BTreeMap<u32, GameUpdate>,
    gathered_queues: Vec<Bytes>,
}

impl Tick {
    pub(in crate::faf) fn new(node: u8, shards: u16) -> Self {
        Tick {
            players: IdMap::default(),
            games: BTreeSet::new(),
            games_unpictured: BTreeSet::new(),
            heard: ShardId::of_node(node, shards).map(|s| (s, 0)).collect(),
            done: 0,
            gathered_players: IdMap::default(),
            gathered_games: BTreeMap::new(),
            gathered_queues: Vec::new(),
        }
    }

    /// A player came or changed, or (with their last object) went. An older claim says nothing about a newer one.
    pub(in crate::faf) fn player_dirty(&mut self, id: u32, epoch: u64, gone: Option<Bytes>) {
        let entry = self.players.entry(id).or_insert((epoch, None));
        if entry.0 <= epoch {
            *entry = (epoch, gone);
        }
    }

    /// A game came, changed or ended.
    pub(in crate::faf) fn game_dirty(&mut self, uid: u32) {
        self.games.insert(uid);
        self.games_unpictured.insert(uid);
    }

    /// The last tick this shard was heard of.
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

impl Faf {
    pub(in crate::faf) fn schedule_tick(&mut self, turn: &mut FafTurn<'_>) {
        self.schedule_tick_after(turn, 0);
    }

    /// No shard falls behind what another has counted, or the other would wait for it at each tick.
    fn schedule_tick_after(&mut self, turn: &mut FafTurn<'_>, last: u64) {
        let heard = self.tick.heard.values().copied().fold(last, u64::max);
        let (number, wait) = next_tick(turn.now.unix, heard, self.settings.tick);
        turn.wake_at(turn.now.mono + wait, Timer::Tick(number));
    }

    pub(in crate::faf) fn ticked(&mut self, turn: &mut FafTurn<'_>, number: u64) {
        self.schedule_tick_after(turn, number);
        self.publish_census();
        // What a late shard kept waiting at the last tick goes out now. What an early one has said of this tick waits.
        if self.tick.done < self.tick.heard_of(self.shard) {
            self.broadcast(turn);
        }
        let mut changes = self.own_changes(number);
        changes.queues = self.changed_queues(turn);
        turn.mail_all(|| {
            let changes = Changes {
                tick: number,
                players: changes.players.clone(),
                games: changes.games.clone(),
                queues: changes.queues.clone(),
            };
            Mail::Dirty(Box::new(changes))
        });
        self.merge(turn, self.shard, changes);
    }

    /// Brings the directory up to date with this shard's games: a newcomer's list shows them as they are now, not as they
    /// were at the last tick. Each change is written at most once for all newcomers before the tick.
    pub(in crate::faf) fn refresh_own_games(&mut self) {
        for uid in std::mem::take(&mut self.tick.games_unpictured) {
            if let Some(game) = self.games.get_mut(&uid) {
                let update = game.update();
                let listed = update.listed && !update.ended;
                self.directory
                    .game_text(uid, listed, update.rule, update.body);
            }
        }
    }

    /// Takes the dirty sets and writes each object once, in its present state.
    fn own_changes(&mut self, tick: u64) -> Changes {
        self.tick.games_unpictured.clear();
        let mut players = Vec::with_capacity(self.tick.players.len());
        for (id, (epoch, gone)) in self.tick.players.drain() {
            let online = gone.is_none();
            let Some(text) = gone.or_else(|| self.directory.text_of(id)) else {
                continue;
            };
            players.push(PlayerUpdate {
                id,
                epoch,
                online,
                text,
            });
        }
        players.sort_unstable_by_key(|update| (update.epoch, update.id));
        let mut games = Vec::with_capacity(self.tick.games.len());
        for uid in std::mem::take(&mut self.tick.games) {
            let Some(game) = self.games.get_mut(&uid) else {
                continue;
            };
            let update = game.update();
            if update.ended {
                game.removed = true;
                if game.is_deserted() {
                    self.games.remove(&uid);
                }
            }
            games.push(update);
        }
        Changes {
            tick,
            players,
            games,
            queues: None,
        }
    }

    /// A shard's changes: the directory follows at once, the broadcast when everybody has been heard.
    pub(in crate::faf) fn merge(
        &mut self,
        turn: &mut FafTurn<'_>,
        from: ShardId,
        changes: Changes,
    ) {
        for player in changes.players.iter().filter(|p| p.online) {
            self.directory
                .player_text(player.id, player.epoch, player.text.clone());
        }
        for game in &changes.games {
            if game.ended {
                self.directory.game_gone(game.uid);
            } else {
                self.directory.game_text(
                    game.uid,
                    game.listed,
                    game.rule.clone(),
                    game.body.clone(),
                );
            }
        }
        if let Some(heard) = self.tick.heard.get_mut(&from) {
            *heard = changes.tick.max(*heard);
        }
        self.tick.gather(changes);
        let own = self.tick.heard_of(self.shard);
        if self.tick.done < own && self.tick.heard.values().all(|&heard| heard >= own) {
            self.tick.done = own;
            self.broadcast(turn);
        }
    }

    /// Sends what has gathered to everybody here who may see it.
    pub(in crate::faf) fn broadcast(&mut self, turn: &mut FafTurn<'_>) {
        for queues in std::mem::take(&mut self.tick.gathered_queues) {
            if self.speaks_outside() {
                turn.publish(matchmaker_event(queues.clone()));
            }
            turn.fan_out(Audience::Subscribers, queues);
        }
        if !self.tick.gathered_players.is_empty() {
            let mut updates: Vec<PlayerUpdate> = self
                .tick
                .gathered_players
                .drain()
                .map(|(_, update)| update)
                .collect();
            updates.sort_unstable_by_key(|update| update.id);
            // Whoever is back under a newer claim is not announced as gone (spec: faf-lifecycle 3.6, recommended).
            updates.retain(|update| {
                self.directory
                    .player(update.id)
                    .is_none_or(|known| known.epoch <= update.epoch)
            });
            if !updates.is_empty() {
                if self.speaks_outside() {
                    turn.publish(events::players(updates.iter().map(|update| &update.text)));
                }
                for some in in_messages(&updates) {
                    let texts = some.iter().map(|update| &update.text);
                    turn.fan_out(Audience::Subscribers, player_info(texts));
                }
            }
        }
        let games = std::mem::take(&mut self.tick.gathered_games);
        if self.speaks_outside() && !games.is_empty() {
            turn.publish(events::games(games.values().map(|game| &game.body)));
        }
        for game in games.into_values() {
            if let Some(audience) = self.audience(&game.rule) {
                turn.fan_out(audience, game.body);
            }
        }
    }

    /// Every shard gathers the same tick; one of them tells the outside of it.
    fn speaks_outside(&self) -> bool {
        self.shard == ShardId::new(0, 0)
    }

    /// Who of this shard's players sees a game now; `None`: nobody.
    fn audience(&self, rule: &Rule) -> Option<Audience> {
        if rule.is_open() {
            return Some(Audience::Subscribers);
        }
        let sees = |conn: ConnId| {
            let player = self.sessions.get(conn).and_then(|s| s.player.as_deref());
            player
                .is_some_and(|p| rule.admits(p.account.id, |kind| p.displayed(kind, self.basis())))
        };
        let local = |id: &u32| {
            self.directory
                .player(*id)
                .map(|p| p.conn)
                .filter(|conn| conn.shard == self.shard)
        };
        if rule.friends_only {
            let candidates = rule
                .friends
                .iter()
                .chain(&rule.members)
                .chain([&rule.host_id]);
            let mut conns: Vec<ConnId> = candidates
                .filter_map(local)
                .filter(|&conn| sees(conn))
                .collect();
            conns.sort_unstable();
            conns.dedup();
            return (!conns.is_empty()).then(|| Audience::Connections(conns.into()));
        }
        let excluded: Vec<ConnId> = if rule.range.is_some() {
            self.sessions
                .players()
                .map(|(s, _)| s.conn)
                .filter(|&conn| !sees(conn))
                .collect()
        } else {
            rule.foes
                .iter()
                .filter_map(local)
                .filter(|&conn| !sees(conn))
                .collect()
        };
        Some(if excluded.is_empty() {
            Audience::Subscribers
        } else {
            Audience::SubscribersBut(excluded.into())
        })
    }
}

/// Number of the tick after `last`, and how long it is until then. A number is a time, so that numbers grow whatever becomes
/// of the interval, and a timer that fires a little early does not give one tick twice. A clock that was put back is not
/// waited for: ticks come at their interval until it has caught up with their numbers.
fn next_tick(unix: Duration, last: u64, interval: Duration) -> (u64, Duration) {
    let at = next_multiple(unix.max(Duration::from_nanos(last)), interval);
    (at.as_nanos() as u64, (at - unix).min(interval))
}

/// Slices of updates, each short enough for one message.
fn in_messages(updates: &[PlayerUpdate]) -> Vec<&[PlayerUpdate]> {
    let (mut slices, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, update) in updates.iter().enumerate() {
        if at > from && bytes + update.text.len() > LIST_BYTES {
            slices.push(&updates[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += update.text.len() + 1;
    }
    slices.push(&updates[from..]);
    slices
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
