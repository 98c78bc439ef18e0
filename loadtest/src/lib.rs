//! `swarm`: many well-behaved clients of a lobby server, and what they saw.
//!
//! | file | what lives there |
//! |---|---|
//! | `cli`, `typed`, `plan` | what was typed → the plan of a run |
//! | `shared` | what the threads of a run share |
//! | `run` | the run from start to verdict: phases, threads, end |
//! | `worker` | one thread's clients: executor, queue of what is due, sockets |
//! | `connection` | one client: its connection, from signing in to its end |
//! | `endpoint`, `tls` | what `--server` says; encryption between a client and its socket |
//! | `protocol` | what a protocol has to provide |
//! | `protocols/` | the protocols: what their clients say, hear and measure |
//! | `scenario` | what a run does, as a file says it |
//! | `schedule`, `chance`, `pace` | intended times, and whether they can be kept |
//! | `delivery` | latency: from when something was due until who waits for it has it |
//! | `metrics`, `latency` | histograms and counts; waits that came to an end, and those that did not |
//! | `slo` | goals and whether they were met |
//! | `machine`, `memory` | the server's process and this machine; what a connection takes of its memory |
//! | `ring` | whether there is an io_uring, and what to do if not |
//! | `live`, `report`, `outputs` | what is printed and written |
//! | `page/`, `scale`, `csv`, `junit` | the report as a page, its time series as a table, its verdict as tests |
//! | `watching/`, `totals` | a run while it goes on: the screen, the lines, its metrics for Prometheus |
//! | `figures` | histograms as text |
//! | `recording/`, `replay/` | what clients and a server say, written down and played again |
//! | `fleet/` | one run on several machines |
//! | `compare` | what two sets of runs differ in |
//!
//! Two rules hold everywhere: load leaves at its intended time whatever the server does, and a client costs as little as it
//! can, because on a small machine tester and server share the processor.

mod chance;
pub mod cli;
pub mod compare;
mod connection;
mod csv;
mod delivery;
mod endpoint;
mod figures;
pub mod fleet;
mod junit;
mod latency;
pub mod live;
pub mod machine;
pub mod manual;
mod memory;
mod metrics;
pub mod outputs;
mod pace;
pub mod page;
pub mod plan;
mod protocol;
mod protocols;
mod recording;
mod replay;
pub mod report;
mod run;
mod scale;
pub mod scenario;
mod schedule;
mod shared;
pub mod slo;
mod sockets;
mod tls;
mod totals;
mod typed;
pub mod watching;
mod worker;

pub use run::run;

/// How its clients read what a server sends, for whoever tests that alone.
pub mod reading {
    pub use crate::protocols::{
        faf::framing::{Frame, Framer, FramingError, Incoming, Transport, accept_of},
        vcmi::packets::Messages,
    };
}
