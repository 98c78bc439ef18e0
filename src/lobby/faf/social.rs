//! Friends and foes (spec: faf-messages 3.13), and what they change about the caller's hosted game (N#1029).

use bytes::Bytes;

use super::{
    Faf, FafTurn,
    asks::{Ask, Relation, StoreError},
    dispatch::{Next, Pending},
    mail::{Event, Mail, Seat},
    players,
    request::{self, Outcome, Refusal},
    settings,
    visibility::Rule,
};
use crate::ConnId;
use wire::json::Value;

impl Faf {
    pub(super) fn social_add(
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
        if list.len() >= settings::RELATIONS {
            self.counters.over_limit += 1;
            return Ok(());
        }
        turn.hold(conn);
        let ticket = turn.ask(Ask::SetRelation {
            player_id,
            subject_id,
            relation,
        });
        self.pending.insert(
            ticket,
            Pending::Relation {
                conn,
                subject: subject_id,
                relation: Some(relation),
            },
        );
        Ok(())
    }

    pub(super) fn social_remove(
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
        turn.hold(conn);
        let ticket = turn.ask(Ask::ClearRelation {
            player_id: player.account.id,
            subject_id,
        });
        self.pending.insert(
            ticket,
            Pending::Relation {
                conn,
                subject: subject_id,
                relation: None,
            },
        );
        Ok(())
    }

    /// The database has taken it; `relation` is what the subject is now.
    pub(super) fn related(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        subject: u32,
        relation: Option<Relation>,
        result: Result<bool, StoreError>,
    ) -> Outcome<Next> {
        if !result.map_err(Refusal::Store)? {
            return Ok(Next::Go);
        }
        let Some(session) = self.sessions.get_mut(conn) else {
            return Ok(Next::Go);
        };
        if let Some(player) = session.player.as_deref_mut() {
            player.relate(subject, relation);
        }
        if let Some(link) = session.link.as_deref().copied().filter(|link| link.is_host) {
            let event = Event::HostRelation(subject, relation);
            self.post(
                turn,
                link.owner,
                Mail::FromGame {
                    seat: link.seat,
                    event,
                },
            );
        }
        Ok(Next::Go)
    }

    /// At the owner of the host's game: the subject learns of it if they now see the game, or no longer does.
    pub(super) fn host_related(
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
        players::relate(
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
    pub(super) fn reveal(
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
