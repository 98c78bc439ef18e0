//! What only administrators and moderators may do (spec: faf-messages 3.15). Whether somebody may is looked up at each
//! call; whoever may not gets no answer at all.

use bytes::Bytes;

use crate::{
    Audience, ConnId,
    faf::{
        context::Context,
        mail::session::SessionMail,
        model::limits,
        protocol::{
            message,
            request::{self, Outcome, Refusal},
        },
        questions::HasPermission,
        session::{
            continuations::{Action, Next, Request},
            sessions::Sessions,
        },
    },
    question::StoreFailure,
};
use wire::json::Value;

impl Action {
    /// `None` if it is ignored whoever asks.
    fn read(message: Value<'_>) -> Outcome<Option<Self>> {
        let user = || request::required_integer(message, "user_id");
        let action = message.get("action").ok_or(Refusal::Garbage)?.as_str();
        Ok(match action {
            Some("closeFA") => Some(Action::CloseGame(user())),
            Some("closelobby") => Some(Action::CloseLobby(user())),
            Some("broadcast") => message.get("message").filter(Value::truthy).map(|text| {
                let text = text.as_str().map(|text| {
                    let mut text = text.to_owned();
                    request::cut(&mut text, limits::BROADCAST_BYTES);
                    text
                });
                Action::Broadcast(text.ok_or(Refusal::Invalid))
            }),
            Some("join_channel") => Some(Action::JoinChannel(channel(message))),
            _ => None,
        })
    }

    fn permission(&self) -> &'static str {
        match self {
            Action::CloseGame(_) | Action::CloseLobby(_) => "ADMIN_KICK_SERVER",
            Action::Broadcast(_) => "ADMIN_BROADCAST_MESSAGE",
            Action::JoinChannel(_) => "ADMIN_JOIN_CHANNEL",
        }
    }
}

/// Who is to join which channel.
fn channel(message: Value<'_>) -> Outcome<(Vec<i64>, String)> {
    let users = message.get("user_ids").ok_or(Refusal::Garbage)?;
    if !users.is_array() {
        return Err(Refusal::Invalid);
    }
    let users: Outcome<Vec<i64>> = users
        .elements()
        .take(limits::CHANNEL_GUESTS)
        .map(request::integer)
        .collect();
    let mut channel = request::required_text(message, "channel")?.to_owned();
    request::cut(&mut channel, limits::FIELD_BYTES);
    Ok((users?, channel))
}

impl Sessions {
    pub(in crate::faf) fn admin(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        let Some(action) = Action::read(message)? else {
            return Ok(());
        };
        let Some(player) = self.table.get(conn).and_then(|s| s.player.as_deref()) else {
            return Ok(());
        };
        let question = HasPermission {
            player_id: player.account.id,
            permission: action.permission(),
        };
        self.ask_held(cx, conn, question, action);
        Ok(())
    }

    /// At the shard of somebody who is to go.
    pub(in crate::faf) fn dismiss(&mut self, cx: &mut Context<'_>, conn: ConnId, player_id: u32) {
        let session = self.table.get(conn).filter(|s| !s.closing);
        let player = session.and_then(|s| s.player.as_deref());
        if player.is_some_and(|player| player.account.id == player_id) {
            cx.turn.send(conn, message::KICK);
            self.close(cx, conn);
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
