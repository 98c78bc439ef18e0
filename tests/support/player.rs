//! A player on one connection, for tests that are no scripts.

use std::fmt::Write;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    client::{Client, Received},
    script::Transport,
    server::{Server, password},
};

/// Somebody connected.
pub(crate) struct Player(Client);

impl Player {
    /// A connection that has not said anything.
    pub(crate) fn connected(server: &Server) -> Player {
        let address = server.address(Transport::Json).unwrap();
        Player(Client::connect(Transport::Json, address).unwrap())
    }

    /// Signed in by password, with everything a newcomer is sent read.
    pub(crate) fn signed_in(server: &Server, login: &str) -> Player {
        let mut player = Player::connected(server);
        player.send(&hello(login));
        player.until("game_info");
        player
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.0.send(message).unwrap();
    }

    /// The next message; `None`: the server has closed the connection.
    pub(crate) fn next(&mut self) -> Option<Value> {
        match self.0.receive().unwrap() {
            Received::Message(message) => Some(message),
            Received::Closed => None,
        }
    }

    /// The next message with this command.
    pub(crate) fn until(&mut self, command: &str) -> Value {
        loop {
            let message = self
                .next()
                .unwrap_or_else(|| panic!("closed before {command}"));
            if message["command"] == command {
                return message;
            }
        }
    }

    /// Everything but broadcasts until the connection is closed.
    pub(crate) fn until_closed(&mut self) -> Vec<Value> {
        let rest = std::iter::from_fn(|| self.next());
        rest.filter(|message| {
            !matches!(
                message["command"].as_str(),
                Some("player_info" | "game_info" | "ping")
            )
        })
        .collect()
    }

    /// Opens a game and waits for its lobby; its number.
    pub(crate) fn hosting(&mut self) -> u64 {
        self.send(&json!({"command":"game_host","visibility":"public"}));
        let uid = self.until("game_launch")["uid"].as_u64().unwrap();
        for state in ["Idle", "Lobby"] {
            self.game("GameState", json!([state]));
        }
        self.until("HostGame");
        uid
    }

    /// A message of the game.
    pub(crate) fn game(&mut self, command: &str, args: Value) {
        self.send(&json!({"command":command,"target":"game","args":args}));
    }
}

/// Sign-in by password.
pub(crate) fn hello(login: &str) -> Value {
    let digest = Sha256::digest(password(login));
    let hash = digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    json!({"command":"hello","login":login,"password":hash,"unique_id":"u"})
}
