//! What games leave: numbers, replays, what was said (spec: cockatrice-behaviour 5, 12).

use lobby::{
    cockatrice::questions::{KeepGame, NewGame, PlayedGame, StoreGame, WriteLog},
    question::{Answers, StoreFailure},
};

use super::CockatriceHandler;

impl Answers<NewGame> for CockatriceHandler {
    async fn answer(&self, new: NewGame) -> Result<u32, StoreFailure> {
        Ok(self.store.new_game(&new).await?)
    }
}

impl Answers<KeepGame> for CockatriceHandler {
    async fn answer(&self, KeepGame(mut played): KeepGame) -> Result<(), StoreFailure> {
        self.without_what_is_not_kept(&mut played);
        match &self.spool {
            Some(spool) => {
                let kept = spool.keep(played.game, &*played).await;
                kept.map_err(|_| StoreFailure::Unavailable)
            }
            None => Ok(()),
        }
    }
}

impl Answers<StoreGame> for CockatriceHandler {
    async fn answer(&self, StoreGame(mut played): StoreGame) -> Result<Vec<u32>, StoreFailure> {
        self.without_what_is_not_kept(&mut played);
        let ids = self.store.store_game(&played).await?;
        if let Some(spool) = &self.spool {
            spool.forget(played.game).await;
        }
        Ok(ids)
    }
}

impl Answers<WriteLog> for CockatriceHandler {
    async fn answer(&self, WriteLog(mut lines): WriteLog) {
        lines.retain(|line| self.settings.records.logs(line.place));
        if lines.is_empty() {
            return;
        }
        let _ = self.store.write_log(&lines).await; // the store has logged why
    }
}

impl CockatriceHandler {
    /// Takes the replays from a game, if they are not to be stored: nobody may see them then.
    fn without_what_is_not_kept(&self, played: &mut PlayedGame) {
        if !self.settings.records.replays {
            played.replays.clear();
            played.audience.clear();
        }
    }

    /// Stores the games that an earlier process has left on disk. What the store does not take now is tried again after `pause`;
    /// what it refuses stays on disk, and is logged.
    pub async fn replay(&self, kept: Vec<PlayedGame>, pause: std::time::Duration) {
        for played in kept {
            let game = played.game;
            loop {
                let stored = self.answer(StoreGame(Box::new(played.clone()))).await;
                match stored {
                    Err(StoreFailure::Unavailable) => tokio::time::sleep(pause).await,
                    Err(StoreFailure::Failed) => {
                        tracing::error!(
                            game,
                            "a game of an earlier run is not taken by the database"
                        );
                        break;
                    }
                    Ok(_) => break,
                }
            }
        }
    }
}
