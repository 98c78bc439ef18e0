//! What plays dialogues that were recorded with the reference server, message by message, in a lobby of any number of shards.
//!
//! The tests of the back office have this as well, for dialogues about accounts: theirs has the real handler and a store, the
//! dialect's own a few answers by heart. So it names the lobby from outside.

pub(crate) mod accounts;
mod decks;
mod replays;
mod schema;
pub(crate) mod script;
pub(crate) mod stage;

use std::time::Duration;

use lobby::{
    cockatrice::{Cockatrice, Method, Settings},
    simulator::Simulator,
};
use settings::{Group, Values};

/// The lobby that is talked to.
pub(crate) type Sim = Simulator<Cockatrice>;

const ROOMS: &str = r#"[
    {"name": "General", "description": "Main room", "auto_join": true, "history": 5,
     "join_message": "Welcome to General", "game_types": ["Standard", "Modern", "Draft"]},
    {"name": "Members", "description": "Registered only", "permission": "registered", "join_message": "members hi",
     "game_types": ["Casual"]},
    {"name": "Staff", "description": "Moderators", "permission": "moderator", "history": 2},
    {"name": "Vips", "description": "VIP", "privilege": "vip", "history": 2, "join_message": "vip", "game_types": ["Any"]}
]"#;

/// The server of a profile, with ticks as long as the reference's.
pub(crate) fn server(profile: &str) -> Settings {
    let mut set = Settings {
        name: "Harness server".to_owned(),
        rooms: ROOMS.to_owned(),
        tick: Duration::from_secs(1),
        inactivity: 100_000,
        chat_messages: 1_000,
        chat_bytes: 100_000,
        game_commands: 1_000,
        ..Settings::read(&Values::defaults(&Settings::keys()))
    };
    match profile {
        "password" => {
            set.method = Method::Password;
            set.password = "sesame".to_owned();
        }
        "limits" => {
            set.chat_messages = 4;
            set.chat_bytes = 60;
            set.game_commands = 6;
            set.games_per_user = 2;
            set.per_address = Some(2);
        }
        "sql" | "sql-activation" => {
            set.method = Method::Accounts;
            set.registered_only = profile == "sql-activation";
            (set.log_rooms, set.log_games, set.log_private) = (true, true, true);
        }
        _ => assert_eq!(profile, "none"),
    }
    set
}
