//! The end of a session (spec: faf-lifecycle 3.6 and 5).
//!
//! A player leaves in two steps: games and coordinator are told first, and may still say something to them; when those of this
//! shard have done so, the player is no more.

use crate::{
    ConnId,
    faf::{
        context::Context,
        mail::{
            directory::DirectoryMail,
            game::Leaving,
            registry::RegistryMail,
            session::{AfterSignOut, SessionMail},
        },
        model::player_state::PlayerState,
        protocol::{message, player_info::Entry},
        session::{player::Player, sessions::Sessions, table::Session},
    },
};

const SIGNED_IN_ELSEWHERE: &str = "You have been signed out because you signed in elsewhere.";

impl Sessions {
    /// The connection is gone.
    pub(in crate::faf) fn closed(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        self.sign_out(cx, conn, Leaving::Lost, AfterSignOut::Forget);
    }

    /// Somebody else is the player now (spec: faf-lifecycle 3.6).
    pub(in crate::faf) fn evict(
        &mut self,
        cx: &mut Context<'_>,
        player_id: u32,
        conn: ConnId,
        epoch: u64,
    ) {
        let is_meant = |p: &Player| p.account.id == player_id && p.epoch <= epoch;
        let is_theirs = |s: &&Session| s.player.as_deref().is_some_and(is_meant);
        if self.table.get(conn).filter(is_theirs).is_some() {
            // The last that is heard there, whatever the clean-up has to say.
            let notice = message::notice("kick", SIGNED_IN_ELSEWHERE);
            cx.turn.send(conn, notice);
            self.close(cx, conn, "the player has signed in elsewhere");
            self.sign_out(cx, conn, Leaving::Aborted, AfterSignOut::AwaitEnd);
        }
    }

    /// The clean-up of a session's player begins (spec: faf-lifecycle 5).
    pub(in crate::faf) fn sign_out(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        leaving: Leaving,
        then: AfterSignOut,
    ) {
        let session = self.table.get(conn);
        let is_playing = session.is_some_and(|session| session.state == PlayerState::Playing);
        let was_playing = is_playing && leaving == Leaving::Lost;
        self.leave_game(cx, conn, leaving);
        self.leave_coordinator(cx, conn);
        let sign_out = SessionMail::SignOut {
            conn,
            then,
            was_playing,
        };
        cx.post(cx.turn.shard, sign_out);
    }

    /// Games and coordinator have been told.
    pub(in crate::faf) fn signed_out(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        then: AfterSignOut,
        was_playing: bool,
    ) {
        let Some(session) = self.table.get_mut(conn) else {
            return;
        };
        session.state = PlayerState::Idle;
        if then != AfterSignOut::Claim
            && let Some(claiming) = session.sign_in().claiming.take()
            && claiming.said
        {
            unclaim(cx, claiming.account.id, conn, false);
        }
        if let Some(player) = session.player.take() {
            let (id, epoch) = (player.account.id, player.epoch);
            cx.turn.unsubscribe(conn);
            cx.post_all(|| DirectoryMail::PlayerGone { id, epoch });
            let last = Entry::new(&player.account, cx.basis(), false);
            self.player_dirty(id, epoch, Some(message::encode(&last)));
            unclaim(cx, id, conn, was_playing);
        }
        match then {
            AfterSignOut::Forget => self.forget(cx, conn),
            AfterSignOut::AwaitEnd => {}
            AfterSignOut::Claim => self.claim(cx, conn),
        }
    }

    fn forget(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if let Some(session) = self.table.remove(conn) {
            let signing_in = session.signing_in.as_ref();
            if let Some(until) = signing_in.and_then(|signing_in| signing_in.until) {
                self.deadlines.remove(until, conn);
            }
            cx.clients.closed(session.client);
        }
    }
}

/// Tells a player's home shard that this connection is no longer theirs.
pub(in crate::faf) fn unclaim(
    cx: &mut Context<'_>,
    player_id: u32,
    conn: ConnId,
    was_playing: bool,
) {
    let home = cx.topology.home(player_id);
    let unclaim = RegistryMail::Unclaim {
        player_id,
        conn,
        was_playing,
    };
    cx.post(home, unclaim);
}
