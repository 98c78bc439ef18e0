//! What only administrators and moderators may do (spec: faf-messages 3.15).

use crate::faf::{
    model::limits,
    protocol::{
        incoming::{
            Incoming,
            fields::{cut, integer, required_integer, required_text},
        },
        request::{Outcome, Refusal},
    },
};
use wire::json::Value;

/// `admin`.
#[derive(Debug)]
pub(in crate::faf) struct Admin {
    /// None: it is ignored whoever asks.
    pub action: Option<Action>,
}

/// What is asked for. What is wrong with a field counts only for who has the permission.
#[derive(Debug)]
pub(in crate::faf) enum Action {
    /// `closeFA`: kill a player's game.
    CloseGame(Outcome<i64>),
    /// `closelobby`: end a player's connection.
    CloseLobby(Outcome<i64>),
    /// `broadcast`: tell everybody something.
    Broadcast(Outcome<String>),
    /// `join_channel`: have players join a chat channel.
    JoinChannel(Outcome<(Vec<i64>, String)>),
}

impl Incoming<'_> for Admin {
    fn read(message: Value<'_>) -> Outcome<Self> {
        let user = || required_integer(message, "user_id");
        let action = message.get("action").ok_or(Refusal::Garbage)?;
        let action = match action.as_str() {
            Some("closeFA") => Some(Action::CloseGame(user())),
            Some("closelobby") => Some(Action::CloseLobby(user())),
            Some("broadcast") => message.get("message").filter(Value::truthy).map(|text| {
                let text = text.as_str().ok_or(Refusal::Invalid);
                Action::Broadcast(text.map(|text| cut(text, limits::BROADCAST_BYTES).to_owned()))
            }),
            Some("join_channel") => Some(Action::JoinChannel(channel(message))),
            _ => None,
        };
        Ok(Admin { action })
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
        .map(integer)
        .collect();
    let channel = cut(required_text(message, "channel")?, limits::FIELD_BYTES);
    Ok((users?, channel.to_owned()))
}
