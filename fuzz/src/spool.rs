//! Files of games that an earlier process left: any bytes are a batch or put aside, and a batch is settled like a fresh one
//! and written back as it was.

use std::{fs, sync::Arc};

use backoffice::spool::{Metrics, Spool};
use lobby::faf::ledger::Batch;
use tempfile::TempDir;

use crate::office;

thread_local! {
    /// A folder, which is empty between two inputs, and its spool: opening one waits for the disk.
    static OPEN: (TempDir, Spool) = {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let spool = Spool::open(folder.path(), Arc::new(Metrics::default()));
        (folder, spool.expect("the folder can be used"))
    };
}

pub(crate) fn run(data: &[u8]) {
    OPEN.with(|(folder, spool)| {
        let file = folder.path().join("7.game");
        fs::write(&file, data).expect("a file can be written");
        let kept: Vec<Batch> = spool.kept().expect("the folder can be read");
        let aside = !file.exists();
        assert_eq!(kept.is_empty(), aside, "what is no batch is put aside");
        for batch in kept {
            let text = serde_json::to_vec(&batch).expect("a batch can be written");
            fs::write(&file, &text).expect("a file can be written");
            let again: Vec<Batch> = spool.kept().expect("the folder can be read");
            assert_eq!(format!("{again:?}"), format!("[{batch:?}]"));
            office::settle(&batch);
        }
        for entry in fs::read_dir(folder.path()).expect("the folder can be read") {
            fs::remove_file(entry.expect("the folder can be read").path()).expect("it is ours");
        }
    });
}
