//! muster: a lobby server. One pinned thread per core, nothing shared between threads.
//!
//! Where things are, each layer knowing only the ones above it in this list:
//!
//! | module | what it is | what it must never do |
//! |---|---|---|
//! | [`wire`] | bytes to frames and back | I/O, clocks, threads, randomness |
//! | [`lobby`] | the dialects: state machines, input and time in, effects out | the same, and SQL |
//! | [`engine`] | the io_uring shell: shards, connections, fan-out, mesh | know a game or a player |
//! | [`backoffice`] | what may be slow: store, keys | run on a shard's thread |
//! | [`config`] | what was typed, and what it means | start anything |
//! | [`doctor`] | whether this machine can run the server | change the machine |
//!
//! `main.rs` reads the command line and puts the layers together. `ARCHITECTURE.md` has the picture.

pub mod backoffice;
pub mod config;
pub mod doctor;
pub mod engine;
pub mod lobby;
pub mod wire;
