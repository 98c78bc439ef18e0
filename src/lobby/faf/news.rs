//! What the back office tells every shard unasked.

use std::sync::Arc;

use bytes::Bytes;

use crate::Audience;
use crate::faf::{
    Faf, FafTurn, Settings, coordinator::COORDINATOR, ledger::Done, model::reference::Reference,
    roster::Reply,
};

/// One piece of news. Every shard is told; each acts for its own connections.
#[derive(Clone, Debug)]
pub enum News {
    /// A message from outside for one player, or for everybody (spec: faf-lifecycle 12.3).
    Notify {
        /// Player; `None`: everybody who is logged in.
        to: Option<u32>,
        /// A message in the form of all others: JSON in ASCII, one line.
        body: Bytes,
    },
    /// The configuration has changed.
    Settings(Arc<Settings>),
    /// A player's avatar was changed in the database (spec: faf-lifecycle 12.4, N#1095).
    AvatarChanged {
        /// Account id of the player whose avatar it is.
        player_id: u32,
    },
    /// An operator wants to see all games.
    Games(Reply),
    /// An operator wants to see all players.
    Players(Reply),
    /// Reference data was loaded.
    Reference(Arc<Reference>),
    /// Records that an earlier process left unsettled are settled now. Told to one shard.
    Settled(Vec<Done>),
}

impl Faf {
    pub(in crate::faf) fn news(&mut self, turn: &mut FafTurn<'_>, news: News) {
        match news {
            News::Notify { to: None, body } => turn.fan_out(Audience::Subscribers, body),
            News::Notify { to: Some(id), body } => {
                let conn = self.directory.player(id).map(|player| player.conn);
                if let Some(conn) = conn.filter(|conn| conn.shard == self.shard) {
                    turn.send(conn, body);
                }
            }
            News::Settings(settings) => self.settings = settings,
            News::AvatarChanged { player_id } => self.avatar_changed(turn, player_id),
            News::Games(reply) => self.list_games(&reply),
            News::Players(reply) => self.list_players(&reply),
            News::Reference(reference) => {
                self.reference = reference;
                self.initialised = true;
                self.clip_vetoes(turn);
                if self.shard == COORDINATOR && !self.draining {
                    self.renew_queues(turn);
                }
            }
            News::Settled(done) => self.settled(turn, done),
        }
    }
}
