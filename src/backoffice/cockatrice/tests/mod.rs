//! The whole back office of the lobby against a store of either back end: what is asked, and what comes back.
//!
//! On SQLite always; on MariaDB if `MUSTER_TEST_MYSQL` names a server where databases may be made (`tests/with-mariadb cargo test
//! -p muster-backoffice cockatrice`). Every test has a database of its own, there in strict mode unless a session says otherwise.

mod accounts;
mod bench;
mod decks;
mod dialogues;
mod games;
mod guessing;
mod moderation;
#[path = "../../../lobby/cockatrice/tests/player/mod.rs"]
mod player;
mod registering;
mod renewal;
mod reports;
mod rooms;
mod schema;
mod sign_in;
mod status;
mod together;

use bench::{Bench, on_both};
