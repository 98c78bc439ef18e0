//! Which country an address is in, by a MaxMind country database in a file (spec: faf-lifecycle 18).
//!
//! The file is read whole, checked, and only then used; what is no database, or a broken one, leaves the former in use.
//! `download` gets a new one where there is a licence for it.

mod download;
#[cfg(test)]
mod tests;

use crate::Boxed;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use maxminddb::{PathElement, Reader};

pub use download::{Download, DownloadError};

/// Between two looks at the file's time.
const CHECK_INTERVAL: Duration = Duration::from_secs(600);
/// A country database has about 10 MiB. What is larger than this is something else.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It can't be read.
    #[error("the file can't be read: {0}")]
    File(#[from] std::io::Error),
    /// Larger than `MAX_FILE_BYTES`.
    #[error("the file is too large for a country database")]
    TooLarge,
    /// Not a database, or a broken one.
    #[error("the file is no sound database: {0}")]
    Unsound(#[from] maxminddb::MaxMindDbError),
}

#[derive(Default)]
struct Loaded {
    database: Option<Arc<Reader<Vec<u8>>>>,
    /// Of the file that was tried last.
    modified: Option<SystemTime>,
}

/// The countries. Shared by reference.
pub struct Countries {
    file: Option<PathBuf>,
    download: Option<Download>,
    loaded: Mutex<Loaded>,
}

impl Countries {
    /// Of a database in that file, which need not be there yet; without one every country is unknown.
    pub fn new(file: Option<PathBuf>, download: Option<Download>) -> Self {
        Self {
            file,
            download,
            loaded: Mutex::default(),
        }
    }

    /// The two-letter code of the country an address is in; empty if it is not known.
    pub fn code(&self, address: IpAddr) -> String {
        const CODE: [PathElement<'_>; 2] =
            [PathElement::Key("country"), PathElement::Key("iso_code")];
        let Some(database) = self.loaded().database.clone() else {
            return String::new();
        };
        let found = database.lookup(address.to_canonical());
        let code = found.and_then(|entry| entry.decode_path::<String>(&CODE));
        code.ok().flatten().unwrap_or_default()
    }

    /// Loads the file if it is newer than what was loaded from it. Failing is logged, once for each file.
    pub fn load(&self) -> Boxed<'_, ()> {
        Box::pin(async move {
            let Some(file) = self.file.clone() else {
                return;
            };
            let Ok(modified) = std::fs::metadata(&file).and_then(|of| of.modified()) else {
                return; // not there, or not yet
            };
            if self
                .loaded()
                .modified
                .is_some_and(|known| known >= modified)
            {
                return;
            }
            let path = file.clone();
            let read = tokio::task::spawn_blocking(move || read(&path)).await;
            let mut loaded = self.loaded();
            loaded.modified = Some(modified);
            match read {
                Ok(Ok(database)) => {
                    tracing::info!(file = %file.display(), "the country database is loaded");
                    loaded.database = Some(Arc::new(database));
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, file = %file.display(), "the country database is not loaded");
                }
                Err(error) => tracing::error!(%error, "the country database is not loaded"),
            }
        })
    }

    /// Looks for a newer file for ever, and has it downloaded when that is due. `clock` tells Unix seconds.
    pub async fn keep_fresh(&self, clock: impl Fn() -> f64) {
        self.tell_if_there_is_no_source();
        let mut next_download = clock();
        loop {
            if clock() >= next_download {
                next_download = download::next_wednesday(clock());
                self.download_if_old(clock()).await;
            }
            self.load().await;
            let until_download = Duration::from_secs_f64((next_download - clock()).max(1.0));
            tokio::time::sleep(CHECK_INTERVAL.min(until_download)).await;
        }
    }

    fn tell_if_there_is_no_source(&self) {
        if let (Some(file), None) = (&self.file, &self.download)
            && !file.exists()
        {
            tracing::info!(file = %file.display(), "no country database, and no licence key to get one: all countries are unknown");
        }
    }

    /// A file that is missing or too old is replaced by a new one. Failing leaves it as it is.
    fn download_if_old(&self, now: f64) -> Boxed<'_, ()> {
        Box::pin(async move {
            let (Some(file), Some(download)) = (&self.file, &self.download) else {
                return;
            };
            let modified = std::fs::metadata(file).and_then(|of| of.modified()).ok();
            let age_s = modified
                .and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok())
                .map(|at| now - at.as_secs_f64());
            if age_s.is_some_and(|age_s| age_s <= download.max_age.as_secs_f64()) {
                return;
            }
            match download.replace(file).await {
                Ok(()) => tracing::info!(file = %file.display(), "a new country database is there"),
                Err(error) => tracing::error!(%error, "no new country database"),
            }
        })
    }

    fn loaded(&self) -> std::sync::MutexGuard<'_, Loaded> {
        self.loaded
            .lock()
            .expect("nothing panics while it holds this lock")
    }
}

/// A sound database.
fn read(file: &Path) -> Result<Reader<Vec<u8>>, LoadError> {
    if std::fs::metadata(file)?.len() > MAX_FILE_BYTES {
        return Err(LoadError::TooLarge);
    }
    let database = Reader::from_source(std::fs::read(file)?)?;
    database.verify()?;
    Ok(database)
}
