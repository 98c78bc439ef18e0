//! What not everybody may do.

use crate::question::{Lane, Question, StoreFailure};

/// Whether a player may do something that not everybody may (spec: faf-messages 3.15).
#[derive(Clone, Debug)]
pub struct HasPermission {
    /// Account id of the player this is about.
    pub player_id: u32,
    /// Technical name of the permission.
    pub permission: &'static str,
}

impl Question for HasPermission {
    type Answer = Result<bool, StoreFailure>;
    const LANE: Lane = Lane::Other;
}
