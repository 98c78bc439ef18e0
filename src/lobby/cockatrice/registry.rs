//! Who has which name, at the name's home (spec: cockatrice-wire 10.2, items 8 and 10).
//!
//! A name and the numbered ones that it becomes have one home, so one look finds one that is free. Where a newer session
//! replaces an older one it waits until that has gone, so that everybody sees the one leave before the other comes. The home
//! also knows in which games somebody has left a place behind.
//!
//! When homes move, since a node has come, gone or become an island, every shard tells each home its users there. Until all have, or
//! for [`PATIENCE`], nothing is granted in a home that has moved; of two connections that have the same name on two sides the one
//! with the larger epoch stays. A claim is answered once; the answer may be to make it again (`claiming`).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cockatrice::accounts::free_name;

use super::{
    Cockatrice,
    mail::{Item, ToGame, ToRegistry, ToSession},
    state::{
        directory::Place,
        registry::{Claim, Moving, Registry},
    },
    topology::Topology,
};
use crate::{
    ConnId, ShardId,
    homes::{Era, PARTS},
};

/// How long a home that has moved waits for what all shards say of it.
const PATIENCE: Duration = Duration::from_secs(1);

impl Registry {
    /// The name itself, or with a number behind it, that neither a session nor an account has. `in_any_case`: nor does a session have
    /// it in another spelling.
    fn free_name(&self, name: &str, taken: &[u32], in_any_case: bool) -> Option<Box<str>> {
        let taken: BTreeSet<u32> = taken.iter().copied().collect();
        let has_account = |candidate: &str| {
            let number = match candidate.strip_prefix(name)? {
                "" => 0,
                rest => rest.strip_prefix('_')?.parse().ok()?,
            };
            Some(taken.contains(&number))
        };
        let is_taken = |candidate: &str| {
            let is_there = match in_any_case {
                true => self.has_spelling(candidate),
                false => self.claims.contains_key(candidate),
            };
            is_there || has_account(candidate) == Some(true)
        };
        free_name(name, is_taken).map(Into::into)
    }

    /// The games in which somebody of this name has left a place behind; they take it again.
    fn reclaimed(&mut self, name: &str) -> BTreeMap<u32, Place> {
        self.left_behind.remove(name).unwrap_or_default()
    }

    fn leave_behind(&mut self, name: &str, games: BTreeMap<u32, Place>) {
        if !games.is_empty() {
            let behind = self.left_behind.entry(name.into());
            behind.or_default().extend(games);
        }
    }

    fn forget(&mut self, name: &str, game: u32) {
        if let Some(games) = self.left_behind.get_mut(name) {
            games.remove(&game);
            if games.is_empty() {
                self.left_behind.remove(name);
            }
        }
    }

    fn hold(&mut self, name: Box<str>, conn: ConnId, epoch: u64) {
        self.names.insert(conn, name.clone());
        self.put_claim(name, Claim::of(conn, epoch));
    }

    /// Nobody has it or waits for it any more, as far as is known here.
    fn drop_claim(&mut self, name: &str) {
        if let Some(claim) = self.take_claim(name) {
            self.names.remove(&claim.holder);
            for conn in &claim.waiting {
                self.names.remove(conn);
            }
        }
    }
}

impl Cockatrice {
    pub(super) fn at_home(&mut self, message: ToRegistry) {
        match message {
            ToRegistry::Claim {
                name,
                conn,
                replaces,
                taken,
                era,
            } => match self.grants_now(&name, era) {
                true => self.claim(name, conn, replaces, &taken),
                false => self.post.session(conn, ToSession::ClaimLater(era)),
            },
            ToRegistry::Release { name, conn, games } => {
                for (&game, place) in &games {
                    self.tell_game(place.shard, game, ToGame::Awaits(name.clone()));
                }
                if self.topology.home(&name) == self.shard {
                    self.registry.leave_behind(&name, games);
                }
                self.release(&name, conn);
            }
            ToRegistry::Forget { name, game } => self.registry.forget(&name, game),
            ToRegistry::Behind { name, game, place } => {
                if self.topology.home(&name) == self.shard {
                    self.registry
                        .leave_behind(&name, BTreeMap::from([(game, place)]));
                }
            }
            ToRegistry::Claims { era, from, claims } => self.told_claims(era, from, claims),
        }
    }

