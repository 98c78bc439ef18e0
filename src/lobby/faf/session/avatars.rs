//! The picture beside a player's name: which they may show, and which they do (spec: faf-messages 3.14, faf-lifecycle
//! 12.4). Whatever changes is seen in the next `player_info`; there is no other answer.

use crate::{
    ConnId,
    faf::{
        context::Context,
        model::account::Avatar,
        protocol::{incoming::social::AvatarAction, message, request::Outcome},
        questions::{ChangedAvatar, ListAvatars, SelectAvatar},
        session::{
            continuations::{Following, Listing, Next, Request, Selecting},
            sessions::Sessions,
        },
    },
    question::{Continuation, StoreFailure},
};

impl Sessions {
    pub(in crate::faf) fn avatar(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        action: AvatarAction<'_>,
    ) {
        let Some(player) = self.table.get(conn).and_then(|s| s.player.as_deref()) else {
            return;
        };
        let player_id = player.account.id;
        match action {
            AvatarAction::List => self.ask_held(cx, conn, ListAvatars(player_id), Listing),
            AvatarAction::Select(url) => {
                let url = url.map(str::to_owned);
                self.ask_held(cx, conn, SelectAvatar { player_id, url }, Selecting);
            }
            // Ignored like any other that they do not own.
            AvatarAction::SelectUnknown => {}
        }
    }

    /// Somebody else has changed it in the database: the player's own shard looks what it is now.
    pub(in crate::faf) fn avatar_changed(&mut self, cx: &mut Context<'_>, player_id: u32) {
        let conn = cx.directory.player(player_id).map(|player| player.conn);
        let Some(conn) = conn.filter(|conn| conn.shard == cx.turn.shard) else {
            return;
        };
        let session = self.table.get(conn);
        let Some(player) = session.and_then(|s| s.player.as_deref()) else {
            return;
        };
        let selections = player.selections;
        let following = Following {
            conn,
            player_id,
            selections,
        };
        self.pending
            .ask(&mut cx.turn, ChangedAvatar(player_id), following);
    }

    fn show_avatar(&mut self, cx: &mut Context<'_>, conn: ConnId, avatar: Option<Avatar>) {
        let session = self.table.get_mut(conn);
        let Some(player) = session.and_then(|s| s.player.as_deref_mut()) else {
            return;
        };
        player.selections = player.selections.wrapping_add(1);
        player.account.avatar = avatar.and_then(Avatar::shown).map(Box::new);
        self.player_changed(cx, conn);
    }
}

impl Request for Listing {
    type Question = ListAvatars;

    fn resume(
        self,
        _: &mut Sessions,
        cx: &mut Context<'_>,
        conn: ConnId,
        avatars: Result<Vec<Avatar>, StoreFailure>,
    ) -> Outcome<Next> {
        let list = message::AvatarList {
            avatarlist: &avatars?,
        };
        cx.turn.send(conn, message::encode(&list));
        Ok(Next::Go)
    }
}

impl Request for Selecting {
    type Question = SelectAvatar;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        conn: ConnId,
        selected: Result<Option<Option<Avatar>>, StoreFailure>,
    ) -> Outcome<Next> {
        if let Some(avatar) = selected? {
            sessions.show_avatar(cx, conn, avatar);
        }
        Ok(Next::Go)
    }
}

impl Continuation for Following {
    type Asker = Sessions;
    type Question = ChangedAvatar;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        avatar: Result<Option<Avatar>, StoreFailure>,
    ) {
        let session = sessions.table.get(self.conn);
        let player = session.and_then(|s| s.player.as_deref());
        let Some(player) = player.filter(|player| player.account.id == self.player_id) else {
            return;
        };
        let Ok(avatar) = avatar else {
            cx.metrics.avatars_missed.up();
            return;
        };
        if player.selections != self.selections {
            // They have chosen themselves meanwhile; which of the two came last, the database knows.
            return sessions.avatar_changed(cx, self.player_id);
        }
        sessions.show_avatar(cx, self.conn, avatar);
    }
}
