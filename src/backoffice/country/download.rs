//! Gets a new country database from MaxMind: an archive whose check-sum is told separately (spec: faf-lifecycle 18).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use md5::{Digest, Md5};

use crate::http_client;

use super::{LoadError, MAX_FILE_BYTES};

/// The database that is asked for, and the one in the archive that is unpacked.
const EDITION: &str = "GeoLite2-Country";
/// Time for the whole archive.
const TIMEOUT: Duration = Duration::from_secs(300);
/// An archive has about 5 MiB. What is longer than this is something else.
const MAX_ARCHIVE_BYTES: usize = 64 << 20;
/// Characters of a check-sum in hexadecimal.
const SUM_CHARS: usize = 32;

const DAY_S: f64 = 86_400.0;
/// Days since 1970-01-01 of the first Wednesday: that day was a Thursday.
const FIRST_WEDNESDAY: f64 = 6.0;

/// Where a new database comes from, and when one is wanted.
pub struct Download {
    /// Address of the archive, without its query.
    pub url: String,
    /// Whose licence. A secret, hence no `Debug`.
    pub license_key: String,
    /// A file older than this is replaced.
    pub max_age: Duration,
}

/// Why there is no new database.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The server. Its address is left out: the licence key is in it.
    #[error("the download server can't be reached or refuses: {0}")]
    Http(String),
    /// Longer than `MAX_ARCHIVE_BYTES`.
    #[error("the archive is too long")]
    TooLong,
    /// The archive is not the one whose sum was told.
    #[error("the archive's check-sum is wrong")]
    Sum,
    /// No database in the archive, or it can't be written.
    #[error("the archive can't be unpacked: {0}")]
    Unpack(#[from] io::Error),
    /// What was in it is no database.
    #[error(transparent)]
    Unsound(#[from] LoadError),
}

impl From<reqwest::Error> for DownloadError {
    fn from(error: reqwest::Error) -> Self {
        DownloadError::Http(error.without_url().to_string())
    }
}

impl Download {
    /// Puts a new, checked database in the file's place. Until then the file is untouched.
    pub(super) async fn replace(&self, file: &Path) -> Result<(), DownloadError> {
        let sum = self.fetch("tar.gz.md5").await?;
        let archive = self.fetch("tar.gz").await?;
        let file = file.to_owned();
        let unpacking = tokio::task::spawn_blocking(move || {
            if !is_sum_of(&sum, &archive) {
                return Err(DownloadError::Sum);
            }
            unpack(&archive, &file)
        });
        unpacking.await.map_err(io::Error::other)?
    }

    async fn fetch(&self, suffix: &str) -> Result<Vec<u8>, DownloadError> {
        let query = [
            ("edition_id", EDITION),
            ("license_key", &self.license_key),
            ("suffix", suffix),
        ];
        let request = http_client(TIMEOUT)?.get(&self.url).query(&query);
        let mut response = request.send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ARCHIVE_BYTES {
                return Err(DownloadError::TooLong);
            }
        }
        Ok(body)
    }
}

/// Whether a text begins with the MD5 of these bytes.
fn is_sum_of(text: &[u8], bytes: &[u8]) -> bool {
    let sum: String = Md5::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = text.trim_ascii_start();
    text.len() >= SUM_CHARS && text[..SUM_CHARS].eq_ignore_ascii_case(sum.as_bytes())
}

/// The database in an archive takes the file's place in one step.
fn unpack(archive: &[u8], file: &Path) -> Result<(), DownloadError> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive).take(MAX_FILE_BYTES));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if path.file_stem().is_some_and(|stem| stem == EDITION)
            && path
                .extension()
                .is_some_and(|extension| extension == "mmdb")
        {
            let fresh = beside(file);
            let outcome = io::copy(&mut entry, &mut File::create(&fresh)?)
                .map_err(DownloadError::from)
                .and_then(|_| Ok(super::read(&fresh).map(drop)?))
                .and_then(|()| Ok(std::fs::rename(&fresh, file)?));
            if outcome.is_err() {
                let _ = std::fs::remove_file(&fresh);
            }
            return outcome;
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "no database in the archive").into())
}

/// A name in the same folder, so that renaming is one step.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    file.with_file_name(name)
}

/// The Unix time of the next Wednesday, 00:00 UTC, after a moment.
pub(super) fn next_wednesday(unix_s: f64) -> f64 {
    let days = (unix_s / DAY_S).floor();
    days.mul_add(DAY_S, {
        let since = (days - FIRST_WEDNESDAY).rem_euclid(7.0);
        (7.0 - since) * DAY_S
    })
}
