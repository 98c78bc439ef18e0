//! `swarm`: many well-behaved clients of a lobby server, and what they saw.
//!
//! | file | what lives there |
//! |---|---|
//! | `cli` | what was typed → the plan of a run |
//! | `run` | the run from start to verdict: phases, threads, end |
//! | `worker` | one thread's clients: executor, queue of what is due, sockets |
//! | `client` | one client: sign-in, ping, and its role |
//! | `roles/` | what a client does once signed in |
//! | `framing` | bytes ↔ messages for the three transports |
//! | `schedule` | intended times, and the markers that carry them |
//! | `latency` | histograms, counts, who saw which change |
//! | `vcmi/` | the VCMI lobby: chat, rooms and relayed games |
//! | `slo` | goals and whether they were met |
//! | `procfs` | the server's process and this machine |
//! | `live`, `report` | what is printed and written |
//!
//! Two rules hold everywhere: load leaves at its intended time whatever the server does, and a client costs as little as it
//! can, because on a small machine tester and server share the processor.

pub mod cli;
mod client;
pub mod framing;
pub mod latency;
mod live;
pub mod procfs;
pub mod report;
mod roles;
mod run;
pub mod schedule;
pub mod slo;
pub mod vcmi;
mod worker;

pub use run::run;
