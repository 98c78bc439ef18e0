//! Games played through their commands, as clients would see them.

mod attachments;
mod cards;
mod grid;
mod invariants;
mod library;
mod limits;
mod lobby;
mod moving;
mod play;
mod random;
mod replays;
mod room;
mod secrecy;
mod showing;
mod start;
mod turns;
