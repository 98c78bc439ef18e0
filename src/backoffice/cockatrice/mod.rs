//! The Cockatrice lobby's back office: everything that is asked and stored for it. Nothing outside of this folder knows of
//! Cockatrice.
//!
//! | module | what it is |
//! |---|---|
//! | `handler` | what the answers are put together from; signing in |
//! | `registering` | new accounts, forgotten passwords |
//! | `changing` | what people change about their accounts and lists |
//! | `decks`, `replays`, `reports`, `moderating` | the commands of these subjects |
//! | `pieces` | what is on disk of the replays of games that go on |
//! | `games` | what games leave: numbers, replays, what was said |
//! | `status` | how busy the server is, for other programs |
//! | `passwords` | what is stored of a password |
//! | [`mail`] | mail that tells tokens |
//! | [`store`] | everything in SQL |
//! | [`settings`](mod@settings) | what an operator may choose about all of it |
//! | [`rules`] | what of that holds now, which another configuration replaces |
//! | [`account`] | what `muster account --lobby cockatrice …` does |

pub mod account;
mod changing;
mod decks;
mod games;
mod handler;
pub mod mail;
mod moderating;
mod passwords;
mod pieces;
mod registering;
mod replays;
mod reports;
pub mod rules;
pub mod settings;
mod status;
pub mod store;
#[cfg(test)]
mod tests;

pub use handler::CockatriceHandler;
