//! How busy the server is, for other programs that read the database (spec: cockatrice-behaviour 16, `uptime`).

use crate::question::{Lane, Question};

/// Writes down how busy the server is. Asked by one shard, every `cockatrice.status_update_ms`.
#[derive(Clone, Copy, Debug)]
pub struct NoteStatus {
    /// Users who are signed in.
    pub users: u32,
    /// Moderators and administrators among them.
    pub moderators: u32,
    /// Open games.
    pub games: u32,
}

impl Question for NoteStatus {
    type Answer = ();
    const LANE: Lane = Lane::Other;
}
