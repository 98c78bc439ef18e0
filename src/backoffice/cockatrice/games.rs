//! What games leave: numbers, replays, what was said (spec: cockatrice-behaviour 5, 12).

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lobby::{
    cockatrice::questions::{KeepGame, KeepPiece, NewGame, PlayedGame, StoreGame, WriteLog},
    question::{Answers, StoreFailure},
};

use super::{CockatriceHandler, pieces::Pieces};
use crate::spool::Spool;

/// Games that wait in memory for a store that can't be reached; they are on disk as well.
const MOST_UNSTORED: usize = 10_000;

impl Answers<NewGame> for CockatriceHandler {
    async fn answer(&self, new: NewGame) -> Result<u32, StoreFailure> {
        Ok(self.store.new_game(&new).await?)
    }
}

impl Answers<KeepPiece> for CockatriceHandler {
    async fn answer(&self, piece: KeepPiece) -> Result<(), StoreFailure> {
        let Some(kept) = &self.kept else {
            return Err(StoreFailure::Failed);
        };
        let (game, kept) = (piece.game, kept.pieces.keep(piece).await);
        kept.map_err(|error| {
            tracing::error!(%error, game, "a piece of a replay can't be put on disk; it stays in memory");
            StoreFailure::Unavailable
        })
    }
}

impl Answers<KeepGame> for CockatriceHandler {
    async fn answer(&self, KeepGame(played): KeepGame) -> Result<(), StoreFailure> {
        match &self.kept {
            Some(kept) if !kept.keep(&played).await => Err(StoreFailure::Unavailable),
            _ => Ok(()),
        }
    }
}

impl Answers<StoreGame> for CockatriceHandler {
    async fn answer(&self, StoreGame(played): StoreGame) -> Result<Vec<u32>, StoreFailure> {
        let Some(kept) = &self.kept else {
            return Ok(self.store.store_game(&played).await?);
        };
        let game = played.game;
        let whole = kept.pieces.whole(played.clone()).await;
        match self.store.store_game(&whole).await {
            Ok(ids) => {
                kept.unkept().remove(&game);
                kept.spool.forget(game).await;
                kept.pieces.forget(&played).await;
                Ok(ids)
            }
            Err(error) => {
                let failure = error.failure();
                let in_memory_only = kept.unkept().contains(&game) && !kept.keep(&played).await;
                if failure == StoreFailure::Unavailable || in_memory_only {
                    kept.later(played);
                } else {
                    tracing::error!(
                        game,
                        "a game is not taken by the database; it stays on disk"
                    );
                }
                Err(failure)
            }
        }
    }
}

impl Answers<WriteLog> for CockatriceHandler {
    async fn answer(&self, WriteLog(lines): WriteLog) {
        let _ = self.store.write_log(&lines).await; // the store has logged why
    }
}

/// What is on disk of games: those that are over and not in the store yet, and pieces of replays.
#[derive(Debug)]
pub(super) struct Kept {
    spool: Spool,
    pieces: Pieces,
    /// Games that the store could not take when it was asked.
    unstored: Mutex<VecDeque<Box<PlayedGame>>>,
    /// Games that the disk could not take: they are put there when the store has not taken them either.
    unkept: Mutex<BTreeSet<u32>>,
}

impl Kept {
    /// Opens both folders. Gives the games that an earlier process has left.
    ///
    /// # Errors
    /// If one can't be read.
    pub(super) fn open(
        spool: Spool,
        pieces: &Path,
        left: &Path,
    ) -> io::Result<(Self, Vec<PlayedGame>)> {
        let mut games: Vec<PlayedGame> = spool.kept()?;
        let ours = games.len();
        games.extend(spool.kept_in::<PlayedGame>(left)?);
        let pieces = Pieces::open(pieces, &games)?;
        games.truncate(ours);
        let kept = Kept {
            spool,
            pieces,
            unstored: Mutex::default(),
            unkept: Mutex::default(),
        };
        Ok((kept, games))
    }

    fn unstored(&self) -> MutexGuard<'_, VecDeque<Box<PlayedGame>>> {
        self.unstored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unkept(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a game on disk that is over, with what there is of its replays. False: it is in memory only, which has been logged.
    async fn keep(&self, played: &PlayedGame) -> bool {
        let (game, settled) = (played.game, self.pieces.settle(played).await);
        if let Err(error) = &settled {
            tracing::error!(%error, game, "pieces of a replay can't be made durable");
        }
        let is_kept = self.spool.keep(game, played).await.is_ok();
        if is_kept && settled.is_ok() {
            self.unkept().remove(&game);
        } else {
            self.unkept().insert(game);
        }
        is_kept
    }

    /// A game is to be stored when the store can be reached. Beyond so many only the next start does it.
    fn later(&self, played: Box<PlayedGame>) {
        let mut unstored = self.unstored();
        if unstored.len() < MOST_UNSTORED {
            unstored.push_back(played);
        } else {
            let game = played.game;
            tracing::warn!(
                game,
                "too many games wait for the database: this one is stored after the next start"
            );
        }
    }
}

impl CockatriceHandler {
    /// Takes over the games that a process which has ended has left in other folders, and stores them.
    ///
    /// # Errors
    /// If they can't be read or moved.
    pub fn adopt(&self, games: &Path, pieces: &Path) -> io::Result<()> {
        let Some(kept) = &self.kept else {
            return Ok(());
        };
        let theirs: Vec<PlayedGame> = kept.spool.kept_in(games)?;
        kept.pieces.adopt(pieces, &theirs)?; // before their games, which name them
        kept.spool.take_from(games)?;
        for played in theirs {
            kept.later(Box::new(played));
        }
        Ok(())
    }

    /// Stores the games that an earlier process has left on disk, and from then on those that the store could not take when they
    /// were over: until the end, after a pause each time. What the store refuses stays on disk, and is logged.
    pub async fn keep_storing(&self, left: Vec<PlayedGame>, pause: Duration) {
        if let Some(kept) = &self.kept {
            kept.unstored().extend(left.into_iter().map(Box::new));
        }
        loop {
            self.store_again().await;
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks the store once more for each game that waits for it; what it can't take now waits on.
    pub(super) async fn store_again(&self) {
        let Some(kept) = &self.kept else {
            return;
        };
        let waiting = std::mem::take(&mut *kept.unstored());
        for played in waiting {
            let _ = self.answer(StoreGame(played)).await; // it waits on, or that it can't be stored is logged
        }
    }
}
