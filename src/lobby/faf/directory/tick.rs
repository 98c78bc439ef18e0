//! The broadcast each tick (spec: faf-lifecycle 8).
//!
//! Ticks are multiples of one interval since 1970, and numbered by their time, so tick number n is the same moment on all
//! shards of all machines, also after a new start. Numbers never go back, whatever the clock does.
//! At its tick a shard mails what changed with it to all others, even if that is nothing; once it has heard of tick n
//! from everybody it broadcasts all that has gathered, in one `player_info` and one `game_info` per game. A shard that
//! is late is not waited for beyond the next tick, and one of another node not longer than [`AFAR`].

use serde::{Deserialize, Serialize};

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

use crate::{
    ShardId,
    faf::{
        context::{Post, RoleTurn, Timer},
        directory::{
            Directory, Hand,
            showing::{ITEM_BYTES, LETTER_BYTES},
        },
        mail::{
            directory::{Changes, DirectoryMail, GameUpdate, PlayerUpdate},
            session::{Gathered, SessionMail},
        },
        model::time::next_multiple,
        protocol::player_info,
        topology::Topology,
    },
    map::IdMap,
};

/// How long a tick waits for shards of other nodes.
const AFAR: Duration = Duration::from_millis(40);

/// What all shards have said of ticks, and not everybody here has been told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Ticks {
    /// The node whose shards are always waited for.
    #[serde(skip)]
    node: u8,
    /// The last tick each shard was heard of.
    heard: BTreeMap<ShardId, u64>,
    /// The last tick at which other nodes were waited for.
    #[serde(skip)]
    awaited: u64,
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
            node: topology.standing().node,
            awaited: 0,
            heard: topology.all().map(|shard| (shard, 0)).collect(),
            done: 0,
            gathered_players: IdMap::default(),
            gathered_games: BTreeMap::new(),
            gathered_queues: Vec::new(),
        }
    }

    /// The node whose shards are always waited for.
    pub(super) fn node(&self) -> u8 {
        self.node
    }

    /// The same of another node.
    pub(super) fn of_node(self, node: u8) -> Self {
        Ticks { node, ..self }
    }

    /// The last tick a shard was heard of.
    fn heard_of(&self, shard: ShardId) -> u64 {
        self.heard.get(&shard).copied().unwrap_or(0)
    }

    fn gather(&mut self, changes: Changes) {
        for update in changes.players {
            self.gather_player(update);
        }
        for update in changes.games {
            self.gather_game(update);
        }
        self.gathered_queues.extend(changes.queues);
    }

    /// Everybody here is to hear of a player.
    pub(super) fn gather_player(&mut self, update: PlayerUpdate) {
        match self.gathered_players.get(&update.id) {
            Some(known) if known.epoch > update.epoch => {}
            _ => drop(self.gathered_players.insert(update.id, update)),
        }
    }

    /// Everybody here is to hear of a game.
    pub(super) fn gather_game(&mut self, update: GameUpdate) {
        self.gathered_games.insert(update.uid, update);
    }

    /// Whether it is a shard of another node, whose ticks are heard.
    pub(super) fn hears_from_afar(&self, shard: ShardId) -> bool {
        shard.node() != self.node && self.heard.contains_key(&shard)
    }

    /// Hears those shards that can be heard, and waits for no other.
    pub(super) fn follow(&mut self, topology: &Topology) {
        let heard = std::mem::take(&mut self.heard);
        let of = |shard| heard.get(&shard).copied().unwrap_or(0);
        let reached = topology.in_reach();
        self.heard = reached.map(|shard| (shard, of(shard))).collect();
    }

    /// The last tick that any shard of this node has counted.
    fn counted_here(&self) -> u64 {
        let here = self
            .heard
            .iter()
            .filter(|(shard, _)| shard.node() == self.node);
        here.map(|(_, &heard)| heard).fold(0, u64::max)
    }
}

impl Directory {
    /// The timer of the tick after `last`. No shard falls behind what another of its node has counted, or the other would wait for
    /// it at each tick. Other nodes have clocks of their own.
    pub(in crate::faf) fn schedule_tick(
        &mut self,
        turn: &mut RoleTurn<'_>,
        interval: Duration,
        last: u64,
    ) {
        let counted = self.ticks.counted_here().max(last);
        let (number, wait) = next_tick(turn.now.unix, counted, interval);
        turn.wake_at(turn.now.mono + wait, Timer::Tick(number));
    }

    /// A tick begins. What a late shard kept waiting at the last one goes out now; what an early one has said of this one
    /// waits.
    pub(in crate::faf) fn tick_begins(&mut self, turn: &mut RoleTurn<'_>) {
        if self.ticks.done < self.ticks.heard_of(turn.shard) {
            self.broadcast(turn);
        }
    }

    /// What has changed on this shard since the last tick; of some games the newest is told later.
    pub(in crate::faf) fn tick_ends(
        &mut self,
        hand: &mut Hand<'_>,
        changes: Changes,
        later: Vec<u32>,
    ) {
        hand.turn
            .mail_all(|| DirectoryMail::Dirty(Box::new(changes.clone())).into());
        self.show_blocks(hand);
        let has_others = hand.topology.has_others();
        if has_others {
            for part in letters(&changes) {
                let mail = DirectoryMail::Dirty(Box::new(part));
                hand.turn.mail_nodes(mail.into());
            }
        }
        self.merge(hand, hand.turn.shard, changes);
        if has_others {
            self.say_digest(hand, later);
        }
    }

