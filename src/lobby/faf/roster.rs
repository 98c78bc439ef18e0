//! Everything a shard has, for an operator who asks (spec: faf-lifecycle 15.1).

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::faf::Faf;

/// Where a shard's answer goes; called once by each shard with its own objects, encoded.
#[derive(Clone)]
pub struct Reply(Arc<dyn Fn(Vec<Bytes>) + Send + Sync>);

impl Reply {
    /// Answers go to `take`, which must not wait.
    pub fn new(take: impl Fn(Vec<Bytes>) + Send + Sync + 'static) -> Self {
        Reply(Arc::new(take))
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

impl Faf {
    /// All own games as in `game_info`, those that are being set up and those that have just ended included.
    pub(in crate::faf) fn list_games(&self, reply: &Reply) {
        let games = self.games.values().filter(|game| !game.removed);
        let mut uids: Vec<_> = games.map(|game| (game.uid, game.body(false))).collect();
        uids.sort_unstable_by_key(|(uid, _)| *uid);
        (reply.0)(uids.into_iter().map(|(_, body)| body).collect());
    }

    /// All own players as in `player_info`.
    pub(in crate::faf) fn list_players(&self, reply: &Reply) {
        let here = self.sessions.players();
        let texts = here.filter_map(|(_, player)| self.directory.text_of(player.account.id));
        (reply.0)(texts.collect());
    }
}
