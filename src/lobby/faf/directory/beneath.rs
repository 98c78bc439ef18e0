//! Claims of players who are shown by a larger one. While nodes do not reach each other an account may be granted on two sides;
//! all but the largest of its claims are ended as soon as its home hears of them, but the largest may go before. Then the
//! next one is the player: who owns it has announced it long ago.

use std::{collections::BTreeMap, ops::RangeInclusive};

use bytes::Bytes;

use crate::{
    ShardId,
    faf::{
        directory::{Directory, Hand},
        mail::directory::{PlayerShown, PlayerUpdate},
    },
};

/// By account id and epoch; none of them is in the picture. Each is of somebody who is signed in on some node, and is about to
/// be ended there. A node that is alone has none.
#[derive(Debug, Default)]
pub(super) struct Beneath(BTreeMap<(u32, u64), PlayerShown>);

impl Beneath {
    fn put(&mut self, claim: PlayerShown) {
        self.0.insert((claim.id, claim.epoch), claim);
    }

    fn take_largest(&mut self, id: u32) -> Option<PlayerShown> {
        let mut claims = self.0.range((id, 0)..=(id, u64::MAX));
        let key = *claims.next_back()?.0;
        self.0.remove(&key)
    }

    /// Whether a player has one.
    pub(super) fn has(&self, id: u32) -> bool {
        let mut claims = self.0.range((id, 0)..=(id, u64::MAX));
        claims.next().is_some()
    }

    /// A claim's newest text.
    pub(super) fn text(&mut self, id: u32, epoch: u64, text: &Bytes) {
        if let Some(known) = self.0.get_mut(&(id, epoch)) {
            known.text.clone_from(text);
        }
    }

    /// What a shard has in a range, and does not name, is no more.
    pub(super) fn named(
        &mut self,
        from: ShardId,
        range: &RangeInclusive<u32>,
        named: &BTreeMap<u32, u64>,
    ) {
        self.0.retain(|&(id, epoch), claim| {
            let is_named = named.get(&id) == Some(&epoch);
            claim.conn.shard != from || !range.contains(&id) || is_named
        });
    }

    /// A node is out.
    pub(super) fn node_lost(&mut self, node: u8) {
        self.0.retain(|_, claim| claim.conn.shard.node() != node);
    }
}

impl Directory {
    /// A shard speaks of a claim of a player; whether the picture shows it from now on.
    pub(super) fn claimed(&mut self, hand: &Hand<'_>, claim: PlayerShown) -> bool {
        self.give_way(claim.id, claim.epoch);
        let known = self.picture.player(claim.id);
        let known = known.filter(|known| known.conn != claim.conn && known.epoch != claim.epoch);
        if hand.topology.is_clustered()
            && let Some((conn, epoch)) = known.map(|known| (known.conn, known.epoch))
        {
            if epoch > claim.epoch {
                self.beneath.put(claim);
                return false;
            }
            let id = claim.id;
            let text = self.picture.text_of(id).unwrap_or_default();
            self.beneath.put(PlayerShown {
                id,
                conn,
                epoch,
                text,
            });
        }
        self.beneath.0.remove(&(claim.id, claim.epoch));
        let PlayerShown {
            id,
            conn,
            epoch,
            text,
        } = claim;
        self.picture.player_here(id, conn, epoch, text);
        true
    }

    /// A claim is over. If the picture shows it, it shows the one beneath from now on.
    pub(super) fn claim_over(&mut self, id: u32, epoch: u64) {
        if self.beneath.0.remove(&(id, epoch)).is_some() {
            return;
        }
        let known = self.picture.player(id);
        if known.is_some_and(|known| known.epoch == epoch) {
            self.picture.player_gone(id, epoch);
            self.rise(id);
        }
    }

    /// The picture shows the claim beneath, if there is one.
    fn rise(&mut self, id: u32) {
        let Some(claim) = self.beneath.take_largest(id) else {
            return;
        };
        let PlayerShown {
            conn, epoch, text, ..
        } = claim;
        self.picture.player_here(id, conn, epoch, text.clone());
        self.ticks.gather_player(PlayerUpdate {
            id,
            epoch,
            online: true,
            text,
        });
    }
}
