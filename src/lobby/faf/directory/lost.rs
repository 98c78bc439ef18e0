//! Nodes that are out, whose players and games are shown as they were for a while: whoever signs in again meanwhile has never
//! been away in anybody's eyes. What is left is gone then.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::faf::{
    context::Timer,
    directory::{Directory, Hand},
    protocol::game_info::is_running,
};

/// How much longer games that are running are shown than anything else: another node that goes on with one says so in this
/// time.
const TAKE_OVER: Duration = Duration::from_secs(5);

/// What nodes had that are out. One that is back and out again is here twice; each goes when its time is over.
#[derive(Debug, Default)]
pub(super) struct Lost {
    nodes: Vec<LostNode>,
}

#[derive(Debug)]
struct LostNode {
    until: Duration,
    /// Account ids, and the epochs of their claims.
    players: BTreeMap<u32, u64>,
    games: BTreeSet<u32>,
    /// Games that are running.
    running: BTreeSet<u32>,
}

impl Lost {
    /// Whether this claim of a player was at a lost node.
    pub(super) fn has_player(&self, id: u32, epoch: u64) -> bool {
        let of = |node: &LostNode| node.players.get(&id) == Some(&epoch);
        self.nodes.iter().any(of)
    }

    /// Whether the game was at a lost node.
    pub(super) fn has_game(&self, uid: u32) -> bool {
        let mut nodes = self.nodes.iter();
        nodes.any(|node| node.games.contains(&uid) || node.running.contains(&uid))
    }

    /// A shard speaks of this claim, or of a later one.
    pub(super) fn player_named(&mut self, id: u32, epoch: u64) {
        for node in &mut self.nodes {
            if node.players.get(&id).is_some_and(|&lost| lost <= epoch) {
                node.players.remove(&id);
            }
        }
    }

    /// Nobody waits for the player any more.
    fn player_replaced(&mut self, id: u32) {
        for node in &mut self.nodes {
            node.players.remove(&id);
        }
    }

    /// A shard speaks of this game as its own.
    pub(super) fn game_named(&mut self, uid: u32) {
        for node in &mut self.nodes {
            node.games.remove(&uid);
            node.running.remove(&uid);
        }
    }
}

impl Directory {
    /// A node is out, or back as another one.
    pub(super) fn node_lost(&mut self, hand: &mut Hand<'_>, node: u8) {
        let until = hand.turn.now.mono + hand.settings.nodes.grace;
        self.beneath.node_lost(node);
        let players = self.picture.players();
        let players = players.filter(|player| player.conn.shard.node() == node);
        let mut players: BTreeMap<u32, u64> =
            players.map(|player| (player.id, player.epoch)).collect();
        players.retain(|&id, &mut epoch| !self.gives_way_to_beneath(id, epoch));
        let games = self.picture.games();
        let games = games.filter(|game| game.owner.node() == node);
        let (running, games): (Vec<_>, Vec<_>) = games.partition(|game| is_running(&game.text()));
        self.lost.nodes.push(LostNode {
            until,
            players,
            games: games.iter().map(|game| game.uid).collect(),
            running: running.iter().map(|game| game.uid).collect(),
        });
        for at in [until, until + TAKE_OVER] {
            hand.turn.wake_at(at, Timer::Lost);
        }
    }

    /// A shard speaks of this claim of a player: one of a lost node gives way, whichever is larger. Those that were granted on two
    /// sides do not follow one another.
    pub(super) fn give_way(&mut self, id: u32, epoch: u64) {
        let known = self.picture.player(id).map(|known| known.epoch);
        let is_lost = |known: &u64| *known != epoch && self.lost.has_player(id, *known);
        if let Some(lost) = known.filter(is_lost) {
            self.lost.player_replaced(id);
            self.picture.player_gone(id, lost);
        }
        self.lost.player_named(id, epoch);
    }

    fn gives_way_to_beneath(&mut self, id: u32, lost: u64) -> bool {
        let has_another = self.beneath.has(id);
        if has_another {
            self.claim_over(id, lost);
        }
        has_another
    }

    /// Whatever was not named again in time is gone, and everybody hears of it with the next tick.
    pub(in crate::faf) fn give_up_lost(&mut self, hand: &mut Hand<'_>) {
        let now = hand.turn.now.mono;
        let mut nodes = std::mem::take(&mut self.lost.nodes);
        for node in nodes.iter_mut().filter(|node| node.until <= now) {
            for (id, epoch) in std::mem::take(&mut node.players) {
                self.player_lost(id, epoch);
            }
            let mut games = std::mem::take(&mut node.games);
            if node.until + TAKE_OVER <= now {
                games.append(&mut node.running);
            }
            for uid in games {
                self.game_lost(uid);
            }
        }
        nodes.retain(|node| node.until + TAKE_OVER > now);
        self.lost.nodes = nodes;
    }
}
