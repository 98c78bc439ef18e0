//! What the back office tells every shard unasked.

use std::sync::Arc;

use bytes::Bytes;

use crate::faf::{Settings, ledger::Done, model::reference::Reference, roster::Reply};

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
