//! Which connection is a player, at the player's home shard (spec: faf-lifecycle 3.6).
//!
//! Two logins of one account meet here: each claim has a larger epoch than the one before, and the older connection is ended.
//! The newer does not wait for that.
//!
//! When homes move, since a node has come, gone or become an island, every shard tells each home its players there. Until all have,
//! or for [`PATIENCE`], nobody is granted anything in a home that has moved; of two connections that were the same player on
//! two sides the one with the larger epoch stays. Every claim is answered once, as long as its view stands and its lane holds;
//! the answer may be to make it again a little later (`session::claiming`).

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    ConnId, ShardId,
    faf::{
        context::Context,
        mail::{
            registry::{Claims, RegistryMail},
            session::HomeMail,
        },
        topology::{Era, PARTS, Topology},
    },
    map::IdMap,
};

/// Players who were lost from a game that are remembered.
const LOST: usize = 256;

/// How long a home that has moved waits for what all shards say of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The claims of players whose home this shard is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Registry {
    claims: IdMap<u32, ConnId>,
    /// Of each claim; zero where it is not known.
    #[serde(default)]
    epochs: IdMap<u32, u64>,
    /// How many claims were granted here.
    grants: u64,
    /// Who was playing when their connection was lost, the newest last: near the end of the process only they may come back.
    #[serde(default)]
    lost: VecDeque<u32>,
    /// None: whatever has its home here is known.
    #[serde(skip)]
    moving: Option<Moving>,
    /// What was told so far by shards that tell their players in several letters: player, connection, epoch.
    #[serde(skip)]
    told: BTreeMap<ShardId, Vec<(u32, ConnId, u64)>>,
    /// Shards that have told their players under an era that is not known here yet. No more than there are.
    #[serde(skip)]
    early: BTreeMap<ShardId, Era>,
}

/// Homes have moved here, and not everybody has said who is there.
#[derive(Clone, Debug)]
struct Moving {
    parts: BTreeSet<usize>,
    missing: BTreeSet<ShardId>,
    until: Duration,
}

impl Registry {
    /// Somebody claims to be a player, or does no longer.
    pub(in crate::faf) fn mail(&mut self, cx: &mut Context<'_>, from: ShardId, mail: RegistryMail) {
        match mail {
            RegistryMail::Claim {
                player_id,
                conn,
                era,
            } => self.claim(cx, player_id, conn, era),
            RegistryMail::Unclaim {
                player_id,
                conn,
                was_playing,
            } => self.unclaim(player_id, conn, was_playing),
            RegistryMail::Claims(claims) => self.told(cx, from, claims),
        }
    }

    fn claim(&mut self, cx: &mut Context<'_>, player_id: u32, conn: ConnId, era: Era) {
        if era != cx.topology.era() || !self.grants_now(cx, player_id) {
            let later = HomeMail::ClaimLater {
                player_id,
                conn,
                era,
            };
            return cx.post(conn.shard, later);
        }
        let is_known = self.claims.contains_key(&player_id) || self.lost.contains(&player_id);
        if cx.lame_duck && !is_known {
            let refused = HomeMail::NobodyNew { player_id, conn };
            return cx.post(conn.shard, refused);
        }
        self.grants += 1;
        let epoch = cx.topology.epoch(self.grants);
        let older = self.hold(player_id, conn, epoch);
        if let Some(older) = older.filter(|(older, _)| *older != conn) {
            evict(cx, player_id, older);
        }
        let granted = HomeMail::Granted {
            player_id,
            conn,
            epoch,
            era,
        };
        cx.post(conn.shard, granted);
    }

    /// Whether all there is to know of a player's claim is known, or was waited for.
    fn grants_now(&mut self, cx: &Context<'_>, player_id: u32) -> bool {
        // One that has not been let in yet knows of no view: what it granted would be smaller than what others have.
        if cx.topology.has_begun_outside() {
            return false;
        }
        let now = cx.turn.now.mono;
        self.moving
            .take_if(|moving| moving.until <= now || moving.missing.is_empty());
        let moved = |moving: &Moving| moving.parts.contains(&Topology::part(player_id));
        !self.moving.as_ref().is_some_and(moved) && cx.topology.home(player_id) == cx.turn.shard
    }

    /// The connection is the player; gives the one that was, and its epoch.
    fn hold(&mut self, player_id: u32, conn: ConnId, epoch: u64) -> Option<(ConnId, u64)> {
        let older = self.claims.insert(player_id, conn);
        let of = self.epochs.insert(player_id, epoch).unwrap_or_default();
        Some((older?, of))
    }