    fn claim(&mut self, name: Box<str>, conn: ConnId, replaces: bool, taken: &[u32]) {
        // It may be made twice, when the answer was lost.
        if let Some(known) = self.registry.names.get(&conn).cloned() {
            let claim = self.registry.claims.get(&known);
            let granted = claim.filter(|claim| claim.holder == conn);
            if let Some(epoch) = granted.map(|claim| claim.epoch) {
                self.tell_granted(known, conn, epoch);
            }
            return;
        }
        let has_accounts = self.has_accounts();
        match self.registry.claims.get_mut(&name) {
            Some(claim) if replaces => {
                claim.waiting.push_back(conn);
                self.registry.names.insert(conn, name);
                if claim.waiting.len() == 1 {
                    self.post.session(claim.holder, ToSession::Evicted);
                }
            }
            _ => match self
                .registry
                .free_name(&name, taken, !replaces && has_accounts)
            {
                Some(free) => self.grant(free, conn),
                None => {
                    self.metrics.over_limit.up();
                    let refused = ToSession::Granted(None, BTreeMap::new(), 0, self.topology.era());
                    self.post.session(conn, refused);
                }
            },
        }
    }

    fn grant(&mut self, name: Box<str>, conn: ConnId) {
        self.grants += 1;
        let epoch = self.topology.epoch(self.grants);
        self.registry.hold(name.clone(), conn, epoch);
        self.tell_granted(name, conn, epoch);
    }

    fn tell_granted(&mut self, name: Box<str>, conn: ConnId, epoch: u64) {
        let games = self.registry.reclaimed(&name);
        let granted = ToSession::Granted(Some(name), games, epoch, self.topology.era());
        self.post.session(conn, granted);
    }

    fn release(&mut self, name: &str, conn: ConnId) {
        let Some(claim) = self.registry.claims.get_mut(name) else {
            return;
        };
        if claim.holder == conn {
            self.registry.names.remove(&conn);
            return self.pass_on(name);
        }
        claim.waiting.retain(|waiting| *waiting != conn);
        let names = &mut self.registry.names;
        if names.get(&conn).is_some_and(|known| **known == *name) {
            names.remove(&conn);
        }
    }

    /// Whoever had the name has gone: the next one gets it.
    fn pass_on(&mut self, name: &str) {
        let Some(mut claim) = self.registry.take_claim(name) else {
            return;
        };
        let Some(next) = claim.waiting.pop_front() else {
            return;
        };
        self.grant(name.into(), next);
        if claim.waiting.is_empty() {
            return;
        }
        if let Some(held) = self.registry.claims.get_mut(name) {
            held.waiting = claim.waiting;
        }
        self.post.session(next, ToSession::Evicted);
    }

    pub(super) fn tell_home(&mut self, name: &str, message: ToRegistry) {
        let home = self.topology.home(name);
        self.post.to(home, Item::Registry(message));
    }

    // ---- when homes move -----------------------------------------------------------------------------------------

    /// Whether all there is to know of a name is known, or was waited for.
    fn grants_now(&mut self, name: &str, era: Era) -> bool {
        if !self.topology.is_clustered() {
            return true;
        }
        // One that has not been let in yet knows of no view: what it granted would be smaller than what others have.
        if self.topology.has_begun_outside() || era != self.topology.era() {
            return false;
        }
        let now = self.mono;
        self.moving
            .take_if(|moving| moving.until <= now || moving.missing.is_empty());
        let moved = |moving: &Moving| moving.parts.contains(&Topology::part(name));
        !self.moving.as_ref().is_some_and(moved) && self.topology.home(name) == self.shard
    }

