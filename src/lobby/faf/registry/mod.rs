//! Which connection is a player, at the player's home shard (spec: faf-lifecycle 3.6).
//!
//! Two logins of one account meet here: each claim has a larger epoch than the one before, and the older connection is ended.
//! The newer does not wait for that.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{
    ConnId,
    faf::{
        context::Context,
        mail::{registry::RegistryMail, session::SessionMail},
    },
    map::IdMap,
};

/// The view under which this process grants claims: who is in the lobby, by number, and alone there is but the first. An
/// epoch has it above its count, so that no two shards ever give out the same for a player whose home has moved.
const VIEW: u64 = 1;

/// Players who were lost from a game that are remembered.
const LOST: usize = 256;

/// The claims of players whose home this shard is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Registry {
    claims: IdMap<u32, ConnId>,
    /// How many claims were granted here.
    grants: u64,
    /// Who was playing when their connection was lost, the newest last: near the end of the process only they may come back.
    #[serde(default)]
    lost: VecDeque<u32>,
}

impl Registry {
    /// Somebody claims to be a player, or does no longer.
    pub(in crate::faf) fn mail(&mut self, cx: &mut Context<'_>, mail: RegistryMail) {
        match mail {
            RegistryMail::Claim { player_id, conn } => self.claim(cx, player_id, conn),
            RegistryMail::Unclaim {
                player_id,
                conn,
                was_playing,
            } => self.unclaim(player_id, conn, was_playing),
        }
    }

    fn claim(&mut self, cx: &mut Context<'_>, player_id: u32, conn: ConnId) {
        let is_known = self.claims.contains_key(&player_id) || self.lost.contains(&player_id);
        if cx.lame_duck && !is_known {
            let refused = SessionMail::NobodyNew { player_id, conn };
            return cx.post(conn.shard, refused);
        }
        self.grants += 1;
        let epoch = VIEW << 32 | self.grants;
        let older = self
            .claims
            .insert(player_id, conn)
            .filter(|older| *older != conn);
        if let Some(conn) = older {
            cx.metrics.evictions.up();
            cx.post(conn.shard, SessionMail::Evict { player_id, conn });
        }
        let granted = SessionMail::Granted {
            player_id,
            conn,
            epoch,
        };
        cx.post(conn.shard, granted);
    }

    fn unclaim(&mut self, player_id: u32, conn: ConnId, was_playing: bool) {
        if self.claims.get(&player_id) == Some(&conn) {
            self.claims.remove(&player_id);
            self.lost.retain(|lost| *lost != player_id);
            if was_playing {
                self.lost.push_back(player_id);
                if self.lost.len() > LOST {
                    self.lost.pop_front();
                }
            }
        }
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
    pub(in crate::faf) fn has_granted(&self, epoch: u64) -> bool {
        epoch <= (VIEW << 32 | self.grants)
    }

    /// Whether nobody claims anything.
    pub(in crate::faf) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }
}
