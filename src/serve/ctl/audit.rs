//! What was done by `muster ctl` or on the live page, and by whom: a line of JSON each, in a file that only grows.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use muster::{
    control_socket::{self, Reply, Request},
    lobby::faf,
};

/// Who wants something.
#[derive(Clone, Debug)]
pub(in crate::serve) enum Who {
    /// A user of this machine, by number.
    Uid(u32),
    /// Somebody who has the token of the live page, by address.
    PageToken(IpAddr),
}

impl Who {
    /// As it is written down: beside what was wanted.
    fn named(&self) -> serde_json::Value {
        match self {
            Who::Uid(uid) => serde_json::json!({"uid": uid}),
            Who::PageToken(from) => serde_json::json!({"token": "page token", "from": from}),
        }
    }
}

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
    pub(super) fn write(&self, who: &Who, request: &Request, reply: &Reply) {
        let (outcome, said) = match reply {
            Reply::Done(said) => ("done", said.as_str()),
            Reply::Refused(said) => ("refused", said.as_str()),
            Reply::Status(_) => ("told", ""),
        };
        tracing::info!(?who, ?request, outcome, said, "an operator's order");
        self.keep(who, serde_json::json!(request), outcome, said);
    }

    /// Keeps that somebody has given a wrong token.
    pub(super) fn wrong_token(&self, from: IpAddr) {
        tracing::warn!(%from, "a wrong token for the live page");
        let who = Who::PageToken(from);
        self.keep(
            &who,
            serde_json::Value::Null,
            "refused",
            "that is not the token",
        );
    }

    fn keep(&self, who: &Who, request: serde_json::Value, outcome: &str, said: &str) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut line = serde_json::json!({
            "at": faf::iso8601(now),
            "request": request,
            "outcome": outcome,
            "said": said,
        });
        if let (Some(line), Some(who)) = (line.as_object_mut(), who.named().as_object_mut()) {
            line.append(who);
        }
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
