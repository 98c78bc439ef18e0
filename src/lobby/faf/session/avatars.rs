//! The picture beside a player's name: which they may show, and which they do (spec: faf-messages 3.14, faf-lifecycle
//! 12.4). Whatever changes is seen in the next `player_info`; there is no other answer.

use crate::faf::{
    Faf, FafTurn,
    model::{account::Avatar, limits},
    protocol::{
        message,
        request::{Outcome, Refusal},
    },
    questions::{ChangedAvatar, ListAvatars, SelectAvatar},
    session::dispatch::{Next, Request},
};
use crate::{
    ConnId,
    question::{Continuation, StoreFailure},
};
use wire::json::Value;

impl Faf {
    pub(in crate::faf) fn avatar(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        let action = message.get("action").and_then(|action| action.as_str());
        let Some(player) = self.sessions.get(conn).and_then(|s| s.player.as_deref()) else {
            return Ok(());
        };
        let player_id = player.account.id;
        match action {
            Some("list_avatar") => self.ask_held(turn, conn, ListAvatars(player_id), Listing),
            Some("select") => {
                let chosen = message.get("avatar").ok_or(Refusal::Garbage)?;
                let url = chosen.as_str().filter(|url| url.len() <= limits::URL_BYTES);
                // What is no address is no avatar of theirs: ignored like any other that they do not own.
                if url.is_none() && !chosen.is_null() {
                    return Ok(());
                }
                let url = url.map(str::to_owned);
                self.ask_held(turn, conn, SelectAvatar { player_id, url }, Selecting);
            }
            _ => return Err(Refusal::Garbage),
        }
        Ok(())
    }

    /// Somebody else has changed it in the database: the player's own shard looks what it is now.
    pub(in crate::faf) fn avatar_changed(&mut self, turn: &mut FafTurn<'_>, player_id: u32) {
        let conn = self.directory.player(player_id).map(|player| player.conn);
        let Some(conn) = conn.filter(|conn| conn.shard == self.shard) else {
            return;
        };
        let session = self.sessions.get(conn);
        let Some(player) = session.and_then(|s| s.player.as_deref()) else {
            return;
        };
        let selections = player.selections;
        let following = Following {
            conn,
            player_id,
            selections,
        };
        self.pending.ask(turn, ChangedAvatar(player_id), following);
    }

    fn show_avatar(&mut self, conn: ConnId, avatar: Option<Avatar>) {
        let session = self.sessions.get_mut(conn);
        let Some(player) = session.and_then(|s| s.player.as_deref_mut()) else {
            return;
        };
        player.selections = player.selections.wrapping_add(1);
        player.account.avatar = avatar.and_then(Avatar::shown).map(Box::new);
        self.player_changed(conn);
    }
}

/// All their avatars are looked up.
#[derive(Debug)]
pub(in crate::faf) struct Listing;

impl Request for Listing {
    type Question = ListAvatars;

    fn resume(
        self,
        _: &mut Faf,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        avatars: Result<Vec<Avatar>, StoreFailure>,
    ) -> Outcome<Next> {
        let list = message::AvatarList {
            avatarlist: &avatars?,
        };
        turn.send(conn, message::encode(&list));
        Ok(Next::Go)
    }
}

/// They show another avatar.
#[derive(Debug)]
pub(in crate::faf) struct Selecting;

impl Request for Selecting {
    type Question = SelectAvatar;

    fn resume(
        self,
        faf: &mut Faf,
        _: &mut FafTurn<'_>,
        conn: ConnId,
        selected: Result<Option<Option<Avatar>>, StoreFailure>,
    ) -> Outcome<Next> {
        if let Some(avatar) = selected? {
            faf.show_avatar(conn, avatar);
        }
        Ok(Next::Go)
    }
}

/// Their avatar was changed from outside, after so many changes before. Nobody waits for the database's word on it.
#[derive(Debug)]
pub(in crate::faf) struct Following {
    conn: ConnId,
    player_id: u32,
    selections: u32,
}

impl Continuation<Faf> for Following {
    type Question = ChangedAvatar;

    fn resume(
        self,
        faf: &mut Faf,
        turn: &mut FafTurn<'_>,
        avatar: Result<Option<Avatar>, StoreFailure>,
    ) {
        let session = faf.sessions.get(self.conn);
        let player = session.and_then(|s| s.player.as_deref());
        let Some(player) = player.filter(|player| player.account.id == self.player_id) else {
            return;
        };
        let Ok(avatar) = avatar else {
            faf.counters.avatars_missed += 1;
            return;
        };
        if player.selections != self.selections {
            // They have chosen themselves meanwhile; which of the two came last, the database knows.
            return faf.avatar_changed(turn, self.player_id);
        }
        faf.show_avatar(self.conn, avatar);
    }
}
