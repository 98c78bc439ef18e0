//! What a connection is held for that another node has to say: plain data. Everything that a session waits for from another
//! shard is here, with what the player is told if the answer can't come any more, because the lane to that node has broken,
//! the node is lost, or this one has lost touch:
//!
//! | waits for | asked by | of whom | else |
//! |---|---|---|---|
//! | [`Awaited::Join`] | `game_join` | the game's owner | "The host has left the game." |
//! | [`Awaited::Restore`] | `restore_game_session` | the game's owner | "The game you were connected to no longer exists" |
//! | [`Awaited::Connect`] | `GameState Lobby` of a guest | the game's owner | they are out of the game |
//! | [`Awaited::Record`] | `OperationComplete` | the game's owner | they are heard again |
//! | [`Awaited::Welcome`] | `invite_to_party` | the shard of who is invited | "The invited player doesn't exist" |
//! | [`Awaited::Coordinator`] | parties, searches, `matchmaker_info` | the coordinator | text::OUT_OF_TOUCH |
//! | [`Awaited::News`] | `game_join`, `restore_game_session`, `IceMsg` | nobody: what is to be known anyway | as if it were not there |
//!
//! Whatever it is has an end in time, too: of what nodes answer it is so late that it is never the first.
//!
//! A claim of an account is waited for by `login`, and has its own end there. Whatever is waited for from a shard of the same
//! node always comes, except from the coordinator, and is not written down.

use std::time::Duration;

use bytes::Bytes;
use cluster::Holder;
use serde::{Deserialize, Serialize};

use crate::{
    ConnId, ShardId,
    faf::{mail::coordinator::PlayerRequest, model::seat::Seat},
};

/// What a connection is held for, and until when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Awaits {
    /// What.
    pub what: Awaited,
    /// Until when, monotonic: then it does not come.
    pub until: Duration,
}

/// What a connection is held for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) enum Awaited {
    /// The verdict about a join.
    Join { seat: Seat, owner: ShardId },
    /// The verdict about a return.
    Restore { seat: Seat, owner: ShardId },
    /// That their game is in the mesh.
    Connect { seat: Seat, owner: ShardId },
    /// That what they have reported is written down.
    Record { seat: Seat, owner: ShardId },
    /// Whether somebody may be invited.
    Welcome { recipient: ConnId },
    /// That a request is done.
    Coordinator {
        /// What they want: it is asked again if nobody has done anything of it.
        request: PlayerRequest,
        /// Who was asked; none: there is nobody to ask now.
        asked: Option<Holder>,
    },
    /// That a game or a player is known here.
    News(Wanted),
}

/// What is done as soon as a game or a player is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) enum Wanted {
    /// A game is joined.
    Join {
        /// Its number.
        uid: u32,
        /// What they gave.
        password: Option<String>,
    },
    /// A game is returned to.
    Restore {
        /// Its number.
        uid: u32,
    },
    /// Another player's game is sent something.
    Ice {
        /// The sender's place.
        sender: Seat,
        /// Account id of whom it is for.
        receiver: u32,
        /// The message as it is sent.
        body: Bytes,
    },
}

impl Awaited {
    /// Whether it is what a player's game waits for in this place.
    pub(in crate::faf) fn is_of_link(&self, seat: &Seat) -> bool {
        match self {
            Awaited::Connect { seat: own, .. } | Awaited::Record { seat: own, .. } => own == seat,
            _ => false,
        }
    }

    /// The node whose answer is waited for, if it is one's.
    pub(in crate::faf) fn node(&self) -> Option<u8> {
        match self {
            Awaited::Join { owner, .. }
            | Awaited::Restore { owner, .. }
            | Awaited::Connect { owner, .. }
            | Awaited::Record { owner, .. } => Some(owner.node()),
            Awaited::Welcome { recipient } => Some(recipient.shard.node()),
            Awaited::Coordinator { asked, .. } => asked.map(|holder| holder.node),
            Awaited::News(_) => None,
        }
    }
}