    /// What is known of the other nodes has changed.
    pub(super) fn registry_moved(&mut self, before: &Topology, silent: &BTreeSet<u8>) {
        let here = self.shard;
        let known: Vec<Box<str>> = self.registry.claims.keys().cloned().collect();
        for name in known {
            if self.topology.home(&name) != here {
                self.registry.drop_claim(&name);
                continue;
            }
            let Registry { claims, names, .. } = &mut self.registry;
            let Some(claim) = claims.get_mut(&name) else {
                continue;
            };
            claim.waiting.retain(|conn| {
                let reached = self.topology.reaches(conn.shard);
                if !reached {
                    names.remove(conn);
                }
                reached
            });
            if !self.topology.reaches(claim.holder.shard) {
                names.remove(&claim.holder);
                self.pass_on(&name);
            }
        }
        self.forget_places(silent);
        let topology = &self.topology;
        let behind = &mut self.registry.left_behind;
        behind.retain(|name, _| topology.home(name) == here);
        if before.era() == topology.era() {
            return;
        }
        // Where an island was, everybody else may have had another one.
        let stayed = |part: usize| before.home_node(part) == here.node() && before.is_in_touch();
        let had = self.moving.take().map(|moving| moving.parts);
        let had = |part: usize| had.as_ref().is_some_and(|parts| parts.contains(&part));
        let parts = (0..PARTS).filter(|&part| topology.home_node(part) == here.node());
        self.moving = Some(Moving {
            parts: parts.filter(|&part| had(part) || !stayed(part)).collect(),
            missing: topology.in_reach().collect(),
            until: self.mono + PATIENCE,
        });
    }

    /// What was known of places in games of these nodes may not be so any more: they tell it again, if they are there.
    pub(super) fn forget_places(&mut self, nodes: &BTreeSet<u8>) {
        self.registry.left_behind.retain(|_, games| {
            games.retain(|_, place| !nodes.contains(&place.shard.node()));
            !games.is_empty()
        });
    }

    /// A shard says which of its users have their home here.
    fn told_claims(&mut self, era: Era, from: ShardId, claims: Vec<(Box<str>, ConnId, u64)>) {
        let ours = self.topology.era();
        if era != ours {
            if era > ours {
                self.park(Item::Registry(ToRegistry::Claims { era, from, claims }));
            }
            return; // of one that is over: it says so again
        }
        let mut named = BTreeSet::new();
        for (name, conn, epoch) in claims {
            if conn.shard == from && self.topology.home(&name) == self.shard {
                named.insert((name.clone(), conn));
                self.merge(name, conn, epoch);
            }
        }
        let claims = self.registry.claims.iter();
        let gone = claims.filter(|(name, claim)| {
            let held = ((*name).clone(), claim.holder);
            claim.holder.shard == from && !named.contains(&held)
        });
        let gone: Vec<(Box<str>, ConnId)> = gone
            .map(|(name, claim)| (name.clone(), claim.holder))
            .collect();
        for (name, conn) in gone {
            self.release(&name, conn);
        }
        if let Some(moving) = &mut self.moving {
            moving.missing.remove(&from);
        }
    }

    /// A connection got the name under another view, or is one that this shard knows.
    fn merge(&mut self, name: Box<str>, conn: ConnId, epoch: u64) {
        let Some(held) = self.registry.claims.get_mut(&name) else {
            return self.registry.hold(name, conn, epoch);
        };
        if held.holder == conn {
            held.epoch = held.epoch.max(epoch);
        } else if (held.epoch, held.holder) > (epoch, conn) {
            self.post.session(conn, ToSession::Evicted);
        } else {
            let older = std::mem::replace(&mut held.holder, conn);
            held.epoch = epoch;
            held.waiting.retain(|waiting| *waiting != conn);
            let is_awaited = !held.waiting.is_empty();
            self.registry.names.remove(&older);
            self.registry.names.insert(conn, name);
            self.post.session(older, ToSession::Evicted);
            if is_awaited {
                self.post.session(conn, ToSession::Evicted);
            }
        }
    }

    /// What was said to a node is lost: whoever there has a name that somebody waits for hears of it again.
    pub(super) fn evict_again(&mut self, node: u8) {
        let claims = self.registry.claims.values();
        let awaited =
            claims.filter(|claim| claim.holder.shard.node() == node && !claim.waiting.is_empty());
        let holders: Vec<ConnId> = awaited.map(|claim| claim.holder).collect();
        for conn in holders {
            self.post.session(conn, ToSession::Evicted);
        }
    }
}
