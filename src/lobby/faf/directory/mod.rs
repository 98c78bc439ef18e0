//! What everybody may see, on every shard: the picture, and the ticks by which it follows. Every role may read the picture;
//! it is changed by mail.
//!
//! Of each player and each game only one shard speaks, its owner; the others have what it said last and never merge. Other
//! nodes are told once each. What they may have missed (a newcomer, a lane that broke) they are shown again (`showing`),
//! whether they have it is compared now and then (`digest`), and what a lost node had is kept for a while (`lost`).

pub(in crate::faf) mod beneath;
pub(in crate::faf) mod digest;
pub(in crate::faf) mod elsewhere;
pub(in crate::faf) mod lost;
mod parts;
pub(in crate::faf) mod picture;
pub(in crate::faf) mod players;
pub(in crate::faf) mod showing;
pub(in crate::faf) mod tick;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    ShardId,
    faf::{
        context::RoleTurn,
        mail::directory::{DirectoryMail, PlayerShown},
        metrics::Metrics,
        settings::Settings,
        topology::{Change, Topology},
    },
    kept::{Damaged, ensure},
};

use self::{
    beneath::Beneath,
    digest::Digests,
    lost::Lost,
    picture::{KeptPicture, Picture},
    showing::Showing,
    tick::Ticks,
};

/// One shard's replica of what everybody may see.
#[derive(Debug)]
pub(in crate::faf) struct Directory {
    /// What is seen.
    pub picture: Picture,
    ticks: Ticks,
    showing: Showing,
    digests: Digests,
    lost: Lost,
    beneath: Beneath,
    /// Shards that were there when this node joined them, and have not shown all they have.
    awaited: BTreeSet<ShardId>,
}

/// A directory, kept.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::faf) struct KeptDirectory {
    picture: KeptPicture,
    ticks: Ticks,
}

/// What a directory has in hand in a turn.
pub(in crate::faf) struct Hand<'a> {
    /// Takes what is to be done.
    pub turn: RoleTurn<'a>,
    /// Which shard has what.
    pub topology: &'a Topology,
    /// What the operator has chosen.
    pub settings: &'a Settings,
    /// What has happened on this shard.
    pub metrics: &'a Metrics,
}

impl Directory {
    /// What whoever goes on needs of it.
    pub(in crate::faf) fn keep(&self) -> KeptDirectory {
        KeptDirectory {
            picture: self.picture.keep(),
            ticks: self.ticks.clone(),
        }
    }

    /// Goes on from what was kept.
    pub(in crate::faf) fn revive(&mut self, kept: KeptDirectory) -> Result<(), Damaged> {
        let same = kept.ticks.hears_like(&self.ticks);
        ensure(same, "there are other shards than before")?;
        let node = self.ticks.node();
        self.ticks = kept.ticks.of_node(node);
        self.picture.revive(kept.picture)
    }

    /// Of a lobby on these shards.
    pub(in crate::faf) fn new(topology: &Topology) -> Self {
        Directory {
            picture: Picture::default(),
            ticks: Ticks::new(topology),
            showing: Showing::default(),
            digests: Digests::default(),
            lost: Lost::default(),
            beneath: Beneath::default(),
            awaited: BTreeSet::new(),
        }
    }

    /// Somebody has told what is to be seen.
    pub(in crate::faf) fn mail(&mut self, hand: &mut Hand<'_>, from: ShardId, mail: DirectoryMail) {
        match mail {
            DirectoryMail::PlayerHere {
                id,
                conn,
                epoch,
                text,
            } => {
                let claim = PlayerShown {
                    id,
                    conn,
                    epoch,
                    text,
                };
                self.claimed(hand, claim);
                self.come(from, id, epoch);
                if from == hand.turn.shard && self.picture.players.fill_a_block(from) {
                    self.show_blocks(hand);
                }
            }
            DirectoryMail::PlayerText { id, epoch, text } => {
                self.beneath.text(id, epoch, &text);
                self.picture.player_text(id, epoch, text);
            }
            DirectoryMail::PlayerGone { id, epoch } => {
                self.lost.player_named(id, epoch);
                self.gone(from, id, epoch);
                self.claim_over(id, epoch);
            }
            DirectoryMail::GameHere { uid } => {
                self.lost.game_named(uid);
                self.picture.game_here(uid, from);
            }
            DirectoryMail::GameText(game) => {
                let listed = game.listed && !game.ended;
                self.picture
                    .game_text(game.uid, listed, game.rule, game.body);
            }
            DirectoryMail::Dirty(changes) => self.merge(hand, from, *changes),
            DirectoryMail::Block(block) => self.picture.players.shown(from, block),
            DirectoryMail::Players {
                from: first,
                to,
                players,
            } => {
                self.players_shown(hand, from, first..=to, players);
            }
            DirectoryMail::Games {
                from: first,
                to,
                games,
            } => {
                self.games_shown(hand, from, first..=to, games);
            }
            DirectoryMail::Got(shown) => self.got(hand, from, shown),
            DirectoryMail::Digest(digest) => self.compare(hand, from, &digest),
            DirectoryMail::ShowAgain => self.show_again(hand, from),
        }
    }

    /// Shows the other shards of this node what they need not join themselves: all of them keep one form of it.
    pub(super) fn show_blocks(&mut self, hand: &mut Hand<'_>) {
        if hand.turn.shards < 2 {
            return;
        }
        for block in self.picture.players.unshown(hand.turn.shard) {
            hand.turn
                .mail_all(|| DirectoryMail::Block(block.clone()).into());
        }
    }

    /// What is known of the other nodes has changed; with a new life of this one every lane is another.
    pub(in crate::faf) fn standing_changed(
        &mut self,
        hand: &mut Hand<'_>,
        change: &Change,
        is_new_life: bool,
    ) {
        for &node in &change.lost {
            self.tell_untold(|shard| shard.node() == node);
            self.showing.forget(node);
            self.node_lost(hand, node);
        }
        if is_new_life {
            self.tell_untold(|_| true);
        }
        for &node in &change.new {
            self.show(hand, node);
        }
        let own = hand.topology.standing().node;
        let others = hand.topology.all().filter(|shard| shard.node() != own);
        let others: BTreeSet<ShardId> = others.collect();
        match change.has_joined {
            true => self.awaited = others,
            false => self.awaited.retain(|shard| others.contains(shard)),
        }
        self.ticks.follow(hand.topology);
        self.look(hand);
    }

    /// Whether everybody who was there when this node joined has shown what they have.
    pub(in crate::faf) fn is_complete(&self) -> bool {
        self.awaited.is_empty()
    }

    /// What was said to a node, and what it said, is lost.
    pub(in crate::faf) fn lane_broken(&mut self, hand: &mut Hand<'_>, node: u8) {
        self.tell_untold(|shard| shard.node() == node);
        if hand.topology.standing().view.member(node).is_some() {
            self.show(hand, node);
        }
    }
}
