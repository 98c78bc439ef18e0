//! Pieces of replays on disk: what was recorded of games that go on, one file for each of a game's rounds.
//!
//! A piece has its place in its file, so that one that is written twice, or after the next one, does no harm. A file counts as
//! far as the game that is kept says, and is made durable before that is. It goes when its game is in the store; what games
//! that never ended have left goes at the next start.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use lobby::cockatrice::questions::{KeepPiece, PlayedGame, Recorded};

use crate::disk::Disk;

/// Threads that wait for the disk at one time.
const AT_ONCE: usize = 4;
/// What the names of files end with.
const ENDING: &str = "replay";

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    folder: PathBuf,
    disk: Disk,
}

impl Pieces {
    /// Opens the folder, creating it if need be, and clears it of what belongs to none of these games.
    pub(super) fn open(folder: &Path, games: &[PlayedGame]) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let wanted: BTreeSet<u32> = games.iter().map(|played| played.game).collect();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let game = stem.and_then(|stem| stem.split('-').next()?.parse().ok());
            let is_ours = path.extension().is_some_and(|ending| ending == ENDING);
            if is_ours && game.is_none_or(|game| !wanted.contains(&game)) {
                fs::remove_file(path)?;
            }
        }
        Ok(Pieces {
            folder: folder.to_owned(),
            disk: Disk::with_places(AT_ONCE),
        })
    }

    /// Takes over what a process that has ended has left in another folder on the same file system, if it belongs to these games.
    ///
    /// # Errors
    /// If it can't be read or moved.
    pub(super) fn adopt(&self, left: &Path, games: &[PlayedGame]) -> io::Result<()> {
        if !left.is_dir() {
            return Ok(());
        }
        let theirs = Pieces::open(left, games)?;
        for played in games {
            for (path, _) in theirs.files(played) {
                if let Some(name) = path.file_name() {
                    fs::rename(&path, self.folder.join(name))?;
                }
            }
        }
        File::open(&self.folder)?.sync_all()
    }

    fn file(&self, game: u32, round: usize) -> PathBuf {
        self.folder.join(format!("{game}-{round}.{ENDING}"))
    }

    /// Puts a piece in its place.
    pub(super) async fn keep(&self, piece: KeepPiece) -> io::Result<()> {
        let path = self.file(piece.game, piece.round as usize);
        self.disk
            .run(move || {
                let file = OpenOptions::new()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(path)?;
                file.write_all_at(&piece.bytes, piece.offset)
            })
            .await
    }

    /// Makes durable what a game that is over has on disk.
    pub(super) async fn settle(&self, played: &PlayedGame) -> io::Result<()> {
        let files = self.files(played);
        if files.is_empty() {
            return Ok(());
        }
        let folder = self.folder.clone();
        self.disk
            .run(move || {
                for (path, _) in files {
                    File::open(path)?.sync_all()?;
                }
                File::open(folder)?.sync_all()
            })
            .await
    }

    /// A game's replays, whole. What can't be read of one is missing from it.
    pub(super) async fn whole(&self, mut played: Box<PlayedGame>) -> Box<PlayedGame> {
        let files = self.files(&played);
        if files.is_empty() {
            return played;
        }
        let read = self
            .disk
            .run(move || Ok(files.iter().map(|(path, len)| read(path, *len)).collect()));
        let read: Vec<io::Result<Vec<u8>>> = match read.await {
            Ok(read) => read,
            Err(error) => {
                unread(&error, played.game);
                return played;
            }
        };
        let spilled = played
            .replays
            .iter_mut()
            .filter(|replay| replay.on_disk > 0);
        for (replay, read) in spilled.zip(read) {
            match read {
                Ok(mut front) => {
                    front.extend_from_slice(&replay.encoded);
                    replay.encoded = Bytes::from(front);
                }
                Err(error) => unread(&error, played.game),
            }
        }
        played
    }

    /// A game is in the store.
    pub(super) async fn forget(&self, played: &PlayedGame) {
        let files = self.files(played);
        if files.is_empty() {
            return;
        }
        let removed = self.disk.run(move || {
            for (path, _) in files {
                fs::remove_file(path)?;
            }
            Ok(())
        });
        if let Err(error) = removed.await {
            tracing::warn!(%error, game = played.game, "pieces of a stored replay stay on disk until the next start");
        }
    }

    /// The files that a game has, with how much of each counts.
    fn files(&self, played: &PlayedGame) -> Vec<(PathBuf, u64)> {
        let replays = played.replays.iter().enumerate();
        let on_disk = replays.filter(|(_, replay): &(usize, &Recorded)| replay.on_disk > 0);
        on_disk
            .map(|(round, replay)| (self.file(played.game, round), replay.on_disk))
            .collect()
    }
}

fn read(path: &Path, len: u64) -> io::Result<Vec<u8>> {
    let mut front = Vec::new();
    File::open(path)?.take(len).read_to_end(&mut front)?;
    match front.len() as u64 == len {
        true => Ok(front),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn unread(error: &io::Error, game: u32) {
    tracing::error!(%error, game, "a piece of a replay can't be read: the replay is stored without it");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(round: u32, offset: u64, bytes: &'static [u8]) -> KeepPiece {
        KeepPiece {
            game: 7,
            round,
            offset,
            bytes: Bytes::from_static(bytes),
        }
    }

    fn played() -> Box<PlayedGame> {
        let replay = |on_disk, encoded: &'static [u8]| Recorded {
            on_disk,
            encoded: Bytes::from_static(encoded),
            duration_s: 1,
        };
        Box::new(PlayedGame {
            game: 7,
            replays: vec![replay(6, b"end"), replay(0, b"short"), replay(2, b"!")],
            ..PlayedGame::default()
        })
    }

    #[tokio::test]
    async fn replays_are_put_together_from_their_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let pieces = Pieces::open(folder.path(), &[]).unwrap();
        // The second one first, one of them twice, and one that does not count.
        for piece in [
            piece(0, 3, b"def"),
            piece(0, 0, b"abc"),
            piece(0, 3, b"def"),
            piece(0, 6, b"lost"),
            piece(2, 0, b"ok"),
        ] {
            pieces.keep(piece).await.unwrap();
        }
        pieces.settle(&played()).await.unwrap();
        // Another start, which still has the game to store.
        let pieces = Pieces::open(folder.path(), &[*played()]).unwrap();
        let whole = pieces.whole(played()).await;
        let encoded: Vec<&[u8]> = whole
            .replays
            .iter()
            .map(|replay| &*replay.encoded)
            .collect();
        assert_eq!(encoded, [&b"abcdefend"[..], b"short", b"ok!"]);
        pieces.forget(&played()).await;
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_games_without_an_end_have_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        let pieces = Pieces::open(folder.path(), &[]).unwrap();
        pieces.keep(piece(0, 0, b"abc")).await.unwrap();
        let pieces = Pieces::open(folder.path(), &[]).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let whole = pieces.whole(played()).await;
        assert_eq!(*whole.replays[0].encoded, *b"end", "what is there");
    }
}
