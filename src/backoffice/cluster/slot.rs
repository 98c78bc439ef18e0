//! Which place this node had the last time: a node that comes back to its own place moves less.

use std::{fs, path::Path};

/// The file's name in the data folder.
const NAME: &str = "cluster.slot";

/// The place of the last time, if it is known.
pub(super) fn last(data_dir: &Path) -> Option<u8> {
    let text = fs::read_to_string(data_dir.join(NAME)).ok()?;
    text.trim().parse().ok()
}

/// Keeps it for the next time. Where that fails another place will do as well.
pub(super) fn keep(data_dir: &Path, slot: u8) {
    let file = data_dir.join(NAME);
    if last(data_dir) == Some(slot) {
        return;
    }
    if let Err(error) = fs::write(&file, format!("{slot}\n")) {
        tracing::warn!(%error, file = %file.display(), "this node's place can't be kept for the next time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last(folder.path()), None);
        keep(folder.path(), 63);
        assert_eq!(last(folder.path()), Some(63));
        fs::write(folder.path().join(NAME), "nonsense").unwrap();
        assert_eq!(last(folder.path()), None);
        keep(folder.path(), 5);
        assert_eq!(last(folder.path()), Some(5));
    }
}
