//! The FAF lobby's back office: everything that is asked, stored and told for it. Nothing outside of this folder knows of FAF.
//!
//! | module | what it is |
//! |---|---|
//! | `answers` | how each question is answered |
//! | `handler` | what the answers are put together from: store, keys, policy server and country file; signing in |
//! | [`store`] | everything in SQL, accounts to games and ratings |
//! | `ledger` | writes down what happened in games, and rates them |
//! | [`settings`](mod@settings) | what an operator may choose about sign-in and countries |
//! | [`control`] | all games and all players, for operators |
//! | [`account`] | what `muster account …` does to the embedded store |

pub mod account;
mod answers;
pub mod control;
mod handler;
mod ledger;
pub mod settings;
pub mod store;
#[cfg(test)]
mod tests;

pub use crate::AttemptLimits;
pub use handler::{AuthMode, FafHandler, is_login_name};
