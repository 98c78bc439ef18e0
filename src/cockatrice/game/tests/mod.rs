//! Games played through their commands, as clients would see them.

mod invariants;
mod lobby;
mod play;
mod room;
mod start;
