//! What `muster ctl` and a running server say to each other: one line of JSON there, one back, over a socket in the data folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The socket's name in the data folder.
const NAME: &str = "ctl.sock";
/// The longest request, and the longest name or reason in it.
pub const REQUEST_BYTES: usize = 4 << 10;

/// Where the socket of a server with this data folder is.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

/// Where what was done is kept.
pub fn audit_path(data_dir: &Path) -> PathBuf {
    data_dir.join("audit.log")
}

/// What is wanted of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How it is.
    Status,
    /// Read the configuration again.
    Reload,
    /// Log other levels until the configuration is read again.
    LogLevel {
        /// As in `log.level`.
        level: String,
    },
    /// End in an orderly way, in so many seconds.
    Drain {
        /// From now.
        in_s: u64,
        /// For the log and the audit log.
        reason: Option<String>,
    },
    /// Don't, if it has not begun.
    CancelDrain,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is done, or begun; in words.
    Done(String),
    /// How the server is.
    Status(Status),
    /// Why not.
    Refused(String),
}

/// How a server is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// The server's process.
    pub pid: u32,
    /// `starting`, `ready`, `draining`, `stopped` or `failed`.
    pub phase: String,
    /// Since the start.
    pub uptime_s: u64,
    /// Until an ordered drain begins.
    pub drains_in_s: Option<u64>,
    /// Threads with players.
    pub shards: u16,
    /// Now.
    pub connections: u64,
    /// At most.
    pub connections_limit: u64,
    /// Of FAF, signed in.
    pub faf_players: u64,
    /// Ended games that are not in the store yet.
    pub games_to_settle: u64,
    /// Whether there is a broker, and it takes events.
    pub broker: Option<bool>,
    /// In cores, since the start.
    pub cpu_s: f64,
    /// In bytes.
    pub resident_bytes: u64,
    /// Turns that panicked.
    pub panics: u64,
    /// What a healthy server has none of, in words.
    pub warnings: Vec<String>,
}
