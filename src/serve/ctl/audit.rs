//! What was done by `muster ctl`, and by whom: a line of JSON each, in a file that only grows.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use muster::{
    control_socket::{self, Reply, Request},
    lobby::faf,
};

/// The file.
#[derive(Debug)]
pub(super) struct Audit {
    path: PathBuf,
}

impl Audit {
    pub(super) fn at(folder: &Path) -> Audit {
        Audit {
            path: control_socket::audit_path(folder),
        }
    }

    /// Keeps what somebody wanted and what came of it. That it can't be kept stops nobody, and is said.
    pub(super) fn write(&self, uid: u32, request: &Request, reply: &Reply) {
        let (outcome, said) = match reply {
            Reply::Done(said) => ("done", said.as_str()),
            Reply::Refused(said) => ("refused", said.as_str()),
            Reply::Status(_) => ("told", ""),
        };
        tracing::info!(uid, ?request, outcome, said, "muster ctl");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let line = serde_json::json!({
            "at": faf::iso8601(now),
            "uid": uid,
            "request": request,
            "outcome": outcome,
            "said": said,
        });
        if let Err(error) = self.append(&format!("{line}\n")) {
            tracing::error!(%error, file = %self.path.display(), "the audit log can't be written");
        }
    }

    fn append(&self, line: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let options = options.create(true).append(true).mode(0o600);
        options.open(&self.path)?.write_all(line.as_bytes())
    }
}
