//! The sentences of players and their games, and the few words of the server that roles act on.
//!
//! spec: faf-messages 3.7, 3.8, 4, 6

use serde::Deserialize;
use serde_json::{Value, json};

pub(super) fn game_host(title: &str) -> String {
    json!({"command": "game_host", "title": title, "mod": "faf", "visibility": "public", "mapname": "scmp_007",
        "password": null, "rating_min": null, "rating_max": null, "enforce_rating_range": false})
    .to_string()
}

pub(super) fn game_join(uid: u64) -> String {
    json!({"command": "game_join", "uid": uid, "password": null}).to_string()
}

pub(super) fn game_state(state: &str) -> String {
    to_server("GameState", &json!([state]))
}

/// What a game says when it has been started.
pub(super) fn starting() -> [String; 2] {
    ["Idle", "Lobby"].map(game_state)
}

pub(super) fn game_option(key: &str, value: &str) -> String {
    to_server("GameOption", &json!([key, value]))
}

pub(super) fn player_option(player: u64, key: &str, value: u64) -> String {
    to_server("PlayerOption", &json!([player, key, value]))
}

pub(super) fn ice(receiver: u64, text: &str) -> String {
    to_server("IceMsg", &json!([receiver, text]))
}

/// What a host tells about a player who takes a seat.
pub(super) fn seat(player: u64, army: u64) -> [String; 5] {
    [
        player_option(player, "Army", army),
        player_option(player, "Team", 2 + army % 2),
        player_option(player, "StartSpot", army),
        player_option(player, "Faction", 1 + army % 4),
        player_option(player, "Color", army),
    ]
}

pub(super) fn to_server(command: &str, args: &Value) -> String {
    json!({"command": command, "target": "game", "args": args}).to_string()
}

/// A message a player's own game, or its lobby, has to act on.
#[derive(Debug, Default, Deserialize)]
pub(super) struct GameCommand {
    /// Game of a `game_launch` or `game_join_failed`.
    #[serde(default)]
    pub(super) uid: u64,
    #[serde(default)]
    args: Vec<Value>,
}

impl GameCommand {
    /// Reads the message; one that makes no sense has no arguments.
    pub(super) fn read(text: &[u8]) -> GameCommand {
        serde_json::from_slice(text).unwrap_or_default()
    }

    /// Argument `at` as a number (a player's id), 0 if it is none.
    pub(super) fn id(&self, at: usize) -> u64 {
        self.args.get(at).and_then(Value::as_u64).unwrap_or(0)
    }
}
