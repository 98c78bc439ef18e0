//! The data folder belongs to one server: two would give out the same numbers and settle each other's games.
//!
//! The claim is the kernel's lock on a file, so it ends with the process, however that ends, and a file that lies there means
//! nothing by itself. What is in the file is for whoever is refused. `muster account` needs no claim: it only uses the
//! database. `muster store restore` does.

use std::{
    fs::{File, TryLockError},
    io::{Read, Write},
    path::Path,
};

use anyhow::{Context, bail};

/// The file's name.
const NAME: &str = "muster.lock";
/// More than a number has.
const PID_BYTES: u64 = 32;

/// Kept for as long as the server runs.
pub(crate) struct Claim {
    _locked: File,
}

/// Claims a folder, which is there.
///
/// # Errors
/// Another server has it, or the file can't be made.
pub(crate) fn claim(folder: &Path) -> anyhow::Result<Claim> {
    let path = folder.join(NAME);
    let shown = path.display();
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false) // it may be somebody else's
        .open(&path)
        .with_context(|| format!("can't open {shown}"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.take(PID_BYTES).read_to_string(&mut holder); // it need not say
            let holder = match holder.trim() {
                "" => "another server".to_owned(),
                pid => format!("another server, process {pid}"),
            };
            bail!(
                "the folder {} is in use by {holder}: each server needs a server.data_dir of its own",
                folder.display()
            );
        }
        // Some network file systems know no locks. A lobby there is better than none.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(%error, file = %shown, "can't be locked: nothing keeps a second server out");
        }
    }
    let pid = format!("{}\n", std::process::id());
    let written = file
        .set_len(0)
        .and_then(|()| file.write_all(pid.as_bytes()));
    written.with_context(|| format!("can't write {shown}"))?;
    Ok(Claim { _locked: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_servers_until_that_ends() {
        let folder = tempfile::tempdir().unwrap();
        // Of a server that crashed.
        std::fs::write(folder.path().join(NAME), "4194304\n\n").unwrap();
        let first = claim(folder.path()).unwrap();
        let text = claim(folder.path()).err().expect("refused").to_string();
        let pid = format!("process {}:", std::process::id());
        assert!(text.contains(&pid), "{text}");
        drop(first);
        claim(folder.path()).unwrap();
    }
}
