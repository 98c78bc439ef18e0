//! Ratings have changed, and the players learn it.

use crate::faf::{
    context::Context,
    mail::directory::DirectoryMail,
    protocol::{message, player_info::Entry},
    rules::rated_game::RatingChange,
    session::{player::rated, sessions::Sessions},
};

impl Sessions {
    /// Ratings have changed; this shard's players among them learn it at the next tick.
    pub(in crate::faf) fn rated(&mut self, cx: &mut Context<'_>, changes: &[RatingChange]) {
        // Somebody whose login is on its way was read from the store before.
        for session in self.table.iter_mut() {
            if let Some(claiming) = session.claiming() {
                let id = claiming.account.id;
                for change in changes.iter().filter(|change| change.player_id == id) {
                    rated(&mut claiming.account, change);
                }
            }
        }
        for change in changes {
            let known = cx
                .directory
                .player(change.player_id)
                .map(|player| player.conn);
            let Some(session) = known
                .filter(|conn| conn.shard == cx.turn.shard)
                .and_then(|conn| self.table.get_mut(conn))
            else {
                continue;
            };
            let Some(player) = session
                .player
                .as_deref_mut()
                .filter(|p| p.account.id == change.player_id)
            else {
                continue;
            };
            rated(&mut player.account, change);
            let basis = cx.basis();
            let text = message::encode(&Entry::new(&player.account, basis, true));
            let (id, epoch) = (player.account.id, player.epoch);
            cx.post(cx.turn.shard, DirectoryMail::PlayerText { id, epoch, text });
            self.player_dirty(id, epoch, None);
        }
    }
}
