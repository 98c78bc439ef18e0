//! Several machines, one lobby: who is in, who has what, and how nodes speak to each other.
//!
//! A **node** is one process with its shards, named by its slot; one that is alone is node 0. Everything here is a state machine:
//! inputs and the time go in, outputs come out. Nothing here opens a socket, reads a clock, starts a thread, draws a random
//! number, or knows a player, a game or a shard's mail: what shards say to each other passes as bytes.

mod view;

pub use view::{Holder, Leases, Member, Standing, View};
