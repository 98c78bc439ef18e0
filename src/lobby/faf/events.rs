//! What the outside is told of: messages for the event broker (spec: faf-lifecycle 12.2).

use bytes::Bytes;

use super::mail::{GameUpdate, PlayerUpdate};
use super::tick;

/// A message for the topic exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Routing key.
    pub key: &'static str,
    /// Whether the broker is to keep it through a restart of its own.
    pub persistent: bool,
    /// JSON text.
    pub body: Bytes,
}

/// The players of a tick, the same text as the broadcast.
pub(super) const PLAYER_INFO: &str = "broadcast.playerInfo.update";
/// All games of a tick, whoever may see them.
pub(super) const GAME_INFO: &str = "broadcast.gameInfo.update";

impl Event {
    /// A message that must not be lost.
    pub(super) fn persistent(key: &'static str, body: Bytes) -> Self {
        Event {
            key,
            persistent: true,
            body,
        }
    }

    /// A message that may be lost.
    pub(super) fn transient(key: &'static str, body: Bytes) -> Self {
        Event {
            key,
            persistent: false,
            body,
        }
    }
}

/// `player_info` of a tick as an event.
pub(super) fn players(updates: &[PlayerUpdate]) -> Event {
    Event::transient(PLAYER_INFO, tick::player_info(updates))
}

/// All changed games of a tick in one message.
pub(super) fn games<'a>(updates: impl Iterator<Item = &'a GameUpdate>) -> Event {
    let texts = updates.map(|update| &update.body);
    Event::transient(GAME_INFO, tick::list(super::picture::GAMES_HEAD, texts))
}
