//! The picture beside a player's name: which they may show, and which they do (spec: faf-messages 3.14, faf-lifecycle
//! 12.4). Whatever changes is seen in the next `player_info`; there is no other answer.

use super::{
    Faf, FafTurn,
    asks::{Ask, Avatar, StoreError},
    dispatch::{Next, Pending},
    message,
    request::{Outcome, Refusal},
    settings,
};
use crate::ConnId;
use wire::json::Value;

impl Faf {
    pub(super) fn avatar(
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
        let (ask, pending) = match action {
            Some("list_avatar") => (Ask::Avatars(player_id), Pending::Avatars { conn }),
            Some("select") => {
                let chosen = message.get("avatar").ok_or(Refusal::Garbage)?;
                let url = chosen
                    .as_str()
                    .filter(|url| url.len() <= settings::URL_BYTES);
                // What is no address is no avatar of theirs: ignored like any other that they do not own.
                if url.is_none() && !chosen.is_null() {
                    return Ok(());
                }
                let url = url.map(str::to_owned);
                let ask = Ask::SelectAvatar { player_id, url };
                (ask, Pending::SelectAvatar { conn })
            }
            _ => return Err(Refusal::Garbage),
        };
        self.ask_held(turn, conn, ask, pending);
        Ok(())
    }

    pub(super) fn avatars_known(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        result: Result<Vec<Avatar>, StoreError>,
    ) -> Outcome<Next> {
        let avatars = result.map_err(Refusal::Store)?;
        let list = message::AvatarList {
            avatarlist: &avatars,
        };
        turn.send(conn, message::encode(&list));
        Ok(Next::Go)
    }

    pub(super) fn avatar_selected(
        &mut self,
        conn: ConnId,
        result: Result<Option<Option<Avatar>>, StoreError>,
    ) -> Outcome<Next> {
        if let Some(avatar) = result.map_err(Refusal::Store)? {
            self.show_avatar(conn, avatar);
        }
        Ok(Next::Go)
    }

    /// Somebody else has changed it in the database: the player's own shard looks what it is now.
    pub(super) fn avatar_changed(&mut self, turn: &mut FafTurn<'_>, player_id: u32) {
        let conn = self.directory.player(player_id).map(|player| player.conn);
        let Some(conn) = conn.filter(|conn| conn.shard == self.shard) else {
            return;
        };
        let session = self.sessions.get(conn);
        let Some(player) = session.and_then(|s| s.player.as_deref()) else {
            return;
        };
        let selections = player.selections;
        let ticket = turn.ask(Ask::ChangedAvatar(player_id));
        let pending = Pending::ChangedAvatar {
            conn,
            player_id,
            selections,
        };
        self.pending.insert(ticket, pending);
    }

    /// The database's word on it. Nobody waits for this one.
    pub(super) fn changed_avatar_known(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        player_id: u32,
        selections: u32,
        result: Result<Option<Avatar>, StoreError>,
    ) {
        let session = self.sessions.get(conn);
        let player = session.and_then(|s| s.player.as_deref());
        let Some(player) = player.filter(|player| player.account.id == player_id) else {
            return;
        };
        let Ok(avatar) = result else {
            self.counters.avatars_missed += 1;
            return;
        };
        if player.selections != selections {
            // They have chosen themselves meanwhile; which of the two came last, the database knows.
            return self.avatar_changed(turn, player_id);
        }
        self.show_avatar(conn, avatar);
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
