//! Who was heard of: the last beat of each life of each node. Belief about them is elsewhere.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Dropped, View,
    beat::{Beat, ViewId},
    envelope::Sender,
};

/// Who was not heard of for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// Most lives that are remembered: some for each slot.
const MOST: usize = 4 * View::SLOTS as usize;
/// Who was heard of within this speaks now.
pub(crate) const SPEAKS: Duration = Duration::from_secs(1);

/// The last that was heard of one life of a node.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Without what it says of its lanes, and without the view.
    pub(crate) beat: Beat,
    pub(crate) heard: Duration,
    /// When it last said that it hears as well: a node that is deaf is as good as away.
    pub(crate) heard_well: Option<Duration>,
}

/// Who was heard of.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    lives: BTreeMap<(u8, u64), Peer>,
}

impl Peers {
    /// Somebody has told this.
    ///
    /// # Errors
    /// What it is counted as, if it is older than what is known or there is no place for it.
    pub(crate) fn hear(&mut self, now: Duration, from: Sender, beat: Beat) -> Result<(), Dropped> {
        let life = (from.node, from.incarnation);
        let heard_well = beat.hears.then_some(now);
        let Some(peer) = self.lives.get_mut(&life) else {
            if self.lives.len() >= MOST {
                return Err(Dropped::Crowd);
            }
            let peer = Peer {
                beat,
                heard: now,
                heard_well,
            };
            self.lives.insert(life, peer);
            return Ok(());
        };
        if beat.number <= peer.beat.number {
            return Err(Dropped::Repeated);
        }
        peer.beat = beat;
        peer.heard = now;
        peer.heard_well = heard_well.or(peer.heard_well);
        Ok(())
    }

    /// Forgets who was not heard of for long.
    pub(crate) fn forget(&mut self, now: Duration) {
        self.lives.retain(|_, peer| now < peer.heard + FORGOTTEN);
    }

    pub(crate) fn get(&self, node: u8, incarnation: u64) -> Option<&Peer> {
        self.lives.get(&(node, incarnation))
    }

    /// All lives, by their slots.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Sender, &Peer)> {
        self.lives.iter().map(|(&(node, incarnation), peer)| {
            let sender = Sender { node, incarnation };
            (sender, peer)
        })
    }

    /// All lives of one slot.
    pub(crate) fn of_slot(&self, node: u8) -> impl Iterator<Item = (u64, &Peer)> {
        let lives = self.lives.range((node, 0)..=(node, u64::MAX));
        lives.map(|(&(_, incarnation), peer)| (incarnation, peer))
    }

    /// Whether somebody who speaks does not know this view, or a newer one.
    pub(crate) fn someone_lags(&self, now: Duration, view: ViewId) -> bool {
        let mut peers = self.lives.values();
        peers.any(|peer| now < peer.heard + SPEAKS && peer.beat.view < view)
    }
}
