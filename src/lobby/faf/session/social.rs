//! Friends and foes (spec: faf-messages 3.13), and what they change about the caller's hosted game (N#1029).

use bytes::Bytes;

use crate::{
    ConnId,
    faf::{
        context::Context,
        mail::game::{GameMail, GameReport},
        model::{account::Relation, limits},
        protocol::{
            incoming::social::{Named, SocialAdd, SocialRemove},
            request::Outcome,
        },
        questions::{ClearRelation, SetRelation},
        rules::visibility::Rule,
        session::{
            continuations::{Next, Relating, Request, Unrelating},
            sessions::Sessions,
        },
    },
    question::StoreFailure,
};

impl Sessions {
    pub(in crate::faf) fn social_add(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: SocialAdd,
    ) {
        let Some(Named {
            subject_id,
            relation,
        }) = wanted.named
        else {
            return;
        };
        let Some(player) = self.table.get(conn).and_then(|s| s.player.as_deref()) else {
            return;
        };
        let list = match relation {
            Relation::Friend => &player.account.friends,
            Relation::Foe => &player.account.foes,
        };
        let player_id = player.account.id;
        // Oneself and ids that cannot exist are ignored like unknown ones (recommended).
        let Some(subject_id) = subject_id.filter(|&id| id != player_id && !list.contains(&id))
        else {
            return;
        };
        if list.len() >= limits::RELATIONS {
            return cx.metrics.over_limit.up();
        }
        let question = SetRelation {
            player_id,
            subject_id,
            relation,
        };
        let relating = Relating {
            subject_id,
            relation,
        };
        self.ask_held(cx, conn, question, relating);
    }

    pub(in crate::faf) fn social_remove(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: SocialRemove,
    ) {
        let Some(player) = self.table.get(conn).and_then(|s| s.player.as_deref()) else {
            return;
        };
        let Some(subject_id) = wanted.subject_id else {
            return;
        };
        let question = ClearRelation {
            player_id: player.account.id,
            subject_id,
        };
        self.ask_held(cx, conn, question, Unrelating { subject_id });
    }

    /// The database has taken it; `relation` is what the subject is now.
    fn related(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        subject: u32,
        relation: Option<Relation>,
    ) {
        let Some(session) = self.table.get_mut(conn) else {
            return;
        };
        if let Some(player) = session.player.as_deref_mut() {
            player.relate(subject, relation);
        }
        if let Some(link) = session.link.as_deref().copied().filter(|link| link.is_host) {
            let event = GameReport::HostRelation(subject, relation);
            cx.post(
                link.owner_now(cx.topology),
                GameMail::report(link.seat, event),
            );
        }
    }

    /// At the subject's shard.
    pub(in crate::faf) fn reveal(
        &mut self,
        cx: &mut Context<'_>,
        to: ConnId,
        player_id: u32,
        body: Bytes,
        rule: &Rule,
    ) {
        let Some(player) = self.table.get(to).and_then(|s| s.player.as_deref()) else {
            return;
        };
        let in_range = rule
            .range
            .as_ref()
            .is_none_or(|range| range.contains(player.displayed(&range.rating_type, cx.basis())));
        if player.account.id == player_id && in_range {
            cx.turn.send(to, body);
        }
    }
}

impl Request for Relating {
    type Question = SetRelation;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        conn: ConnId,
        known: Result<bool, StoreFailure>,
    ) -> Outcome<Next> {
        if known? {
            sessions.related(cx, conn, self.subject_id, Some(self.relation));
        }
        Ok(Next::Go)
    }
}

impl Request for Unrelating {
    type Question = ClearRelation;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        conn: ConnId,
        done: Result<(), StoreFailure>,
    ) -> Outcome<Next> {
        done?;
        sessions.related(cx, conn, self.subject_id, None);
        Ok(Next::Go)
    }
}
