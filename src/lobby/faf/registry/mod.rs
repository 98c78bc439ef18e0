//! Which connection is a player, at the player's home shard (spec: faf-lifecycle 3.6).
//!
//! Two logins of one account meet here: each claim has a larger epoch than the one before, and the older connection is ended.
//! The newer does not wait for that.

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

/// The claims of players whose home this shard is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Registry {
    claims: IdMap<u32, ConnId>,
    /// How many claims were granted here.
    grants: u64,
}

impl Registry {
    /// Somebody claims to be a player, or does no longer.
    pub(in crate::faf) fn mail(&mut self, cx: &mut Context<'_>, mail: RegistryMail) {
        match mail {
            RegistryMail::Claim { player_id, conn } => self.claim(cx, player_id, conn),
            RegistryMail::Unclaim { player_id, conn } => self.unclaim(player_id, conn),
        }
    }

    fn claim(&mut self, cx: &mut Context<'_>, player_id: u32, conn: ConnId) {
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

    fn unclaim(&mut self, player_id: u32, conn: ConnId) {
        if self.claims.get(&player_id) == Some(&conn) {
            self.claims.remove(&player_id);
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
