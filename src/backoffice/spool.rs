//! What a crash must not lose, on disk, one file each: finished games that are not settled yet, and events that the broker
//! has not confirmed (`broker::outbox`).
//!
//! A file is there as a whole or not at all: it is written beside its place, made durable, and put there, which is made
//! durable as well before it counts. That is before the store is asked for the first time. It goes when its batch is
//! settled. What a start finds is settled again; records are such that twice does no harm, but a message to the broker may
//! then leave a second time.
//!
//! An attempt that fails, on a full disk say, takes away what it has begun; what a crash in the middle has left goes at the
//! next start.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::SharedCounter;
use serde::{Serialize, de::DeserializeOwned};

use crate::disk::Disk;

/// Threads that wait for the disk at one time, hanging or not.
const AT_ONCE: usize = 8;
/// The ending of a game's file.
const GAME: &str = "game";
/// What is written to find out whether the disk takes anything: more than most games need.
const TRIED_BYTES: usize = 16 << 10;
/// The ending of one that is being written.
const UNFINISHED: &str = "new";

metrics::metrics! {
    /// What has become of finished games.
    pub struct Metrics {
        /// Finished games that were put on disk until they are settled.
        kept: SharedCounter = Sum "muster_spool_kept_total";
        /// Attempts to put a finished game on disk, or to take a settled one away, that failed.
        failed: SharedCounter = Sum "muster_spool_failed_total";
    }
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
    ending: &'static str,
    disk: Disk,
    metrics: Arc<Metrics>,
}

impl Spool {
    /// Opens the folder of finished games, creating it if need be, and clears it of what was never finished. It must be nobody
    /// else's.
    ///
    /// # Errors
    /// If it can't be created or read.
    pub fn open(folder: &Path, metrics: Arc<Metrics>) -> io::Result<Self> {
        Self::open_for(folder, GAME, metrics)
    }

    /// The same, for files of another ending.
    ///
    /// # Errors
    /// If it can't be created or read.
    pub fn open_for(
        folder: &Path,
        ending: &'static str,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        if let Some(parent) = folder.parent().filter(|path| !path.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == UNFINISHED) {
                // Whoever was about to write it has not said that it is kept.
                fs::remove_file(path)?;
            }
        }
        Ok(Spool {
            folder: folder.to_owned(),
            ending,
            disk: Disk::with_places(AT_ONCE),
            metrics,
        })
    }

    /// Keeps what belongs under a number, the batch of a game say, in the place of what is there.
    ///
    /// # Errors
    /// If it can't be written durably, which is logged and counted. It is then no worse off than without.
    pub async fn keep(&self, number: impl Into<u64>, kept: &impl Serialize) -> io::Result<()> {
        let place = self.file(number.into());
        let named = place.clone();
        let outcome = match serde_json::to_vec(kept) {
            Ok(text) => self.disk.run(move || write(&place, &text)).await,
            Err(error) => Err(error.into()),
        };
        match &outcome {
            Ok(()) => self.metrics.kept.up(),
            Err(error) => {
                self.metrics.failed.up();
                tracing::error!(%error, file = %named.display(), "what a crash must not lose can't be kept on disk");
            }
        }
        outcome
    }

    /// Whether the disk takes as much as a game that is over, durably. What fails is neither counted nor logged.
    pub async fn is_well(&self) -> bool {
        let file = self.folder.join(format!("tried.{UNFINISHED}"));
        let trying = move || {
            let tried = File::create(&file).and_then(|mut new| {
                new.write_all(&[0; TRIED_BYTES])?;
                new.sync_all()
            });
            let _ = fs::remove_file(&file); // not there if it could not be made
            tried
        };
        self.disk.run(trying).await.is_ok()
    }

    /// The game of this number is settled.
    pub async fn forget(&self, number: impl Into<u64>) {
        self.forget_all(vec![number.into()]).await;
    }

    /// What belongs to these numbers is no longer needed.
    pub async fn forget_all(&self, numbers: Vec<u64>) {
        let files: Vec<PathBuf> = numbers.into_iter().map(|n| self.file(n)).collect();
        let remove = move || {
            let removed = files.iter().map(fs::remove_file);
            let is_there = |error: &io::Error| error.kind() != io::ErrorKind::NotFound;
            let failures = removed.filter_map(Result::err).filter(is_there);
            failures.reduce(|_, last| last).map_or(Ok(()), Err) // each of them has been tried
        };
        if let Err(error) = self.disk.run(remove).await {
            self.metrics.failed.up();
            tracing::error!(%error, folder = %self.folder.display(), "what is settled can't be removed from disk");
        }
    }

    fn file(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.{}", self.ending))
    }

    /// What is there, in no order. A file that can't be read is put aside.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub fn kept<B: DeserializeOwned>(&self) -> io::Result<Vec<B>> {
        self.kept_in(&self.folder)
    }

    /// Takes over what a process that has ended has left in another folder on the same file system, and gives it. Its numbers
    /// must be none of this one's.
    ///
    /// # Errors
    /// If it can't be read or moved. What has been moved by then is found by the next start.
    pub fn adopt<B: DeserializeOwned>(&self, left: &Path) -> io::Result<Vec<B>> {
        let batches = self.kept_in(left)?;
        self.take_from(left)?;
        Ok(batches)
    }

    /// Moves what is in such a folder here, once [`Spool::kept_in`] has read it.
    pub(crate) fn take_from(&self, left: &Path) -> io::Result<()> {
        for path in self.files_in(left)? {
            if let Some(name) = path.file_name() {
                fs::rename(&path, self.folder.join(name))?;
            }
        }
        File::open(&self.folder)?.sync_all()
    }

    /// The files in such a folder, if there is one.
    fn files_in(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        let is_ours = |path: &PathBuf| path.extension().is_some_and(|it| it == self.ending);
        paths
            .filter(|path| path.as_ref().map_or(true, is_ours))
            .collect()
    }

    /// What is in such a folder, if there is one, which may be that of a process that goes on.
    pub(crate) fn kept_in<B: DeserializeOwned>(&self, folder: &Path) -> io::Result<Vec<B>> {
        let mut batches = Vec::new();
        for path in self.files_in(folder)? {
            let text = match fs::read(&path) {
                Ok(text) => text,
                // Whoever has the folder has just done with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match serde_json::from_slice::<B>(&text) {
                Ok(batch) => batches.push(batch),
                Err(error) => {
                    tracing::error!(%error, file = %path.display(), "a kept file can't be read and is put aside");
                    fs::rename(&path, path.with_extension("unreadable"))?;
                }
            }
        }
        Ok(batches)
    }
}

