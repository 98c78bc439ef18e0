//! Friends and foes (spec: faf-messages 3.13), and what they change about the caller's hosted game (N#1029).

use crate::{
    ConnId,
    faf::{
        Faf, FafTurn,
        mail::{Mail, game::GameReport},
        model::{
            account::{Relation, relate},
            limits,
            seat::Seat,
        },
        protocol::request::{self, Outcome, Refusal},
        questions::{ClearRelation, SetRelation},
        rules::visibility::Rule,
        session::dispatch::{Next, Request},
    },
    question::StoreFailure,
};
use bytes::Bytes;

use wire::json::Value;

impl Faf {
    pub(in crate::faf) fn social_add(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        let Some((subject, relation)) = subject(message)? else {
            return Ok(());
        };
        let Some(player) = self.sessions.get(conn).and_then(|s| s.player.as_deref()) else {
            return Ok(());
        };
        let list = match relation {
            Relation::Friend => &player.account.friends,
            Relation::Foe => &player.account.foes,
        };
        let player_id = player.account.id;
        // Oneself and ids that cannot exist are ignored like unknown ones (recommended).
        let Some(subject_id) = subject.filter(|&id| id != player_id && !list.contains(&id)) else {
            return Ok(());
        };
        if list.len() >= limits::RELATIONS {
            self.counters.over_limit += 1;
            return Ok(());
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
        self.ask_held(turn, conn, question, relating);
        Ok(())
    }

    pub(in crate::faf) fn social_remove(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        let (subject, _) = subject(message)?.ok_or(Refusal::Garbage)?;
        let Some(player) = self.sessions.get(conn).and_then(|s| s.player.as_deref()) else {
            return Ok(());
        };
        let Some(subject_id) = subject else {
            return Ok(());
        };
        let question = ClearRelation {
            player_id: player.account.id,
            subject_id,
        };
        self.ask_held(turn, conn, question, Unrelating { subject_id });
        Ok(())
    }

    /// The database has taken it; `relation` is what the subject is now.
    fn related(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        subject: u32,
        relation: Option<Relation>,
    ) {
        let Some(session) = self.sessions.get_mut(conn) else {
            return;
        };
        if let Some(player) = session.player.as_deref_mut() {
            player.relate(subject, relation);
        }
        if let Some(link) = session.link.as_deref().copied().filter(|link| link.is_host) {
            let event = GameReport::HostRelation(subject, relation);
            self.post(
                turn,
                link.owner,
                Mail::FromGame {
                    seat: link.seat,
                    event,
                },
            );
        }
    }

    /// At the owner of the host's game: the subject learns of it if they now see the game, or no longer does.
    pub(in crate::faf) fn host_related(
        &mut self,
        turn: &mut FafTurn<'_>,
        seat: Seat,
        subject: u32,
        relation: Option<Relation>,
    ) {
        let Some(game) = self
            .games
            .get_mut(&seat.uid)
            .filter(|g| g.host_id == seat.player_id && g.has(&seat))
        else {
            return;
        };
        // Whoever has never been told of the rating range is judged without it; their own shard looks at that.
        let sees = |rule: &Rule| {
            Rule {
                range: None,
                ..rule.clone()
            }
            .admits(subject, |_| 0.0)
        };
        let before = sees(&game.rule());
        relate(
            &mut game.host_friends,
            &mut game.host_foes,
            subject,
            relation,
        );
        let rule = game.rule();
        let after = sees(&rule);
        let update = game.update();
        if !update.ended {
            // Newcomers are judged by the new rule at once here, by other shards from the next tick on.
            self.directory
                .game_text(seat.uid, update.listed, update.rule, update.body.clone());
        }
        if before == after || !update.listed {
            return;
        }
        let body = if after { update.body } else { game.body(true) };
        let Some(to) = self.directory.player(subject).map(|p| p.conn) else {
            return;
        };
        self.post(
            turn,
            to.shard,
            Mail::Reveal {
                to,
                player_id: subject,
                body,
                rule: Box::new(rule),
            },
        );
    }

    /// At the subject's shard.
    pub(in crate::faf) fn reveal(
        &mut self,
        turn: &mut FafTurn<'_>,
        to: ConnId,
        player_id: u32,
        body: Bytes,
        rule: &Rule,
    ) {
        let Some(player) = self.sessions.get(to).and_then(|s| s.player.as_deref()) else {
            return;
        };
        let in_range = rule
            .range
            .as_ref()
            .is_none_or(|range| range.contains(player.displayed(&range.rating_type, self.basis())));
        if player.account.id == player_id && in_range {
            turn.send(to, body);
        }
    }
}

/// A friend or foe is being written down.
#[derive(Debug)]
pub(in crate::faf) struct Relating {
    subject_id: u32,
    relation: Relation,
}

impl Request for Relating {
    type Question = SetRelation;

    fn resume(
        self,
        faf: &mut Faf,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        known: Result<bool, StoreFailure>,
    ) -> Outcome<Next> {
        if known? {
            faf.related(turn, conn, self.subject_id, Some(self.relation));
        }
        Ok(Next::Go)
    }
}

/// Somebody is being taken off the list.
#[derive(Debug)]
pub(in crate::faf) struct Unrelating {
    subject_id: u32,
}

impl Request for Unrelating {
    type Question = ClearRelation;

    fn resume(
        self,
        faf: &mut Faf,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        done: Result<(), StoreFailure>,
    ) -> Outcome<Next> {
        done?;
        faf.related(turn, conn, self.subject_id, None);
        Ok(Next::Go)
    }
}

/// Who is meant, and as what; `friend` wins. An id that no player can have is `None`.
fn subject(message: Value<'_>) -> Outcome<Option<(Option<u32>, Relation)>> {
    let (value, relation) = match (message.get("friend"), message.get("foe")) {
        (Some(value), _) => (value, Relation::Friend),
        (None, Some(value)) => (value, Relation::Foe),
        (None, None) => return Ok(None),
    };
    Ok(Some((
        u32::try_from(request::integer(value)?).ok(),
        relation,
    )))
}
