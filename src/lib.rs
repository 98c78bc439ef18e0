//! muster: a lobby server. One pinned thread per core, nothing shared between threads.
//!
//! Where things are. Each layer is a package of its own in the folder of its name, and depends only on those above it in this
//! list, so a wrong arrow does not build:
//!
//! | layer | what it is | what it must never do |
//! |---|---|---|
//! | [`settings`] | what a setting is: name, kind, default, meaning | I/O, clocks, threads, randomness |
//! | [`metrics`] | what is counted, what it is called, how it is read | the same; know a metric by its name |
//! | [`wire`] | bytes to frames and back | I/O, clocks, threads, randomness |
//! | [`lobby`] | the dialects: state machines, input and time in, effects out | the same, and SQL |
//! | [`engine`] | the io_uring shell: shards, connections, fan-out, mesh | know a game or a player |
//! | [`backoffice`] | what may be slow: store, keys | run on a shard's thread |
//! | [`config`] | what was typed, and what it means | start anything |
//! | [`certificate`] | the files that TLS needs | print a key |
//! | [`log`] | lines on standard error | make anybody wait |
//! | [`doctor`] | whether this machine can run the server | change the machine |
//!
//! `main.rs` reads the command line and puts the layers together. `ARCHITECTURE.md` has the picture.

pub mod certificate;
pub mod control_socket;
pub mod doctor;
pub mod log;

pub use backoffice;
pub use config;
pub use engine;
pub use lobby;
pub use lobby::lobbies;
pub use metrics;
pub use settings;
pub use wire;