/// Beside the place, made durable, then into the place, which is made durable as well.
fn write(place: &Path, text: &[u8]) -> io::Result<()> {
    // A name of its own: at the very end a game may be kept from two sides at once.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let beside = place.with_extension(format!("{number}.{UNFINISHED}"));
    let written = write_durably(&beside, text).and_then(|()| fs::rename(&beside, place));
    if let Err(error) = written {
        // If this fails as well, the next start does it.
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    place
        .parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn write_durably(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text)?;
    file.sync_all()
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

    fn opened(folder: &Path) -> Spool {
        Spool::open(folder, Arc::default()).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[tokio::test]
    async fn what_is_kept_is_there_after_a_restart_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let spool = opened(&folder.path().join("games"));
        for (uid, at) in [(12_u32, 1.0), (7, 2.0), (12, 3.0)] {
            spool.keep(uid, &(uid, at)).await.unwrap();
        }
        assert_eq!(spool.metrics.kept.value(), 3);
        let again = opened(&folder.path().join("games"));
        assert_eq!(ends(&again), [(7, 2.0), (12, 3.0)]);
        again.forget(12_u32).await;
        again.forget(99_u32).await;
        assert_eq!(ends(&again), [(7, 2.0)]);
    }

    #[tokio::test]
    async fn what_another_process_has_left_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let (theirs, ours) = (folder.path().join("theirs"), folder.path().join("ours"));
        let before = opened(&theirs);
        before.keep(3_u32, &(3_u32, 1.5)).await.unwrap();
        drop(before);
        let now = opened(&ours);
        now.keep(4_u32, &(4_u32, 2.5)).await.unwrap();
        let taken: Vec<(u32, f64)> = now.adopt(&theirs).unwrap();
        assert_eq!(taken, [(3, 1.5)]);
        assert_eq!(names(&theirs), Vec::<String>::new());
        assert_eq!(ends(&now), [(3, 1.5), (4, 2.5)]);
        let nothing: Vec<(u32, f64)> = now.adopt(&folder.path().join("nowhere")).unwrap();
        assert!(nothing.is_empty());
    }

    #[tokio::test]
    async fn what_is_settled_while_another_process_looks_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let spool = opened(folder.path());
        spool.keep(7_u32, &(7, 2.0)).await.unwrap();
        // Listed, and gone when it is read.
        std::os::unix::fs::symlink("nowhere", folder.path().join("8.game")).unwrap();
        assert_eq!(ends(&spool), [(7, 2.0)]);
    }

    #[tokio::test]
    async fn half_a_file_does_not_keep_the_others_from_being_read() {
        let folder = tempfile::tempdir().unwrap();
        let spool = opened(folder.path());
        spool.keep(7_u32, &(7, 2.0)).await.unwrap();
        fs::write(folder.path().join("8.game"), "[8,").unwrap();
        assert_eq!(ends(&spool), [(7, 2.0)]);
        assert!(folder.path().join("8.unreadable").exists());
    }

    // However many it is asked for, no more threads than some wait, and nobody waits for ever.
    #[tokio::test(start_paused = true)]
    async fn a_disk_that_hangs_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let spool = opened(folder.path());
        let places = u32::try_from(AT_ONCE).unwrap();
        let hanging = spool.disk.places.clone().acquire_many_owned(places).await;
        let refused = spool.keep(7_u32, &(7, 2.0)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        drop(hanging);
        spool.keep(7_u32, &(7, 2.0)).await.unwrap();
        assert_eq!(ends(&spool), [(7, 2.0)]);
    }

    // Each attempt on a full disk left a file for good.
    #[tokio::test]
    async fn attempts_that_failed_left_their_beginnings() {
        let folder = tempfile::tempdir().unwrap();
        let spool = opened(folder.path());
        // A folder in the file's place fails the last step, whoever runs this; a full disk fails one before.
        fs::create_dir_all(folder.path().join("7.game/x")).unwrap();
        for _ in 0..3 {
            spool.keep(7_u32, &(7, 2.0)).await.unwrap_err();
        }
        assert_eq!(spool.metrics.failed.value(), 3);
        assert_eq!(names(folder.path()), ["7.game"]);
    }

    #[tokio::test]
    async fn what_a_crash_has_left_unfinished_goes_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        opened(folder.path()).keep(7_u32, &(7, 2.0)).await.unwrap();
        fs::write(folder.path().join("8.3.new"), "[8,").unwrap();
        fs::write(folder.path().join("9.unreadable"), "[9,").unwrap();
        assert_eq!(ends(&opened(folder.path())), [(7, 2.0)]);
        assert_eq!(names(folder.path()), ["7.game", "9.unreadable"]);
    }
}
