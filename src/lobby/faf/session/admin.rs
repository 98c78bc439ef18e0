//! What only administrators and moderators may do (spec: faf-messages 3.15). Whether somebody may is looked up at each
//! call; whoever may not gets no answer at all.

use bytes::Bytes;

use crate::faf::{
    Faf, FafTurn, close,
    mail::Mail,
    model::limits,
    protocol::{
        message,
        request::{self, Outcome, Refusal},
    },
    questions::HasPermission,
    session::dispatch::{Next, Request},
};
use crate::{Audience, ConnId, question::StoreFailure};
use wire::json::Value;

/// What is asked for. The fields are read at once but judged only after the permission.
#[derive(Debug)]
pub(in crate::faf) enum Action {
    /// Kill a player's game.
    CloseGame(Outcome<i64>),
    /// End a player's connection.
    CloseLobby(Outcome<i64>),
    /// Tell everybody something.
    Broadcast(Outcome<String>),
    /// Have players join a chat channel.
    JoinChannel(Outcome<(Vec<i64>, String)>),
}

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

impl Faf {
    pub(in crate::faf) fn admin(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        let Some(action) = Action::read(message)? else {
            return Ok(());
        };
        let Some(player) = self.sessions.get(conn).and_then(|s| s.player.as_deref()) else {
            return Ok(());
        };
        let question = HasPermission {
            player_id: player.account.id,
            permission: action.permission(),
        };
        self.ask_held(turn, conn, question, action);
        Ok(())
    }

    /// At the shard of somebody who is to go.
    pub(in crate::faf) fn dismiss(&mut self, turn: &mut FafTurn<'_>, conn: ConnId, player_id: u32) {
        let session = self.sessions.get(conn).filter(|s| !s.closing);
        let player = session.and_then(|s| s.player.as_deref());
        if player.is_some_and(|player| player.account.id == player_id) {
            turn.send(conn, message::KICK);
            close(&mut self.sessions, turn, conn);
        }
    }

    /// Everybody on this shard.
    pub(in crate::faf) fn tell_all(&mut self, turn: &mut FafTurn<'_>, body: Bytes) {
        turn.fan_out(Audience::Subscribers, body);
    }
}

impl Request for Action {
    type Question = HasPermission;

    fn resume(
        self,
        faf: &mut Faf,
        turn: &mut FafTurn<'_>,
        _: ConnId,
        permitted: Result<bool, StoreFailure>,
    ) -> Outcome<Next> {
        if !permitted? {
            return Ok(Next::Go);
        }
        faf.counters.admin_actions += 1;
        match self {
            Action::CloseGame(user) => {
                if let Some((player_id, conn)) = faf.online(user?) {
                    faf.tell(turn, conn, player_id, message::KILL);
                }
            }
            Action::CloseLobby(user) => {
                if let Some((player_id, conn)) = faf.online(user?) {
                    faf.post(turn, conn.shard, Mail::Dismiss { conn, player_id });
                }
            }
            Action::Broadcast(text) => {
                let body = message::notice("info", &text?);
                turn.mail_all(|| Mail::TellAll(body.clone()));
                faf.tell_all(turn, body);
            }
            Action::JoinChannel(wanted) => {
                let (users, channel) = wanted?;
                let body = message::encode(&message::JoinChannel {
                    autojoin: [&channel],
                });
                for user in users {
                    if let Some((player_id, conn)) = faf.online(user) {
                        faf.tell(turn, conn, player_id, body.clone());
                    }
                }
            }
        }
        Ok(Next::Go)
    }
}
