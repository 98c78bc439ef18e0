//! What only administrators and moderators may do (spec: faf-messages 3.15). Whether somebody may is looked up at each
//! call; whoever may not gets no answer at all.

use bytes::Bytes;

use crate::{
    Audience, ConnId,
    faf::{
        context::Context,
        mail::session::SessionMail,
        protocol::{
            incoming::admin::{Action, Admin},
            message,
            request::Outcome,
        },
        questions::HasPermission,
        session::{
            continuations::{Next, Request},
            sessions::Sessions,
        },
    },
    question::StoreFailure,
};

impl Action {
    /// What whoever asks for it must have.
    fn permission(&self) -> &'static str {
        match self {
            Action::CloseGame(_) | Action::CloseLobby(_) => "ADMIN_KICK_SERVER",
            Action::Broadcast(_) => "ADMIN_BROADCAST_MESSAGE",
            Action::JoinChannel(_) => "ADMIN_JOIN_CHANNEL",
        }
    }
}

impl Sessions {
    pub(in crate::faf) fn admin(&mut self, cx: &mut Context<'_>, conn: ConnId, wanted: Admin) {
        let Some(action) = wanted.action else {
            return;
        };
        let Some(player) = self.table.get(conn).and_then(|s| s.player.as_deref()) else {
            return;
        };
        let question = HasPermission {
            player_id: player.account.id,
            permission: action.permission(),
        };
        self.ask_held(cx, conn, question, action);
    }

    /// At the shard of somebody who is to go.
    pub(in crate::faf) fn dismiss(&mut self, cx: &mut Context<'_>, conn: ConnId, player_id: u32) {
        let session = self.table.get(conn).filter(|s| !s.closing);
        let player = session.and_then(|s| s.player.as_deref());
        if player.is_some_and(|player| player.account.id == player_id) {
            cx.turn.send(conn, message::KICK);
            self.close(cx, conn, "kicked");
        }
    }

    /// Everybody on this shard.
    pub(in crate::faf) fn tell_all(&mut self, cx: &mut Context<'_>, body: Bytes) {
        cx.turn.fan_out(Audience::Subscribers, body);
    }
}

impl Request for Action {
    type Question = HasPermission;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        _: ConnId,
        permitted: Result<bool, StoreFailure>,
    ) -> Outcome<Next> {
        if !permitted? {
            return Ok(Next::Go);
        }
        cx.metrics.admin_actions.up();
        match self {
            Action::CloseGame(user) => {
                if let Some((player_id, conn)) = sessions.online_player(cx, user?) {
                    cx.tell(conn, player_id, message::KILL);
                }
            }
            Action::CloseLobby(user) => {
                if let Some((player_id, conn)) = sessions.online_player(cx, user?) {
                    cx.post(conn.shard, SessionMail::Dismiss { conn, player_id });
                }
            }
            Action::Broadcast(text) => {
                let body = message::notice("info", &text?);
                cx.post_all(|| SessionMail::TellAll(body.clone()));
            }
            Action::JoinChannel(wanted) => {
                let (users, channel) = wanted?;
                let body = message::encode(&message::JoinChannel {
                    autojoin: [&channel],
                });
                for user in users {
                    if let Some((player_id, conn)) = sessions.online_player(cx, user) {
                        cx.tell(conn, player_id, body.clone());
                    }
                }
            }
        }
        Ok(Next::Go)
    }
}