    fn unclaim(&mut self, player_id: u32, conn: ConnId, was_playing: bool) {
        if self.claims.get(&player_id) == Some(&conn) {
            self.claims.remove(&player_id);
            self.epochs.remove(&player_id);
            self.lost.retain(|lost| *lost != player_id);
            if was_playing {
                self.lost.push_back(player_id);
                if self.lost.len() > LOST {
                    self.lost.pop_front();
                }
            }
        }
    }

    /// What is known of the other nodes has changed.
    pub(in crate::faf) fn standing_changed(&mut self, cx: &mut Context<'_>, before: &Topology) {
        let now = cx.topology;
        let here = cx.turn.shard;
        let reached: BTreeSet<ShardId> = now.in_reach().collect();
        self.keep(|id, conn| now.home(id) == here && reached.contains(&conn.shard));
        if before.era() == now.era() {
            return;
        }
        self.told.clear();
        // Where an island was, everybody else may have had another one.
        let stayed = |part: usize| before.home_node(part) == here.node() && before.is_in_touch();
        let had = self.moving.take().map(|moving| moving.parts);
        let had = |part: usize| had.as_ref().is_some_and(|parts| parts.contains(&part));
        let parts = (0..PARTS).filter(|&part| now.home_node(part) == here.node());
        self.moving = Some(Moving {
            parts: parts.filter(|&part| had(part) || !stayed(part)).collect(),
            missing: reached,
            until: cx.turn.now.mono + PATIENCE,
        });
        let era = now.era();
        self.early.retain(|&shard, of| {
            if *of == era {
                cx.post(shard, HomeMail::SendClaims { era });
            }
            *of != era && now.all().any(|known| known == shard)
        });
    }

    /// A shard says which of its players have their home here.
    fn told(&mut self, cx: &mut Context<'_>, from: ShardId, told: Claims) {
        if told.era != cx.topology.era() {
            self.early.insert(from, told.era);
            return;
        }
        let mut all = self.told.remove(&from).unwrap_or_default();
        let here = cx.turn.shard;
        let topology = cx.topology;
        let claims = told.claims.into_iter();
        all.extend(claims.filter(|&(player_id, conn, _)| {
            conn.shard == from && topology.home(player_id) == here
        }));
        if !told.is_last {
            self.told.insert(from, all);
            return;
        }
        // What it does not name is gone, and must not be taken for a newer one of what it names.
        let there: BTreeSet<(u32, ConnId)> = all.iter().map(|&(id, conn, _)| (id, conn)).collect();
        self.keep(|id, conn| conn.shard != from || there.contains(&(id, conn)));
        for (player_id, conn, epoch) in all {
            if epoch > 0 {
                self.merge(cx, player_id, conn, epoch);
            }
        }
        if let Some(moving) = &mut self.moving {
            moving.missing.remove(&from);
        }
    }

    /// A connection became a player under another view, or is one that this shard knows.
    fn merge(&mut self, cx: &mut Context<'_>, player_id: u32, conn: ConnId, epoch: u64) {
        let of = self.epochs.get(&player_id).copied().unwrap_or_default();
        match self.claims.get(&player_id).copied() {
            Some(held) if held == conn => drop(self.hold(player_id, conn, epoch.max(of))),
            Some(held) if (of, held) > (epoch, conn) => evict(cx, player_id, (conn, epoch)),
            _ => {
                if let Some(older) = self.hold(player_id, conn, epoch) {
                    evict(cx, player_id, older);
                }
            }
        }
    }

    fn keep(&mut self, keeps: impl Fn(u32, ConnId) -> bool) {
        let Registry { claims, epochs, .. } = self;
        claims.retain(|&id, &mut conn| {
            let kept = keeps(id, conn);
            if !kept {
                epochs.remove(&id);
            }
            kept
        });
    }

    /// Who claims to be which player.
    pub(in crate::faf) fn claims(&self) -> impl Iterator<Item = (u32, ConnId)> {
        self.claims
            .iter()
            .map(|(&player_id, &conn)| (player_id, conn))
    }

    /// Who claims to be this player.
    pub(in crate::faf) fn claim_of(&self, player_id: u32) -> Option<ConnId> {
        self.claims.get(&player_id).copied()
    }

    /// Whether a claim of this epoch was granted here, so that none will be again.
    pub(in crate::faf) fn has_granted(&self, topology: &Topology, epoch: u64) -> bool {
        epoch <= topology.epoch(self.grants)
    }

    /// Whether nobody claims anything.
    pub(in crate::faf) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }
}

/// Somebody else is the player now.
fn evict(cx: &mut Context<'_>, player_id: u32, (conn, epoch): (ConnId, u64)) {
    cx.metrics.evictions.up();
    let evict = HomeMail::Evict {
        player_id,
        conn,
        epoch,
    };
    cx.post(conn.shard, evict);
}
