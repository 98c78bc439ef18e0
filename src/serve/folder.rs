//! The data folder belongs to one server: two would give out the same numbers and settle each other's games.
//!
//! A claim is the kernel's lock on a file, so it ends with the process, however that ends, and a file that lies there means
//! nothing by itself. What is in the file is for whoever is refused. `muster account` needs no claim: it only uses the
//! database. `muster store restore` does.
//!
//! What a crash must not lose (games that are over, events) is in a *journal*, which has a lock of its own: the folder itself, or
//! a folder in it while a server that has given up its claim ([`Claim::release`]) still settles its last games in the first. Whoever
//! has the claim takes over what the other journal has as soon as nobody has that any more.

use std::{
    cell::RefCell,
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{sync::watch, task::spawn_local};

/// The file's name.
const NAME: &str = "muster.lock";
/// The one in a journal.
const JOURNAL: &str = "journal.lock";
/// The second journal.
const BESIDE: &str = "beside";
/// The last game number that whoever had a journal has given out.
const LAST_GAME: &str = "last_game";
/// More than a number has.
const PID_BYTES: u64 = 32;
/// How often it is looked whether a server before this one has ended.
const LEFT_CHECK: Duration = Duration::from_secs(2);

/// Kept for as long as the server runs.
pub(crate) struct Claim {
    serving: RefCell<Option<File>>,
    journal: PathBuf,
    other: PathBuf,
    _locked: Option<File>,
    /// The other journal's, from when its owner has ended.
    left: Rc<RefCell<Option<File>>>,
}

/// The journal of a server before this one, which may still be there.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    journal: PathBuf,
    gone: watch::Receiver<bool>,
}

impl Left {
    /// Waits until that server is gone, and has what is then in this folder of its journal taken over: it is whoever's who claims
    /// the data folder. None: it can't be read, which is logged.
    pub(crate) async fn adopted<T>(
        mut self,
        folder: &str,
        adopt: impl AsyncFnOnce(&Path) -> io::Result<T>,
    ) -> Option<T> {
        if self.gone.wait_for(|gone| *gone).await.is_err() {
            std::future::pending::<()>().await; // this process ends
        }
        let theirs = self.journal.join(folder);
        let adopted = adopt(&theirs).await;
        adopted
            .inspect_err(|error| {
                tracing::error!(%error, folder = %theirs.display(), "what an earlier server has left can't be read");
            })
            .ok()
    }

    /// Where it is, gone or not.
    pub(crate) fn path(&self) -> &Path {
        &self.journal
    }

    /// The last game number that it has given out, as far as it has said so.
    pub(crate) fn last_game(&self) -> u32 {
        let text = fs::read_to_string(self.journal.join(LAST_GAME)).unwrap_or_default();
        text.trim().parse().unwrap_or_default()
    }
}

/// Claims a folder, which is there.
///
/// # Errors
/// Another server has it, or a file can't be made.
pub(crate) fn claim(folder: &Path) -> anyhow::Result<Claim> {
    let serving = match lock(&folder.join(NAME))? {
        Lock::Ours(file) => Some(file),
        Lock::None => None,
        Lock::Theirs(holder) => bail!(
            "the folder {} is in use by {holder}: each server needs a server.data_dir of its own",
            folder.display()
        ),
    };
    let beside = folder.join(BESIDE);
    let first = lock(&folder.join(JOURNAL))?;
    let (journal, other, locked) = if let Lock::Theirs(holder) = first {
        fs::create_dir_all(&beside)
            .with_context(|| format!("can't create {}", beside.display()))?;
        tracing::info!(%holder, "another server still waits for its last games");
        match lock(&beside.join(JOURNAL))? {
            Lock::Theirs(second) => bail!(
                "{holder} and {second} still wait for their last games in {}",
                folder.display()
            ),
            locked => (beside, folder.to_owned(), locked),
        }
    } else {
        (folder.to_owned(), beside, first)
    };
    Ok(Claim {
        serving: RefCell::new(serving),
        journal,
        other,
        _locked: locked.file(),
        left: Rc::default(),
    })
}

impl Claim {
    /// The folder for what a crash must not lose.
    pub(crate) fn journal(&self) -> &Path {
        &self.journal
    }

