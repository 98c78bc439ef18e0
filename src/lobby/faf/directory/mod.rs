//! What everybody may see, on every shard: the picture, and the ticks by which it follows. Every role may read the picture;
//! it is changed by mail.

pub(in crate::faf) mod picture;
pub(in crate::faf) mod tick;

use serde::{Deserialize, Serialize};

use crate::{
    ShardId,
    faf::{context::RoleTurn, mail::directory::DirectoryMail, topology::Topology},
    kept::{Damaged, ensure},
};

use self::{
    picture::{KeptPicture, Picture},
    tick::Ticks,
};

/// One shard's replica of what everybody may see.
#[derive(Debug)]
pub(in crate::faf) struct Directory {
    /// What is seen.
    pub picture: Picture,
    ticks: Ticks,
}

/// A directory, kept.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::faf) struct KeptDirectory {
    picture: KeptPicture,
    ticks: Ticks,
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
        self.ticks = kept.ticks;
        self.picture.revive(kept.picture)
    }

    /// Of a lobby on these shards.
    pub(in crate::faf) fn new(topology: &Topology) -> Self {
        Directory {
            picture: Picture::default(),
            ticks: Ticks::new(topology),
        }
    }

    /// Somebody has told what is to be seen.
    pub(in crate::faf) fn mail(
        &mut self,
        turn: &mut RoleTurn<'_>,
        from: ShardId,
        mail: DirectoryMail,
    ) {
        match mail {
            DirectoryMail::PlayerHere {
                id,
                conn,
                epoch,
                text,
            } => self.picture.player_here(id, conn, epoch, text),
            DirectoryMail::PlayerText { id, epoch, text } => {
                self.picture.player_text(id, epoch, text);
            }
            DirectoryMail::PlayerGone { id, epoch } => self.picture.player_gone(id, epoch),
            DirectoryMail::GameHere { uid } => self.picture.game_here(uid, from),
            DirectoryMail::GameText(game) => {
                let listed = game.listed && !game.ended;
                self.picture
                    .game_text(game.uid, listed, game.rule, game.body);
            }
            DirectoryMail::Dirty(changes) => self.merge(turn, from, *changes),
        }
    }
}
