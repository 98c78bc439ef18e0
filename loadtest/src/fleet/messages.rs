//! What is said between whoever leads a run and its workers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::offset::Offset;
use super::snapshot::Snapshot;

/// Both sides must be of one version: they read the same command line and count by the same names.
pub(super) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (fleet 2)");

/// To a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToWorker {
    /// The first: show who you are.
    Challenge { nonce: String },
    /// You can't take part, and why.
    Refused { why: String },
    /// You take part. The proof that this side has the secret as well.
    Welcome { proof: String },
    /// The answer to a ping: what time it is here.
    Echo { sent_us: u64, lead_us: u64 },
    /// Your share: your number of so many, and the options of the run.
    Prepare {
        number: usize,
        of: usize,
        words: Vec<String>,
    },
    /// The run begins at this time of the lead's clock.
    Begin { at_us: u64 },
    /// The measured phase begins at this time of the run.
    Measure { from_us: u64 },
    /// What the clients of all have done; the last time it is complete.
    Tally { numbers: Vec<u64>, complete: bool },
    /// The measured phase ends before its time.
    Finish,
    /// Nobody waits for anything any more: tell what you have found.
    Stop,
    /// The run has come to nothing.
    Abort { why: String },
    /// Your findings are here.
    Received,
}

/// From a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToLead {
    /// Who I am, and the proof that I have the secret.
    Hello {
        version: String,
        host: String,
        nonce: String,
        proof: String,
    },
    /// What time is it? Says as well what the answers so far have told.
    Ping {
        sent_us: u64,
        offset: Option<Offset>,
    },
    /// I know how far the clocks are apart, and am at your disposal.
    Joined { offset: Offset },
    /// I could begin.
    Prepared(Box<Prepared>),
    /// So many of my clients are connected.
    Connected { now: i64 },
    /// All of my clients are ready, or never will be; so many are connected.
    Ready { connected: i64 },
    /// A second has passed.
    Second(Box<SecondOf>),
    /// My clients have made their last changes.
    Finished { tally: Vec<u64> },
    /// My clients wait for nothing.
    Complete,
    /// My part has ended before its time; nothing more will come of it, if that is so.
    Cut { why: String, hopeless: bool },
    /// My part can't be run.
    Failed { why: String },
    /// All that I have found. The last message.
    Found(Box<Findings>),
}

/// What a worker will do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Prepared {
    /// The plan as it has understood it.
    pub(super) fingerprint: String,
    pub(super) clients: usize,
    pub(super) threads: usize,
    /// Its machine.
    pub(super) environment: serde_json::Value,
}

/// One second of a worker, and all that it has measured so far.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SecondOf {
    pub(super) at_s: f64,
    pub(super) phase: String,
    pub(super) connected: i64,
    pub(super) due: u64,
    pub(super) logins: u64,
    pub(super) deliveries: u64,
    pub(super) bytes_in: u64,
    pub(super) errors: u64,
    /// The protocol's own counts, in its order.
    pub(super) own: Vec<u64>,
    /// Latency of what has arrived.
    pub(super) latency: String,
    pub(super) tally: Vec<u64>,
    /// What only all workers' together tell, and was not told before.
    pub(super) pieces: Vec<serde_json::Value>,
    /// Of each thread.
    pub(super) snapshots: Vec<Snapshot>,
    /// Why things have failed so far.
    pub(super) reasons: BTreeMap<String, u64>,
    /// Seconds that each thread was on a processor, as far as that is known.
    pub(super) threads: Vec<f64>,
}

/// What a worker has found in all.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Findings {
    pub(super) snapshot: Snapshot,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) own_cpu_seconds: Option<f64>,
    pub(super) measured_us: u64,
    pub(super) assembled_us: u64,
    pub(super) connected: i64,
    /// How it was late itself.
    pub(super) lateness: Vec<String>,
    /// The offset of the clocks that its times rest on.
    pub(super) offset: Option<Offset>,
}
