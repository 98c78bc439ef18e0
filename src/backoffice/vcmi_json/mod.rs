//! The back office of VCMI's JSON lobby: everything that is asked and stored for it. Nothing outside of this folder knows of it.
//!
//! | module | what it is |
//! |---|---|
//! | `handler` | the answers: what a start does, and steps |
//! | [`http`] | what websites read: who is there, what was said, which rooms there are |
//! | [`store`] | everything in SQL |
//! | [`settings`](mod@settings) | what an operator may choose about all of it |

mod handler;
pub mod http;
pub mod settings;
pub mod store;
#[cfg(test)]
mod tests;

pub use handler::Handler;
