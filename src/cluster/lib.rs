//! Several machines, one lobby: who is in, who has what, and how nodes speak to each other.
//!
//! A **node** is one process with its shards, named by its slot; one that is alone is node 0. Everything here is a state machine:
//! inputs and the time go in, outputs come out. Nothing here opens a socket, reads a clock, starts a thread, draws a random
//! number, or knows a player, a game or a shard's mail: what shards say to each other passes as bytes.

//!
//! | file | what it is |
//! |---|---|
//! | `node` | a node: everything below put together, and the one way in and out (`io`, `figures`) |
//! | `view` | who is in, who is responsible for what, what one node believes |
//! | `envelope`, `beat` | what stands on the bus, read without belief |
//! | `lanes`, `lane` | letters in order, exactly once, until a lane breaks |
//! | `peers`, `hearing` | who was heard of, and whether the bus carries |
//! | `membership`, `leader` | the newest view, and how the next one is made |
//! | `holdings`, `out` | leases and their terms; outputs and what was dropped |

mod beat;
mod envelope;
mod figures;
mod hearing;
mod holdings;
mod io;
mod lane;
mod lanes;
mod leader;
mod membership;
mod node;
#[cfg(test)]
mod node_tests;
mod out;
mod peers;
#[cfg(test)]
mod simulator;
mod view;

pub use envelope::MAX_LETTER;
pub use figures::{Dropped, Figures, LaneFigures};
pub use io::{Destination, Lease, Output, Setup, Subject};
pub use node::Node;
pub use view::{Holder, Leases, Member, Standing, View};
