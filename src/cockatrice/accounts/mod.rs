//! What an account is: who may do what, names, passwords, addresses, what a client can (spec: cockatrice-wire 10,
//! cockatrice-behaviour 1, 3.3).
//!
//! Rules alone. Who has an account is the back office's to know.

mod card_art;
mod email;
mod features;
mod level;
mod name;
mod password;

pub use card_art::CardArt;
pub use email::{Email, is_listed};
pub use features::Features;
pub use level::{Level, Privilege};
pub use name::{BadExpression, MOST_SUFFIXES, NameRules, NameSettings, free_name};
pub use password::{hash, is_right, is_right_plain, new_token, salt_of};