    /// A shard's changes: the picture follows at once, the broadcast when everybody has been heard.
    pub(in crate::faf) fn merge(&mut self, hand: &mut Hand<'_>, from: ShardId, changes: Changes) {
        for player in changes.players.iter().filter(|p| p.online) {
            let text = player.text.clone();
            self.beneath.text(player.id, player.epoch, &text);
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
        let (tick, is_whole) = (changes.tick, !changes.continues);
        ticks.gather(changes);
        if is_whole {
            if let Some(heard) = ticks.heard.get_mut(&from) {
                *heard = tick.max(*heard);
            }
            self.showing.told_by(from);
            self.look(hand);
        }
    }

    /// Broadcasts if everybody has been heard of this shard's tick. When only other nodes are missing they have [`AFAR`].
    pub(super) fn look(&mut self, hand: &mut Hand<'_>) {
        let ticks = &mut self.ticks;
        let own = ticks.heard_of(hand.turn.shard);
        if ticks.done >= own {
            return;
        }
        let missing = |shard: &ShardId| ticks.heard_of(*shard) < own;
        let (mut missing, node) = (ticks.heard.keys().filter(|s| missing(s)), ticks.node);
        match missing.next() {
            None => {
                ticks.done = own;
                self.broadcast(&mut hand.turn);
            }
            Some(first) if first.node() == node || missing.any(|shard| shard.node() == node) => {}
            Some(_) if ticks.awaited == own => {}
            Some(_) => {
                ticks.awaited = own;
                let at = hand.turn.now.mono + AFAR;
                hand.turn.wake_at(at, Timer::TickLate(own));
            }
        }
    }

    /// Other nodes have had their time: what they say later goes out with the next tick.
    pub(in crate::faf) fn tick_is_late(&mut self, hand: &mut Hand<'_>, number: u64) {
        let own = self.ticks.heard_of(hand.turn.shard);
        if number == own && self.ticks.done < own {
            self.ticks.done = own;
            hand.metrics.ticks_not_awaited.up();
            self.broadcast(&mut hand.turn);
        }
    }

    /// What everybody here is to be told of a player of whom something has gathered: never what the picture does not say.
    fn as_shown(&self, update: PlayerUpdate) -> Option<PlayerUpdate> {
        let id = update.id;
        let Some(known) = self.picture.player(id) else {
            let text = match update.online {
                true => player_info::offline(&update.text),
                false => update.text,
            };
            return Some(PlayerUpdate {
                online: false,
                text,
                ..update
            });
        };
        if known.epoch == update.epoch && update.online {
            return Some(update);
        }
        // Whoever is back under a newer claim is not announced as gone (spec: faf-lifecycle 3.6, recommended).
        let is_older = known.epoch > update.epoch;
        // A claim that was granted on another side may be larger and over, while this one lives.
        (!is_older).then(|| PlayerUpdate {
            id,
            epoch: known.epoch,
            online: true,
            text: self.picture.text_of(id).unwrap_or_default(),
        })
    }

    /// Hands on what has gathered, for everybody here who may see it.
    pub(in crate::faf) fn broadcast(&mut self, turn: &mut RoleTurn<'_>) {
        let queues = std::mem::take(&mut self.ticks.gathered_queues);
        let gathered = self.ticks.gathered_players.drain();
        let mut players: Vec<PlayerUpdate> = gathered.map(|(_, update)| update).collect();
        players.sort_unstable_by_key(|update| update.id);
        let players = players.into_iter();
        let players = players.filter_map(|update| self.as_shown(update)).collect();
        let games = std::mem::take(&mut self.ticks.gathered_games);
        let gathered = Gathered {
            queues,
            players,
            games: games.into_values().collect(),
        };
        turn.post(turn.shard, SessionMail::Broadcast(Box::new(gathered)));
    }
}

/// A shard's changes of a tick in letters of bounded length.
fn letters(changes: &Changes) -> Vec<Changes> {
    let empty = || Changes {
        tick: changes.tick,
        players: Vec::new(),
        games: Vec::new(),
        queues: None,
        continues: true,
    };
    let (mut letters, mut last, mut length) = (Vec::new(), empty(), 0);
    let mut room = |last: &mut Changes, bytes: usize| {
        length += bytes + ITEM_BYTES;
        if length > LETTER_BYTES {
            length = bytes + ITEM_BYTES;
            letters.push(std::mem::replace(last, empty()));
        }
    };
    for player in &changes.players {
        room(&mut last, player.text.len());
        last.players.push(player.clone());
    }
    for game in &changes.games {
        room(&mut last, game.bytes());
        last.games.push(game.clone());
    }
    room(&mut last, changes.queues.as_ref().map_or(0, Bytes::len));
    last.queues.clone_from(&changes.queues);
    last.continues = false;
    letters.push(last);
    letters
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
