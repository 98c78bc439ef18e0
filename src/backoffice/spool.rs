//! Finished games that are not settled yet, on disk: one file each, so that a crash loses no results.
//!
//! A file is there as a whole or not at all, and durable before the store is asked for the first time. It goes when its
//! batch is settled. What a start finds is settled again; records are such that twice does no harm, but a message to the
//! broker may then leave a second time.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Serialize, de::DeserializeOwned};

/// The ending of a whole file.
const ENDING: &str = "game";

/// The folder.
#[derive(Clone, Debug)]
pub struct Spool(PathBuf);

impl Spool {
    /// Opens the folder, creating it if need be.
    ///
    /// # Errors
    /// If it can't be created.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Spool(folder.to_owned()))
    }

    /// Keeps a game's batch, in the place of its last one. Failing is logged: the game is then no worse off than without.
    pub async fn keep(&self, uid: u32, batch: &impl Serialize) {
        let folder = self.0.clone();
        let outcome = match serde_json::to_vec(batch) {
            Ok(text) => blocking(move || write(&folder, uid, &text)).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = outcome {
            tracing::error!(%error, game = uid, "a finished game can't be kept on disk");
        }
    }

    /// The game is settled.
    pub async fn forget(&self, uid: u32) {
        let path = file(&self.0, uid);
        if let Err(error) = blocking(move || fs::remove_file(path)).await
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(%error, game = uid, "a settled game can't be removed from disk");
        }
    }

    /// What is there, in no order. A file that can't be read is put aside.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub fn kept<B: DeserializeOwned>(&self) -> io::Result<Vec<B>> {
        let mut batches = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.extension().is_none_or(|ending| ending != ENDING) {
                continue;
            }
            let text = fs::read(&path)?;
            match serde_json::from_slice::<B>(&text) {
                Ok(batch) => batches.push(batch),
                Err(error) => {
                    tracing::error!(%error, file = %path.display(), "a kept game can't be read and is put aside");
                    fs::rename(&path, path.with_extension("unreadable"))?;
                }
            }
        }
        Ok(batches)
    }
}

fn file(folder: &Path, uid: u32) -> PathBuf {
    folder.join(format!("{uid}.{ENDING}"))
}

/// Beside the place, made durable, then into the place.
fn write(folder: &Path, uid: u32, text: &[u8]) -> io::Result<()> {
    let place = file(folder, uid);
    // A name of its own: at the very end a game may be kept from two sides at once.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let beside = place.with_extension(format!("{number}.new"));
    let mut new = File::create(&beside)?;
    new.write_all(text)?;
    new.sync_all()?;
    fs::rename(&beside, &place)?;
    File::open(folder)?.sync_all()
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A game's number and end, in the order of the numbers.
    fn ends(spool: &Spool) -> Vec<(u32, f64)> {
        let mut kept: Vec<(u32, f64)> = spool.kept().unwrap();
        kept.sort_unstable_by_key(|(uid, _)| *uid);
        kept
    }

    #[tokio::test]
    async fn what_is_kept_is_there_after_a_restart_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(&folder.path().join("games")).unwrap();
        for (uid, at) in [(12, 1.0), (7, 2.0), (12, 3.0)] {
            spool.keep(uid, &(uid, at)).await;
        }
        let again = Spool::open(&folder.path().join("games")).unwrap();
        assert_eq!(ends(&again), [(7, 2.0), (12, 3.0)]);
        again.forget(12).await;
        again.forget(99).await;
        assert_eq!(ends(&again), [(7, 2.0)]);
    }

    #[tokio::test]
    async fn half_a_file_does_not_keep_the_others_from_being_read() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        spool.keep(7, &(7, 2.0)).await;
        fs::write(folder.path().join("8.game"), "[8,").unwrap();
        fs::write(folder.path().join("9.new"), "[").unwrap();
        assert_eq!(ends(&spool), [(7, 2.0)]);
        assert!(folder.path().join("8.unreadable").exists());
    }
}
