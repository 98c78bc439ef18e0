//! Who has which name, at the name's home (spec: cockatrice-wire 10.2, items 8 and 10).
//!
//! A name and the numbered ones that it becomes have one home, so one look finds one that is free. Where a newer session
//! replaces an older one it waits until that has gone, so that everybody sees the one leave before the other comes. The home
//! also knows in which games somebody has left a place behind.

use std::collections::{BTreeMap, BTreeSet};

use cockatrice::accounts::free_name;

use super::{
    Cockatrice,
    mail::{Item, ToGame, ToRegistry, ToSession},
    state::registry::{Claim, Registry},
};
use crate::ConnId;

impl Registry {
    /// The name itself, or with a number behind it, that neither a session nor an account has.
    fn free_name(&self, name: &str, taken: &[u32]) -> Option<Box<str>> {
        let taken: BTreeSet<u32> = taken.iter().copied().collect();
        let has_account = |candidate: &str| {
            let number = candidate.strip_prefix(name)?.strip_prefix('_')?;
            Some(taken.contains(&number.parse().ok()?))
        };
        let is_taken = |candidate: &str| {
            self.claims.contains_key(candidate) || has_account(candidate) == Some(true)
        };
        free_name(name, is_taken).map(Into::into)
    }

    /// The games in which somebody of this name has left a place behind; they take it again.
    fn reclaimed(&mut self, name: &str) -> BTreeMap<u32, u32> {
        self.left_behind.remove(name).unwrap_or_default()
    }

    fn leave_behind(&mut self, name: &str, games: BTreeMap<u32, u32>) {
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
}

impl Cockatrice {
    pub(super) fn at_home(&mut self, message: ToRegistry) {
        match message {
            ToRegistry::Claim {
                name,
                conn,
                replaces,
                taken,
            } => self.claim(name, conn, replaces, &taken),
            ToRegistry::Release { name, conn, games } => {
                for (&game, &room) in &games {
                    self.tell_game(room, game, ToGame::Awaits(name.clone()));
                }
                self.registry.leave_behind(&name, games);
                self.release(&name, conn);
            }
            ToRegistry::Forget { name, game } => self.registry.forget(&name, game),
        }
    }

    fn claim(&mut self, name: Box<str>, conn: ConnId, replaces: bool, taken: &[u32]) {
        match self.registry.claims.get_mut(&name) {
            Some(claim) if replaces => {
                claim.waiting.push_back(conn);
                if claim.waiting.len() == 1 {
                    self.post.session(claim.holder, ToSession::Evicted);
                }
            }
            _ => match self.registry.free_name(&name, taken) {
                Some(free) => {
                    self.registry.claims.insert(free.clone(), Claim::of(conn));
                    self.grant(free, conn);
                }
                None => {
                    self.metrics.over_limit.up();
                    let refused = ToSession::Granted(None, BTreeMap::new());
                    self.post.session(conn, refused);
                }
            },
        }
    }

    fn grant(&mut self, name: Box<str>, conn: ConnId) {
        let games = self.registry.reclaimed(&name);
        self.post
            .session(conn, ToSession::Granted(Some(name), games));
    }

    fn release(&mut self, name: &str, conn: ConnId) {
        let Some(claim) = self.registry.claims.get_mut(name) else {
            return;
        };
        if claim.holder != conn {
            claim.waiting.retain(|waiting| *waiting != conn);
            return;
        }
        let Some(next) = claim.waiting.pop_front() else {
            self.registry.claims.remove(name);
            return;
        };
        claim.holder = next;
        let is_awaited = !claim.waiting.is_empty();
        self.grant(name.into(), next);
        if is_awaited {
            self.post.session(next, ToSession::Evicted);
        }
    }

    pub(super) fn tell_home(&mut self, name: &str, message: ToRegistry) {
        let home = self.topology.home(name);
        self.post.to(home, Item::Registry(message));
    }
}
