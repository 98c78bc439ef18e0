//! Games played through their commands, as clients would see them.

mod lobby;
mod room;