    /// The other one. Looks for the end of whoever has it, if somebody has, until this is released.
    pub(crate) fn left(&self) -> Left {
        let (told, gone) = watch::channel(false);
        let (path, left) = (self.other.join(JOURNAL), self.left.clone());
        let is_there = self.other.is_dir();
        spawn_local(async move {
            if is_there {
                match when_free(&path).await {
                    Ok(lock) => *left.borrow_mut() = lock.file(),
                    Err(error) => {
                        tracing::warn!("what an earlier server may have left: {error:#}");
                        return;
                    }
                }
            }
            told.send_replace(true);
        });
        Left {
            journal: self.other.clone(),
            gone,
        }
    }

    /// Another server may claim the folder. What it must not give out again is written down for it.
    ///
    /// # Errors
    /// It can't be written down; then the folder stays claimed.
    pub(crate) fn release(&self, last_game: u32) -> io::Result<()> {
        fs::write(self.journal.join(LAST_GAME), format!("{last_game}\n"))?;
        self.left.take();
        self.serving.take();
        Ok(())
    }
}

/// What became of the attempt to lock a file.
enum Lock {
    Ours(File),
    /// Who has it, in words.
    Theirs(String),
    /// The file system knows no locks.
    None,
}

impl Lock {
    fn file(self) -> Option<File> {
        match self {
            Lock::Ours(file) => Some(file),
            Lock::Theirs(_) | Lock::None => None,
        }
    }
}

/// The lock, as soon as nobody has it.
async fn when_free(path: &Path) -> anyhow::Result<Lock> {
    loop {
        match lock(path)? {
            Lock::Theirs(_) => tokio::time::sleep(LEFT_CHECK).await,
            lock => return Ok(lock),
        }
    }
}

/// The process of a server that has this folder, if it can be found out: its own user and root can. It may not listen yet, or any more.
pub(crate) fn holder(folder: &Path) -> Option<u32> {
    let path = fs::canonicalize(folder.join(NAME)).ok()?;
    let pid: u32 = fs::read_to_string(&path).ok()?.trim().parse().ok()?;
    // The number may have become another process's: that one does not have the file open.
    let mut open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let has_it = open.any(|entry| fs::read_link(entry.path()).is_ok_and(|link| link == path));
    has_it.then_some(pid)
}

fn lock(path: &Path) -> anyhow::Result<Lock> {
    let shown = path.display();
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false) // it may be somebody else's
        .open(path)
        .with_context(|| format!("can't open {shown}"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.take(PID_BYTES).read_to_string(&mut holder); // it need not say
            return Ok(Lock::Theirs(match holder.trim() {
                "" => "another server".to_owned(),
                pid => format!("another server, process {pid}"),
            }));
        }
        // Some network file systems know no locks. A lobby there is better than none.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, file = %shown, "can't be locked: nothing keeps a second server out");
            return Ok(Lock::None);
        }
    }
    let pid = format!("{}\n", std::process::id());
    let written = file
        .set_len(0)
        .and_then(|()| file.write_all(pid.as_bytes()));
    written.with_context(|| format!("can't write {shown}"))?;
    Ok(Lock::Ours(file))
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;

    #[test]
    fn a_folder_is_one_servers_until_that_ends() {
        let folder = tempfile::tempdir().unwrap();
        // Of a server that crashed.
        fs::write(folder.path().join(NAME), "4194304\n\n").unwrap();
        let first = claim(folder.path()).unwrap();
        let text = claim(folder.path()).err().expect("refused").to_string();
        let pid = format!("process {}:", std::process::id());
        assert!(text.contains(&pid), "{text}");
        drop(first);
        claim(folder.path()).unwrap();
    }

    #[tokio::test]
    async fn a_server_that_gives_its_claim_up_keeps_its_journal() {
        LocalSet::new().run_until(given_up()).await;
    }

    async fn given_up() {
        let folder = tempfile::tempdir().unwrap();
        let first = claim(folder.path()).unwrap();
        assert_eq!(first.journal(), folder.path());
        first.release(7).unwrap();
        let second = claim(folder.path()).unwrap();
        assert_eq!(second.journal(), folder.path().join(BESIDE));
        let left = second.left();
        assert_eq!(left.last_game(), 7);
        assert!(!*left.gone.borrow());
        second.release(9).unwrap();
        let third = claim(folder.path()).err().expect("refused").to_string();
        assert!(third.contains("still wait for their last games"), "{third}");
        drop(first);
        drop(second);
        let third = claim(folder.path()).unwrap();
        assert_eq!(third.journal(), folder.path());
        let left = third.left();
        assert_eq!(left.last_game(), 9);
        let theirs = left.adopted("games", async |theirs| Ok(theirs.to_owned()));
        assert_eq!(theirs.await, Some(folder.path().join(BESIDE).join("games")));
    }
}
